"""The mix of styles in words."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from styletransfer.api import StyleTransfer
from styletransfer.page.gallery import title_of

YOURS = "Your picture"


def titles_of(transfer: StyleTransfer, styles: Iterable[str]) -> list[str]:
    """Titles of the styles of a wish, in which a path is the visitor's own picture."""
    infos = transfer.styles
    return [
        title_of(infos[name]) if name in infos else YOURS if Path(name).is_absolute() else name
        for name in styles
    ]


def mix_text(titles: Sequence[str], weights: Sequence[float], picture_weight: float | None = None) -> str:
    """The shares of the styles, and of the visitor's picture if it has a weight; "" for a single one."""
    if picture_weight is not None:
        titles, weights = [*titles, YOURS], [*weights, picture_weight]
    total = sum(weights)
    if len(titles) < 2:
        return ""
    if total <= 0:
        return "Give at least one style a weight."
    return " · ".join(
        f"**{as_written(title)}** {100 * weight / total:.0f} %"
        for title, weight in zip(titles, weights, strict=True)
    )


def as_written(text: str) -> str:
    """The text escaped for Markdown: otherwise a title in somebody's style file could fetch a picture."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)  # all ASCII punctuation, which Markdown allows to escape
