"""PyTorch files that hold no code: checkpoints of trainings, tensors and plain values."""

import pickle
from pathlib import Path
from typing import Any

import torch

from styletransfer.errors import InvalidInput
from styletransfer.files import replacing

# What PyTorch raises at files that it did not write, or that are damaged.
UNREADABLE = (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError)


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write tensors and plain values, replacing an earlier file. Raises UnwritableOutput."""
    with replacing(path) as temporary:
        try:
            torch.save(state, temporary)
        except RuntimeError as error:  # raised by PyTorch when the disk is full
            raise OSError(str(error)) from error


def load_checkpoint(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """What `save_checkpoint` wrote. Raises InvalidInput for any other file, and FileNotFoundError."""
    try:
        state = torch.load(path, weights_only=True, map_location="cpu", mmap=mmap)
    except UNREADABLE as error:
        raise InvalidInput(
            f"{path} is damaged, or was not written by this program; delete or move it"
        ) from error
    if not isinstance(state, dict):
        raise InvalidInput(f"{path} was not written by this program; delete or move it")
    return state
