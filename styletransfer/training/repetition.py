"""Keeping a motif off a lattice: how much a picture may repeat itself at the distances of a lattice."""

import torch
from torch import Tensor

from styletransfer.losses import repetition_loss

LAYER = "relu3_1"
# Shifts of 8, 16 and 24 pixels, in places of a layer at 1/4: the network paints in blocks of eight.
LAGS = (
    *((0, 2), (2, 0), (2, 2), (2, -2), (0, 4), (4, 0), (4, 4), (4, -4)),
    *((2, 4), (2, -4), (4, 2), (4, -2), (0, 6), (6, 0)),
)


def choose_lags(count: int, generator: torch.Generator) -> list[int]:
    """Indices of some random LAGS: computing all of them in every step would take too long."""
    return torch.randperm(len(LAGS), generator=generator)[:count].tolist()


def excess_repetition(painted: Tensor, photo: Tensor, painting: Tensor, lags: list[int]) -> Tensor:
    """How much more a painted picture repeats itself than both its photo and the painting do.

    Args:    painted: (B, C, H, W) features at LAYER; photo: (B, C, len(lags)), `autocorrelation` of the photos'
             features at these lags; painting: (B, C, len(LAGS)); lags: indices into LAGS.
    Returns: (B,) means over the lags.
    """
    allowed = torch.maximum(photo, painting[:, :, lags])
    return repetition_loss(painted, allowed, [LAGS[lag] for lag in lags]) / len(lags)
