"""The styles as the page shows them: captions, search, small pictures."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import combining, normalize

import gradio as gr

from styletransfer import images
from styletransfer.api import StyleTransfer
from styletransfer.core import StyleInfo
from styletransfer.errors import InvalidStyleFile, UnknownStyle
from styletransfer.files import replacing
from styletransfer.page.belongings import made
from styletransfer.page.events import telling
from styletransfer.page.visitors import Visitor
from styletransfer.page.wish import Wish
from styletransfer.page.work import Halt, alone

ON_PHOTO_SIDE = 256  # pixels; the strokes keep their size, so anything smaller leaves little of a face


@dataclass(frozen=True)
class Entry:
    """A style as the gallery shows it."""

    name: str
    caption: str
    words: str  # searched in
    own: bool


def entries(transfer: StyleTransfer) -> list[Entry]:
    """All styles, own ones first."""
    own = set(transfer.own_styles)
    infos = sorted(transfer.styles.items(), key=lambda item: (item[0] not in own, item[0]))
    return [Entry(name, _caption(info), _words(info), name in own) for name, info in infos]


def styles_found(visitor: Visitor, search: str, chosen: Sequence[str]) -> Any:
    """Update of the gallery with the styles that match a search."""
    wanted = _plain(search).split()
    found = [each for each in entries(visitor.transfer) if all(word in each.words for word in wanted)]
    with telling():
        items = [
            (str(_picture(visitor, each)), ("✓ " if each.name in chosen else "") + each.caption)
            for each in found
        ]
    return gr.update(value=items)


def _picture(visitor: Visitor, style: Entry) -> Path:
    """A small picture of a style, as a file named after its content, since own styles can be replaced.

    Raises UnwritableOutput.
    """
    on_photo = visitor.styles_on_photo.get(style.name)
    if on_photo is not None and on_photo.exists():
        return on_photo
    try:
        content = visitor.transfer.style_preview(style.name)
    except InvalidStyleFile:
        content = b""  # a damaged file must not cost the others their pictures
    folder = visitor.folder if style.own else visitor.previews
    path = folder / f"{style.name}-{hash(content) & 0xFFFFFFFF:08x}.jpg"
    if not path.exists():
        made(folder)
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    return path


def style_in(event: gr.SelectData) -> str:
    """The style of the picture that was clicked, from the picture's file name.

    Its index would not do: the list of styles may have changed since.
    """
    return event.value["image"]["orig_name"].rpartition("-")[0]


def styles_on(visitor: Visitor, photo: str) -> dict[str, Path]:
    """Small pictures of a photo in every style, by style name; each one is a short job of its own.

    Raises UnreadableImage, UnwritableOutput.
    """
    folder, small = visitor.emptied("on-photo"), visitor.scaled(photo, ON_PHOTO_SIDE)
    found: dict[str, Path] = {}
    for name in visitor.transfer.styles:
        if visitor.short.dropped:
            break
        # It may have been learned with an earlier network, or removed meanwhile.
        with suppress(InvalidStyleFile, UnknownStyle), alone(Halt(short=True)):
            painted = images.on_white(Wish({name: 1.0}).paint(visitor.transfer, small))
            file = folder / f"{name}-{secrets.token_hex(8)}.jpg"  # browsers cache pictures by name
            images.save_preview(painted, file)
            found[name] = file
    return found


def title_of(info: StyleInfo) -> str:
    """A style's title, short: without the part in brackets of a painting's title."""
    return info.title.partition(" (")[0] if info.artist else info.title


def _caption(info: StyleInfo) -> str:
    about = ", ".join(part for part in (info.artist, info.year) if part)
    return f"{title_of(info)} · {about}" if about else title_of(info)


def _words(info: StyleInfo) -> str:
    return _plain(" ".join((info.slug, info.title, info.artist, info.year)))


def _plain(text: str) -> str:
    """Without accents and capitals, so that cezanne finds Cézanne."""
    return "".join(sign for sign in normalize("NFKD", text.casefold()) if not combining(sign))
