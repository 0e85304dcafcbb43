"""From picture files, as users have them, to tensors."""

import io
import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np
import torch
from PIL import Image, ImageCms, UnidentifiedImageError
from torch import Tensor

from styletransfer.errors import InvalidInput, StyleTransferError, UnreadableImage
from styletransfer.images import large
from styletransfer.images.formats import (
    PHOTOMETRIC,
    PICTURE_SUFFIXES,
    exif_value,
    open_picture,
    tiff_tags,
    without_warnings,
)
from styletransfer.images.resizing import as_float, resize, resize_within
from styletransfer.settings import MAX_PIXELS, WHOLE_PIXELS

log = logging.getLogger(__name__)

ImageSource = str | Path | Image.Image

ORIENTATION, UPRIGHT = 0x0112, 1  # an EXIF tag, and its usual value
LYING = (5, 6, 7, 8)  # its values for pictures that are shown turned by a quarter
WHITE_IS_ZERO = 0  # the value of the TIFF tag PHOTOMETRIC for negatives
BITS, PLANES, APART = 0x0102, 0x011C, 2  # two TIFF tags, and the value of the second for a plane a channel
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
MOST_OVERSHOOT = 4  # times white, in pictures of floats: highlights and interpolation exceed it
SHADE_FACTORS = {"L;2": 85, "L;4": 17}  # by PIL's names for greys of 2 and 4 bits
DEEP_RGB = "RGB;16B"  # its name for colours of 16 bits
BOX_SIDE = 1024  # pixels; more at a time would take several times the memory of the picture


@dataclass(frozen=True)
class Picture:
    """A decoded picture: `rgb` (1, 3, H, W) and, where it has one, `alpha` (1, 1, H, W).

    Both float32 in [0, 1], or, above `settings.WHOLE_PIXELS`, uint8.
    """

    rgb: Tensor
    alpha: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.rgb.shape[-2], self.rgb.shape[-1]

    def resized(self, size: tuple[int, int]) -> "Picture":
        """The same at another height and width."""
        alpha = None if self.alpha is None else resize_within(self.alpha, size)
        return Picture(resize_within(self.rgb, size), alpha)


def read_picture(source: ImageSource | Picture) -> Picture:
    """Decode a picture as a viewer would show it: turned by its EXIF orientation, converted to sRGB.

    Fully transparent parts are filled with the mirrored rest: whatever a file hides there, often black, would
    show at the edge of what is painted, and so would a uniform colour.

    Args:    source: a file, or a PIL image of any mode; a picture that was read before stays as it is.
    Raises:  UnreadableImage.
    """
    if isinstance(source, Picture):
        return source
    if is_for_libvips(source):
        height, width = large.size_of(Path(source))
        _check_pixels((width, height), str(source))
        pixels = _in_its_format(large.read(Path(source)))
        return _filled(Picture(pixels[:, :3], pixels[:, 3:] if pixels.shape[1] > 3 else None))
    with opened(source) as (image, name):
        return _filled(_decode(image, name))


def read_size(source: ImageSource) -> tuple[int, int]:
    """Height and width of a picture as a viewer would show it, without decoding it. Raises UnreadableImage."""
    if is_for_libvips(source):
        return large.size_of(Path(source))
    with opened(source) as (image, _):
        width, height = image.size
        lying = _orientation(image) in LYING and image.format != "TIFF"  # whose size PIL has turned already
        return (width, height) if lying else (height, width)


def is_for_libvips(source: ImageSource) -> TypeGuard[str | Path]:
    """Whether it is a file too large to hold in memory, or a TIFF of a kind that PIL cannot read.

    Most faults of a file are reported when it is read.
    """
    if not isinstance(source, str | Path):
        return False
    try:
        with without_warnings(), open_picture(source) as image:
            known = image.format in large.READABLE and not _has_12_bits(image)
            known = known and image.info.get("compression") not in large.UNKNOWN_COMPRESSIONS
            is_large = image.mode in large.MODES and image.width * image.height > WHOLE_PIXELS
            return known and (is_large or _is_16_bits_in_planes(image))
    except Image.DecompressionBombError:
        return True  # PIL opens no more than 178 megapixels
    except UnidentifiedImageError:
        with without_warnings():
            return bool(tiff_tags(source))
    except Exception:  # there is no list of what PIL raises at damage
        return False


