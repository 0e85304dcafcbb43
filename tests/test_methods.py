"""What every method of painting promises, in each of its number formats, on tiny random networks."""

from contextlib import nullcontext
from functools import partial

import pytest
import torch
from conftest import random_style

from styletransfer.core import Progress
from styletransfer.errors import Cancelled, InvalidStyleFile
from styletransfer.int8 import KERNELS
from styletransfer.methods import METHODS
from styletransfer.settings import Optimization

LEARNED = ("cin",)  # methods that paint in nothing but what they have learned
STEPWISE = ("gatys",)  # methods that improve a picture step by step
needs_kernels = pytest.mark.skipif(not KERNELS, reason="this PyTorch has no convolutions in 8-bit integers")
CASES = [
    pytest.param(method, (dtype, int8), id=f"{method}-{name}", marks=needs_kernels if int8 else ())
    for method in METHODS
    for name, dtype, int8 in (
        ("float32", torch.float32, False),
        ("bf16", torch.bfloat16, False),
        ("float32-int8", torch.float32, True),
        ("bf16-int8", torch.bfloat16, True),
    )
    if not (method in STEPWISE and name == "bf16-int8")  # of which 8-bit integers paint the start alone
]
pytestmark = pytest.mark.parametrize(("method", "number_format"), CASES)

FULL, NONE = torch.tensor(1.0), torch.tensor(0.0)
ALONE = torch.ones(1)


@pytest.fixture
def exact(number_format):
    """How closely the format keeps two ways to one picture together."""
    return 1e-4 if number_format == (torch.float32, False) else 0.02


@pytest.fixture
def stylizer(method, number_format, tiny_models):
    return METHODS[method](tiny_models, torch.device("cpu"), *number_format)


@pytest.fixture
def stylize(stylizer):
    return partial(stylizer.stylize, optimization=Optimization(steps=2, least_side=32))


def content(*size):
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))


def difference(one, other):
    return (one - other).abs().mean().item()


@pytest.mark.parametrize("size", [(1, 1), (47, 65), (64, 64)])
def test_output_keeps_shape_range_and_dtype(stylize, styles, size):
    painted = stylize(content(*size), styles[:1], ALONE, FULL)
    assert painted.shape == (1, 3, *size)
    assert painted.dtype == torch.float32
    assert painted.min() >= 0
    assert painted.max() <= 1


