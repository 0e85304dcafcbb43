"""Fitting one new style: gamma and beta alone, the convolutions frozen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from styletransfer.adam import Adam
from styletransfer.errors import TrainingDiverged
from styletransfer.losses import total_variation
from styletransfer.networks import TransformerNetwork
from styletransfer.predictor import RowPredictor
from styletransfer.targets import StyleTarget
from styletransfer.training.judging import Seen, choose_lags, judge, look_at_photos
from styletransfer.training.looks import Looks
from styletransfer.training.repetition import LAGS
from styletransfer.training.settings import StyleTraining
from styletransfer.vgg import VGG19

SNAPSHOT_STEPS = 10
MOST_ROLLBACKS = 6


@dataclass(frozen=True)
class Start:
    """A row (2, N) to begin with, and the std of each of its numbers over known styles (2, N)."""

    row: Tensor
    std: Tensor


def predicted_start(target: StyleTarget, predictor: RowPredictor) -> Start:
    """The row that is predicted for a painting."""
    with torch.no_grad():
        return Start(predictor(target.means, target.stds)[0], predictor.row_spread)


class StyleFitter:
    """Holds the state of a fit and takes its steps; `whole` is the state after the last one that was completed.

    The row is `start.row + start.std * offset`, and Adam works on the offset: numbers that vary much between
    styles take large steps, those that are nearly the same in all styles take small ones.

    Args:  network: frozen, in the number format to compute in;
           look: at the painting;
           crops: of photographs, or textures, each (1, 3, side, side) in [0, 1].
    """

    def __init__(
        self,
        vgg: VGG19,
        network: TransformerNetwork,
        start: Start,
        look: Looks,
        crops: Sequence[Tensor],
        settings: StyleTraining,
    ) -> None:
        self.device, self.dtype = vgg.mean.device, vgg.dtype
        self.vgg, self.network, self.crops, self.settings = vgg, network, crops, settings
        self.start = Start(start.row.to(self.device), start.std.to(self.device))
        self.look = look.to(self.device)
        self.offset = nn.Parameter(torch.zeros_like(self.start.row))
        self.average = torch.zeros_like(self.offset)
        betas = (settings.momentum, settings.square_momentum)
        self.optimizer = Adam(self.offset, settings.rate, betas)
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.step = 0
        self.rate_scale = 1.0
        self._rollbacks = 0
        self._queue: list[int] = []
        self._contents: dict[int, Seen] = {}
        self.whole = self._snapshot = self.state()

    def row(self) -> Tensor:
        """What has been fitted so far, (2, row_length), averaged over the last steps; on the CPU."""
        return (self.start.row + self.start.std * self.average).cpu()

    def take_step(self, share: float) -> dict[str, float]:
        """One optimisation step; `share`, 0 to 1, is how much of the fit is done, and sets the rate.

        If its numbers are not finite, it goes back to the last snapshot and halves the rate. Raises
        TrainingDiverged if that does not help.
        """
        # From before the losses are known, and kept only if they are finite: going back has to help.
        before = self.whole if self.step % SNAPSHOT_STEPS == 0 else None
        while True:
            losses = self._try_step(share)
            if math.isfinite(losses["objective"]) and bool(self.offset.isfinite().all()):
                break
            before = None
            self._roll_back()
        self._snapshot = before or self._snapshot
        self.step += 1
        decay = min(self.settings.average, self.step / (self.step + 9))
        with torch.no_grad():
            self.average.lerp_(self.offset, 1 - decay)
        self.whole = self.state()
        return losses

    def _try_step(self, share: float) -> dict[str, float]:
        settings = self.settings
        chosen = self._choose_crop()
        photo, seen = self.crops[chosen].to(self.device), self._seen(chosen)
        lags = choose_lags(settings.lags, self.generator)
        kept = replace(seen, repetition=seen.repetition[:, :, lags])
        row = self.start.row + self.start.std * self.offset
        one = torch.ones(1, device=self.device, dtype=torch.float32)
        painted = self.network(photo.to(self.dtype), row[None], one[None], one)
        shown, weight = painted.clamp(0, 1), settings.style_weight
        judged = judge(self.vgg, shown, kept, self.look, lags, weight, settings.repetition_weight)
        loss = judged.loss.mean() + settings.variation_weight * total_variation(painted).mean()
        self.offset.grad = None
        loss.backward()
        warm = min(1.0, (self.step + 1) / settings.warmup_steps)
        falling = 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
        self.optimizer.rate = settings.rate * self.rate_scale * warm * falling
        self.optimizer.step()
        return judged.means("content", "style")

    def _choose_crop(self) -> int:
        """Index of a crop, in shuffled rounds so that all are equally frequent."""
        if not self._queue:
            self._queue = torch.randperm(len(self.crops), generator=self.generator).tolist()
        return self._queue.pop(0)

    def _seen(self, index: int) -> Seen:
        """What the losses need of a crop, at all lags; computed when it is first used."""
        if index not in self._contents:
            crop, lags = self.crops[index].to(self.device), list(range(len(LAGS)))
            self._contents[index] = look_at_photos(self.vgg, crop, lags)
        return self._contents[index]

    def _roll_back(self) -> None:
        self._rollbacks += 1
        if self._rollbacks > MOST_ROLLBACKS:
            raise TrainingDiverged(
                f"training diverged at step {self.step}: the losses are not finite, even after the rate was "
                f"lowered {MOST_ROLLBACKS} times; try another picture, or a smaller crop of this one"
            )
        self.restore(self._snapshot | {"rate_scale": self.rate_scale / 2})

    def state(self) -> dict:
        """All that resuming needs, as tensors and plain values."""
        return {
            "step": self.step,
            "rate_scale": self.rate_scale,
            "queue": list(self._queue),
            "generator": self.generator.get_state(),
            "row": self.start.row.clone(),
            "spread": self.start.std.clone(),
            "offset": self.offset.detach().clone(),
            "average": self.average.clone(),
            "optimizer": self.optimizer.state(),
        }

    def restore(self, state: dict) -> None:
        """Go on from a `state`."""
        self.step, self.rate_scale = state["step"], state["rate_scale"]
        self._queue = list(state["queue"])
        self.generator.set_state(state["generator"])
        self.start = Start(state["row"].to(self.device), state["spread"].to(self.device))
        with torch.no_grad():
            self.offset.copy_(state["offset"])
            self.average.copy_(state["average"])
        self.optimizer.restore(state["optimizer"])
        self.whole = self._snapshot = self.state()
