"""Picture inputs that keep the uploaded file untouched."""

import secrets
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData
from gradio.processing_utils import check_all_files_in_cache

from styletransfer import images
from styletransfer.errors import StyleTransferError
from styletransfer.page.events import QUIET
from styletransfer.page.visitors import Visitor, Visitors

SHOWN = {".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"}  # by every browser
MOST_COPIES = 10_000  # whose originals are remembered

# A copy is shown unless the photo was taken away, or another one given, while it was made.
_SHOW = "(now, given, copy) => copy && now?.path === given ? copy : undefined"

_originals: dict[str, str] = {}  # name of a copy that is shown -> the photo that was given


# A class, not an instance with another method: Gradio makes new instances for updates.
class PhotoInput(gr.Image):
    """Its value is the path of the file, or None. Raises gradio.Error for a file that nobody uploaded.

    Gradio itself checks uploads only where they say that they are some, which is up to whoever sends them.
    """

    is_template = True  # for the browser it is an ordinary image

    def preprocess(self, payload: ImageData | None) -> str | None:
        if payload is None or payload.path is None:
            return None
        named: Any = {"path": payload.path}
        check_all_files_in_cache(named)
        # Whoever sends it may write it relative to our folder; pictures among styles are absolute paths.
        return _originals.get(Path(payload.path).name, str(Path(payload.path).absolute()))


def photo_input(
    label: str, visitors: Visitors, *, webcam: bool = False, height: int = 300, elem_id: str | None = None
) -> PhotoInput:
    """An input for a picture, whose value is the path of the file or None.

    The file stays as it is, with its orientation, colours and embedded parameters; and where it is no picture,
    our own reader says so, instead of Gradio's in words that help nobody. Of a file that browsers do not show a
    small copy is shown, and the value is the file all the same.
    """
    sources: Any = ["upload", "clipboard", *(["webcam"] if webcam else [])]
    image = PhotoInput(
        label=label,
        sources=sources,
        height=height,
        elem_id=elem_id,
        type="filepath",
        image_mode=None,
        buttons=[],
    )

    given, copied = gr.Textbox(visible=False), PhotoInput(visible=False)

    def show(photo: str | None, request: gr.Request) -> tuple[str | None, Any]:
        found = browser_file(visitors.of(request), photo)
        return photo, gr.update(value=None if found == photo else found)

    made = image.upload(show, image, [given, copied], trigger_mode="always_last", **QUIET)
    made.success(None, [image, given, copied], image, js=_SHOW, queue=False, **QUIET)
    return image


def browser_file(visitor: Visitor, photo: str | None) -> str | None:
    """What the browser shows for a photo: the file itself, or a copy that is traced back to it by its name."""
    if photo is None or Path(photo).suffix.lower() in SHOWN:
        return photo
    try:
        copy = visitor.new_file(f"{secrets.token_hex(16)}.jpg")
        images.save_preview(visitor.shown(photo), copy)
    except StyleTransferError:
        return photo  # what is wrong with it is shown when it is used
    _originals[copy.name] = photo
    while len(_originals) > MOST_COPIES:
        del _originals[next(iter(_originals))]
    return str(copy)
