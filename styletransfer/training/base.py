"""Training of the base network: many styles at once, their gamma and beta beside the convolutions.

Besides the styles that are kept, further paintings have rows of their own, which are thrown away: they make
the convolutions general, so that a new style fits by its row.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from styletransfer.losses import autocorrelation, content_loss, total_variation
from styletransfer.networks import (
    DEFAULT_CONFIG,
    NOISE_SIDE,
    NetworkConfig,
    TransformerNetwork,
    initial_row,
)
from styletransfer.settings import BaseTraining
from styletransfer.targets import StyleTarget, collate
from styletransfer.training import repetition
from styletransfer.training.data import TrainingPicture, random_crop
from styletransfer.vgg import CONTENT_LAYER, STYLE_LAYERS, VGG19

# A value outside [0, 1] is cut off when shown. Training lets a little of it through, so that a pixel that
# has gone too far still feels the way back.
LEAK = 0.05
CPU = torch.device("cpu")


class BaseModel(nn.Module):
    """All that is trained: the network, and gamma and beta of every painting, the kept ones first.

    A painting's row is a `shared` part, which every sample teaches, plus its `own` part.
    """

    def __init__(self, paintings: int, config: NetworkConfig) -> None:
        super().__init__()
        self.network = TransformerNetwork(config)
        self.shared = nn.Parameter(initial_row(config))
        self.own = nn.Parameter(torch.zeros(paintings, 2, config.row_length))

    def rows(self, paintings: Sequence[int]) -> Tensor:
        """(len(paintings), 2, row_length)."""
        return self.shared + self.own[list(paintings)]


def _random_place(side: int, generator: torch.Generator) -> tuple[int, int]:
    row, column = torch.randint(side, (2,), generator=generator).tolist()
    return row, column


@dataclass(frozen=True)
class Losses:
    """Means over a step's samples; `objective` is the geometric mean of content + style_weight * style."""

    objective: float
    content: float
    style: float
    repetition: float
    identity: float
    style_weight: float


