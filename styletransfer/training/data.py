"""Training pictures: a folder held in memory, and random crops of it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from styletransfer.errors import InvalidInput, UnreadableImage
from styletransfer.images import find_pictures, read_picture, resize_short_side

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingPicture:
    """A picture kept small: `image` is (3, H, W) uint8."""

    name: str
    image: Tensor


def load_pictures(folder: Path, short_side: int) -> list[TrainingPicture]:
    """All pictures of a folder, in order of name, with the given short side.

    Files that cannot be read are logged and passed over. Raises InvalidInput where nothing is left.
    """
    pictures = []
    for path in find_pictures(folder):
        try:
            rgb = resize_short_side(read_picture(path).rgb, short_side)
        except UnreadableImage as error:
            log.warning("passed over: %s", error)
            continue
        pictures.append(TrainingPicture(path.stem, (rgb[0] * 255).round().to(torch.uint8)))
    if not pictures:
        raise InvalidInput(f"{folder} holds no picture to train on")
    return pictures


def split_held_out(
    pictures: Sequence[TrainingPicture], every: int = 16
) -> tuple[list[TrainingPicture], list[TrainingPicture]]:
    """Pictures to train on and those kept aside: every 16th, so that training and measuring agree on which."""
    used = [picture for index, picture in enumerate(pictures) if index % every]
    return used, list(pictures[::every])


def random_crop(pictures: Sequence[TrainingPicture], side: int, generator: torch.Generator) -> Tensor:
    """A random square out of a random picture, (1, 3, side, side) in [0, 1].

    Its extent in the picture varies from three quarters of `side` to the whole short side, and every
    second one is mirrored.
    """
    image = pictures[_below(len(pictures), generator)].image
    height, width = image.shape[-2:]
    largest = min(height, width)
    smallest = min(largest, 3 * side // 4)
    extent = smallest + _below(largest - smallest + 1, generator)
    top = _below(height - extent + 1, generator)
    left = _below(width - extent + 1, generator)
    crop = image[None, :, top : top + extent, left : left + extent].float() / 255
    if extent != side:
        crop = F.interpolate(crop, (side, side), mode="bilinear", antialias=True)
    return crop.flip(3) if _below(2, generator) else crop


def _below(bound: int, generator: torch.Generator) -> int:
    return int(torch.randint(bound, (), generator=generator))
