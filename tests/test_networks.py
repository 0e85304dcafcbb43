import pytest
import torch
import torch.nn.functional as F
from conftest import TINY

from styletransfer import rows as style_rows
from styletransfer.convolution import Conv3
from styletransfer.networks import TransformerNetwork, initial_row


@pytest.fixture
def rows(generator):
    return torch.randn(3, 2, TINY.row_length, generator=generator)


ONE = torch.ones(1)


def paint(network, images, rows, weights, strength=ONE):
    if weights.ndim == 4:
        strength = strength.view(-1, 1, 1)
    with torch.inference_mode():
        return network(images, rows, weights, strength.expand(len(images), *weights.shape[2:]))


@pytest.mark.parametrize("size", [(2, 2), (5, 7), (8, 3)])
@pytest.mark.parametrize("bias", [False, True])
def test_a_doubling_convolution_is_the_convolution_of_the_doubled_picture(generator, size, bias):
    doubling, plain = Conv3(4, 6, bias=bias, doubling=True), Conv3(4, 6, bias=bias)
    if bias:
        torch.nn.init.normal_(doubling.bias, generator=generator)
    plain.load_state_dict(doubling.state_dict())
    picture = torch.randn(2, 4, *size, generator=generator)
    expected = plain(F.interpolate(picture, scale_factor=2, mode="nearest"))
    torch.testing.assert_close(doubling(picture), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (47, 65), (64, 64), (65, 47), (130, 8)])
def test_any_size_comes_back_in_its_own_size_and_finite(network, rows, generator, size):
    painted = paint(network, torch.rand(1, 3, *size, generator=generator), rows, torch.eye(3)[:1])
    assert painted.shape == (1, 3, *size)
    assert painted.isfinite().all()


def test_a_batch_is_its_singles(network, rows, generator):
    images = torch.rand(3, 3, 40, 48, generator=generator)
    batch = paint(network, images, rows, torch.eye(3))
    for index in range(3):
        single = paint(network, images[index : index + 1], rows, torch.eye(3)[index : index + 1])
        torch.testing.assert_close(batch[index : index + 1], single, atol=1e-4, rtol=1e-3)


def test_flat_maps_are_their_weights(network, rows, generator):
    images = torch.rand(1, 3, 45, 51, generator=generator)
    weights = torch.tensor([[0.2, 0.5, 0.3]])
    maps = weights[:, :, None, None].expand(1, 3, 45, 51)
    expected = paint(network, images, rows, weights, torch.tensor([0.6]))
    torch.testing.assert_close(
        paint(network, images, rows, maps, torch.tensor([0.6])), expected, atol=1e-4, rtol=1e-3
    )


def test_strength_is_shared_between_the_identity_and_the_styles():
    found = style_rows.with_identity(torch.tensor([[0.2, 0.8]]), torch.tensor([0.25]))
    torch.testing.assert_close(found, torch.tensor([[0.75, 0.05, 0.2]]))


