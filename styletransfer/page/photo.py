"""Pictures that visitors give: the very file they chose, untouched."""

from typing import Any

import gradio as gr
from gradio.data_classes import ImageData

from styletransfer.page.visitors import Visitors
from styletransfer.page.work import QUIET


def photo_input(
    label: str, visitors: Visitors, *, webcam: bool = False, height: int = 300, elem_id: str | None = None
) -> gr.Image:
    """An input for a picture, whose value is the path of the file or None.

    The file stays as it is, with its orientation, colours and embedded parameters; and where it is no picture,
    our own reader says so, instead of Gradio's in words that help nobody. Of a file that browsers do not show a
    small copy is shown, and the value is the file all the same.
    """
    sources: Any = ["upload", "clipboard", *(["webcam"] if webcam else [])]
    image = gr.Image(
        label=label,
        sources=sources,
        height=height,
        elem_id=elem_id,
        type="filepath",
        image_mode=None,
        buttons=[],
    )

    def path(payload: ImageData | None) -> str | None:
        return visitors.original(payload.path) if payload and payload.path else None

    def show(photo: str | None, request: gr.Request) -> Any:
        shown = visitors.of(request).shown(photo)
        return gr.skip() if shown == photo else shown

    # On the instance: Gradio writes a file beside the source of every class derived from its components.
    image.preprocess = path  # type: ignore[method-assign]
    image.upload(show, image, image, **QUIET)
    return image
