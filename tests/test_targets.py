import pytest
import torch
from conftest import make_photo

from styletransfer.errors import InvalidInput
from styletransfer.losses import gram, style_loss
from styletransfer.targets import StyleTarget, as_batch, style_target
from styletransfer.training.looks import Looks, look_at_paintings, varied
from styletransfer.vgg import GRAM_LAYERS, STYLE_LAYERS, channels, load_vgg19


@pytest.fixture
def singles():
    vgg = load_vgg19(STYLE_LAYERS[-1])
    generators = (torch.Generator().manual_seed(seed) for seed in range(3))
    return [style_target(vgg, torch.rand(1, 3, 40, 40, generator=each)) for each in generators]


def assert_same(one: StyleTarget, other: StyleTarget) -> None:
    for part, values in vars(one).items():
        for layer, value in values.items():
            torch.testing.assert_close(value, getattr(other, part)[layer])


def test_the_loss_is_the_mean_over_the_layers_each_sample_against_its_target(singles):
    batch, found = as_batch(singles, 3), {layer: torch.rand(3, channels(layer), 4, 4) for layer in STYLE_LAYERS}
    expected = [
        sum(
            style_loss(gram(found[layer][[index]]), one.grams[layer], one.bounds[layer]).item()
            for layer in STYLE_LAYERS
        )
        / len(STYLE_LAYERS)
        for index, one in enumerate(singles)
    ]
    torch.testing.assert_close(batch.loss(found), torch.tensor(expected))


def test_some_of_a_batch_come_in_the_order_asked_for(singles):
    batch = as_batch(singles, 3)
    assert len(batch) == 3
    assert_same(batch[[2, 0]], as_batch([singles[2], singles[0]], 2))


def test_a_batch_is_its_targets_in_their_order(singles):
    batch = as_batch(iter(singles), 3)
    for part, values in vars(batch).items():
        for layer, value in values.items():
            assert torch.equal(value, torch.cat([getattr(single, part)[layer] for single in singles]))


def test_a_mix_runs_from_one_target_to_the_other(singles):
    first, second = as_batch([singles[0]] * 3, 3), as_batch([singles[1]] * 3, 3)
    mixed = first.lerp(second, torch.tensor([0.0, 1.0, 0.25]))
    assert_same(mixed[[0]], singles[0])
    assert_same(mixed[[1]], singles[1])
    layer = STYLE_LAYERS[1]
    expected = 0.75 * singles[0].grams[layer] + 0.25 * singles[1].grams[layer]
    torch.testing.assert_close(mixed.grams[layer][2:], expected)


def test_looks_are_drawn_evenly_and_a_share_of_them_is_mixed(singles):
    looks = Looks(as_batch(singles, 3), torch.eye(3)[:, :, None])  # each repeats itself in a channel of its own
    drawn = looks.draw(3000, 0.25, torch.Generator().manual_seed(0))
    assert len(drawn) == 3000
    torch.testing.assert_close(drawn.repetition.sum(dim=1), torch.ones(3000, 1))  # mixes are convex
    pure = (drawn.repetition == 1).any(dim=1).flatten()
    assert 0.80 < pure.float().mean() < 0.87  # a quarter is mixed, a third of which with itself
    counts = drawn.repetition[pure].sum(dim=0)
    assert (counts / counts.sum() - 1 / 3).abs().max() < 0.05
    sums = drawn.targets.means[STYLE_LAYERS[0]].sum(dim=1)
    own = torch.cat([single.means[STYLE_LAYERS[0]].sum(dim=1) for single in singles])
    torch.testing.assert_close(sums, drawn.repetition[:, :, 0] @ own)  # targets and repetitions belong together


def test_looks_that_were_kept_are_those_of_one_seed(tmp_path, monkeypatch):
    monkeypatch.setattr("styletransfer.training.looks.SIDES", (40, 48))
    vgg, painting = load_vgg19(STYLE_LAYERS[-1]), tmp_path / "painting.png"
    make_photo(60, 60).save(painting)

    def looks(seed):
        return look_at_paintings(tmp_path, [painting], vgg, variants=2, textures=1, seed=seed)

    assert torch.equal(looks(1).repetition, looks(1).repetition)
    with pytest.raises(InvalidInput, match="another seed"):
        looks(2)


def test_varied_paintings_are_mirrored_half_of_the_time_and_never_upside_down(generator):
    down, right = torch.meshgrid(torch.linspace(0, 0.6, 40), torch.linspace(0, 0.3, 40), indexing="ij")
    crops = [varied((down + right).expand(1, 3, 40, 40), generator) for _ in range(60)]
    assert all((crop[:, :, -1] > crop[:, :, 0]).all() for crop in crops)
    assert 15 < sum(bool(crop[0, 0, 0, -1] < crop[0, 0, 0, 0]) for crop in crops) < 45


def test_looks_that_are_too_many_for_a_gpu_stay_where_they_are(singles, monkeypatch):
    looks, device = Looks(as_batch(singles, 3), torch.zeros(3, 1, 1)), torch.device("meta")
    assert looks.near(device).targets.bounds[STYLE_LAYERS[0]].device == device
    monkeypatch.setattr("styletransfer.training.looks.MOST_ON_DEVICE", 1000)
    assert looks.near(device) is looks


def half_and_half():
    """A picture that is red stripes on the left and grey noise on the right, and a mask of the left."""
    generator = torch.Generator().manual_seed(5)
    picture = torch.rand(1, 1, 96, 128, generator=generator).expand(1, 3, 96, 128).clone()
    picture[:, :, :, :64] = 0
    picture[:, 0, ::4, :64] = 1
    mask = torch.zeros(1, 1, 96, 128)
    mask[..., :64] = 1
    return picture, mask


def test_a_style_mask_takes_the_style_from_its_part_alone():
    vgg = load_vgg19("relu3_1")
    picture, mask = half_and_half()
    masked = style_target(vgg, picture, ("relu1_1", "relu3_1"), mask)
    part, whole = (style_target(vgg, each, ("relu1_1", "relu3_1")) for each in (picture[..., :64], picture))
    for layer in ("relu1_1", "relu3_1"):
        near, far = ((masked.grams[layer] - other.grams[layer]).norm() for other in (part, whole))
        assert near < 0.5 * far, layer


def test_a_style_mask_of_nothing_takes_what_is_nearest_to_it():
    vgg = load_vgg19("relu3_1")
    picture, _ = half_and_half()
    target = style_target(vgg, picture, ("relu3_1",), torch.zeros(1, 1, 96, 128))
    whole = style_target(vgg, picture, ("relu3_1",))
    torch.testing.assert_close(target.grams, whole.grams, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(("side", "few"), [(16, True), (64, False)])
def test_a_layer_with_few_places_in_a_style_mask_has_the_bound_of_the_whole_picture(side, few):
    """Of a single one the covariance is 0, and the layer would outweigh all others by thousands."""
    vgg, mask = load_vgg19("relu5_1"), torch.zeros(1, 1, 96, 128)
    mask[..., :side, :side] = 1
    picture, _ = half_and_half()
    masked, whole = (style_target(vgg, picture, GRAM_LAYERS, each).bounds for each in (mask, None))
    assert (masked["relu5_1"] == whole["relu5_1"]) == few
    assert masked["relu1_1"] != whole["relu1_1"]
