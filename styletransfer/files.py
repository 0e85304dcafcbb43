"""Files: written so that a half-written one is never seen, and found where a package lies."""

import contextlib
import hashlib
import importlib.util
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from styletransfer.errors import UnwritableOutput


@contextmanager
def attempt(action: str) -> Iterator[None]:
    """Report what the file system refuses as UnwritableOutput; `action` is such as "write out.png"."""
    try:
        yield
    except OSError as error:
        raise UnwritableOutput(f"cannot {action}: {error.strerror or error}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path that takes the place of `path` if the block ends well, and is removed if it does not.

    Where `path` is a symbolic link, the file that it points to is replaced. Raises UnwritableOutput.
    """
    with attempt(f"write {path}"):
        target = _followed(path)
        with _temporary_in(target.parent) as temporary:
            yield temporary
            temporary.replace(target)


def real(path: Path) -> Path:
    """The path without links, absolute. Unlike `Path.resolve` it takes a link in a loop for a file."""
    return Path(os.path.realpath(path))


@contextmanager
def _temporary_in(folder: Path) -> Iterator[Path]:
    """A path for a file there, which is removed after the block."""
    path = folder / f".{os.getpid()}-{threading.get_ident()}.tmp"
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _followed(path: Path) -> Path:
    return real(path) if path.is_symlink() else path


def check_place(path: Path) -> None:
    """Raise UnwritableOutput where no file can be written. To be called before the work, not after it."""
    with attempt(f"write {path}"):  # a folder above it may be closed, or the name too long
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.lstat()
        folder = _followed(path).parent
        if path.is_dir():
            raise UnwritableOutput(f"{path} is a folder; name a file")
        if not folder.is_dir():
            raise UnwritableOutput(f"the folder {folder} does not exist; create it first")
        with _temporary_in(folder) as trial:
            trial.touch()  # os.access says yes to every folder of Windows


def in_package(package: str, *parts: str) -> Path | None:
    """A file or folder inside an installed package, which is not imported; None where either is missing."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent.joinpath(*parts)
    return path if path.exists() else None


def package_folder(name: str) -> Path:
    """Where `models/` or `styles/` is: inside an installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / name
    return inside if inside.is_dir() else Path(__file__).parent.parent / name


def version_of(path: str | Path) -> tuple[int, int, int] | None:
    """What is another for another content of a file; None for one that cannot be looked at."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def sha256_of(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_folder(path: Path) -> None:
    """Create a folder and those above it, unless they exist. Raises UnwritableOutput."""
    with attempt(f"create the folder {path}"):
        path.mkdir(parents=True, exist_ok=True)
