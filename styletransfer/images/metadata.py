"""The parameters of a painting inside its file: as text of its own in PNG, elsewhere as the description."""

import json
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, PngImagePlugin

from styletransfer.images import large
from styletransfer.images.opening import exif_value, opened
from styletransfer.images.reading import is_for_libvips

METADATA_KEY = "styletransfer"
_DESCRIPTION = 0x010E  # the EXIF and TIFF tag ImageDescription
_EXIF_FIELD, _TIFF_FIELD = "exif-ifd0-ImageDescription", "image-description"  # what libvips calls that tag


def for_pil(parameters: str, file_format: str) -> dict:
    """The options with which PIL writes parameters, as JSON, into a file of that format."""
    if file_format == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt(METADATA_KEY, parameters)
        return {"pnginfo": chunks}
    exif = Image.Exif()
    exif[_DESCRIPTION] = f"{METADATA_KEY} {parameters}"
    return {"exif": exif}


def for_libvips(parameters: Mapping[str, object], file_format: str) -> dict[str, str]:
    """The field of libvips, and its text, that writes parameters into a file of that format."""
    text = json.dumps(dict(parameters), sort_keys=True)  # in ASCII
    if file_format == "PNG":
        return {f"png-comment-0-{METADATA_KEY}": text}
    return {_TIFF_FIELD if file_format == "TIFF" else _EXIF_FIELD: f"{METADATA_KEY} {text}"}


def read_metadata(path: str | Path) -> dict:
    """The parameters that `save_picture` embedded; {} in a picture of other origin. Raises UnreadableImage."""
    keyed: str | None
    if is_for_libvips(path):
        texts = large.texts_of(Path(path))
        keyed = next((texts[field] for field in texts if field.endswith(f"-{METADATA_KEY}")), None)
        described = texts.get(_EXIF_FIELD) or texts.get(_TIFF_FIELD, "")
    else:
        with opened(path) as (image, _):
            keyed = image.info.get(METADATA_KEY)
            described = str(exif_value(image, _DESCRIPTION) or "")
    try:
        # libvips appends further words to the texts of EXIF.
        found, _ = json.JSONDecoder().raw_decode(keyed or described.partition(f"{METADATA_KEY} ")[2])
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
