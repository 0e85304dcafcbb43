"""The losses of painted photos in the trainings: content, style, and motifs on a lattice."""

from dataclasses import dataclass

import torch
from torch import Tensor

from styletransfer.losses import content_loss
from styletransfer.training.looks import Looks
from styletransfer.training.repetition import LAGS, REPETITION_LAYER, autocorrelation, repetition_loss
from styletransfer.vgg import CONTENT_LAYER, STYLE_LAYERS, VGG19


@dataclass(frozen=True)
class Seen:
    """What the losses need of photos: `content` features (B, C, H, W), and `repetition` (B, C, lags)."""

    content: Tensor
    repetition: Tensor

    def repeated(self, times: int) -> "Seen":
        """Every photo `times` times, one after the other."""
        return Seen(*(part.repeat_interleave(times, dim=0) for part in vars(self).values()))


@dataclass(frozen=True)
class Judged:
    """Losses of a batch, (B,) each; `objective` is made of content and style, `loss` of all three."""

    loss: Tensor
    objective: Tensor
    content: Tensor
    style: Tensor
    repetition: Tensor

    def means(self, *parts: str) -> dict[str, float]:
        """Over the samples: the geometric mean of the objective, the arithmetic one of other parts."""
        found = {"objective": self.objective.log().mean().exp().item()}
        return found | {name: getattr(self, name).mean().item() for name in parts}


def choose_lags(count: int, generator: torch.Generator) -> list[int]:
    """Indices of some random LAGS: computing all of them in every step would take too long."""
    return torch.randperm(len(LAGS), generator=generator)[:count].tolist()


def look_at_photos(vgg: VGG19, photos: Tensor, lags: list[int]) -> Seen:
    """Look at photos (B, 3, H, W) in [0, 1], without gradients; `lags` are indices into LAGS."""
    with torch.no_grad():
        found = vgg(photos, [REPETITION_LAYER, CONTENT_LAYER])
        own = autocorrelation(found[REPETITION_LAYER], [LAGS[lag] for lag in lags])
    return Seen(found[CONTENT_LAYER], own)


def judge(
    vgg: VGG19,
    painted: Tensor,
    photos: Seen,
    looks: Looks,
    lags: list[int],
    style_weight: float | Tensor,
    repetition_weight: float,
) -> Judged:
    """The losses of painted photos (B, 3, H, W), nearly in [0, 1], each against its photo and its style.

    Args:  photos: looked at with the same `lags`; looks: at the styles, one each or one for all;
           style_weight: of the objective, one for all or (B,); repetition_weight: beside the style weight.
    """
    features = vgg(painted, [CONTENT_LAYER, *STYLE_LAYERS])
    content = content_loss(features[CONTENT_LAYER], photos.content)
    style = looks.targets.loss(features)
    # What the photo or the painting repeats may be repeated.
    allowed = torch.maximum(photos.repetition, looks.repetition[:, :, lags])
    too_much = repetition_loss(features[REPETITION_LAYER], allowed, [LAGS[lag] for lag in lags]) / len(lags)
    objective = content + style_weight * style
    # The lowest possible loss differs tenfold between paintings; by the logarithm all improve alike.
    loss = (objective + style_weight * repetition_weight * too_much).log()
    return Judged(loss, objective, content, style, too_much)
