"""What every method of painting promises, on tiny random networks."""

import pytest
import torch

from styletransfer.core import Progress
from styletransfer.errors import Cancelled, InvalidStyleFile
from styletransfer.methods import METHODS
from styletransfer.stylebank import StyleBank

pytestmark = pytest.mark.parametrize("method", METHODS)


@pytest.fixture
def stylizer(method, tiny_models):
    return METHODS[method](tiny_models, torch.device("cpu"), torch.float32)


@pytest.fixture
def styles(tiny_styles):
    bank = StyleBank([tiny_styles])
    return [bank.load(name) for name in bank.paths()]


def content(*size):
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("size", [(1, 1), (47, 65), (64, 64)])
def test_output_keeps_shape_range_and_dtype(stylizer, styles, size):
    painted = stylizer.stylize(content(*size), styles[:1], torch.ones(1), 1.0)
    assert painted.shape == (1, 3, *size)
    assert painted.dtype == torch.float32
    assert painted.min() >= 0
    assert painted.max() <= 1


def test_the_same_call_gives_the_same_picture(stylizer, styles):
    first, second = (stylizer.stylize(content(40, 40), styles[:1], torch.ones(1), 1.0) for _ in range(2))
    assert torch.equal(first, second)


def test_a_one_hot_blend_is_that_style(stylizer, styles):
    blended = stylizer.stylize(content(40, 40), styles, torch.tensor([0.0, 1.0, 0.0]), 1.0)
    alone = stylizer.stylize(content(40, 40), styles[1:2], torch.ones(1), 1.0)
    torch.testing.assert_close(blended, alone, atol=1e-4, rtol=1e-3)


def test_the_order_of_styles_does_not_matter(stylizer, styles):
    weights = torch.tensor([0.2, 0.5, 0.3])
    forward = stylizer.stylize(content(40, 40), styles, weights, 1.0)
    backward = stylizer.stylize(content(40, 40), styles[::-1], weights.flip(0), 1.0)
    torch.testing.assert_close(forward, backward, atol=1e-4, rtol=1e-3)


def test_strength_zero_does_not_depend_on_the_style(stylizer, styles):
    first, second = (stylizer.stylize(content(40, 40), [style], torch.ones(1), 0.0) for style in styles[:2])
    torch.testing.assert_close(first, second)


def test_progress_ends_at_its_last_step_with_the_picture(stylizer, styles):
    seen: list[Progress] = []
    painted = stylizer.stylize(content(40, 40), styles[:1], torch.ones(1), 1.0, seen.append)
    assert seen[-1].step == seen[-1].steps
    assert torch.equal(seen[-1].preview, painted)


def test_on_step_can_stop_the_work(stylizer, styles):
    def stop(progress):
        raise Cancelled

    with pytest.raises(Cancelled):
        stylizer.stylize(content(40, 40), styles[:1], torch.ones(1), 1.0, stop)


def test_a_style_of_another_network_is_refused(stylizer, styles):
    from conftest import random_style

    with pytest.raises(InvalidStyleFile, match="another base network"):
        stylizer.stylize(content(40, 40), [random_style("x", "f" * 64, 9)], torch.ones(1), 1.0)
