"""What optimisation lowers: content and style of a picture's VGG features, and the gradient of its pixels.

Memory is bounded: a large picture is worked on in tiles. Style statistics are means over the picture: they
are summed over the tiles first, and the gradient with respect to them is then carried back tile by tile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from styletransfer.losses import TINY, content_loss, gram, style_loss, wasserstein_loss
from styletransfer.methods.tiles import Tile, tiles
from styletransfer.settings import Optimization
from styletransfer.targets import StyleTarget
from styletransfer.vgg import VGG19, stride

ALIGNMENT = 16  # pixels; tiles are cut at multiples of it, where all layers of VGG to relu5_1 can be cut
MARGIN = 64  # pixels around a tile that its features see but that are not counted as its own


@dataclass(frozen=True)
class Losses:
    """Of a picture: `objective` = content_weight * content + style; `style` is weighted."""

    objective: float
    content: float
    style: float


@dataclass(frozen=True)
class Goal:
    """A style, wanted with some `weight` beside the content, everywhere or where `mask` (1, 1, H, W) is."""

    target: StyleTarget
    weight: float
    mask: Tensor | None = None


@dataclass(frozen=True)
class _Moments:
    """Channel means (1, C) and Gram matrix (1, C, C) of features, and over how many places they are taken."""

    mean: Tensor
    gram: Tensor
    area: float

    def joined(self, other: "_Moments") -> "_Moments":
        """Of both parts together."""
        area = max(self.area + other.area, TINY)
        mine, theirs = self.area / area, other.area / area
        return _Moments(mine * self.mean + theirs * other.mean, mine * self.gram + theirs * other.gram, area)


class Objective:
    """The objective of one photo at one size.

    Source:  Gatys et al. 2016; with masks Gatys et al. 2017 (arXiv 1611.07865), "guided" Gram matrices.
    Differs: a guided Gram matrix is divided by the area of its mask, so that a small region asks for the same
             style as a large one.

    Args:  photo: (1, 3, H, W) in [0, 1]; goals: one style, or one a region; settings: layers and the rest;
           tile_side: pixels; larger pictures are worked on in tiles, which with their margins have that side.
    """

    def __init__(
        self,
        vgg: VGG19,
        photo: Tensor,
        goals: Sequence[Goal],
        settings: Optimization,
        tile_side: int,
    ) -> None:
        self.vgg, self.photo, self.goals = vgg, photo, goals
        self.settings, self.tile_side = settings, tile_side
        self.layers = list(goals[0].target.grams)
        self._content: Tensor | None = None

    def gradient(self, image: Tensor) -> tuple[Tensor, Losses]:
        """Gradient of the objective with respect to `image` (1, 3, H, W), and the losses."""
        planned = list(tiles(image.shape[2], image.shape[3], self.tile_side, MARGIN, ALIGNMENT))
        return self._whole(image) if len(planned) == 1 else self._tiled(image, planned)

    def _whole(self, image: Tensor) -> tuple[Tensor, Losses]:
        layer = self.settings.content_layer
        if self._content is None:
            with torch.no_grad():
                self._content = self.vgg(self.photo, [layer])[layer]
        pixels = image.detach().requires_grad_()
        features = self.vgg(pixels, [layer, *self.layers])
        content = content_loss(features[layer], self._content).sum()
        style = self._style([self._statistics(features, goal.mask) for goal in self.goals])
        total = self.settings.content_weight * content + style
        (gradient,) = torch.autograd.grad(total, pixels)
        return gradient, Losses(total.item(), content.item(), style.item())

    def _tiled(self, image: Tensor, planned: list[Tile]) -> tuple[Tensor, Losses]:
        layer = self.settings.content_layer
        wholes, content_norm = self._measure(image, planned)
        style = self._style(wholes)
        leaves = [
            part for whole in wholes for moments in whole.values() for part in (moments.mean, moments.gram)
        ]
        slopes = torch.autograd.grad(style, leaves, allow_unused=True)
        gradient = torch.zeros_like(image)
        content = 0.0
        for tile in planned:
            pixels = tile.outer.cut(image).detach().requires_grad_()
            features = self.vgg(pixels, [layer, *self.layers])
            with torch.no_grad():
                photo = tile.own(self.vgg(tile.outer.cut(self.photo), [layer])[layer], stride(layer))
            difference = tile.own(features[layer], stride(layer)) - photo
            tile_content = difference.float().square().sum() / content_norm
            loss = self.settings.content_weight * tile_content
            left = iter(slopes)
            for goal, whole in zip(self.goals, wholes, strict=True):
                for name, moments in self._statistics(features, goal.mask, tile).items():
                    for part in (moments.mean, moments.gram):
                        slope = next(left)
                        if slope is not None:
                            loss = loss + moments.area / whole[name].area * (part * slope).sum()
            tile.outer.cut(gradient).add_(torch.autograd.grad(loss, pixels)[0])
            content += tile_content.item()
        total = self.settings.content_weight * content + style.item()
        return gradient, Losses(total, content, style.item())

    def _measure(self, image: Tensor, planned: list[Tile]) -> tuple[list[dict[str, _Moments]], Tensor]:
        """Moments of the whole picture for every goal, ready for a gradient; squared norm of the content."""
        wholes: list[dict[str, _Moments]] = [{} for _ in self.goals]
        layer = self.settings.content_layer
        content_norm = torch.zeros((), device=image.device)
        with torch.no_grad():
            for tile in planned:
                features = self.vgg(tile.outer.cut(image), self.layers)
                for goal, whole in zip(self.goals, wholes, strict=True):
                    for name, moments in self._statistics(features, goal.mask, tile).items():
                        whole[name] = moments.joined(whole[name]) if name in whole else moments
                photo = tile.own(self.vgg(tile.outer.cut(self.photo), [layer])[layer], stride(layer))
                content_norm += photo.float().square().sum()
        for whole in wholes:
            for moments in whole.values():
                moments.mean.requires_grad_()
                moments.gram.requires_grad_()
        return wholes, content_norm

    def _statistics(
        self, features: Mapping[str, Tensor], mask: Tensor | None, tile: Tile | None = None
    ) -> dict[str, _Moments]:
        """Moments of the style layers where the mask is, of a whole picture or of what is a tile's own."""
        found = {}
        for name in self.layers:
            own, weights = features[name], None
            if mask is not None:
                part = tile.outer.cut(mask) if tile else mask
                weights = F.avg_pool2d(part, stride(name))
            if tile:
                apart = stride(name)
                own, weights = tile.own(own, apart), None if weights is None else tile.own(weights, apart)
            found[name] = _moments(own, weights)
        return found

    def _style(self, wholes: Sequence[Mapping[str, _Moments]]) -> Tensor:
        """Sum over the goals of weight * mean style loss of the layers."""
        total = []
        for goal, whole in zip(self.goals, wholes, strict=True):
            target = goal.target
            for name, found in whole.items():
                if self.settings.statistic == "wasserstein":
                    loss = wasserstein_loss(found.mean, found.gram, target.means[name], target.grams[name])
                else:
                    loss = style_loss(found.gram, target.grams[name], target.bounds[name])
                total.append(self.settings.style_weight * goal.weight / len(whole) * loss)
        return torch.stack(total).sum()


def _moments(features: Tensor, weights: Tensor | None) -> _Moments:
    if weights is None:
        area = float(features.shape[2] * features.shape[3])
        return _Moments(features.float().mean(dim=(2, 3)), gram(features), area)
    area = weights.sum().item()
    even = weights * (features.shape[2] * features.shape[3] / max(area, TINY))  # of mean 1
    mean = (features.float() * even).mean(dim=(2, 3))
    return _Moments(mean, gram(features * even.sqrt().to(features.dtype)), area)
