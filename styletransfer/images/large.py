"""Large pictures: decoded by libvips into a temporary file that is mapped into memory, and encoded from there.

So are TIFFs of any size that PIL cannot read.
"""

import contextlib
import functools
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from torch import Tensor

from styletransfer.errors import UnreadableImage
from styletransfer.images.formats import SAVE_OPTIONS
from styletransfer.images.mapped import check_room, map_file, temporary_file
from styletransfer.images.opening import tiff_tags, without_warnings

if TYPE_CHECKING:
    import pyvips

# What libvips decodes strip by strip, by PIL's names. Only grey and RGB, as libvips shows other colours
# differently from PIL.
READABLE = frozenset({"JPEG", "MPO", "PNG", "TIFF", "WEBP"})
MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I;16B"})
UNKNOWN_COMPRESSIONS = frozenset({"zstd", "lzma", "webp"})  # of TIFFs: libvips may be built without them
_MOST_OF_PLAIN_TIFF = 2**32 - 2**20  # bytes; its offsets have 32 bits
_EXTRA_SAMPLES, _NO_ALPHA = 0x0152, 0  # a TIFF tag, and its value for a band of anything else, such as infrared
# What libvips scales to 8 bits: numbers of these formats, and others where it knows a colour space for them.
_SCALED_FORMATS, _SCALED_SPACES = frozenset({"uchar", "ushort"}), frozenset({"scrgb", "lab", "labs"})
_NO_FORMAT = "source is not in a known format"  # what libvips says of formats that it does not read


def size_of(path: Path) -> tuple[int, int]:
    """Height and width of a picture file as a viewer would show it, from its header. Raises UnreadableImage."""
    with _reading(path):
        image = _opened(path)
        lying = _orientation(image) >= 5
    return (image.width, image.height) if lying else (image.height, image.width)


def texts_of(path: Path) -> dict[str, str]:
    """The texts in the metadata of a picture file, by libvips' names. Raises UnreadableImage."""
    with _reading(path):
        image = _opened(path)
        fields = (field for field in image.get_fields() if field != "filename")  # which need not be UTF-8
        found = {field: image.get(field) for field in fields}
    return {field: value for field, value in found.items() if isinstance(value, str)}


def read(path: Path) -> Tensor:
    """A picture file as a viewer would show it, sRGB: (1, 3, H, W), or (1, 4, H, W) with alpha, of bytes.

    Raises UnreadableImage.
    """
    vips = _libvips()
    with temporary_file() as decoded, _reading(path):
        # A file can be decoded strip by strip only from top to bottom, so it is turned afterwards.
        image = _opened(path, access="sequential", fail_on="error")
        orientation = _orientation(image)
        image = _to_srgb(image)
        if image.bands > 3:
            image = image.extract_band(0, n=4 if _has_alpha(path) else 3)
        _save_raw(image, decoded)
        if orientation == 1:
            return map_file(decoded, image.height, image.width, image.bands)
        with temporary_file() as turned:
            image = vips.Image.rawload(str(decoded), image.width, image.height, image.bands)
            image = image.copy(interpretation="srgb")
            image.set_type(vips.GValue.gint_type, "orientation", orientation)
            image = image.autorot()
            _save_raw(image, turned)
            size = image.height, image.width, image.bands
            del image  # it holds the other file open, which Windows would then not remove
            return map_file(turned, *size)


