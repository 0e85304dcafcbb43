"""Settings of the trainings. Nothing here imports PyTorch: the help of the commands shows the defaults."""

import math
from dataclasses import dataclass
from typing import ClassVar

from styletransfer.errors import InvalidInput
from styletransfer.settings import MOST_SEEDS, STYLE_SIDE


class _Training:
    """Checks the numbers of a training: all are finite and 0 or more, some above 0. Raises InvalidInput."""

    _above_zero: ClassVar = {
        *("steps", "contents", "styles_per_content", "variants", "crops", "side", "final_side"),
        *("style_weight_start", "style_weight", "gentle_share", "decay_share", "warmup_steps"),
        *("sheet_steps", "lags"),
    }

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value < math.inf or (value == 0 and name in self._above_zero):
                least = "above 0" if name in self._above_zero else "0 or more"
                raise InvalidInput(f"{name} is {value}; it must be {least}, and finite")
            if name == "seed" and value >= MOST_SEEDS:
                raise InvalidInput(f"seed is {value}; it must be from 0 to {MOST_SEEDS - 1}")


@dataclass(frozen=True)
class NetworkTraining(_Training):
    """The settings that the trainings of all networks share; some override the defaults."""

    steps: int = 4000
    contents: int = 2  # photos a step
    styles_per_content: int = 2  # each photo is painted in as many styles, and its features are computed once
    side: int = 192  # pixels, of the crops
    style_weight_start: float = 0.5  # of the style beside the content, at the first step
    style_weight: float = 3.0
    gentle_share: float = 0.1  # of the steps, in which the style weight rises
    variation_weight: float = 5.0  # of the squared differences of neighbouring pixels
    matrix_rate: float = 0.01  # Muon, the weights of inner layers
    edge_rate: float = 1e-3  # Adam, all other weights: those of the last layer, biases
    warmup_steps: int = 50  # in which the rates rise
    decay_share: float = 0.5  # of the steps, in which the rates fall to 0
    average: float = 0.998  # of the weights, a step
    sheet_steps: int = 250  # from one sample sheet to the next
    seed: int = 0


@dataclass(frozen=True)
class BaseTraining(NetworkTraining):
    """How the base network is trained."""

    steps: int = 6000
    wide_styles: int = 96  # further paintings that make the network general; their rows are not kept
    wide_share: float = 0.25  # of the painted samples, in these styles
    part_strength_share: float = 0.125  # of the painted samples, at less than full strength
    final_side: int = 256  # pixels
    final_share: float = 0.08  # of the steps, with crops of final_side
    repetition_weight: float = 30.0  # of a motif repeated on a lattice, beside the style weight
    lags: int = 4  # distances at which repetition is looked for in a step
    identity_weight: float = 1.0  # of the distance from the photo, in samples at strength 0
    matrix_rate: float = 0.02  # the convolutions except the first and the last, which count as edges
    row_rate: float = 3e-3  # Adam, gamma and beta
    decay_share: float = 0.3


@dataclass(frozen=True)
class AdainTraining(NetworkTraining):
    """How the decoder of the method "adain" is trained."""

    contents: int = 4
    variants: int = 2  # looks at every painting: as it is, then at crops with other colours
    textures: int = 100  # randomly generated, as further looks
    mix_share: float = 0.3  # of the samples, in a mix of two paintings
    photo_share: float = 0.125  # of the samples, which keep the photo's own statistics and must give it back
    final_side: int = 256
    final_share: float = 0.08  # of the steps, with crops of final_side
    photo_weight: float = 2.0  # of the distance from the photo, in samples that must give it back
    edge_rate: float = 1e-4
    warmup_steps: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, side in (("side", self.side), ("final_side", self.final_side)):
            if side % 8:
                raise InvalidInput(f"{name} is {side}; the decoder paints multiples of 8")


@dataclass(frozen=True)
class PredictorTraining(NetworkTraining):
    """How the predictor of gamma and beta is trained, with the base network fixed."""

    steps: int = 3200
    variants: int = 2  # looks at every painting: as it is, then at crops with other colours
    textures: int = 150  # randomly generated, as further looks
    techniques: int = 500  # paintings and photos redone in another technique, as further looks
    mix_share: float = 0.3  # of the samples, in a mix of two paintings
    style_weight_start: float = 1.0
    gentle_share: float = 0.05
    repetition_weight: float = 30.0  # of a motif repeated on a lattice, beside the style weight
    lags: int = 4  # distances at which repetition is looked for in a step
    edge_rate: float = 5e-4
    decay: float = 0.01  # of the weights, times the rate


@dataclass(frozen=True)
class StyleTraining(_Training):
    """How gamma and beta of one new style are fitted, with the convolutions fixed."""

    most_steps: ClassVar[int] = 5000
    steps: int = 240
    seconds: float = 0.0  # if positive, the fit ends after that time at the latest
    style_side: int = STYLE_SIDE
    crops: int = 64  # of photographs and textures, one a step, made once; their features are kept
    side: int = 160  # pixels, of the crops
    style_weight: float = 3.0
    variation_weight: float = 5.0
    repetition_weight: float = 30.0  # of a motif repeated on a lattice, beside the style weight
    lags: int = 4  # distances at which repetition is looked for in a step
    rate: float = 0.3  # Adam, in units of the spread of the known styles
    momentum: float = 0.8  # Adam's first beta
    square_momentum: float = 0.99  # Adam's second beta
    warmup_steps: int = 10
    average: float = 0.9  # of the row, a step
    seed: int = 0
