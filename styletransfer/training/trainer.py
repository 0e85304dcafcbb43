"""What the long trainings share: a model and its average, optimisers, a schedule, a run in a folder."""

import copy
import csv
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from styletransfer import images
from styletransfer.checkpoints import load_checkpoint, save_checkpoint
from styletransfer.core import OnStep, Progress
from styletransfer.errors import InvalidInput, TrainingDiverged
from styletransfer.files import attempt, replacing
from styletransfer.training.data import near
from styletransfer.training.settings import AdainTraining, BaseTraining, NetworkTraining
from styletransfer.vgg import VGG19

CHECKPOINT_SECONDS = 30
LOG_STEPS = 50
MAY_CHANGE = ("steps", "sheet_steps")  # settings of a run that is resumed

# Values outside [0, 1] are cut off when shown. Training lets a little of them through, so that a pixel that has
# gone too far still has a gradient.
LEAK = 0.05

Model = TypeVar("Model", bound=nn.Module)
Settings = TypeVar("Settings", bound=NetworkTraining)


class Trainer(Generic[Model, Settings]):
    """Holds the state of a training and takes its steps, each of which a subclass defines in `_step`."""

    def __init__(
        self,
        model: Model,
        optimizers: Sequence[torch.optim.Optimizer],
        vgg: VGG19,
        contents: Sequence[Tensor],
        settings: Settings,
    ) -> None:
        self.model, self.optimizers, self.settings = model, optimizers, settings
        self.vgg, self.device = vgg, vgg.mean.device
        self.contents = near(contents, self.device)
        self._sizes = [list(photo.shape[2:]) for photo in contents]  # by which a resumed run knows them
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
        self.step = 0
        self._begin_average()

    def _begin_average(self) -> None:
        """Average the weights from here on: at first, and once others have taken their place."""
        self.average = {name: value.clone() for name, value in self.model.state_dict().items()}

    def _step(self, share: float) -> tuple[Tensor, dict[str, float]]:
        """The loss of a step, and means over its samples by name; `share` of the training is done."""
        raise NotImplementedError

    def take_step(self) -> dict[str, float]:
        """One optimisation step; its losses by name."""
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
        # At first the average follows closely, or the random start would stay in it.
        decay = min(self.settings.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            state = self.model.state_dict()
            torch._foreach_lerp_([self.average[name] for name in state], list(state.values()), 1 - decay)

    def state(self) -> dict[str, Any]:
        """All that resuming needs, as tensors and plain values."""
        return {
            "settings": asdict(self.settings),
            "photographs": self._sizes,
            "step": self.step,
            "generator": self.generator.get_state(),
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`. Raises InvalidInput for one that was trained on other photographs."""
        if state["photographs"] != self._sizes:  # of which held-out ones may have been trained on
            raise InvalidInput("the run began with other photographs; give it those, or choose another --out")
        self.step = state["step"]
        self.generator.set_state(state["generator"])
        self.model.load_state_dict(state["model"])
        self.average = {name: value.to(self.device) for name, value in state["average"].items()}
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)

    def is_finite(self) -> bool:
        """Whether all weights are finite; otherwise a checkpoint would be of no use."""
        return all(bool(value.isfinite().all()) for value in self.model.state_dict().values())

    def averaged(self) -> Model:
        """A copy of the model with the averaged weights, which are the ones measured, shown and shipped."""
        model = copy.deepcopy(self.model)
        model.load_state_dict(self.average)
        return model.eval()


@contextmanager
def _trying_convolutions() -> Iterator[None]:
    """On a GPU, let cuDNN try which algorithm is fastest: that pays off for few shapes and many steps."""
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


def crop_side(settings: BaseTraining | AdainTraining, share: float) -> int:
    """The side of the crops in pixels: larger ones in the last steps; `share` of the training is done."""
    return settings.final_side if share >= 1 - settings.final_share else settings.side


def mean_losses(losses: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The means of losses, by name."""
    return {name: fmean(each[name] for each in losses) for name in losses[0]}


def run(trainer: Trainer[Any, Any], out: Path, sample_sheet: Callable[[], Tensor], on_step: OnStep) -> None:
    """Take the steps that are left, with checkpoint, table of losses and sample sheets in the folder `out`.

    `on_step` gets the losses of every step and, now and then, a sample sheet; when it raises `Cancelled`, or
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
        is_last = trainer.step == settings.steps
        if trainer.step % LOG_STEPS == 0 or is_last:
            _log(out / "losses.csv", trainer.step, recent)
            recent.clear()
        sheet = None
        if trainer.step % settings.sheet_steps == 0 or is_last:
            sheet = sample_sheet()
            images.save_picture(images.to_pil(sheet), out / f"sheet-{trainer.step:06d}.png")
        due = time.monotonic() - saved > CHECKPOINT_SECONDS
        if (due or is_last) and trainer.is_finite():
            save_checkpoint(trainer.state(), checkpoint_of(out))
            saved = time.monotonic()
        named = {name.replace("_", " "): value for name, value in losses.items()}
        on_step(Progress(trainer.step, settings.steps, named, sheet))
    if not trainer.is_finite():
        raise TrainingDiverged(
            "training diverged: the weights are not finite after the last step; start again with another --out"
        )


def resume(trainer: Trainer[Any, Any], out: Path) -> bool:
    """Bring the trainer to where the checkpoint in `out` stands; whether there is one.

    Raises InvalidInput if its photographs or settings were others; only settings in MAY_CHANGE may differ.
    """
    checkpoint = checkpoint_of(out)
    if not checkpoint.exists():
        return False
    state = load_checkpoint(checkpoint)
    try:
        for name, value in asdict(trainer.settings).items():
            if name not in MAY_CHANGE and value != (before := state["settings"][name]):
                raise InvalidInput(
                    f"the run in {out} began with {name} {before}, not {value}; leave it as it was, or choose "
                    "another --out"
                )
        trainer.restore(state)
    except (KeyError, RuntimeError, ValueError) as error:
        raise InvalidInput(
            f"{checkpoint} was written for another network or by another version; choose another --out"
        ) from error
    shorter = trainer.settings.steps < state["settings"]["steps"]
    if trainer.step > trainer.settings.steps or (shorter and trainer.step == trainer.settings.steps):
        raise InvalidInput(  # its rates have not fallen yet: it is no result
            f"the run in {out} has taken {trainer.step} steps already; give more --steps than that"
        )
    return True


def checkpoint_of(out: Path) -> Path:
    """Where a run keeps its checkpoint."""
    return out / "checkpoint.pt"


def _without_later(path: Path, step: int) -> None:
    """Remove from a table the steps after the checkpoint that a run goes on from: they are taken again.

    Lines that belong to no step are removed as well: no run ends because somebody has edited its table.
    """
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    kept = lines[:1]
    for line in lines[1:]:
        number = line.partition(",")[0]
        if number.isdecimal() and int(number) <= step:
            kept.append(line)
    with replacing(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _log(path: Path, step: int, recent: list[dict[str, float]]) -> None:
    """Append the means of the last steps to a table."""
    means = mean_losses(recent)
    new = not path.exists() or not path.stat().st_size  # empty where the disk was full
    with attempt(f"write {path}"), path.open("a", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(["step", *means])
        writer.writerow([step, *(f"{mean:.4f}" for mean in means.values())])
