"""How long painting takes and how much memory: estimated before it is begun, or measured."""

import functools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from styletransfer.core import Cost, Style, Stylizer
from styletransfer.device import choose_dtype
from styletransfer.int8 import flop_formulas

MATRIX = 2048
MATRIX_RUNS = 3  # the fastest counts, as nothing else ran during it
PAINTING_RUNS = 3  # the median counts
USUAL_SHARE = 0.8  # of the rate of a plain matrix product, which the methods reach


@dataclass(frozen=True)
class Estimate:
    """About how many seconds a painting takes, and the bytes it needs in addition to the loaded program.

    A large picture itself is kept in files, which are not counted.
    """

    seconds: float
    memory: float


def estimate(cost: Cost, device: torch.device) -> Estimate:
    """The time and memory for work of that cost on this machine, by the rate measured on it."""
    if cost.seconds is not None:
        return Estimate(cost.seconds, cost.memory)
    return Estimate(cost.multiply_adds / (USUAL_SHARE * matrix_rate(device)), cost.memory)


@functools.cache
def matrix_rate(device: torch.device) -> float:
    """Multiply-adds per second of a matrix product, in the number format used for painting; measured once."""
    dtype = choose_dtype(device)
    with torch.inference_mode():
        left, right = torch.ones(2, MATRIX, MATRIX, device=device).to(dtype)
        return MATRIX**3 / min(run_times(lambda: left @ right, device, MATRIX_RUNS))


def measure(stylizer: Stylizer, style: Style, device: torch.device, side: int) -> tuple[float, float]:
    """Seconds and multiply-adds per pixel, for a picture of `side` x `side` pixels in one style."""
    from torch.utils.flop_counter import FlopCounterMode  # imports Triton where there is one

    photo = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))

    def paint() -> None:
        stylizer.stylize(photo, [style], torch.ones(1), torch.tensor(1.0))

    with torch.inference_mode(), FlopCounterMode(display=False, custom_mapping=flop_formulas()) as counter:
        paint()
    seconds = statistics.median(run_times(paint, device, PAINTING_RUNS))
    return seconds / side**2, counter.get_total_flops() / 2 / side**2


def run_times(work: Callable[[], object], device: torch.device, runs: int) -> list[float]:
    """Seconds of each run, after one that is not counted."""
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
