"""Style targets: the Gram matrices of a picture, their bounds, and the means and stds of its features."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from styletransfer.core import Style, StyleInfo, blend
from styletransfer.losses import gram, style_bound, style_loss
from styletransfer.norm import channel_statistics
from styletransfer.vgg import STYLE_LAYERS, VGG19, stride

FEW_PLACES = 16  # of a layer: their covariance says little


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
        """(B,) `style_loss`, the mean over layers, of a batch of features against as many targets, or one."""
        layers = self.grams.items()
        return torch.stack(
            [style_loss(gram(features[name]), target, self.bounds[name]) for name, target in layers]
        ).mean(dim=0)

    def to(self, device: torch.device) -> "StyleTarget":
        """The same on another device."""
        return self.map(lambda value: value.to(device))

    def __len__(self) -> int:
        return len(next(iter(self.bounds.values())))

    def __getitem__(self, chosen: Sequence[int]) -> "StyleTarget":
        """A batch of the chosen ones, in this order."""
        index = torch.tensor(chosen, device=next(iter(self.bounds.values())).device)
        return self.map(lambda value: value[index])

    def lerp(self, others: "StyleTarget", shares: Tensor) -> "StyleTarget":
        """Convex mixes with others, one by one; `shares`, (B,) in [0, 1], are those of the others."""

        def mix(part: str) -> dict[str, Tensor]:
            own, other = getattr(self, part), getattr(others, part)
            return {
                layer: torch.lerp(own[layer], other[layer], shares.view(-1, *(1,) * (own[layer].ndim - 1)))
                for layer in own
            }

        return StyleTarget(*(mix(part) for part in vars(self)))

    def blended(self, weights: Tensor) -> "StyleTarget":
        """The mix of all, a batch of one; weights: (B,), summing to 1."""
        return self.map(lambda value: blend(value, weights[None]))

    def map(self, change: Callable[[Tensor], Tensor]) -> "StyleTarget":
        """The same with every value changed."""
        parts = vars(self).values()
        return StyleTarget(*({layer: change(value) for layer, value in part.items()} for part in parts))

    def at(self, layers: Sequence[str]) -> "StyleTarget":
        """The same at these layers only."""
        return StyleTarget(*({layer: part[layer] for layer in layers} for part in vars(self).values()))

    @staticmethod
    def of(style: Style, layers: Sequence[str] = STYLE_LAYERS) -> "StyleTarget":
        """The target of a style, a batch of one."""
        parts = (style.grams, style.bounds, style.means, style.stds)
        return StyleTarget(*({layer: part[layer][None] for layer in layers} for part in parts))

    def style(self, info: StyleInfo, row: Tensor, preview: bytes = b"") -> Style:
        """The first one of the batch as a style."""
        first = self.map(lambda value: value[0])
        return Style(info, row, first.grams, first.bounds, first.means, first.stds, preview)


def style_target(
    vgg: VGG19, image: Tensor, layers: Sequence[str] = STYLE_LAYERS, mask: Tensor | None = None
) -> StyleTarget:
    """The target of a style picture (1, 3, H, W) in [0, 1], at the size that it has; on the CPU.

    With a `mask` (1, 1, H, W) in [0, 1], only of the places where it is at least half of its maximum. Where
    these are few, the bound is that of the whole picture: few places hardly differ, and the layer would
    outweigh all others.
    """
    with torch.no_grad():
        features = vgg(image.to(vgg.mean.device), layers)
        if mask is None:
            return target_of(features).to(torch.device("cpu"))
        shares = {name: F.avg_pool2d(mask, stride(name)).to(vgg.mean.device) for name in features}
        parts = {name: _where(value, shares[name]) for name, value in features.items()}
        few = [name for name, part in parts.items() if part.shape[-1] < FEW_PLACES]
        found = target_of(parts)
        bounds = found.bounds | {name: style_bound(features[name].float()) for name in few}
        return replace(found, bounds=bounds).to(torch.device("cpu"))


def target_of(features: Mapping[str, Tensor]) -> StyleTarget:
    """The targets of pictures, of their VGG features by layer, (B, C, H, W)."""
    wide = {name: value.float() for name, value in features.items()}
    statistics = {name: channel_statistics(value) for name, value in wide.items()}
    return StyleTarget(
        grams={name: gram(value) for name, value in wide.items()},
        bounds={name: style_bound(value) for name, value in wide.items()},
        means={name: mean.flatten(1) for name, (mean, _) in statistics.items()},
        stds={name: std.flatten(1) for name, (_, std) in statistics.items()},
    )


def _where(features: Tensor, shares: Tensor) -> Tensor:
    """The places (1, C, 1, N) of features that a mask (1, 1, H, W) covers at least half as well as any."""
    return features[:, :, shares[0, 0] >= shares.max() / 2].unsqueeze(2)


def as_batch(targets: Iterable[StyleTarget], count: int) -> StyleTarget:
    """One batch of `count` targets, which are batches of one; each is copied to its place as it comes.

    Thousands of small tensors, kept one by one between large temporary ones, would fragment the memory.
    """
    batch: StyleTarget | None = None
    for index, target in enumerate(targets):
        batch = batch or target.map(lambda value: value.new_empty(count, *value.shape[1:]))
        for part, values in vars(target).items():
            for layer, value in values.items():
                getattr(batch, part)[layer][index] = value[0]
    assert batch is not None  # there is at least one
    return batch
