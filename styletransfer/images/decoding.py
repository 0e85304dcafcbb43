"""From a PIL image of any mode to the bytes that a viewer would show: upright, in sRGB, transparency apart."""

import io
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image, ImageCms
from PIL.PsdImagePlugin import PsdImageFile
from torch import Tensor

from styletransfer.images.opening import BITS, PHOTOMETRIC, exif_value

ORIENTATION, UPRIGHT = 0x0112, 1  # an EXIF tag, and its usual value
LYING = (5, 6, 7, 8)  # its values for pictures that are shown turned by a quarter
WHITE_IS_ZERO = 0  # the value of the TIFF tag PHOTOMETRIC for negatives
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
MAY_LACK_ALPHA = ("BMP", "TGA")  # where programs that know no transparency leave it 0 everywhere
BOX_SIDE = 1024  # pixels; more at a time would take several times the memory of the picture


def decode(image: Image.Image) -> tuple[Tensor, Tensor | None]:
    """The colours (1, 3, H, W) and, where there is transparency, alpha (1, 1, H, W), uint8.

    A fault of the file is raised as PIL tells it.
    """
    _scale_transparent_shade(image)
    image.load()
    file_format, is_selection = image.format, _is_selection(image)  # copies do not tell
    # Copies of a picture of 100 megapixels are expensive, so nothing is converted without need.
    turn = TURNS.get(orientation(image))
    if turn is not None:  # PIL's exif_transpose writes all of the EXIF anew, and fails at odd tags
        image = image.transpose(turn)
    profile = image.info.get("icc_profile")
    image = _to_8_bit(image)
    alpha = None
    if image.has_transparency_data and not is_selection:
        if image.mode not in ("RGBA", "LA"):
            image = image.convert("RGBA")
        alpha = _to_tensor(image.getchannel("A"))
        if file_format in MAY_LACK_ALPHA and not alpha.any():
            alpha = None
    return _to_tensor(_to_srgb(image, profile)), alpha


def orientation(image: Image.Image) -> int:
    """The EXIF orientation of a picture, UPRIGHT where it has none."""
    value = exif_value(image, ORIENTATION)
    return value if isinstance(value, int) else UPRIGHT


def has_12_bits(image: Image.Image) -> bool:
    """Whether it is a TIFF of greys from 0 to 4095, which PIL does not scale, and libvips does not read."""
    return getattr(image, "tag_v2", {}).get(BITS) == (12,)


def _is_selection(image: Image.Image) -> bool:
    """Whether what PIL takes for the transparency of a PSD is a selection that was saved in it.

    It is transparency where the number of layers is negative, and in a single layer.
    """
    if not isinstance(image, PsdImageFile) or image.tell() > 1:
        return False
    if image._layers_position is None:
        return True
    image._fp.seek(image._layers_position)
    return int.from_bytes(image._fp.read(2), "big", signed=True) >= 0


def _scale_transparent_shade(image: Image.Image) -> None:
    """In a PNG, PIL scales greys of less than 8 bits and colours of 16 to 8, but not the transparent one."""
    tiles = getattr(image, "tile", None)
    stored = tiles[0].args if image.format == "PNG" and tiles else None
    clear = image.info.get("transparency")
    if isinstance(clear, int) and stored in SHADE_FACTORS:
        image.info["transparency"] = clear * SHADE_FACTORS[stored]
    elif isinstance(clear, tuple) and stored == DEEP_RGB:
        image.info["transparency"] = tuple(shade >> 8 for shade in clear)


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
    scale = 16 if has_12_bits(image) else 1
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
    """(1, C, H, W), uint8, from an image of mode L or RGB."""
    width, height = image.size
    pixels = torch.empty(height, width, len(image.getbands()), dtype=torch.uint8)
    for (left, top), box in _boxes(image):
        rows, columns = box.shape[:2]
        shades = torch.from_numpy(box).view(rows, columns, -1)
        pixels[top : top + rows, left : left + columns] = shades
    return pixels.permute(2, 0, 1)[None]  # (1, C, H, W)


def _boxes(image: Image.Image) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """All parts of a picture, at most BOX_SIDE wide and high: left and top, and a copy of the pixels."""
    width, height = image.size
    for top in range(0, height, BOX_SIDE):
        for left in range(0, width, BOX_SIDE):
            right, bottom = min(left + BOX_SIDE, width), min(top + BOX_SIDE, height)
            yield (left, top), np.array(image.crop((left, top, right, bottom)))
