"""From tensors to picture files, with the parameters they were made with."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from styletransfer.errors import UnwritableOutput
from styletransfer.files import check_place, replacing
from styletransfer.images import large
from styletransfer.images.formats import FORMATS, LONGEST_SIDES, SAVE_OPTIONS
from styletransfer.images.opening import exif_value, opened
from styletransfer.images.reading import is_for_libvips
from styletransfer.images.resizing import as_bytes

_DESCRIPTION = 0x010E  # the EXIF and TIFF tag ImageDescription
_METADATA_KEY = "styletransfer"
_EXIF_FIELD, _TIFF_FIELD = "exif-ifd0-ImageDescription", "image-description"  # what libvips calls that tag


@dataclass(frozen=True)
class Painting:
    """A result: `rgb` (1, 3, H, W) and perhaps `alpha` (1, 1, H, W), in [0, 1] or, if large, uint8.

    `parameters`, plain JSON values, describe how it was painted.
    """

    rgb: Tensor
    alpha: Tensor | None
    parameters: Mapping[str, object]

    def image(self) -> Image.Image:
        """As a PIL image of 8 bits, RGB or RGBA."""
        return to_pil(self.rgb, self.alpha, self.parameters)

    def save(self, path: str | Path) -> None:
        """Write it as `save_picture` does, a large one strip by strip. Raises UnwritableOutput."""
        if self.rgb.dtype != torch.uint8:
            save_picture(self.image(), path)
            return
        path = Path(path)
        check_writable(path)
        check_fits(path, (self.rgb.shape[-2], self.rgb.shape[-1]))
        file_format = FORMATS[path.suffix.lower()]
        text = json.dumps(dict(self.parameters), sort_keys=True)  # in ASCII
        fields = {"PNG": f"png-comment-0-{_METADATA_KEY}", "TIFF": _TIFF_FIELD}
        field = fields.get(file_format, _EXIF_FIELD)
        described = text if file_format == "PNG" else f"{_METADATA_KEY} {text}"
        with replacing(path) as temporary:
            large.write(self.rgb, self.alpha, temporary, file_format, {field: described})


def to_pil(
    rgb: Tensor, alpha: Tensor | None = None, metadata: Mapping[str, object] | None = None
) -> Image.Image:
    """A PIL image of 8 bits, RGB or RGBA, from (1, 3, H, W) and (1, 1, H, W), in [0, 1] or uint8.

    `metadata`, plain JSON values, is kept in the image's `info` until `save_picture` embeds it.
    """
    pixels = as_bytes(rgb) if alpha is None else torch.cat((as_bytes(rgb), as_bytes(alpha)), dim=1)
    planes = [Image.fromarray(plane.numpy()) for plane in pixels[0]]
    image = Image.merge("RGBA"[: len(planes)], planes)  # several times as fast as to interleave them here
    if metadata is not None:
        image.info[_METADATA_KEY] = json.dumps(dict(metadata), ensure_ascii=False, sort_keys=True)
    return image


def to_jpeg(rgb: Tensor) -> bytes:
    """A small file in memory, for previews; `rgb` (1, 3, H, W) in [0, 1]."""
    buffer = io.BytesIO()
    to_pil(rgb).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def check_writable(path: str | Path) -> None:
    """Raise UnwritableOutput unless a picture can be written to `path`. To be called before the work."""
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise UnwritableOutput(
            f"cannot write {path.name!r}; the name must end in one of {', '.join(sorted(FORMATS))}"
        )
    check_place(path)


def check_fits(path: Path, size: tuple[int, int]) -> None:
    """Raise UnwritableOutput where the format of `path` cannot hold a picture of that height and width."""
    file_format = FORMATS[path.suffix.lower()]
    longest = LONGEST_SIDES.get(file_format)
    if longest and max(size) > longest:
        raise UnwritableOutput(
            f"{path} would have {max(size):,} pixels on a side, and {file_format} allows at most {longest:,}; "
            "name a .png or .tif, or give a smaller size"
        )


def save_picture(image: Image.Image, path: str | Path) -> None:
    """Write a picture in the format its name ends in, with its parameters embedded.

    Written under a temporary name and renamed, so that a half-written file is never seen. JPEG has no
    transparency: there the picture is laid on white. Raises UnwritableOutput.
    """
    path = Path(path)
    check_writable(path)
    check_fits(path, (image.height, image.width))
    file_format = FORMATS[path.suffix.lower()]
    if file_format == "JPEG" and image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        flat = Image.alpha_composite(white, image).convert("RGB")
        flat.info.update(image.info)
        image = flat
    options = _save_options(file_format, image.info.get(_METADATA_KEY))
    with replacing(path) as temporary:
        try:
            image.save(temporary, file_format, **options)
        except ValueError as error:  # the parameters are too long for JPEG's EXIF
            raise UnwritableOutput(f"cannot write {path} as {file_format}: {error}; try .png") from error


def _save_options(file_format: str, metadata: str | None) -> dict:
    options = SAVE_OPTIONS.get(file_format, {})
    if metadata is None:
        return options
    if file_format == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt(_METADATA_KEY, metadata)
        return {**options, "pnginfo": chunks}
    exif = Image.Exif()
    exif[_DESCRIPTION] = f"{_METADATA_KEY} {json.dumps(json.loads(metadata))}"  # EXIF text is ASCII
    return {**options, "exif": exif}


def read_metadata(path: str | Path) -> dict:
    """The parameters that `save_picture` embedded; {} in a picture of other origin. Raises UnreadableImage."""
    keyed: str | None
    if is_for_libvips(path):
        texts = large.texts_of(Path(path))
        keyed = next((texts[field] for field in texts if field.endswith(f"-{_METADATA_KEY}")), None)
        described = texts.get(_EXIF_FIELD) or texts.get(_TIFF_FIELD, "")
    else:
        with opened(path) as (image, _):
            keyed = image.info.get(_METADATA_KEY)
            described = str(exif_value(image, _DESCRIPTION) or "")
    try:
        # libvips appends further words to the texts of EXIF.
        found, _ = json.JSONDecoder().raw_decode(keyed or described.partition(f"{_METADATA_KEY} ")[2])
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
