"""Which processor to compute on, and in which number format."""

import contextlib
import ctypes
import functools
import os
from pathlib import Path

import torch

from styletransfer.errors import InvalidInput


def choose_device(name: str | None = None) -> torch.device:
    """The device of that name, or the best one there is. Raises InvalidInput."""
    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda", "mps"):
            raise RuntimeError("use cpu, cuda or mps")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InvalidInput(f"cannot compute on {name!r}: {error}") from error
    return device


def choose_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware computes in it, float32 elsewhere: emulated it is slower than float32."""
    if device.type == "cpu":
        native = "avx512_bf16" in _processor_flags() or "amx_bf16" in _processor_flags()
    elif device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        native = False
    return torch.bfloat16 if native else torch.float32


@functools.cache
def _processor_flags() -> frozenset[str]:
    try:
        with Path("/proc/cpuinfo").open(encoding="ascii", errors="ignore") as file:
            for line in file:
                if line.startswith("flags"):
                    return frozenset(line.split())
    except OSError:
        pass  # not Linux
    return frozenset()


def release_freed_memory() -> None:
    """Give back to the system what was freed until now, where `keep_freed_memory` has kept it.

    Before something that needs blocks of other sizes: the heap would else grow by all of them.
    """
    if os.name == "posix":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def keep_freed_memory() -> None:
    """Tell the C library to keep freed memory instead of giving it back to the system.

    Feature maps are large blocks that come and go at every layer; getting each one anew from the system
    costs up to a fifth of the time. Does nothing where the C library is not glibc.
    """
    if os.name != "posix":
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    trim_threshold, top_pad, mmap_max = -1, -2, -4  # M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX of malloc.h
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 64 * 2**20)
    mallopt(mmap_max, 0)