def test_the_same_call_gives_the_same_picture_and_leaves_the_photo_alone(stylize, styles):
    photo = content(40, 40)
    first, second = (stylize(photo, styles[:1], ALONE, FULL) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(photo, content(40, 40))


def test_a_one_hot_blend_is_that_style(stylize, styles, exact):
    blended = stylize(content(40, 40), styles, torch.tensor([0.0, 1.0, 0.0]), FULL)
    alone = stylize(content(40, 40), styles[1:2], ALONE, FULL)
    torch.testing.assert_close(blended, alone, atol=exact, rtol=1e-3)


def test_a_blend_lies_between_its_styles(stylize, styles):
    def painted(share):
        return stylize(content(40, 40), styles[:2], torch.tensor([1 - share, share]), FULL)

    first, middle, last = painted(0.0), painted(0.5), painted(1.0)
    whole_way = difference(first, last)
    assert 0 < difference(first, middle) < whole_way
    assert 0 < difference(middle, last) < whole_way


def test_the_order_of_styles_does_not_matter(stylize, styles, exact):
    weights = torch.tensor([0.2, 0.5, 0.3])
    forward = stylize(content(40, 40), styles, weights, FULL)
    backward = stylize(content(40, 40), styles[::-1], weights.flip(0), FULL)
    # Adam enlarges rounding here and there, and so do 16 bits in a tiny network.
    assert difference(forward, backward) < (1e-5 if exact < 1e-3 else exact / 2)
    if exact < 1e-3:
        assert (forward - backward).abs().max() < 5e-3


def test_strength_zero_does_not_depend_on_the_style(stylize, styles):
    first, second = (stylize(content(40, 40), [style], ALONE, NONE) for style in styles[:2])
    torch.testing.assert_close(first, second)


def test_more_strength_leads_further_from_what_none_gives(stylize, styles):
    none, half, full = (
        stylize(content(40, 40), styles[:1], ALONE, torch.tensor(strength)) for strength in (0.0, 0.5, 1.0)
    )
    assert 0 < difference(none, half) < difference(none, full)


def test_progress_ends_at_its_last_step_with_the_picture_where_there_were_others_before(
    stylize, styles, method
):
    seen: list[Progress] = []
    painted = stylize(content(40, 40), styles[:1], ALONE, FULL, seen.append)
    assert seen[-1].step == seen[-1].steps
    if method in STEPWISE:
        assert torch.equal(seen[-1].preview, painted)


def test_on_step_can_stop_the_work(stylize, styles, method):
    steps: list[int] = []

    def stop(progress):
        steps.append(progress.step)
        raise Cancelled

    with nullcontext() if method in STEPWISE else pytest.raises(Cancelled):
        painted = stylize(content(40, 40), styles[:1], ALONE, FULL, stop)
        assert painted.shape == (1, 3, 40, 40)
    assert max(steps) == 1


def test_a_style_of_another_network_is_refused_where_it_matters(stylizer, stylize, method):
    if method not in LEARNED:
        pytest.skip("does not use the base network's rows")
    foreign = [random_style("x", "f" * 64, 9)]
    with pytest.raises(InvalidStyleFile, match="different base network"):
        stylizer.check(foreign)
    with pytest.raises(InvalidStyleFile, match="different base network"):
        stylize(content(40, 40), foreign, ALONE, FULL)


def test_maps_paint_each_style_where_it_belongs(stylize, styles):
    weights = torch.zeros(2, 48, 96)
    weights[0, :, :48] = 1
    weights[1, :, 48:] = 1
    mixed = stylize(content(48, 96), styles[:2], weights, FULL.expand(48, 96))
    alone = [stylize(content(48, 96), [style], ALONE, FULL) for style in styles[:2]]
    left, right = ((mixed - each).abs().mean(dim=(0, 1, 2)) for each in alone)
    assert left[:32].mean() < right[:32].mean()
    assert right[64:].mean() < left[64:].mean()


def test_what_is_fully_visible_is_painted_as_without_transparency(stylize, styles, exact):
    painted = [
        stylize(content(40, 56), styles[:2], weights, FULL.expand(weights.shape[1:]), visible=visible)
        for weights in (torch.tensor([0.3, 0.7]), torch.full((2, 40, 56), 0.5))
        for visible in (None, torch.ones(1, 1, 40, 56))
    ]
    for without, seen in (painted[:2], painted[2:]):
        assert difference(without, seen) < 2 * exact


@pytest.mark.parametrize("as_map", [False, True])
def test_what_is_hidden_has_no_part_in_the_statistics(stylize, styles, method, number_format, exact, as_map):
    """Beside something black that nobody sees, far away, the rest is painted as beside something else."""
    if method in STEPWISE:
        pytest.skip("begins at a size at which nothing is far away")
    if number_format[1]:
        pytest.skip("rounds by the extremes of all that is computed")
    photo, visible = content(32, 384), torch.zeros(1, 1, 32, 384)
    other = photo.clone()
    visible[..., :64], other[..., 256:] = 1, 0
    weights = torch.full((2, 32, 384), 0.5) if as_map else torch.tensor([0.5, 0.5])

    def moved(visible):
        painted = (
            stylize(each, styles[:2], weights, FULL.expand(weights.shape[1:]), visible=visible)
            for each in (photo, other)
        )
        return difference(*(each[..., :64] for each in painted))

    assert moved(visible) < exact / 10
    assert moved(visible) < moved(None) / 10


@pytest.mark.parametrize("side", [1, 3, 9])
@pytest.mark.parametrize("as_map", [False, True])
def test_a_speck_is_painted_like_anything_else(stylize, styles, side, as_map):
    """It may lie in a single place of a feature map, which has no contrast to normalise by."""
    visible, weights = torch.zeros(1, 1, 64, 64), torch.tensor([0.5, 0.5])
    visible[..., 17 : 17 + side, 17 : 17 + side] = 1
    if as_map:  # of the second style, beside the first one in the rest of the picture
        weights = torch.cat([1 - visible[0], visible[0]])
        visible[..., 32:] = 1
    strength = FULL.expand(weights.shape[1:])
    painted = stylize(content(64, 64), styles[:2], weights, strength, visible=visible)
    assert painted.isfinite().all()
    assert painted.std() > 0.01


def test_bytes_in_are_bytes_out(stylize, styles):
    photo = (content(40, 40) * 255).round().to(torch.uint8)
    for visible in (None, photo[:, :1]):
        painted = stylize(photo, styles[:1], ALONE, FULL, visible=visible)
        assert painted.dtype == torch.uint8
        seen = None if visible is None else visible / 255
        from_floats = stylize(photo / 255, styles[:1], ALONE, FULL, visible=seen)
        assert (painted / 255 - from_floats).abs().max() <= 0.51 / 255


def test_photos_painted_together_are_painted_as_alone(stylizer, stylize, styles, exact):
    if not stylizer.batch_pixels:
        pytest.skip("paints photos one by one")
    generator = torch.Generator().manual_seed(1)
    photos, visible = (torch.rand(3, channels, 40, 56, generator=generator) for channels in (3, 1))
    numbers = torch.tensor([0.3, 0.7])
    maps = torch.rand(2, 40, 56, generator=generator).softmax(dim=0), torch.rand(40, 56, generator=generator)
    for mix in ((numbers, FULL), (numbers, torch.tensor(0.5)), maps):
        for seen in (None, visible):
            together = stylize(photos, styles[:2], *mix, visible=seen)
            alone = [
                stylize(photo, styles[:2], *mix, visible=one)
                for photo, one in zip(
                    photos.split(1), 3 * [None] if seen is None else seen.split(1), strict=True
                )
            ]
            torch.testing.assert_close(together, torch.cat(alone), atol=exact, rtol=1e-5)


def test_a_larger_picture_costs_more(stylizer):
    small, large, huge = (stylizer.cost(size) for size in ((100, 100), (400, 300), (9000, 9000)))
    assert small.multiply_adds < large.multiply_adds < huge.multiply_adds
    assert small.memory < large.memory < huge.memory
    assert huge.memory < (9000 * 9000 / (400 * 300)) * large.memory  # in tiles
