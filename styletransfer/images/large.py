"""Large pictures: decoded by libvips into a temporary file that is mapped into memory, and encoded from there.

The system reads and writes pages of a mapped file as they are touched and drops them when memory is short, so
that a picture may be larger than memory.
"""

import contextlib
import errno
import functools
import mmap
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from styletransfer.errors import UnreadableImage, UnwritableOutput
from styletransfer.images.formats import SAVE_OPTIONS

if TYPE_CHECKING:
    import pyvips

# What libvips decodes strip by strip, by PIL's names. Colours that are not grey or RGB it would show otherwise
# than PIL does.
READABLE = frozenset({"JPEG", "PNG", "TIFF", "WEBP"})
MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I;16B"})
_MOST_OF_PLAIN_TIFF = 2**32 - 2**20  # bytes; its offsets have 32 bits

_mapped: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()
_mapping = threading.Lock()  # pictures are read in threads


def empty_like(image: Tensor) -> Tensor:
    """A picture (1, 3, H, W) of the same size and number format, to be filled; of bytes, in a mapped file.

    Raises UnwritableOutput where there is no room for it.
    """
    if image.dtype != torch.uint8:
        return torch.empty_like(image)
    height, width = image.shape[-2:]
    with _temporary_file() as path:
        with path.open("r+b") as file:
            if hasattr(os, "posix_fallocate"):  # a full disk would else end the process, when a page is written
                os.posix_fallocate(file.fileno(), 0, height * width * 3)
            file.truncate(height * width * 3)
        return _map(path, height, width, 3)


def size_of(path: Path) -> tuple[int, int]:
    """Height and width of a picture file as a viewer would show it, from its header. Raises UnreadableImage."""
    with _reading(path):
        image = _libvips().Image.new_from_file(str(path))
        lying = _orientation(image) >= 5
    return (image.width, image.height) if lying else (image.height, image.width)


def texts_of(path: Path) -> dict[str, str]:
    """The texts in the metadata of a picture file, by libvips' names. Raises UnreadableImage."""
    with _reading(path):
        image = _libvips().Image.new_from_file(str(path))
        found = {field: image.get(field) for field in image.get_fields()}
    return {field: value for field, value in found.items() if isinstance(value, str)}


def read(path: Path) -> Tensor:
    """A picture file as a viewer would show it, sRGB: (1, 3, H, W), or (1, 4, H, W) with alpha, of bytes.

    Raises UnreadableImage.
    """
    vips = _libvips()
    with _temporary_file() as decoded, _reading(path):
        # Only from top to bottom can a file be decoded strip by strip: it is turned afterwards.
        image = vips.Image.new_from_file(str(path), access="sequential", fail_on="error")
        orientation = _orientation(image)
        image = _to_srgb(image)
        _check_room(decoded, image)
        _save_raw(image, decoded)
        if orientation == 1:
            return _map(decoded, image.height, image.width, image.bands)
        with _temporary_file() as turned:
            image = vips.Image.rawload(str(decoded), image.width, image.height, image.bands)
            image = image.copy(interpretation="srgb")
            image.set_type(vips.GValue.gint_type, "orientation", orientation)
            image = image.autorot()
            _check_room(turned, image)
            _save_raw(image, turned)
            return _map(turned, image.height, image.width, image.bands)


