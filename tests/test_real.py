"""The shipped weights and styles, on real photographs: those that come inside the gradio package."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import photo_path
from PIL import Image

from styletransfer import StyleTransfer, device, images
from styletransfer.files import package_folder, sha256_of
from styletransfer.losses import content_loss, gram
from styletransfer.methods import METHODS, adain, cin
from styletransfer.networks import DEFAULT_CONFIG
from styletransfer.settings import STYLE_SIDE, Optimization
from styletransfer.stylebank import StyleBank
from styletransfer.stylefile import check_style
from styletransfer.stylefolders import SUFFIX
from styletransfer.targets import StyleTarget, style_target
from styletransfer.vgg import CONTENT_LAYER, STYLE_LAYERS, load_vgg19
from styletransfer.weights import (
    BASE_FILE,
    DECODER_FILE,
    PREDICTOR_FILE,
)

pytestmark = pytest.mark.real

PHOTOS = ("lion.jpg", "cheetah.jpg", "tower.jpg")
FEATURES = [CONTENT_LAYER, *STYLE_LAYERS]


@pytest.fixture(scope="module")
def vgg_weights():
    """The real ones."""


@pytest.fixture(scope="module")
def transfer(tmp_path_factory):
    return StyleTransfer(device="cpu", styles_dir=tmp_path_factory.mktemp("none"))


@pytest.fixture(scope="module")
def bank():
    return StyleBank(package_folder("styles"))


@pytest.fixture(scope="module")
def vgg():
    return load_vgg19(STYLE_LAYERS[-1])


def features(vgg, image):
    with torch.inference_mode():
        return vgg(images.read_picture(image).rgb, FEATURES)


def structural_similarity(first: torch.Tensor, second: torch.Tensor) -> float:
    """SSIM of (1, 3, H, W) in [0, 1], by windows of 7x7 (Wang et al. 2004)."""

    def mean(x):
        return F.avg_pool2d(x, 7, stride=1)

    mean_1, mean_2 = mean(first), mean(second)
    variance_1, variance_2 = mean(first**2) - mean_1**2, mean(second**2) - mean_2**2
    both = mean(first * second) - mean_1 * mean_2
    c1, c2 = 0.01**2, 0.03**2
    above = (2 * mean_1 * mean_2 + c1) * (2 * both + c2)
    return (above / ((mean_1**2 + mean_2**2 + c1) * (variance_1 + variance_2 + c2))).mean().item()


def test_the_shipped_files_keep_their_limits():
    styles = list(package_folder("styles").glob(f"*{SUFFIX}"))
    assert max(path.stat().st_size for path in styles) <= 700_000
    for name in (BASE_FILE, DECODER_FILE, PREDICTOR_FILE):
        assert (package_folder("models") / name).stat().st_size <= 8_000_000


def test_every_shipped_style_says_what_it_is(transfer):
    for name, info in transfer.styles.items():
        assert name == info.slug
        assert all((info.title, info.artist, info.year, info.rights, info.licence, info.style_side)), name
        assert "train-base" in info.recipe["command"]


def test_every_shipped_style_has_all_its_parts_and_an_own_preview(bank):
    base_sha256 = sha256_of(package_folder("models") / BASE_FILE)
    for name in bank.paths():
        style = bank.load(name)
        check_style(style, base_sha256, DEFAULT_CONFIG.row_length)
        assert style.row.numel() * 2 <= 16_000  # bytes in the file
        assert style.preview.startswith(b"\xff\xd8"), name


def test_a_style_comes_nearest_to_its_own_painting(transfer, bank, vgg):
    """For at least 90 % of styles no other shipped style gets nearer to the painting's statistics."""
    names = list(bank.paths())
    painted = {
        name: {
            layer: gram(value)
            for layer, value in features(vgg, transfer.stylize(photo_path("lion.jpg"), name, size=256)).items()
        }
        for name in names
    }
    nearest_is_own = 0
    for target in names:
        style = bank.load(target)
        distance = {
            name: sum(
                ((painted[name][layer] - style.grams[layer]).square().sum() / style.bounds[layer]).item()
                for layer in STYLE_LAYERS
            )
            for name in names
        }
        nearest_is_own += min(distance, key=distance.__getitem__) == target
    assert nearest_is_own >= 0.9 * len(names)


@pytest.mark.parametrize("pair", [("great-wave", "starry-night"), ("the-scream", "plum-blossoms")])
def test_a_blend_moves_evenly_from_one_style_to_the_other(transfer, bank, vgg, pair):
    losses: dict[str, list[float]] = {name: [] for name in pair}
    for weight in (0, 0.25, 0.5, 0.75, 1):
        mix = {pair[0]: 1 - weight, pair[1]: weight}
        found = features(vgg, transfer.stylize(photo_path("tower.jpg"), mix, size=256))
        for name in pair:
            losses[name].append(StyleTarget.of(bank.load(name)).loss(found).item())
    assert losses[pair[0]] == sorted(losses[pair[0]])
    assert losses[pair[1]] == sorted(losses[pair[1]], reverse=True)


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("style", ["great-wave", "starry-night", "plum-blossoms"])
def test_hardly_any_strength_gives_the_photo_back(transfer, name, style):
    photo = images.resize_long_side(images.read_picture(photo_path(name)).rgb, 384)
    back = images.read_picture(transfer.stylize(images.to_pil(photo), style, strength=1e-6)).rgb
    assert structural_similarity(photo, back) >= 0.9


