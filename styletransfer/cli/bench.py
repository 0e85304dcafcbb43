"""The command that measures the user's own machine."""

from typing import Annotated

import torch
import typer
from rich.table import Table

from styletransfer.bench import FAST_METHODS, measure
from styletransfer.cli.shared import Device, Quiet, app, console, progress, say
from styletransfer.device import choose_device, choose_dtype
from styletransfer.estimate import matrix_rate
from styletransfer.stylebank import StyleBank
from styletransfer.weights import package_folder


@app.command()
def bench(
    side: Annotated[int, typer.Option(help="Pixels of the pictures' sides.", min=64, max=3000)] = 1024,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Measure how fast this machine paints."""
    chosen = choose_device(device)
    bank = StyleBank(package_folder("styles"))
    style = bank.load(next(iter(bank.paths())))
    table = Table("method", "s a megapixel", "megapixels a s", "multiply-adds a pixel", "of the matrix rate")
    with progress("measuring", len(FAST_METHODS), quiet) as bar:
        rate = matrix_rate(chosen)
        for method in FAST_METHODS:
            figure = measure(method, style, package_folder("models"), chosen, rate=rate, side=side)
            table.add_row(
                figure.method,
                f"{figure.seconds:.2f}",
                f"{1 / figure.seconds:.1f}",
                f"{figure.multiply_adds:,.0f}",
                f"{figure.share:.0%}",
            )
            bar.advance(bar.task_ids[0])
    dtype = str(choose_dtype(chosen)).removeprefix("torch.")
    threads = f", {torch.get_num_threads()} threads" if chosen.type == "cpu" else ""
    say(f"{chosen.type}{threads}, {dtype}: {2 * rate / 1e9:.0f} GFLOP/s; pictures of {side} x {side}")
    console.print(table)
