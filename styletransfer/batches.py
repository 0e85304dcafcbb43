"""Batches: many photos in one request, read ahead of the painting, and small ones painted together."""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from PIL.Image import Image

from styletransfer.convolution import computed_pixels
from styletransfer.core import OnStep
from styletransfer.device import compute_on_one_core
from styletransfer.errors import InvalidInput, StyleTransferError, UnreadableImage, UnwritableOutput
from styletransfer.images import ImageSource, Painting, Picture
from styletransfer.request import Request, working_size

MOST_TOGETHER = 8  # photos; as many are read ahead, and the next ones may be large


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


def paint_all(
    request: Request, sources: Iterable[ImageSource], on_step: OnStep | None, workers: int
) -> Iterator[BatchResult]:
    """Results in order; while photos are painted the next ones are read, `workers` at a time.

    An error of the iterable `sources` is raised after the results of the photos that came before it.
    """
    coming, ahead, failure = iter(sources), workers, None
    readers = ThreadPoolExecutor(workers, initializer=compute_on_one_core)
    try:
        waiting: deque[tuple[ImageSource, Future[Picture]]] = deque()
        while True:
            try:
                for source in itertools.islice(coming, max(0, ahead + 1 - len(waiting))):
                    waiting.append((source, _reading(request, source, readers)))
            except Exception as error:  # of the sources, told after what came before
                failure, coming = error, iter(())
            if not waiting:
                if failure:
                    raise failure
                return
            source, reading = waiting.popleft()
            kind = _kind(reading)
            together = at_once(request, kind[0]) if kind else 1
            ahead = max(workers, together)  # how many are worth waiting for
            group = [(source, reading)]
            while waiting and len(group) < together and _kind(waiting[0][1]) == kind:
                group.append(waiting.popleft())
            yield from _results(request, group, on_step)
    finally:
        readers.shutdown(cancel_futures=True)


def at_once(request: Request, size: tuple[int, int]) -> int:
    """How many photos of one size are best painted together, at least 1."""
    # Those that are painted smaller than they are count in full, as all are held at their own size.
    pixels = computed_pixels(working_size(size, min(1.0, request.broadness(size))))
    return min(max(1, request.stylizer.batch_pixels // pixels), MOST_TOGETHER)


def _reading(request: Request, source: ImageSource, readers: ThreadPoolExecutor) -> Future[Picture]:
    if not isinstance(source, Image):
        return readers.submit(request.read, source)
    # At once: the caller may close or change the image before the next one is asked for.
    read: Future[Picture] = Future()
    try:
        read.set_result(request.read(source))
    except StyleTransferError as error:
        read.set_exception(error)
    return read


def _kind(reading: Future[Picture]) -> tuple[tuple[int, int], bool] | None:
    """What photos that are painted together have in common: height and width, and whether they are opaque.

    None where one cannot be read. Waits until it is read.
    """
    return None if reading.exception() else (reading.result().size, reading.result().is_opaque)


def _results(
    request: Request, group: Sequence[tuple[ImageSource, Future[Picture]]], on_step: OnStep | None
) -> list[BatchResult]:
    try:
        paintings = request.paint([reading.result() for _, reading in group], on_step)
    except (UnreadableImage, InvalidInput, UnwritableOutput) as error:  # no picture, or too large for this
        # These lead to what was at work, and so to the photo.
        error.__traceback__ = error.__cause__ = error.__context__ = None
        return [BatchResult(source, error=error) for source, _ in group]
    return [BatchResult(source, painting) for (source, _), painting in zip(group, paintings, strict=True)]
