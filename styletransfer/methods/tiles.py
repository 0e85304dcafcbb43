"""Large pictures in parts: tiles that are painted one by one, and samples that the statistics come from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from styletransfer.convolution import computed_pixels
from styletransfer.core import OnStep, Progress
from styletransfer.images import as_bytes, as_float, empty_like
from styletransfer.masks import counted
from styletransfer.memory import release_freed_memory

COARSE_STEP = 8  # pixels; every COARSE_STEP-th one is looked at to see how typical a sample is of the picture
EQUAL_WEIGHT = 0.01  # of keeping the samples' shares equal, beside fitting the picture's mean colours
LEAST_SHARE = 0.1  # of a sample, relative to an equal share
LEAST_SEEN = 0.01  # how much a pixel counts, relative to the one that counts most, to be sampled
LEAST_COVERED = 0.25  # of the pixels of a sample: a region needs as many for its statistics

Statistics = TypeVar("Statistics")  # of a picture, as its method has them


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
        """Put a part (..., H, W) in [0, 1] there, in the dtype of the image."""
        self.cut(image).copy_(as_bytes(part) if image.dtype == torch.uint8 else part)


@dataclass(frozen=True)
class Sampling:
    """Which parts of a large picture its statistics are measured on: samples on an even grid.

    A thumbnail has the statistics of other strokes: at eight megapixels the painting then differs by 11 to 14
    of 255 from the one with exact statistics; for samples see docs/experiments.md.

    `count`: along either side; `side`: of a sample, in pixels, a multiple of 8; `rim`: pixels at its border
    that count little, since the layers leave out more and more of them.
    """

    count: int
    side: int
    rim: int = 0

    def windows(self, height: int, width: int, regions: Tensor | None = None) -> list[Window]:
        """The samples, all of one size; they may overlap.

        Args:  regions: (R, h, w) in [0, 1], at every COARSE_STEP-th pixel. The samples are spread over all of
               them together. For each that no sample covers well enough, the window that covers it best is
               added: a region between the samples would have no statistics.
        """
        size = min(self.side, height), min(self.side, width)
        tops, lefts = (
            [round(first + (last - part - first) * index / (self.count - 1)) for index in range(self.count)]
            for part, (first, last) in zip(size, _bounds(height, width, size, regions), strict=True)
        )
        windows = [Window(top, left, *size) for top in dict.fromkeys(tops) for left in dict.fromkeys(lefts)]
        for region in () if regions is None else regions:
            best = max(_coarse(window).cut(region).mean() for window in windows)
            if best < LEAST_COVERED * region.max():
                shown = F.avg_pool2d(region[None], [side // COARSE_STEP for side in size], stride=1)[0]
                places = (shown >= 0.999 * shown.max()).nonzero()  # many, where the region is small
                off_middle = (places - places.float().mean(dim=0)).square().sum(dim=1)
                top, left = (COARSE_STEP * int(place) for place in places[off_middle.argmin()])
                windows.append(Window(min(top, height - size[0]), min(left, width - size[1]), *size))
        return windows


def _bounds(height: int, width: int, least: tuple[int, int], regions: Tensor | None) -> list[tuple[int, int]]:
    """First and last row and column of what is to be sampled, at least so high and wide.

    What is all but hidden, as cutting a thing out leaves it anywhere, is not looked for.
    """
    found = []
    for axis, (whole, part) in enumerate(zip((height, width), least, strict=True)):
        first, last = 0, whole
        if regions is not None and regions.any():
            there = (regions.amax(dim=(0, 2 - axis)) > LEAST_SEEN * regions.max()).nonzero()
            first, last = COARSE_STEP * int(there.min()), min(whole, COARSE_STEP * (int(there.max()) + 1))
        if last - first < part:  # in the middle: at the rim of a sample it would count little
            first = max(0, min((first + last - part) // 2 // COARSE_STEP * COARSE_STEP, whole - part))
        found.append((first, max(last, first + part)))
    return found


@dataclass(frozen=True)
class Tile:
    """A part of a picture that is painted: `inner` is its own, `outer` has the margin as well."""

    inner: Window
    outer: Window

    def own(self, painted: Tensor, stride: int = 1) -> Tensor:
        """The inner part of a map of the outer window, a view; `stride` pixels lie between its places."""
        inner, outer = self.inner, self.outer
        above, before = (inner.top - outer.top) // stride, (inner.left - outer.left) // stride
        below = (outer.top + outer.height - inner.top - inner.height) // stride
        after = (outer.left + outer.width - inner.left - inner.width) // stride
        return painted[..., above : painted.shape[-2] - below, before : painted.shape[-1] - after]


def tiles(height: int, width: int, side: int, margin: int, alignment: int = 8) -> Iterator[Tile]:
    """Tiles that cover a picture once, of at most `side` pixels with the margin that they have inside it.

    With their margins all are of one size, so that each can use the memory that the one before it freed. They
    begin at multiples of `alignment`, which divides the margin.
    """
    for top, rows, above, outer_rows in _cuts(height, side, margin, alignment):
        for left, columns, before, outer_columns in _cuts(width, side, margin, alignment):
            outer = Window(above, before, outer_rows, outer_columns)
            yield Tile(Window(top, left, rows, columns), outer)


def _cuts(length: int, side: int, margin: int, alignment: int) -> Iterator[tuple[int, int, int, int]]:
    """Start and size of the tiles along one side, without and with the margin."""
    for count in range(1, length + 1):
        step = -(-length // count // alignment) * alignment
        # One alone has no neighbour, two have one each.
        whole = min(length, step + min(count - 1, 2) * margin)
        if whole <= side:
            break
    last = -(-(length - whole) // alignment) * alignment
    for start in range(0, length, step):
        outer = min(max(0, start - margin), last)
        yield start, min(step, length - start), outer, min(whole, length - outer)


@dataclass(frozen=True)
class Tiling:
    """How a method paints large pictures.

    `whole`: pixels up to which a picture is painted at once; `side`: of a tile with its margins; `margin`: how
    far away pixels can be that a pixel of the painting depends on; `sampling`: where statistics are measured.
    """

    whole: int
    side: int
    margin: int
    sampling: Sampling

    def plan(self, size: tuple[int, int]) -> list[Tile]:
        """The tiles of a picture of that height and width, or one that covers all of it."""
        if computed_pixels(size) > self.whole:
            return list(tiles(*size, self.side, self.margin))
        everything = Window(0, 0, *size)
        return [Tile(everything, everything)]

    def pixels(self, size: tuple[int, int]) -> tuple[int, int]:
        """How many pixels are computed in all, and how many at once."""
        if computed_pixels(size) <= self.whole:
            return computed_pixels(size), computed_pixels(size)
        areas = [tile.outer.height * tile.outer.width for tile in self.plan(size)]
        measured = sum(window.height * window.width for window in self.sampling.windows(*size))
        return sum(areas) + measured, max(*areas, measured)

    def paint(
        self,
        content: Tensor,
        measure: Callable[[], Statistics],
        paint: Callable[[Window, Statistics | None], Tensor],
        on_step: OnStep | None,
    ) -> Tensor:
        """A painting of `content` (B, 3, H, W), in its dtype, at once or put together from tiles.

        Args:  measure: returns the statistics of the whole picture, which tiles are painted with;
               paint: returns the painting (B, 3, h, w) in [0, 1] of a window, with these, or of all with None.
        """
        planned, statistics = self.plan((content.shape[2], content.shape[3])), None
        if len(planned) > 1:
            statistics = measure()
            release_freed_memory()  # of all the parts at once, before that of a tile is added to it
        result = empty_like(content)
        for step, tile in enumerate(planned, 1):
            tile.inner.paste(tile.own(paint(tile.outer, statistics)).cpu(), result)
            if on_step:
                on_step(Progress(step, len(planned)))
        return result


def sample_weights(
    content: Tensor, windows: list[Window], rim: int = 0, visible: Tensor | None = None
) -> Tensor:
    """How much each sample counts, (N,), summing to 1, so that together they are like the whole picture.

    A few samples with equal shares show too little of some things and too much of others. These shares bring
    their mean colours and contrasts to those of the picture (calibration, as in surveys: Deville and Särndal
    1992), which halves the difference from a painting with exact statistics.

    Args:  content: (1, 3, H, W), float in [0, 1] or uint8; rim: pixels at the borders of the samples that do
           not count; visible: (1, 1, H, W), as for `Stylizer.stylize`.
    """
    even = torch.full((len(windows),), 1 / len(windows), dtype=torch.float32)
    if min(content.shape[-2:]) < 8 * COARSE_STEP:
        return even
    features = _coarse_features(content)  # (F, h, w)
    shares = torch.ones_like(features[:1])
    if visible is not None:
        seen = counted(visible[0, :, ::COARSE_STEP, ::COARSE_STEP])
        shares = seen[:, : features.shape[1], : features.shape[2]]
        if not shares.any():
            return even
        shares = shares / shares.mean()
    features -= (shares * features).mean((1, 2), keepdim=True)
    scale = (shares * features.square()).mean((1, 2)).sqrt().clamp_min(1e-4) * len(features) ** 0.5
    features *= shares
    cuts = [_coarse(_without(rim, window)) for window in windows]
    off = (torch.stack([cut.cut(features).mean((1, 2)) for cut in cuts]) / scale).double()  # (N, F)
    amounts = torch.stack([cut.cut(shares).mean() for cut in cuts]).double()  # of what is visible
    if not amounts.any():
        return even
    # The shares w with amounts^T w = 1 that minimise |off^T w|^2 + EQUAL_WEIGHT |w|^2, but for their scale.
    found = torch.linalg.solve(off @ off.T + EQUAL_WEIGHT * torch.eye(len(off)).double(), amounts)
    found = found.clamp_min(0)  # of samples that show very different amounts the sum might be negative
    found = (found / found.sum()).float().maximum(LEAST_SHARE * even)
    return found / found.sum()


def _without(rim: int, window: Window) -> Window:
    """A window without its rim; unchanged where it is too narrow for that."""
    rim = rim if min(window.height, window.width) > 4 * rim else 0
    return Window(window.top + rim, window.left + rim, window.height - 2 * rim, window.width - 2 * rim)


def _coarse(window: Window) -> Window:
    """A window in a map of every COARSE_STEP-th pixel."""
    return Window(*(side // COARSE_STEP for side in (window.top, window.left, window.height, window.width)))


def _coarse_features(content: Tensor) -> Tensor:
    """Colours and contrasts at every COARSE_STEP-th pixel, and their products: (F, h, w)."""
    height, width = (side // COARSE_STEP for side in content.shape[-2:])
    pixels, below, beside = (
        as_float(content[0, :, down::COARSE_STEP, right::COARSE_STEP])[:, :height, :width]
        for down, right in ((0, 0), (2, 0), (0, 2))
    )
    red, green, blue = pixels
    contrasts = [(below - pixels).abs().mean(0), (beside - pixels).abs().mean(0)]
    for apart in (1, 4):
        for lines in ((pixels[:, apart:] - pixels[:, :-apart]), (pixels[:, :, apart:] - pixels[:, :, :-apart])):
            missing = (0, width - lines.shape[2], 0, height - lines.shape[1])
            contrasts.append(F.pad(lines.abs().mean(0), missing))
    edges = torch.stack(contrasts)
    mixed = torch.stack((red * green, green * blue, blue * red))
    return torch.cat((pixels, pixels.square(), mixed, edges, edges.square()))
