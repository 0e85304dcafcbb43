"""How long a painting will take and how much memory, said before it is begun."""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from styletransfer.core import Cost
from styletransfer.device import choose_dtype

MATRIX = 2048
MATRIX_RUNS = 8  # the fastest of which counts: nothing came in between
USUAL_SHARE = 0.8  # of the rate of a plain matrix product, that the methods reach


@dataclass(frozen=True)
class Estimate:
    """About how long a painting takes, and the bytes it needs beside the loaded program.

    A large picture itself is in files, which do not count.
    """

    seconds: float
    memory: float


def estimate(cost: Cost, device: torch.device) -> Estimate:
    """What work of that cost takes on this machine, by the rate measured on it."""
    return Estimate(cost.multiply_adds / (USUAL_SHARE * matrix_rate(device)), cost.memory)


@functools.cache
def matrix_rate(device: torch.device) -> float:
    """Multiply-adds a second of a matrix product in the number format that is painted in; measured once."""
    dtype = choose_dtype(device)
    with torch.inference_mode():
        left, right = torch.ones(2, MATRIX, MATRIX, device=device).to(dtype)
        return MATRIX**3 / min(run_times(lambda: left @ right, device, MATRIX_RUNS))


def run_times(work: Callable[[], object], device: torch.device, runs: int) -> list[float]:
    """Seconds of each of some runs, after one that does not count."""
    times = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        elif device.type == "mps":
            torch.mps.synchronize()
        times.append(time.perf_counter() - began)
    return times[1:]
