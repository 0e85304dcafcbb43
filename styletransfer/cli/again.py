"""The command that makes a painting again, from the parameters in its file. Anybody may have written them."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from styletransfer import settings
from styletransfer.cli.shared import WITH_OPTIONS, as_option, known_styles, quoted
from styletransfer.errors import InvalidInput

_USUAL: dict[str, object] = {
    "method": "cin",
    "strength": settings.STRENGTH.default,
    "size": None,
    "stroke_size": settings.STROKE_SIZE.default,
    "preserve_color": settings.PRESERVE_COLOR.default,
    "color_mode": "luminance",
}
# What every shell takes as it is. They differ in how other texts are quoted, which could hold further commands.
_PLAIN = re.compile(r"\w[\w.-]*")


def command_for(parameters: Mapping[str, Any], styles_dir: Path | None = None) -> tuple[str, list[str]]:
    """The command for a photo, and what a reader has to know about it. Raises InvalidInput.

    Args:  styles_dir: folder of the user's own styles; default: the one in the user's data folder.
    """
    styles, optimization = parameters.get("styles"), parameters.get("optimization")
    if not (isinstance(styles, dict) and styles and all(map(settings.is_finite, styles.values()))):
        raise InvalidInput("these are not the parameters of a painting: they name no styles")
    if parameters.get("method") != "gatys" or not isinstance(optimization, dict):
        optimization = {}
    known = known_styles(styles_dir)
    written = _written(styles, known)
    mix = [written[name] if share == 1 else f"{written[name]}={share}" for name, share in styles.items()]
    masks, style_masks = (
        [f"{written[name]}=MASK" for name in _texts(parameters.get(key)) if name in written]
        for key in ("masks", "style_masks")
    )
    keep = ["KEEP"] if parameters.get("keep") else []
    words = [
        "styletransfer stylize PHOTO",
        *_each("style", mix),
        *_options_for(parameters),
        *_settings_for(optimization),
        *_each("mask", masks),
        *_each("keep", keep),
        *_each("style_mask", style_masks),
        *_each("styles_dir", [quoted(str(styles_dir))] if styles_dir else []),
    ]
    put = ["the photo in the place of PHOTO"]
    put += ["the masks in the place of MASK"] if masks or style_masks else []
    put += ["the mask of what is kept in the place of KEEP"] if keep else []
    notes = [f"put {', '.join(put)}"]
    for name, stand_in in written.items():
        if name != stand_in:
            missing = "" if name in known else ", which is not among your styles"
            notes.append(f"{stand_in} stands for {name!r}{missing}; if it was a picture, write where it lies")
    if any(each.startswith("PICTURE") for each in (*masks, *style_masks)):
        notes.append("before =MASK write the name of the picture alone, without its folder")
    if "start" in optimization and optimization["start"] not in settings.STARTS:
        notes.append(f"START stands for the picture {optimization['start']!r}; write where it lies")
    if parameters.get("stopped"):
        notes.append("the painting was stopped early; this goes on to the end")
    return " ".join(words), notes


def _written(names: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """What stands in the command for each style: its name where that is `known` and plain."""
    odd = [name for name in names if name not in known or not _is_plain(name)]
    numbers = {name: f"-{number}" if len(odd) > 1 else "" for number, name in enumerate(odd, 1)}
    return {name: f"PICTURE{numbers[name]}" if name in numbers else name for name in names}


def _is_plain(name: str) -> bool:
    """Whether a name needs no quotes in any shell; some scripts spell with marks, which are no letters."""
    return bool(_PLAIN.fullmatch("".join(each for each in name if unicodedata.category(each)[0] != "M")))


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _each(name: str, values: Iterable[str]) -> list[str]:
    """An option with each of the values."""
    return [f"{as_option(name)} {value}" for value in values]


def _options_for(parameters: Mapping[str, Any]) -> list[str]:
    """The options that set what differs from `_USUAL`. Raises InvalidInput."""
    given = {name: parameters.get(name, usual) for name, usual in _USUAL.items()}
    if given["preserve_color"] == 0:
        del given["color_mode"]  # stylize takes it only where it matters
    changed = {name: value for name, value in given.items() if value != _USUAL[name]}
    return [word for name, value in changed.items() for word in _each(name, [_plain(name, value)])]


def _settings_for(optimization: Mapping[str, Any]) -> list[str]:
    """The options that set these fields of an `Optimization`. Raises InvalidInput."""
    usual = asdict(settings.Optimization())
    given = {name: value for name, value in optimization.items() if name in usual}
    if given.get("start", "auto") not in settings.STARTS:
        given["start"] = "START"
    changed = {name: value for name, value in given.items() if value != usual[name]}
    limit = "seconds" if "seconds" in changed else "steps"  # stylize takes one of them
    told = {name: _plain(name, value) for name, value in given.items() if name == limit or name in changed}
    words = [word for name in (limit, "style_scale") if name in told for word in _each(name, [told[name]])]
    return words + _each("set", (f"{name}={text}" for name, text in told.items() if name not in WITH_OPTIONS))


def _plain(name: str, value: object) -> str:
    """The text of a finite number or of a plain name. Raises InvalidInput for other values."""
    if settings.is_finite(value) or (isinstance(value, str) and _PLAIN.fullmatch(value)):
        return str(value)
    raise InvalidInput(f"these are not the parameters of a painting: {name} is no number and no plain name")
