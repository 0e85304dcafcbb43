"""Painting what the controls of the Paint tab describe, and previews of it."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import gradio as gr
from PIL import Image

from styletransfer import images
from styletransfer.api import StyleTransfer
from styletransfer.core import OnStep, normalise_weights
from styletransfer.errors import InvalidInput, StyleTransferError
from styletransfer.page.belongings import Painted
from styletransfer.page.choices import next_step
from styletransfer.page.controls import Controls, Updates, Values
from styletransfer.page.events import show_error, telling
from styletransfer.page.mix import titles_of
from styletransfer.page.results import Results, check_format, compare, saved
from styletransfer.page.visitors import SHOWN_SIDE, Visitor
from styletransfer.page.wish import Wish
from styletransfer.page.work import Finished, alone, follow

PREVIEW_SIDE = 384  # pixels; painted while a slider moves


class Painter:
    """Handlers of the events that paint; they give updates of the controls, some of them several in turn."""

    def __init__(self, controls: Controls, results: Results) -> None:
        self.controls, self.results = controls, results

    def preview(self, values: Values, request: gr.Request) -> Any:
        """A quick preview at a reduced size."""
        it, wish, photo = self.controls, self.controls.wish(values), values[self.controls.photo]
        visitor = it.visitor(request, values)
        if (
            photo is None
            or sum(wish.styles.values()) <= 0
            or wish.optimises
            or visitor.painting_of(photo, wish)  # a preview that comes late
        ):
            return gr.skip()
        with telling():
            with alone(visitor.short):
                small = visitor.scaled(photo, PREVIEW_SIDE)
                painted = replace(wish, size=PREVIEW_SIDE).paint(visitor.transfer, small)
            shown = compare(visitor, photo, painted)
            visitor.painted = None  # what the page shows is no full painting any more
            return {
                it.result: gr.update(value=shown),
                it.download: gr.update(interactive=False),
                it.reuse: gr.update(visible=False),
            }

    def paint_live(self, values: Values, request: gr.Request) -> Iterator[Updates]:
        """Paint if the method is fast; otherwise say how long it would take."""
        it, wish, photo = self.controls, self.controls.wish(values), values[self.controls.photo]
        visitor = it.visitor(request, values)
        if photo is None or not wish.styles:
            yield {it.note: next_step(photo is not None)}
        elif painted := visitor.painting_of(photo, wish):  # shown already
            yield {it.note: painted.note}
        elif not wish.optimises:
            yield from self.paint(values, request)
        elif visitor.long in visitor.paint_halts:
            yield {it.note: "Finest is painting. Press Stop before you start another."}
        else:
            yield {it.note: f"Finest takes about {wish.seconds:.0f} seconds. Press Paint to start."}

    def paint(self, values: Values, request: gr.Request) -> Iterator[Updates]:
        """Paint at full size, with updates until it is done or has failed."""
        with telling():
            try:
                yield from self._paint(values, request)
            except StyleTransferError as error:
                show_error(error)
                yield self.nothing_painted(request)

    def _paint(self, values: Values, request: gr.Request) -> Iterator[Updates]:
        it, wish, photo = self.controls, self.controls.wish(values), values[self.controls.photo]
        visitor = it.visitor(request, values)
        size = self.check_wish(values, request)  # an error must not cost the painting there is
        expected = _expectation(wish, visitor.transfer, size)
        before, visitor.painted = visitor.painted, None

        def work(on_step: OnStep) -> Image.Image:
            # A small one is in memory, mostly: decoding takes as long as painting.
            side = wish.side()
            source = visitor.scaled(photo, side) if side and side <= SHOWN_SIDE else photo
            return wish.paint(visitor.transfer, source, on_step)

        halt = visitor.long if wish.optimises else visitor.short
        events = follow(work, halt)  # from now on it can be stopped
        visitor.paint_halts.append(halt)
        try:
            yield {
                it.note: expected,
                it.download: gr.update(interactive=False),
                it.stop_button: gr.update(interactive=True),
            }
            for event in events:
                if event is None:
                    began = time.monotonic()  # without the time that it waited
                elif isinstance(event, Finished):
                    painted = event.value
                elif event.preview is not None and wish.optimises:
                    shown = compare(visitor, photo, images.to_pil(event.preview))
                    before = visitor.painted = None  # the page shows the preview instead
                    yield {
                        it.result: gr.update(value=shown),
                        it.note: f"Step {event.step} of {event.steps}, {time.monotonic() - began:.0f} s",
                        it.download: gr.update(interactive=False),  # another painting was shown meanwhile
                        it.stop_button: gr.update(interactive=True),
                    }
            note = f"{painted.width} x {painted.height} pixels, painted in {time.monotonic() - began:.1f} s"
            shown = compare(visitor, photo, painted)
        except BaseException:
            visitor.painted = visitor.painted or before  # the new one failed
            raise
        finally:
            visitor.paint_halts.remove(halt)
        yield from self._finish(Painted(photo, wish, painted, note), shown, visitor, request)

    def _finish(
        self, done: Painted, shown: tuple[str, str], visitor: Visitor, request: gr.Request
    ) -> Iterator[Updates]:
        """Show a painting, save it for download, and keep it among the earlier ones."""
        it, wish, painted, file_format = self.controls, done.wish, done.picture(), visitor.file_format
        visitor.painted = done  # from now on `save_again` saves it, also where this format cannot hold it
        yield {
            it.result: gr.update(value=shown),
            it.download: gr.update(interactive=False),
            it.stop_button: gr.update(interactive=bool(visitor.paint_halts)),
            it.reuse: gr.update(visible=False),  # its settings are the ones that are set
        }
        try:
            file = saved(visitor, done)
            if visitor.file_format != file_format:  # one was chosen meanwhile
                file = saved(visitor, done)
        except StyleTransferError as error:  # it was painted all the same
            show_error(error)
            download = gr.update(interactive=False)
        else:
            title = ", ".join(titles_of(visitor.transfer, [name for name, each in wish.styles.items() if each]))
            visitor.own.keep(painted, shown, file, title, done.note)
            download = gr.update(value=str(file), interactive=True)
        # Saving takes seconds, in which another painting may have been shown.
        told = {it.note: done.note, it.download: download} if visitor.painted is done else {}
        yield told | self.results.earlier(request)

    def check_wish(self, values: Values, request: gr.Request) -> tuple[int, int]:
        """Raise StyleTransferError where what is wished for cannot be painted; returns its height and width."""
        it, wish, photo = self.controls, self.controls.wish(values), values[self.controls.photo]
        visitor = it.visitor(request, values)
        if photo is None or not wish.styles:
            raise InvalidInput(next_step(photo is not None))
        normalise_weights(wish.styles)
        visitor.file_format = visitor.file_format or values[it.file_format]
        size = wish.painted_size(photo)
        check_format(visitor.file_format, size)
        return size

    def nothing_painted(self, request: gr.Request) -> Updates:
        """Say so, and offer the painting that the page shows for download again."""
        it, visitor = self.controls, self.controls.visitor(request)
        download = gr.update(interactive=False)
        with suppress(StyleTransferError):  # the format that is chosen by now may not hold it
            file = saved(visitor, visitor.painted) if visitor.painted else None
            if file and file.exists():  # an earlier painting may be gone
                download = gr.update(value=str(file), interactive=True)
        return {
            it.note: "Nothing was painted.",
            it.download: download,
            it.stop_button: gr.update(interactive=bool(visitor.paint_halts)),
        }


def _expectation(wish: Wish, transfer: StyleTransfer, size: tuple[int, int]) -> str:
    """A text about how long it will take."""
    if wish.optimises:
        told = f"Painting for about {wish.seconds:.0f} s."
        return f"{told} Press Stop to end earlier and keep the picture as it is."
    found = transfer.estimate(size, method=wish.method, stroke_size=wish.stroke_size)
    return f"Painting, about {found.seconds + 0.2:.1f} s…"
