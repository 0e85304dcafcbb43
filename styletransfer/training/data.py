"""Training pictures: a folder held in memory, and random crops of it."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from styletransfer.errors import InvalidInput, UnreadableImage
from styletransfer.files import in_package
from styletransfer.images import as_bytes, as_float, find_pictures, read_picture, resize_short_side
from styletransfer.training.textures import texture

# The photographs that come inside the gradio package, for where no others are at hand.
BUILT_IN = ("cheetah.jpg", "cheetah1.jpg", "groot.jpeg", "lion.jpg", "tower.jpg")
BUILT_IN_SCALE = 2.1  # of their short side, to that of a crop: more of them is seen than of one of many
BUILT_IN_MOST = 1.5  # extent of a crop in them, to its side
TEXTURE_EVERY = 4
HELD_OUT_EVERY = 16
HELD_OUT = 8  # photographs that a training measures itself on
MOST_ON_DEVICE = 2**32  # bytes of photographs, or of looks, that are held in the memory of a GPU
CONTENT_SIDE = 288  # pixels, short side at which photographs are held in memory

log = logging.getLogger(__name__)


def load_photographs(folder: Path) -> tuple[list[Tensor], list[Tensor]]:
    """Photographs to train on, uint8, and a few that are kept aside, in [0, 1]; each (1, 3, H, W).

    Raises InvalidInput.
    """
    used, aside = split_held_out(find_pictures(folder))
    held_out = [as_float(picture) for picture in load_pictures(aside[:HELD_OUT], CONTENT_SIDE)]
    return load_pictures(used, CONTENT_SIDE), held_out


def load_pictures(paths: Sequence[Path], short_side: int) -> list[Tensor]:
    """The pictures with the given short side, (1, 3, H, W) uint8, which is little memory.

    Files that cannot be read are logged and passed over. Raises InvalidInput where nothing is left.
    """
    pictures = []
    for path in paths:
        try:
            rgb = resize_short_side(read_picture(path).rgb, short_side)
        except UnreadableImage as error:
            log.warning("passed over: %s", error)
            continue
        pictures.append(as_bytes(rgb))
    if not pictures:
        raise InvalidInput(
            f"of {len(paths)} pictures in a set none can be read; give a folder with at least two that can"
        )
    return pictures


def split_held_out(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Pictures to train on, and every 16th, which is kept aside: training and measuring agree on which."""
    used = [path for index, path in enumerate(paths) if index % HELD_OUT_EVERY]
    return used, list(paths[::HELD_OUT_EVERY])


def near(pictures: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """The pictures where crops of them are made fastest: on the device, unless they are too many for it."""
    if sum(picture.numel() for picture in pictures) > MOST_ON_DEVICE:
        return list(pictures)
    return [picture.to(device) for picture in pictures]


def random_crops(pictures: Sequence[Tensor], count: int, side: int, generator: torch.Generator) -> Tensor:
    """`random_crop` so many times: (count, 3, side, side), where the pictures are."""
    return torch.cat([random_crop(pictures, side, generator) for _ in range(count)])


def random_crop(
    pictures: Sequence[Tensor], side: int, generator: torch.Generator, most: float = math.inf
) -> Tensor:
    """A random square out of a random picture (1, 3, H, W) uint8: (1, 3, side, side) in [0, 1].

    Its extent in the picture varies from three quarters of `side` to `most` times `side`, or to the whole short
    side where that is less, and every second one is mirrored.
    """
    image = pictures[_below(len(pictures), generator)]
    height, width = image.shape[-2:]
    largest = int(min(height, width, most * side))
    smallest = min(largest, 3 * side // 4)
    extent = smallest + _below(largest - smallest + 1, generator)
    top = _below(height - extent + 1, generator)
    left = _below(width - extent + 1, generator)
    crop = as_float(image[:, :, top : top + extent, left : left + extent])
    if extent != side:
        crop = F.interpolate(crop, (side, side), mode="bilinear", antialias=True)
    return crop.flip(3) if _below(2, generator) else crop


def built_in_crops(count: int, side: int, generator: torch.Generator) -> list[Tensor]:
    """Crops of the photographs that every installation has, each (1, 3, side, side), and textures.

    The photographs are few, and what they do not show is made up for by textures drawn by chance, one in
    TEXTURE_EVERY. Raises InvalidInput.
    """
    folder = in_package("gradio", "media_assets", "images")
    if folder is None:
        raise InvalidInput("the photographs of the package gradio are missing; give a folder of photographs")
    pictures = load_pictures([folder / name for name in BUILT_IN], round(BUILT_IN_SCALE * side))
    return [
        random_crop(pictures, side, generator, BUILT_IN_MOST)
        if index % TEXTURE_EVERY
        else texture(side, generator)
        for index in range(1, count + 1)
    ]


def _below(bound: int, generator: torch.Generator) -> int:
    return int(torch.randint(bound, (), generator=generator))
