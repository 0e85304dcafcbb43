"""Memory: what is freed is kept, and where there is too little of it users are told."""

import platform
import subprocess
import sys

import pytest
import torch
from conftest import make_photo

from styletransfer.errors import InvalidInput
from styletransfer.images import Picture
from styletransfer.methods import cin

ON_THE_CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: ...")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ON_THE_CPU, "the memory is too small for a picture of 64x48 pixels; give a smaller size$"),
        (MemoryError(), "the memory is too small for a picture of 64x48 pixels; give a smaller size$"),
        (
            torch.OutOfMemoryError("CUDA out of memory"),
            "the GPU .* 64x48 pixels; .* size, or the device cpu$",
        ),
        (RuntimeError("MPS backend out of memory (MPS ..."), "the GPU .* 64x48 pixels; .* the device cpu$"),
        (RuntimeError("Invalid buffer size: 91.55 GiB"), "the GPU .* 64x48 pixels; .* the device cpu$"),
    ],
)
def test_a_photo_that_the_memory_is_too_small_for_is_told_and_a_batch_goes_on(
    transfer, monkeypatch, error, message
):
    small, large, stylize = make_photo(40, 40), make_photo(48, 64), cin.CinStylizer.stylize

    def allocate(self, content, *given):
        if content.shape[-1] == 64:
            raise error
        return stylize(self, content, *given)

    monkeypatch.setattr(cin.CinStylizer, "stylize", allocate)
    with pytest.raises(InvalidInput, match=message) as caught:
        transfer.stylize(large, "amber")
    assert caught.value.__context__ is None  # which would hold what fills the memory
    results = list(transfer.stylize_batch([large, small], "amber"))
    assert [result.error is None for result in results] == [False, True]


def test_a_photo_that_the_memory_is_too_small_to_enlarge_is_told(transfer, photo, monkeypatch):
    def full(*_):
        raise ON_THE_CPU

    monkeypatch.setattr(Picture, "resized", full)
    [result] = transfer.stylize_batch([photo], "amber", size=128)
    assert "too small for a picture of 128x96 pixels" in str(result.error)


def test_other_errors_are_not_taken_for_a_lack_of_memory(transfer, photo, monkeypatch):
    def broken(*_):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(cin.CinStylizer, "stylize", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        transfer.stylize(photo, "amber")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_freed_memory_is_kept_until_it_is_given_back():
    """In a process of its own, as what the C library is told holds for good."""
    script = """
import torch
from styletransfer.memory import keep_freed_memory, release_freed_memory

def held():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1000 for line in file if line.startswith("VmRSS"))

keep_freed_memory()
torch.ones(50_000_000)  # 200 MB
kept = held()
release_freed_memory()
print(kept - held())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 150
