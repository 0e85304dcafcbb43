"""The command that measures the user's own machine."""

from typing import Annotated

import typer
from rich.table import Table

from styletransfer.cli.shared import FAST_METHODS, Device, app, console, progress, say


@app.command()
def bench(
    side: Annotated[
        int, typer.Option(help="Side of the square test picture, in pixels.", min=64, max=3000)
    ] = 1024,
    device: Device = None,
) -> None:
    """Measure how fast this machine paints."""
    import torch

    from styletransfer import methods
    from styletransfer.device import choose_device, choose_dtype
    from styletransfer.estimate import matrix_rate, measure
    from styletransfer.files import package_folder
    from styletransfer.stylebank import StyleBank

    chosen = choose_device(device)
    bank = StyleBank(package_folder("styles"))
    style = bank.load(next(iter(bank.paths())))
    table = Table(
        "method", "s per megapixel", "megapixels per s", "multiply-adds per pixel", "of the matrix rate"
    )
    with progress("measuring", len(FAST_METHODS), quiet=False) as bar:
        rate = matrix_rate(chosen)
        for method in FAST_METHODS:
            stylizer = methods.load(method, package_folder("models"), chosen)
            seconds, work = measure(stylizer, style, chosen, side)
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
