"""What painted photos are judged by in every training: content, style, and motifs on a lattice."""

from dataclasses import dataclass

import torch
from torch import Tensor

from styletransfer.losses import autocorrelation, content_loss
from styletransfer.settings import BaseTraining, PredictorTraining, StyleTraining
from styletransfer.training import repetition
from styletransfer.training.looks import Looks
from styletransfer.vgg import CONTENT_LAYER, STYLE_LAYERS, VGG19


@dataclass(frozen=True)
class Seen:
    """What is kept of photos: `content` (B, C, H, W), features, and `repetition` (B, C, lags) of them."""

    content: Tensor
    repetition: Tensor

    def each(self, times: int) -> "Seen":
        """Every photo so many times, one after the other."""
        return Seen(*(part.repeat_interleave(times, dim=0) for part in vars(self).values()))


@dataclass(frozen=True)
class Judged:
    """(B,) each: `content`, `style`, `repetition` and, of the first two, `objective`; and the `loss` of all."""

    loss: Tensor
    objective: Tensor
    content: Tensor
    style: Tensor
    repetition: Tensor

    def means(self, *parts: str) -> dict[str, float]:
        """Over the samples: the geometric mean of the objective, the arithmetic one of other parts."""
        found = {"objective": self.objective.log().mean().exp().item()}
        return found | {name: getattr(self, name).mean().item() for name in parts}


def look_at_photos(vgg: VGG19, photos: Tensor, lags: list[int]) -> Seen:
    """What is kept of photos (B, 3, H, W) in [0, 1], without gradients; `lags` are indices into LAGS."""
    with torch.no_grad():
        found = vgg(photos, [repetition.LAYER, CONTENT_LAYER])
        own = autocorrelation(found[repetition.LAYER], [repetition.LAGS[lag] for lag in lags])
    return Seen(found[CONTENT_LAYER], own)


def judge(
    vgg: VGG19,
    painted: Tensor,
    photos: Seen,
    looks: Looks,
    lags: list[int],
    style_weight: float | Tensor,
    settings: BaseTraining | PredictorTraining | StyleTraining,
) -> Judged:
    """Painted photos (B, 3, H, W), nearly in [0, 1], each against its photo and its style.

    Args:  photos: at `lags`; looks: at the styles, a batch of B or of one for all; style_weight: or (B,).
    """
    features = vgg(painted, [CONTENT_LAYER, *STYLE_LAYERS])
    content = content_loss(features[CONTENT_LAYER], photos.content)
    style = looks.targets.loss(features)
    too_much = repetition.excess_repetition(
        features[repetition.LAYER], photos.repetition, looks.repetition, lags
    )
    objective = content + style_weight * style
    # The logarithm: paintings differ tenfold in how low their loss can go, and all shall improve alike.
    loss = (objective + style_weight * settings.repetition_weight * too_much).log()
    return Judged(loss, objective, content, style, too_much)
