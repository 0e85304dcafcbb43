"""The editor in which a region is painted on the photo, and that region."""

from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.components.image_editor import EditorData, EditorValue
from PIL import Image

from styletransfer import images
from styletransfer.errors import InvalidInput
from styletransfer.page.events import telling

BRUSH = "#f59e0b"  # the colour in which a region is painted
MOST_PIXELS = 2**22  # of what was painted; the photo in the editor has at most a quarter of that


class RegionEditor(gr.ImageEditor):
    """Its value has one layer at most, and of the photo under it no more than where it is, if there is one.

    Gradio itself would open all that it is given, of any format and size, as often as it is named.
    """

    is_template = True  # for the browser it is an ordinary editor

    def accept_blobs(self, data: object) -> None:
        """Not served, unlike Gradio's own: it would keep in memory whatever anybody sends.

        Browsers need it only where every stroke is an event.
        """

    def preprocess(self, payload: EditorData | None) -> EditorValue | None:
        if payload is None:
            return None
        with telling():
            if len(payload.layers) > 1:
                raise InvalidInput("a region is painted in one layer")
            layers: list[Any] = [_opened(layer.path) for layer in payload.layers]
        background = None if payload.background is None else payload.background.path
        return {"background": background, "layers": layers, "composite": None}


def region_of(edited: Mapping[str, Any] | None) -> Image.Image | None:
    """What was painted in the editor, as a grey picture, or None if nothing was."""
    if not edited or not edited["layers"] or edited["background"] is None:
        return None
    alpha = edited["layers"][0].getchannel("A")
    return alpha if alpha.getbbox() else None


def _opened(layer: str) -> Image.Image:
    """A layer as RGBA. Raises UnreadableImage, InvalidInput."""
    height, width = images.read_size(layer)
    if height * width > MOST_PIXELS:
        raise InvalidInput(f"a region of {width}x{height} pixels is too large")
    picture = images.read_picture(layer)
    return images.to_pil(picture.rgb, picture.alpha).convert("RGBA")
