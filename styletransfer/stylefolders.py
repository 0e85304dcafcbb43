"""Where style files are, without reading them, which takes PyTorch: their folders, and their names there."""

from collections.abc import Iterable
from pathlib import Path

from platformdirs import user_data_path

SUFFIX = ".safetensors"  # of a style file; the rest of its name is the style's


def users_folder() -> Path | None:
    """The folder of the user's own styles; None where the system names no home for the user."""
    try:
        folder = user_data_path("styletransfer") / "styles"
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None  # older platformdirs leave "~" as it is


def find_styles(folders: Iterable[Path]) -> dict[str, Path]:
    """Style name -> file, in order of name; of files with the same name, the one of the first folder."""
    found: dict[str, Path] = {}
    for folder in folders:
        try:
            files = list(folder.iterdir())
        except OSError:  # there is none, or it is closed to this user
            continue
        for path in files:
            if path.suffix == SUFFIX and path.name[0] != ".":
                found.setdefault(path.stem, path)
    return dict(sorted(found.items()))
