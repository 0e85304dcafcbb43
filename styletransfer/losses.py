"""Losses and statistics of feature maps: pure functions on tensors.

Style is compared by Gram matrices, content by the features themselves. Both are relative, so that
layers, pictures and styles weigh alike whatever the scale of their activations.
"""

from collections.abc import Mapping
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


def covariance(features: Tensor) -> Tensor:
    """Centred channel covariance of a feature map: the Gram matrix without the part of the mean.

    Args:    features: (B, C, H, W), any range.
    Returns: (B, C, C) float32 or float64, symmetric, positive semi-definite.
    """
    return _moments(_flatten(features))[1]


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


def style_bound(features: Tensor) -> Tensor:
    """What `style_loss` divides by: the squared norm of the centred covariance.

    Args:    features: (B, C, H, W) of the style picture.
    Returns: (B,), positive: a picture of one colour has no covariance, so a small part of the Gram
             matrix's own norm is the least it can be.
    """
    mean, own = _moments(_flatten(features))
    least = 1e-4 * (own + mean.mT @ mean).square().sum(dim=(1, 2))
    return torch.maximum(own.square().sum(dim=(1, 2)), least).clamp_min(TINY)


def total_variation(images: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels.

    Args:    images: (B, 3, H, W) in [0, 1], at least 2x2.
    Returns: (B,) one value a sample, 0 for one flat colour.
    """
    down = (images[:, :, 1:] - images[:, :, :-1]).square().mean(dim=(1, 2, 3))
    right = (images[:, :, :, 1:] - images[:, :, :, :-1]).square().mean(dim=(1, 2, 3))
    return down + right


def mean_style_loss(
    features: Mapping[str, Tensor], targets: Mapping[str, Tensor], bounds: Mapping[str, Tensor]
) -> Tensor:
    """`style_loss` averaged over the layers that `targets` names.

    Args:    features: layer -> (B, C, H, W); targets: layer -> (B, C, C); bounds: layer -> (B,).
    Returns: (B,).
    """
    per_layer = [style_loss(gram(features[name]), targets[name], bounds[name]) for name in targets]
    return torch.stack(per_layer).mean(dim=0)


class _Gram(torch.autograd.Function):
    """The Gram matrix of (B, N, C), with half the backward work of autograd's own: the matrix is symmetric.

    No second derivative.
    """

    @staticmethod
    def forward(ctx: Any, flat: Tensor) -> Tensor:
        ctx.save_for_backward(flat)
        mean, own = _moments(flat)
        return own + mean.mT @ mean  # (B, C, C)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (flat,) = ctx.saved_tensors
        symmetric = (gradient + gradient.mT) / flat.shape[1]
        return flat @ symmetric.to(flat.dtype)  # (B, N, C)


def _flatten(features: Tensor) -> Tensor:
    """(B, H*W, C) of (B, C, H, W); no copy where channels come last."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def _moments(flat: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (B, 1, C) and covariance (B, C, C) of (B, N, C), float32 or float64.

    Half precision is centred before it is multiplied: the mean is most of a Gram matrix, and beside it the
    rounding of a product would swallow the covariance. Centring by a rounded mean is mended afterwards.
    """
    count = flat.shape[1]
    ones = flat.new_ones(flat.shape[0], 1, count)
    rounded = ones @ flat / count  # (B, 1, C)
    centred = flat - rounded
    rest = _widen(ones @ centred) / count  # (B, 1, C), what the rounding left
    own = _widen(centred.mT @ centred) / count - rest.mT @ rest
    return _widen(rounded) + rest, own


def _widen(features: Tensor) -> Tensor:
    """Half-precision features are summed in float32: a sum of squares over a picture needs the digits."""
    return features if features.dtype == torch.float64 else features.float()
