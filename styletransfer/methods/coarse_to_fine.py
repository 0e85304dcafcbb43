"""The optimisation of one picture's pixels, from small to full size."""

import contextlib
import math
from collections.abc import Callable
from dataclasses import asdict, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from styletransfer import images
from styletransfer.adam import Adam
from styletransfer.core import OnStep, Progress
from styletransfer.errors import Cancelled
from styletransfer.losses import total_variation
from styletransfer.methods.objective import Losses, Objective
from styletransfer.methods.schedule import LEAST_STEPS, Schedule
from styletransfer.settings import Optimization

HISTORY = 20  # steps that L-BFGS remembers, by two pictures each
PREVIEW_SECONDS = 2


class CoarseToFine:
    """One picture being optimised.

    Args:  start: (1, 3, H, W) in [0, 1], of the final size; objective_at: makes that of a size;
           on_step: may raise `Cancelled`.
    """

    def __init__(
        self,
        schedule: Schedule,
        start: Tensor,
        objective_at: Callable[[tuple[int, int]], Objective],
        settings: Optimization,
        on_step: OnStep | None,
    ) -> None:
        self.schedule, self.start, self.objective_at = schedule, start, objective_at
        self.settings, self.on_step = settings, on_step
        self.done = 0
        self.shown = schedule.began
        self.losses = Losses(math.nan, math.nan, math.nan)
        self.result = images.resize(start, schedule.plans[0].size)  # the average of the pictures so far

    def paint(self) -> Tensor:
        """(1, 3, H, W) in [0, 1], on the CPU, in the size of the photo."""
        schedule, plans = self.schedule, self.schedule.plans
        adam_state: list[Tensor] = []
        with contextlib.suppress(Cancelled):
            for index, plan in enumerate(plans):
                if index:
                    self.result = self._enlarged(self.result, plan.size)
                    # Losses are means over the picture: the more pixels, the smaller is the gradient of each.
                    shrink = plans[index - 1].pixels / plan.pixels
                    adam_state = [
                        _resized(part, plan.size) * shrink**power for power, part in enumerate(adam_state, 1)
                    ]
                adam_state = self._optimise(adam_state, index)
                if plan.size != schedule.final and not schedule.has_time_for(plans[index + 1], LEAST_STEPS / 2):
                    schedule.end_with(index)
                    if schedule.has_time_for(plan, 0.5):  # which was kept for the sizes now left out
                        self._optimise(adam_state, index)
                    break
        found = self._enlarged(self.result, schedule.final)  # stopped before, or out of time
        result = images.resize(found.detach().float().cpu(), schedule.size).clamp(0, 1)
        if self.on_step:
            with contextlib.suppress(Cancelled):
                self.on_step(Progress(self.done, self.done, preview=result.clone()))
        return result

    def _enlarged(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """The picture in another size, with the detail of the start that is too fine for its own.

        Noise has nothing but that, which would be poured over the picture.
        """
        coarser = (image.shape[2], image.shape[3])
        if coarser == size:
            return image
        enlarged = images.resize(image, size)
        return enlarged if self.settings.start == "noise" else _with_detail(enlarged, self.start, coarser)

    def _optimise(self, adam_state: list[Tensor], index: int) -> list[Tensor]:
        """Take the steps of one size, from the result so far. Returns Adam's state."""
        settings, schedule = self.settings, self.schedule
        objective = self.objective_at(schedule.plans[index].size)
        pixels = self.result.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
        optimizer = _optimizer(pixels, settings, adam_state)
        average, weight = torch.zeros_like(pixels), 0.0
        best, waited, step = math.inf, 0, 0
        schedule.begin(index)
        while schedule.share(step) < 1 and waited < settings.patience:

            def closure() -> float:
                gradient, self.losses = objective.gradient(pixels)
                variation = settings.variation_weight * total_variation(pixels, objective.seen).sum()
                (smooth,) = torch.autograd.grad(variation, pixels)
                pixels.grad = torch.nan_to_num(gradient + smooth).contiguous()
                self.losses = replace(self.losses, objective=self.losses.objective + variation.item())
                return self.losses.objective

            before = pixels.detach().clone() if isinstance(optimizer, torch.optim.LBFGS) else pixels
            optimizer.step(closure)
            with torch.no_grad():
                pixels.copy_(torch.nan_to_num(pixels, nan=0.5).clamp_(0, 1))
                if isinstance(optimizer, torch.optim.LBFGS):
                    # The step as it was: what the clamping has cut off would be taken for curvature.
                    optimizer.state[pixels].update(d=(pixels - before).flatten(), t=1.0)
                average.lerp_(pixels, 1 - settings.average)
                weight += (1 - settings.average) * (1 - weight)
            self.result = average / weight
            step += 1
            self.done += 1
            if self.done == 1:  # now it is known how long steps take
                schedule.measure(step)
            better = self.losses.objective < 0.995 * best
            best, waited = (self.losses.objective, 0) if better else (best, waited + 1)
            self._report(schedule.left(step))
        schedule.measure(step)
        return _adam_state(optimizer)

    def _report(self, left: int) -> None:
        if self.on_step is None:
            return
        now, preview = self.schedule.clock.now(), None
        if now - self.shown > PREVIEW_SECONDS:
            preview, self.shown = self.result.detach().float().cpu().clamp(0, 1), now
        progress = Progress(self.done, self.done + left, asdict(self.losses), preview)
        self.schedule.clock.report(self.on_step, progress)


def _with_detail(image: Tensor, start: Tensor, coarser: tuple[int, int]) -> Tensor:
    """A picture enlarged from the size `coarser`, plus the detail of the start that is too fine for it."""
    size = (image.shape[2], image.shape[3])
    own = images.resize(start, size)
    detail = own - images.resize(images.resize(start, coarser), size)
    return (image + detail).clamp(0, 1)


def _optimizer(pixels: Tensor, settings: Optimization, adam_state: list[Tensor]) -> torch.optim.LBFGS | Adam:
    if settings.optimizer == "lbfgs":
        return torch.optim.LBFGS([pixels], lr=1.0, max_iter=1, history_size=HISTORY)
    optimizer = Adam(pixels, settings.rate, betas=(0.9, 0.99))
    if adam_state:
        mean, square = adam_state
        optimizer.mean, optimizer.square = mean, square.clamp_min(0)
        optimizer.steps.fill_(1000.0)  # enough that Adam does not correct them as if they began at 0
    return optimizer


def _adam_state(optimizer: torch.optim.LBFGS | Adam) -> list[Tensor]:
    """Adam's running means of the gradient and of its square; [] of another optimiser."""
    return [optimizer.mean, optimizer.square] if isinstance(optimizer, Adam) else []


def _resized(state: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(state, size, mode="bilinear", align_corners=False)
