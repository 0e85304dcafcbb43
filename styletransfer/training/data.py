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
from styletransfer.images import as_bytes, as_float, as_style, find_pictures, read_picture
from styletransfer.training.chance import integer
from styletransfer.training.textures import texture

# The photographs that come inside the gradio package, for where no others are at hand.
BUILT_IN = ("cheetah.jpg", "cheetah1.jpg", "groot.jpeg", "lion.jpg", "tower.jpg")
BUILT_IN_SCALE = 2.1  # their short side, relative to that of a crop; they are few, so more of each is used
BUILT_IN_MOST = 1.5  # the largest extent of a crop in them, relative to its side
TEXTURE_EVERY = 4
HELD_OUT_EVERY = 16
HELD_OUT = 8  # photographs that a training is measured on
MOST_ON_DEVICE = 2**32  # bytes of photographs, or of looks, that are kept in the memory of a GPU
CONTENT_SIDE = 288  # pixels, short side at which photographs are held in memory

log = logging.getLogger(__name__)


def load_photographs(paths: Sequence[Path]) -> tuple[list[Tensor], list[Tensor]]:
    """Photographs to train on, uint8, and a few held-out ones, in [0, 1]; each (1, 3, H, W).

    Raises InvalidInput.
    """
    used, held_out = split_held_out(paths)
    try:
        photos = [as_float(picture) for picture in load_pictures(held_out[:HELD_OUT], CONTENT_SIDE)]
    except InvalidInput as error:
        names = ", ".join(path.name for path in held_out[:HELD_OUT])
        raise InvalidInput(
            f"every {HELD_OUT_EVERY}th photograph is held out, and none of these can be read: {names}; remove "
            "or replace them"
        ) from error
    return load_pictures(used, CONTENT_SIDE), photos


def load_pictures(paths: Sequence[Path], short_side: int) -> list[Tensor]:
    """The pictures with the given short side, scrolls smaller, (1, 3, H, W), as uint8 to save memory.

    Files that cannot be read are logged and passed over. Raises InvalidInput if none can.
    """
    pictures = []
    for path in paths:
        try:
            rgb = as_style(read_picture(path).rgb, short_side)
        except UnreadableImage as error:
            log.warning("passed over: %s", error)
            continue
        pictures.append(as_bytes(rgb))
    if not pictures:
        raise InvalidInput(f"of {len(paths)} pictures none can be read; give a folder with others")
    return pictures


def pictures_in(folder: Path, least: int = 2) -> list[Path]:
    """The picture files directly inside a folder: at least two, since one is held out, or as many as given.

    Raises InvalidInput.
    """
    paths = find_pictures(folder)
    if len(paths) < least:
        found = "one picture" if paths else "no pictures"
        raise InvalidInput(
            f"{folder} holds {found}, and subfolders are not searched; give a folder with at least {least}"
        )
    return paths


def split_held_out(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Pictures to train on, and the held-out ones: every 16th, for training and measuring alike."""
    used = [path for index, path in enumerate(paths) if index % HELD_OUT_EVERY]
    return used, list(paths[::HELD_OUT_EVERY])


def near(pictures: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """The pictures on the device, where cropping them is fast; as they are if they are too many for it."""
    if sum(picture.numel() for picture in pictures) > MOST_ON_DEVICE:
        return list(pictures)
    return [picture.to(device) for picture in pictures]


def random_crops(pictures: Sequence[Tensor], count: int, side: int, generator: torch.Generator) -> Tensor:
    """A batch of `random_crop`: (count, 3, side, side), on the device of the pictures."""
    return torch.cat([random_crop(pictures, side, generator) for _ in range(count)])


def random_crop(
    pictures: Sequence[Tensor], side: int, generator: torch.Generator, most: float = math.inf
) -> Tensor:
    """A random square out of a random picture (1, 3, H, W) uint8: (1, 3, side, side) in [0, 1].

    Its extent in the picture varies from three quarters of `side` to `most` times `side`, at most the short
    side of the picture, and half of the crops are mirrored.
    """
    image = pictures[integer(0, len(pictures) - 1, generator)]
    height, width = image.shape[-2:]
    largest = int(min(height, width, most * side))
    smallest = min(largest, 3 * side // 4)
    extent = integer(smallest, largest, generator)
    top = integer(0, height - extent, generator)
    left = integer(0, width - extent, generator)
    crop = as_float(image[:, :, top : top + extent, left : left + extent])
    if extent != side:
        crop = F.interpolate(crop, (side, side), mode="bilinear", antialias=True)
    return crop.flip(3) if integer(0, 1, generator) else crop


def built_in_crops(count: int, side: int, generator: torch.Generator) -> list[Tensor]:
    """Crops of the photographs that every installation has, and textures, each (1, 3, side, side).

    The photographs are few and show little; random textures, one in TEXTURE_EVERY, make up for that. Raises
    InvalidInput.
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
