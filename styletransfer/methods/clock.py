"""Time that counts as a work's own."""

import time

from styletransfer.core import OnStep, Progress


class Clock:
    """Seconds of a work, without those spent in `on_step`: a slow watcher takes no time from the picture."""

    def __init__(self) -> None:
        self._outside = 0.0

    def now(self) -> float:
        """Seconds since an arbitrary moment; only differences mean something."""
        return time.monotonic() - self._outside

    def report(self, on_step: OnStep, progress: Progress) -> None:
        """Call `on_step`, and leave out the time that it takes."""
        before = time.monotonic()
        try:
            on_step(progress)
        finally:
            self._outside += time.monotonic() - before
