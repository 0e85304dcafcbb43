"""Training of the base network: the convolutions, and gamma and beta of many styles at once.

Besides the styles that are kept, further paintings have rows of their own, which are thrown away: they make
the convolutions general, so that a new style can be learned by its row alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styletransfer.losses import total_variation
from styletransfer.networks import (
    DEFAULT_CONFIG,
    NOISE_SIDE,
    NetworkConfig,
    TransformerNetwork,
    initial_row,
)
from styletransfer.training.chance import integer, uniform
from styletransfer.training.data import random_crops
from styletransfer.training.judging import choose_lags, judge, look_at_photos
from styletransfer.training.looks import Looks
from styletransfer.training.muon import Muon
from styletransfer.training.settings import BaseTraining
from styletransfer.training.trainer import Trainer, crop_side, leaky_clamp
from styletransfer.vgg import VGG19


class BaseModel(nn.Module):
    """All that is trained: the network, and gamma and beta of every painting, the kept ones first.

    A painting's row is a `shared` part, which is trained by all samples, plus its `own` part.
    """

    def __init__(self, paintings: int, config: NetworkConfig) -> None:
        super().__init__()
        self.network = TransformerNetwork(config)
        self.shared = nn.Parameter(initial_row(config))
        self.own = nn.Parameter(torch.zeros(paintings, 2, config.row_length))

    def rows(self, paintings: Sequence[int]) -> Tensor:
        """(len(paintings), 2, row_length)."""
        return self.shared + self.own[list(paintings)]


def _distance(pictures: Tensor, others: Tensor) -> Tensor:
    """Mean absolute error of pictures: of their pixels, and of the differences between neighbours."""
    error = pictures - others
    right, down = error[..., 1:] - error[..., :-1], error[..., 1:, :] - error[..., :-1, :]
    return error.abs().mean() + right.abs().mean() + down.abs().mean()


class BaseTrainer(Trainer[BaseModel, BaseTraining]):
    """Holds the state of a training run and takes its steps.

    Args:  contents: photographs;
           looks: one at every painting; the first `kept` ones become styles.
    """

    def __init__(
        self,
        vgg: VGG19,
        contents: Sequence[Tensor],
        looks: Looks,
        kept: int,
        settings: BaseTraining,
        *,
        config: NetworkConfig = DEFAULT_CONFIG,
    ) -> None:
        device = vgg.mean.device
        self.kept, self.looks = kept, looks.to(device)
        self._queue: list[int] = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            model = BaseModel(len(looks), config).to(device)
        network = model.network
        edges = [network.enter_half.weight, network.noise_weight, network.leave_half.weight]
        rows = [network.identity, model.shared, model.own]
        others = {id(parameter) for parameter in (*edges, *rows)}
        # Muon makes all directions of an update equally large. Where pixels or noise enter and pixels leave,
        # that would amplify small differences between neighbouring pixels into a grid.
        matrices = [parameter for parameter in network.parameters() if id(parameter) not in others]
        optimizers = (
            Muon(matrices, rate=settings.matrix_rate, dtype=vgg.dtype),
            torch.optim.Adam(
                [{"params": edges, "lr": settings.edge_rate}, {"params": rows, "lr": settings.row_rate}],
                betas=(0.9, 0.99),
            ),
        )
        super().__init__(model, optimizers, vgg, contents, settings)

    def _step(self, share: float) -> tuple[Tensor, dict[str, float]]:
        settings = self.settings
        side = crop_side(settings, share)
        style_weight = self._style_weight(share)
        photos = random_crops(self.contents, settings.contents, side, self.generator).to(self.device)
        chosen = self._choose_styles(settings.contents * settings.styles_per_content)
        rows = self.model.rows(chosen)
        lags = choose_lags(settings.lags, self.generator)
        seen = look_at_photos(self.vgg, photos, lags).repeated(settings.styles_per_content)
        strength = self._choose_strength(len(chosen))
        each_time = photos.repeat_interleave(settings.styles_per_content, dim=0)
        # One more photo is painted at strength 0, which should return it unchanged.
        painted = self._paint(torch.cat([each_time, photos[:1]]), rows, F.pad(strength, (0, 1)))
        painted, back = painted.split([len(chosen), 1])
        style_share = style_weight * strength**3
        looks, repetition_weight = self.looks[chosen], settings.repetition_weight
        judged = judge(self.vgg, painted, seen, looks, lags, style_share, repetition_weight)
        identity = _distance(back, photos[:1])
        loss = judged.loss.mean() + settings.identity_weight * identity
        loss = loss + settings.variation_weight * total_variation(painted).mean()
        losses = judged.means("content", "style", "repetition")
        return loss, losses | {"identity": identity.item(), "style_weight": style_weight}

    def _paint(self, photos: Tensor, rows: Tensor, strength: Tensor) -> Tensor:
        """Paint each photo by the row of its index, or by the last one; at a random place in the noise."""
        weights = torch.eye(len(rows), device=self.device)
        weights = torch.cat([weights, weights[-1:].expand(len(photos) - len(rows), -1)])
        row, column = torch.randint(NOISE_SIDE, (2,), generator=self.generator).tolist()
        photos = photos.to(self.vgg.dtype)
        return leaky_clamp(self.model.network(photos, rows, weights, strength, (row, column)))

    def _choose_styles(self, count: int) -> list[int]:
        """Indices of kept styles, in shuffled rounds so that all are equally frequent, and some of others."""
        chosen = []
        for _ in range(count):
            wide = len(self.looks) - self.kept
            if wide and uniform(self.generator) < self.settings.wide_share:
                chosen.append(self.kept + integer(0, wide - 1, self.generator))
                continue
            if not self._queue:
                self._queue = torch.randperm(self.kept, generator=self.generator).tolist()
            chosen.append(self._queue.pop())
        return chosen

    def _choose_strength(self, count: int) -> Tensor:
        """(count,): 1, or less for a share of the samples.

        Otherwise the network would never be trained between the identity and a style.
        """
        chance, strength = torch.rand(2, count, generator=self.generator)
        return torch.where(chance < self.settings.part_strength_share, strength, 1).to(self.device)

    def start_from(self, network: TransformerNetwork, rows: Mapping[int, Tensor]) -> None:
        """Begin with a trained network and some paintings' rows (2, row_length); others get the mean row."""
        self.model.network.load_state_dict(network.state_dict())
        shared = torch.stack(list(rows.values())).mean(dim=0)
        with torch.no_grad():
            self.model.shared.copy_(shared)
            for index, row in rows.items():
                self.model.own[index] = row - shared
        self._begin_average()

    def state(self) -> dict[str, Any]:
        return super().state() | {"queue": self._queue}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self._queue = list(state["queue"])
