"""The Paint tab: its events."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from styletransfer import images
from styletransfer.api import StyleTransfer
from styletransfer.core import OnStep, normalise_weights
from styletransfer.errors import InvalidInput, StyleTransferError, UnreadableImage, UnwritableOutput
from styletransfer.files import attempt
from styletransfer.page.controls import (
    FINEST,
    MOST_STYLES,
    Controls,
    Updates,
    Values,
    as_written,
    mix_text,
    region_of,
    titles_of,
)
from styletransfer.page.gallery import StylePictures, look_on, style_in
from styletransfer.page.pad import corner_weights, pad_value
from styletransfer.page.restore import (
    as_shown,
    method_in,
    not_restored,
    percent,
    seconds_in,
    size_in,
    weights_in,
)
from styletransfer.page.visitors import SHOWN_SIDE, Earlier, Painted, Visitor, Visitors, on_white
from styletransfer.page.wish import INSIDE, Wish
from styletransfer.page.work import (
    LONG,
    QUIET,
    SHORT,
    WAITING,
    Finished,
    alone,
    follow,
    keep_order,
    tell,
    tell_waiting,
    telling,
)

PREVIEW_SIDE = 384  # pixels; painted while a slider moves


class PaintTab:
    """The Paint tab; other tabs use its controls, and `painted_by` to make it paint."""

    def __init__(self, visitors: Visitors, pictures: StylePictures, examples: Sequence[Path]) -> None:
        self.visitors, self.pictures = visitors, pictures
        self.controls = Controls(visitors, examples)
        self._events()

    def painted_by(self, listener: Callable[..., Any], **differently: Any) -> None:
        """Paint when the event fires; `differently` overrides arguments of the listener."""
        controls = self.controls
        tell_waiting(listener, controls.note, controls.stop_button)
        listener(**({"fn": self.paint_live} | self._painting | differently)).failure(
            self._nothing_painted,
            None,
            [controls.note, controls.download, controls.stop_button],
            queue=False,  # a full queue is one of the failures
            **QUIET,
        )

    def _nothing_painted(self, request: gr.Request) -> Updates:
        """Say so, and offer the painting that the page shows for download again."""
        it, visitor = self.controls, self.visitors.of(request)
        download = gr.update(interactive=False)
        with suppress(StyleTransferError):  # the format that is chosen by now may not hold it
            file = _saved(visitor, visitor.painted) if visitor.painted else None
            if file and file.exists():  # an earlier painting may be gone
                download = gr.update(value=str(file), interactive=True)
        return {
            it.note: "Nothing was painted.",
            it.download: download,
            it.stop_button: gr.update(interactive=bool(visitor.painting)),
        }

    @property
    def _painting(self) -> dict[str, Any]:
        """Arguments of the listeners that paint."""
        it = self.controls
        return {
            "inputs": it.all,
            "outputs": [
                *(it.result, it.note, it.download, it.stop_button, it.mix, it.pad),
                *(it.key, it.earlier),
            ],
            "trigger_mode": "always_last",
            **QUIET,
            **SHORT,
        }

    def _events(self) -> None:
        it, quiet = self.controls, QUIET
        search: dict[str, Any] = {"inputs": [it.search, it.chosen], "outputs": it.gallery, **quiet}
        it.search.change(self._search, **search)
        choice = [it.chosen, it.gallery, *it.rows]
        # Every click and every move of the pad counts, with the values at that moment.
        chosen = it.gallery.select(self._choose, it.all, choice, trigger_mode="multiple", **quiet)
        dragged, moved = (
            listener(
                self._pad_moved,
                {it.chosen, it.picture, it.picture_slider},
                [it.mix, *it.sliders],
                trigger_mode="multiple",
                concurrency_id="pad",  # one after the other: the end of a drag comes last
                **quiet,
            )
            for listener in (it.pad.input, it.pad.release)
        )
        it.picture.change(self._picture_given, it.all, [it.learn_button, *it.rows], **quiet)
        region = [it.region, it.region_mask, it.where]
        settings = [
            *(*region, it.note, *choice, it.picture, it.strength, it.method, it.size),
            *(it.preserve_color, it.stroke_size, it.seconds),
        ]
        photo = it.photo.change(self._photo_given, it.all, settings, **quiet)
        it.method.change(
            self._method_chosen, it.method, [it.seconds, it.paint_button, it.finest_button], **quiet
        )
        restored = it.restore.upload(self._restore, {it.restore, *it.all}, settings, **quiet)
        bounded = it.region.apply(
            self._region_painted,
            {it.region, it.region_mask},
            [*region[1:], *it.places, it.picture_place],
            **quiet,
        )
        for event in (chosen, photo, restored, bounded):
            self.painted_by(event.then)
        previewed = self._painting | {"fn": self.preview, "outputs": [it.result, it.mix, it.pad]}
        # The point on the pad is newer than what would come back of its moves.
        self.painted_by(moved.then, fn=self._paint_without_pad)
        dragged.then(**previewed | {"fn": self._preview_without_pad})
        sliders = (*it.sliders, it.picture_slider, it.strength, it.preserve_color, it.stroke_size)
        for slider in sliders:
            slider.input(**previewed)
            self.painted_by(slider.release)
        for listener in (it.on_photo.input, photo.then):
            looked = listener(
                self._look_on,
                [it.on_photo, it.photo],
                None,
                trigger_mode="always_last",
                concurrency_id="looks",
                **quiet,
            )
            looked.then(self._search, **search)
        it.file_format.input(self._save_again, it.file_format, it.download, trigger_mode="always_last", **quiet)
        # Of visitors only, not of settings that are restored: what restores them paints, once.
        choices: tuple[Any, ...] = (it.method, it.size, it.picture, *it.places, it.picture_place)
        for choice in choices:
            self.painted_by(choice.input)
        self.painted_by(it.elsewhere.release)
        self.painted_by(it.seconds.release)
        # The editor's own clear button removes the photo from it as well.
        cleared = it.region.clear(self._without_region, it.photo, region, **quiet)
        self.painted_by(cleared.then)
        # A second click on the button is ignored; of a slider's moves the last one counts.
        self.painted_by(it.paint_button.click, trigger_mode="once")
        ordered, order = keep_order(it.finest_button.click, it.all, self._checked_size)
        self.painted_by(ordered.success, fn=self.paint, inputs=order, trigger_mode="once", **LONG)
        it.stop_button.click(self.visitors.stop_painting, None, None, queue=False, **quiet)
        it.earlier.select(self._show_earlier, None, [it.result, it.note, it.download], **quiet)

    def _search(self, search: str, chosen: list[str], request: gr.Request) -> Any:
        return self.pictures.found(self.visitors.of(request), search, chosen)

    def _look_on(self, wished: bool, photo: str | None, request: gr.Request) -> None:
        """Make the gallery show the visitor's photo in every style, or its usual pictures."""
        visitor = self.visitors.of(request)
        with telling():
            visitor.looks = look_on(visitor, photo) if wished and photo is not None else {}

    def _choose(self, values: Values, event: gr.SelectData, request: gr.Request) -> Updates:
        chosen, name = values[self.controls.chosen], style_in(event)
        if name in chosen:
            chosen = [each for each in chosen if each != name]
        elif len(chosen) == MOST_STYLES:
            raise gr.Error(
                f"At most {MOST_STYLES} styles can be blended. Click a chosen one to remove it first.",
                print_exception=False,
            )
        else:
            chosen = [*chosen, name]
        return self.rechosen(chosen, values, request)

    def rechosen(self, chosen: list[str], values: Values, request: gr.Request) -> Updates:
        """`choice`, in which the styles that were chosen before keep their weights and places.

        A new one is used inside the region, if there is one.
        """
        it = self.controls
        weights, places = it.kept(values)
        if values[it.region_mask] is not None:
            places = dict.fromkeys(chosen, INSIDE) | places
        return self.choice(chosen, values[it.search], request, weights, places, self._picture_weight(values))

    def choice(
        self,
        chosen: list[str],
        search: str,
        request: gr.Request,
        weights: Mapping[str, float],
        places: Mapping[str, str],
        picture_weight: float | None,
    ) -> Updates:
        """Updates of the gallery and the rows for the chosen styles, as far as they still exist."""
        it, visitor = self.controls, self.visitors.of(request)
        known = visitor.transfer.styles
        chosen = [name for name in chosen if name in known]
        rows = it.row_updates(visitor.transfer, chosen, weights, places, picture_weight)
        return {it.chosen: chosen, it.gallery: self.pictures.found(visitor, search, chosen), **rows}

    def _picture_weight(self, values: Values) -> float | None:
        it = self.controls
        return values[it.picture_slider] if values[it.picture] else None

    def _pad_moved(self, values: Values, event: gr.EventData, request: gr.Request) -> Updates:
        it = self.controls
        chosen = values[it.chosen]
        weights = [round(100 * weight) for weight in corner_weights(len(chosen), event.x, event.y)]
        titles = titles_of(self.visitors.of(request).transfer, chosen)
        text = mix_text(titles, weights, self._picture_weight(values))
        return {it.mix: text, **dict(zip(it.sliders, weights, strict=False))}

    def _method_chosen(self, method: str) -> Updates:
        it, finest = self.controls, method == FINEST
        return {
            it.seconds: gr.update(visible=finest),
            it.paint_button: gr.update(visible=not finest),
            it.finest_button: gr.update(visible=finest),
        }

    def _picture_given(self, values: Values, request: gr.Request) -> Updates:
        it, transfer = self.controls, self.visitors.of(request).transfer
        rows = it.row_updates(transfer, values[it.chosen], *it.kept(values), self._picture_weight(values))
        for row in (*it.sliders, *it.places):
            rows[row].pop("value", None)  # the browser may have newer ones, of settings that are being restored
        return {it.learn_button: gr.update(interactive=values[it.picture] is not None), **rows}

    def _photo_given(self, values: Values, request: gr.Request) -> Updates:
        """Show the photo in the region editor; a painting made here restores its settings."""
        it, photo = self.controls, values[self.controls.photo]
        fresh = self._without_region(photo, request)
        if photo is None:
            return {**fresh, it.note: "Choose a photo and a style."}
        found = images.read_metadata(Path(photo))
        if not weights_in(found):
            return {**fresh, it.note: WAITING if values[it.chosen] else _next_step(True)}
        settings = self._settings_of(found, values, request)
        if settings:
            gr.Info("Settings restored from this painting.")
        return {**fresh, it.note: WAITING, **settings}

    def _without_region(self, photo: str | None, request: gr.Request) -> Updates:
        """Put the photo into the region editor, with no region painted."""
        it, visitor, shown = self.controls, self.visitors.of(request), None
        if photo is not None:
            with telling(), attempt("write the photo to paint a region on"):
                shown = str(visitor.new_file("photo.jpg"))
                visitor.shown(photo).save(shown, quality=90)
        return {it.region: gr.update(value=shown), it.region_mask: None, it.where: gr.update(visible=False)}

    def _region_painted(self, values: Values) -> Updates:
        """Keep the region; the first time, all styles are set to be used inside it."""
        it, region = self.controls, region_of(values[self.controls.region])
        found: Updates = {it.region_mask: region, it.where: gr.update(visible=region is not None)}
        if region is not None and values[it.region_mask] is None:
            found |= dict.fromkeys([*it.places, it.picture_place], INSIDE)
        return found

    def preview(self, values: Values, request: gr.Request) -> Updates:
        """A quick preview at a reduced size."""
        it, wish, visitor = self.controls, self.controls.wish(values), self.visitors.of(request)
        photo, mixed = values[it.photo], self._mixed(values, request)
        if (
            photo is None
            or sum(wish.styles.values()) <= 0
            or wish.optimises
            or visitor.painting_of(photo, wish)  # a preview that comes late
        ):
            return mixed
        with telling():
            with alone(visitor.short, short=True):
                small = visitor.scaled(photo, PREVIEW_SIDE)
                painted = replace(wish, size=PREVIEW_SIDE).paint(visitor.transfer, small)
            shown = _compare(visitor, photo, painted)
            visitor.painted = None  # what the page shows is no full painting any more
            return mixed | {it.result: gr.update(value=shown)}

    def _preview_without_pad(self, values: Values, request: gr.Request) -> Updates:
        return _without(self.controls.pad, self.preview(values, request))

    def _paint_without_pad(self, values: Values, request: gr.Request) -> Iterator[Updates]:
        for updates in self.paint_live(values, request):
            yield _without(self.controls.pad, updates)

    def _mixed(self, values: Values, request: gr.Request) -> Updates:
        """Updates of the mix text and the pad."""
        it, styles = self.controls, self.controls.wish(values).styles
        titles, weights = titles_of(self.visitors.of(request).transfer, styles), list(styles.values())
        beside = len(values[it.chosen])  # the visitor's picture is not on the pad
        return {it.mix: mix_text(titles, weights), it.pad: pad_value(titles[:beside], weights[:beside])}

    def paint_live(self, values: Values, request: gr.Request) -> Iterator[Updates]:
        """Paint if the method is fast; otherwise say how long it would take."""
        it, wish, photo = self.controls, self.controls.wish(values), values[self.controls.photo]
        yield self._mixed(values, request)
        if photo is None or not wish.styles:
            yield {it.note: _next_step(photo is not None)}
        elif painted := self.visitors.of(request).painting_of(photo, wish):  # shown already
            yield {it.note: painted.note}
        elif not wish.optimises:
            yield from self.paint(values, request)
        else:
            yield {it.note: f"Finest takes about {wish.seconds:.0f} seconds. Press Paint to start."}

    def paint(self, values: Values, request: gr.Request) -> Iterator[Updates]:
        """Paint at full size, with updates until it is done or has failed."""
        try:
            yield from self._paint(values, request)
        except StyleTransferError as error:
            tell(error)
            yield self._nothing_painted(request)

    def _paint(self, values: Values, request: gr.Request) -> Iterator[Updates]:
        it, wish, photo = self.controls, self.controls.wish(values), values[self.controls.photo]
        visitor = self.visitors.recognised(values[it.key], request)
        size = self._checked_size(values, request)  # an error must not cost the painting there is
        expected, began = _expectation(wish, visitor.transfer, size), time.monotonic()
        before, visitor.painted = visitor.painted, None

        def work(on_step: OnStep) -> Image.Image:
            nonlocal began
            began = time.monotonic()  # without the time that it waited
            # A small one is in memory, mostly: decoding takes as long as painting.
            source = visitor.scaled(photo, wish.size) if wish.size and wish.size <= SHOWN_SIDE else photo
            return wish.paint(visitor.transfer, source, on_step)

        halt = visitor.long if wish.optimises else visitor.short
        events = follow(work, halt, short=not wish.optimises)  # from now on it can be stopped
        visitor.painting.append(halt)
        try:
            yield {
                it.note: expected,
                it.download: gr.update(interactive=False),
                it.stop_button: gr.update(interactive=True),
            }
            for event in events:
                if isinstance(event, Finished):
                    painted = event.value
                elif event.preview is not None and wish.optimises:
                    shown = _compare(visitor, photo, images.to_pil(event.preview))
                    before = visitor.painted = None  # the page shows the preview instead
                    yield {
                        it.result: gr.update(value=shown),
                        it.note: f"Step {event.step} of {event.steps}, {time.monotonic() - began:.0f} s",
                        it.download: gr.update(interactive=False),  # another painting was shown meanwhile
                        it.stop_button: gr.update(interactive=True),
                    }
            note = f"{painted.width} x {painted.height} pixels, painted in {time.monotonic() - began:.1f} s"
            shown = _compare(visitor, photo, painted)
        except BaseException:
            visitor.painted = visitor.painted or before  # the new one failed
            raise
        finally:
            visitor.painting.remove(halt)
        done, file_format = Painted(photo, wish, painted, note), visitor.file_format
        visitor.painted = done  # from now on `_save_again` saves it, also where this format cannot hold it
        yield {
            it.result: gr.update(value=shown),
            it.download: gr.update(interactive=False),
            it.stop_button: gr.update(interactive=bool(visitor.painting)),
        }
        try:
            file = _saved(visitor, done)
            if visitor.file_format != file_format:  # one was chosen meanwhile
                file = _saved(visitor, done)
        except StyleTransferError as error:  # it was painted all the same
            tell(error)
            download = gr.update(interactive=False)
        else:
            title = ", ".join(titles_of(visitor.transfer, [name for name, each in wish.styles.items() if each]))
            visitor.own.keep(painted, shown, file, title, note)
            download = gr.update(value=str(file), interactive=True)
        # Saving takes seconds, in which another painting may have been shown.
        told = {it.note: note, it.download: download} if visitor.painted is done else {}
        yield told | self.earlier(request)

    def _checked_size(self, values: Values, request: gr.Request) -> tuple[int, int]:
        """Height and width of the painting that is wished for. Raises StyleTransferError where it cannot be."""
        it, wish, photo = self.controls, self.controls.wish(values), values[self.controls.photo]
        visitor = self.visitors.of(request)
        if photo is None or not wish.styles:
            raise InvalidInput(_next_step(photo is not None))
        normalise_weights(wish.styles)
        visitor.file_format = visitor.file_format or values[it.file_format]
        size = wish.painted_size(photo)
        check_fits(visitor.file_format, size)
        return size

    def earlier(self, request: gr.Request) -> Updates:
        """Updates of the gallery of earlier paintings, and of the visitor's key."""
        it, own = self.controls, self.visitors.of(request).own
        items = [(str(each.small), each.title) for each in list(own.earlier)]  # another tab may add one
        return {it.key: own.key, it.earlier: gr.update(value=items, visible=bool(items))}

    def _show_earlier(self, event: gr.SelectData, request: gr.Request) -> Updates:
        it, visitor, clicked = self.controls, self.visitors.of(request), event.value["image"]["orig_name"]
        found = next((each for each in list(visitor.own.earlier) if each.small.name == clicked), None)
        if found is None or not found.file.exists():
            raise gr.Error("This painting is no longer here.", print_exception=False)
        visitor.painted = found
        return {
            it.result: gr.update(value=tuple(map(str, found.shown))),
            it.note: f"An earlier painting: {as_written(found.title)}. {found.note}",
            it.download: gr.update(value=str(found.file), interactive=True),
        }

    def _save_again(self, file_format: str, request: gr.Request) -> Any:
        """The last painting in another format; earlier ones are kept in theirs."""
        visitor = self.visitors.of(request)
        visitor.file_format = file_format
        if not isinstance(visitor.painted, Painted):
            return gr.skip()
        with telling():
            return gr.update(value=str(_saved(visitor, visitor.painted)), interactive=True)

    def _restore(self, values: Values, request: gr.Request) -> Updates:
        it = self.controls
        with telling():
            found = images.read_metadata(Path(values[it.restore]))
            if not weights_in(found):
                raise UnreadableImage(
                    "this picture contains no settings; choose a painting that was made with this program"
                )
        settings = self._settings_of(found, values, request)
        fresh = self._without_region(values[it.photo], request) if settings else {}
        return {**fresh, it.note: WAITING, **settings}

    def _settings_of(self, found: dict, values: Values, request: gr.Request) -> Updates:
        """Updates that set the controls as these parameters of a painting say, except for regions.

        The visitor's picture is removed, unless one of that name was in the mix."""
        it, transfer, weights = self.controls, self.visitors.of(request).transfer, weights_in(found)
        picture = values[it.picture] and Path(values[it.picture]).name
        known = {name: weight for name, weight in weights.items() if name in transfer.styles}
        missing = [name for name in weights if name not in known and name != picture]
        if missing:
            names = escape(", ".join(missing), quote=False)  # it is shown as HTML
            gr.Warning(f"Styles that are not available here: {names}")
        if len(missing) == len(weights):
            return {}
        chosen = list(known)[:MOST_STYLES]
        lost = not_restored(found, len(known))
        if lost:
            gr.Warning(f"Some settings could not be restored: {', '.join(lost)}.")
        shares = {name: percent(known[name]) for name in chosen}
        share = percent(weights[picture]) if picture in weights else None
        updates = self.choice(chosen, values[it.search], request, shares, {}, share)
        if picture and share is None:
            updates[it.picture] = None
        return updates | {
            it.strength: as_shown(it.strength, found.get("strength")),
            it.method: method_in(found),
            it.size: size_in(found),
            it.preserve_color: as_shown(it.preserve_color, found.get("preserve_color")),
            it.stroke_size: as_shown(it.stroke_size, found.get("stroke_size")),
            it.seconds: as_shown(it.seconds, seconds_in(found)),
        }


