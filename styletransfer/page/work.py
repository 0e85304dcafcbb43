"""Long work for a visitor: done in a thread of its own, told of as it goes, and really stopped on wish."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from styletransfer.core import OnStep, Progress
from styletransfer.errors import Cancelled, StyleTransferError

# Painting uses every core: two at once would both be slower. Of what takes long one is at work, and what takes
# a second passes between its steps.
LONG: dict[str, Any] = {"concurrency_id": "long", "concurrency_limit": 1}
SHORT: dict[str, Any] = {"concurrency_id": "short", "concurrency_limit": 1}
LONGEST_QUEUE = 256  # everybody's clicks and moves of sliders together
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
WAITING = "Waiting to start…"


@dataclass(frozen=True)
class Finished:
    """The end of a work, with what it returned."""

    value: Any


class _Turns:
    """Whose work computes: one at a time, and a short one before all long ones."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = False
        self._waiting = 0  # short ones

    def take(self, *, short: bool) -> None:
        with self._changed:
            self._waiting += short
            self._changed.wait_for(lambda: not self._taken and (short or not self._waiting))
            self._waiting -= short
            self._taken = True

    def give(self) -> None:
        with self._changed:
            self._taken = False
            self._changed.notify_all()

    def let_others_pass(self) -> None:
        """Between the steps of a long work."""
        if self._waiting:
            self.give()
            self.take(short=False)


_turns = _Turns()  # taken by a work from its beginning to its end, which may come late


class Dropped(Exception):
    """Raised in a work that nobody waits for any more: unlike with `Cancelled`, nothing of it is kept."""


@dataclass(eq=False)
class Halt:
    """How a visitor's work is ended from outside: `stopped`, with what is done by then kept, or `dropped`.

    `working` tells whether there is any.
    """

    stopped: bool = False
    dropped: bool = False
    working: bool = False

    def check(self, progress: Progress) -> None:
        """An `on_step`. Raises Dropped, or Cancelled unless all is done."""
        if self.dropped:
            raise Dropped
        if self.stopped and progress.step < progress.steps:
            raise Cancelled


def follow(work: Callable[[OnStep], Any], halt: Halt, *, short: bool = False) -> Iterator[Progress | Finished]:
    """The newest progress of a work, again and again, and at last what it returned.

    It ends when it is halted from now on, and is dropped when the iteration is left early: at its next step.
    Until then other work waits for it, but not the end of the iteration, where all visitors are served.
    Raises whatever the work raises.
    """
    halt.stopped = False
    own = Halt()
    events: Queue[Progress | Finished | BaseException] = Queue()

    def on_step(progress: Progress) -> None:
        own.check(progress)
        halt.check(progress)
        events.put(progress)
        if not short:
            _turns.let_others_pass()

    def run() -> None:
        try:
            with alone(halt, short=short):
                if own.dropped:
                    return
                events.put(Finished(work(on_step)))
        except BaseException as error:  # carried over to the thread that waits
            events.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        while True:
            event = _newest(events)
            if isinstance(event, BaseException):
                raise event
            yield event
            if isinstance(event, Finished):
                return
    finally:
        own.dropped = True


@contextmanager
def alone(halt: Halt, *, short: bool) -> Iterator[None]:
    """For a visitor's work, once whatever was at work before has ended or, for a `short` one, lets it pass."""
    _turns.take(short=short)
    halt.working = True
    try:
        yield
    finally:
        halt.working = False
        _turns.give()


def tell_waiting(listener: Callable[..., Any], shown: Any, stop_button: Any) -> None:
    """Say at once upon an event that its work waits, unless the visitor has such work under way."""
    script = f"(told) => document.getElementById('{stop_button.elem_id}')?.disabled ? '{WAITING}' : told"
    listener(None, shown, shown, js=script, queue=False, **QUIET)


def long_work(
    begin: gr.Button,
    end: gr.Button,
    work: Callable[..., Any],
    inputs: Any,
    outputs: list[Any],
    *,
    told: Any,
    quiet: Any,
    stop: Callable[..., Any],
) -> Any:
    """Do a long work upon a click on `begin` and `stop` it upon one on `end`: Gradio's event.

    Args:  told: among the outputs, where waiting is told; quiet: what stands there when the work has failed.
    """
    tell_waiting(begin.click, told, end)
    clicked = begin.click(work, inputs, outputs, **QUIET, **LONG)
    clicked.failure(lambda: (quiet, gr.update(interactive=False)), None, [told, end], **QUIET)
    end.click(stop, None, None, queue=False, **QUIET)
    return clicked


def stoppable(halt: Halt, *, short: bool) -> OnStep:
    """For a work that nobody follows: an `on_step` that ends it when it is halted from now on."""
    halt.stopped = False

    def on_step(progress: Progress) -> None:
        halt.check(progress)
        if not short:
            _turns.let_others_pass()

    return on_step


def _newest(events: "Queue[Progress | Finished | BaseException]") -> Progress | Finished | BaseException:
    """The last event there is, waiting for one; a preview on the way to it is never lost."""
    event = events.get()
    while isinstance(event, Progress) and event.preview is None:
        try:
            event = events.get_nowait()
        except Empty:
            break
    return event


@contextmanager
def telling() -> Iterator[None]:
    """Show the visitor what was wrong, in the words of the error."""
    try:
        yield
    except Cancelled:
        raise gr.Error("Stopped.", title="Stopped", duration=4, print_exception=False) from None
    except StyleTransferError as error:
        raise gr.Error(_for_owners(str(error)), title="That did not work", print_exception=False) from error


def _for_owners(message: str) -> str:
    """An error with pictures called as their owner calls them: where their copies lie says nothing to them."""
    uploads = re.escape(f"{get_upload_folder()}{os.sep}")
    return re.sub(uploads + r"[0-9a-f]+[/\\]", "", message)
