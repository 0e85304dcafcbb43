"""How much a picture repeats itself, and the loss of a painting that does so more than it may."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from styletransfer.losses import TINY

# A motif must not be painted on a lattice: pictures are compared with themselves, moved by 8, 16 and 24 pixels,
# as the network paints in blocks of eight. In places of a layer at 1/4.
REPETITION_LAYER = "relu3_1"
LAGS = (
    *((0, 2), (2, 0), (2, 2), (2, -2), (0, 4), (4, 0), (4, 4), (4, -4)),
    *((2, 4), (2, -4), (4, 2), (4, -2), (0, 6), (6, 0)),
)

TINY_VARIANCE = 1e-6  # of a channel that is flat


def autocorrelation(features: Tensor, lags: Sequence[tuple[int, int]]) -> Tensor:
    """How much a feature map resembles itself, shifted by some places.

    Args:    features: (B, C, H, W), any range; lags: rows (0 or more) and columns to shift by.
    Returns: (B, C, len(lags)) float32 or float64, about -1 to 1: the correlation of each channel with itself;
             0 for a lag beyond the map.
    """
    return _Autocorrelation.apply(features, lags)[0]


def repetition_loss(features: Tensor, allowed: Tensor, lags: Sequence[tuple[int, int]]) -> Tensor:
    """How much more a feature map repeats itself at some lags than it may.

    Gram matrices say nothing about places: a motif on a lattice has the same matrix as one scattered about.

    Args:    features: (B, C, H, W); allowed: (B, C, len(lags)), the `autocorrelation` that it may have;
             lags: as for `autocorrelation`.
    Returns: (B,) squared excess, summed over the lags, channels weighted by their variance; 0 for none.
    Source:  Berger and Memisevic 2017 (arXiv 1606.01286), who compare shifted features with those of the style.
    Differs: each channel is compared with itself alone, and only the excess counts.
    """
    own, variance = _Autocorrelation.apply(features, lags)
    excess = (own - allowed).relu()  # (B, C, L)
    weights = variance / variance.sum(dim=1, keepdim=True).clamp_min(TINY)
    return (weights[:, :, None] * excess.square()).sum(dim=(1, 2))


class _Autocorrelation(torch.autograd.Function):
    """`autocorrelation`, and the variance (B, C) of every channel, which has no gradient.

    Products are taken in the features' own dtype and summed in a wider one. In float32, with autograd's own
    backward pass, it was the most expensive part of a training step. No second derivative.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, lags: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        wide = torch.promote_types(features.dtype, torch.float32)
        centred = features - features.mean(dim=(2, 3), keepdim=True, dtype=wide).to(features.dtype)
        variance = centred.square().mean(dim=(2, 3), dtype=wide) + TINY_VARIANCE
        products = [
            (ahead * behind).mean(dim=(2, 3), dtype=wide) if ahead.numel() else torch.zeros_like(variance)
            for ahead, behind in (_shifted(centred, lag) for lag in lags)
        ]
        correlations = torch.stack(products, dim=2) / variance[:, :, None]
        ctx.save_for_backward(centred, variance, correlations)
        ctx.lags = lags
        ctx.mark_non_differentiable(variance)
        return correlations, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, None]:
        centred, variance, correlations = ctx.saved_tensors
        factors = (gradient / variance[:, :, None])[..., None, None]  # (B, C, L, 1, 1)
        through_variance = (factors[..., 0, 0] * correlations).sum(dim=2) * (-2 / centred[0, 0].numel())
        found = centred * through_variance[:, :, None, None].to(centred.dtype)
        for index, lag in enumerate(ctx.lags):
            ahead, behind = _shifted(centred, lag)
            if ahead.numel():
                factor = (factors[:, :, index] / ahead[0, 0].numel()).to(centred.dtype)
                for part, other in zip(_shifted(found, lag), (behind, ahead), strict=True):
                    part.addcmul_(other, factor)
        return found - found.mean(dim=(2, 3), keepdim=True), None


def _shifted(features: Tensor, lag: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Two views of a map, shifted by `lag` against each other; empty where it leads beyond the map."""
    down, right = lag
    height, width = features.shape[-2:]
    ahead = features[:, :, down:, max(right, 0) : max(width + min(right, 0), 0)]
    behind = features[:, :, : max(height - down, 0), max(-right, 0) : max(width - max(right, 0), 0)]
    return ahead, behind
