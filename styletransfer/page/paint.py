"""The tab that paints: what happens when its controls are touched."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from styletransfer import images
from styletransfer.api import StyleTransfer
from styletransfer.core import normalise_weights
from styletransfer.errors import UnreadableImage
from styletransfer.page.controls import (
    METHODS,
    MOST_STYLES,
    SIZES,
    Controls,
    Values,
    mix_text,
    titles_of,
)
from styletransfer.page.gallery import StylePictures
from styletransfer.page.pad import corner_weights
from styletransfer.page.visitors import Painted, Visitor, Visitors, on_white
from styletransfer.page.wish import Wish
from styletransfer.page.work import HEAVY, QUIET, WAITING, Finished, alone, follow, tell_waiting, telling
from styletransfer.settings import Optimization

PREVIEW_SIDE = 384  # pixels; painted while a slider moves
PAINTED_BY_ITSELF = ("Fast", "AdaIN")
RESTORED = 9  # controls that a painting restores, beside the rows of its styles


class PaintTab:
    """The tab; others use its controls, and `painted_by` to have it paint."""

    def __init__(self, visitors: Visitors, pictures: StylePictures, examples: Sequence[Path]) -> None:
        self.visitors, self.pictures = visitors, pictures
        self.controls = Controls(visitors, examples)
        self._events()

    def painted_by(self, listener: Callable[..., Any], paint: Callable[..., Any] | None = None) -> None:
        """Paint upon an event: as it does by itself, or with `paint`."""
        controls = self.controls
        # A second click on the button is impatience; of moves of a slider the last one counts.
        again = {"trigger_mode": "once"} if paint else {}
        tell_waiting(listener, controls.note, controls.stop_button)
        listener(paint or self.paint_live, **(self._painting | again)).failure(
            self._nothing_painted,
            None,
            [controls.note, controls.download, controls.stop_button],
            queue=False,  # one that is full is a failure as well
            **QUIET,
        )

    def _nothing_painted(self, request: gr.Request) -> tuple[str, Any, Any]:
        """Note, download and stop button; what was painted before may be downloaded still."""
        before = self.visitors.of(request).painted
        download = gr.update(interactive=False) if before is None else self._saved(before, request)
        return "Nothing was painted.", download, gr.update(interactive=False)

    @property
    def _painting(self) -> dict[str, Any]:
        """How `paint` and `paint_live` are listened with."""
        controls = self.controls
        shown = [controls.result, controls.note, controls.download, controls.stop_button]
        return {
            "inputs": controls.all,
            "outputs": shown,
            "trigger_mode": "always_last",
            **QUIET,
            **HEAVY,
        }

    def _events(self) -> None:
        it, quiet = self.controls, QUIET
        it.search.change(self._search, [it.search, it.chosen], [it.gallery, it.listed], **quiet)
        # Every click and every move of the pad counts; repeated later it would carry an earlier place.
        chosen = it.gallery.select(
            self._choose,
            {it.listed, *it.choosing},
            [it.chosen, it.gallery, it.listed, *it.rows],
            trigger_mode="multiple",
            **quiet,
        )
        moved = it.pad.input(
            self._pad_moved,
            {it.chosen, it.picture, it.picture_slider},
            [it.mix, *it.sliders],
            trigger_mode="multiple",
            **quiet,
        )
        given = it.picture.change(
            self._picture_given,
            it.choosing,
            [it.picture_slider, it.picture_place, it.learn_button, *it.rows],
            **quiet,
        )
        settings = [
            *(it.chosen, it.gallery, it.listed, *it.rows, it.strength, it.method, it.size),
            *(it.preserve_color, it.stroke_size, it.seconds),
        ]
        photo = it.photo.change(
            self._photo_given, {it.photo, *it.choosing}, [it.region, it.note, *settings], **quiet
        )
        method = it.method.change(self._method_chosen, it.method, it.seconds, **quiet)
        restored = it.restore.upload(
            self._restore,
            {it.restore, *it.choosing},
            settings,
            **quiet,
        )
        for event in (chosen, moved, given, photo, method, restored):
            self.painted_by(event.then)
        sliders = (*it.sliders, it.picture_slider, it.strength, it.preserve_color, it.stroke_size)
        for slider in sliders:
            preview = {**self._painting, "outputs": [it.result, it.mix]}
            slider.input(self.preview, **preview)
            self.painted_by(slider.release)
        it.file_format.input(self._save_again, it.file_format, it.download, trigger_mode="always_last", **quiet)
        choices: tuple[Any, ...] = (it.size, *it.places, it.picture_place)
        for choice in choices:
            self.painted_by(choice.input)
        self.painted_by(it.elsewhere.release)
        self.painted_by(it.seconds.release)
        self.painted_by(it.region.apply)
        # Its own button takes the photo away as well.
        it.region.clear(self._shown_for_painting, it.photo, it.region, **quiet)
        self.painted_by(it.paint_button.click, self.paint)
        it.stop_button.click(self.visitors.stop, None, None, queue=False, **quiet)

    def _search(self, search: str, chosen: list[str], request: gr.Request) -> tuple[Any, list[str]]:
        return self.pictures.found(self.visitors.of(request), search, chosen)

    def _choose(self, values: Values, event: gr.SelectData, request: gr.Request) -> list[Any]:
        it = self.controls
        chosen = values[it.chosen]
        # Gradio forgets what a page that was cut off for long has listed.
        listed = values[it.listed] or self._search(values[it.search], chosen, request)[1]
        name = listed[event.index]
        if name in chosen:
            chosen = [each for each in chosen if each != name]
        elif len(chosen) == MOST_STYLES:
            raise gr.Error(f"At most {MOST_STYLES} styles; click one to take it out.", print_exception=False)
        else:
            chosen = [*chosen, name]
        return self.rechosen(chosen, values, request)

    def rechosen(self, chosen: list[str], values: Values, request: gr.Request) -> list[Any]:
        """`choice` of styles; those that were chosen before keep their weights and places."""
        return self.choice(chosen, values[self.controls.search], request, *self._kept(values))

    def _kept(self, values: Values) -> tuple[dict[str, float], dict[str, str], float | None]:
        """Weights and places of the chosen styles by name, and the weight of the visitor's picture."""
        it = self.controls
        before = values[it.chosen]
        weights = {name: values[slider] for name, slider in zip(before, it.sliders, strict=False)}
        places = {name: values[place] for name, place in zip(before, it.places, strict=False)}
        return weights, places, self._picture_weight(values)

    def choice(
        self,
        chosen: list[str],
        search: str,
        request: gr.Request,
        weights: Mapping[str, float] | None = None,
        places: Mapping[str, str] | None = None,
        picture_weight: float | None = None,
    ) -> list[Any]:
        """Updates of the chosen styles, as many of them as there are still, the gallery, its names, their rows.

        The gallery's names as well, since styles may have come or gone elsewhere.
        """
        visitor = self.visitors.of(request)
        known = visitor.transfer.styles
        chosen = [name for name in chosen if name in known]
        gallery, listed = self.pictures.found(visitor, search, chosen)
        rows = self.controls.row_updates(visitor.transfer, chosen, weights or {}, places or {}, picture_weight)
        return [chosen, gallery, listed, *rows]

    def _picture_weight(self, values: Values) -> float | None:
        it = self.controls
        return values[it.picture_slider] if values[it.picture] else None

    def _pad_moved(self, values: Values, event: gr.EventData, request: gr.Request) -> list[Any]:
        chosen = values[self.controls.chosen]
        weights = [round(100 * weight) for weight in corner_weights(len(chosen), event.x, event.y)]
        titles = titles_of(self.visitors.of(request).transfer, chosen)
        text = mix_text(titles, weights, self._picture_weight(values))
        sliders = [
            gr.update(value=weights[index]) if index < len(weights) else gr.skip()
            for index in range(MOST_STYLES)
        ]
        return [text, *sliders]

    def _method_chosen(self, method: str) -> Any:
        return gr.update(visible=method == "Finest")

    def _picture_given(self, values: Values, request: gr.Request) -> list[Any]:
        it, transfer = self.controls, self.visitors.of(request).transfer
        there = values[it.picture] is not None
        rows = it.row_updates(transfer, values[it.chosen], *self._kept(values))
        shown = gr.update(visible=there)
        return [shown, shown, gr.update(interactive=there), *rows]

    def _photo_given(self, values: Values, request: gr.Request) -> list[Any]:
        """Show it for painting regions; one that was painted here brings its settings along."""
        it, photo = self.controls, values[self.controls.photo]
        as_they_are = [gr.skip()] * (RESTORED + len(self.controls.rows))
        if photo is None:
            return [None, "Choose a photo and a style.", *as_they_are]
        with telling():
            scaled = self.visitors.of(request).shown(photo)
        found = images.read_metadata(Path(photo))
        if not _weights_in(found):
            return [scaled, WAITING if values[it.chosen] else _next_step(True), *as_they_are]
        gr.Info("The settings are those that this picture was painted with.")
        return [
            scaled,
            WAITING,
            *self._settings_of(found, values[it.search], self._picture_weight(values), request),
        ]

    def _shown_for_painting(self, photo: str | None, request: gr.Request) -> Any:
        return None if photo is None else self.visitors.of(request).shown(photo)

    def preview(self, values: Values, request: gr.Request) -> tuple[Any, str]:
        """A quick look at a reduced size."""
        wish, visitor = self.controls.wish(values), self.visitors.of(request)
        weights = list(wish.styles.values())
        text = mix_text(titles_of(visitor.transfer, wish.styles), weights)
        if (
            values[self.controls.photo] is None
            or sum(weights) <= 0
            or values[self.controls.method] not in PAINTED_BY_ITSELF
            or visitor.has_painted(values[self.controls.photo], wish)  # one that came late
        ):
            return gr.skip(), text
        with telling():
            visitor.painted = None
            with alone(visitor.halt):
                photo = visitor.scaled(values[self.controls.photo], PREVIEW_SIDE)
                painted = wish.paint(visitor.transfer, photo, size=PREVIEW_SIDE)
            return _compare(visitor, values[self.controls.photo], painted), text

    def paint_live(self, values: Values, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Paint, where the method does it at once; otherwise say how long it would take."""
        if values[self.controls.photo] is None or not self.controls.wish(values).styles:
            yield gr.skip(), _next_step(values[self.controls.photo] is not None), gr.skip(), gr.skip()
        elif (painted := self._shown_already(values, request)) is not None:
            yield gr.skip(), painted.note, gr.skip(), gr.skip()
        elif values[self.controls.method] in PAINTED_BY_ITSELF:
            yield from self.paint(values, request)
        else:
            note = f"The finest method takes about {values[self.controls.seconds]:.0f} seconds. Press Paint."
            yield gr.skip(), note, gr.skip(), gr.skip()

    def _shown_already(self, values: Values, request: gr.Request) -> Painted | None:
        """The painting that the page shows, if it is what is wished for: two events may wish for the same."""
        visitor = self.visitors.of(request)
        there = visitor.has_painted(values[self.controls.photo], self.controls.wish(values))
        return visitor.painted if there else None

    def paint(self, values: Values, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Paint at full size: result, note, download and stop button, again and again until it is done."""
        visitor, wish, photo = (
            self.visitors.of(request),
            self.controls.wish(values),
            values[self.controls.photo],
        )
        if photo is None or not wish.styles:
            raise gr.Error(_next_step(photo is not None), title="Something is missing", print_exception=False)
        with telling():
            normalise_weights(wish.styles)  # before the painting there is gives way to another
            visitor.file_format = visitor.file_format or values[self.controls.file_format]
            images.check_fits(Path(f"{Path(photo).name}.{visitor.file_format.lower()}"), _size(wish, photo))
            began, expected = time.monotonic(), _expectation(wish, visitor.transfer, photo)
            before, visitor.painted = visitor.painted, None
            try:
                yield gr.skip(), expected, gr.update(interactive=False), gr.update(interactive=True)
                for event in follow(lambda on_step: wish.paint(visitor.transfer, photo, on_step), visitor.halt):
                    if isinstance(event, Finished):
                        painted = event.value
                    elif event.preview is not None and wish.method == "gatys":
                        before = None  # from now on it is not what the page shows
                        note = f"Step {event.step} of {event.steps}, {time.monotonic() - began:.0f} s"
                        seen = _compare(visitor, photo, images.to_pil(event.preview))
                        yield seen, note, gr.skip(), gr.skip()
            except BaseException:
                visitor.painted = before  # nothing came of the new one
                raise
            note = f"{painted.width} x {painted.height} pixels, painted in {time.monotonic() - began:.1f} s"
            yield _compare(visitor, photo, painted), gr.skip(), gr.skip(), gr.update(interactive=False)
            done, file_format = Painted(photo, wish, painted, note), visitor.file_format
            file = self._saved(done, request)
            visitor.painted = done  # from now on another format is saved when it is chosen
            if visitor.file_format != file_format:
                file = self._saved(done, request)
            yield gr.skip(), note, file, gr.skip()

    def _save_again(self, file_format: str, request: gr.Request) -> Any:
        """The last painting in another format."""
        visitor = self.visitors.of(request)
        visitor.file_format = file_format
        return gr.skip() if visitor.painted is None else self._saved(visitor.painted, request)

    def _saved(self, painted: Painted, request: gr.Request) -> Any:
        """Update of the download for a painting, in the format that is wanted."""
        visitor = self.visitors.of(request)
        file = visitor.new_file(f"{Path(painted.photo).stem}-painted.{visitor.file_format.lower()}")
        with telling():
            images.save_picture(painted.painting, file)
        return gr.update(value=str(file), interactive=True)

    def _restore(self, values: Values, request: gr.Request) -> list[Any]:
        it = self.controls
        with telling():
            found = images.read_metadata(Path(values[it.restore]))
            if not _weights_in(found):
                raise UnreadableImage(
                    "this picture carries no settings; give one that was painted and downloaded here"
                )
        return self._settings_of(found, values[it.search], self._picture_weight(values), request)

    def _settings_of(
        self, found: dict, search: str, picture_weight: float | None, request: gr.Request
    ) -> list[Any]:
        """The controls as they were when a picture with those parameters was painted, but for regions.

        A picture that the visitor has given stays in the mix, with its weight."""
        transfer, weights = self.visitors.of(request).transfer, _weights_in(found)
        known = {name: weight for name, weight in weights.items() if name in transfer.styles}
        missing = [name for name in weights if name not in known]
        if missing:
            gr.Warning(f"These styles are not here: {', '.join(missing)}")
        chosen = list(known)[:MOST_STYLES]
        shares = {name: min(100, max(0, round(100 * known[name]))) for name in chosen}
        method = next((name for name, used in METHODS.items() if used == found.get("method")), "Fast")
        optimization = found.get("optimization")
        seconds = optimization.get("seconds") if isinstance(optimization, dict) else None
        wished, sizes = found.get("size"), [value for _, value in SIZES if value]
        size = min(sizes, key=lambda each: abs(each - wished)) if isinstance(wished, int) and wished else 0
        lost = _not_restored(found, size, len(known) - len(chosen))
        if lost:
            gr.Warning(f"Not restored: {', '.join(lost)}.")
        return [
            *self.choice(chosen, search, request, shares, picture_weight=picture_weight),
            _within(self.controls.strength, found.get("strength")),
            method,
            size,
            _within(self.controls.preserve_color, found.get("preserve_color")),
            _within(self.controls.stroke_size, found.get("stroke_size")),
            _within(self.controls.seconds, seconds or None),
        ]


def _not_restored(found: Mapping[str, Any], size: int, left_out: int) -> list[str]:
    """What of a picture's parameters the page has no control for."""
    wished = found.get("size")
    lost = {
        f"long side of {wished} px, {size} instead": isinstance(wished, int) and wished != size,
        f"{left_out} more styles": left_out > 0,
        "regions": bool(found.get("masks")),
        "colours kept by statistics": found.get("color_mode", "luminance") != "luminance",
        "settings of the optimisation": _differs(found.get("optimization")),
    }
    return [what for what, is_lost in lost.items() if is_lost]


def _differs(optimization: object) -> bool:
    """Whether anything but the time is not as the page has it."""
    usual = asdict(Optimization())
    given = optimization if isinstance(optimization, dict) else {}
    return any(given.get(name, value) != value for name, value in usual.items() if name != "seconds")


def _weights_in(found: Mapping[str, Any]) -> dict[str, float]:
    """Styles and weights in the parameters of a picture, which anybody may have written; {} if none."""
    styles = found.get("styles")
    if not isinstance(styles, dict) or not all(map(_is_number, styles.values())):
        return {}
    return styles


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _within(slider: gr.Slider, value: Any) -> float:
    """A value from a file as the slider can show it; its own first one where it is none."""
    number = value if _is_number(value) else slider.value
    return min(max(number, slider.minimum), slider.maximum)


def _next_step(has_photo: bool) -> str:
    return "Choose a style in the gallery." if has_photo else "Choose a photo first."


def _expectation(wish: Wish, transfer: StyleTransfer, photo: str) -> str:
    """How long it will take."""
    if wish.method == "gatys":
        return f"Painting for about {wish.seconds:.0f} s; Stop keeps the best so far."
    found = transfer.estimate(_size(wish, photo), method=wish.method, stroke_size=wish.stroke_size)
    return f"Painting, about {found.seconds + 0.2:.1f} s…"


def _size(wish: Wish, photo: str) -> tuple[int, int]:
    """Height and width of the painting."""
    size = images.read_size(photo)
    return images.with_long_side(size, wish.size) if wish.size else size


def _compare(visitor: Visitor, photo: str, painted: Image.Image) -> tuple[str, str]:
    """Files of photo and painting, for the eye, of one size."""
    before = visitor.shown(photo)
    after = on_white(painted).resize(before.size, Image.Resampling.BILINEAR)
    files = []
    for name, picture in (("before.jpg", before), ("after.jpg", after)):
        file = visitor.new_file(name)
        picture.save(file, quality=90)
        files.append(str(file))
    return files[0], files[1]
