"""The tab that learns a style from one picture, and manages the visitor's own styles."""

import time
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from styletransfer import images
from styletransfer.core import OnStep, Progress, Style
from styletransfer.errors import InvalidInput
from styletransfer.page.appearance import progress_bar
from styletransfer.page.controls import Updates, Values
from styletransfer.page.events import QUIET, WAITING, long_work, telling
from styletransfer.page.gallery import title_of
from styletransfer.page.paint import PaintTab
from styletransfer.page.photo import photo_input
from styletransfer.page.slider import slider
from styletransfer.page.uploads import FileButton
from styletransfer.page.visitors import Visitor
from styletransfer.page.wish import readable_size
from styletransfer.page.work import Finished, follow
from styletransfer.settings import STYLE_SIDE, STYLE_SIZE
from styletransfer.stylefolders import SUFFIX

SECONDS = 40  # enough, see docs/benchmarks.md
TAUGHT_SIZE = replace(STYLE_SIZE, most=1024)  # VGG holds all of the picture in memory
CURVE = ["step", "loss", "distance from"]
SMOOTHED_STEPS = 10  # every step sees another crop, and some are harder than others
LOSSES = {"content": "photo", "style": "painting"}


class LearnTab:
    """Components and events of the tab; a learned style appears in the gallery of `paint_tab`."""

    def __init__(self, paint_tab: PaintTab) -> None:
        self.paint_tab, self.visitors = paint_tab, paint_tab.visitors
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                gr.Markdown("Upload a picture with a distinctive look: a painting, a drawing, a fabric…")
                if not self.visitors.shared_styles:
                    gr.Markdown(
                        "Your styles are deleted an hour after you leave. To keep one, download its file under "
                        "*My styles* below."
                    )
                self.picture = photo_input("Picture to learn from", self.visitors, elem_id="teacher")
                self.name = gr.Textbox(label="Name of the style", placeholder="My style", elem_id="style-name")
                self.seconds = slider(10, 300, SECONDS, 5, "Learning time (seconds)", elem_id="learn-for")
                self.style_side = slider(
                    *(128, TAUGHT_SIZE.most, STYLE_SIDE, 16),
                    "Stroke size",
                    info="The short side, in pixels, at which the picture is looked at; more: broader strokes",
                    elem_id="learn-strokes",
                )
                with gr.Row():
                    self.learn_button = gr.Button("Learn this style", variant="primary", elem_id="learn")
                    self.stop_button = gr.Button(
                        "Stop and keep the style", interactive=False, elem_id="stop-learning"
                    )
            with gr.Column(scale=6, min_width=320):
                self.progress = gr.HTML("", elem_id="learning")
                self.preview = gr.Image(
                    label="Preview",
                    interactive=False,
                    height=300,
                    buttons=["download", "fullscreen"],
                    elem_id="learned",
                )
                self.losses = gr.LinePlot(
                    pd.DataFrame(columns=CURVE),
                    x="step",
                    y="loss",
                    color="distance from",
                    title="Loss",
                    height=220,
                    visible=False,
                )
        with gr.Accordion("My styles", open=False):
            self.own = gr.Dropdown([], label="Style", elem_id="own")
            with gr.Row():
                self.export = gr.DownloadButton("Download style file", interactive=False, elem_id="export")
                self.remove = gr.Button("Delete style", interactive=False, elem_id="remove")
                self.sure = gr.Button("Yes, delete this style", variant="stop", visible=False, elem_id="sure")
                self.add = FileButton("Import a style file", file_types=[SUFFIX], elem_id="import")
        self._events()

    def _events(self) -> None:
        it = self.paint_tab.controls
        listing: dict[str, Any] = {
            "fn": self.listing,
            "inputs": {it.key, it.search, it.chosen},
            "outputs": [it.gallery, self.own, it.key],
            **QUIET,
        }
        learned = long_work(
            self.learn_button,
            self.stop_button,
            self._learn,
            {it.key, self.picture, self.name, self.seconds, self.style_side},
            [self.progress, self.preview, self.losses, self.stop_button],
            check=self._check,
            told=self.progress,
            idle="",
            stop=self.visitors.stop,
        )
        learned.success(**listing)
        self.own.change(self._chosen, {it.key, self.own}, [self.export, self.remove, self.sure], **QUIET)
        self.remove.click(lambda: gr.update(visible=True), None, self.sure, **QUIET)
        removed = self.sure.click(
            self._remove,
            {self.own, *it.all},
            [self.sure, self.progress, self.own, it.chosen, it.gallery, *it.rows],
            **QUIET,
        )
        self.paint_tab.painted_by(removed.success)
        self.add.upload(self._add, {it.key, self.add}, self.progress, **QUIET).then(**listing)

    def listing(self, values: Values, request: gr.Request) -> Updates:
        """Updates of the gallery, the list of own styles and the visitor's key."""
        it = self.paint_tab.controls
        visitor = it.visitor(request, values)
        visitor.on_page = True
        return {
            it.gallery: self.paint_tab.choices.search(values, request),
            self.own: self._own(visitor),
            it.key: visitor.own.key,
        }

    def _own(self, visitor: Visitor) -> Any:
        infos = visitor.transfer.styles
        choices = [(title_of(infos[name]), name) for name in visitor.transfer.own_styles if name in infos]
        return gr.update(choices=choices, value=None)

    def _check(self, values: Values, request: gr.Request) -> None:
        if values[self.picture] is None or not values[self.name].strip():
            raise InvalidInput("give a picture to learn from, and a name for the style")
        readable_size(values[self.picture])
        visitor = self.paint_tab.controls.visitor(request, values)
        visitor.transfer.check_name(values[self.name])

    def _learn(self, values: Values, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        visitor = self.paint_tab.controls.visitor(request, values)
        seconds, style_side = values[self.seconds], int(values[self.style_side])
        curve: list[tuple[int, float, str]] = []
        with telling():

            def work(on_step: OnStep) -> Style:
                return visitor.transfer.train_style(
                    values[self.picture],
                    values[self.name],
                    seconds=seconds,
                    style_side=style_side,
                    on_step=on_step,
                )

            events = follow(work, visitor.long)  # from now on it can be stopped
            yield WAITING, None, gr.update(visible=False), gr.update(interactive=True)
            for event in events:
                if event is None:
                    began = time.monotonic()
                    yield progress_bar(0, "Looking at the picture…"), gr.skip(), gr.skip(), gr.skip()
                    continue
                if isinstance(event, Finished):
                    title = title_of(event.value.info)
                    break
                curve += [(event.step, event.losses[loss], name) for loss, name in LOSSES.items()]
                whole = (time.monotonic() - began) * event.steps / event.step  # where all steps take less
                yield self._progress(event, min(seconds, whole), curve)
        told = progress_bar(1, f"Done. <b>{escape(title)}</b> is now in the gallery of the Paint tab.")
        yield told, gr.skip(), gr.skip(), gr.update(interactive=False)

    def _progress(
        self, progress: Progress, seconds: float, curve: list[tuple[int, float, str]]
    ) -> tuple[Any, ...]:
        share = progress.step / progress.steps
        bar = progress_bar(share, f"Step {progress.step}, {seconds * (1 - share):.0f} s left")
        if progress.preview is None:
            return bar, gr.skip(), gr.skip(), gr.skip()
        frame = pd.DataFrame(curve, columns=CURVE)
        frame["loss"] = frame.groupby("distance from")["loss"].transform(
            lambda losses: losses.ewm(span=SMOOTHED_STEPS).mean()
        )
        preview = gr.update(value=images.to_pil(progress.preview))
        return bar, preview, gr.update(value=frame, visible=True), gr.skip()

    def _chosen(self, values: Values, request: gr.Request) -> Updates:
        own, file = values[self.own], None
        if own is not None:
            visitor = self.paint_tab.controls.visitor(request, values)
            with telling():
                file = str(visitor.new_file(f"{own}{SUFFIX}"))
                visitor.transfer.export_style(own, file)
        return {
            self.export: gr.update(value=file, interactive=own is not None),
            self.remove: gr.update(interactive=own is not None),
            self.sure: gr.update(visible=False),
        }

    def _remove(self, values: Values, request: gr.Request) -> Updates:
        own, chosen = values[self.own], values[self.paint_tab.controls.chosen]
        visitor = self.paint_tab.controls.visitor(request, values)
        info = visitor.transfer.styles.get(own)
        title = title_of(info) if info else own
        with telling():
            visitor.transfer.remove_style(own)
        self.visitors.style_removed(visitor.transfer, own)
        return {
            self.sure: gr.update(visible=False),
            self.progress: progress_bar(1, f"<b>{escape(title)}</b> has been deleted."),
            self.own: self._own(visitor),
            **self.paint_tab.choices.rechosen(chosen, values, request),
        }

    def _add(self, values: Values, request: gr.Request) -> str:
        visitor = self.paint_tab.controls.visitor(request, values)
        with telling():
            info = visitor.transfer.import_style(Path(values[self.add]))
        return progress_bar(1, f"<b>{escape(title_of(info))}</b> is now in the gallery of the Paint tab.")
