"""Opening picture files with PIL, and what a user is told where that fails."""

import functools
import stat
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pi_heif
from PIL import Image, PngImagePlugin, UnidentifiedImageError
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from styletransfer.errors import InvalidInput, StyleTransferError, UnreadableImage
from styletransfer.images.formats import READ_FORMATS

ImageSource = str | Path | Image.Image

PHOTOMETRIC, BITS = 0x0106, 0x0102  # two TIFF tags
_COMPRESSION, _OLD_JPEG = 0x0103, 6  # another, and its value in Canon's CR2, which has no PHOTOMETRIC
_DNG_VERSION, _SUBFILE_TYPE, _REDUCED = 0xC612, 0x00FE, 1  # two further ones, and the value for a thumbnail
_OF_SENSORS = (32_803, 34_892)  # values of PHOTOMETRIC: what a camera measured, before it is a picture
_HDR_TRANSFERS = (16, 18)  # PQ and HLG in ITU-T H.273; as sRGB such a picture is grey and flat
_TIFFS, _BIG_TIFFS = (b"II*\0", b"MM\0*"), (b"II+\0", b"MM\0+")  # how they begin


@contextmanager
def opened(source: ImageSource) -> Iterator[tuple[Image.Image, str]]:
    """A PIL image and a name for messages. Any fault, also one found in the block, is UnreadableImage."""
    if not isinstance(source, str | Path | Image.Image):
        raise InvalidInput(f"{type(source).__name__} is not a picture; give the path of a file, or a PIL image")
    name = "the picture" if isinstance(source, Image.Image) else str(source)
    with without_warnings():
        try:
            if isinstance(source, Image.Image):
                yield source, name
            else:
                with open_picture(source) as image:
                    yield image, name
        except StyleTransferError:
            raise
        except FileNotFoundError:
            raise UnreadableImage(f"no such file: {name}") from None
        except UnidentifiedImageError:
            empty = not isinstance(source, Image.Image) and Path(source).stat().st_size == 0
            what = "is empty (0 bytes)" if empty else "is not a picture in a format that can be read"
            raise UnreadableImage(f"{name} {what}") from None
        except (Image.DecompressionBombError, MemoryError):
            raise UnreadableImage(f"{name} has more pixels than can be read; reduce it first") from None
        except Exception as error:
            raise UnreadableImage(f"{name} cannot be read: {error}") from error


def open_picture(path: str | Path) -> Image.Image:
    """A picture file, opened but not decoded. Raises UnreadableImage, and what PIL and the system raise."""
    _teach_pil()
    if not str(path):
        raise UnreadableImage("an empty path is no picture; is a variable not set?")
    mode = Path(path).stat().st_mode
    if stat.S_ISDIR(mode):
        raise UnreadableImage(f"{path} is a folder; name a picture")
    if not stat.S_ISREG(mode):  # a pipe would be waited for
        raise UnreadableImage(f"{path} is not a regular file; save it as one first")
    if _is_raw(tiff_tags(path)):
        raise UnreadableImage(f"{path} is a camera raw file; export it as TIFF or JPEG first")
    image = Image.open(path, formats=READ_FORMATS)
    nclx = image.info.get("nclx_profile", {}) if image.format == "HEIF" else {}
    if nclx.get("transfer_characteristics") in _HDR_TRANSFERS:
        image.close()
        raise UnreadableImage(f"{path} is an HDR picture; export it as JPEG first")
    return image


def exif_value(image: Image.Image, tag: int) -> object:
    """A value in the EXIF of an opened picture; None where it is missing or damaged, as viewers have it.

    Of a PNG the EXIF before its pixels, which PIL would otherwise decode.
    """
    try:
        exif = Image.Image.getexif(image) if image.format == "PNG" else image.getexif()
        return exif.get(tag)
    except Exception:  # there is no list of what PIL raises at damage
        return None


@contextmanager
def without_warnings() -> Iterator[None]:
    """Without PIL's warnings of many pixels, for which MAX_PIXELS is our own limit, and of odd metadata.

    Of PIL alone: where threads overlap, Python may leave the filter behind.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def tiff_tags(path: str | Path) -> Mapping[int, Any]:
    """The tags of a TIFF, also of one that PIL has no mode for; none of a damaged one, and of other files."""
    with Path(path).open("rb") as file:
        header = file.read(16)
        begin, is_big = header[:4], header[:4] in _BIG_TIFFS
        if begin not in (*_TIFFS, *_BIG_TIFFS):
            return {}
        try:
            # PIL tells a BigTIFF by this beginning alone, whatever its byte order is.
            header = (_BIG_TIFFS if is_big else _TIFFS)[0] + header[4 : 16 if is_big else 8]
            tags = ImageFileDirectory_v2(header, prefix=begin[:2])
            file.seek(tags.next)
            tags.load(file)
            return tags
        except Exception:
            return {}


def _is_raw(tags: Mapping[int, Any]) -> bool:
    """Whether it is a DNG, or one of the camera makers' formats, which begin with a thumbnail."""
    is_thumbnail, of_sensor = tags.get(_SUBFILE_TYPE) == _REDUCED, tags.get(PHOTOMETRIC) in _OF_SENSORS
    of_canon = tags.get(_COMPRESSION) == _OLD_JPEG and PHOTOMETRIC not in tags
    return _DNG_VERSION in tags or is_thumbnail or of_sensor or of_canon


@functools.cache
def _teach_pil() -> None:
    """Teach PIL the photos of phones, and long profiles. On first use: importing must not change anything."""
    pi_heif.register_heif_opener()
    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
