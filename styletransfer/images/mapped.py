"""Pixels in temporary files that are mapped into memory, so that a picture may be larger than memory.

The system reads and writes pages of a mapped file as they are touched and drops them when memory is short.
"""

import contextlib
import errno
import mmap
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from styletransfer.errors import UnwritableOutput

_mapped: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()
_mapping = threading.Lock()  # pictures are read in threads


def empty_like(image: Tensor) -> Tensor:
    """An empty picture (1, 3, H, W) of the same size and number format; in a mapped file if it is of bytes.

    Raises UnwritableOutput where there is no room for it.
    """
    if image.dtype != torch.uint8:
        return torch.empty_like(image)
    height, width = image.shape[-2:]
    with temporary_file() as path:
        with path.open("r+b") as file:
            # A disk that fills up later would kill the process.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, height * width * 3)
            else:
                check_room(path, height * width * 3)
            file.truncate(height * width * 3)
        return map_file(path, height, width, 3)


def release() -> None:
    """Let the system drop the touched pages of mapped pictures; they are read again when needed."""
    if hasattr(mmap, "MADV_DONTNEED"):
        with _mapping:
            touched = list(_mapped)
        for each in touched:
            each.madvise(mmap.MADV_DONTNEED)


@contextlib.contextmanager
def temporary_file() -> Iterator[Path]:
    """An empty file that is removed after the block; if it was mapped, its content lives on in the mapping."""
    # Not in the usual folder for temporary files, which is in memory on many systems.
    roomy = os.environ.get("TMPDIR") or ("/var/tmp" if Path("/var/tmp").is_dir() else None)
    try:
        descriptor, name = tempfile.mkstemp(prefix="styletransfer-", dir=roomy)
    except OSError as error:
        raise UnwritableOutput(
            f"cannot create a temporary file: {error.strerror}; set TMPDIR to a folder that can be written to"
        ) from error
    os.close(descriptor)
    try:
        yield Path(name)
    except OSError as error:
        raise UnwritableOutput(
            f"a large picture needs room for temporary files: {Path(name).parent}: {error.strerror}; "
            "set TMPDIR to a folder on another disk"
        ) from error
    finally:
        _remove(Path(name))


def map_file(path: Path, height: int, width: int, channels: int) -> Tensor:
    """The bytes (H, W, C) of a file as a tensor (1, C, H, W). The file is removed when nothing holds them."""
    with path.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), height * width * channels)
    with _mapping:
        _mapped.add(mapped)
    weakref.finalize(mapped, _remove, path)  # on Windows a mapped file cannot be removed
    lines = torch.frombuffer(mapped, dtype=torch.uint8).view(height, width, channels)
    return lines.permute(2, 0, 1)[None]  # (1, C, H, W), channels last


def check_room(path: Path, size: int) -> None:
    """Raise OSError unless so many bytes fit on the disk."""
    there = path.stat().st_size + shutil.disk_usage(path.parent).free
    if there < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