def _without(component: Any, updates: Updates) -> Updates:
    return {each: update for each, update in updates.items() if each is not component}


def _next_step(has_photo: bool) -> str:
    return "Choose a style in the gallery." if has_photo else "Choose a photo first."


def check_fits(file_format: str, size: tuple[int, int]) -> None:
    """Raise InvalidInput where files of that format cannot hold a painting of that height and width."""
    try:
        images.check_fits(Path(f"painting.{file_format.lower()}"), size)
    except UnwritableOutput as error:
        height, width = size
        raise InvalidInput(
            f"{file_format} files cannot have {width} x {height} pixels; choose PNG, or a smaller size"
        ) from error


def _expectation(wish: Wish, transfer: StyleTransfer, size: tuple[int, int]) -> str:
    """A text about how long it will take."""
    if wish.optimises:
        return f"Painting for about {wish.seconds:.0f} s. Stop keeps the picture as it is then."
    found = transfer.estimate(size, method=wish.method, stroke_size=wish.stroke_size)
    return f"Painting, about {found.seconds + 0.2:.1f} s…"


def _saved(visitor: Visitor, painted: Painted | Earlier) -> Path:
    """The file of a painting: in the chosen format, or of an earlier one in its own.

    Raises UnwritableOutput, InvalidInput, UnreadableImage.
    """
    if isinstance(painted, Earlier):
        return painted.file
    file_format = visitor.file_format  # another may be chosen meanwhile
    saved = painted.files.get(file_format)
    if saved is None or not saved.exists():  # the oldest files are removed
        picture = painted.picture()
        check_fits(file_format, picture.size[::-1])
        saved = visitor.new_file(f"{Path(painted.photo).stem}-painted.{file_format.lower()}")
        images.save_picture(picture, saved)
        painted.files[file_format] = saved
    return saved


def _compare(visitor: Visitor, photo: str, painted: Image.Image) -> tuple[str, str]:
    """Files of photo and painting in one size, to look at. Raises UnreadableImage, UnwritableOutput."""
    before = visitor.shown(photo)
    after = on_white(painted).resize(before.size, Image.Resampling.BILINEAR)
    folder = visitor.new_folder()
    with attempt("write the pictures to look at"):
        before.save(folder / "before.jpg", quality=90)
        after.save(folder / "after.jpg", quality=90)
    return str(folder / "before.jpg"), str(folder / "after.jpg")
