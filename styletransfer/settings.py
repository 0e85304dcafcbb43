"""Defaults, limits and help texts: the command line, the API and the page share these."""

import math
from dataclasses import dataclass
from numbers import Integral, Real
from os import PathLike
from os.path import isfile
from typing import ClassVar

from styletransfer.errors import InvalidInput

VERSION = "0.1.0"


@dataclass(frozen=True)
class Range:
    """A number that a user can set: where it starts, how far it goes, what it does."""

    default: float
    least: float
    most: float
    help: str

    def check(self, name: str, value: float) -> None:
        """Raise InvalidInput unless a number is within the range, which NaN is not."""
        if not isinstance(value, Real):
            raise InvalidInput(f"{name} is {value!r}; it must be a number")
        if not self.least <= value <= self.most:
            raise InvalidInput(f"{name} is {value:g}; it must be from {self.least:g} to {self.most:g}")


STRENGTH = Range(1.0, 0.0, 1.0, "How much of the painting: 0 gives the photo back, 1 paints it fully.")
PRESERVE_COLOR = Range(0.0, 0.0, 1.0, "How much of the photo's own colours to keep: 0 none, 1 all.")
STROKE_SIZE = Range(1.0, 0.25, 4.0, "Size of the strokes: 2 paints a picture half as large and enlarges it.")
COLOR_MODES = {
    "luminance": "the photo's colours under the painting's brightness",
    "statistics": "the painting, its palette moved to the photo's",
}
WORKERS = Range(2, 1, 64, "How many photos of a batch are read at a time, while another is painted.")
SIZE = Range(1024, 1, 16384, "Long side of the result in pixels; without it the photo keeps its own size.")

MAX_PIXELS = 1_000_000_000  # of a picture that is painted from file to file
MAX_PIL_PIXELS = 178_000_000  # of one handed out as a PIL image; Pillow takes larger ones for traps
# Up to here a picture is held in float32, and painted as a whole by cin, in 175 bytes a pixel; larger ones are
# bytes, in files that are mapped into memory where they come from a file, and painted in tiles.
WHOLE_PIXELS = 12_500_000
# Of small photos that are painted together where they follow one another: four of 512x512. Not in 8-bit
# integers, which round by all that is computed at once: no painting shall depend on the photo beside it.
TOGETHER_PIXELS = 2**20

# Short side of a style picture when its statistics are taken. It is the size of the strokes.
STYLE_SIDE = 400
STYLE_SIZE = Range(
    STYLE_SIDE,
    64,
    2048,
    "Short side, in pixels, at which the painting is looked at; more means broader strokes.",
)

MOST_SEEDS = 2**63

LICENCE = "Apache-2.0"  # of code, weights and style files


