"""What a painting asks for: its Gram matrices, their bounds, and the statistics it is known by."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from styletransfer.core import Style, StyleInfo
from styletransfer.losses import gram, mean_style_loss, style_bound
from styletransfer.norm import channel_statistics
from styletransfer.vgg import STYLE_LAYERS, VGG19, stride


@dataclass(frozen=True)
class StyleTarget:
    """Style statistics of one picture, or of a batch of them: layer -> value.

    `grams` (B, C, C), `bounds` (B,), `means` and `stds` (B, C), float32, on VGG features.
    """

    grams: dict[str, Tensor]
    bounds: dict[str, Tensor]
    means: dict[str, Tensor]
    stds: dict[str, Tensor]

    def loss(self, features: dict[str, Tensor]) -> Tensor:
        """(B,) mean style loss of a batch of features against this batch of targets."""
        return mean_style_loss(features, self.grams, self.bounds)

    def to(self, device: torch.device) -> "StyleTarget":
        """The same on another device."""
        parts = (self.grams, self.bounds, self.means, self.stds)
        return StyleTarget(*({name: value.to(device) for name, value in part.items()} for part in parts))

    def mixed(self, other: "StyleTarget", share: float) -> "StyleTarget":
        """The convex mix with another target, `share` in [0, 1] of which is the other."""

        def mix(part: str) -> dict[str, Tensor]:
            own, others = getattr(self, part), getattr(other, part)
            return {layer: torch.lerp(own[layer], others[layer], share) for layer in own}

        return StyleTarget(mix("grams"), mix("bounds"), mix("means"), mix("stds"))

    def at(self, layers: Sequence[str]) -> "StyleTarget":
        """The same at some layers only."""
        parts = (self.grams, self.bounds, self.means, self.stds)
        return StyleTarget(*({layer: part[layer] for layer in layers} for part in parts))

    @staticmethod
    def of(style: Style, layers: Sequence[str] = STYLE_LAYERS) -> "StyleTarget":
        """A batch of one out of a style."""
        parts = (style.grams, style.bounds, style.means, style.stds)
        return StyleTarget(*({layer: part[layer][None] for layer in layers} for part in parts))

    def style(self, info: StyleInfo, row: Tensor, preview: bytes = b"") -> Style:
        """The first one of the batch as a style."""
        parts = (self.grams, self.bounds, self.means, self.stds)
        grams, bounds, means, stds = ({layer: value[0] for layer, value in part.items()} for part in parts)
        return Style(info, row, grams, bounds, means, stds, preview)


def style_target(
    vgg: VGG19, image: Tensor, layers: Sequence[str] = STYLE_LAYERS, mask: Tensor | None = None
) -> StyleTarget:
    """Statistics of a style picture (1, 3, H, W) in [0, 1], at the size it comes in; on the CPU.

    With a `mask` (1, 1, H, W) in [0, 1] only of the places where it is more than half.
    """
    with torch.no_grad():
        found = vgg(image.to(vgg.mean.device), layers)
        features = {name: value.float().cpu() for name, value in found.items()}
        if mask is not None:
            features = {
                name: _where(value, F.avg_pool2d(mask, stride(name))) for name, value in features.items()
            }
        statistics = {name: channel_statistics(value) for name, value in features.items()}
    return StyleTarget(
        grams={name: gram(value) for name, value in features.items()},
        bounds={name: style_bound(value) for name, value in features.items()},
        means={name: mean.flatten(1) for name, (mean, _) in statistics.items()},
        stds={name: std.flatten(1) for name, (_, std) in statistics.items()},
    )


def _where(features: Tensor, shares: Tensor) -> Tensor:
    """The places (1, C, 1, N) of features that a mask (1, 1, H, W) covers, or those that it covers most."""
    return features[:, :, shares[0, 0] >= min(0.5, shares.max().item())].unsqueeze(2)


def collate(targets: Sequence[StyleTarget]) -> StyleTarget:
    """One batch out of several targets."""

    def join(part: str) -> dict[str, Tensor]:
        return {
            name: torch.cat([getattr(target, part)[name] for target in targets])
            for name in getattr(targets[0], part)
        }

    return StyleTarget(join("grams"), join("bounds"), join("means"), join("stds"))
