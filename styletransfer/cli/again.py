"""The command that makes a painting again, from the parameters in its file. Anybody may have written them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from styletransfer import settings
from styletransfer.cli.shared import known_styles
from styletransfer.errors import InvalidInput
from styletransfer.text import recorded

_USUAL: dict[str, object] = {
    "method": "cin",
    "strength": settings.STRENGTH.default,
    "size": None,
    "stroke_size": settings.STROKE_SIZE.default,
    "preserve_color": settings.PRESERVE_COLOR.default,
    "color_mode": "luminance",
}
_WITH_OPTIONS = ("steps", "seconds", "style_scale")  # of the settings of "gatys"; --set is for the others


def command_for(parameters: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The command for a photo, and what a reader has to know about it. Raises InvalidInput."""
    styles, masks = parameters.get("styles"), parameters.get("masks")
    if not (isinstance(styles, dict) and styles and all(map(settings.is_finite, styles.values()))):
        raise InvalidInput("these are not the parameters of a painting: they name no styles")
    options = {name: parameters[name] for name in _USUAL if parameters.get(name, _USUAL[name]) != _USUAL[name]}
    if "preserve_color" not in options:
        options.pop("color_mode", None)  # stylize takes it only where it matters
    optimization = parameters.get("optimization")
    if options.get("method") == "gatys" and isinstance(optimization, dict):
        options |= _options_for(optimization)
    masked = [str(name) for name in masks] if isinstance(masks, list) else []
    command = recorded(
        "stylize",
        "PHOTO",
        style=[
            name if weight == 1 and "=" not in name else f"{name}={weight}" for name, weight in styles.items()
        ],
        **options,
        mask=[f"{name}=MASK" for name in masked],
    )
    notes = [f"put the photo in the place of PHOTO{', and the masks in the place of MASK' if masked else ''}"]
    start = optimization.get("start", "auto") if isinstance(optimization, dict) else "auto"
    known = known_styles()
    unknown = [name for name in styles if name not in known]
    if unknown:
        notes.append(f"not among your styles: {', '.join(unknown)}; if it was a picture, write where it lies")
    if start not in settings.STARTS:
        notes.append(f"the painting began from the picture {start}; write where it lies")
    if parameters.get("stopped"):
        notes.append("the painting was stopped early; this goes on to the end")
    return command, notes


def _options_for(optimization: Mapping[str, Any]) -> dict[str, object]:
    """The options that set these fields of an `Optimization`."""
    usual = asdict(settings.Optimization())
    given = {name: value for name, value in optimization.items() if name in usual}
    changed = {name: value for name, value in given.items() if value != usual[name]}
    limit = "seconds" if "seconds" in changed else "steps"  # stylize takes one of them
    return {
        limit: given.get(limit),
        "style_scale": changed.get("style_scale"),
        "set": [f"{name}={value}" for name, value in changed.items() if name not in _WITH_OPTIONS],
    }
