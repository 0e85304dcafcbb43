"""The settings embedded in a painting, restored to the controls. Anybody may have written them."""

from collections.abc import Mapping
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from styletransfer import images
from styletransfer.errors import InvalidInput, UnreadableImage
from styletransfer.page.belongings import Earlier
from styletransfer.page.choices import Choices, next_step
from styletransfer.page.controls import FAST, METHOD_BY_LABEL, MOST_STYLES, Controls, Updates, Values
from styletransfer.page.events import telling
from styletransfer.page.size import listed
from styletransfer.page.slider import Slider
from styletransfer.settings import COLOR_MODES, SIZE, Optimization, is_finite


class Restorer:
    """Handlers of the events at which a painting may come back; they give updates of the controls."""

    def __init__(self, controls: Controls, choices: Choices) -> None:
        self.controls, self.choices = controls, choices

    def photo_given(self, values: Values, request: gr.Request) -> Updates:
        """Show the photo in the region editor; a painting made here restores its settings."""
        it, photo = self.controls, values[self.controls.photo]
        fresh = self.choices.without_region(photo, request)
        if photo is None:
            return {**fresh, it.note: "Choose a photo and a style."}
        found = images.read_metadata(Path(photo))
        if not _weights_in(found):
            return fresh if values[it.chosen] or values[it.picture] else {**fresh, it.note: next_step(True)}
        settings = self._settings_of(found, values, request)
        if settings:
            gr.Info("Settings restored from this painting.")
        return {**fresh, **settings}

    def restore(self, values: Values, request: gr.Request) -> Updates:
        """Settings of the painting that was given for them."""
        it = self.controls
        return self._restored(Path(values[it.restore]), values, request)

    def restore_shown(self, values: Values, request: gr.Request) -> Updates:
        """Settings of the earlier painting that the page shows."""
        shown = self.controls.visitor(request, values).painted
        with telling():
            if not isinstance(shown, Earlier):
                raise InvalidInput("no earlier painting is shown any more; click one of them")
            if not shown.file.exists():
                raise InvalidInput("this painting is no longer here; click another of the earlier ones")
        return self._restored(shown.file, values, request)

    def _restored(self, painting: Path, values: Values, request: gr.Request) -> Updates:
        it = self.controls
        with telling():
            found = images.read_metadata(painting)
            if not _weights_in(found):
                raise UnreadableImage(
                    "this picture contains no settings; choose a painting that was made with this program"
                )
        settings = self._settings_of(found, values, request)
        if not settings:
            raise gr.Error("None of the styles of this painting is available here.", print_exception=False)
        return {**self.choices.without_region(values[it.photo], request), **settings}

    def _settings_of(self, found: dict, values: Values, request: gr.Request) -> Updates:
        """Updates that set the controls as these parameters of a painting say, except for regions.

        The visitor's picture is removed, unless one of that name was in the mix.
        """
        it, weights = self.controls, _weights_in(found)
        visitor = it.visitor(request, values)
        picture = values[it.picture] and Path(values[it.picture]).name
        known = {name: weight for name, weight in weights.items() if name in visitor.transfer.styles}
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
        shares = {name: _percent(known[name]) for name in chosen}
        share = _percent(weights[picture]) if picture in weights else None
        updates = self.choices.choice(visitor, chosen, values[it.search], shares, {}, share)
        if picture and share is None:
            updates[it.picture] = None
        return updates | {
            it.strength: as_shown(it.strength, found.get("strength")),
            it.method: _method_in(found),
            it.size: _size_in(found),
            it.preserve_color: as_shown(it.preserve_color, found.get("preserve_color")),
            it.color_mode: _color_mode_in(found),
            it.stroke_size: as_shown(it.stroke_size, found.get("stroke_size")),
            it.seconds: as_shown(it.seconds, _seconds_in(found)),
        }


def _weights_in(found: Mapping[str, Any]) -> dict[str, float]:
    """Styles and weights in the parameters of a picture; {} if there are none."""
    styles = found.get("styles")
    if not isinstance(styles, dict) or not all(map(is_finite, styles.values())):
        return {}
    return styles


def _percent(weight: float) -> int:
    """A weight as its slider shows it."""
    return round(100 * min(1.0, max(0.0, weight)))


def _method_in(found: Mapping[str, Any]) -> str:
    """The page's name of the method."""
    return next((name for name, used in METHOD_BY_LABEL.items() if used == found.get("method")), FAST)


def _size_in(found: Mapping[str, Any]) -> int | str:
    """The long side in pixels as the page shows it; 0 is the photo's own."""
    size = found.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not SIZE.least <= size <= SIZE.most:
        return 0
    return listed(size)


def _color_mode_in(found: Mapping[str, Any]) -> str:
    mode = found.get("color_mode")
    return mode if isinstance(mode, str) and mode in COLOR_MODES else next(iter(COLOR_MODES))


def _seconds_in(found: Mapping[str, Any]) -> Any:
    """The time for Finest; None if unknown."""
    optimization = found.get("optimization")
    return (isinstance(optimization, dict) and optimization.get("seconds")) or None


def as_shown(slider: Slider, value: Any) -> float:
    """The value within the slider's range; its default if it is not a number."""
    return slider.preprocess(value if is_finite(value) else None)


def not_restored(found: Mapping[str, Any], styles: int) -> list[str]:
    """What the page cannot restore, as texts; `styles`: how many known ones there are."""
    lost = {
        f"styles beyond the first {MOST_STYLES}": styles > MOST_STYLES,
        "regions": any(found.get(name) for name in ("masks", "keep", "style_masks")),
        "advanced settings of the optimisation": _differs(found.get("optimization")),
    }
    return [what for what, is_lost in lost.items() if is_lost]


def _differs(optimization: object) -> bool:
    """Whether any setting but the time differs from what the page uses."""
    given = optimization if isinstance(optimization, dict) else {}
    usual = asdict(Optimization())
    return any(given.get(name, value) != value for name, value in usual.items() if name != "seconds")
