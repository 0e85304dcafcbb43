"""The Paint tab: its controls, and what happens at each of their events."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from styletransfer.page.choices import Choices
from styletransfer.page.controls import Controls
from styletransfer.page.events import LONG, QUIET, SHORT, keep_order, tell
from styletransfer.page.painter import Painter
from styletransfer.page.restore import Restorer
from styletransfer.page.results import Results
from styletransfer.page.visitors import Visitors


class PaintTab:
    """The Paint tab; other tabs use its controls and choices, and `painted_by` to make it paint."""

    def __init__(self, visitors: Visitors, examples: Sequence[Path]) -> None:
        self.visitors = visitors
        self.controls = Controls(visitors, examples)
        self.choices = Choices(self.controls)
        self.restorer = Restorer(self.controls, self.choices)
        self.results = Results(self.controls)
        self.painter = Painter(self.controls, self.results)
        self._events()

    def painted_by(self, listener: Callable[..., Any], **differently: Any) -> None:
        """Paint when the event fires; `differently` overrides arguments of the listener."""
        controls = self.controls
        tell(
            listener,
            controls.note,
            controls.stop_button,
            needed=[controls.photo, controls.named, controls.picture],
            script="needed[0] && (needed[1]?.length || needed[2])",  # a photo, and a style
        )
        listener(**({"fn": self.painter.paint_live} | self._listener_arguments | differently)).failure(
            self.painter.nothing_painted,
            None,
            [controls.note, controls.download, controls.stop_button],
            queue=False,  # a full queue is one of the failures
            **QUIET,
        )

    @property
    def _listener_arguments(self) -> dict[str, Any]:
        """Arguments of the listeners that paint."""
        it = self.controls
        return {
            "inputs": it.all,
            "outputs": [it.result, it.note, it.download, it.stop_button, it.key, it.earlier, it.reuse],
            "trigger_mode": "always_last",
            **QUIET,
            **SHORT,
        }

    def _events(self) -> None:
        it = self.controls
        choice = [it.chosen, it.gallery, *it.rows]
        region = [it.region, it.region_mask, it.where]
        restorable = [*region, it.note, *choice, it.picture, *it.settings]
        # Every click counts, with the values at that moment.
        chosen = it.gallery.select(self.choices.choose, it.all, choice, trigger_mode="multiple", **QUIET)
        # Emptied, the editor forgets the size of the photo before, by which it would place a mask.
        it.photo.change(None, None, it.region, js="() => null", queue=False, **QUIET)
        # In line with masks, or one could come to belong to another photo.
        photo = it.photo.change(self.restorer.photo_given, it.all, restorable, concurrency_id="photo", **QUIET)
        restored = it.restore.upload(self.restorer.restore, {it.restore, *it.all}, restorable, **QUIET)
        used = it.reuse.click(self.restorer.restore_shown, it.all, restorable, **QUIET)
        for event in (chosen, photo, restored, used):
            self.painted_by(event.success)
        self._gallery_events(photo)
        self._region_events(region)
        self._setting_events()
        self._result_events()

    def _gallery_events(self, photo: Any) -> None:
        """Events that change what the gallery shows; `photo` is the one of another photo."""
        it = self.controls
        search: dict[str, Any] = {
            "inputs": {it.key, it.search, it.chosen},
            "outputs": it.gallery,
            "trigger_mode": "always_last",
            **QUIET,
        }
        it.search.change(self.choices.search, **search)
        for listener in (it.on_photo.input, photo.then):
            looked = listener(
                self.choices.styles_on_photo,
                {it.key, it.on_photo, it.photo},
                None,
                trigger_mode="always_last",
                concurrency_id="on_photo",
                **QUIET,
            )
            looked.then(self.choices.search, **search)

    def _region_events(self, region: list[Any]) -> None:
        it = self.controls
        places = [*it.places, it.picture_place]
        bounded = it.region.apply(
            self.choices.region_painted, {it.region, it.region_mask}, [*region[1:], *places], **QUIET
        )
        masked = it.mask.upload(
            self.choices.mask_given,
            {it.key, it.photo, it.mask, it.region_mask},
            [*region, *places],
            trigger_mode="multiple",  # of several the last one counts
            concurrency_id="photo",
            **QUIET,
        )
        # The editor's own clear button removes the photo from it as well.
        cleared = it.region.clear(self.choices.without_region, it.photo, region, **QUIET)
        for event in (bounded, masked, cleared):
            self.painted_by(event.success)
        self.painted_by(it.elsewhere.release)

    def _setting_events(self) -> None:
        it, choices, painter = self.controls, self.choices, self.painter
        dragged, moved = (
            listener(
                choices.pad_moved,
                {it.key, it.chosen, it.picture, it.picture_slider},
                [it.mix, *it.sliders],
                trigger_mode="multiple",  # every move counts, with the values at that moment
                concurrency_id="pad",  # one after the other: the end of a drag comes last
                **QUIET,
            )
            for listener in (it.pad.input, it.pad.release)
        )
        weights = [*it.sliders, it.picture_slider]
        mixed: set[Any] = {it.key, it.chosen, it.named, it.picture, *weights, *it.places}
        # What paints leaves the point on the pad alone: it may have been moved since.
        mixing: dict[str, Any] = {
            "fn": choices.weighted,
            "inputs": mixed,
            "outputs": [it.mix, it.pad],
            "queue": False,
            "trigger_mode": "always_last",
            **QUIET,
        }
        for listener in (each for slider in weights for each in (slider.input, slider.release)):
            listener(**mixing)
        shown = [it.result, it.download, it.reuse]
        previewed = self._listener_arguments | {"fn": painter.preview, "outputs": shown}
        self.painted_by(moved.then)
        dragged.then(**previewed)
        for slider in (*weights, it.strength, it.preserve_color, it.stroke_size):
            slider.input(**previewed)
            self.painted_by(slider.release)
        given = it.picture.change(choices.picture_given, it.all, [it.learn_button, *it.rows], **QUIET)
        given.then(**mixing)
        methods = [it.seconds, it.paint_button, it.finest_button]
        it.method.change(choices.method_chosen, it.method, methods, **QUIET)
        # Of visitors only, not of settings that are restored: what restores them paints, once.
        one_of_several: tuple[Any, ...] = (it.method, it.color_mode, *it.places, it.picture_place)
        for each in (*one_of_several, it.picture):
            self.painted_by(each.input)
        # Its `input` comes whenever the box is left. After a restored size there is nothing left to paint.
        self.painted_by(it.size.change)
        self.painted_by(it.seconds.release)

    def _result_events(self) -> None:
        it = self.controls
        # A second click on the button is ignored; of a slider's moves the last one counts.
        self.painted_by(it.paint_button.click, trigger_mode="once")
        ordered, order = keep_order(it.finest_button.click, it.all, self.painter.check_wish)
        self.painted_by(ordered.success, fn=self.painter.paint, inputs=order, trigger_mode="once", **LONG)
        it.stop_button.click(self.visitors.stop_painting, None, None, queue=False, **QUIET)
        it.file_format.input(
            self.results.save_again, it.file_format, it.download, trigger_mode="always_last", **QUIET
        )
        shown = [it.result, it.note, it.download, it.reuse]
        # Of quick clicks the last one counts.
        it.earlier.select(self.results.show_earlier, {it.key}, shown, trigger_mode="multiple", **QUIET)
