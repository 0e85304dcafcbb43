"""A checked wish, everything about a painting but the photo; and photos being painted by it, one or many."""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor

from styletransfer import images
from styletransfer.color import keep_color, keep_photo
from styletransfer.core import OnStep, Progress, Style, Stylizer
from styletransfer.device import compute_on_one_core
from styletransfer.errors import Cancelled, InvalidInput, StyleTransferError, UnreadableImage, UnwritableOutput
from styletransfer.files import printable
from styletransfer.images import ImageSource, Painting, Picture
from styletransfer.methods.tiles import computed_pixels
from styletransfer.settings import (
    COLOR_MODES,
    MAX_PIXELS,
    PRESERVE_COLOR,
    SIZE,
    STRENGTH,
    STROKE_SIZE,
    VERSION,
    Optimization,
)

FULLY_COVERED = 0.25  # the shade of a mask from which on no photo shows through a painting that is weak there
MOST_TOGETHER = 8  # photos; so many are read ahead, and the next may be large ones


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
        STRENGTH.check("strength", self.strength)
        PRESERVE_COLOR.check("preserve_color", self.preserve_color)
        STROKE_SIZE.check("stroke_size", self.stroke_size)
        if self.size is not None:
            SIZE.check("size", self.size)
        if self.color_mode not in COLOR_MODES:
            raise InvalidInput(
                f"unknown color_mode {self.color_mode!r}; choose one of {', '.join(COLOR_MODES)}"
            )


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
        """What is embedded in the result: all settings; masks, and pictures as styles, by their names alone."""
        told = {name: value for name, value in asdict(self.options).items() if name != "optimization"}
        if self.masks:
            told["masks"] = sorted(self.masks)
        if self.options.optimization:
            chosen = asdict(self.options.optimization)
            start = printable(Path(chosen["start"]).name)  # where it lies is private
            told["optimization"] = chosen | {"start": start}
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
        return picture.resized((height, width))

    @torch.inference_mode()
    def paint(self, pictures: Sequence[Picture], on_step: OnStep | None = None) -> list[Painting]:
        """The paintings of photos that were `read`: of one, or of as many as `at_once` says, all of one size.

        One that was ended before its time says so in its parameters. Raises InvalidInput.
        """
        if self.options.strength == 0:
            if on_step:
                on_step(Progress(1, 1, preview=pictures[0].rgb))
            return [Painting(picture.rgb, picture.alpha, self.parameters()) for picture in pictures]
        size = pictures[0].size
        height, width = painted_size(size, self.options.stroke_size)
        if height * width > MAX_PIXELS:
            raise InvalidInput(
                f"stroke size {self.options.stroke_size:g} would make {height * width:,} pixels of this photo, "
                f"more than {MAX_PIXELS:,}; give a smaller size as well"
            )
        photos = [images.resize_within(picture.rgb, (height, width)) for picture in pictures]
        photo = photos[0] if len(photos) == 1 else torch.cat([images.as_float(each) for each in photos])
        weights, strength = self._shares((height, width))
        if photo.dtype == torch.uint8:
            on_step = _releasing(on_step)
        elif on_step and len(pictures) == 1 and (self.masks or self.options.preserve_color > 0):
            on_step = self._showing_as_finished(on_step, pictures[0].rgb)
        stopping, painted = _Stopping(on_step) if on_step else None, None
        with suppress(torch.OutOfMemoryError):  # raised from it, an error would hold what fills the memory
            painted = self.stylizer.stylize(
                photo, self.styles, weights, strength, stopping, self.options.optimization
            )
        if painted is None:
            raise InvalidInput(
                f"the memory of the GPU is too small for a picture of {width}x{height} pixels; give a smaller "
                "size, or the device cpu"
            )
        told = self.parameters() | ({"stopped": True} if stopping and stopping.stopped else {})
        return [
            Painting(self._finished(images.resize_within(one, size), picture.rgb), picture.alpha, told)
            for picture, one in zip(pictures, painted.split(1), strict=True)
        ]

    def _finished(self, rgb: Tensor, photo: Tensor) -> Tensor:
        """What was painted, with what is to stay of the photo, which has the same size."""
        options = self.options
        if options.preserve_color > 0:
            rgb = keep_color(rgb, photo, options.preserve_color, options.color_mode)
        if self.masks:
            shade = self._shades((rgb.shape[2], rgb.shape[3])).amax(dim=0, keepdim=True)
            rgb = keep_photo(rgb, photo, (shade / FULLY_COVERED).clamp(max=1))
        return rgb

    def _showing_as_finished(self, on_step: OnStep, photo: Tensor) -> OnStep:
        """`on_step` with previews of the work in progress, of any size, as the painting will be."""

        def finish_and_go_on(progress: Progress) -> None:
            seen = progress.preview
            if seen is not None:
                seen = self._finished(seen, images.resize_within(photo, (seen.shape[2], seen.shape[3])))
                progress = replace(progress, preview=seen)
            on_step(progress)

        return finish_and_go_on

    def at_once(self, size: tuple[int, int]) -> int:
        """How many photos of one size are best painted together, at least 1."""
        pixels = computed_pixels(painted_size(size, self.options.stroke_size))
        return min(max(1, self.stylizer.together // pixels), MOST_TOGETHER)

    def paint_all(
        self, sources: Iterable[ImageSource], on_step: OnStep | None, workers: int
    ) -> Iterator[BatchResult]:
        """Results in order; while photos are painted the next ones are read, `workers` at a time.

        What `sources` raise comes after the results of what they gave before.
        """
        errors: list[Exception] = []
        coming, ahead = _until_error(sources, errors), workers
        readers = ThreadPoolExecutor(workers, initializer=compute_on_one_core)
        try:
            waiting: deque[tuple[ImageSource, Future[Picture]]] = deque()
            while True:
                further = itertools.islice(coming, max(0, ahead + 1 - len(waiting)))
                waiting.extend((source, self._reading(source, readers)) for source in further)
                if not waiting:
                    if errors:
                        raise errors[0]
                    return
                source, reading = waiting.popleft()
                size = _size(reading)
                at_once = self.at_once(size) if size else 1
                ahead = max(workers, at_once)  # so many are worth waiting for
                group = [(source, reading)]
                while waiting and len(group) < at_once and _size(waiting[0][1]) == size:
                    group.append(waiting.popleft())
                yield from self._results(group, on_step)
        finally:
            readers.shutdown(cancel_futures=True)

    def _reading(self, source: ImageSource, readers: ThreadPoolExecutor) -> Future[Picture]:
        if not isinstance(source, Image):
            return readers.submit(self.read, source)
        read: Future[Picture] = Future()  # at once: when the next one is asked for it may be closed, or another
        try:
            read.set_result(self.read(source))
        except StyleTransferError as error:
            read.set_exception(error)
        return read

    def _results(
        self, group: Sequence[tuple[ImageSource, Future[Picture]]], on_step: OnStep | None
    ) -> list[BatchResult]:
        try:
            paintings = self.paint([reading.result() for _, reading in group], on_step)
        except (UnreadableImage, InvalidInput, UnwritableOutput) as error:  # no picture, or too large for this
            return [BatchResult(source, error=error) for source, _ in group]
        return [BatchResult(source, painting) for (source, _), painting in zip(group, paintings, strict=True)]

    def _shares(self, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Weights of the styles and strength, as numbers or, where there are masks, as maps of `size`."""
        # Numbers out of NumPy would else bring their own number format along.
        weights = torch.tensor(list(self.weights.values()), dtype=torch.float32)
        strength = torch.tensor(self.options.strength, dtype=torch.float32)
        if not self.masks:
            return weights, strength
        shades = self._shades(size)[:, 0]  # (S, H, W)
        maps = weights[:, None, None] * shades
        total = maps.sum(dim=0)
        maps = torch.where(total > 0, maps / total.where(total > 0, 1), weights[:, None, None])
        return maps, strength * shades.amax(dim=0)

    def _shades(self, size: tuple[int, int]) -> Tensor:
        """The masks in `size`, (S, 1, H, W); of a style without one it is white."""
        everywhere = torch.ones(1, 1, *size)
        return torch.cat(
            [
                images.resize(self.masks[name], size) if name in self.masks else everywhere
                for name in self.weights
            ]
        )


class _Stopping:
    """`on_step`, and whether it has ended a painting before its time."""

    def __init__(self, on_step: OnStep) -> None:
        self._on_step, self.stopped = on_step, False

    def __call__(self, progress: Progress) -> None:
        try:
            self._on_step(progress)
        except Cancelled:
            self.stopped = True
            raise


def _until_error(sources: Iterable[ImageSource], errors: list[Exception]) -> Iterator[ImageSource]:
    """Sources up to where they raise something, which is put into `errors`."""
    try:
        yield from sources
    except Exception as error:
        errors.append(error)


def painted_size(size: tuple[int, int], stroke_size: float) -> tuple[int, int]:
    """Height and width that a photo is painted at, before that is brought back to its own."""
    height, width = (max(1, round(side / stroke_size)) for side in size)
    return height, width


def _size(reading: Future[Picture]) -> tuple[int, int] | None:
    """Height and width of a photo once it is read, None where it cannot be."""
    return None if reading.exception() else reading.result().size


def _releasing(on_step: OnStep | None) -> OnStep:
    """`on_step`, before which a large picture's memory is given back: parts of it come and go tile by tile."""

    def release_and_go_on(progress: Progress) -> None:
        images.release()
        if on_step:
            on_step(progress)

    return release_and_go_on
