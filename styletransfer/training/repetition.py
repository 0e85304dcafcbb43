"""Keeping a motif off a lattice: how like itself a picture may be at the distances where a lattice shows."""

import torch
from torch import Tensor

from styletransfer.losses import autocorrelation, repetition_loss
from styletransfer.vgg import VGG19

LAYER = "relu3_1"
# Shifts of 8, 16 and 24 pixels, in places of a layer at 1/4: the network paints in blocks of eight.
LAGS = (
    *((0, 2), (2, 0), (2, 2), (2, -2), (0, 4), (4, 0), (4, 4), (4, -4)),
    *((2, 4), (2, -4), (4, 2), (4, -2), (0, 6), (6, 0)),
)


def painting_repetition(vgg: VGG19, picture: Tensor) -> Tensor:
    """How a style picture (1, 3, H, W) repeats itself: (1, C, len(LAGS)), on the CPU."""
    with torch.no_grad():
        return autocorrelation(vgg(picture.to(vgg.mean.device), [LAYER])[LAYER], LAGS).cpu()


def choose_lags(count: int, generator: torch.Generator) -> list[int]:
    """Some of LAGS, by index: all of them in every step would take too long."""
    return torch.randperm(len(LAGS), generator=generator)[:count].tolist()


def excess_repetition(painted: Tensor, photo: Tensor, painting: Tensor, lags: list[int]) -> Tensor:
    """How much more a painted picture repeats itself than both its photo and the painting do.

    Args:    painted: (B, C, H, W) features at LAYER; photo: (B, C, len(lags)), `autocorrelation` of the photos'
             features at these lags; painting: (B, C, len(LAGS)); lags: indices into LAGS.
    Returns: (B,) means over the lags.
    """
    allowed = torch.maximum(photo, painting[:, :, lags])
    return repetition_loss(painted, allowed, [LAGS[lag] for lag in lags]) / len(lags)
