"""Held-out photos and paintings: a training paints them, to be looked at and measured."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from styletransfer import images
from styletransfer.losses import content_loss
from styletransfer.networks import TransformerNetwork
from styletransfer.settings import STYLE_SIDE
from styletransfer.targets import StyleTarget, style_target
from styletransfer.training.trainer import mean_losses
from styletransfer.vgg import CONTENT_LAYER, STYLE_LAYERS, VGG19

MOST = 24  # paintings
CELL = (192, 256)  # height and width in pixels
ACROSS = 8

Paint = Callable[[Tensor, StyleTarget], Tensor]  # photo (1, 3, H, W) and style -> painting


class HeldOut:
    """Held-out paintings, each with one of the held-out photos.

    Args:  photos: each (1, 3, H, W) in [0, 1].
    """

    def __init__(self, vgg: VGG19, photos: Sequence[Tensor], paintings: Sequence[Path]) -> None:
        self.vgg, self.photos = vgg, photos
        self.paintings = [images.as_style(images.read_on_white(path), STYLE_SIDE) for path in paintings[:MOST]]
        self.goals = [style_target(vgg, painting) for painting in self.paintings]

    def sheet(self, paint: Paint) -> Tensor:
        """Each painting beside its photo and that photo painted in it, as one picture (1, 3, H, W)."""
        cells = []
        together = zip(self.paintings, self.goals, itertools.cycle(self.photos), strict=False)
        for painting, goal, photo in together:
            small = images.resize(photo, CELL)
            cells.append(torch.cat([images.resize(painting, CELL), small, paint(small, goal).cpu()], dim=2))
        return grid(cells, min(ACROSS, len(cells)))

    def losses(self, paint: Paint) -> dict[str, float]:
        """Content and style loss, means over the paintings."""
        pairs = zip(self.goals, itertools.cycle(self.photos), strict=False)
        return measure(self.vgg, ((paint(photo, goal), photo, goal) for goal, photo in pairs))


def measure(vgg: VGG19, painted: Iterable[tuple[Tensor, Tensor, StyleTarget]]) -> dict[str, float]:
    """Content and style loss, means over paintings, each with its photo and its style."""
    device, losses = vgg.mean.device, []
    with torch.inference_mode():
        for painting, photo, goal in painted:
            features = vgg(painting.to(device), [CONTENT_LAYER, *STYLE_LAYERS])
            own = vgg(photo.to(device), [CONTENT_LAYER])[CONTENT_LAYER]
            content = content_loss(features[CONTENT_LAYER], own).item()
            losses.append({"content": content, "style": goal.to(device).loss(features).item()})
    return {name: round(mean, 4) for name, mean in mean_losses(losses).items()}


@torch.inference_mode()
def paint_in_row(network: TransformerNetwork, photo: Tensor, row: Tensor, dtype: torch.dtype) -> Tensor:
    """A photo (1, 3, H, W), painted by one row (2, N), on the row's device; the network computes in `dtype`."""
    one = torch.ones(1, device=row.device, dtype=torch.float32)
    return network(photo.to(row.device, dtype), row[None], one[None], one).clamp(0, 1)


def grid(cells: Sequence[Tensor], across: int) -> Tensor:
    """Pictures (1, 3, H, W) of one size side by side in one picture, line by line."""
    filled = [*cells, *[torch.ones_like(cells[0])] * (-len(cells) % across)]
    lines = [torch.cat(filled[start : start + across], dim=3) for start in range(0, len(filled), across)]
    return torch.cat(lines, dim=2)