def write(rgb: Tensor, alpha: Tensor | None, path: Path, file_format: str, described: dict[str, str]) -> None:
    """Encode a picture of bytes, (1, 3, H, W) and (1, 1, H, W), to `path`, whatever that ends in.

    Args:    file_format: as PIL calls it; described: fields of libvips' metadata and their text.
    Raises:  UnwritableOutput.
    """
    image = _as_vips(rgb)
    if alpha is not None:
        image = image.bandjoin(_as_vips(alpha))
    image = image.copy(interpretation="srgb")
    for field, text in described.items():
        image.set_type(_libvips().GValue.gstr_type, field, text)
    quality = SAVE_OPTIONS.get(file_format, {}).get("quality", 0)
    try:
        if file_format == "JPEG":
            image.jpegsave(str(path), Q=quality, subsample_mode="off", background=[255] * 3)
        elif file_format == "WEBP":
            image.webpsave(str(path), Q=quality, effort=SAVE_OPTIONS["WEBP"]["method"])
        elif file_format == "TIFF":
            image.tiffsave(str(path), bigtiff=rgb.numel() * image.bands // 3 > _MOST_OF_PLAIN_TIFF)
        else:
            image.pngsave(str(path))
    except _libvips().Error as error:
        raise UnwritableOutput(f"cannot write {path.name} as {file_format}: {_in_a_line(error)}") from error


def release() -> None:
    """Let the system take the pages of mapped pictures that were touched; they come back when needed."""
    if hasattr(mmap, "MADV_DONTNEED"):
        with _mapping:
            touched = list(_mapped)
        for each in touched:
            each.madvise(mmap.MADV_DONTNEED)


@functools.cache
def _libvips() -> ModuleType:
    """pyvips, late, since it takes a tenth of a second and most pictures are small."""
    import pyvips

    pyvips.cache_set_max(0)  # it would keep decoded pictures, in case somebody asks for the same again
    return pyvips


def _check_room(path: Path, image: "pyvips.Image") -> None:
    """Raise OSError unless the pixels fit on the disk: libvips would say that the picture cannot be read."""
    there = path.stat().st_size + shutil.disk_usage(path.parent).free
    if there < image.width * image.height * image.bands:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _save_raw(image: "pyvips.Image", path: Path) -> None:
    try:
        image.rawsave(str(path))
    except _libvips().Error as error:
        _check_room(path, image)  # several pictures that are read at a time share it
        raise error


def _orientation(image: "pyvips.Image") -> int:
    return image.get("orientation") if image.get_typeof("orientation") else 1


def _to_srgb(image: "pyvips.Image") -> "pyvips.Image":
    """Bands of 8 bits, RGB or RGBA, in the sRGB colour space."""
    if image.get_typeof("icc-profile-data"):
        # A damaged profile, or one of another colour model: viewers ignore it as well.
        with contextlib.suppress(_libvips().Error):
            image = image.icc_transform("srgb", embedded=True)
    if image.interpretation != "srgb" or image.format != "uchar":
        image = image.colourspace("srgb")
    if image.format != "uchar":
        image = image.cast("uchar")
    return image if image.bands <= 4 else image.extract_band(0, n=4)


def _as_vips(pixels: Tensor) -> "pyvips.Image":
    lines = pixels[0].permute(1, 2, 0).contiguous().numpy()  # (H, W, C)
    height, width, bands = lines.shape
    return _libvips().Image.new_from_memory(lines.data, width, height, bands, "uchar")


def _map(path: Path, height: int, width: int, channels: int) -> Tensor:
    with path.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), height * width * channels)
    with _mapping:
        _mapped.add(mapped)
    weakref.finalize(mapped, _remove, path)  # on Windows a file cannot be removed before
    lines = torch.frombuffer(mapped, dtype=torch.uint8).view(height, width, channels)
    return lines.permute(2, 0, 1)[None]  # (1, C, H, W), channels last


@contextlib.contextmanager
def _temporary_file() -> Iterator[Path]:
    """An empty file that is gone at the end of the block; mapped, its content stays until nobody holds it."""
    # Not the usual folder for temporary files, which is in memory on many systems.
    roomy = os.environ.get("TMPDIR") or ("/var/tmp" if Path("/var/tmp").is_dir() else None)
    try:
        descriptor, name = tempfile.mkstemp(prefix="styletransfer-", dir=roomy)
    except OSError as error:
        raise UnwritableOutput(
            f"cannot create a temporary file: {error.strerror}; set TMPDIR to a folder that can be written to"
        ) from error
    os.close(descriptor)
    try:
        yield Path(name)
    except OSError as error:
        raise UnwritableOutput(
            f"a large picture needs room for temporary files: {Path(name).parent}: {error.strerror}; "
            "set TMPDIR to a folder on another disk"
        ) from error
    finally:
        _remove(Path(name))


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (_libvips().Error, ValueError) as error:
        raise UnreadableImage(f"{path} cannot be read: {_in_a_line(error)}") from error


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())
