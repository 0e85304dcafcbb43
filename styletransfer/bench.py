"""How fast this machine paints: seconds a megapixel, and how near that is to what its processor could do."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from styletransfer.core import Style
from styletransfer.device import choose_dtype
from styletransfer.methods import METHODS

SIDE = 1024  # pixels
RUNS = 3
MATRIX = 2048
FAST_METHODS = ("cin", "adain")


@dataclass(frozen=True)
class Figure:
    """Of one method: seconds a megapixel, multiply-adds a pixel, and their share of the matrix rate."""

    method: str
    seconds: float
    multiply_adds: float
    share: float


@torch.inference_mode()
def matrix_rate(device: torch.device) -> float:
    """Multiply-adds a second of a matrix product in the number format that is painted in."""
    dtype = choose_dtype(device)
    left, right = torch.randn(2, MATRIX, MATRIX, device=device).to(dtype)
    return MATRIX**3 / _seconds(lambda: left @ right, device)


@torch.inference_mode()
def measure(method: str, style: Style, models_dir: Path, device: torch.device, rate: float) -> Figure:
    """Paint a picture of SIDE x SIDE a few times, after once to warm up."""
    stylizer = METHODS[method](models_dir, device, choose_dtype(device))
    photo = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))

    def paint() -> None:
        stylizer.stylize(photo, [style], torch.ones(1), torch.tensor(1.0))

    with FlopCounterMode(display=False) as counter:
        paint()
    work = counter.get_total_flops() / 2
    seconds = _seconds(paint, device)
    return Figure(method, seconds / SIDE**2 * 1e6, work / SIDE**2, work / seconds / rate)


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """Median over some runs, after one that does not count."""
    times = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])
