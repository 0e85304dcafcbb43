"""The size of a painting: one of a list, or any that is typed."""

import re

import gradio as gr

from styletransfer.settings import SIZE

AS_THE_PHOTO = "As the photo"
SIDES = (512, 768, 1024, 1536, 1920, 2048, 2560, 3072, 3840, 4096)
SIZES = [(AS_THE_PHOTO, 0), *((f"{side} px", side) for side in SIDES)]


def size_input(label: str, elem_id: str) -> gr.Dropdown:
    """A dropdown of sizes, in which others can be typed: see `side_in` for what it then holds."""
    return gr.Dropdown(
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


def side_in(given: object) -> int | str:
    """The long side in pixels that the dropdown holds, 0 for the photo's own; the default if it is empty.

    A text that means none is returned: most events have no need of a size, and are not to fail for it.
    """
    plain = "" if given is None else str(given).strip().casefold()
    if not plain:
        return int(SIZE.default)
    if plain in ("0", AS_THE_PHOTO.casefold()):
        return 0
    found = re.fullmatch(r"([0-9]{1,6})\s*(px|pixels?)?", plain)
    return int(found[1]) if found else str(given)
