"""A slider whose number can be typed."""

from typing import Any

import gradio as gr
from gradio.blocks import Block

from styletransfer.settings import Range


class Slider(gr.Slider):
    """Takes a number that is being typed as the nearest allowed one, and an empty box as its default.

    Gradio itself answers both with an error, at every key. The first value has a name of its own, since
    `value` is lost whenever Gradio makes a new instance to update one.
    """

    is_template = True  # for the browser it is an ordinary slider

    def __init__(self, *, first: float, **looks: Any) -> None:
        super().__init__(**({"value": first} | looks))
        self.first = first

    def get_config(self, cls: type[Block] | None = None) -> dict[str, Any]:
        """For the browser it is an ordinary slider."""
        return super().get_config(cls or gr.Slider)

    def preprocess(self, payload: float | None) -> float:
        return min(max(self.first if payload is None else payload, self.minimum), self.maximum)


def slider(least: float, most: float, first: float, step: float, label: str, **looks: Any) -> Slider:
    """A slider from `least` to `most`, by default at `first`."""
    return Slider(minimum=least, maximum=most, first=first, step=step, label=label, **looks)


def slider_of(allowed: Range, label: str, **looks: Any) -> Slider:
    """A slider for a setting."""
    return slider(allowed.least, allowed.most, allowed.default, 0.05, label, **looks)
