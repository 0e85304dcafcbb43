"""A slider whose number can be typed."""

from typing import Any

import gradio as gr
from gradio.blocks import Block

from styletransfer.page.quick_import import no_stubs
from styletransfer.settings import Range

with no_stubs():

    class Slider(gr.Slider):
        """Takes what is being typed for its nearest value, and an empty box for its first one.

        Gradio itself answers both with an error, at every key. The first value has a name of its own, since
        `value` is lost whenever Gradio makes a new instance to update one.
        """

        is_template = True  # to the browser it is a slider like any other

        def __init__(self, *, first: float, **looks: Any) -> None:
            super().__init__(**({"value": first} | looks))
            self.first = first

        def get_config(self, cls: type[Block] | None = None) -> dict[str, Any]:
            """What the browser is told: of a slider like any other."""
            return super().get_config(cls or gr.Slider)

        def preprocess(self, payload: float | None) -> float:
            return min(max(self.first if payload is None else payload, self.minimum), self.maximum)


def slider(least: float, most: float, first: float, step: float, label: str, **looks: Any) -> Slider:
    """From `least` to `most`, at `first`."""
    return Slider(minimum=least, maximum=most, first=first, step=step, label=label, **looks)


def slider_of(allowed: Range, label: str, **looks: Any) -> Slider:
    """For a number with that range, at its default."""
    return slider(allowed.least, allowed.most, allowed.default, 0.05, label, **looks)
