"""Memory: what is freed is kept for the next layer, and a lack of it becomes a message."""

import contextlib
import ctypes
import os
from collections.abc import Callable
from typing import TypeVar

from styletransfer.errors import InvalidInput

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8  # of malloc.h
# In RuntimeErrors: PyTorch has a class for some of these alone.
OUT_OF_MEMORY = ("DefaultCPUAllocator", "Cannot allocate memory", "bad_alloc")
OUT_OF_GPU_MEMORY = (
    *("out of memory", "Invalid buffer size"),
    *("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"),
)
Result = TypeVar("Result")


def within_memory(work: Callable[[], Result], size: tuple[int, int]) -> Result:
    """The result of `work` on a picture of that size. Raises InvalidInput where the memory is too small."""
    try:
        return work()
    except (MemoryError, RuntimeError) as error:
        if is_lack_of_gpu_memory(error):
            memory, remedy = "memory of the GPU", "a smaller size, or the device cpu"
        elif isinstance(error, MemoryError) or any(text in str(error) for text in OUT_OF_MEMORY):
            memory, remedy = "memory", "a smaller size"
        else:
            raise
    # Raised from that error, this one would hold what fills the memory.
    height, width = size
    raise InvalidInput(f"the {memory} is too small for a picture of {width}x{height} pixels; give {remedy}")


def is_lack_of_gpu_memory(error: Exception) -> bool:
    """Whether PyTorch says by this error that a GPU's memory is full."""
    return isinstance(error, RuntimeError) and any(text in str(error) for text in OUT_OF_GPU_MEMORY)


def release_freed_memory() -> None:
    """Return to the system the memory that was freed so far and that `keep_freed_memory` has kept.

    To be called before work that needs blocks of other sizes, for all of which the heap would otherwise grow.
    """
    _of_glibc("malloc_trim", 0)


def keep_freed_memory() -> None:
    """Tell the C library to keep freed memory instead of returning it to the system.

    Feature maps are large blocks that come and go with every layer; getting each of them from the system again
    costs up to a fifth of the time. Does nothing where the C library is not glibc.
    """
    _of_glibc("mallopt", M_TRIM_THRESHOLD, 2**31 - 1)
    _of_glibc("mallopt", M_TOP_PAD, 64 * 2**20)
    _of_glibc("mallopt", M_MMAP_MAX, 0)
    _of_glibc("mallopt", M_ARENA_MAX, 1)  # so that a thread can use what another one has freed, as on the page


def _of_glibc(function: str, *given: int) -> None:
    if os.name == "posix":
        with contextlib.suppress(OSError, AttributeError):
            getattr(ctypes.CDLL("libc.so.6"), function)(*given)
