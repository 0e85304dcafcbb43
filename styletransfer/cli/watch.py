"""Watching an optimisation: its steps in the progress bar, its losses as a plot, its pictures as files."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import Progress

from styletransfer import core, images
from styletransfer.cli.shared import report, show_losses
from styletransfer.errors import Cancelled, InvalidInput, UnwritableOutput
from styletransfer.files import check_place, make_folder, replacing

PLOT_SUFFIXES = (".png", ".svg", ".pdf")


class Watch:
    """An `on_step` for the method "gatys": Ctrl-C ends the current picture, which is kept as it is; a second
    Ctrl-C ends the command. `is_told_to_end` says whether the system asked for that at once, by another signal.

    Args:    plot: file for the losses; previews: folder for pictures of the work in progress.
    Raises:  InvalidInput where no plot can be drawn, UnwritableOutput.
    """

    def __init__(self, plot: Path | None, previews: Path | None) -> None:
        self.plot, self.previews = plot, previews
        self.is_told_to_end = False
        self._bar: Progress | None = None
        self._stopped = threading.Event()
        self._curve: list[tuple[float, float, float]] = []  # objective, content, style
        if plot:
            _check_plot(plot)

    @contextmanager
    def on(self, bar: Progress) -> Iterator[None]:
        """Show the steps in a second line of `bar`, and handle Ctrl-C. Raises UnwritableOutput."""
        if self.previews:
            make_folder(self.previews)
        self._bar = bar
        bar.add_task("optimising", total=None)
        before = signal.getsignal(signal.SIGINT)

        def stop(number: int, _: object) -> None:
            if number == signal.SIGINT and before == signal.SIG_IGN:  # as in the background of a script
                return
            self._stopped.set()
            self.is_told_to_end |= number != signal.SIGINT  # a closed terminal cannot press Ctrl-C again
            if number in (signal.SIGINT, signal.SIGTERM):  # shell and system tell of a closed terminal twice
                signal.signal(signal.SIGINT, before)  # so that the second time ends the command

        signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def __call__(self, progress: core.Progress) -> None:
        losses = progress.losses
        if losses:
            self._curve.append((losses["objective"], losses["content"], losses["style"]))
        if self._bar:
            show_losses(self._bar, progress, -1)
        if self.previews and progress.preview is not None:
            made_here = {"preview": len(self._curve)}  # so that it is not taken for a photo later on
            picture = images.to_pil(progress.preview, metadata=made_here)
            try:
                images.save_picture(picture, self.previews / f"{len(self._curve):05d}.png")
            except UnwritableOutput as error:  # the painting is worth more than its previews
                report(error)
                self.previews = None
        if self._stopped.is_set():
            self._stopped.clear()
            raise Cancelled

    def write_plot(self) -> None:
        """Draw the losses of all steps, if a plot was asked for and there were any."""
        if not (self.plot and self._curve):
            return
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 4.5), layout="tight")
        axes = figure.subplots()
        for values, label in zip(
            zip(*self._curve, strict=True), ("objective", "content", "style"), strict=False
        ):
            axes.plot(values, label=label)
        axes.set(yscale="log", xlabel="step", ylabel="loss")
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
        with replacing(self.plot) as temporary:
            figure.savefig(temporary, format=self.plot.suffix[1:].lower())


def _check_plot(path: Path) -> None:
    if path.suffix.lower() not in PLOT_SUFFIXES:
        raise UnwritableOutput(
            f"cannot draw a plot as {path.name!r}; the name must end in one of {', '.join(PLOT_SUFFIXES)}"
        )
    check_place(path)
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise InvalidInput("--plot needs matplotlib: pip install matplotlib") from None
