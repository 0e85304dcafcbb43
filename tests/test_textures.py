"""Randomly generated textures and pictures in other techniques, as looks that paintings do not have."""

import pytest
import torch

from styletransfer.training import techniques
from styletransfer.training.techniques import in_technique
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


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("technique", ["_mosaic", "_dots", "_hatching", "_lines", "_flat"])
def test_a_picture_of_one_colour_has_every_technique_as_well(value, technique):
    one_colour, generator = torch.full((1, 3, 64, 64), value), torch.Generator().manual_seed(0)
    assert getattr(techniques, technique)(one_colour, generator).isfinite().all()


@pytest.mark.parametrize("seed", range(16))
def test_a_picture_in_another_technique_is_another_picture_of_the_same(seed):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 4, 4, generator=generator)
    picture = torch.nn.functional.interpolate(coarse, (96, 96), mode="bilinear")
    done = in_technique(picture, generator)
    assert done.shape == picture.shape
    assert done.isfinite().all()
    assert done.min() >= 0
    assert done.max() <= 1
    assert done.std() > 0.02
    assert (done - picture).abs().mean() > 0.02


def test_a_mosaic_is_light_where_the_picture_is():
    halves = torch.zeros(1, 3, 240, 240)
    halves[..., 120:] = 1
    for seed in range(5):
        tiles = techniques._mosaic(halves, torch.Generator().manual_seed(seed))
        assert tiles[..., 150:].mean() > tiles[..., :90].mean() + 0.1
