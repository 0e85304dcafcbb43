"""Channel statistics, and conditional instance norm by them.

AdaIN is the same, with the std and mean of a style's features for gamma and beta.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

# Below a std of about 3e-3 a channel counts as flat; a smaller floor would blow the
# rounding noise of a grey picture up to full contrast.
EPSILON = 1e-5
LEAST_PLACES = 8  # of a map, from which on they have statistics of their own
STRIP = 2**11  # places of a map that are worked on at a time, where styles have regions: they stay in the cache


def channel_statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and std of every channel.

    Args:    features: (B, C, H, W), any range.
    Returns: mean (B, C, 1, 1) and std (B, C, 1, 1), float32 or float64; std is at least sqrt(EPSILON).
    """
    features = features.to(torch.promote_types(features.dtype, torch.float32))
    # In two passes, which is several times as fast as torch.var_mean over two dimensions, and as exact.
    mean = features.mean((2, 3), keepdim=True)
    variance = (features - mean).square().mean((2, 3), keepdim=True)
    return mean, (variance + EPSILON).sqrt()


def joint_statistics(parts: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and std of every channel over all samples, as if these were one picture.

    Args:    parts: (B, C, H, W), any range; no gradient is carried back to them;
             shares: (B,), how much each counts, summing to 1.
    Returns: mean and std, (1, C, 1, 1), as of `channel_statistics`.
    """
    # Batch norm of a batch of one computes both on the way, and is by far the fastest.
    wide = torch.promote_types(parts.dtype, torch.float32)
    ones = torch.ones(parts.shape[1], device=parts.device, dtype=wide)
    found = [
        torch.native_batch_norm(part, ones, ones, None, None, True, 0.0, EPSILON) for part in parts.split(1)
    ]
    means, scales = (torch.stack(values) for values in list(zip(*found, strict=True))[1:])  # (B, C)
    shares = shares.view(-1, 1).to(means)
    mean = (shares * means).sum(dim=0, keepdim=True)
    variance = (shares * (scales**-2 + (means - mean).square())).sum(dim=0, keepdim=True)
    return mean[..., None, None], variance.sqrt()[..., None, None]


def weighted_statistics(
    features: Tensor, weights: Tensor, of_samples: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and std of every channel, where places count by a map `weights` (B, 1, H, W), 0 or more.

    Returns: (B or 1, C, 1, 1); the rest as of `regional_statistics`.
    """
    mean, std = regional_statistics(features, weights, of_samples)
    return mean.mT[..., None], std.mT[..., None]


def regional_statistics(
    features: Tensor, weights: Tensor, of_samples: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and std of every channel within the region of each style.

    Args:    features: (B, C, H, W), any range; weights: (B, S, H, W), 0 or more;
             of_samples: (B,), how much each sample counts, if they are measured as one picture.
    Returns: mean and std, (B, S, C), or (1, S, C) of samples as one; float32 or float64; std is at least
             sqrt(EPSILON). For a style without a region they are those of the whole map, for one of fewer than
             LEAST_PLACES places they lean towards them.
    """
    if of_samples is not None:
        weights = weights * of_samples.to(weights).view(-1, 1, 1, 1)
        features, weights = (part.transpose(0, 1).flatten(1, 2)[None] for part in (features, weights))
    wide = torch.promote_types(features.dtype, torch.float32)
    shares = weights.to(wide)
    total = shares.sum(dim=(2, 3), keepdim=True)
    places = shares.shape[2] * shares.shape[3]
    shares = torch.where(total > EPSILON, shares / total.clamp_min(EPSILON), 1 / places)
    # A few places have hardly any variance, and what is beside them would be enlarged beyond all bounds.
    missing = LEAST_PLACES - 1 / shares.square().sum(dim=(2, 3), keepdim=True)
    shares = shares.lerp(torch.full_like(shares, 1 / places), (missing / (LEAST_PLACES - 1)).clamp(min=0))
    middle = features.mean((2, 3))[:, None].to(wide)  # (B, 1, C)
    mean, square = torch.zeros_like(middle), torch.zeros_like(middle)
    for rows in _strips(features):
        part = features[:, :, rows].flatten(2).mT.to(wide) - middle  # squares of values around 0 lose no digits
        share = shares[:, :, rows].flatten(2)  # (B, S, N)
        mean = mean + share @ part  # (B, S, C)
        square = square + share @ part.square()
    variance = (square - mean.square()).clamp_min(0)
    return mean + middle, (variance + EPSILON).sqrt()


def _strips(features: Tensor) -> Iterator[slice]:
    """The rows of a map in strips, so that none is copied as a whole; on a GPU in one, as memory is fast."""
    height, width = features.shape[2:]
    step = max(1, STRIP // width) if features.device.type == "cpu" else height
    return (slice(top, top + step) for top in range(0, height, step))


def conditional_instance_norm(features: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """Normalise every channel of every sample, then scale by gamma and shift by beta.

    Args:    features: (B, C, H, W) with H*W > 1; gamma, beta: (B, C, 1, 1).
    Returns: (B, C, H, W) in the dtype of `features`.
    Source:  Dumoulin, Shlens and Kudlur 2017 (arXiv 1610.07629), eq. 5.
    """
    # Batch norm of a batch of one is instance norm, in one pass that keeps channels last: on a CPU twice as
    # fast as instance norm followed by scale and shift.
    wide = torch.promote_types(features.dtype, torch.float32)
    gamma, beta = (value.flatten(1).to(wide).expand(len(features), -1) for value in (gamma, beta))  # (B, C)
    if features.is_cuda:  # a GPU wants the whole batch at once: as one picture of B * C channels
        as_one = features.contiguous().flatten(0, 1)[None]
        normed = F.batch_norm(as_one, None, None, gamma.flatten(), beta.flatten(), training=True, eps=EPSILON)
        return normed.view(features.shape)
    samples = zip(features.split(1), gamma, beta, strict=True)
    each = [F.batch_norm(x, None, None, g, b, training=True, eps=EPSILON) for x, g, b in samples]
    return each[0] if len(each) == 1 else torch.cat(each)


def known_instance_norm(features: Tensor, gamma: Tensor, beta: Tensor, known: tuple[Tensor, Tensor]) -> Tensor:
    """Conditional instance norm by known statistics.

    Args:    features: (B, C, H, W); gamma, beta: (B or 1, C, 1, 1);
             known: mean and std, (B or 1, C, 1, 1), as of `channel_statistics`, of the whole map that the
             features are a part of.
    Returns: (B, C, H, W) in the dtype of `features`.
    """
    wide = torch.promote_types(features.dtype, torch.float32)
    values = (value.flatten(1).to(wide).expand(len(features), -1) for value in (*known, gamma, beta))  # (B, C)
    # Batch norm computes in float32 whatever the features are in; scale and shift in 16 bits would be coarse.
    each = [
        F.batch_norm(part, mean, std.square(), g, b, training=False, eps=0.0)
        for part, mean, std, g, b in zip(features.split(1), *values, strict=True)
    ]
    return each[0] if len(each) == 1 else torch.cat(each)


def regional_instance_norm(
    features: Tensor,
    gamma: Tensor,
    beta: Tensor,
    weights: Tensor,
    known: tuple[Tensor, Tensor],
) -> Tensor:
    """Conditional instance norm with a blend of styles that changes over the picture.

    Each style normalises by the statistics of its region, and the results are blended by the weights of the
    pixel. With the same weights everywhere it is `conditional_instance_norm`. Normalising everything by the
    whole map, and blending gamma and beta alone, would bring the colours and contrasts of one region into
    another.

    Args:    features: (B, C, H, W); gamma, beta: (B, S, C), or (S, C) for all samples;
             weights: (B, S, H, W), 0 or more; where they sum to less than 1 over S, the result is as much less;
             known: `regional_statistics` of `features`, or of the map that they are a part of.
    Returns: (B, C, H, W) in the dtype of `features`.
    """
    mean, std = known
    scale = gamma / std  # (B, S, C)
    shift = beta - mean * scale
    result = torch.empty_like(features)
    for rows in _strips(features):
        part = features[:, :, rows]
        shares = weights[:, :, rows].flatten(2).mT.to(scale.dtype)  # (B, N, S)
        factors, summands = ((shares @ each).mT.unflatten(2, part.shape[2:]) for each in (scale, shift))
        result[:, :, rows] = torch.addcmul(summands, part.to(scale.dtype), factors)
    return result
