"""Textures drawn by chance, as looks that no painting has."""

import pytest
import torch

from styletransfer.training.textures import texture


@pytest.mark.parametrize("seed", range(12))
def test_a_texture_is_a_picture_with_something_to_see(seed):
    picture = texture(96, torch.Generator().manual_seed(seed))
    assert picture.shape == (1, 3, 96, 96)
    assert picture.isfinite().all()
    assert picture.min() >= 0
    assert picture.max() <= 1
    assert picture.std() > 0.02


def test_the_same_seed_draws_the_same_and_another_another():
    first, again, other = (texture(64, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
