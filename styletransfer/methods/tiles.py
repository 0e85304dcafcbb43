"""Large pictures in parts: tiles that are painted one by one, and samples that tell what the whole is like."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from styletransfer.images import as_bytes

# Parts that statistics are measured on, spread evenly: 25 of them, 6.5 megapixels. Statistics of the picture
# made smaller would be of other strokes: at eight megapixels the painting then differs by 11 to 14 of 255 from
# the one with exact statistics; with such parts see docs/benchmarks.md.
SAMPLES = 5  # along either side
SAMPLE_SIDE = 512  # pixels, a multiple of 8; in smaller parts too much is near a border


@dataclass(frozen=True)
class Window:
    """A rectangle of a picture."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, image: Tensor) -> Tensor:
        """Its part of a picture or map (..., H, W), a view."""
        return image[..., self.top : self.top + self.height, self.left : self.left + self.width]

    def paste(self, part: Tensor, image: Tensor) -> None:
        """Put a part (..., H, W) in [0, 1] there, in the image's own number format."""
        self.cut(image).copy_(as_bytes(part) if image.dtype == torch.uint8 else part)


@dataclass(frozen=True)
class Tile:
    """A part of a picture that is painted: `inner` is its own, `outer` has the margin as well."""

    inner: Window
    outer: Window

    def own(self, painted: Tensor) -> Tensor:
        """The inner part of what was painted of the outer one."""
        above, before = self.inner.top - self.outer.top, self.inner.left - self.outer.left
        return Window(above, before, self.inner.height, self.inner.width).cut(painted)


def tiles(height: int, width: int, side: int, margin: int) -> Iterator[Tile]:
    """Tiles that cover a picture once, with a margin where it goes on, and then of at most `side` pixels.

    With their margins all are of one size: memory that one leaves is what the next one asks for.
    """
    for top, rows, above, outer_rows in _cuts(height, side, margin):
        for left, columns, before, outer_columns in _cuts(width, side, margin):
            outer = Window(above, before, outer_rows, outer_columns)
            yield Tile(Window(top, left, rows, columns), outer)


def _cuts(length: int, side: int, margin: int) -> Iterator[tuple[int, int, int, int]]:
    """Start and size of the tiles along one side, without and with the margin; starts are multiples of 8."""
    for count in range(1, length + 1):
        step = -(-length // count // 8) * 8
        # One alone has no neighbour, two have one each.
        whole = min(length, step + min(count - 1, 2) * margin)
        if whole <= side:
            break
    last = -(-(length - whole) // 8) * 8
    for start in range(0, length, step):
        outer = min(max(0, start - margin), last)
        yield start, min(step, length - start), outer, min(whole, length - outer)


def painted_pixels(size: tuple[int, int], whole: int, side: int, margin: int) -> tuple[int, int]:
    """How many pixels are computed in all, and how many at once; up to `whole` pixels there are no tiles."""
    height, width = size
    if height * width <= whole:
        return height * width, height * width
    areas = [tile.outer.height * tile.outer.width for tile in tiles(height, width, side, margin)]
    measured = sum(window.height * window.width for window in sample_windows(height, width))
    return sum(areas) + measured, max(*areas, measured)


def sample_windows(height: int, width: int) -> list[Window]:
    """Windows of one size, spread over a picture; they may overlap."""
    size = min(SAMPLE_SIDE, height), min(SAMPLE_SIDE, width)
    tops, lefts = (
        [round((whole - part) * index / (SAMPLES - 1)) for index in range(SAMPLES)]
        for whole, part in zip((height, width), size, strict=True)
    )
    return [Window(top, left, *size) for top in dict.fromkeys(tops) for left in dict.fromkeys(lefts)]
