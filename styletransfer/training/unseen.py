"""Photos and paintings that a training leaves out: what it makes of them, to look at and measured."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from styletransfer import images
from styletransfer.losses import content_loss
from styletransfer.settings import STYLE_SIDE
from styletransfer.targets import StyleTarget, style_target
from styletransfer.vgg import CONTENT_LAYER, STYLE_LAYERS, VGG19

MOST = 24  # paintings
CELL = (192, 256)  # height and width in pixels
ACROSS = 8

Paint = Callable[[Tensor, StyleTarget], Tensor]  # photo (1, 3, H, W) and what is wanted -> painting


class Unseen:
    """Unseen paintings, each with one of the unseen photos.

    Args:  photos: each (1, 3, H, W) in [0, 1].
    """

    def __init__(self, vgg: VGG19, photos: Sequence[Tensor], paintings: Sequence[Path]) -> None:
        self.vgg, self.photos = vgg, photos
        self.paintings = [images.as_style(images.read_on_white(path), STYLE_SIDE) for path in paintings[:MOST]]
        self.goals = [style_target(vgg, painting) for painting in self.paintings]

    def _photos(self) -> Iterator[Tensor]:
        return (self.photos[index % len(self.photos)] for index in range(len(self.goals)))

    def sheet(self, paint: Paint) -> Tensor:
        """Each painting beside its photo and that photo painted in it, as one picture (1, 3, H, W)."""
        cells = []
        for painting, goal, photo in zip(self.paintings, self.goals, self._photos(), strict=True):
            small = images.resize(photo, CELL)
            cells.append(torch.cat([images.resize(painting, CELL), small, paint(small, goal).cpu()], dim=2))
        across = min(ACROSS, len(cells))
        cells += [torch.ones_like(cells[0])] * (-len(cells) % across)
        lines = [torch.cat(cells[start : start + across], dim=3) for start in range(0, len(cells), across)]
        return torch.cat(lines, dim=2)

    def losses(self, paint: Paint) -> dict[str, float]:
        """Content and style loss, means over the paintings."""
        device = self.vgg.mean.device
        found = {"content": 0.0, "style": 0.0}
        with torch.inference_mode():
            for goal, photo in zip(self.goals, self._photos(), strict=True):
                features = self.vgg(paint(photo, goal).to(device), [CONTENT_LAYER, *STYLE_LAYERS])
                own = self.vgg(photo.to(device), [CONTENT_LAYER])[CONTENT_LAYER]
                found["content"] += content_loss(features[CONTENT_LAYER], own).item()
                found["style"] += goal.to(device).loss(features).item()
        return {name: round(value / len(self.goals), 4) for name, value in found.items()}
