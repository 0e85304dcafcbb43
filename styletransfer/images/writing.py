"""From tensors to picture files, with the parameters they were made with."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from styletransfer.errors import UnwritableOutput
from styletransfer.files import attempt, check_place, replacing
from styletransfer.images import large
from styletransfer.images.formats import FORMATS, LONGEST_SIDES, SAVE_OPTIONS
from styletransfer.images.metadata import METADATA_KEY, for_libvips, for_pil
from styletransfer.images.resizing import as_bytes


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
        texts = for_libvips(self.parameters, file_format)
        with replacing(path) as temporary:
            large.write(self.rgb, self.alpha, temporary, file_format, texts)


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
        image.info[METADATA_KEY] = json.dumps(dict(metadata), sort_keys=True)  # in ASCII, as in EXIF
    return image


def on_white(picture: Image.Image) -> Image.Image:
    """The picture as RGB, on white."""
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def to_jpeg(rgb: Tensor) -> bytes:
    """A small file in memory, for previews; `rgb` (1, 3, H, W) in [0, 1]."""
    buffer = io.BytesIO()
    to_pil(rgb).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def save_preview(picture: Image.Image, file: Path) -> None:
    """Write an RGB picture as a JPEG to look at, without parameters. Raises UnwritableOutput."""
    with attempt("write a picture to look at"):
        picture.save(file, "JPEG", quality=90)


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
        flat = on_white(image)
        flat.info.update(image.info)
        image = flat
    options = SAVE_OPTIONS.get(file_format, {})
    if METADATA_KEY in image.info:
        options = options | for_pil(image.info[METADATA_KEY], file_format)
    with replacing(path) as temporary:
        try:
            image.save(temporary, file_format, **options)
        except ValueError as error:  # the parameters are too long for JPEG's EXIF
            raise UnwritableOutput(f"cannot write {path} as {file_format}: {error}; try .png") from error
