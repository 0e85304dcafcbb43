"""The command that measures the user's own machine."""

import statistics
from typing import Annotated

import torch
import typer
from rich.table import Table

from styletransfer import methods
from styletransfer.cli.shared import Device, app, console, progress, say
from styletransfer.core import Style
from styletransfer.device import choose_device, choose_dtype
from styletransfer.estimate import matrix_rate, run_times
from styletransfer.files import package_folder
from styletransfer.int8 import flop_formulas
from styletransfer.stylebank import StyleBank

FAST_METHODS = ("cin", "adain")
RUNS = 3


@app.command()
def bench(
    side: Annotated[int, typer.Option(help="Pixels of the pictures' sides.", min=64, max=3000)] = 1024,
    device: Device = None,
) -> None:
    """Measure how fast this machine paints."""
    chosen = choose_device(device)
    bank = StyleBank(package_folder("styles"))
    style = bank.load(next(iter(bank.paths())))
    table = Table(
        "method", "s per megapixel", "megapixels per s", "multiply-adds per pixel", "of the matrix rate"
    )
    with progress("measuring", len(FAST_METHODS), quiet=False) as bar:
        rate = matrix_rate(chosen)
        for method in FAST_METHODS:
            seconds, work = _measure(method, style, chosen, side)
            table.add_row(
                method,
                f"{seconds * 1e6:.2f}",
                f"{1e-6 / seconds:.1f}",
                f"{work:,.0f}",
                f"{work / seconds / rate:.0%}",
            )
            bar.advance(bar.task_ids[0])
    dtype = str(choose_dtype(chosen)).removeprefix("torch.")
    threads = f", {torch.get_num_threads()} threads" if chosen.type == "cpu" else ""
    say(f"{chosen.type}{threads}, {dtype}: {2 * rate / 1e9:.0f} GFLOP/s; pictures of {side} x {side}")
    console.print(table)


@torch.inference_mode()
def _measure(method: str, style: Style, device: torch.device, side: int) -> tuple[float, float]:
    """Seconds and multiply-adds per pixel, for a picture of `side` x `side` pixels."""
    from torch.utils.flop_counter import FlopCounterMode  # imports Triton where there is one

    stylizer = methods.load(method, package_folder("models"), device)
    photo = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))

    def paint() -> None:
        stylizer.stylize(photo, [style], torch.ones(1), torch.tensor(1.0))

    with FlopCounterMode(display=False, custom_mapping=flop_formulas()) as counter:
        paint()
    seconds = statistics.median(run_times(paint, device, RUNS))
    return seconds / side**2, counter.get_total_flops() / 2 / side**2
