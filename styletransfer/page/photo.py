"""Pictures that visitors give: the very file they chose, untouched."""

from typing import Any

import gradio as gr
from gradio.data_classes import ImageData


def photo_input(label: str, *, webcam: bool = False, height: int = 300, elem_id: str | None = None) -> gr.Image:
    """An input for a picture, whose value is the path of the file or None.

    The file stays as it is, with its orientation, colours and embedded parameters; and where it is no picture,
    our own reader says so, instead of Gradio's in words that help nobody.
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
    # On the instance: Gradio writes a file beside the source of every class derived from its components.
    image.preprocess = _path  # type: ignore[method-assign]
    return image


def _path(payload: ImageData | None) -> str | None:
    return payload.path if payload else None
