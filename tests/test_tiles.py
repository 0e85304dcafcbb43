"""Large pictures in parts: they come out as if painted whole."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from styletransfer.core import Progress
from styletransfer.decoder import ADAIN_LAYERS, AdainDecoder, encode, statistics_of
from styletransfer.errors import Cancelled
from styletransfer.masks import FULLY_COVERED, counted
from styletransfer.methods import adain, cin, regions
from styletransfer.methods.tiles import Sampling, Tiling, Window, sample_weights, tiles
from styletransfer.networks import TransformerNetwork, initial_row
from styletransfer.norm import known_instance_norm
from styletransfer.vgg import load_vgg19

FULL = torch.tensor(1.0)


@pytest.fixture
def stylizer(tiny_models):
    return cin.load(tiny_models, torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (65, 129), (200, 37)])
def test_tiles_cover_every_pixel_once(size):
    counts = torch.zeros(size)
    for tile in tiles(*size, side=64, margin=16):
        tile.inner.cut(counts).add_(1)
        assert tile.own(tile.outer.cut(counts)).data_ptr() == tile.inner.cut(counts).data_ptr()
    assert (counts == 1).all()


@pytest.mark.parametrize("length", [64, 65, 96, 97, 200, 1000])
def test_tiles_are_of_one_size_and_no_larger_than_asked_for(length):
    heights = [tile.outer.height for tile in tiles(length, 40, side=64, margin=16)]
    assert max(heights) - min(heights) < 8  # what the last lacks of a multiple of 8
    assert max(heights) <= 64


def test_a_rim_around_a_region_is_painted_as_well():
    strength = torch.zeros(40, 60)
    strength[10:20, 20:30] = 0.5
    shares, spread = regions.with_rim(torch.ones(1, 40, 60), strength)
    assert torch.equal(shares, torch.ones(1, 40, 60))
    assert torch.equal(spread > 0, F.max_pool2d(strength[None], 2 * regions.RIM + 1, 1, regions.RIM)[0] > 0)
    assert spread[10 - regions.RIM, 20] == 0.5
    assert spread[10 - regions.RIM - 1, 20] == 0
    weak = torch.tensor([[0.2, 0.9]]).repeat_interleave(20, dim=1)
    assert torch.equal(regions.with_rim(torch.ones(1, *weak.shape), weak)[1], weak)
    nearly_black = strength.clamp_min(0.008)  # as JPEG has it
    assert torch.equal(
        regions.with_rim(torch.ones(1, 40, 60), nearly_black)[1].clamp_min(0.008), spread.clamp_min(0.008)
    )


def test_a_soft_edge_or_a_little_strength_is_no_rim():
    weak = torch.full((40, 60), 0.051)
    weak[10:20, 20:30] = 1
    assert torch.equal(regions.with_rim(torch.ones(1, 40, 60), weak)[1], weak)
    for sigma in (2, 3, 4):
        edge = torch.special.ndtr(torch.arange(-30.0, 30) / sigma).expand(40, 60)
        shown = regions.with_rim(torch.ones(1, 40, 60), edge)[1] * (edge / FULLY_COVERED).clamp(max=1)
        assert shown[0].diff().min() > -0.03  # it falls outward


def test_the_rim_around_a_region_is_of_the_styles_of_that_region():
    shares, strength = torch.full((2, 40, 90), 0.5), torch.zeros(40, 90)
    for style, left in enumerate((10, 60)):
        strength[10:30, left : left + 20] = 1
        shares[:, 10:30, left : left + 20] = torch.eye(2)[style][:, None, None]
    found, _ = regions.with_rim(shares, strength)
    for style, left in enumerate((10, 60)):
        place = (slice(10 - regions.RIM, 30 + regions.RIM), slice(left - regions.RIM, left + 20 + regions.RIM))
        assert torch.equal(found[:, *place], torch.eye(2)[style][:, None, None].expand(2, 36, 36))
    assert (found[:, 20, 45] == 0.5).all()  # far from both


@pytest.mark.parametrize("method", [cin, adain])
def test_a_line_of_pixels_counts_as_what_it_is_continued_to(tiny_models, styles, monkeypatch, method):
    monkeypatch.setattr(method, "TILING", replace(method.TILING, whole=60_000))
    steps = []
    line = torch.rand(1, 3, 2, 8000)  # 16,000 pixels, continued to 32 lines
    stylizer = method.load(tiny_models, torch.device("cpu"), torch.float32)
    painted = stylizer.stylize(line, styles[:1], torch.ones(1), FULL, on_step=steps.append)
    assert painted.shape == line.shape
    assert len(steps) > 1


def test_margins_end_at_the_picture():
    for tile in tiles(130, 70, side=64, margin=16):
        outer = tile.outer
        assert outer.top >= 0
        assert outer.left >= 0
        assert outer.top + outer.height <= 130
        assert outer.left + outer.width <= 70


@pytest.mark.parametrize("size", [(100, 100), (5000, 40), (3000, 4000)])
def test_samples_are_of_one_size_and_reach_all_borders(size):
    windows = Sampling(5, 256).windows(*size)
    assert {(w.height, w.width) for w in windows} == {(min(256, size[0]), min(256, size[1]))}
    assert min(w.top for w in windows) == min(w.left for w in windows) == 0
    assert max(w.top + w.height for w in windows) == size[0]
    assert max(w.left + w.width for w in windows) == size[1]


def test_samples_of_a_picture_that_is_alike_everywhere_count_alike():
    windows = Sampling(8, 256).windows(2000, 3000)
    expected = torch.full((len(windows),), 1 / len(windows))
    torch.testing.assert_close(sample_weights(torch.full((1, 3, 2000, 3000), 0.3), windows), expected)
    torch.testing.assert_close(sample_weights(torch.zeros(1, 3, 2000, 1), windows), expected)


def test_weighted_samples_have_the_colours_and_contrasts_of_the_picture(generator):
    """A bright, busy half that samples have too little of, since they are evenly spread over what is left."""
    photo = torch.full((1, 3, 1600, 1600), 0.2)
    photo[..., 700:900] = 0.5 + 0.5 * torch.rand(1, 3, 1600, 200, generator=generator)
    windows = [Window(top, left, 320, 320) for top in (0, 640, 1280) for left in (0, 480, 720, 1280)]
    shares = sample_weights(photo, windows)
    assert shares.min() > 0
    assert shares.sum() == pytest.approx(1)

    def error(weights):
        parts = torch.stack([w.cut(photo).flatten(2).mean(2)[0] for w in windows])
        return (weights @ parts - photo.mean((0, 2, 3))).abs().mean()

    assert error(shares) < 0.2 * error(torch.full_like(shares, 1 / len(shares)))


def test_samples_count_by_what_is_visible_of_them(generator):
    """However much of something else is hidden in the picture, and in the samples."""
    photo, visible = torch.full((1, 3, 1600, 1600), 0.2), torch.ones(1, 1, 1600, 1600)
    photo[..., 700:900] = 0.5 + 0.5 * torch.rand(1, 3, 1600, 200, generator=generator)
    photo[:, :, 480:], visible[:, :, 480:] = 0.9, 0
    windows = [Window(top, left, 320, 320) for top in (0, 320, 640, 1280) for left in (0, 480, 720, 1280)]
    shares = sample_weights(photo, windows, visible=visible)
    seen = photo * visible

    def mean(weights):
        amounts, areas = (
            torch.stack([w.cut(image).flatten(2).mean(2)[0] for w in windows]) for image in (seen, visible)
        )
        return (weights @ amounts) / (weights @ areas)

    wanted = photo[:, :, :480].mean((0, 2, 3))
    even = torch.full_like(shares, 1 / len(shares))
    assert (mean(shares) - wanted).abs().max() < 0.2 * (mean(even) - wanted).abs().max()


def test_half_transparent_pixels_count_a_quarter():
    assert counted(torch.tensor([0.0, 0.5, 1.0])).tolist() == [0, 0.25, 1]
    assert counted(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == pytest.approx([0, 0.04, 1])


@pytest.mark.parametrize("size", [(256, 384), (301, 417), (97, 640)])
@pytest.mark.parametrize("maps", [False, True])
@pytest.mark.parametrize("transparent", [False, True])
def test_tiles_are_the_whole_within_one_shade(
    stylizer, styles, monkeypatch, generator, size, maps, transparent
):
    photo = torch.rand(1, 3, *size, generator=generator)
    visible = torch.rand(1, 1, *size, generator=generator) if transparent else None
    weights = torch.tensor([0.5, 0.3, 0.2])
    if maps:
        weights = torch.softmax(torch.randn(3, *size, generator=generator), dim=0)
    strength = FULL.expand(weights.shape[1:])
    whole = stylizer.stylize(photo, styles, weights, strength, visible=visible)
    monkeypatch.setattr(cin, "TILING", replace(cin.TILING, whole=100, side=328))
    monkeypatch.setattr(Sampling, "windows", lambda self, height, width, regions: [Window(0, 0, height, width)])
    seen: list[Progress] = []
    tiled = stylizer.stylize(photo, styles, weights, strength, seen.append, visible=visible)
    assert seen[-1].step == seen[-1].steps > 1
    assert (tiled - whole).abs().max() < 1 / 255


def reach(paint, side=304):
    """How many pixels away a picture still changes a pixel of its painting, by the gradient."""
    photo = torch.rand(1, 3, side, 32, requires_grad=True)
    painted = paint(photo)
    distances = []
    for row in range(side // 2, side // 2 + 8):  # a pixel of each kind in a block of eight
        (gradient,) = torch.autograd.grad(painted[0, :, row, 16].sum(), photo, retain_graph=True)
        touched = gradient.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
        distances += [row - touched.min().item(), touched.max().item() - row]
    return max(distances)


def test_the_margin_of_cin_covers_all_that_a_pixel_depends_on():
    torch.manual_seed(0)
    network = TransformerNetwork().eval()
    row, one = initial_row(network.config)[None], torch.ones(1)

    def paint(photo):
        with torch.no_grad():
            statistics = network.measure(photo, row, one[None], one, one)
        return network(photo, row, one[None], one, statistics=statistics)

    assert 100 < reach(paint) <= cin.TILING.margin


def test_the_margin_of_adain_covers_all_that_a_pixel_depends_on():
    torch.manual_seed(0)
    vgg, decoder = load_vgg19(ADAIN_LAYERS[-1]), AdainDecoder()

    def paint(photo):
        features = encode(vgg, photo)
        for layer, (mean, std) in statistics_of(features).items():
            mean, std = mean.detach(), std.detach()
            features[layer] = known_instance_norm(features[layer], std, mean, (mean, std))
        return decoder(features)

    assert 60 < reach(paint) <= adain.TILING.margin


def test_a_large_picture_can_be_stopped_between_tiles(stylizer, styles, monkeypatch, generator):
    monkeypatch.setattr(cin, "TILING", replace(cin.TILING, whole=100, side=280))

    def stop(progress):
        assert progress.step == 1
        raise Cancelled

    with pytest.raises(Cancelled):
        stylizer.stylize(torch.rand(1, 3, 300, 300, generator=generator), styles[:1], torch.ones(1), FULL, stop)


def test_tiles_begin_where_both_networks_can_be_cut():
    for tiling in (cin.TILING, adain.TILING):
        assert tiling.side % 8 == tiling.margin % 8 == tiling.sampling.side % 8 == 0


def test_a_region_between_the_samples_gets_one_of_its_own():
    """Of a face that no sample shows nothing would be known, and it would be painted by nothing."""
    sampling = Sampling(3, 64)
    size = (1003, 805)
    places = torch.zeros(3, 126, 101)
    places[0] = 1  # everywhere: is shown
    places[1, 120:, 30:40] = 1  # at the lower border, between two
    places[2, 30:34, 70:74] = 1  # smaller than a quarter of a sample
    usual, found = sampling.windows(*size), sampling.windows(*size, places)
    assert found[: len(usual)] == usual
    assert sampling.windows(*size, torch.zeros(1, 126, 101)) == usual  # a style that belongs nowhere
    assert len(found) == len(usual) + 2
    # All rows of the one at the border, which is twice as wide as high, and all of the small one.
    for window, region, area in zip(found[-2:], places[1:], (43 * 64, 32 * 32), strict=True):
        whole = region.repeat_interleave(8, 0).repeat_interleave(8, 1)[: size[0], : size[1]]
        assert window.cut(whole).shape == (64, 64)
        assert window.cut(whole).sum() == area
        assert window.cut(whole).mean() > 0.2
    small = found[-1]
    assert abs(small.top + 32 - 8 * 32) <= 8  # in its middle
    assert abs(small.left + 32 - 8 * 72) <= 8


@pytest.mark.parametrize(("side", "place"), [(64, (240, 240)), (256, (240, 240)), (256, (480, 240))])
def test_a_large_photo_with_a_small_region_is_painted_with_it(
    stylizer, styles, monkeypatch, generator, side, place
):
    """Between the samples, which lie in the corners, and at the border, which samples leave out."""
    photo = torch.rand(1, 3, 520, 520, generator=generator)
    region, (top, left) = torch.zeros(520, 520), place
    region[top : top + 40, left : left + 40] = 1
    whole = stylizer.stylize(photo, styles[:1], torch.ones(1, 520, 520), region)
    monkeypatch.setattr(cin, "TILING", Tiling(4096, side=400, margin=120, sampling=Sampling(2, side, rim=8)))
    tiled = stylizer.stylize(photo, styles[:1], torch.ones(1, 520, 520), region)
    assert (tiled - whole)[
        ..., top : top + 40, left : left + 40
    ].abs().mean() < 0.1  # without a sample of its own 0.6


@pytest.mark.parametrize("method", [cin, adain])
def test_what_stands_alone_on_a_plain_ground_is_in_a_sample(
    tiny_models, styles, monkeypatch, generator, method
):
    """Otherwise the statistics would be those of the ground, whose channels are flat."""
    stylizer, one = method.load(tiny_models, torch.device("cpu"), torch.float32), torch.tensor(1.0)
    photo, there = torch.ones(1, 3, 520, 520), (..., slice(240, 280), slice(240, 280))
    photo[there] = torch.rand(1, 3, 40, 40, generator=generator)
    whole = stylizer.stylize(photo, styles[:1], torch.ones(1), one)
    sampling = Sampling(2, 64)  # in the corners
    monkeypatch.setattr(method, "TILING", replace(method.TILING, whole=4096, side=400, sampling=sampling))
    tiled = stylizer.stylize(photo, styles[:1], torch.ones(1), one)
    assert (tiled - whole)[there].abs().mean() < 0.1


def test_the_sample_that_shows_most_of_a_cut_out_counts_most():
    photo, visible = torch.full((1, 3, 800, 800), 0.3), torch.zeros(1, 1, 800, 800)
    photo[..., :320, :320], photo[..., 480:] = 0.6, 1.0
    visible[..., :128, :128] = visible[..., :16, 480:496] = visible[..., 480:, :320] = 1
    first, second = sample_weights(photo, [Window(0, 0, 128, 128), Window(0, 480, 128, 128)], visible=visible)
    assert first > second


def test_samples_are_spread_over_what_is_visible():
    """Of a small thing on a large empty canvas an even grid would show next to nothing."""
    seen = torch.zeros(1, 126, 101)
    seen[0, 50:70, 20:60] = 1
    windows = Sampling(4, 64).windows(1003, 805, seen)
    assert len(windows) == 16
    assert {min(w.top for w in windows), max(w.top for w in windows) + 64} == {400, 560}
    assert {min(w.left for w in windows), max(w.left for w in windows) + 64} == {160, 480}
    assert Sampling(4, 64).windows(1003, 805, seen.clamp(min=1.5e-5)) == windows  # what cutting out leaves
    seen[:] = 0
    seen[0, 125, 100] = 1  # the last pixels, less than a sample
    assert Sampling(4, 64).windows(1003, 805, seen)[0] == Window(1003 - 64, 805 - 64, 64, 64)


@pytest.mark.parametrize("place", [(slice(-24, None), slice(None)), (slice(200, 208), slice(300, 2000))])
def test_samples_of_something_narrow_count_too(generator, place):
    """It may lie in the rims of all of them, which count little."""
    photo, visible = torch.rand(1, 3, 1000, 2400, generator=generator), torch.zeros(1, 1, 1000, 2400)
    visible[0, 0][place] = 1
    windows = Sampling(8, 256).windows(1000, 2400, visible[0, :, ::8, ::8])
    shares = sample_weights(photo, windows, rim=24, visible=visible)
    assert shares.isfinite().all()
    assert shares.sum() == pytest.approx(1)


@pytest.mark.parametrize("method", [cin, adain])
@pytest.mark.parametrize("masked", [False, True])
def test_a_large_cut_out_in_tiles_is_like_the_whole(
    tiny_models, styles, monkeypatch, generator, method, masked
):
    stylizer = method.load(tiny_models, torch.device("cpu"), torch.float32)
    photo, visible = torch.rand(1, 3, 640, 640, generator=generator), torch.zeros(1, 1, 640, 640)
    photo[..., 100:400] *= 0.3
    visible[..., 130:290, 110:330] = 1
    mix = (torch.ones(1, 640, 640), FULL.expand(640, 640)) if masked else (torch.ones(1), FULL)
    whole = stylizer.stylize(photo, styles[:1], *mix, visible=visible)
    tiling = Tiling(4096, side=400, margin=120, sampling=Sampling(2, 96, rim=8))
    monkeypatch.setattr(method, "TILING", tiling)
    tiled = stylizer.stylize(photo, styles[:1], *mix, visible=visible)
    assert (tiled - whole)[..., 130:290, 110:330].abs().mean() < 0.04


@pytest.mark.parametrize("size", [(65, 64), (300, 200), (301, 407)])
def test_painted_pixels_are_those_of_the_tiles(size):
    outer = [tile.outer for tile in tiles(*size, 64, 16)]
    sampling = Sampling(3, 40)
    total, largest = Tiling(4096, side=64, margin=16, sampling=sampling).pixels(size)
    areas = [window.height * window.width for window in outer]
    measured = sum(window.height * window.width for window in sampling.windows(*size))
    assert (total, largest) == (sum(areas) + measured, max(*areas, measured))
