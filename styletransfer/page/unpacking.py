"""The photos among uploaded files, and in zips, which are unpacked safely."""

import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from styletransfer import images
from styletransfer.errors import InvalidInput
from styletransfer.files import attempt

MOST_PHOTOS = 500
MOST_BYTES = 2_000_000_000  # of all zips, unpacked
# Ways of packing: in the others, which are rare, a few bytes become any amount in memory at once.
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError)  # what such zips raise
NOT_IN_NAMES = r'[\x00-\x1f<>:"\\|?*]'  # not allowed on Windows, where a colon could lead to another disk
LONGEST_STEM = 50  # letters of a photo's name to keep; in UTF-8 up to four times as many bytes


def photos_of(files: Sequence[Path], folder: Path) -> list[Path]:
    """The photos among the files; those in zips are unpacked into `folder`.

    Raises InvalidInput, or UnwritableOutput where the disk is full.
    """
    found: list[Path] = []
    size = 0
    for file in files:
        if file.suffix.lower() != ".zip":
            found.append(file)
            continue
        try:
            with zipfile.ZipFile(file) as archive:
                members = [each for each in archive.infolist() if _is_photo(each)]
                size += sum(member.file_size for member in members)
                if len(found) + len(members) > MOST_PHOTOS or size > MOST_BYTES:
                    raise InvalidInput(
                        f"more than {MOST_PHOTOS} photos, or more than {MOST_BYTES / 1e9:.0f} GB unpacked; "
                        "upload fewer at a time"
                    )
                if any(member.compress_type not in PACKINGS for member in members):
                    raise InvalidInput(
                        f"{file.name} is packed in a way that is not read here; pack it as an ordinary zip"
                    )
                found += [_unpacked(archive, member, folder) for member in members]
        except DAMAGED as error:
            raise InvalidInput(f"{file.name} is not a zip that can be read: {error}") from error
    if not found:
        raise InvalidInput("no pictures found; upload photos, or a zip of photos")
    if len(found) > MOST_PHOTOS:
        raise InvalidInput(f"these are {len(found)} photos; upload at most {MOST_PHOTOS} at a time")
    return found


def _is_photo(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename)
    hidden = path.name.startswith(".") or member.is_dir()
    return path.suffix.lower() in images.PICTURE_SUFFIXES and not hidden


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> Path:
    """Unpack a picture of a zip into a new folder; the path that the zip gives it is ignored."""
    name = PurePosixPath(member.filename)
    stem = re.sub(NOT_IN_NAMES, "_", name.stem)[:LONGEST_STEM]
    with archive.open(member) as source, attempt(f"unpack {name.name}"):
        path = Path(tempfile.mkdtemp(dir=folder)) / (stem + name.suffix)
        with path.open("wb") as target:
            shutil.copyfileobj(source, target)
    return path
