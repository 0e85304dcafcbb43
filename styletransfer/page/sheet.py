"""The tab that shows the photo in all styles."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import gradio as gr

from styletransfer import images
from styletransfer.core import OnStep, Progress
from styletransfer.errors import Cancelled, InvalidInput, InvalidStyleFile, UnknownStyle
from styletransfer.page.controls import FAST, METHOD_BY_LABEL, Updates, Values
from styletransfer.page.events import QUIET, WAITING, bring_into_view, long_work, telling
from styletransfer.page.gallery import entries, style_in
from styletransfer.page.paint import PaintTab
from styletransfer.page.work import Finished, follow

SIDE = 320  # pixels, long side of a picture
SHOWN_EVERY = 4
HINT = (
    "Small previews of your photo in every style, with the method (Fast instead of Finest), strength, colours "
    "and stroke size of the Paint tab. Click a preview to use its style."
)


class SheetTab:
    """Components and events of the tab; a click on a picture opens `paint_tab` with its style."""

    def __init__(self, paint_tab: PaintTab, tabs: gr.Tabs) -> None:
        self.paint_tab, self.tabs = paint_tab, tabs
        with gr.Row():
            self.start = gr.Button("Paint my photo in every style", variant="primary", elem_id="paint-sheet")
            self.stop_button = gr.Button("Stop", interactive=False, elem_id="stop-sheet")
        self.note = gr.Markdown(HINT, elem_id="sheet-note")
        self.gallery = gr.Gallery(
            label="The photo in every style",
            show_label=False,
            columns=5,
            height="auto",
            object_fit="cover",
            allow_preview=False,
            buttons=[],
            elem_id="sheet",
        )
        long_work(
            self.start,
            self.stop_button,
            self._paint,
            paint_tab.controls.all,
            [self.gallery, self.note, self.stop_button],
            check=self._check,
            told=self.note,
            idle=HINT,
            stop=paint_tab.visitors.stop,
        )
        controls = paint_tab.controls
        chosen = self.gallery.select(
            self._choose,
            controls.all,
            [tabs, controls.picture, controls.chosen, controls.gallery, *controls.rows],
            **QUIET,
        )
        bring_into_view(chosen.success, controls.result)
        paint_tab.painted_by(chosen.success)

    def _check(self, values: Values, _: gr.Request) -> None:
        if values[self.paint_tab.controls.photo] is None:
            raise InvalidInput("choose a photo on the Paint tab first")

    def _paint(self, values: Values, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        controls = self.paint_tab.controls
        visitor, wish = controls.visitor(request, values), controls.wish(values)
        photo, method = values[controls.photo], METHOD_BY_LABEL[FAST] if wish.optimises else wish.method
        styles = entries(visitor.transfer)
        painted: list[tuple[str, str]] = []  # file, caption

        def work(on_step: OnStep) -> None:
            small, folder = visitor.scaled(photo, SIDE), visitor.emptied("sheet")
            with suppress(Cancelled):
                for index, entry in enumerate(styles):
                    on_step(Progress(index, len(styles)))
                    file = folder / f"{entry.name}-{SIDE}.jpg"
                    with suppress(InvalidStyleFile, UnknownStyle):  # of another network, or removed meanwhile
                        single = replace(wish, styles={entry.name: 100}, region=None, method=method, size=SIDE)
                        images.save_picture(single.paint(visitor.transfer, small), file)
                        painted.append((str(file), entry.caption))

        with telling():
            events = follow(work, visitor.long)  # from now on it can be stopped
            yield [], WAITING, gr.update(interactive=True)
            for event in events:
                if isinstance(event, Finished):
                    break
                if event is None or event.step % SHOWN_EVERY == 0:
                    yield list(painted), HINT, gr.skip()
        yield list(painted), HINT, gr.update(interactive=False)

    def _choose(self, values: Values, event: gr.SelectData, request: gr.Request) -> Updates:
        """Open the Paint tab with that style alone, without the visitor's picture."""
        controls, name = self.paint_tab.controls, style_in(event)
        if name not in controls.visitor(request, values).transfer.styles:
            raise gr.Error("This style is no longer here.", print_exception=False)
        picked = self.paint_tab.choices.rechosen([name], {**values, controls.picture: None}, request)
        without = {controls.picture: None} if values[controls.picture] else {}
        return {self.tabs: gr.update(selected="paint"), **picked, **without}
