"""A checked wish, everything about a painting but the photo; and photos being painted by it, one or many."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass

import torch
from PIL.Image import Image
from torch import Tensor

from styletransfer import images
from styletransfer.color import keep_color
from styletransfer.core import OnStep, Progress, Style, Stylizer
from styletransfer.errors import InvalidInput, StyleTransferError, UnreadableImage
from styletransfer.images import ImageSource, Painting, Picture
from styletransfer.settings import (
    COLOR_MODES,
    MAX_PIXELS,
    PRESERVE_COLOR,
    SIZE,
    STRENGTH,
    STROKE_SIZE,
    VERSION,
    WHOLE_PIXELS,
    Optimization,
    Range,
)


@dataclass(frozen=True)
class BatchResult:
    """One photo of a batch: its `painting`, or the `error` that kept it from being painted."""

    source: ImageSource
    painting: Painting | None = None
    error: StyleTransferError | None = None

    @property
    def image(self) -> Image | None:
        """The painting as a PIL image, RGB or RGBA of 8 bits; to write a large one, use `painting.save`."""
        return None if self.painting is None else self.painting.image()


@dataclass(frozen=True)
class Options:
    """How to paint, whatever the style: see `StyleTransfer.stylize`. Raises InvalidInput."""

    strength: float
    size: int | None
    stroke_size: float
    preserve_color: float
    color_mode: str
    optimization: Optimization | None

    def __post_init__(self) -> None:
        check("strength", self.strength, STRENGTH)
        check("preserve_color", self.preserve_color, PRESERVE_COLOR)
        check("stroke_size", self.stroke_size, STROKE_SIZE)
        if self.size is not None:
            check("size", self.size, SIZE)
        if self.color_mode not in COLOR_MODES:
            raise InvalidInput(f"no color_mode {self.color_mode!r}; there is {', '.join(COLOR_MODES)}")


@dataclass(frozen=True)
class Request:
    """What to paint with.

    `weights` style name -> share, in the order of `styles`; `masks` style name -> (1, 1, H, W) in [0, 1], at
    most one a style.
    """

    method: str
    stylizer: Stylizer
    styles: list[Style]
    weights: Mapping[str, float]
    masks: Mapping[str, Tensor]
    options: Options

    def parameters(self) -> dict[str, object]:
        """What is embedded in the result: enough to paint it again."""
        told = {name: value for name, value in asdict(self.options).items() if name != "optimization"}
        if self.masks:
            told["masks"] = sorted(self.masks)
        if self.options.optimization:
            told["optimization"] = asdict(self.options.optimization)
        return {
            "method": self.method,
            "styles": {name: round(weight, 6) for name, weight in self.weights.items()},
            "network": self.stylizer.sha256,
            "version": VERSION,
            **told,
        }

    def read(self, source: ImageSource) -> Picture:
        """A photo in the size it is wanted in.

        Raises UnreadableImage, or InvalidInput where that would be too many pixels.
        """
        picture, size = images.read_picture(source), self.options.size
        if size is None:
            return picture
        height, width = images.with_long_side(picture.size, size)
        if height * width > MAX_PIXELS:
            raise InvalidInput(
                f"size {size} would make {height * width:,} pixels of this photo, more than {MAX_PIXELS:,}"
            )
        alpha = None if picture.alpha is None else _resized(picture.alpha, (height, width))
        return Picture(_resized(picture.rgb, (height, width)), alpha)

    @torch.inference_mode()
    def paint(self, picture: Picture, on_step: OnStep | None = None) -> Painting:
        """The painting of a photo that was `read`. Raises InvalidInput."""
        options = self.options
        height, width = (max(1, round(side / options.stroke_size)) for side in picture.size)
        if height * width > MAX_PIXELS:
            raise InvalidInput(
                f"stroke size {options.stroke_size:g} would make {height * width:,} pixels of this photo, more "
                f"than {MAX_PIXELS:,}; give a smaller size as well"
            )
        photo = _resized(picture.rgb, (height, width))
        weights, strength = self._shares((height, width))
        if photo.dtype == torch.uint8:
            on_step = _releasing(on_step)
        painted = self.stylizer.stylize(photo, self.styles, weights, strength, on_step, options.optimization)
        painted = _resized(painted, picture.size)
        if options.preserve_color > 0:
            painted = keep_color(painted, picture.rgb, options.preserve_color, options.color_mode)
        return Painting(painted, picture.alpha, self.parameters())

    def paint_all(
        self, sources: Iterable[ImageSource], on_step: OnStep | None, workers: int
    ) -> Iterator[BatchResult]:
        """Results in order; while one photo is painted the next ones are read, `workers` at a time."""
        with ThreadPoolExecutor(workers) as readers:
            waiting: deque[tuple[ImageSource, Future[Picture]]] = deque()
            for source in sources:
                waiting.append((source, readers.submit(self.read, source)))
                if len(waiting) > workers:
                    yield self._result(*waiting.popleft(), on_step)
            while waiting:
                yield self._result(*waiting.popleft(), on_step)

    def _result(self, source: ImageSource, reading: Future[Picture], on_step: OnStep | None) -> BatchResult:
        try:
            return BatchResult(source, self.paint(reading.result(), on_step))
        except (UnreadableImage, InvalidInput) as error:  # no picture, or too large at this size
            return BatchResult(source, error=error)

    def _shares(self, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Weights of the styles and strength, as numbers or, where there are masks, as maps of `size`."""
        weights, strength = torch.tensor(list(self.weights.values())), torch.tensor(self.options.strength)
        if not self.masks:
            return weights, strength
        everywhere = torch.ones(1, 1, *size)
        masks = [
            images.resize(self.masks[name], size) if name in self.masks else everywhere for name in self.weights
        ]
        shades = torch.cat(masks)[:, 0]  # (S, H, W)
        maps = weights[:, None, None] * shades
        total = maps.sum(dim=0)
        maps = torch.where(total > 0, maps / total.clamp_min(1e-6), weights[:, None, None])
        return maps, strength * shades.amax(dim=0)


def _releasing(on_step: OnStep | None) -> OnStep:
    """`on_step`, before which a large picture's memory is given back: parts of it come and go tile by tile."""

    def release_and_go_on(progress: Progress) -> None:
        images.release()
        if on_step:
            on_step(progress)

    return release_and_go_on


def _resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture at a size, in bytes where that is large, as `Picture` says."""
    large = size[0] * size[1] > WHOLE_PIXELS
    return images.resize(images.as_bytes(image) if large else image, size)


def check(name: str, value: float, allowed: Range) -> None:
    """Raise InvalidInput unless a number is within its range, which NaN is not."""
    if not allowed.least <= value <= allowed.most:
        raise InvalidInput(f"{name} is {value:g}; it must be from {allowed.least:g} to {allowed.most:g}")
