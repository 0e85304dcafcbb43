"""Saying beforehand that something will take long, or much memory."""

from collections.abc import Iterable
from pathlib import Path

from styletransfer import images
from styletransfer.api import StyleTransfer
from styletransfer.cli.shared import say
from styletransfer.errors import UnreadableImage
from styletransfer.settings import Optimization

LEAST_PIXELS = 10_000_000  # below, the estimate could take as long as the painting
LONG = 10.0  # seconds
MUCH = 2e9  # bytes


def announce(
    transfer: StyleTransfer,
    photos: Iterable[Path],
    size: int | None,
    stroke_size: float,
    method: str,
    optimization: Optimization | None,
) -> None:
    """Say how long painting the photos will take and the memory it needs, where either is much."""
    sizes = []
    for photo in photos:
        try:
            height, width = images.read_size(photo)
        except UnreadableImage:
            continue  # which is reported when its turn comes
        if size:
            height, width = images.with_long_side((height, width), size)
        sizes.append((max(1, round(height / stroke_size)), max(1, round(width / stroke_size))))
    if method != "gatys" and sum(height * width for height, width in sizes) < LEAST_PIXELS:
        return
    found = [transfer.estimate(each, method=method, optimization=optimization) for each in sizes]
    seconds = sum(each.seconds for each in found)
    memory = max((each.memory for each in found), default=0.0)
    if seconds > LONG or memory > MUCH:
        time = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} minutes"
        say(f"this takes about {time} and {memory / 1e9:.1f} GB of memory")
