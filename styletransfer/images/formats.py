"""Which files count as pictures."""

import functools
import struct

import pi_heif
from PIL import Image

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
SAVE_OPTIONS: dict[str, dict] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 92, "method": 4},
}
LONGEST_SIDES = {"JPEG": 65_500, "WEBP": 16_383}  # pixels; the other formats hold more than is ever painted
# What PIL raises at damaged pictures, and at tags of other types than they should have.
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
PICTURE_SUFFIXES = frozenset(FORMATS) | {".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".jfif"}


def early_exif(image: Image.Image) -> Image.Exif:
    """The EXIF of an opened picture; of a PNG what stands before its pixels, which PIL would else decode."""
    return Image.Image.getexif(image) if image.format == "PNG" else image.getexif()


@functools.cache
def register_formats() -> None:
    """Teach PIL the photos of phones. On first use, since importing shall change nothing."""
    pi_heif.register_heif_opener()