@dataclass(frozen=True)
class Optimization:
    """How the method "gatys" optimises a picture.

    Args:    steps: at the final size; smaller sizes take more of them;
             seconds: where positive, the time to use instead of a number of steps;
             start: "fast", what CIN paints; "photo"; "noise"; "auto", fast if it can be; or a picture file;
             seed: of the noise;
             style_scale: of the strokes, 0.1 to 10, for styles that are given as pictures;
             content_layer: of VGG-19, such as "relu4_2"; deeper ones keep less of the photo;
             content_weight, style_weight, variation_weight: of the losses; variation smooths;
             statistic: what of the features is compared: "gram", or "wasserstein" of mean and covariance;
             optimizer: "adam", or "lbfgs";
             rate: of Adam, of pixel values from 0 to 1;
             average: of the pictures of successive steps, 0 to below 1, whose mean is the result;
             least_side: pixels, the long side at which it begins; less makes larger motifs, and costs faces;
             patience: steps without progress that end a size.
    Raises:  InvalidInput.
    """

    steps: int = 60
    seconds: float = 0.0
    start: str = "auto"
    seed: int = 0
    style_scale: float = 1.0
    content_layer: str = "relu4_2"
    content_weight: float = 1.0
    style_weight: float = 3.0
    variation_weight: float = 2.0
    statistic: str = "gram"
    optimizer: str = "adam"
    rate: float = 0.03
    average: float = 0.9
    least_side: int = 256
    patience: int = 20

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            is_text = isinstance(getattr(type(self), name), str)
            if not isinstance(value, str | PathLike if is_text else Real):
                raise InvalidInput(f"{name} is {value!r}; it must be {'a name' if is_text else 'a number'}")
        choices = {
            "statistic": ("gram", "wasserstein"),
            "optimizer": ("adam", "lbfgs"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise InvalidInput(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(known)}")
        starts = ("auto", "fast", "photo", "noise")
        if self.start not in starts and not isfile(self.start):
            raise InvalidInput(
                f"start is {self.start!r}; it must be one of {', '.join(starts)}, or the file of a picture"
            )
        for name in ("steps", "style_scale", "style_weight", "rate", "least_side", "patience"):
            if not 0 < getattr(self, name) < math.inf:
                raise InvalidInput(f"{name} is {getattr(self, name)}; it must be above 0")
        if not 0.1 <= self.style_scale <= 10:
            raise InvalidInput(f"style_scale is {self.style_scale:g}; it must be from 0.1 to 10")
        for name in ("content_weight", "variation_weight"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InvalidInput(f"{name} is {getattr(self, name)}; it must be 0 or more")
        if not isinstance(self.seed, Integral) or not 0 <= self.seed < MOST_SEEDS:
            raise InvalidInput(f"seed is {self.seed}; it must be a whole number from 0 to {MOST_SEEDS - 1}")
        if not 0 <= self.average < 1:
            raise InvalidInput(f"average is {self.average:g}; it must be at least 0 and below 1")
        if not self.seconds >= 0:
            raise InvalidInput(f"seconds is {self.seconds:g}; it must be above 0, or 0 for no limit")


class _Training:
    """Checks the numbers of a training: all are finite and at least 0, and some above. Raises InvalidInput."""

    _above_zero: ClassVar = {
        *("steps", "photos", "contents", "styles_per_content", "variants", "crops", "side", "final_side"),
        *("style_weight_start", "style_weight", "gentle_share", "decay_share", "warmup_steps"),
        *("sheet_steps", "lags"),
    }

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value < math.inf or (value == 0 and name in self._above_zero):
                least = "above 0" if name in self._above_zero else "0 or more"
                raise InvalidInput(f"{name} is {value}; it must be {least}")
            if name == "seed" and value >= MOST_SEEDS:
                raise InvalidInput(f"seed is {value}; it must be from 0 to {MOST_SEEDS - 1}")


@dataclass(frozen=True)
class NetworkTraining(_Training):
    """What the trainings of all networks have in common; each has some of its own values."""

    steps: int = 4000
    contents: int = 2  # photos a step
    styles_per_content: int = 2  # each photo is painted in as many styles: its own features are used again
    side: int = 192  # pixels, of the crops
    style_weight_start: float = 0.5
    style_weight: float = 3.0
    gentle_share: float = 0.1  # of the steps, in which the style weight rises
    variation_weight: float = 5.0
    matrix_rate: float = 0.01  # Muon, the matrices within
    edge_rate: float = 1e-3  # Adam, the last one and what is added
    warmup_steps: int = 50
    decay_share: float = 0.5  # of the steps, in which the rates fall to nothing
    average: float = 0.998  # of the weights, a step
    sheet_steps: int = 250  # from one sample sheet to the next
    seed: int = 0


@dataclass(frozen=True)
class BaseTraining(NetworkTraining):
    """How the base network is trained."""

    steps: int = 6000
    wide_styles: int = 96  # further paintings that serve generality; their rows are not kept
    wide_share: float = 0.25  # of the painted samples, in these
    part_strength_share: float = 0.125  # of the painted samples, at less than full strength
    final_side: int = 256
    final_share: float = 0.08  # of the steps, with crops of final_side
    repetition_weight: float = 30.0  # of a motif repeated on a lattice, beside the style weight
    lags: int = 4  # of the lattice, looked at in a step
    identity_weight: float = 1.0
    matrix_rate: float = 0.02  # the convolutions but the first and the last, which count as edges
    row_rate: float = 3e-3  # Adam, gamma and beta
    decay_share: float = 0.3


@dataclass(frozen=True)
class AdainTraining(NetworkTraining):
    """How the decoder of the method "adain" is trained."""

    contents: int = 4
    variants: int = 2  # looks at every painting: as it is, then at crops with other colours
    textures: int = 100  # drawn by chance, as further looks
    mix_share: float = 0.3  # of the samples, in a mix of two paintings
    photo_share: float = 0.125  # of the samples, that keep the photo's own statistics and shall give it back
    final_side: int = 256
    final_share: float = 0.08  # of the steps, with crops of final_side
    photo_weight: float = 2.0  # of the distance from the photo, where it shall be given back
    edge_rate: float = 1e-4
    warmup_steps: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, side in (("side", self.side), ("final_side", self.final_side)):
            if side % 8:
                raise InvalidInput(f"{name} is {side}; the decoder paints multiples of 8")


@dataclass(frozen=True)
class PredictorTraining(NetworkTraining):
    """How the predictor of gamma and beta is trained, with the base network as it is."""

    steps: int = 3200
    variants: int = 2  # looks at every painting: as it is, then at crops with other colours
    textures: int = 150  # drawn by chance, as further looks
    techniques: int = 500  # paintings and photos done over in another technique, as further looks
    mix_share: float = 0.3  # of the samples, in a mix of two paintings
    style_weight_start: float = 1.0
    gentle_share: float = 0.05
    repetition_weight: float = 30.0  # of a motif repeated on a lattice, beside the style weight
    lags: int = 4  # of the lattice, looked at in a step
    edge_rate: float = 5e-4
    decay: float = 0.01  # of the weights, times the rate


@dataclass(frozen=True)
class StyleTraining(_Training):
    """How gamma and beta of one new style are fitted, with the convolutions as they are."""

    most_steps: ClassVar[int] = 5000
    steps: int = 240
    seconds: float = 0.0  # where positive, the fit ends after that time, if the steps do not end it first
    style_side: int = STYLE_SIDE
    photos: int = 1  # crops a step; many small steps learn more in the same time than fewer large ones
    crops: int = 64  # of photographs and textures, made once, whose features are kept
    side: int = 160  # pixels, of the crops
    style_weight: float = 3.0
    variation_weight: float = 5.0
    repetition_weight: float = 30.0  # of a motif repeated on a lattice, beside the style weight
    lags: int = 4  # of the lattice, looked at in a step
    rate: float = 0.3  # Adam, in units of the spread of the known styles
    momentum: float = 0.8  # Adam's first beta
    warmup_steps: int = 10
    average: float = 0.9  # of the row, a step
    seed: int = 0
