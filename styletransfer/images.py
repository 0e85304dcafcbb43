"""Where pictures come in and go out: the only module that knows PIL and image files.

Inside the package a picture is a float32 tensor (1, 3, H, W), sRGB, in [0, 1]; its alpha travels apart.
"""

import io
import json
import os

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError
from torch import Tensor

from styletransfer.errors import InvalidInput, UnreadableImage, UnwritableOutput
from styletransfer.settings import MAX_PIXELS

ImageSource = str | Path | Image.Image


@dataclass(frozen=True)
class Picture:
    """A decoded picture: `rgb` (1, 3, H, W) and, where it has one, `alpha` (1, 1, H, W); both in [0, 1]."""

    rgb: Tensor
    alpha: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.rgb.shape[-2], self.rgb.shape[-1]


def read_picture(source: ImageSource) -> Picture:
    """Decode a picture as a viewer would show it: turned by its EXIF orientation, converted to sRGB.

    Args:    source: a file, or a PIL image of any mode.
    Raises:  UnreadableImage.
    """
    if isinstance(source, Image.Image):
        return _to_picture(source)
    path = Path(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS is our own limit
        try:
            with Image.open(path) as image:
                _check_pixels(image.size, str(path))
                image.load()
                return _to_picture(image)
        except FileNotFoundError:
            raise UnreadableImage(f"no such file: {path}") from None
        except IsADirectoryError:
            raise UnreadableImage(f"{path} is a folder; name a picture") from None
        except UnidentifiedImageError:
            if path.stat().st_size == 0:
                raise UnreadableImage(f"{path} is empty (0 bytes)") from None
            raise UnreadableImage(f"{path} is not a picture in a format that can be read") from None
        except (Image.DecompressionBombError, MemoryError):
            raise UnreadableImage(f"{path} has more than {MAX_PIXELS:,} pixels; reduce it first") from None
        except (OSError, SyntaxError, ValueError) as error:
            raise UnreadableImage(f"{path} cannot be read: {error}") from error


def _check_pixels(size: tuple[int, int], name: str) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise UnreadableImage(
            f"{name} has {size[0]}x{size[1]} pixels, more than {MAX_PIXELS:,}; reduce it first"
        )


def _to_picture(image: Image.Image) -> Picture:
    image = ImageOps.exif_transpose(image)
    alpha = None
    if image.has_transparency_data:
        if image.mode not in ("RGBA", "LA"):
            image = image.convert("RGBA")
        alpha = _to_tensor(image.getchannel("A"))
    return Picture(_to_tensor(_to_srgb(image)), alpha)


def _to_srgb(image: Image.Image) -> Image.Image:
    """RGB of 8 bits in the sRGB colour space, without alpha."""
    image = _to_8_bit(image)
    profile = image.info.get("icc_profile")
    if image.mode in ("LA", "PA", "P", "1", "RGBA", "RGBX", "RGBa", "La"):
        image = image.convert("L" if image.mode in ("LA", "La", "1") else "RGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a damaged profile, or one of another colour model: viewers ignore it as well
    return image.convert("RGB")


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Greyscale of 16 or 32 bits scaled to 8; other modes as they are."""
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.float64)
        scale = 257 if values.max(initial=0) > 255 or image.mode != "I" else 1
        return Image.fromarray(np.clip(values / scale, 0, 255).round().astype(np.uint8))
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        scale = 255 if values.max(initial=0) <= 1 else 1
        return Image.fromarray(np.clip(values * scale, 0, 255).round().astype(np.uint8))
    return image


def _to_tensor(image: Image.Image) -> Tensor:
    """(1, C, H, W) in [0, 1] from an image of mode L or RGB."""
    pixels = torch.from_numpy(np.array(image))
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    return pixels.permute(2, 0, 1)[None].float() / 255  # (1, C, H, W)


def resize_short_side(image: Tensor, side: int) -> Tensor:
    """The picture (1, C, H, W) with its short side at `side` pixels, aspect kept, antialiased."""
    height, width = image.shape[-2:]
    scale = side / min(height, width)
    return resize(image, (max(1, round(height * scale)), max(1, round(width * scale))))


def resize_long_side(image: Tensor, side: int) -> Tensor:
    """The picture (1, C, H, W) with its long side at `side` pixels, aspect kept, antialiased."""
    height, width = image.shape[-2:]
    scale = side / max(height, width)
    return resize(image, (max(1, round(height * scale)), max(1, round(width * scale))))


def resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    """The picture (1, C, H, W) at `size` (height, width), antialiased, in [0, 1]."""
    if image.shape[-2:] == size:
        return image
    return F.interpolate(image, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


PICTURE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"))


def find_pictures(folder: Path) -> list[Path]:
    """The picture files directly inside a folder, in order of name. Raises InvalidInput."""
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is not a folder")
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)


FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
_DESCRIPTION = 0x010E  # the EXIF and TIFF tag ImageDescription
_METADATA_KEY = "styletransfer"


def to_pil(rgb: Tensor, alpha: Tensor | None = None, metadata: dict | None = None) -> Image.Image:
    """A PIL image of 8 bits, RGB or RGBA, out of (1, 3, H, W) and (1, 1, H, W) in [0, 1].

    `metadata`, plain JSON values, rides in the image's `info` until `save_picture` embeds it.
    """
    channels = rgb if alpha is None else torch.cat((rgb, alpha), dim=1)
    pixels = (channels[0].clamp(0, 1) * 255).round().to(torch.uint8)
    image = Image.fromarray(pixels.permute(1, 2, 0).numpy())
    if metadata is not None:
        image.info[_METADATA_KEY] = json.dumps(metadata, ensure_ascii=False, sort_keys=True)
    return image


def check_writable(path: Path) -> None:
    """Raise UnwritableOutput unless a picture can be written to `path`: before the work, not after it."""
    if path.suffix.lower() not in FORMATS:
        raise UnwritableOutput(f"cannot write {path.name!r}; end it in {', '.join(sorted(FORMATS))}")
    if path.is_dir():
        raise UnwritableOutput(f"{path} is a folder; name a file")
    if not path.parent.is_dir():
        raise UnwritableOutput(f"the folder {path.parent} does not exist; create it first")
    if not os.access(path.parent, os.W_OK):
        raise UnwritableOutput(f"the folder {path.parent} cannot be written to")


def save_picture(image: Image.Image, path: Path) -> None:
    """Write a picture in the format its name ends in, with its parameters embedded.

    Written under a temporary name and renamed, so that a half-written file is never seen. JPEG has no
    transparency: there the picture is laid on white. Raises UnwritableOutput.
    """
    check_writable(path)
    file_format = FORMATS[path.suffix.lower()]
    if file_format == "JPEG" and image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        flat = Image.alpha_composite(white, image).convert("RGB")
        flat.info.update(image.info)
        image = flat
    options = _save_options(file_format, image.info.get(_METADATA_KEY))
    with replacing(path) as temporary:
        image.save(temporary, file_format, **options)


def _save_options(file_format: str, metadata: str | None) -> dict:
    options: dict = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 92, "method": 4}}.get(
        file_format, {}
    )
    if metadata is None:
        return options
    if file_format == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt(_METADATA_KEY, metadata)
        return {**options, "pnginfo": chunks}
    exif = Image.Exif()
    exif[_DESCRIPTION] = f"{_METADATA_KEY} {json.dumps(json.loads(metadata))}"  # EXIF text is ASCII
    return {**options, "exif": exif}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place if the block ends well, and is gone if not.

    Raises UnwritableOutput where the file system refuses.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise UnwritableOutput(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def read_metadata(path: Path) -> dict:
    """The parameters that `save_picture` embedded; {} in a picture of other origin. Raises UnreadableImage."""
    try:
        with Image.open(path) as image:
            text = image.info.get(_METADATA_KEY) or image.getexif().get(_DESCRIPTION, "")
    except FileNotFoundError:
        raise UnreadableImage(f"no such file: {path}") from None
    except (OSError, ValueError, SyntaxError) as error:
        raise UnreadableImage(f"{path} is not a picture that can be read: {error}") from error
    try:
        found = json.loads(str(text).removeprefix(f"{_METADATA_KEY} "))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
