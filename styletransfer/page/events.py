"""Gradio's events as the page uses them: how they wait, and what visitors are told meanwhile."""

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from styletransfer.errors import Cancelled, StyleTransferError
from styletransfer.page.work import Dropped

# Painting uses every core: two at once would both be slower. Of what takes long one is at work, and what takes
# a second passes between its steps.
LONG: dict[str, Any] = {"concurrency_id": "long", "concurrency_limit": 1}
SHORT: dict[str, Any] = {"concurrency_id": "short", "concurrency_limit": 1}
LONGEST_QUEUE = 256  # events of all visitors together
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
WAITING = "Waiting to start…"


def tell(
    listener: Callable[..., Any],
    shown: Any,
    stop_button: Any,
    text: str = WAITING,
    *,
    needed: Sequence[Any] = (),
    script: str = "true",
) -> None:
    """Show a text as soon as an event fires, such as that a job waits; not while one is under way.

    That is told by the stop button, which is disabled otherwise.

    Args:  needed: components; script: JavaScript that tells by their values in `needed` whether to say it.
    """
    idle = f"document.getElementById('{stop_button.elem_id}')?.disabled"
    script = f"(told, ...needed) => {idle} && ({script}) ? {json.dumps(text)} : told"
    listener(None, [shown, *needed], shown, js=script, queue=False, **QUIET)


def bring_into_view(listener: Callable[..., Any], component: Any) -> None:
    """Scroll to the component when the event fires: one that opens another tab leaves the page where it was."""
    found = f"document.getElementById('{component.elem_id}')"
    script = f"() => {{ requestAnimationFrame(() => {found}?.scrollIntoView({{block: 'center'}})) }}"
    listener(None, None, None, js=script, queue=False, **QUIET)


def long_work(
    begin: gr.Button,
    end: gr.Button,
    work: Callable[..., Any],
    inputs: set[Any],
    outputs: list[Any],
    *,
    check: Callable[[Any, gr.Request], Any],
    told: Any,
    idle: Any,
    stop: Callable[..., Any],
) -> Any:
    """Run a long job after a click on `begin`, and `stop` it after one on `end`; returns Gradio's event.

    Args:  check: raises InvalidInput, before the job waits, if something is missing in the inputs;
           told: the output that says that the job waits; idle: its value when the job has failed.
    """
    tell(begin.click, told, end)
    ordered, order = keep_order(begin.click, inputs, check)
    tell(ordered.failure, told, end, idle)
    done = ordered.success(work, order, outputs, **QUIET, **LONG)
    done.failure(lambda: (idle, gr.update(interactive=False)), None, [told, end], queue=False, **QUIET)
    end.click(stop, None, None, queue=False, **QUIET)
    return done


def keep_order(
    listener: Callable[..., Any], inputs: set[Any], check: Callable[[Any, gr.Request], Any]
) -> tuple[Any, gr.State]:
    """Keep the values that `inputs` have at an event; returns Gradio's event, and the state with them.

    The same event again, while the job waits, replaces them. Values that `check` raises an error for are shown
    as wrong at once, and not kept.

    Otherwise Gradio would read states only when the job's turn comes, and all other inputs now.
    """
    order = gr.State()

    def keep(values: Any, request: gr.Request) -> Any:
        with telling():
            check(values, request)
        return {order: dict(values)}

    # Through the queue, as Gradio shows no errors of other events, but without waiting there.
    return listener(keep, inputs, order, concurrency_limit=None, **QUIET), order


@contextmanager
def telling() -> Iterator[None]:
    """Show our errors to the visitor."""
    try:
        yield
    except Dropped:  # no accident: nothing for the server's log
        raise gr.Error("The connection was lost, and the job with it.", print_exception=False) from None
    except StyleTransferError as error:
        raise gr.Error(_for_owners(error), title="That did not work", print_exception=False) from error


def show_error(error: StyleTransferError) -> None:
    """Show an error to the visitor without failing: after a failure Gradio drops what waits behind it."""
    if isinstance(error, Cancelled):
        gr.Info("Stopped.", duration=4)
    else:
        gr.Warning(_for_owners(error), title="That did not work")


def _for_owners(error: StyleTransferError) -> str:
    """Its message with pictures called as their owner calls them, without the folders of our copies.

    Escaped, as what is shown there is HTML: the name in a file of somebody else's could fetch a picture.
    """
    uploads = re.escape(f"{get_upload_folder()}{os.sep}")
    return escape(re.sub(uploads + r"[0-9a-f]+[/\\]", "", str(error)), quote=False)
