"""The types that every part shares: styles, their blend, progress and its clock, cost, and what a method is."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from styletransfer.errors import InvalidInput
from styletransfer.settings import USUAL, Optimization, is_finite


@dataclass(frozen=True)
class StyleInfo:
    """The description of a style, without its numbers: plain values, kept as JSON in its file."""

    slug: str
    title: str
    artist: str = ""
    year: str = ""
    rights: str = ""  # of the painting
    licence: str = ""  # of the style file; a user's own names none
    style_side: int = 0  # pixels of the painting's short side when its statistics were taken
    base_sha256: str = ""  # of the base network that `row` belongs to
    # Command, data and settings; of learned styles also steps and seconds.
    recipe: Mapping[str, object] = field(default_factory=dict)
    losses: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Style:
    """A style is statistics: each method reads the part it needs.

    `row` (2, N) gamma and beta of the base network's channels, for CIN: fitted, or for a picture predicted,
    or (2, 0) for none; `grams` layer -> (C, C), `bounds` layer -> (), `means` and `stds` layer -> (C,) of the
    VGG features; all float32. `preview` is a small picture as JPEG bytes, or empty.
    `picture` (1, 3, H, W), for a style that was given as a picture, and `picture_mask` (1, 1, H, W), 1 where
    the style is to be taken from, are never saved.
    """

    info: StyleInfo
    row: Tensor
    grams: Mapping[str, Tensor]
    bounds: Mapping[str, Tensor]
    means: Mapping[str, Tensor]
    stds: Mapping[str, Tensor]
    preview: bytes = b""
    picture: Tensor | None = None
    picture_mask: Tensor | None = None


def blend(statistics: Tensor, weights: Tensor) -> Tensor:
    """Convex combination of the styles' statistics, which is how every method mixes styles.

    Args:    statistics: (S, *shape), one entry a style; weights: (B, S), summing to 1 over S.
    Returns: (B, *shape).
    Source:  Dumoulin, Shlens and Kudlur 2017 (arXiv 1610.07629), section 3.
    """
    return torch.tensordot(weights, statistics, dims=1)


def normalise_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """The weights of a mix, summing to 1, without those that are 0. Raises InvalidInput."""
    for name, weight in weights.items():
        if not is_finite(weight) or weight < 0:
            raise InvalidInput(f"the weight of style {name!r} is {weight}; weights must be numbers, 0 or more")
    largest = max(weights.values(), default=0)
    if largest <= 0:
        raise InvalidInput("no style has a weight above 0; give at least one")
    # The sum of huge ones is infinite; and NumPy's of 32 bits would be recorded as 0.699999988.
    shares = {name: float(weight) / float(largest) for name, weight in weights.items()}
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items() if share > 0}


@dataclass(frozen=True)
class Progress:
    """How far some work has come: handed to `on_step`, which may raise `Cancelled` to stop it.

    `losses` are named means of the step; `preview` is, from time to time in work that goes on in steps, a
    picture (1, 3, H, W) in [0, 1].
    """

    step: int
    steps: int
    losses: Mapping[str, float] = field(default_factory=dict)
    preview: Tensor | None = None


OnStep = Callable[[Progress], None]


class Clock:
    """Seconds of a work, without those spent in `on_step`: a slow watcher takes no time from the picture."""

    def __init__(self) -> None:
        self._outside = 0.0

    def now(self) -> float:
        """Seconds since an arbitrary moment; only differences mean something."""
        return time.monotonic() - self._outside

    def report(self, on_step: OnStep, progress: Progress) -> None:
        """Call `on_step`, and leave out the time that it takes."""
        before = time.monotonic()
        try:
            on_step(progress)
        finally:
            self._outside += time.monotonic() - before


@dataclass(frozen=True)
class Cost:
    """The multiply-adds and the bytes of memory that painting a picture takes, or the `seconds` it is given.

    `steps`: how often `on_step` is called, by methods that paint over.
    """

    multiply_adds: float
    memory: float
    seconds: float | None = None
    steps: int = 1


class Stylizer(Protocol):
    """A method of painting a photo in a mix of styles.

    `sha256` says which weights it paints with, `batch_pixels` how many pixels of photos of one size it paints
    fastest at once, 0 where it takes them one by one, `paints_over` whether it is good at painting once more
    over a painting that was enlarged.
    """

    sha256: str
    batch_pixels: int
    paints_over: bool

    def stylize(
        self,
        content: Tensor,
        styles: Sequence[Style],
        weights: Tensor,
        strength: Tensor,
        on_step: OnStep | None = None,
        optimization: Optimization = USUAL,
        visible: Tensor | None = None,
    ) -> Tensor:
        """Paint.

        Args:    content: (1, 3, H, W), float32 in [0, 1] or uint8, any H and W from 1; or (B, 3, H, W) float32,
                 B photos of no more pixels than `batch_pixels`;
                 styles: at least one; weights: (S,), non-negative, summing to 1; strength: (), in [0, 1]: 0
                 gives the photo back; or both as maps, (S, H, W) and (H, W);
                 on_step: may raise `Cancelled`; a method that improves a picture step by step then returns
                 what it has, and others let the error through;
                 optimization: for methods that optimise; others ignore it;
                 visible: (B, 1, H, W), in the number format of `content`, 0 where the photo is wholly
                 transparent; the less visible a pixel is, the less it counts in the statistics, see
                 `masks.counted`; fully visible by default.
        Returns: (B, 3, H, W) in the number format of `content`.
        """
        ...

    def check(self, styles: Sequence[Style], optimization: Optimization = USUAL) -> None:
        """Raise InvalidInput or InvalidStyleFile where it cannot paint in these styles, whatever the photo."""
        ...

    def cost(self, size: tuple[int, int], optimization: Optimization = USUAL) -> Cost:
        """About what painting a picture of that height and width takes."""
        ...