def write(rgb: Tensor, alpha: Tensor | None, path: Path, file_format: str, described: dict[str, str]) -> None:
    """Encode a picture of bytes, (1, 3, H, W) and (1, 1, H, W), to `path`, whose suffix does not matter.

    Args:    file_format: as PIL calls it; described: fields of libvips' metadata and their text.
    Raises:  OSError.
    """
    image = _as_vips(rgb)
    if alpha is not None:
        image = image.bandjoin(_as_vips(alpha))
    image = image.copy(interpretation="srgb")
    for field, text in described.items():
        image.set_type(_libvips().GValue.gstr_type, field, text)
    quality = SAVE_OPTIONS.get(file_format, {}).get("quality", 0)
    target = os.fsencode(path)  # pyvips takes text for UTF-8
    try:
        if file_format == "JPEG":
            image.jpegsave(target, Q=quality, subsample_mode="off", background=[255] * 3)
        elif file_format == "WEBP":
            image.webpsave(target, Q=quality, effort=SAVE_OPTIONS["WEBP"]["method"])
        elif file_format == "TIFF":
            image.tiffsave(target, bigtiff=rgb.numel() * image.bands // 3 > _MOST_OF_PLAIN_TIFF)
        else:
            image.pngsave(target)
    except _libvips().Error as error:
        raise OSError(_first_line(error)) from error


@functools.cache
def _libvips() -> ModuleType:
    """pyvips, imported late, since that takes a tenth of a second and most pictures are small."""
    import pyvips

    pyvips.cache_set_max(0)  # or it would keep decoded pictures for later calls
    logging.getLogger(pyvips.__name__).setLevel(logging.ERROR)  # of odd metadata it would warn, as PIL does
    return pyvips


def _opened(path: Path, **options: str) -> "pyvips.Image":
    """A picture file, by libvips: not by its name, in which "[" would begin options and text be UTF-8."""
    vips = _libvips()
    try:
        image = vips.Image.new_from_source(vips.Source.new_from_file(os.fsencode(path)), "", **options)
    except vips.Error as error:
        if _first_line(error).endswith(_NO_FORMAT):
            raise UnreadableImage(
                f"{path} has more pixels than can be read in its format; save it as TIFF or PNG, or reduce it"
            ) from error
        raise
    if image.format not in _SCALED_FORMATS and image.interpretation not in _SCALED_SPACES:
        raise UnreadableImage(f"{path} is a picture of a rare kind; save it as RGB of 8 or 16 bits first")
    return image


def _save_raw(image: "pyvips.Image", path: Path) -> None:
    size = image.width * image.height * image.bands
    check_room(path, size)  # or libvips would say that the picture cannot be read
    try:
        image.rawsave(str(path))
    except _libvips().Error as error:
        check_room(path, size)  # again, as pictures that are read at the same time share the disk
        raise error


def _orientation(image: "pyvips.Image") -> int:
    return image.get("orientation") if image.get_typeof("orientation") else 1


def _to_srgb(image: "pyvips.Image") -> "pyvips.Image":
    """Bands of 8 bits in the sRGB colour space: RGB, and further ones that it has."""
    if image.interpretation == "cmyk":
        image = image.msb().copy(interpretation="cmyk")  # libvips would not scale alpha of 16 bits
    if image.get_typeof("icc-profile-data"):
        # A damaged profile, or one of another colour model: viewers ignore it as well.
        with contextlib.suppress(_libvips().Error):
            image = image.icc_transform("srgb", embedded=True)
    if image.interpretation != "srgb" or image.format != "uchar":
        image = image.colourspace("srgb")
    if image.format != "uchar":
        image = image.cast("uchar")
    return image


def _has_alpha(path: Path) -> bool:
    """Whether the fourth band is alpha: libvips takes it for that, whatever it is in a TIFF."""
    with without_warnings():
        return tiff_tags(path).get(_EXTRA_SAMPLES, ())[:1] != (_NO_ALPHA,)


def _as_vips(pixels: Tensor) -> "pyvips.Image":
    lines = pixels[0].permute(1, 2, 0).contiguous().numpy()  # (H, W, C)
    height, width, bands = lines.shape
    return _libvips().Image.new_from_memory(lines.data, width, height, bands, "uchar")


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (_libvips().Error, ValueError) as error:
        raise UnreadableImage(f"{path} cannot be read: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    """What went wrong first: libvips goes on with what failed in consequence."""
    return (getattr(error, "detail", "") or str(error)).strip().partition("\n")[0]
