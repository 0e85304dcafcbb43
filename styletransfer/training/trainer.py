"""What every long training has: a model and its average, optimisers, a schedule, and a run in a folder."""

import copy
import csv
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from styletransfer import images
from styletransfer.core import OnStep, Progress
from styletransfer.errors import InvalidInput, TrainingDiverged, UnwritableOutput
from styletransfer.files import load_checkpoint, replacing, save_checkpoint
from styletransfer.settings import NetworkTraining

CHECKPOINT_SECONDS = 30
LOG_STEPS = 50

# A value outside [0, 1] is cut off when shown. Training lets a little of it through, so that a pixel that
# has gone too far still feels the way back.
LEAK = 0.05
CPU = torch.device("cpu")


Model = TypeVar("Model", bound=nn.Module)
Settings = TypeVar("Settings", bound=NetworkTraining)


class Trainer(Generic[Model, Settings]):
    """Holds the state of a training and takes its steps; `_step` of a child says what one is."""

    def __init__(
        self,
        model: Model,
        optimizers: Sequence[torch.optim.Optimizer],
        settings: Settings,
        device: torch.device,
    ) -> None:
        self.model, self.optimizers, self.settings, self.device = model, optimizers, settings, device
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.average = {name: value.clone() for name, value in model.state_dict().items()}
        self.rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
        self.step = 0

    def _step(self, share: float) -> tuple[Tensor, dict[str, float]]:
        """The loss of a step, and means over its samples, by name; `share` of the training lies behind."""
        raise NotImplementedError

    def take_step(self) -> dict[str, float]:
        """One optimisation step; what is told of it, by name."""
        share = self.step / self.settings.steps
        with _trying_convolutions():
            loss, losses = self._step(share)
            for optimizer in self.optimizers:
                optimizer.zero_grad()
            loss.backward()
        self._set_rates(share)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self._update_average()
        return losses

    def _style_weight(self, share: float) -> float:
        settings = self.settings
        rise = min(1.0, share / settings.gentle_share)
        return settings.style_weight_start * (settings.style_weight / settings.style_weight_start) ** rise

    def _set_rates(self, share: float) -> None:
        settings = self.settings
        scale = min(1.0, (self.step + 1) / settings.warmup_steps, (1 - share) / settings.decay_share)
        for optimizer, rates in zip(self.optimizers, self.rates, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * scale

    def _update_average(self) -> None:
        # Early on the average follows closely, or it would drag the random start along.
        decay = min(self.settings.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            state = self.model.state_dict()
            torch._foreach_lerp_([self.average[name] for name in state], list(state.values()), 1 - decay)

    def state(self) -> dict[str, Any]:
        """All that resuming needs, as tensors and plain values."""
        return {
            "step": self.step,
            "generator": self.generator.get_state(),
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.step = state["step"]
        self.generator.set_state(state["generator"])
        self.model.load_state_dict(state["model"])
        self.average = {name: value.to(self.device) for name, value in state["average"].items()}
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)

    def is_finite(self) -> bool:
        """Whether every weight is a number: a checkpoint of others would be of no use."""
        return all(bool(value.isfinite().all()) for value in self.model.state_dict().values())

    def averaged(self) -> Model:
        """A copy of the model with the averaged weights: what is measured, shown and shipped."""
        model = copy.deepcopy(self.model)
        model.load_state_dict(self.average)
        return model.eval()


@contextmanager
def _trying_convolutions() -> Iterator[None]:
    """On a GPU: try how each shape is convolved best, which pays for few shapes and many steps."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def leaky_clamp(painted: Tensor) -> Tensor:
    """The picture as it is shown, with a little of what lies outside [0, 1]."""
    shown = painted.clamp(0, 1)
    return shown + LEAK * (painted - shown)


def run(trainer: Trainer[Any, Any], out: Path, sample_sheet: Callable[[], Tensor], on_step: OnStep) -> None:
    """Take all steps that are left, with checkpoint, table of losses and sample sheets in the folder `out`.

    `on_step` sees the losses of every step and now and then a sample sheet; when it raises `Cancelled`, or
    the process ends, the last checkpoint stays. Raises TrainingDiverged, UnwritableOutput.
    """
    settings = trainer.settings
    _without_later(out / "losses.csv", trainer.step)
    saved = time.monotonic()
    recent: list[dict[str, float]] = []
    while trainer.step < settings.steps:
        losses = trainer.take_step()
        if not all(math.isfinite(value) for value in losses.values()):
            raise TrainingDiverged(
                f"training diverged at step {trainer.step}: the losses are not finite; start again with "
                "another --seed and another --out"
            )
        recent.append(losses)
        if trainer.step % LOG_STEPS == 0:
            _log(out / "losses.csv", trainer.step, recent)
            recent.clear()
        sheet = None
        if trainer.step % settings.sheet_steps == 0 or trainer.step == settings.steps:
            sheet = sample_sheet()
            images.save_picture(images.to_pil(sheet), out / f"sheet-{trainer.step:06d}.png")
        due = time.monotonic() - saved > CHECKPOINT_SECONDS or trainer.step == settings.steps
        if due and trainer.is_finite():
            save_checkpoint(trainer.state(), checkpoint_of(out))
            saved = time.monotonic()
        named = {name.replace("_", " "): value for name, value in losses.items()}
        on_step(Progress(trainer.step, settings.steps, named, sheet))
    if not trainer.is_finite():
        raise TrainingDiverged(
            "training diverged: the weights are not finite after the last step; start again with another --out"
        )


def resume(trainer: Trainer[Any, Any], out: Path) -> bool:
    """Bring the trainer to where the checkpoint in `out` stands; whether there is one."""
    checkpoint = checkpoint_of(out)
    if not checkpoint.exists():
        return False
    try:
        trainer.restore(load_checkpoint(checkpoint))
    except (KeyError, RuntimeError, ValueError) as error:
        raise InvalidInput(
            f"{checkpoint} was written for another network or by another version; choose another --out"
        ) from error
    return True


def checkpoint_of(out: Path) -> Path:
    """Where a run keeps its checkpoint."""
    return out / "checkpoint.pt"


def _without_later(path: Path, step: int) -> None:
    """Take out of a table the steps after the checkpoint that a run goes on from: they come again."""
    if not path.exists():
        return
    lines = path.read_text(encoding="ascii").splitlines(keepends=True)
    kept = lines[:1] + [line for line in lines[1:] if int(line.partition(",")[0]) <= step]
    with replacing(path) as temporary:
        temporary.write_text("".join(kept), encoding="ascii")


def _log(path: Path, step: int, recent: list[dict[str, float]]) -> None:
    """Append the means of the last steps to a table."""
    columns = list(recent[0])
    means = (sum(losses[name] for losses in recent) / len(recent) for name in columns)
    new = not path.exists()
    try:
        with path.open("a", encoding="ascii", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", *columns])
            writer.writerow([step, *(f"{mean:.4f}" for mean in means)])
    except OSError as error:
        raise UnwritableOutput(f"cannot write {path}: {error.strerror or error}") from error