class BaseTrainer:
    """Holds the state of a training run and takes its steps.

    Args:  contents: photographs;
           targets: of all paintings, the `kept` first ones of which become styles;
           own_repetition: (paintings, C, lags), `painting_repetition` of each.
    """

    def __init__(
        self,
        vgg: VGG19,
        contents: Sequence[TrainingPicture],
        targets: Sequence[StyleTarget],
        own_repetition: Tensor,
        kept: int,
        settings: BaseTraining,
        *,
        config: NetworkConfig = DEFAULT_CONFIG,
        dtype: torch.dtype = torch.float32,
        device: torch.device = CPU,
    ) -> None:
        self.vgg, self.contents, self.targets, self.kept = vgg, contents, targets, kept
        self.repetition = own_repetition.to(device)
        self.settings, self.dtype, self.device = settings, dtype, device
        self.generator = torch.Generator().manual_seed(settings.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.model = BaseModel(len(targets), config).to(device)
        self.average = {name: value.clone() for name, value in self.model.state_dict().items()}
        network = self.model.network
        edges = [network.enter_half.weight, network.noise_weight, network.leave_half.weight]
        rows = [network.identity, self.model.shared, self.model.own]
        others = {id(parameter) for parameter in (*edges, *rows)}
        # Muon evens out the directions of an update. Where pixels or noise come in and pixels go out that would
        # amplify small differences between neighbouring pixels into a grid.
        matrices = [parameter for parameter in network.parameters() if id(parameter) not in others]
        self.optimizers = (
            torch.optim.Muon(matrices, lr=settings.matrix_rate, weight_decay=0.0),
            torch.optim.Adam(
                [{"params": edges, "lr": settings.edge_rate}, {"params": rows, "lr": settings.row_rate}],
                betas=(0.9, 0.99),
            ),
        )
        self.rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in self.optimizers]
        self.step = 0
        self._queue: list[int] = []

    def take_step(self) -> Losses:
        """One optimisation step."""
        settings = self.settings
        share = self.step / settings.steps
        side = settings.final_side if share >= 1 - settings.final_share else settings.side
        style_weight = self._style_weight(share)
        crops = torch.cat([random_crop(self.contents, side, self.generator) for _ in range(settings.contents)])
        photos = crops.to(self.device)
        chosen = self._choose_styles(settings.contents * settings.styles_per_content)
        targets = collate([self.targets[index] for index in chosen]).to(self.device)
        rows = self.model.rows(chosen)
        repeated = photos.repeat_interleave(settings.styles_per_content, dim=0)

        lags = repetition.choose_lags(settings.lags, self.generator)
        content, own = self._look_at(photos, lags)
        strength = self._choose_strength(len(chosen))
        origin = _random_place(NOISE_SIDE, self.generator)
        painted = self._paint(repeated, rows, strength, origin)
        features = self.vgg(painted, [CONTENT_LAYER, *STYLE_LAYERS])
        content_losses = content_loss(features[CONTENT_LAYER], content)
        style_losses = targets.loss(features)
        repeated_too_much = repetition.excess_repetition(
            features[repetition.LAYER], own, self.repetition[chosen], lags
        )
        style_share = style_weight * strength.to(self.device) ** 3
        objective = content_losses + style_share * style_losses
        penalised = objective + style_share * settings.repetition_weight * repeated_too_much
        identity = self._identity_loss(photos, rows, origin)
        # The logarithm: paintings differ tenfold in how low their loss can go, and all shall improve alike.
        loss = penalised.log().mean() + settings.identity_weight * identity
        loss = loss + settings.variation_weight * total_variation(painted).mean()
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss.backward()
        self._set_rates(share)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self._update_average()
        return Losses(
            objective=objective.log().mean().exp().item(),
            content=content_losses.mean().item(),
            style=style_losses.mean().item(),
            repetition=repeated_too_much.mean().item(),
            identity=identity.item(),
            style_weight=style_weight,
        )

    def _look_at(self, photos: Tensor, lags: list[int]) -> tuple[Tensor, Tensor]:
        """Content features and autocorrelation of the photos, each as often as it is painted."""
        with torch.no_grad():
            found = self.vgg(photos, [repetition.LAYER, CONTENT_LAYER])
            own = autocorrelation(found[repetition.LAYER], [repetition.LAGS[lag] for lag in lags])
        times = self.settings.styles_per_content
        return found[CONTENT_LAYER].repeat_interleave(times, dim=0), own.repeat_interleave(times, dim=0)

    def _paint(self, photos: Tensor, rows: Tensor, strength: Tensor, noise_origin: tuple[int, int]) -> Tensor:
        weights = torch.eye(len(photos), device=self.device)
        photos, strength = photos.to(self.dtype), strength.to(self.device)
        painted = self.model.network(photos, rows, weights, strength, noise_origin)
        shown = painted.clamp(0, 1)
        return shown + LEAK * (painted - shown)

    def _identity_loss(self, photos: Tensor, rows: Tensor, noise_origin: tuple[int, int]) -> Tensor:
        """How far the identity row is from giving a photo back: pixels, and differences of neighbours."""
        side = self.settings.identity_side
        photo = photos[self.step % len(photos), None, :, :side, :side]
        back = self._paint(photo, rows[:1], torch.zeros(1), noise_origin)
        error = back - photo
        edges = (error[..., 1:] - error[..., :-1]).abs().mean() + (
            error[..., 1:, :] - error[..., :-1, :]
        ).abs().mean()
        return error.abs().mean() + edges

    def _style_weight(self, share: float) -> float:
        settings = self.settings
        rise = min(1.0, share / settings.gentle_share)
        return settings.style_weight_start * (settings.style_weight / settings.style_weight_start) ** rise

    def _choose_styles(self, count: int) -> list[int]:
        """Kept styles in shuffled rounds, each as often as the others; a share of samples from the rest."""
        chosen = []
        for _ in range(count):
            wide = len(self.targets) - self.kept
            if wide and torch.rand((), generator=self.generator) < self.settings.wide_share:
                chosen.append(self.kept + int(torch.randint(wide, (), generator=self.generator)))
                continue
            if not self._queue:
                self._queue = torch.randperm(self.kept, generator=self.generator).tolist()
            chosen.append(self._queue.pop())
        return chosen

    def _choose_strength(self, count: int) -> Tensor:
        """(count,): 1, but in a share of the steps the last sample is painted less strongly.

        Between the identity and a style the network would else never have been.
        """
        strength = torch.ones(count)
        if torch.rand((), generator=self.generator) < self.settings.part_strength_share:
            strength[-1] = torch.rand((), generator=self.generator)
        return strength

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
            for name, value in self.model.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)

    def start_from(self, network: TransformerNetwork, rows: Mapping[int, Tensor]) -> None:
        """Begin with a trained network and with rows (2, row_length) by painting; the others get their mean."""
        self.model.network.load_state_dict(network.state_dict())
        shared = torch.stack(list(rows.values())).mean(dim=0)
        with torch.no_grad():
            self.model.shared.copy_(shared)
            for index, row in rows.items():
                self.model.own[index] = row - shared
        self.average = {name: value.clone() for name, value in self.model.state_dict().items()}

    def state(self) -> dict:
        """All that resuming needs, as tensors and plain values."""
        return {
            "step": self.step,
            "queue": self._queue,
            "generator": self.generator.get_state(),
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }

    def restore(self, state: dict) -> None:
        """Go on from what `state` returned."""
        self.step = state["step"]
        self._queue = list(state["queue"])
        self.generator.set_state(state["generator"])
        self.model.load_state_dict(state["model"])
        self.average = {name: value.to(self.device) for name, value in state["average"].items()}
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)

    def is_finite(self) -> bool:
        """Whether every weight is a number: a checkpoint of others would be of no use."""
        return all(bool(value.isfinite().all()) for value in self.model.state_dict().values())

    def averaged(self) -> BaseModel:
        """A copy of the model with the averaged weights: what is measured, shown and shipped."""
        model = copy.deepcopy(self.model)
        model.load_state_dict(self.average)
        return model.eval()
