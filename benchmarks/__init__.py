"""Measurements behind docs/benchmarks.md: run from the root of a checkout, one module a question."""

from collections.abc import Sequence

import torch
from torch import Tensor

from styletransfer.losses import content_loss
from styletransfer.targets import StyleTarget
from styletransfer.vgg import CONTENT_LAYER, STYLE_LAYERS, VGG19

STYLE_WEIGHT = 3.0  # of J, which is content + STYLE_WEIGHT * style
Layers = Sequence[tuple[str, Sequence[str]]]  # one of content and those of style, for every J


class Objective:
    """J of pictures made of one photo (1, 3, H, W), with one or several choices of layers."""

    def __init__(self, vgg: VGG19, photo: Tensor, layers: Layers = ((CONTENT_LAYER, STYLE_LAYERS),)) -> None:
        self.vgg, self.layers = vgg, layers
        with torch.no_grad():
            self.own = vgg(photo.to(vgg.mean.device), [content for content, _ in layers])

    def __call__(self, picture: Tensor, target: StyleTarget) -> list[tuple[Tensor, Tensor, Tensor]]:
        """J, content and style against a target, by the layers."""
        wanted = {layer for content, styles in self.layers for layer in (content, *styles)}
        features = self.vgg(picture.to(self.vgg.mean.device), wanted)
        found = []
        for layer, layers in self.layers:
            content = content_loss(features[layer], self.own[layer]).sum()
            style = target.at(layers).loss(features).sum()
            found.append((content + STYLE_WEIGHT * style, content, style))
        return found
