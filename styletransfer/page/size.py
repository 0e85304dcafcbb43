"""The size of a painting: one of a list, or any that is typed."""

import re

import gradio as gr

from styletransfer.page.quick_import import no_stubs
from styletransfer.settings import SIZE

AS_THE_PHOTO = "As the photo"
SIDES = (512, 768, 1024, 1536, 1920, 2048, 2560, 3072, 3840, 4096)
SIZES = [(AS_THE_PHOTO, 0), *((f"{side} px", side) for side in SIDES)]

with no_stubs():

    class SizeInput(gr.Dropdown):
        """Its value is the long side in pixels, 0 for the photo's own; a text that means no number stays one.

        It raises nothing, as it is an input of nearly all events, most of which need no size.
        """

        is_template = True  # for the browser it is an ordinary dropdown

        def preprocess(self, payload: str | float | list[str | int | float] | None) -> int | str:
            return side_in("" if payload is None else str(payload))


def size_input(label: str, elem_id: str) -> SizeInput:
    """A dropdown of sizes, in which others can be typed."""
    return SizeInput(
        SIZES,
        value=int(SIZE.default),
        label=label,
        info="Choose one, or type it",
        allow_custom_value=True,
        elem_id=elem_id,
        min_width=120,
    )


def listed(side: int) -> int | str:
    """A side as the dropdown takes it, whose script fails at numbers that are not in its list."""
    return side if side in SIDES else f"{side} px"


def side_in(text: str) -> int | str:
    """The long side in pixels that a text means, 0 for the photo's own; the default if nothing is typed.

    A text that means none is returned as it is.
    """
    plain = text.strip().casefold()
    if not plain:
        return int(SIZE.default)
    if plain in ("0", AS_THE_PHOTO.casefold()):
        return 0
    found = re.fullmatch(r"([0-9]{1,6})\s*(px|pixels?)?", plain)
    return int(found[1]) if found else text
