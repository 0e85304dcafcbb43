"""Which files count as pictures: the formats that are read and written, and the pictures of a folder."""

import logging
import os
from pathlib import Path

from styletransfer.errors import InvalidInput

log = logging.getLogger(__name__)

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
SAVE_OPTIONS: dict[str, dict] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 92, "method": 4},
    "PNG": {"compress_level": 3},  # faster than the usual 6, and of a painting the file is no larger
}
LONGEST_SIDES = {"JPEG": 65_500, "WEBP": 16_383}  # pixels; the limits of other formats are never reached
# What is opened, by PIL's names, whatever a file is called: for EPS, PIL would start Ghostscript. TGA comes
# last, as its files do not begin with a mark of their own.
READ_FORMATS = (
    *("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "JPEG2000", "PPM", "ICO", "PSD"),
    "TGA",
)
PICTURE_SUFFIXES = frozenset(FORMATS) | {
    *(".apng", ".avif", ".avifs", ".bmp", ".gif", ".heic", ".heics", ".heif", ".hif", ".ico", ".j2c", ".j2k"),
    *(".jfif", ".jp2", ".jpc", ".jpe", ".jpf", ".jpx", ".mpo", ".pbm", ".pgm", ".pnm", ".ppm", ".psd", ".tga"),
}


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
