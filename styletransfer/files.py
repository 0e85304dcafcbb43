"""Writing files so that a half-written one is never seen."""

import contextlib
import hashlib
import importlib.util
import os
import pickle
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from styletransfer.errors import InvalidInput, UnwritableOutput

LONGEST_NAME = 255  # bytes
# What PyTorch raises at files that are none of its own, or damaged.
UNREADABLE = (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place if the block ends well, and is gone if not.

    Raises UnwritableOutput where the file system refuses.
    """
    if not path.name:
        raise UnwritableOutput(f"{path} is a folder; name a file")
    temporary = path.with_name(f".{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise UnwritableOutput(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_place(path: Path) -> None:
    """Raise UnwritableOutput where no file can be written: before the work, not after it."""
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise UnwritableOutput(f"the name {path.name[:40]}... is too long for a file; choose a shorter one")
    try:
        if path.is_dir():
            raise UnwritableOutput(f"{path} is a folder; name a file")
        if not path.parent.is_dir():
            raise UnwritableOutput(f"the folder {path.parent} does not exist; create it first")
    except OSError as error:  # a folder above it is closed
        raise UnwritableOutput(f"cannot write {path}: {error.strerror or error}") from error
    if not os.access(path.parent, os.W_OK):
        raise UnwritableOutput(f"the folder {path.parent} cannot be written to")


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write tensors and plain values in place of what is there. Raises UnwritableOutput."""
    with replacing(path) as temporary:
        try:
            torch.save(state, temporary)
        except RuntimeError as error:  # which is what PyTorch makes of a full disk
            raise OSError(str(error)) from error


def load_checkpoint(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """What `save_checkpoint` wrote. Raises InvalidInput where it is no such file, FileNotFoundError of none."""
    try:
        state = torch.load(path, weights_only=True, map_location="cpu", mmap=mmap)
    except UNREADABLE as error:
        raise InvalidInput(
            f"{path} is damaged, or was not written by this program; delete or move it"
        ) from error
    if not isinstance(state, dict):
        raise InvalidInput(f"{path} was not written by this program; delete or move it")
    return state


def in_package(package: str, *parts: str) -> Path | None:
    """A file or folder inside an installed package, which is not imported; None where that is missing."""
    spec = importlib.util.find_spec(package)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent.joinpath(*parts)


def sha256_of(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def printable(name: str) -> str:
    """A file's name as text that can be written anywhere: bytes in it that are none become question marks."""
    return os.fsencode(name).decode("utf-8", "replace")


def recorded(command: str, *words: str, **options: object) -> str:
    """A command that makes the same again, for files that travel: where things lie is nobody's business.

    Options that are None are left out, those that are lists are given several times.
    """
    told = [*words]
    for name, value in options.items():
        for each in value if isinstance(value, list) else [value]:
            if each is not None:
                text = each.resolve().name if isinstance(each, Path) else str(each)
                told += [f"--{name.replace('_', '-')}", text]
    return printable(shlex.join(["styletransfer", command, *told]))


def make_folder(path: Path) -> None:
    """Create a folder and those above it, unless they exist. Raises UnwritableOutput."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableOutput(f"cannot create the folder {path}: {error.strerror or error}") from error