@pytest.mark.parametrize("method", ["cin", "adain"])
@pytest.mark.parametrize("around", [0.0, 1.0])
def test_a_region_is_painted_as_a_picture_of_its_own(transfer, method, around):
    lion = images.resize_long_side(images.read_picture(photo_path("lion.jpg")).rgb, 384)
    place = (slice(None), slice(None), slice(96, 288), slice(96, 288))
    photo, inside = torch.full_like(lion, around), torch.zeros_like(lion)
    photo[place], inside[place] = lion[place], 1
    masks = {"great-wave": images.to_pil(inside)}
    within, alone = (
        images.read_picture(transfer.stylize(images.to_pil(each), "great-wave", method=method, masks=given)).rgb
        for each, given in ((photo, masks), (lion[place], None))
    )
    for found in (torch.Tensor.mean, torch.Tensor.std):
        assert found(within[place]) == pytest.approx(found(alone).item(), abs=0.04)


@pytest.mark.parametrize("method", ["cin", "adain"])
def test_a_mask_leaves_the_photo_around_and_paints_as_usual_within(transfer, method):
    photo = images.to_pil(images.resize_long_side(images.read_picture(photo_path("lion.jpg")).rgb, 384))
    inside = torch.zeros(1, 3, photo.height, photo.width)
    inside[:, :, 60:260, 100:300] = 1
    masked, whole = (
        images.read_picture(transfer.stylize(photo, "starry-night", method=method, masks=masks)).rgb
        for masks in ({"starry-night": images.to_pil(inside)}, None)
    )
    before = images.read_picture(photo).rgb
    around = 1 - inside
    around[:, :, 40:280, 80:320] = 0
    assert ((masked - before) * around).abs().max() < 2 / 255
    colours, usual = (picture[..., 60:260, 100:300].mean(dim=(2, 3)) for picture in (masked, whole))
    assert (colours - usual).abs().max() < 0.1
    contrasts = [picture[..., 60:260, 100:300].std() for picture in (masked, whole)]
    assert contrasts[0] == pytest.approx(contrasts[1], rel=0.25)


@pytest.mark.parametrize("method", ["cin", "adain"])
@pytest.mark.parametrize("style", ["great-wave", "starry-night", "plum-blossoms"])
def test_distance_from_the_photo_grows_with_strength(transfer, vgg, style, method):
    photo = images.to_pil(images.resize_long_side(images.read_picture(photo_path("cheetah.jpg")).rgb, 256))
    own = features(vgg, photo)[CONTENT_LAYER]
    distances = [
        content_loss(features(vgg, painted)[CONTENT_LAYER], own).item()
        for painted in (
            transfer.stylize(photo, style, strength=s, method=method) for s in (1e-6, 0.25, 0.5, 0.75, 1)
        )
    ]
    assert distances == sorted(distances)
    assert distances[0] < 0.1


def by_8_bit_integers(bank, method, photo, visible=None):
    """How much the painting differs from one in float32, (1, 3, H, W)."""
    if not device.computes_int8(torch.device("cpu")):
        pytest.skip("this processor is not fast in them")
    given = photo, [bank.load("starry-night")], torch.ones(1), torch.tensor(1.0)
    plain, quick = (
        METHODS[method](package_folder("models"), torch.device("cpu"), torch.float32, int8).stylize(
            *given, visible=visible
        )
        for int8 in (False, True)
    )
    return (plain - quick).abs()


@pytest.mark.parametrize("method", ["cin", "adain"])
def test_8_bit_integers_paint_the_same_picture_to_the_eye(bank, method):
    photo = images.resize_long_side(images.read_picture(photo_path("lion.jpg")).rgb, 384)
    assert 0 < by_8_bit_integers(bank, method, photo).mean() < 3 / 255


@pytest.mark.parametrize("method", ["cin", "adain"])
def test_8_bit_integers_are_not_coarsened_by_what_is_hidden_beside_something_flat(bank, method):
    """Its features are any number of times as far from the mean of a flat part as those within."""
    photo, visible = torch.zeros(1, 3, 256, 320), torch.full((1, 1, 256, 320), 0.4)
    photo[..., 40:200, 40:200], visible[..., 40:200, 40:200] = torch.tensor([0.8, 0.5, 0.3]).view(3, 1, 1), 1
    photo[..., 240:] = torch.rand(1, 3, 256, 80, generator=torch.Generator().manual_seed(0))
    visible[..., 240:] = 0
    found = by_8_bit_integers(bank, method, photo, visible)
    assert found[..., 64:176, 64:176].mean() < 5 / 255