def test_strength_zero_keeps_the_photos_brightness_and_contrast(network, rows, generator):
    for shift in (0.1, 0.6):
        photo = torch.rand(1, 3, 64, 64, generator=generator) * 0.3 + shift
        back = paint(network, photo, rows, torch.eye(3)[:1], torch.zeros(1))
        torch.testing.assert_close(back.mean((2, 3)), photo.mean((2, 3)), atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(back.std(), photo.std(), atol=0.01, rtol=0)


def test_a_flat_picture_is_not_painted_as_a_lattice(network, rows):
    """Without noise every 8x8 block of it would be like its neighbour."""
    flat = torch.full((1, 3, 128, 128), 0.5)
    flat[..., 100:, 100:] = 0  # something to normalise
    inside = paint(network, flat, rows, torch.eye(3)[:1])[..., 24:56, 24:56]
    assert (inside[..., 8:] - inside[..., :-8]).std() > 0.1 * inside.std()


def test_the_noise_of_a_part_is_that_of_the_whole(network):
    whole = network._noise(torch.zeros(1, TINY.eighth, 80, 70), (0, 0))
    part = network._noise(torch.zeros(1, TINY.eighth, 10, 12), (66, 50))
    assert torch.equal(part, whole[..., 66:76, 50:62])
    assert not torch.equal(whole[..., :16, :6], whole[..., 64:, 64:])


def test_a_plain_background_is_no_wallpaper(network, rows):
    """The shape at its end is far from the two places that are compared, which differ by the noise alone."""
    photo = torch.full((1, 3, 128, 1536), 0.9)
    photo[..., :64] = torch.rand(64, generator=torch.Generator().manual_seed(0))
    painted = network(photo, rows[:1], torch.ones(1, 1), torch.ones(1))
    first, second = (painted[0, 0, :, left : left + 256].flatten() for left in (640, 640 + 512))
    assert torch.corrcoef(torch.stack((first, second)))[0, 1] < 0.5


def test_the_noise_is_the_same_in_every_installation(network):
    first = [1.7640524, 0.4001572, 0.9787380]
    torch.testing.assert_close(network.noise[0, 0, :3], torch.tensor(first))
    assert "noise" not in network.state_dict()


@pytest.mark.parametrize("colour", [0.0, 0.5, 1.0])
def test_a_picture_of_one_colour_stays_finite(network, rows, colour):
    painted = paint(network, torch.full((1, 3, 40, 40), colour), rows, torch.eye(3)[:1])
    assert painted.isfinite().all()


def test_half_precision_is_near_float32(network, rows, generator):
    images = torch.rand(1, 3, 64, 64, generator=generator)
    full = paint(network, images, rows, torch.eye(3)[:1])
    half = paint(network, images.bfloat16(), rows, torch.eye(3)[:1])
    assert half.dtype == torch.float32
    assert (full - half).abs().mean() < 0.05 * full.std()


def test_shipped_architecture_fits_its_limits():
    network = TransformerNetwork()
    assert sum(p.numel() for p in network.parameters()) * 2 < 7 * 2**20  # bytes in half precision
    assert network.config.row_length * 2 * 2 <= 16 * 2**10


@pytest.mark.parametrize("maps", [False, True])
def test_parts_are_measured_without_what_has_seen_their_border(network, rows, generator, monkeypatch, maps):
    seen = []
    measured = "regional_statistics" if maps else "joint_statistics"
    measure = getattr(style_rows, measured)

    def look(features, *given):
        seen.append(tuple(features.shape[-2:]))
        return measure(features, *given)

    monkeypatch.setattr(style_rows, measured, look)
    weights = torch.rand(2, 3, 100, 256) if maps else torch.rand(2, 3)
    images, shares = torch.rand(2, 3, 100, 256, generator=generator), torch.tensor([0.4, 0.6])
    network.measure(images, rows, weights.softmax(dim=1), torch.ones(2, *weights.shape[2:]), shares)
    down = [(52, 128), (26, 64), (13, 32)]
    block = 2 * [(13, 32)]  # at 1/8, after which two columns are left out, but no row of the narrow side
    up = 4 * [(26, 60)] + 4 * [(52, 120)]
    assert seen == down + block + up


def test_a_part_is_measured_with_the_noise_of_its_place(network, rows):
    image, one = torch.full((1, 3, 64, 64), 0.5), torch.ones(1)
    weights = torch.eye(3)[:1]

    def measured(count, *places):
        parts = image.expand(count, -1, -1, -1), rows, weights.expand(count, -1), one.expand(count)
        return network.measure(*parts, torch.full((count,), 1 / count), places)[-1][1]

    first, second = measured(1, (0, 0)), measured(1, (8, 8))
    assert not torch.equal(first, second)
    both = measured(2, (0, 0), (8, 8))
    assert not torch.allclose(both, first)
    assert not torch.allclose(both, second)


@pytest.mark.parametrize("maps", [False, True])
def test_a_part_painted_with_the_statistics_of_the_whole_is_that_part(network, rows, generator, maps):
    images = torch.rand(1, 3, 320, 280, generator=generator)
    weights, strength = torch.tensor([[0.5, 0.2, 0.3]]), torch.tensor([0.8])
    if maps:
        weights = torch.softmax(torch.randn(1, 3, 320, 280, generator=generator), dim=1)
        strength = strength.expand(1, 320, 280)
    with torch.inference_mode():
        whole = network(images, rows, weights, strength)
        statistics = network.measure(images, rows, weights, strength, torch.ones(1))
        again = network(images, rows, weights, strength, statistics=statistics)
        torch.testing.assert_close(again, whole, atol=1e-4, rtol=1e-3)
        part = images[:, :, 64:, 40:]
        mix = (weights[:, :, 64:, 40:], strength[:, 64:, 40:]) if maps else (weights, strength)
        painted = network(part, rows, *mix, (8, 5), statistics)
    # Not where the part sees its own border instead of what lies beyond.
    torch.testing.assert_close(painted[:, :, 80:, 80:], whole[:, :, 144:, 120:], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("maps", [False, True])
def test_a_part_with_three_times_the_share_counts_like_three_parts(network, rows, generator, maps):
    images = torch.rand(2, 3, 64, 64, generator=generator)
    images[1] *= 0.3
    weights = torch.tensor([[0.5, 0.2, 0.3]]).expand(2, -1)
    if maps:
        weights = torch.randn(2, 3, 64, 64, generator=generator).softmax(dim=1)

    def measured(parts, *shares):
        strength = torch.full((len(parts), *weights.shape[2:]), 0.8)
        return network.measure(images[parts], rows, weights[parts], strength, torch.tensor(shares))

    weighted, repeated = measured([0, 1], 0.75, 0.25), measured([0, 0, 0, 1], *[0.25] * 4)
    for found, expected in zip(weighted, repeated, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("value", [0.2, 1.0])
@torch.no_grad()
def test_statistics_of_samples_that_are_visible_alike_are_those_without_transparency(network, generator, value):
    photos, rows = torch.rand(3, 3, 256, 256, generator=generator), initial_row(TINY)[None]
    given = photos, rows, torch.ones(1, 1), torch.ones(1), torch.tensor([0.2, 0.3, 0.5])
    seen = network.measure(*given, regions=torch.full((3, 1, 256, 256), value))
    for found, expected in zip(seen, network.measure(*given), strict=True):
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)
