"""Which files count as pictures, and how they are opened."""

import functools
import stat
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pi_heif
from PIL import Image

from styletransfer.errors import UnreadableImage

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
SAVE_OPTIONS: dict[str, dict] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 92, "method": 4},
    "PNG": {"compress_level": 3},  # faster than the usual 6, and of a painting the file is no larger
}
LONGEST_SIDES = {"JPEG": 65_500, "WEBP": 16_383}  # pixels; the limits of other formats are never reached
# What PIL raises at damaged pictures, and at tags of a wrong type.
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    RuntimeError,
    AssertionError,
    EOFError,
    TypeError,
    AttributeError,
    LookupError,
    struct.error,
)
# What is opened, by PIL's names, whatever a file is called: for EPS, PIL would start Ghostscript. TGA comes
# last, as its files do not begin with a mark of their own.
READ_FORMATS = (
    *("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "JPEG2000", "PPM", "ICO", "PSD"),
    "TGA",
)
PICTURE_SUFFIXES = frozenset(FORMATS) | {
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".jfif", ".jp2", ".ppm", ".psd", ".tga"),
}
_DNG_VERSION, _SUBFILE_TYPE, _REDUCED = 0xC612, 0x00FE, 1  # two TIFF tags, and the value for a thumbnail


def exif_value(image: Image.Image, tag: int) -> object:
    """A value in the EXIF of an opened picture; None where it is missing or damaged, as viewers have it.

    Of a PNG the EXIF before its pixels, which PIL would otherwise decode.
    """
    try:
        exif = Image.Image.getexif(image) if image.format == "PNG" else image.getexif()
        return exif.get(tag)
    except BROKEN:
        return None


@contextmanager
def without_warnings() -> Iterator[None]:
    """Without PIL's warnings of many pixels, for which MAX_PIXELS is our own limit, and of odd metadata.

    Of PIL alone: where threads overlap, Python may leave the filter behind.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def open_picture(path: str | Path) -> Image.Image:
    """A picture file, opened but not decoded. Raises UnreadableImage, and what PIL and the system raise."""
    _register_heif()
    mode = Path(path).stat().st_mode
    if stat.S_ISDIR(mode):
        raise UnreadableImage(f"{path} is a folder; name a picture")
    if not stat.S_ISREG(mode):  # a pipe would be waited for
        raise UnreadableImage(f"{path} is not a regular file; save it as one first")
    image = Image.open(path, formats=READ_FORMATS)
    if image.format == "TIFF" and _is_raw(image):
        image.close()
        raise UnreadableImage(f"{path} is a camera raw file; export it as TIFF or JPEG first")
    return image


def _is_raw(tiff: Image.Image) -> bool:
    """Whether it is a DNG, or one of the camera makers' formats, which begin with a thumbnail."""
    tags = getattr(tiff, "tag_v2", {})
    return _DNG_VERSION in tags or tags.get(_SUBFILE_TYPE) == _REDUCED


@functools.cache
def _register_heif() -> None:
    """Teach PIL the photos of phones. On first use, since importing must not change anything."""
    pi_heif.register_heif_opener()
