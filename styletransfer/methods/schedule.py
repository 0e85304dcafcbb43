"""The sizes at which a picture is optimised, from small to full, and the steps or the time for each."""

import math
from dataclasses import dataclass

from styletransfer.core import Clock
from styletransfer.errors import InvalidInput
from styletransfer.settings import MAX_PIXELS, Optimization

SCALE = math.sqrt(2)  # between successive sizes
LEAST_OPTIMISED_SIDE = 32  # pixels; VGG halves a picture four times
MOST_COARSE = 3.0  # times the steps of the final size
LEAST_STEPS = 10  # at the largest size, where the time is limited


@dataclass(frozen=True)
class Plan:
    """One size of the picture: height and width, and the steps to take there."""

    size: tuple[int, int]
    steps: int

    @property
    def pixels(self) -> int:
        return self.size[0] * self.size[1]


class Schedule:
    """How much of the work at each size is done: by its steps, or by its part of the available time.

    The time begins with the schedule.

    Args:    size: of the photo.
    Raises:  InvalidInput, where that is too large.
    """

    def __init__(self, size: tuple[int, int], settings: Optimization) -> None:
        self.size, self.plans, self._seconds = size, plan_sizes(size, settings), settings.seconds
        self.final = self.plans[-1].size
        self.clock = Clock()
        self.began = self.clock.now()
        self._seconds_a_pixel = 0.0  # of a step, at the last size

    def begin(self, index: int) -> None:
        """Begin with one of the sizes."""
        self._index, self._began_here = index, self.clock.now()
        self._allot()

    def measure(self, steps: int) -> None:
        """Learn how long a step takes from those taken at this size, and allot it its time accordingly."""
        self._seconds_a_pixel = (self.clock.now() - self._began_here) / steps / self.plans[self._index].pixels
        self._allot()

    def _allot(self) -> None:
        """Give this size its part of the time, beside the larger ones that are worth beginning.

        A step moves a pixel by little: where only a few fit, enlarging what there is does as well.
        """
        plans, left = self.plans[self._index :], 0.0
        if self._seconds > 0:
            left = max(0.0, self._seconds - (self._began_here - self.began))
            while len(plans) > 1 and self._steps_at_last(plans, left) < LEAST_STEPS:
                plans = plans[:-1]
        costs = [plan.steps * plan.pixels for plan in plans]
        self._seconds_here = left * costs[0] / sum(costs)
        self._later = sum(plan.steps for plan in plans[1:])

    def _steps_at_last(self, plans: list[Plan], seconds: float) -> float:
        """How many steps at the largest of some sizes are taken in that time, as far as is known by now."""
        work = self._seconds_a_pixel * sum(plan.steps * plan.pixels for plan in plans)
        return plans[-1].steps * seconds / work if work > 0 else math.inf

    def share(self, step: int) -> float:
        """Of the work at this size: 0 before the first step; from 1 on no further step is begun."""
        if self._seconds <= 0:
            return step / self.plans[self._index].steps
        if step == 0:
            return 0.0
        elapsed = self.clock.now() - self._began_here
        half_a_step = elapsed / step / 2  # one that would end late by more is not begun
        return (elapsed + half_a_step) / max(self._seconds_here, 1e-9)

    def left(self, step: int) -> int:
        """Steps still to come, at all sizes; an estimate where time counts."""
        planned = self.plans[self._index].steps
        if self._seconds <= 0:
            return self._later + planned - step
        steps = step / max(self.share(step), 1e-9)  # at this size; at all sizes time goes by the planned ones
        return round(max(0.0, steps - step) + self._later * steps / planned)

    def has_time_for(self, plan: Plan, steps: float) -> bool:
        """Whether so many steps at a size fit into the time that is left; always where it has no limit."""
        if self._seconds <= 0:
            return True
        left = self._seconds - (self.clock.now() - self.began)
        return left > steps * self._seconds_a_pixel * plan.pixels

    def end_with(self, index: int) -> None:
        """Leave out the sizes after one, which gets their time when it is begun again."""
        self.plans = self.plans[: index + 1]


def plan_sizes(size: tuple[int, int], settings: Optimization) -> list[Plan]:
    """The sizes, from small to full; tiny pictures are enlarged for the work."""
    enlarged = max(1.0, LEAST_OPTIMISED_SIDE / min(size))
    final = (round(size[0] * enlarged), round(size[1] * enlarged))
    if final[0] * final[1] > MAX_PIXELS:
        reason = f"has more than {MAX_PIXELS:,}; give a smaller size"
        if enlarged > 1:
            reason = "is too elongated for this method; crop it"
        raise InvalidInput(f"a picture of {size[1]}x{size[0]} pixels {reason}")
    least = max(settings.least_side, LEAST_OPTIMISED_SIDE)
    count = max(0, math.ceil(math.log(max(final) / least, SCALE) - 1e-6))
    plans = []
    for smaller in range(count, -1, -1):
        scale = SCALE**-smaller
        steps = max(1, round(settings.steps * min(MOST_COARSE, SCALE**smaller)))
        height, width = (max(LEAST_OPTIMISED_SIDE, round(side * scale)) for side in final)
        plans.append(Plan((height, width), steps))
    return plans