def test_a_picture_of_one_colour_has_no_border_band(transfer):
    """What the border would show first: rows and columns at the edge stand out from the rest."""
    grey = images.to_pil(torch.full((1, 3, 512, 512), 0.5))
    for style in ("great-wave", "starry-night", "plum-blossoms"):
        painted = images.read_picture(transfer.stylize(grey, style)).rgb
        for across in (2, 3):
            lines = painted.mean(dim=across)[0]  # (3, rows or columns)
            inner = lines[:, 16:-16]
            limit = 4 * inner.std(dim=1, keepdim=True) + 0.01
            assert ((lines[:, [0, 1, -2, -1]] - inner.mean(dim=1, keepdim=True)).abs() < limit).all(), style


def style_loss_of(vgg, painted, painting):
    """Mean style loss of a painted picture against a picture as a style."""
    target = style_target(vgg, images.as_style(images.read_on_white(painting), STYLE_SIDE))
    return target.loss(features(vgg, painted)).item()


@pytest.mark.parametrize("method", ["cin", "adain"])
@pytest.mark.parametrize("painting", ["bus.png", "cheetah.jpg", "groot.jpeg"])
def test_any_picture_gives_its_look_at_once(transfer, vgg, painting, method):
    """Closer to the picture than the photo is by far, and closer than what another picture would give."""
    photo = photo_path("lion.jpg")
    painted = transfer.stylize(photo, photo_path(painting), size=384, method=method)
    other = transfer.stylize(photo, photo_path("tower.jpg"), size=384, method=method)
    small = images.to_pil(images.resize_long_side(images.read_picture(photo).rgb, 384))
    own, by_other, before = (style_loss_of(vgg, each, photo_path(painting)) for each in (painted, other, small))
    assert own < 0.6 * before
    assert own < by_other


def test_optimising_pixels_comes_near_a_painting_and_keeps_the_photo(transfer, vgg):
    photo = images.to_pil(images.resize_long_side(images.read_picture(photo_path("lion.jpg")).rgb, 128))
    optimization = Optimization(steps=20, least_side=96, start="photo")
    painted = transfer.stylize(photo, photo_path("bus.png"), method="gatys", optimization=optimization)
    before, after = (style_loss_of(vgg, each, photo_path("bus.png")) for each in (photo, painted))
    assert after < 0.4 * before
    own, changed = (features(vgg, picture)[CONTENT_LAYER] for picture in (photo, painted))
    assert content_loss(changed, own).item() < 1.5


def test_a_short_fit_brings_a_new_style_nearer_to_its_picture(tmp_path, vgg):
    transfer = StyleTransfer(device="cpu", styles_dir=tmp_path)
    photo, picture = photo_path("lion.jpg"), photo_path("bus.png")
    at_once = transfer.stylize(photo, picture, size=256)
    transfer.train_style(picture, "Bus", steps=20)
    learned = transfer.stylize(photo, "bus", size=256)
    assert style_loss_of(vgg, learned, picture) < 0.9 * style_loss_of(vgg, at_once, picture)


@pytest.mark.parametrize(("method", "module"), [("cin", cin), ("adain", adain)])
def test_a_large_picture_in_tiles_is_like_the_whole(transfer, monkeypatch, method, module):
    """Statistics are measured on parts: no seam, and a mean difference of few shades."""
    photo = images.to_pil(images.resize_long_side(images.read_picture(photo_path("tower.jpg")).rgb, 1500))
    whole = images.read_picture(transfer.stylize(photo, "starry-night", method=method)).rgb
    monkeypatch.setattr(module, "TILING", replace(module.TILING, whole=1_000_000, side=512))
    tiled = images.read_picture(transfer.stylize(photo, "starry-night", method=method)).rgb
    assert (tiled - whole).abs().mean() < 6 / 255
    inner = [tile.inner for tile in module.TILING.plan((tiled.shape[2], tiled.shape[3]))]
    for picture, starts in ((tiled, {each.top for each in inner}), (tiled.mT, {each.left for each in inner})):
        steps = (picture[:, :, 1:] - picture[:, :, :-1]).abs().mean(dim=(0, 1, 3))
        seams = steps[[start - 1 for start in starts if start]]
        assert len(seams) >= 2
        assert (seams < steps.mean() + 4 * steps.std()).all()


def test_a_cut_out_is_painted_like_the_same_picture_without_its_transparency(transfer):
    """What lies around it would count in the means and contrasts that its painting is normalised by."""
    photo = images.to_pil(images.read_picture(photo_path("lion.jpg")).rgb).resize((240, 240))
    cut_out = Image.new("RGBA", (600, 500))
    cut_out.paste(photo, (70, 150))
    alone = np.asarray(transfer.stylize(photo, "starry-night"))
    painted = transfer.stylize(cut_out, "starry-night").convert("RGB").crop((70, 150, 310, 390))
    assert np.asarray(painted).std() == pytest.approx(alone.std(), rel=0.1)
    assert np.abs(np.asarray(painted).mean((0, 1)) - alone.mean((0, 1))).max() < 10
