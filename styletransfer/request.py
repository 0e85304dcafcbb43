"""A request: everything about a painting except the photo, checked; and the painting of one photo or many."""

import itertools
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from PIL.Image import Image
from torch import Tensor

from styletransfer import images
from styletransfer.color import give_back, keep_color, keep_photo
from styletransfer.core import OnStep, Progress, Style, Stylizer
from styletransfer.device import compute_on_one_core, on_the_cpu
from styletransfer.errors import Cancelled, InvalidInput, StyleTransferError, UnreadableImage, UnwritableOutput
from styletransfer.images import ImageSource, Painting, Picture
from styletransfer.methods.tiles import computed_pixels, counted
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
from styletransfer.text import encodable

FULLY_COVERED = 0.25  # from this shade of a mask on, the photo no longer shows through a weak painting
MOST_TOGETHER = 8  # photos; as many are read ahead, and the next ones may be large
# In RuntimeErrors, as PyTorch has no class for these.
OUT_OF_MEMORY = ("DefaultCPUAllocator", "Cannot allocate memory", "bad_alloc")
OUT_OF_GPU_MEMORY = (
    *("MPS backend out of memory", "Invalid buffer size"),
    *("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"),
)
Result = TypeVar("Result")


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
    """How to paint in any style: see `StyleTransfer.stylize`. Raises InvalidInput."""

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
    """What to paint with. Raises InvalidInput or InvalidStyleFile for what the method cannot do.

    `weights` style name -> share, in the order of `styles`; `masks` style name -> (1, 1, H, W) in [0, 1], at
    most one a style.
    """

    method: str
    stylizer: Stylizer
    styles: list[Style]
    weights: Mapping[str, float]
    masks: Mapping[str, Tensor]
    options: Options

    def __post_init__(self) -> None:
        self.stylizer.check(self.styles, self.options.optimization)

    def parameters(self) -> dict[str, object]:
        """The settings that are embedded in the result; of masks and style pictures only the names."""
        options = {name: value for name, value in asdict(self.options).items() if name != "optimization"}
        if self.masks:
            options["masks"] = sorted(self.masks)
        if self.options.optimization:
            chosen = asdict(self.options.optimization)
            start = encodable(Path(chosen["start"]).name)  # where it lies is private
            options["optimization"] = chosen | {"start": start}
        found = {
            "method": self.method,
            "styles": {name: round(weight, 6) for name, weight in self.weights.items()},
            "network": self.stylizer.sha256,
            "version": VERSION,
            **options,
        }
        # NumPy's numbers become plain ones.
        plain: dict[str, object] = json.loads(json.dumps(found, default=lambda number: number.item()))
        return plain

    @on_the_cpu()
    def read(self, source: ImageSource | Picture) -> Picture:
        """A photo in the wanted size. Raises UnreadableImage, or InvalidInput where the memory is too small."""
        picture, size = images.read_picture(source), self.options.size
        if size is None:
            return picture
        wanted = images.with_long_side(picture.size, size)
        return _within_memory(lambda: picture.resized(wanted), wanted)

    @on_the_cpu()
    def paint(self, pictures: Sequence[Picture], on_step: OnStep | None = None) -> list[Painting]:
        """The paintings of photos that were `read`: of one, or of as many of one size as `at_once` says.

        One that was stopped early says so in its parameters. Raises InvalidInput.
        """
        if self.options.strength == 0:
            return self._unpainted(pictures, on_step)
        size = checked_size(pictures[0].size, self.options.stroke_size)
        return _within_memory(lambda: self._painted(pictures, size, on_step), size)

    def _unpainted(self, pictures: Sequence[Picture], on_step: OnStep | None) -> list[Painting]:
        """The photos as they are, which is what strength 0 asks for."""
        if on_step:
            try:
                on_step(Progress(1, 1))
            except Cancelled:
                if self.method != "gatys":  # which returns what it has
                    raise
        return [Painting(picture.rgb, picture.alpha, self.parameters()) for picture in pictures]

    @torch.inference_mode()
    def _painted(
        self, pictures: Sequence[Picture], size: tuple[int, int], on_step: OnStep | None
    ) -> list[Painting]:
        """The photos, painted at `size` and brought back to their own."""
        photos = [images.resize_within(picture.rgb, size) for picture in pictures]
        photo = photos[0] if len(photos) == 1 else torch.cat([images.as_float(each) for each in photos])
        weights, strength = self._shares(size)
        large, stopped = photo.dtype == torch.uint8, False

        def watch(progress: Progress) -> None:
            nonlocal stopped
            if large:
                images.release()  # parts of a large picture come and go tile by tile
            if on_step and progress.preview is not None:
                preview = images.as_float(self._finished(progress.preview, pictures[0]))
                progress = replace(progress, preview=_on_white(preview, pictures[0].alpha))
            try:
                if on_step:
                    on_step(progress)
            except Cancelled:
                stopped |= progress.step < progress.steps
                raise

        watching = watch if on_step or large else None
        painted = self.stylizer.stylize(
            photo, self.styles, weights, strength, watching, self.options.optimization, _visible(pictures, size)
        ).split(1)
        parameters = self.parameters() | ({"stopped": True} if stopped else {})
        return [
            Painting(self._finished(self._in_own_size(one, picture, each), picture), picture.alpha, parameters)
            for picture, each, one in zip(pictures, photos, painted, strict=True)
        ]

    def _in_own_size(self, painted: Tensor, picture: Picture, photo: Tensor) -> Tensor:
        """A painting in the size of its picture, of which `photo` is what was painted.

        A weak one gets the fine detail back that the smaller photo lacks: strength begins at the photo itself.
        """
        rgb = images.resize_within(painted, picture.size)
        if self.options.stroke_size <= 1 or self.options.strength == 1:
            return rgb
        _, strength = self._shares(picture.size)
        share = (1 - strength).expand(1, 1, *picture.size)
        return give_back(rgb, picture.rgb, images.resize_within(photo, picture.size), share)

    def _finished(self, rgb: Tensor, picture: Picture) -> Tensor:
        """A painted picture or a preview of it, with the colours and parts of the photo that are to be kept."""
        options, size, cover, photo = self.options, (rgb.shape[2], rgb.shape[3]), None, picture.rgb
        if self.masks or options.preserve_color > 0:
            photo = images.resize_within(photo, size)
        if self.masks:
            shade = self._covered(self._shades(size))
            cover = (shade / FULLY_COVERED).clamp(max=1)
        if options.preserve_color > 0:
            measured = cover
            if picture.alpha is not None:  # what nobody sees has no say
                seen = counted(images.resize_within(picture.alpha, size))
                measured = seen if cover is None else cover * seen
            rgb = keep_color(rgb, photo, options.preserve_color, options.color_mode, measured)
        return rgb if cover is None else keep_photo(rgb, photo, cover)

    def at_once(self, size: tuple[int, int]) -> int:
        """How many photos of one size are best painted together, at least 1."""
        pixels = computed_pixels(painted_size(size, self.options.stroke_size))
        return min(max(1, self.stylizer.batch_pixels // pixels), MOST_TOGETHER)

    def paint_all(
        self, sources: Iterable[ImageSource], on_step: OnStep | None, workers: int
    ) -> Iterator[BatchResult]:
        """Results in order; while photos are painted the next ones are read, `workers` at a time.

        An error of the iterable `sources` is raised after the results of the photos that came before it.
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
                ahead = max(workers, at_once)  # how many are worth waiting for
                group = [(source, reading)]
                while waiting and len(group) < at_once and _size(waiting[0][1]) == size:
                    group.append(waiting.popleft())
                yield from self._results(group, on_step)
        finally:
            readers.shutdown(cancel_futures=True)

    def _reading(self, source: ImageSource, readers: ThreadPoolExecutor) -> Future[Picture]:
        if not isinstance(source, Image):
            return readers.submit(self.read, source)
        # At once: the caller may close or change the image before the next one is asked for.
        read: Future[Picture] = Future()
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
            # These lead to what was at work, and so to the photo.
            error.__traceback__ = error.__cause__ = error.__context__ = None
            return [BatchResult(source, error=error) for source, _ in group]
        return [BatchResult(source, painting) for (source, _), painting in zip(group, paintings, strict=True)]

    def _shares(self, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Weights of the styles and strength, as numbers or, where there are masks, as maps of `size`."""
        # NumPy numbers would otherwise bring their own dtype along.
        weights = torch.tensor(list(self.weights.values()), dtype=torch.float32)
        strength = torch.tensor(self.options.strength, dtype=torch.float32)
        if not self.masks:
            return weights, strength
        shades = self._shades(size)[:, 0]  # (S, H, W)
        maps = weights[:, None, None] * shades
        total = maps.sum(dim=0)
        maps = torch.where(total > 0, maps / total.where(total > 0, 1), weights[:, None, None])
        return maps, strength * self._covered(shades[:, None])[0, 0]

    def _covered(self, shades: Tensor) -> Tensor:
        """How much is painted, (1, 1, H, W), of the `_shades`.

        Greys of different masks add up: where one fades into another nothing of the photo is left. Styles with
        the same mask share its grey.
        """
        masks = [self.masks.get(name) for name in self.weights]
        apart = [
            index for index, mask in enumerate(masks) if not any(_same(mask, each) for each in masks[:index])
        ]
        return shades[apart].sum(dim=0, keepdim=True).clamp(max=1)

    def _shades(self, size: tuple[int, int]) -> Tensor:
        """The masks in `size`, (S, 1, H, W); white for a style without one."""
        everywhere = torch.ones(1, 1, *size, dtype=torch.float32)
        return torch.cat(
            [
                images.resize(self.masks[name], size) if name in self.masks else everywhere
                for name in self.weights
            ]
        )


def _until_error(sources: Iterable[ImageSource], errors: list[Exception]) -> Iterator[ImageSource]:
    """Sources up to the first error that they raise, which is put into `errors`."""
    try:
        yield from sources
    except Exception as error:
        errors.append(error)


def painted_size(size: tuple[int, int], stroke_size: float) -> tuple[int, int]:
    """Height and width at which a photo is painted, before the painting is brought back to its own size."""
    height, width = (max(1, round(side / stroke_size)) for side in size)
    return height, width


def checked_size(size: tuple[int, int], stroke_size: float) -> tuple[int, int]:
    """The `painted_size` of a photo. Raises InvalidInput where that is too large."""
    height, width = painted_size(size, stroke_size)
    if height * width > MAX_PIXELS:
        raise InvalidInput(
            f"at stroke size {stroke_size:g} this is painted with {height * width:,} pixels, more than "
            f"{MAX_PIXELS:,}; give a smaller size"
        )
    return height, width


def _same(mask: Tensor | None, other: Tensor | None) -> bool:
    return mask is other if mask is None or other is None else torch.equal(mask, other)


def _visible(pictures: Sequence[Picture], size: tuple[int, int]) -> Tensor | None:
    """How visible each pixel is at `size`, (B, 1, H, W), in the number format of the photos; None for fully."""
    if all(each.alpha is None or images.as_float(each.alpha.min()) == 1 for each in pictures):
        return None
    fully = torch.ones(1, 1, *size, dtype=torch.float32)
    maps = [fully if each.alpha is None else images.resize_within(each.alpha, size) for each in pictures]
    return maps[0] if len(maps) == 1 else torch.cat([images.as_float(each) for each in maps])


def _on_white(preview: Tensor, alpha: Tensor | None) -> Tensor:
    """A preview (1, 3, H, W), which has no transparency, of a picture that has."""
    if alpha is None:
        return preview
    cover = images.as_float(images.resize_within(alpha, (preview.shape[2], preview.shape[3])))
    return preview * cover + (1 - cover)


def _size(reading: Future[Picture]) -> tuple[int, int] | None:
    """Height and width of a photo once it is read, None where it cannot be read."""
    return None if reading.exception() else reading.result().size


def _within_memory(work: Callable[[], Result], size: tuple[int, int]) -> Result:
    """The result of `work` on a picture of that size. Raises InvalidInput where the memory is too small."""
    try:
        return work()
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in OUT_OF_GPU_MEMORY):
            memory, remedy = "memory of the GPU", "a smaller size, or the device cpu"
        elif isinstance(error, MemoryError) or any(text in str(error) for text in OUT_OF_MEMORY):
            memory, remedy = "memory", "a smaller size"
        else:
            raise
    # Raised from that error, this one would hold what fills the memory.
    height, width = size
    raise InvalidInput(f"the {memory} is too small for a picture of {width}x{height} pixels; give {remedy}")
