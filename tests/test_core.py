import math
from fractions import Fraction

import pytest
import torch

from styletransfer.core import blend, normalise_weights
from styletransfer.errors import InvalidInput


def test_blend_with_one_hot_weights_is_that_style(generator):
    rows = torch.randn(3, 2, 7, generator=generator)
    for index in range(3):
        assert torch.equal(blend(rows, torch.eye(3)[index : index + 1])[0], rows[index])


def test_blend_is_linear_in_the_weights(generator):
    rows = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    a, b = torch.rand(2, 1, 3, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(blend(rows, 0.3 * a + 0.7 * b), 0.3 * blend(rows, a) + 0.7 * blend(rows, b))


def test_blend_of_gram_matrices_has_the_same_minimum_as_the_weighted_losses(generator):
    # sum of w |G - S|^2 and |G - sum of w S|^2 differ by a constant, whatever G is
    targets = torch.rand(3, 4, 4, generator=generator, dtype=torch.float64)
    weights = torch.tensor([[0.2, 0.5, 0.3]], dtype=torch.float64)
    grams = torch.rand(6, 4, 4, generator=generator, dtype=torch.float64)
    weighted = torch.stack([(weights[0] * (g - targets).square().sum((1, 2))).sum() for g in grams])
    single = (grams - blend(targets, weights)).square().sum((1, 2))
    torch.testing.assert_close(weighted - single, (weighted - single)[:1].expand(6))


def test_weights_are_normalised_and_zeros_dropped():
    assert normalise_weights({"a": 3, "b": 1, "c": 0}) == {"a": 0.75, "b": 0.25}
    assert normalise_weights({"a": 1e308, "b": 1e308}) == {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize("weight", [-0.1, math.nan, math.inf, pytest.param(10**400, id="huge"), Fraction(1, 2)])
def test_a_weight_that_is_no_share_is_refused_by_name(weight):
    with pytest.raises(InvalidInput, match="'wave'"):
        normalise_weights({"wave": weight, "other": 1})


@pytest.mark.parametrize("weights", [{}, {"a": 0}])
def test_a_mix_of_nothing_is_refused(weights):
    with pytest.raises(InvalidInput, match="at least one"):
        normalise_weights(weights)
