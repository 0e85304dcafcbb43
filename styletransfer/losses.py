"""Losses and statistics of feature maps: pure functions on tensors.

Style is compared by Gram matrices, content by the features themselves. Both are relative, so that
layers, pictures and styles weigh the same at any scale of their activations.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

TINY = 1e-30  # keeps the ratio of an all-black picture finite


def gram(features: Tensor) -> Tensor:
    """Channel correlations of a feature map.

    Args:    features: (B, C, H, W), any range.
    Returns: (B, C, C) float32 or float64, symmetric.
    Source:  Gatys, Ecker and Bethge 2016, eq. 3.
    Differs: divided by H*W, so that targets from pictures of different size compare.
    """
    return _Gram.apply(_flatten(features))


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """Squared distance of two feature maps relative to the target's squared norm.

    Args:    features, target: (B, C, H, W), any range.
    Returns: (B,) one value a sample: 0 for equal maps, 1 for an output without features.
    Source:  Johnson, Alahi and Fei-Fei 2016, eq. 2.
    Differs: relative to the target, so that the value does not depend on the layer's scale.
    """
    distance = _widen(features - target).square().sum(dim=(1, 2, 3))
    return distance / _widen(target).square().sum(dim=(1, 2, 3)).clamp_min(TINY)


def style_loss(output_gram: Tensor, target_gram: Tensor, bound: Tensor) -> Tensor:
    """Squared distance of two Gram matrices relative to the style's own bound.

    Args:    output_gram, target_gram: (B, C, C); bound: (B,), `style_bound` of the target's features.
    Returns: (B,) one value a sample, 0 for equal matrices.
    Source:  Gatys et al. 2016, eq. 4; a bound per style after Cheng et al. 2021 (arXiv 2104.10064).
    Differs: the bound is the squared norm of the centred covariance. Most of a Gram matrix is its
             mean (3 to 28 times its covariance), and dividing by that yields recoloured photos.
    """
    distance = (output_gram - target_gram).square().sum(dim=(1, 2))
    return distance / bound


@dataclass(frozen=True)
class Gaussian:
    """What `wasserstein_loss` needs of a target, to be computed once and not at every step.

    `mean` (B, C), `root` (B, C, C) of the covariance, whose `trace` is (B,), and the divisor `scale` (B,).
    """

    mean: Tensor
    root: Tensor
    trace: Tensor
    scale: Tensor


def gaussian_of(mean: Tensor, matrix: Tensor) -> Gaussian:
    """The Gaussian with the moments of a feature map: mean (B, C) and Gram matrix (B, C, C)."""
    if mean.device.type == "mps":  # where PyTorch has no eigenvalues
        mean, matrix = mean.cpu(), matrix.cpu()
    covariance = _covariance(mean, matrix)
    values, vectors = torch.linalg.eigh(covariance)
    values = values.clamp_min(0)
    root = (vectors * values.sqrt()[:, None]) @ vectors.mT  # (B, C, C)
    scale = torch.maximum(_trace(covariance), 1e-2 * _trace(matrix)).clamp_min(TINY)
    return Gaussian(mean, root, values.sum(dim=1), scale)


def wasserstein_loss(mean: Tensor, matrix: Tensor, target: Gaussian) -> Tensor:
    """Squared 2-Wasserstein distance of two Gaussians with the moments of feature maps.

    Args:    mean: (B, C); matrix: (B, C, C), the Gram matrix.
    Returns: (B,) one value a sample, relative to the trace of the target's covariance, or to a small part of
             its Gram matrix's where it has hardly any covariance; 0 for equal moments.
    Source:  Olkin and Pukelsheim 1982: |m - t|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2), A and B the covariances.
    """
    device = mean.device
    mean, matrix = mean.to(target.mean.device), matrix.to(target.mean.device)
    own = _covariance(mean, matrix)
    between = torch.linalg.eigvalsh(target.root @ own @ target.root)
    least = 1e-3 * target.scale[:, None] / between.shape[1]  # the gradient of a square root is infinite at 0
    overlap = ((between.clamp_min(0) + least.square()).sqrt() - least).sum(dim=1)
    traces = _trace(own) + target.trace
    return (((mean - target.mean).square().sum(dim=1) + traces - 2 * overlap) / target.scale).to(device)


def _covariance(mean: Tensor, matrix: Tensor) -> Tensor:
    """(B, C, C), of the mean (B, C) and the Gram matrix."""
    return matrix - mean[:, :, None] * mean[:, None]


def _trace(matrices: Tensor) -> Tensor:
    """(B,) of (B, C, C)."""
    return matrices.diagonal(dim1=1, dim2=2).sum(dim=1)


def style_bound(features: Tensor) -> Tensor:
    """The divisor of `style_loss`: the squared norm of the centred covariance.

    Args:    features: (B, C, H, W) of the style picture.
    Returns: (B,), positive: a picture of one colour has no covariance, so it is never below a small part of
             the Gram matrix's own norm.
    """
    mean, own = _mean_and_covariance(_flatten(features))
    least = 1e-4 * (own + mean.mT @ mean).square().sum(dim=(1, 2))
    return torch.maximum(own.square().sum(dim=(1, 2)), least).clamp_min(TINY)


def total_variation(images: Tensor, counts: Tensor | None = None) -> Tensor:
    """Mean squared difference of neighbouring pixels.

    Args:    images: (B, 3, H, W) in [0, 1], at least 2x2; counts: (B, 1, H, W), 0 or more, how much each pixel
             counts, of two the lesser number; all the same by default.
    Returns: (B,) one value a sample, 0 for one flat colour.
    """
    found = []
    for axis in (2, 3):
        squares = images.diff(dim=axis).square()
        if counts is None:
            found.append(squares.mean(dim=(1, 2, 3)))
        else:
            places = counts.shape[axis] - 1
            both = counts.narrow(axis, 0, places).minimum(counts.narrow(axis, 1, places))
            found.append((squares.mean(1, True) * both).sum((1, 2, 3)) / both.sum((1, 2, 3)).clamp_min(TINY))
    down, right = found
    return down + right


class _Gram(torch.autograd.Function):
    """The Gram matrix of (B, N, C). Being symmetric, it needs half the backward work of autograd's own.

    No second derivative.
    """

    @staticmethod
    def forward(ctx: Any, flat: Tensor) -> Tensor:
        ctx.save_for_backward(flat)
        mean, own = _mean_and_covariance(flat)
        return own + mean.mT @ mean  # (B, C, C)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (flat,) = ctx.saved_tensors
        symmetric = (gradient + gradient.mT) / flat.shape[1]
        return flat @ symmetric.to(flat.dtype)  # (B, N, C)


def _flatten(features: Tensor) -> Tensor:
    """(B, H*W, C) of (B, C, H, W); no copy where channels come last."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def _mean_and_covariance(flat: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (B, 1, C) and covariance (B, C, C) of (B, N, C), float32 or float64.

    Half precision is centred before it is multiplied: the mean is most of a Gram matrix, and the rounding of
    the product would swallow the covariance. The rest that a rounded mean leaves is corrected afterwards.
    """
    count = flat.shape[1]
    ones = flat.new_ones(flat.shape[0], 1, count)
    rounded = ones @ flat / count  # (B, 1, C)
    centred = flat - rounded
    rest = _widen(ones @ centred) / count  # (B, 1, C), what the rounding left
    own = _widen(centred.mT @ centred) / count - rest.mT @ rest
    return _widen(rounded) + rest, own


def _widen(features: Tensor) -> Tensor:
    """Features in float32 or float64: half precision lacks the digits for sums of squares over a picture."""
    return features.to(torch.promote_types(features.dtype, torch.float32))
