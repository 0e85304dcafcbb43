"""The objective that is optimised, of a picture's VGG features, and its gradient with respect to the pixels.

A large picture is worked on in tiles, and only the photo's content features are kept for all of them. Style
statistics are means over the picture: they are summed over the tiles first, and the gradient with respect to
them is then carried back tile by tile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from styletransfer.losses import TINY, Gaussian, gaussian_of, gram, style_loss, wasserstein_loss
from styletransfer.methods.tiles import Tile, tiles
from styletransfer.settings import Optimization
from styletransfer.targets import StyleTarget
from styletransfer.vgg import VGG19, stride

ALIGNMENT = 16  # pixels; tiles are cut at multiples of it, where all layers of VGG to relu5_1 can be cut
MARGIN = 64  # pixels around a tile that its features depend on but that count for the neighbours


@dataclass(frozen=True)
class Losses:
    """Of a picture: `objective` = content_weight * content + style, to which variation is added where that is
    minimised as well; `style` is weighted.
    """

    objective: float
    content: float
    style: float


@dataclass(frozen=True)
class Goal:
    """A style, its `weight` beside the content, and its region: a `mask` (1, 1, H, W), or everywhere."""

    target: StyleTarget
    weight: float
    mask: Tensor | None = None


@dataclass(frozen=True)
class _Summary:
    """Channel means (1, C) and Gram matrix (1, C, C) of features, and over how many places they are taken."""

    mean: Tensor
    gram: Tensor
    area: float

    def joined(self, other: "_Summary") -> "_Summary":
        """Of both parts together."""
        area = max(self.area + other.area, TINY)
        mine, theirs = self.area / area, other.area / area
        return _Summary(mine * self.mean + theirs * other.mean, mine * self.gram + theirs * other.gram, area)


class Objective:
    """The objective of one photo at one size.

    Source:  Gatys et al. 2016; with masks Gatys et al. 2017 (arXiv 1611.07865), "guided" Gram matrices.
    Differs: a guided Gram matrix is divided by the area of its mask, so that a small region asks for the same
             style as a large one.

    Args:  photo: (1, 3, H, W) in [0, 1]; goals: one style, or one a region; settings: layers and the rest;
           tile_side: pixels; larger pictures are worked on in tiles, which with their margins have that side;
           seen: (1, 1, H, W), how much each pixel counts in the content; all the same by default.
    """

    def __init__(
        self,
        vgg: VGG19,
        photo: Tensor,
        goals: Sequence[Goal],
        settings: Optimization,
        tile_side: int,
        seen: Tensor | None = None,
    ) -> None:
        self.vgg, self.goals, self.settings, self.seen = vgg, goals, settings, seen
        self.layers = list(goals[0].target.grams)
        self.tiles = list(tiles(photo.shape[2], photo.shape[3], tile_side, MARGIN, ALIGNMENT))
        layer = settings.content_layer
        self._gaussians: list[dict[str, Gaussian]] = [{} for _ in goals]
        if settings.statistic == "wasserstein":
            self._gaussians = [
                {name: gaussian_of(goal.target.means[name], goal.target.grams[name]) for name in self.layers}
                for goal in goals
            ]
        with torch.no_grad():
            # Copied: a view would keep the features of the tile's margin as well.
            self._content = [
                tile.own(vgg(tile.outer.cut(photo), [layer])[layer], stride(layer)).clone()
                for tile in self.tiles
            ]
            self._counts = [_at(seen, tile, stride(layer)) for tile in self.tiles]
            self._content_norm = torch.zeros((), device=photo.device)
            for part, counts in zip(self._content, self._counts, strict=True):
                self._content_norm += _sum_of_squares(part, counts)
            self._content_norm.clamp_min_(TINY)

    def gradient(self, image: Tensor) -> tuple[Tensor, Losses]:
        """Gradient of the objective with respect to `image` (1, 3, H, W), and the losses."""
        return self._whole(image) if len(self.tiles) == 1 else self._tiled(image)

    def _whole(self, image: Tensor) -> tuple[Tensor, Losses]:
        layer = self.settings.content_layer
        pixels = image.detach().requires_grad_()
        features = self.vgg(pixels, [layer, *self.layers])
        content = self._content_loss(features[layer], 0)
        style = self._style([self._statistics(features, goal.mask, self.tiles[0]) for goal in self.goals])
        total = self.settings.content_weight * content + style
        (gradient,) = torch.autograd.grad(total, pixels)
        return gradient, Losses(total.item(), content.item(), style.item())

    def _tiled(self, image: Tensor) -> tuple[Tensor, Losses]:
        layer = self.settings.content_layer
        wholes = self._measure(image)
        style = self._style(wholes)
        leaves = [part for whole in wholes for found in whole.values() for part in (found.mean, found.gram)]
        slopes = torch.autograd.grad(style, leaves, allow_unused=True)
        gradient = torch.zeros_like(image)
        content = 0.0
        for index, tile in enumerate(self.tiles):
            pixels = tile.outer.cut(image).detach().requires_grad_()
            features = self.vgg(pixels, [layer, *self.layers])
            tile_content = self._content_loss(features[layer], index)
            loss = self.settings.content_weight * tile_content
            left = iter(slopes)
            for goal, whole in zip(self.goals, wholes, strict=True):
                for name, found in self._statistics(features, goal.mask, tile).items():
                    for part in (found.mean, found.gram):
                        slope = next(left)
                        if slope is not None:
                            loss = loss + found.area / whole[name].area * (part * slope).sum()
            tile.outer.cut(gradient).add_(torch.autograd.grad(loss, pixels)[0])
            content += tile_content.item()
        total = self.settings.content_weight * content + style.item()
        return gradient, Losses(total, content, style.item())

    def _content_loss(self, features: Tensor, index: int) -> Tensor:
        """What a tile, of which these are the features, adds to the content loss."""
        difference = self.tiles[index].own(features, stride(self.settings.content_layer)) - self._content[index]
        return _sum_of_squares(difference, self._counts[index]) / self._content_norm

    @torch.no_grad()
    def _measure(self, image: Tensor) -> list[dict[str, _Summary]]:
        """Summaries of the whole picture, one a goal and layer, ready for a gradient."""
        wholes: list[dict[str, _Summary]] = [{} for _ in self.goals]
        for tile in self.tiles:
            features = self.vgg(tile.outer.cut(image), self.layers)
            for goal, whole in zip(self.goals, wholes, strict=True):
                for name, found in self._statistics(features, goal.mask, tile).items():
                    whole[name] = found.joined(whole[name]) if name in whole else found
        for whole in wholes:
            for found in whole.values():
                found.mean.requires_grad_()
                found.gram.requires_grad_()
        return wholes

    def _statistics(
        self, features: Mapping[str, Tensor], mask: Tensor | None, tile: Tile
    ) -> dict[str, _Summary]:
        """Summaries of the style layers where the mask is, of the inner part of a tile."""
        found = {}
        for name in self.layers:
            apart = stride(name)
            found[name] = _summary(tile.own(features[name], apart), _at(mask, tile, apart))
        return found

    def _style(self, wholes: Sequence[Mapping[str, _Summary]]) -> Tensor:
        """Sum over the goals of weight * mean style loss of the layers."""
        total = []
        for goal, gaussians, whole in zip(self.goals, self._gaussians, wholes, strict=True):
            target = goal.target
            for name, found in whole.items():
                if self.settings.statistic == "wasserstein":
                    loss = wasserstein_loss(found.mean, found.gram, gaussians[name])
                else:
                    loss = style_loss(found.gram, target.grams[name], target.bounds[name])
                total.append(self.settings.style_weight * goal.weight / len(whole) * loss)
        return torch.stack(total).sum()


def _at(mask: Tensor | None, tile: Tile, apart: int) -> Tensor | None:
    """The inner part of a tile of a mask, in the size of a layer whose places are so many pixels apart."""
    return None if mask is None else tile.own(F.avg_pool2d(tile.outer.cut(mask), apart), apart)


def _sum_of_squares(features: Tensor, counts: Tensor | None) -> Tensor:
    squares = features.float().square()
    return squares.sum() if counts is None else (squares * counts).sum()


def _summary(features: Tensor, weights: Tensor | None) -> _Summary:
    if features.numel() == 0:  # of a last tile that is narrower than the stride of the layer
        width = features.shape[1]
        return _Summary(features.new_zeros(1, width).float(), features.new_zeros(1, width, width).float(), 0.0)
    if weights is None:
        area = float(features.shape[2] * features.shape[3])
        return _Summary(features.float().mean(dim=(2, 3)), gram(features), area)
    area = weights.sum().item()
    even = weights * (features.shape[2] * features.shape[3] / max(area, TINY))  # of mean 1
    mean = (features.float() * even).mean(dim=(2, 3))
    return _Summary(mean, gram(features * even.sqrt().to(features.dtype)), area)
