"""From pictures, as users have them, to tensors: by PIL or libvips, whichever can."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeGuard

from PIL import Image, UnidentifiedImageError
from torch import Tensor

from styletransfer.errors import UnreadableImage
from styletransfer.images import large
from styletransfer.images.decoding import LYING, decode, has_12_bits, orientation
from styletransfer.images.filling import fill_hidden
from styletransfer.images.opening import BITS, ImageSource, open_picture, opened, tiff_tags, without_warnings
from styletransfer.images.resizing import as_bytes, as_float, resize, resize_within
from styletransfer.settings import MAX_PIXELS, WHOLE_PIXELS

_PLANES, _APART = 0x011C, 2  # a TIFF tag, and its value for a plane for each channel
# Differences of values in [0, 1]: a colour, as a lossy format gives greys none as strong, and different greys.
_COLORED, _DIFFERENT = 0.1, 0.15


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

    @cached_property
    def is_opaque(self) -> bool:
        """Whether all of it is fully visible."""
        return self.alpha is None or int(as_bytes(self.alpha.min())) == 255  # resized ones are not quite 1

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
        _check_pixels(image.size, name)
        rgb, alpha = decode(image)
        return _filled(Picture(_in_its_format(rgb), None if alpha is None else _in_its_format(alpha)))


def read_size(source: ImageSource) -> tuple[int, int]:
    """Height and width of a picture as a viewer would show it, without decoding it. Raises UnreadableImage."""
    if is_for_libvips(source):
        return large.size_of(Path(source))
    with opened(source) as (image, _):
        width, height = image.size
        lying = orientation(image) in LYING and image.format != "TIFF"  # whose size PIL has turned already
        return (width, height) if lying else (height, width)


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
    """How bright a picture is (1, 1, H, W), float32 in [0, 1], with transparent parts on black.

    Of a cut-out in colours, and of strokes of one shade, only how visible each pixel is. Otherwise like
    `read_on_white`.
    """
    picture = read_picture(source)
    rgb = _of_whole_pixels(picture.rgb)
    bright = rgb.mean(dim=1, keepdim=True)  # (1, 1, H, W)
    if picture.alpha is None or picture.is_opaque:
        return bright
    alpha = _of_whole_pixels(picture.alpha)
    return bright * alpha if _is_drawn(rgb, bright, alpha) else alpha


def _is_drawn(rgb: Tensor, bright: Tensor, alpha: Tensor) -> bool:
    """Whether what is visible of a picture is a mask in different greys, such as one that was rotated."""
    visible = alpha >= 0.95 * alpha.max()  # soft edges have odd colours
    colors = (rgb.amax(dim=1, keepdim=True) - rgb.amin(dim=1, keepdim=True))[visible]
    shades = bright[visible]
    return bool(colors.max() <= _COLORED and shades.max() - shades.min() >= _DIFFERENT)


def is_for_libvips(source: ImageSource) -> TypeGuard[str | Path]:
    """Whether it is a file too large to hold in memory, or a TIFF of a kind that PIL cannot read.

    Most faults of a file are reported when it is read.
    """
    if not isinstance(source, str | Path):
        return False
    try:
        with without_warnings(), open_picture(source) as image:
            known = image.format in large.READABLE and not has_12_bits(image)
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
    return tags.get(_PLANES) == _APART and max(tags.get(BITS, (8,))) == 16


def _check_pixels(size: tuple[int, int], name: str) -> None:
    if 0 in size:
        raise UnreadableImage(f"{name} has no pixels")
    if size[0] * size[1] > MAX_PIXELS:
        raise UnreadableImage(
            f"{name} has {size[0]}x{size[1]} pixels, more than {MAX_PIXELS:,}; reduce it first"
        )


def _in_its_format(pixels: Tensor) -> Tensor:
    """Pixels of bytes in the number format of a `Picture` of their size."""
    return pixels if pixels.shape[-2] * pixels.shape[-1] > WHOLE_PIXELS else as_float(pixels)


def _filled(picture: Picture) -> Picture:
    """The same picture, with fully transparent parts filled in place."""
    if picture.alpha is not None:
        fill_hidden(picture.rgb, picture.alpha)
    return picture


def _of_whole_pixels(image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    scale = min(1.0, math.sqrt(WHOLE_PIXELS / (height * width)))
    return as_float(resize(image, (max(1, int(scale * height)), max(1, int(scale * width)))))
