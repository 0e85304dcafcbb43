"""The controls of the Paint tab, and the wish that they describe."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from styletransfer import images
from styletransfer.api import StyleTransfer
from styletransfer.page.mix import YOURS, mix_text, titles_of
from styletransfer.page.pad import CORNERS, blend_pad, pad_value
from styletransfer.page.photo import photo_input
from styletransfer.page.region import BRUSH, RegionEditor
from styletransfer.page.size import side_in, size_input
from styletransfer.page.slider import slider, slider_of
from styletransfer.page.uploads import FileButton
from styletransfer.page.visitors import Visitor, Visitors
from styletransfer.page.wish import EVERYWHERE, PLACES, Wish
from styletransfer.settings import COLOR_MODES, PRESERVE_COLOR, STRENGTH, STROKE_SIZE

MOST_STYLES = CORNERS
FAST, FINEST = "Fast", "Finest"
METHOD_BY_LABEL = {FAST: "cin", "AdaIN": "adain", FINEST: "gatys"}
COLOR_MODE_LABELS = [
    ("The painting's light, in the photo's colours", "luminance"),
    ("The painting's colours, moved towards the photo's", "statistics"),
]
DOWNLOAD_FORMATS = ("PNG", "JPEG", "WebP")
PICTURES = (
    "image",
    *sorted(images.PICTURE_SUFFIXES),
)  # what browsers offer to upload; not all know all suffixes

Values = Mapping[Any, Any]  # component -> its value
Updates = dict[Any, Any]  # component -> its new value or `gr.update`


class Controls:
    """The components, in two columns of the tab in which it is created."""

    def __init__(self, visitors: Visitors, examples: Sequence[Path]) -> None:
        self.visitors = visitors
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                self._inputs(examples)
            with gr.Column(scale=6, min_width=320):
                self._results()
                self._settings()
                self._regions()

    def _inputs(self, examples: Sequence[Path]) -> None:
        self.photo = photo_input("Photo", self.visitors, webcam=True, elem_id="photo")
        if examples:
            gr.Examples(
                [str(path) for path in examples], self.photo, label="Or one of these", elem_id="examples"
            )
        self.search = gr.Textbox(label="Search styles", placeholder="title, artist or year", elem_id="search")
        self.on_photo = gr.Checkbox(False, label="Show the styles on my photo", elem_id="on-photo")
        self.chosen = gr.State([])  # names of styles
        # The same as of the rows in the browser, where each click on the gallery finds a newer `chosen`.
        self.named = gr.JSON([], visible=False)
        gr.Markdown(
            f"Click a style to use it, or up to {MOST_STYLES} to blend them; click again to remove one."
        )
        self.gallery = gr.Gallery(
            label="Styles",
            show_label=False,
            columns=4,
            height=560,
            object_fit="cover",
            allow_preview=False,
            buttons=[],
            elem_id="styles",
        )
        with gr.Accordion("Or any picture as a style", open=False):
            self.picture = photo_input(YOURS, self.visitors, height=200, elem_id="picture")
            self.learn_button = gr.Button("Learn this style", interactive=False, elem_id="learn-this")

    def _results(self) -> None:
        self.result = gr.ImageSlider(
            label="Before and after",
            interactive=False,
            max_height=560,
            buttons=["fullscreen"],
            elem_id="result",
        )
        self.note = gr.Markdown("Choose a photo and a style.", elem_id="note")
        with gr.Row():
            self.paint_button = gr.Button("Paint", variant="primary", elem_id="paint", min_width=90)
            self.finest_button = gr.Button(
                "Paint", variant="primary", visible=False, elem_id="paint-finest", min_width=90
            )
            self.stop_button = gr.Button("Stop", interactive=False, elem_id="stop", min_width=90)
            self.download = gr.DownloadButton("Download", interactive=False, elem_id="download", min_width=90)
        self.key = gr.BrowserState(storage_key="styletransfer")  # by which the visitor's belongings are found
        self.earlier = gr.Gallery(
            label="Earlier paintings",
            columns=6,
            object_fit="cover",
            height="auto",
            allow_preview=False,
            visible=False,
            buttons=[],
            elem_id="earlier",
        )
        self.reuse = gr.Button("Use its settings", visible=False, size="sm", elem_id="reuse")

    def _settings(self) -> None:
        self.mix = gr.Markdown("", elem_id="mix")
        self.sliders = [
            slider(0, 100, 100, 1, f"Style {index + 1}", visible=False) for index in range(MOST_STYLES)
        ]
        self.picture_slider = slider(0, 100, 100, 1, YOURS, visible=False)
        self.strength = slider_of(
            STRENGTH, "Strength", info="0 is the photo, 1 the full painting", elem_id="strength"
        )
        with gr.Row():
            self.method = gr.Radio(
                list(METHOD_BY_LABEL),
                value=FAST,
                label="Method",
                info="Fast: the usual. AdaIN: the palette more than the brushwork. Finest: a minute or more.",
                elem_id="method",
                min_width=260,
                scale=3,
            )
            self.size = size_input("Size (long side)", elem_id="size")
        self.seconds = slider(10, 300, 60, 10, "Painting time (seconds)", visible=False, elem_id="seconds")
        with gr.Accordion("Blend pad", open=False):
            self.pad = blend_pad()
        with gr.Accordion("More settings", open=False):
            self.preserve_color = slider_of(
                PRESERVE_COLOR,
                "Keep the photo's colours",
                info="0: the painting's colours, 1: the photo's",
                elem_id="keep-colour",
            )
            self.color_mode = gr.Radio(
                COLOR_MODE_LABELS,
                value=next(iter(COLOR_MODES)),
                label="How colours are kept",
                elem_id="colour-mode",
            )
            self.stroke_size = slider_of(
                STROKE_SIZE,
                "Stroke size",
                info="Above 1: broader strokes; below 1: finer ones",
                elem_id="strokes",
            )
            self.file_format = gr.Radio(list(DOWNLOAD_FORMATS), value="PNG", label="Download format")
            self.restore = FileButton(
                "Restore settings from a painting…", file_types=[*PICTURES], elem_id="restore"
            )

    def _regions(self) -> None:
        with gr.Accordion("Regions", open=False):
            gr.Markdown(
                "Paint over a part of the photo and press ✓. Then choose for each style whether it is used "
                "inside that area, outside it, or everywhere."
            )
            self.region = RegionEditor(
                label="Region",
                type="pil",
                sources=[],
                layers=False,
                transforms=[],
                brush=gr.Brush(default_size=60, colors=[BRUSH], color_mode="fixed"),
                height=360,
                elem_id="region",
            )
            self.mask = FileButton("Use a mask or a cut-out…", file_types=[*PICTURES], elem_id="mask")
            self.region_mask = gr.State(None)  # from the editor, which itself would send all its pictures
            with gr.Column(visible=False) as self.where:
                self.places = [
                    gr.Radio(list(PLACES), value=EVERYWHERE, label=f"Style {index + 1}", visible=False)
                    for index in range(MOST_STYLES)
                ]
                self.picture_place = gr.Radio(list(PLACES), value=EVERYWHERE, label=YOURS, visible=False)
                self.elsewhere = slider(
                    *(0, 1, 1, 0.05),
                    "Strength outside the painted area",
                    info="of the styles that are used there",
                    elem_id="elsewhere",
                )

    @property
    def all(self) -> set[Any]:
        """All inputs: those that make up a wish, the search, the format and the visitor's key."""
        choice = {self.key, self.photo, self.search, self.chosen, self.named, self.picture, self.picture_slider}
        regions = {self.region_mask, self.picture_place, self.elsewhere, *self.places}
        return {*choice, *self.settings, *regions, *self.sliders, self.file_format}

    @property
    def settings(self) -> list[Any]:
        """The settings that hold for all styles, which come back from a painting."""
        colors = [self.preserve_color, self.color_mode]
        return [self.strength, self.method, self.size, *colors, self.stroke_size, self.seconds]

    @property
    def rows(self) -> list[Any]:
        """The components that `row_updates` updates."""
        rows = [*self.sliders, *self.places, self.picture_slider, self.picture_place]
        return [self.mix, self.named, *rows, self.pad]

    def visitor(self, request: gr.Request, values: Values | None = None) -> Visitor:
        """The visitor whose request it is; `values` has the key that their browser keeps."""
        return self.visitors.of(request, values[self.key] if values else None)

    def kept(self, values: Values) -> tuple[dict[str, float], dict[str, str]]:
        """Weights and places by name of the styles that have rows in the browser."""
        names = values[self.named]
        weights = {name: values[slider] for name, slider in zip(names, self.sliders, strict=False)}
        return weights, {name: values[place] for name, place in zip(names, self.places, strict=False)}

    def wish(self, values: Values) -> Wish:
        """The wish that the controls describe."""
        weights, kept_places = self.kept(values)
        styles = {name: weights.get(name, 100.0) for name in values[self.chosen]}
        places = {name: kept_places.get(name, EVERYWHERE) for name in styles}
        if values[self.picture]:
            styles[values[self.picture]] = values[self.picture_slider]
            places[values[self.picture]] = values[self.picture_place]
        if len(styles) == 1:  # its slider is hidden, and may have been left anywhere
            styles = dict.fromkeys(styles, 100.0)
        return Wish(
            styles=styles,
            places=places,
            region=values[self.region_mask],
            elsewhere=values[self.elsewhere],
            strength=values[self.strength],
            preserve_color=values[self.preserve_color],
            # Where none are kept it is all the same, and the wish too, so that nothing is painted again.
            color_mode=values[self.color_mode] if values[self.preserve_color] else next(iter(COLOR_MODES)),
            stroke_size=values[self.stroke_size],
            size=side_in(values[self.size]) or None,
            method=METHOD_BY_LABEL[values[self.method]],
            seconds=values[self.seconds],
        )

    def row_updates(
        self,
        transfer: StyleTransfer,
        chosen: Sequence[str],
        weights: Mapping[str, float],
        places: Mapping[str, str],
        picture_weight: float | None,
    ) -> Updates:
        """Updates of the mix, the sliders, the places and the pad for the chosen styles.

        `picture_weight` is that of the visitor's picture beside them, None where there is none.
        """
        titles = titles_of(transfer, chosen)
        values = [weights.get(name, 100.0) for name in chosen]
        there = picture_weight is not None
        mixed = len(chosen) + there > 1
        found: Updates = {
            self.mix: mix_text(titles, values, picture_weight),
            self.named: list(chosen),
            self.picture_slider: gr.update(
                visible=there and mixed, value=100 if picture_weight is None else picture_weight
            ),
            self.picture_place: gr.update(visible=there),
            self.pad: pad_value(titles, values),
        }
        for index, (share, place) in enumerate(zip(self.sliders, self.places, strict=True)):
            if index < len(chosen):
                label, where = titles[index], places.get(chosen[index], EVERYWHERE)
                found[share] = gr.update(label=label, visible=mixed, value=values[index] if mixed else 100)
                found[place] = gr.update(label=label, visible=True, value=where)
            else:
                found[share] = found[place] = gr.update(visible=False)
        return found
