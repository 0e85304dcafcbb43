"""A slider whose number can be typed."""

from typing import Any

import gradio as gr

from styletransfer.page.quick_import import no_stubs
from styletransfer.settings import Range

with no_stubs():

    class Slider(gr.Slider):
        """Takes what is being typed for its nearest value, and an empty box for its first one.

        Gradio itself answers both with an error, at every key.
        """

        is_template = True  # to the browser it is a slider like any other

        def preprocess(self, payload: float | None) -> float:
            given = self.value if payload is None else payload
            return min(max(given, self.minimum), self.maximum)


def slider_of(allowed: Range, label: str, **looks: Any) -> Slider:
    """A slider for a number with that range, at its default."""
    return Slider(
        allowed.least, allowed.most, value=allowed.default, step=0.05, label=label, show_label=True, **looks
    )