def _is_16_bits_in_planes(image: Image.Image) -> bool:
    """Whether it is a TIFF of 16 bits with its channels apart, which PIL decodes as if it had 8."""
    tags = getattr(image, "tag_v2", {})
    return tags.get(PLANES) == APART and max(tags.get(BITS, (8,))) == 16


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


def read_on_white(source: ImageSource) -> Tensor:
    """A picture (1, 3, H, W), float32 in [0, 1], with transparent parts on white.

    For styles: a picture of more than `settings.WHOLE_PIXELS` is reduced to that. Raises UnreadableImage.
    """
    picture = read_picture(source)
    rgb = _of_whole_pixels(picture.rgb)
    if picture.alpha is None:
        return rgb
    alpha = _of_whole_pixels(picture.alpha)
    return rgb * alpha + 1 - alpha


def read_mask(source: ImageSource) -> Tensor:
    """The brightness of a picture (1, 1, H, W), float32 in [0, 1], with transparent parts on black.

    Otherwise like `read_on_white`."""
    picture = read_picture(source)
    shade = _of_whole_pixels(picture.rgb).mean(dim=1, keepdim=True)
    return shade if picture.alpha is None else shade * _of_whole_pixels(picture.alpha)


def _of_whole_pixels(image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    scale = min(1.0, math.sqrt(WHOLE_PIXELS / (height * width)))
    return as_float(resize(image, (max(1, int(scale * height)), max(1, int(scale * width)))))


def _decode(image: Image.Image, name: str) -> Picture:
    if 0 in image.size:
        raise UnreadableImage(f"{name} has no pixels")
    _check_pixels(image.size, name)
    _scale_transparent_shade(image)
    image.load()
    return _to_picture(image)


def _scale_transparent_shade(image: Image.Image) -> None:
    """In a PNG, PIL scales greys of less than 8 bits and colours of 16 to 8, but not the transparent one."""
    tiles = getattr(image, "tile", None)
    stored = tiles[0].args if image.format == "PNG" and tiles else None
    clear = image.info.get("transparency")
    if isinstance(clear, int) and stored in SHADE_FACTORS:
        image.info["transparency"] = clear * SHADE_FACTORS[stored]
    elif isinstance(clear, tuple) and stored == DEEP_RGB:
        image.info["transparency"] = tuple(shade >> 8 for shade in clear)


def _filled(picture: Picture) -> Picture:
    """The same picture, with fully transparent parts filled in place: within each row, then whole rows."""
    if picture.alpha is None:
        return picture
    pixels, alpha = picture.rgb[0].permute(1, 2, 0).numpy(), picture.alpha[0, 0].numpy()  # (H, W, 3), (H, W)
    shown = np.zeros(len(alpha), dtype=bool)
    for row, line in enumerate(alpha):
        visible = line > 0
        shown[row] = visible.any()
        if shown[row] and not visible.all():
            pixels[row] = pixels[row].take(_mirrored(visible), axis=0)
    if shown.any():
        for row, source in enumerate(_mirrored(shown)):
            if not shown[row]:
                pixels[row] = pixels[source]
    return picture


def _mirrored(there: np.ndarray) -> np.ndarray:
    """For each place of a line, where to copy from: itself if it is `there`, else going back from the last one.

    At either end the direction turns, so that all places that are there are used about equally often.
    """
    places, known, ranks = np.arange(len(there)), np.flatnonzero(there), np.cumsum(there) - 1
    last = np.maximum.accumulate(np.where(there, places, -1))
    back = np.where(ranks < 0, known[0] - 1 - places, ranks + 1 - (places - last))
    wrapped = back % (2 * len(known))
    return np.where(there, places, known[np.minimum(wrapped, 2 * len(known) - 1 - wrapped)])


def _check_pixels(size: tuple[int, int], name: str) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise UnreadableImage(
            f"{name} has {size[0]}x{size[1]} pixels, more than {MAX_PIXELS:,}; reduce it first"
        )


def _to_picture(image: Image.Image) -> Picture:
    # Copies of a picture of 100 megapixels are expensive, so nothing is converted without need.
    turn = TURNS.get(_orientation(image))
    if turn is not None:  # PIL's exif_transpose writes all of the EXIF anew, and fails at odd tags
        image = image.transpose(turn)
    profile = image.info.get("icc_profile")
    image = _to_8_bit(image)
    alpha = None
    if image.has_transparency_data:
        if image.mode not in ("RGBA", "LA"):
            image = image.convert("RGBA")
        alpha = _to_tensor(image.getchannel("A"))
    return Picture(_to_tensor(_to_srgb(image, profile)), alpha)


def _orientation(image: Image.Image) -> int:
    value = exif_value(image, ORIENTATION)
    return value if isinstance(value, int) else UPRIGHT


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB of 8 bits in the sRGB colour space, without alpha."""
    if image.mode in ("LA", "P", "1", "RGBA", "RGBX"):
        image = image.convert("L" if image.mode in ("LA", "1") else "RGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a damaged profile, or one of another colour model, which viewers ignore as well
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Greyscale of 16 or 32 bits scaled to 8; other modes as they are."""
    if image.mode != "F" and not image.mode.startswith("I"):
        return image
    boxes = (values for _, values in _boxes(image))
    most = max(float(values.max(initial=0, where=np.isfinite(values))) for values in boxes)
    is_negative = image.mode not in ("I", "F") and (
        getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO  # for 8 bits PIL does that itself
    )
    scale = 16 if _has_12_bits(image) else 1
    clear = None if image.mode == "F" else image.info.get("transparency")  # the one shade that is transparent
    grey = Image.new("L", image.size)
    alpha = Image.new("L", image.size) if isinstance(clear, int) else None
    for place, values in _boxes(image):
        numbers = values.astype(np.float64) * scale
        if is_negative:
            numbers = 65_535 - numbers
        grey.paste(Image.fromarray(_shades(numbers, most, image.mode)), place)
        if alpha is not None:
            alpha.paste(Image.fromarray(np.where(numbers == clear, 0, 255).astype(np.uint8)), place)
    if alpha is not None:
        grey.putalpha(alpha)
    return grey


def _has_12_bits(image: Image.Image) -> bool:
    """Whether it is a TIFF of greys from 0 to 4095, which PIL does not scale, and libvips does not read."""
    return getattr(image, "tag_v2", {}).get(BITS) == (12,)


def _shades(numbers: np.ndarray, most: float, mode: str) -> np.ndarray:
    """The numbers of a picture of that mode, `most` the largest in all of it, as uint8."""
    overshoot = MOST_OVERSHOOT if mode == "F" else 1
    if mode == "F" and most <= overshoot:
        white = 1.0
    elif mode in ("F", "I") and most <= 255 * overshoot:
        white = 255.0
    else:
        white = max(most, 65_535.0)
    numbers = np.nan_to_num(numbers, posinf=most, neginf=0)
    return np.clip(numbers * 255 / white, 0, 255).round().astype(np.uint8)


def _to_tensor(image: Image.Image) -> Tensor:
    """(1, C, H, W), float32 or uint8 as in `Picture`, from an image of mode L or RGB."""
    width, height = image.size
    pixels = torch.empty(height, width, len(image.getbands()), dtype=torch.uint8)
    for (left, top), box in _boxes(image):
        rows, columns = box.shape[:2]
        shades = torch.from_numpy(box).view(rows, columns, -1)
        pixels[top : top + rows, left : left + columns] = shades
    return _in_its_format(pixels.permute(2, 0, 1)[None])  # (1, C, H, W)


def _in_its_format(pixels: Tensor) -> Tensor:
    """Pixels of bytes in the number format of a `Picture` of their size."""
    return pixels if pixels.shape[-2] * pixels.shape[-1] > WHOLE_PIXELS else as_float(pixels)


def _boxes(image: Image.Image) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """All parts of a picture, at most BOX_SIDE wide and high: left and top, and a copy of the pixels."""
    width, height = image.size
    for top in range(0, height, BOX_SIDE):
        for left in range(0, width, BOX_SIDE):
            right, bottom = min(left + BOX_SIDE, width), min(top + BOX_SIDE, height)
            yield (left, top), np.array(image.crop((left, top, right, bottom)))


def find_pictures(folder: Path, *, recursive: bool = False) -> list[Path]:
    """The picture files directly inside a folder, or all below it, in order of name.

    Hidden files and folders are left out, links to folders are not followed, and folders below that cannot be
    read are logged and passed over. Raises InvalidInput.
    """
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is not a folder")

    def tell(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise InvalidInput(f"the folder {folder} cannot be read: {error.strerror}") from error
        log.warning("the folder %s cannot be read, and is passed over: %s", error.filename, error.strerror)

    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=tell):
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
        files = (Path(place, name) for name in names if not name.startswith("."))
        found += [path for path in files if path.suffix.lower() in PICTURE_SUFFIXES]
    return sorted(found)
