"""Training of the row predictor: any painting, the base network as it is."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from styletransfer.errors import InvalidInput
from styletransfer.losses import total_variation
from styletransfer.networks import TransformerNetwork
from styletransfer.predictor import RowPredictor, describe
from styletransfer.training.data import random_crops
from styletransfer.training.judging import choose_lags, judge, look_at_photos
from styletransfer.training.looks import Looks
from styletransfer.training.muon import Muon
from styletransfer.training.settings import PredictorTraining
from styletransfer.training.trainer import Trainer, leaky_clamp
from styletransfer.vgg import VGG19

LEAST_INPUT_STD = 0.05  # of a logarithm: a channel that is nearly the same in all paintings says nothing


def row_std(rows: Tensor) -> Tensor:
    """The std over rows (S, 2, N), (2, N), none of it near 0."""
    std = rows.std(dim=0, correction=0)
    return std.clamp_min(0.1 * std.mean())


class PredictorTrainer(Trainer[RowPredictor, PredictorTraining]):
    """Holds the state of a training and takes its steps.

    Args:  network: the base network, frozen, its convolutions in the format of `vgg`; base_sha256: of its file;
           rows: (S, 2, N) of the known styles; contents: photographs; looks: at all paintings.
    """

    def __init__(
        self,
        vgg: VGG19,
        network: TransformerNetwork,
        base_sha256: str,
        rows: Tensor,
        contents: Sequence[Tensor],
        looks: Looks,
        settings: PredictorTraining,
    ) -> None:
        self.network, self.base_sha256 = network, base_sha256
        self.looks = looks.near(vgg.mean.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            predictor = RowPredictor(rows.shape[2])
        described = describe(looks.targets.means, looks.targets.stds)
        predictor.input_mean.copy_(described.mean(dim=0))
        predictor.input_spread.copy_(described.std(dim=0, correction=0).clamp_min(LEAST_INPUT_STD))
        predictor.row_mean.copy_(rows.mean(dim=0))
        predictor.row_spread.copy_(row_std(rows))
        predictor.to(vgg.mean.device)
        inner = [predictor.enter.weight, predictor.middle.weight]
        others = {id(parameter) for parameter in inner}
        rest = [parameter for parameter in predictor.parameters() if id(parameter) not in others]
        optimizers = (
            Muon(inner, rate=settings.matrix_rate, decay=settings.decay, dtype=vgg.dtype),
            torch.optim.AdamW(rest, lr=settings.edge_rate, betas=(0.9, 0.99), weight_decay=settings.decay),
        )
        super().__init__(predictor, optimizers, vgg, contents, settings)

    def start_from(self, predictor: RowPredictor) -> None:
        """Begin with a trained predictor, adapted to the means and stds of this training's looks and rows.

        One of another base network then predicts the same differences from the mean row, in units of the std.
        """
        shift = (self.model.input_mean.cpu() - predictor.input_mean) / predictor.input_spread
        scale = self.model.input_spread.cpu() / predictor.input_spread
        state = predictor.state_dict()
        state["enter.bias"] = predictor.enter.bias + predictor.enter.weight @ shift
        state["enter.weight"] = predictor.enter.weight * scale
        state |= dict(self.model.named_buffers())
        self.model.load_state_dict(state)
        self._begin_average()

    def _step(self, share: float) -> tuple[Tensor, dict[str, float]]:
        settings = self.settings
        style_weight = self._style_weight(share)
        photos = random_crops(self.contents, settings.contents, settings.side, self.generator).to(self.device)
        lags = choose_lags(settings.lags, self.generator)
        seen = look_at_photos(self.vgg, photos, lags).repeated(settings.styles_per_content)
        photos = photos.repeat_interleave(settings.styles_per_content, dim=0)
        looks = self.looks.draw(len(photos), settings.mix_share, self.generator).to(self.device)
        rows = self.model(looks.targets.means, looks.targets.stds)
        weights = torch.eye(len(photos), device=self.device)
        strength = torch.ones(len(photos), device=self.device)
        painted = leaky_clamp(self.network(photos.to(self.vgg.dtype), rows, weights, strength))
        judged = judge(self.vgg, painted, seen, looks, lags, style_weight, settings.repetition_weight)
        loss = judged.loss.mean() + settings.variation_weight * total_variation(painted).mean()
        return loss, judged.means("content", "style", "repetition")

    def state(self) -> dict[str, Any]:
        return super().state() | {"base_sha256": self.base_sha256}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`. Raises InvalidInput for one of another base network or other photographs."""
        if state["base_sha256"] != self.base_sha256:
            raise InvalidInput("the run belongs to another base network; choose another --out")
        super().restore(state)
