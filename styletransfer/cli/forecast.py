"""Announcing that a command will take long, or much memory."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from styletransfer import images
from styletransfer.api import StyleTransfer
from styletransfer.cli.shared import say
from styletransfer.errors import InvalidInput, UnreadableImage
from styletransfer.settings import MAX_PIXELS, Optimization

LEAST_PIXELS = 10_000_000  # below that, the estimate could take as long as the painting
LONG = 10.0  # seconds
MUCH = 2e9  # bytes


def result_sizes(photos: Iterable[Path], size: int | None) -> dict[Path, tuple[int, int]]:
    """Photo -> height and width of its painting. Photos that cannot be read, or are too large, are left out."""
    sizes = {}
    for photo in photos:
        with suppress(UnreadableImage):
            found = images.read_size(photo)
            if found[0] * found[1] <= MAX_PIXELS:
                sizes[photo] = images.with_long_side(found, size) if size else found
    return sizes


def announce(
    transfer: StyleTransfer,
    sizes: Iterable[tuple[int, int]],
    stroke_size: float,
    method: str,
    optimization: Optimization,
) -> None:
    """Say how long paintings of these sizes will take and how much memory they need, if either is much."""
    sizes = list(sizes)
    painted = sum(height * width for height, width in sizes) / min(1, stroke_size) ** 2
    if method != "gatys" and painted < LEAST_PIXELS:
        return
    found = []
    for each in sizes:
        with suppress(InvalidInput):  # of a photo that is too large, which the batch reports
            found.append(
                transfer.estimate(each, method=method, stroke_size=stroke_size, optimization=optimization)
            )
    seconds = sum(each.seconds for each in found)
    memory = max((each.memory for each in found), default=0.0)
    if seconds > LONG or memory > MUCH:
        time = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} minutes"
        say(f"this takes about {time} and {memory / 1e9:.1f} GB of memory")
