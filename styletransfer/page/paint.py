"""The tab that paints: photo, styles, their blend, and everything that can be wished of a painting."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from styletransfer import images
from styletransfer.api import StyleTransfer
from styletransfer.core import StyleInfo
from styletransfer.errors import UnreadableImage
from styletransfer.page.pad import CORNERS, blend_pad, corner_names, corner_weights
from styletransfer.page.photo import photo_input
from styletransfer.page.visitors import Visitor, Visitors
from styletransfer.page.wish import EVERYWHERE, PLACES, Wish
from styletransfer.page.work import HEAVY, Finished, follow, telling
from styletransfer.settings import PRESERVE_COLOR, STRENGTH, STROKE_SIZE

MOST_STYLES = CORNERS
PREVIEW_SIDE = 384  # pixels; painted while a slider moves
SHOWN_SIDE = 1024  # pixels; more is not sent for looking at, only for download
METHODS = {"Fast": None, "Any picture": "adain", "Finest": "gatys"}
SIZES = [("As the photo", 0), *((f"{side} px", side) for side in (512, 768, 1024, 1536, 2048, 3072, 4096))]
FORMATS = ("PNG", "JPEG", "WebP")
PAINTED_BY_ITSELF = ("Fast", "Any picture")
YOURS = "Your picture"

Values = Mapping[Any, Any]  # component -> what it holds


@dataclass(frozen=True)
class Look:
    """A style as the gallery shows it."""

    name: str
    caption: str
    words: str  # that a search looks through


class PaintTab:
    """Components and events of the tab; other tabs use its photo and its wish."""

    def __init__(self, visitors: Visitors, previews: Path, examples: Sequence[Path]) -> None:
        self.visitors, self.previews = visitors, previews
        self.pace: dict[str, float] = {}  # method -> seconds a megapixel, as last measured
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                self._inputs(examples)
            with gr.Column(scale=6, min_width=320):
                self._results()
        self._events()

    def _inputs(self, examples: Sequence[Path]) -> None:
        self.photo = photo_input("Photo", webcam=True, elem_id="photo")
        if examples:
            gr.Examples(
                [str(path) for path in examples], self.photo, label="Or one of these", elem_id="examples"
            )
        self.search = gr.Textbox(label="Search styles", placeholder="title, artist or year", elem_id="search")
        self.listed = gr.State([])  # names of the styles that the gallery shows
        self.chosen = gr.State([])
        gr.Markdown("Click a style to choose it, and more to blend them.")
        self.gallery = gr.Gallery(
            label="Styles",
            show_label=False,
            columns=4,
            height=380,
            object_fit="cover",
            allow_preview=False,
            buttons=[],
            elem_id="styles",
        )
        with gr.Accordion("Or any picture as a style", open=False):
            self.picture = photo_input(YOURS, height=200, elem_id="picture")
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
            self.paint_button = gr.Button("Paint", variant="primary", elem_id="paint")
            self.stop_button = gr.Button("Stop", interactive=False, elem_id="stop")
            self.download = gr.DownloadButton("Download", interactive=False, elem_id="download")
        self.mix = gr.Markdown("", elem_id="mix")
        self.sliders = [
            gr.Slider(0, 100, value=100, step=1, label=f"Style {index + 1}", visible=False)
            for index in range(MOST_STYLES)
        ]
        self.picture_slider = gr.Slider(0, 100, value=100, step=1, label=YOURS, visible=False)
        self.strength = gr.Slider(
            STRENGTH.least,
            STRENGTH.most,
            value=STRENGTH.default,
            step=0.05,
            label="Strength",
            info="0 is the photo, 1 the full painting",
            elem_id="strength",
        )
        with gr.Row():
            self.method = gr.Radio(
                list(METHODS), value="Fast", label="Method", elem_id="method", min_width=260, scale=3
            )
            self.size = gr.Dropdown(SIZES, value=1024, label="Long side", elem_id="size", min_width=120)
        self.seconds = gr.Slider(
            10, 300, value=60, step=10, label="Seconds for the finest method", visible=False, elem_id="seconds"
        )
        with gr.Accordion("Blend pad", open=False):
            self.pad = blend_pad()
        with gr.Accordion("More", open=False):
            self.preserve_color = gr.Slider(
                PRESERVE_COLOR.least,
                PRESERVE_COLOR.most,
                value=PRESERVE_COLOR.default,
                step=0.05,
                label="Keep the photo's colours",
                elem_id="keep-colour",
            )
            self.stroke_size = gr.Slider(
                0.5, 2, value=STROKE_SIZE.default, step=0.1, label="Size of the strokes", elem_id="strokes"
            )
            self.file_format = gr.Radio(list(FORMATS), value="PNG", label="Format of the download")
            self.restore = gr.UploadButton(
                "Restore the settings of a painting", file_types=["image"], elem_id="restore"
            )
        with gr.Accordion("Regions", open=False):
            gr.Markdown("Paint on the photo, then say where each style belongs.")
            self.region = gr.ImageEditor(
                label="Region",
                type="pil",
                sources=[],
                layers=False,
                transforms=[],
                brush=gr.Brush(default_size=60, colors=["#f59e0b"], color_mode="fixed"),
                height=360,
                elem_id="region",
            )
            self.places = [
                gr.Radio(list(PLACES), value=EVERYWHERE, label=f"Style {index + 1}", visible=False)
                for index in range(MOST_STYLES)
            ]
            self.picture_place = gr.Radio(list(PLACES), value=EVERYWHERE, label=YOURS, visible=False)
            self.elsewhere = gr.Slider(
                0, 1, value=1, step=0.05, label="Strength outside the painted area", elem_id="elsewhere"
            )

    @property
    def inputs(self) -> set[Any]:
        """All that a wish is made of."""
        return {
            *(
                self.photo,
                self.chosen,
                self.picture,
                self.picture_slider,
                self.strength,
                self.method,
                self.size,
            ),
            *(self.seconds, self.preserve_color, self.stroke_size, self.file_format, self.region),
            *(self.picture_place, self.elsewhere, *self.sliders, *self.places),
        }

    def _events(self) -> None:
        shown = [self.result, self.note, self.download, self.stop_button]
        rows = [self.mix, *self.sliders, *self.places, self.pad]
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        full: dict[str, Any] = {"inputs": self.inputs, "outputs": shown, "trigger_mode": "always_last"}
        full |= {**quiet, **HEAVY}

        self.search.change(self._list, [self.search, self.chosen], [self.gallery, self.listed], **quiet)
        choose = self.gallery.select(
            self._choose,
            [self.chosen, self.listed, self.search],
            [self.chosen, self.gallery, *rows],
            trigger_mode="multiple",
            **quiet,
        )
        choose.then(self.paint_live, **full)
        given = self.picture.change(
            self._picture_given,
            [self.picture],
            [self.picture_slider, self.picture_place, self.method, self.learn_button],
            **quiet,
        )
        given.then(self.paint_live, **full)
        photo = self.photo.change(self._photo_given, [self.photo], [self.region, self.note], **quiet)
        photo.then(self.paint_live, **full)
        self.method.change(
            lambda method: gr.update(visible=method == "Finest"), self.method, self.seconds, **quiet
        ).then(self.paint_live, **full)
        for control in (
            *self.sliders,
            self.picture_slider,
            self.strength,
            self.preserve_color,
            self.stroke_size,
        ):
            control.input(
                self.preview,
                self.inputs,
                [self.result, self.mix],
                trigger_mode="always_last",
                **quiet,
                **HEAVY,
            )
            control.release(self.paint_live, **full)
        choices: tuple[Any, ...] = (self.size, self.file_format, *self.places, self.picture_place)
        for choice in choices:
            choice.input(self.paint_live, **full)
        self.elsewhere.release(self.paint_live, **full)
        self.region.apply(self.paint_live, **full)
        # Every move: the last one repeated would carry the place of an earlier one.
        moved = self.pad.input(self._pad_moved, [self.chosen], self.sliders, trigger_mode="multiple", **quiet)
        moved.then(self.paint_live, **full)
        self.paint_button.click(self.paint, **full)
        self.stop_button.click(self._stop, None, None, queue=False, **quiet)
        restored = self.restore.upload(
            self._restore,
            [self.restore, self.search],
            [
                *(self.chosen, self.gallery, *rows, self.strength, self.method, self.size),
                *(self.preserve_color, self.stroke_size, self.seconds),
            ],
            **quiet,
        )
        restored.then(self.paint_live, **full)

    def wish(self, values: Values) -> Wish:
        """What the controls say."""
        names = list(values[self.chosen])
        styles = {name: values[slider] for name, slider in zip(names, self.sliders, strict=False)}
        places = {name: values[place] for name, place in zip(names, self.places, strict=False)}
        if values[self.picture]:
            styles[values[self.picture]] = values[self.picture_slider]
            places[values[self.picture]] = values[self.picture_place]
        return Wish(
            styles=styles,
            places=places,
            region=_region(values[self.region]),
            elsewhere=values[self.elsewhere],
            strength=values[self.strength],
            preserve_color=values[self.preserve_color],
            stroke_size=values[self.stroke_size],
            size=values[self.size] or None,
            method=METHODS[values[self.method]],
            seconds=values[self.seconds],
        )

    def looks(self, transfer: StyleTransfer) -> list[Look]:
        """All styles, own ones first."""
        own = set(transfer.own_styles)
        infos = sorted(transfer.styles.items(), key=lambda item: (item[0] not in own, item[0]))
        return [Look(name, _caption(info), _words(info)) for name, info in infos]

    def list_styles(self, transfer: StyleTransfer, search: str, chosen: Sequence[str]) -> tuple[Any, list[str]]:
        """Gallery and names of the styles that a search finds."""
        wanted = search.casefold().split()
        found = [look for look in self.looks(transfer) if all(word in look.words for word in wanted)]
        items = [
            (str(self._preview_file(transfer, look.name)), ("✓ " if look.name in chosen else "") + look.caption)
            for look in found
        ]
        return gr.update(value=items, selected_index=None), [look.name for look in found]

    def _preview_file(self, transfer: StyleTransfer, name: str) -> Path:
        """A style's small picture as a file; an own style may come anew under an old name."""
        content = transfer.style_preview(name)
        path = self.previews / f"{name}-{hash(content) & 0xFFFFFFFF:08x}.jpg"
        if not path.exists():
            path.write_bytes(content)
        return path

    def load(self, request: gr.Request) -> tuple[Any, ...]:
        """The gallery when the page opens."""
        return self.list_styles(self.visitors.of(request).transfer, "", [])

    def _list(self, search: str, chosen: list[str], request: gr.Request) -> tuple[Any, ...]:
        return self.list_styles(self.visitors.of(request).transfer, search, chosen)

    def _choose(
        self, chosen: list[str], listed: list[str], search: str, event: gr.SelectData, request: gr.Request
    ) -> list[Any]:
        name = listed[event.index]
        if name in chosen:
            chosen = [each for each in chosen if each != name]
        elif len(chosen) == MOST_STYLES:
            raise gr.Error(f"At most {MOST_STYLES} styles; click one to take it out.", print_exception=False)
        else:
            chosen = [*chosen, name]
        transfer = self.visitors.of(request).transfer
        gallery, _ = self.list_styles(transfer, search, chosen)
        return [chosen, gallery, *self.rows(transfer, chosen)]

    def rows(
        self, transfer: StyleTransfer, chosen: Sequence[str], weights: Sequence[float] | None = None
    ) -> list[Any]:
        """Updates of the mix, the sliders, the places and the pad for the chosen styles."""
        infos = transfer.styles
        titles = [title_of(infos[name]) for name in chosen]
        values = weights or [100.0] * len(chosen)
        sliders, places = [], []
        for index in range(MOST_STYLES):
            there = index < len(chosen)
            label = titles[index] if there else f"Style {index + 1}"
            known: dict[str, Any] = {"value": values[index]} if there and weights else {}
            sliders.append(gr.update(label=label, visible=there and len(chosen) > 1, **known))
            places.append(gr.update(label=label, visible=there))
        text = _mix_text(titles, values) if len(chosen) > 1 else ""
        return [text, *sliders, *places, gr.update(value=corner_names(titles))]

    def _pad_moved(self, chosen: list[str], event: gr.EventData) -> list[Any]:
        weights = corner_weights(len(chosen), event.x, event.y)
        return [
            gr.update(value=round(100 * weights[index])) if index < len(weights) else gr.skip()
            for index in range(MOST_STYLES)
        ]

    def _picture_given(self, picture: str | None) -> tuple[Any, ...]:
        there = picture is not None
        method = gr.update(value="Any picture") if there else gr.update(value="Fast")
        return gr.update(visible=there), gr.update(visible=there), method, gr.update(interactive=there)

    def _photo_given(self, photo: str | None, request: gr.Request) -> tuple[Any, Any]:
        if photo is None:
            return None, "Choose a photo and a style."
        with telling():
            scaled = self.visitors.of(request).scaled(photo, SHOWN_SIDE)
        return scaled, _next_step(True)

    def preview(self, values: Values, request: gr.Request) -> tuple[Any, str]:
        """A quick look at a reduced size."""
        wish, visitor = self.wish(values), self.visitors.of(request)
        titles, weights = _titles(visitor.transfer, wish), list(wish.styles.values())
        text = _mix_text(titles, weights) if len(weights) > 1 else ""
        if values[self.photo] is None or sum(weights) <= 0 or values[self.method] not in PAINTED_BY_ITSELF:
            return gr.skip(), text
        with telling():
            painted = wish.paint(
                visitor.transfer, visitor.scaled(values[self.photo], PREVIEW_SIDE), size=PREVIEW_SIDE
            )
            return _compare(visitor, values[self.photo], painted), text

    def paint_live(self, values: Values, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Paint, where the method does it at once; otherwise say how long it would take."""
        if values[self.photo] is None or not self.wish(values).styles:
            yield gr.skip(), _next_step(values[self.photo] is not None), gr.skip(), gr.skip()
        elif values[self.method] in PAINTED_BY_ITSELF:
            yield from self.paint(values, request)
        else:
            note = f"The finest method takes about {values[self.seconds]:.0f} seconds. Press Paint."
            yield gr.skip(), note, gr.skip(), gr.skip()

    def paint(self, values: Values, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Paint at full size: result, note, download and stop button, again and again until it is done."""
        visitor, wish, photo = self.visitors.of(request), self.wish(values), values[self.photo]
        if photo is None or not wish.styles:
            raise gr.Error(_next_step(photo is not None), title="Something is missing", print_exception=False)
        began = time.monotonic()
        yield (
            gr.skip(),
            self._expectation(wish, photo),
            gr.update(interactive=False),
            gr.update(interactive=True),
        )
        with telling():
            for event in follow(lambda on_step: wish.paint(visitor.transfer, photo, on_step), visitor.stopping):
                if isinstance(event, Finished):
                    painted = event.value
                elif event.preview is not None and wish.method == "gatys":
                    note = f"Step {event.step} of {event.steps}, {time.monotonic() - began:.0f} s"
                    seen = _compare(visitor, photo, images.to_pil(event.preview))
                    yield seen, note, gr.skip(), gr.skip()
            seconds = time.monotonic() - began
            file = visitor.new_file(f"{Path(photo).stem}-painted.{values[self.file_format].lower()}")
            yield _compare(visitor, photo, painted), gr.skip(), gr.skip(), gr.update(interactive=False)
            images.save_picture(painted, file)
        self._remember(wish, painted, seconds)
        note = f"{painted.width} x {painted.height} pixels, painted in {seconds:.1f} s"
        yield gr.skip(), note, gr.update(value=str(file), interactive=True), gr.skip()

    def _expectation(self, wish: Wish, photo: str) -> str:
        """An honest estimate, once something was measured."""
        if wish.method == "gatys":
            return f"Painting for about {wish.seconds:.0f} s; Stop keeps the best so far."
        pace = self.pace.get(_method_of(wish))
        if pace is None:
            return "Painting…"
        with Image.open(photo) as picture:
            width, height = picture.size
        scale = (wish.size or max(width, height)) / max(width, height) / wish.stroke_size
        return f"Painting, about {pace * width * height * scale**2 / 1e6 + 0.2:.1f} s…"

    def _remember(self, wish: Wish, painted: Image.Image, seconds: float) -> None:
        if wish.method != "gatys":
            megapixels = painted.width * painted.height / wish.stroke_size**2 / 1e6
            self.pace[_method_of(wish)] = seconds / max(megapixels, 0.1)

    def _stop(self, request: gr.Request) -> None:
        self.visitors.of(request).stopping.set()

    def _restore(self, file: str, search: str, request: gr.Request) -> list[Any]:
        """Set every control as it was when that picture was painted."""
        transfer = self.visitors.of(request).transfer
        with telling():
            found = images.read_metadata(Path(file))
            if not found.get("styles"):
                raise UnreadableImage(
                    "this picture carries no settings; give one that was painted and downloaded here"
                )
        known = {name: weight for name, weight in found["styles"].items() if name in transfer.styles}
        missing = [name for name in found["styles"] if name not in known]
        if missing:
            gr.Warning(f"These styles are not here: {', '.join(missing)}")
        chosen = list(known)[:MOST_STYLES]
        weights = [round(100 * known[name]) for name in chosen]
        gallery, _ = self.list_styles(transfer, search, chosen)
        method = {"gatys": "Finest", "adain": "Any picture"}.get(found.get("method", ""), "Fast")
        optimization = found.get("optimization") or {}
        sizes = [value for _, value in SIZES]
        return [
            *(chosen, gallery, *self.rows(transfer, chosen, weights or None)),
            found.get("strength", STRENGTH.default),
            method,
            found.get("size") if found.get("size") in sizes else 0,
            found.get("preserve_color", PRESERVE_COLOR.default),
            found.get("stroke_size", STROKE_SIZE.default),
            optimization.get("seconds") or 60,
        ]


def title_of(info: StyleInfo) -> str:
    """A style's title without what stands in brackets: there is little room."""
    return info.title.partition(" (")[0]


def _caption(info: StyleInfo) -> str:
    about = ", ".join(part for part in (info.artist, info.year) if part)
    return f"{title_of(info)} · {about}" if about else title_of(info)


def _words(info: StyleInfo) -> str:
    return " ".join((info.slug, info.title, info.artist, info.year)).casefold()


def _titles(transfer: StyleTransfer, wish: Wish) -> list[str]:
    infos = transfer.styles
    return [title_of(infos[name]) if name in infos else YOURS for name in wish.styles]


def _mix_text(titles: Sequence[str], weights: Sequence[float]) -> str:
    total = sum(weights)
    if total <= 0:
        return "Give at least one style a weight."
    return " · ".join(
        f"**{title}** {100 * weight / total:.0f} %" for title, weight in zip(titles, weights, strict=True)
    )


def _next_step(has_photo: bool) -> str:
    return "Choose a style in the gallery." if has_photo else "Choose a photo first."


def _method_of(wish: Wish) -> str:
    return wish.method or "cin"


def _region(edited: Mapping[str, Any] | None) -> Image.Image | None:
    """What was painted in the editor, as a grey picture, or None where nothing was."""
    layers = (edited or {}).get("layers") or []
    if not layers or edited is None or edited.get("background") is None:
        return None
    alpha = layers[0].getchannel("A")
    for layer in layers[1:]:
        alpha = Image.composite(layer.getchannel("A"), alpha, layer.getchannel("A"))
    return alpha if alpha.getbbox() else None


def _compare(visitor: Visitor, photo: str, painted: Image.Image) -> tuple[str, str]:
    """Files of photo and painting, for the eye, of one size."""
    before = visitor.scaled(photo, SHOWN_SIDE)
    after = painted.convert("RGB").resize(before.size, Image.Resampling.BILINEAR)
    files = []
    for name, picture in (("before.jpg", before), ("after.jpg", after)):
        file = visitor.new_file(name)
        picture.save(file, quality=90)
        files.append(str(file))
    return files[0], files[1]
