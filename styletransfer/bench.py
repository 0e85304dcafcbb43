"""How fast this machine paints: seconds a megapixel, and how near that is to what its processor could do."""

import statistics
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from styletransfer.core import Style
from styletransfer.device import choose_dtype, computes_int8
from styletransfer.estimate import run_times
from styletransfer.int8 import flop_formulas
from styletransfer.methods import METHODS

FAST_METHODS = ("cin", "adain")
RUNS = 3


@dataclass(frozen=True)
class Figure:
    """Of one method: seconds a megapixel, multiply-adds a pixel, and their share of the matrix rate."""

    method: str
    seconds: float
    multiply_adds: float
    share: float


@torch.inference_mode()
def measure(
    method: str, style: Style, models_dir: Path, device: torch.device, *, rate: float, side: int
) -> Figure:
    """Paint a picture of `side` x `side` pixels a few times, after once to warm up.

    Args:  rate: multiply-adds a second of a matrix product.
    """
    stylizer = METHODS[method](models_dir, device, choose_dtype(device), computes_int8(device))
    photo = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))

    def paint() -> None:
        stylizer.stylize(photo, [style], torch.ones(1), torch.tensor(1.0))

    with FlopCounterMode(display=False, custom_mapping=flop_formulas()) as counter:
        paint()
    work = counter.get_total_flops() / 2
    seconds = statistics.median(run_times(paint, device, RUNS))
    return Figure(method, seconds / side**2 * 1e6, work / side**2, work / seconds / rate)
