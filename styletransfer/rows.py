"""The styles of a picture, layer by layer: their gamma and beta, and the statistics that are normalised by."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from styletransfer.convolution import STRIDE, Conv3
from styletransfer.core import blend
from styletransfer.norm import (
    channel_statistics,
    conditional_instance_norm,
    joint_statistics,
    known_instance_norm,
    regional_instance_norm,
    regional_statistics,
    weighted_statistics,
)

LEAST_INNER = 20  # places at 1/8; a narrower part keeps its border, which may be the picture's own

# Mean and std of every normalisation, in order: (1, C, 1, 1) each, or (1, S, C) where weights are maps.
NormStatistics = list[tuple[Tensor, Tensor]]


class StyleRows:
    """Gives the network the blended gamma and beta of each normalisation, in the order in which it meets them.

    Args:  regions: as for `TransformerNetwork.forward`;
           known: statistics to normalise by instead of each sample's own, in the same order;
           shares: (B,), how much each sample counts in the statistics of the whole batch, which are then used
           and kept in `measured`.
    """

    def __init__(
        self,
        rows: Tensor,
        weights: Tensor,
        channels: tuple[int, ...],
        regions: Tensor | None,
        known: NormStatistics | None,
        shares: Tensor | None,
    ) -> None:
        self._weights = weights
        self._regions = weights if self.by_region and regions is None else regions
        # Maps in the few sizes in which they are asked for: what is painted, and where it is measured.
        self._pooled: dict[tuple[str, int, int], Tensor] = {}
        rows = rows if self.by_region else blend(rows, weights)
        self._per_layer = iter(rows.split(channels, dim=2))  # (S, 2, C) each, or (B, 2, C) where blended
        self._known = None if known is None else iter(known)
        self._shares = shares
        self._density = None if self._regions is None else self._regions.mean(dim=(0, 2, 3))
        self.measured: NormStatistics = []

    def convolve(self, convolution: Conv3, features: Tensor) -> Tensor:
        """A convolution and the normalisation of the next layer; with known statistics they are one."""
        if self._known is None or self.by_region or len(self._weights) > 1:
            return self.norm(convolution(features))
        gamma, beta, mean, std = (value.flatten() for value in (*self.next(), *next(self._known)))
        scale = gamma / std
        return convolution(features, scale, beta - mean * scale)

    @property
    def by_region(self) -> bool:
        """Whether the weights are maps."""
        return self._weights.ndim == 4

    def norm(self, features: Tensor) -> Tensor:
        """Conditional instance norm of the next layer."""
        return self.normalise(features, *self.next())

    def normalise(self, features: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """Conditional instance norm with the given gamma and beta, as of `next`."""
        if self.by_region:
            weights = self._at("painted", self._weights, features)
            return regional_instance_norm(features, gamma, beta, weights, self.statistics(features))
        if self._known is None and self._shares is None and self._regions is None:
            return conditional_instance_norm(features, gamma, beta)
        return known_instance_norm(features, gamma, beta, self.statistics(features))

    def statistics(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and std of a feature map: its own, known, or measured on the batch.

        (B or 1, C, 1, 1), or (B or 1, S, C) where weights are maps.
        """
        if self._known is not None:
            return next(self._known)
        if self._regions is not None:
            regions = self._at("measured", self._regions, features)
            find = regional_statistics if self.by_region else weighted_statistics
            found = find(features, regions, self._shares)
        elif self._shares is None:
            found = channel_statistics(features)
        else:
            found = joint_statistics(features, self._shares)
        if self._shares is not None:
            self.measured.append(found)
        return found

    def inner(self, features: Tensor) -> Tensor:
        """A map at 1/8 without its outermost places, while parts of a picture are measured.

        Those places have seen the mirrored border of the part, where the picture goes on.
        """
        if self._shares is None or len(self._shares) == 1:
            return features
        top, left = (int(side > LEAST_INNER) for side in features.shape[-2:])
        size = features.shape[-2] - 2 * top, features.shape[-1] - 2 * left
        if self._regions is not None and self._density is not None:
            pixels = (STRIDE * size[0], STRIDE * size[1])
            regions = middle(self._regions, pixels)
            if (regions.mean(dim=(0, 2, 3)) < self._density / 2).any():  # one that lies at the border
                return features
            self._regions = regions
            if self.by_region:
                self._weights = middle(self._weights, pixels)
            self._pooled.clear()
        return middle(features, size)

    def next(self) -> tuple[Tensor, Tensor]:
        """Gamma and beta of the next layer: blended, (B, C, 1, 1), or (S, C) where weights are maps."""
        layer = next(self._per_layer)
        gamma, beta = layer[:, 0], layer[:, 1]
        return (gamma, beta) if self.by_region else (gamma[:, :, None, None], beta[:, :, None, None])

    def add_photo_statistics(
        self, gamma: Tensor, beta: Tensor, mean: Tensor, std: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Gamma and beta with the photo's std and mean, as of `statistics`, added to the identity's share."""
        if not self.by_region:
            share = self._weights[:, :1, None, None]
            return gamma + share * std, beta + share * mean
        is_identity = torch.zeros_like(mean)
        is_identity[:, 0] = 1
        return gamma + is_identity * std, beta + is_identity * mean

    def _at(self, kind: str, maps: Tensor, features: Tensor) -> Tensor:
        """The maps of a kind in the size of the features."""
        height, width = features.shape[-2:]
        if (kind, height, width) not in self._pooled:
            self._pooled[kind, height, width] = F.adaptive_avg_pool2d(maps, (height, width))
        return self._pooled[kind, height, width]


def with_identity(weights: Tensor, strength: Tensor) -> Tensor:
    """Weights of the identity and the styles together: (B, 1 + S) or, of maps, (B, 1 + S, H, W).

    Args:  as for `TransformerNetwork.forward`.
    """
    strength = strength[:, None]  # (B, 1) or (B, 1, H, W)
    return torch.cat((1 - strength, strength * weights), dim=1)


def middle(image: Tensor, size: Sequence[int]) -> Tensor:
    """The middle (..., *size) of a picture or map, a view; itself where it is of that size."""
    top, left = (image.shape[-2] - size[0]) // 2, (image.shape[-1] - size[1]) // 2
    return image[..., top : top + size[0], left : left + size[1]]
