"""What tests of the page share: somebody on it, and what they click."""

from pathlib import Path

import gradio as gr

from styletransfer.page import work

VISITOR = gr.Request(session_hash="a")


def at_work() -> bool:
    """Whether the page computes for anybody."""
    return work._turns._taken


def short_work_waits() -> bool:
    """Whether a short work waits for the long one that is under way."""
    return work._turns._waiting > 0


def click_on(picture):
    """What Gradio says of a click on a picture of a gallery."""
    value = {"image": {"orig_name": Path(picture).name}, "caption": ""}
    return gr.SelectData(None, {"index": 0, "value": value})


def page_of(component):
    """The Gradio page that it is on."""
    while component.parent:
        component = component.parent
    return component


def listeners(component, event=None):
    """What runs at an event of a component, or at any, and after that."""
    every = page_of(component).fns.values()
    found = [
        each
        for each in every
        if any(target == component._id and event in (None, name) for target, name in each.targets)
    ]
    for one in found:
        found += [each for each in every if each.trigger_after == one._id]
    return found
