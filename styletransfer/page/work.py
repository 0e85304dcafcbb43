"""Jobs for visitors: run one at a time in threads of their own, with progress, and stoppable."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any

from styletransfer.core import OnStep, Progress
from styletransfer.errors import Cancelled


@dataclass(frozen=True)
class Finished:
    """The end of a job, with its result."""

    value: Any


Event = Progress | Finished | None  # None is that the turn of a job has come


class Dropped(Exception):
    """Raised in a job that nobody waits for any more: unlike after `Cancelled`, nothing is kept."""


@dataclass(eq=False)
class Halt:
    """Ends a visitor's job from outside: `stopped` keeps what is done by then, `dropped` does not.

    `short` tells whether its jobs take about a second; `working` is how many are under way, or wait.
    """

    stopped: bool = False
    dropped: bool = False
    short: bool = False
    working: int = 0

    def check(self, progress: Progress) -> None:
        """An `on_step`. Raises Dropped, or Cancelled unless all is done."""
        if self.dropped:
            raise Dropped
        if self.stopped and progress.step < progress.steps:
            raise Cancelled


class _Turns:
    """Decides which job computes: one at a time, and before each step of a long one the short ones that wait.

    Those that come while they compute wait for the next step, or a few busy visitors would stop all long jobs.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = False
        self._long = False  # whether a long job is under way, be it that short ones pass
        self._waiting = 0  # short ones
        self._passing = 0  # short ones that the long job still lets go first

    def take(self, halt: Halt) -> None:
        with self._changed:
            halt.working += 1
            if not halt.short:
                self._changed.wait_for(lambda: not self._long)
                self._long = True
                self._take_after_short_ones()
                return
            self._waiting += 1
            self._changed.wait_for(lambda: not self._taken and (self._passing or not self._long))
            self._waiting -= 1
            self._passing = max(0, self._passing - 1)
            self._taken = True

    def give(self, halt: Halt) -> None:
        with self._changed:
            halt.working -= 1
            self._taken = False
            self._long = self._long and halt.short
            self._changed.notify_all()

    def let_others_pass(self) -> None:
        """To be called between the steps of a long job: lets short ones go first, but no long ones."""
        with self._changed:
            if self._waiting:
                self._taken = False
                self._changed.notify_all()
                self._take_after_short_ones()

    def _take_after_short_ones(self) -> None:
        self._passing = self._waiting
        self._changed.wait_for(lambda: not self._taken and not self._passing)
        self._taken = True


_turns = _Turns()  # a job keeps its turn until it has really ended, even after nobody waits for it


def follow(work: Callable[[OnStep], Any], halt: Halt) -> Iterator[Event]:
    """Run a job in a thread of its own; yields its newest progress, again and again, then its result.

    The job begins with the first `next`, which gives None once its turn has come, and ends at its next step
    when it is halted, as it may be from now on, or when this generator is closed. Other jobs wait until then;
    closing does not, as it happens in the thread that serves all visitors. Raises what the job raises.
    """
    halt.stopped = False
    return _followed(work, halt)


def _followed(work: Callable[[OnStep], Any], halt: Halt) -> Iterator[Event]:
    own = Halt()
    events: Queue[Event | BaseException] = Queue()

    def run() -> None:
        try:
            with _in_turn(halt) as halted:

                def on_step(progress: Progress) -> None:
                    own.check(progress)
                    events.put(progress)
                    halted(progress)

                if not own.dropped:
                    events.put(None)
                    events.put(Finished(work(on_step)))
        except BaseException as error:  # raised again in the thread that waits
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
def alone(halt: Halt) -> Iterator[OnStep]:
    """Wait for the turn of a visitor's job; gives an `on_step` that ends the job when it is halted.

    Raises Dropped, or Cancelled for a short one, if it was halted while it waited.
    """
    halt.stopped = False
    with _in_turn(halt) as on_step:
        yield on_step


@contextmanager
def _in_turn(halt: Halt) -> Iterator[OnStep]:
    """`alone`, where the job may have been stopped already."""

    def on_step(progress: Progress) -> None:
        halt.check(progress)
        if not halt.short:
            _turns.let_others_pass()

    _turns.take(halt)
    try:
        if halt.dropped:
            raise Dropped
        if halt.short and halt.stopped:  # while it waited; it may have no steps to end it
            raise Cancelled
        yield on_step
    finally:
        _turns.give(halt)


def _newest(events: "Queue[Event | BaseException]") -> Event | BaseException:
    """Wait for an event, and skip to the newest one, but not past a preview."""
    event = events.get()
    while isinstance(event, Progress) and event.preview is None:
        try:
            event = events.get_nowait()
        except Empty:
            break
    return event
