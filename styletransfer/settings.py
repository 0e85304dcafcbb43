"""Defaults, limits and help texts: the command line, the API and the page share these."""

import math
import sys
from dataclasses import dataclass
from numbers import Integral, Rational, Real
from os.path import isfile
from pathlib import Path
from typing import Any

from styletransfer.errors import InvalidInput

VERSION = "0.1.0"


def is_number(value: object, *, whole: bool = False) -> bool:
    """Whether a value is an int or a float, or one of NumPy's, and no larger than a float can be."""
    if isinstance(value, Integral):
        return abs(int(value)) <= sys.float_info.max
    return not whole and isinstance(value, Real) and not isinstance(value, Rational)


def is_finite(value: Any, *, whole: bool = False) -> bool:
    """Whether it is such a number, and finite."""
    return is_number(value, whole=whole) and math.isfinite(value)


@dataclass(frozen=True)
class Range:
    """A number that a user can set: its default, its limits and what it does."""

    default: float
    least: float
    most: float
    help: str

    def check(self, name: str, value: float) -> None:
        """Raise InvalidInput unless a number is within the range, and whole if the default is an int."""
        whole = isinstance(self.default, int)
        if not is_number(value, whole=whole):
            raise InvalidInput(f"{name} is {value!r}; it must be a {'whole number' if whole else 'number'}")
        if not self.least <= value <= self.most:
            raise InvalidInput(f"{name} is {value:g}; it must be from {self.least:g} to {self.most:g}")


STRENGTH = Range(1.0, 0.0, 1.0, "How much of the painting: 0 gives the photo back, 1 paints it fully.")
PRESERVE_COLOR = Range(0.0, 0.0, 1.0, "How much of the photo's own colours to keep: 0 none, 1 all.")
STROKE_SIZE = Range(
    1.0,
    0.25,
    4.0,
    "Size of the strokes: 2 makes them twice as broad. Above 6 megapixels cin broadens them by itself.",
)
COLOR_MODES = {
    "luminance": "the photo's colours under the painting's brightness",
    "statistics": "the painting, its palette moved to the photo's",
}
WORKERS = Range(2, 1, 64, "How many photos of a batch are read at a time, while another is painted.")
SIZE = Range(1024, 1, 16384, "Long side of the result in pixels; without it the photo keeps its own size.")

MAX_PIXELS = 1_000_000_000  # of a picture that is painted from file to file
MAX_PIL_PIXELS = 178_000_000  # of one handed out as a PIL image; Pillow refuses to open larger ones
# Up to here a picture is held in float32, and painted as a whole by cin, in 175 bytes a pixel. Larger ones are
# held in bytes, which for those from files are mapped into memory, and painted in tiles.
WHOLE_PIXELS = 12_500_000
# Of small photos of one size in a row, which are painted together: four of 512x512. Not in 8-bit integers, as
# their rounding depends on all that is computed at once: no painting may depend on the photo beside it.
TOGETHER_PIXELS = 2**20

# Short side of a style picture when its statistics are taken. It sets the size of the strokes.
STYLE_SIDE = 400
STYLE_SIZE = Range(
    STYLE_SIDE,
    64,
    2048,
    "Short side, in pixels, at which the painting is looked at; more means broader strokes.",
)

MOST_SEEDS = 2**63
STARTS = ("auto", "fast", "photo", "noise")

LICENCE = "Apache-2.0"  # of code, weights and the style files that come with them


@dataclass(frozen=True)
class Optimization:
    """How the method "gatys" optimises a picture.

    Args:    steps: at the final size; smaller sizes take more of them;
             seconds: if positive, the time to use instead of a number of steps;
             start: "fast", what CIN paints; "photo"; "noise"; "auto", fast where possible; or a picture file;
             seed: of the noise;
             style_scale: of the strokes, 0.1 to 10, for styles that are given as pictures, which are looked at
             in no less than 64 pixels of their short side;
             content_layer: of VGG-19, such as "relu4_2"; deeper ones keep less of the photo;
             content_weight, style_weight, variation_weight: of the losses; variation smooths;
             statistic: how features are compared: "gram", or "wasserstein" of mean and covariance;
             optimizer: "adam", or "lbfgs";
             rate: Adam's learning rate, for pixels in [0, 1];
             average: the result is a running average of the pictures of the last size, and this is its decay:
             from 0, the last picture alone, to below 1;
             least_side: pixels, the long side at which it begins, or up to 1.4 times less; less makes larger
             motifs, and distorts faces;
             patience: steps without progress that end a size.
    Raises:  InvalidInput.
    """

    steps: int = 60
    seconds: float = 0.0
    start: str | Path = "auto"
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
            default = getattr(type(self), name)
            if isinstance(default, str):
                expected, valid = "name", isinstance(value, str | Path)
            else:
                whole = isinstance(default, int)
                expected, valid = "whole number" if whole else "number", is_number(value, whole=whole)
            if not valid:
                raise InvalidInput(f"{name} is {value!r}; it must be a {expected}")
        choices = {
            "statistic": ("gram", "wasserstein"),
            "optimizer": ("adam", "lbfgs"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise InvalidInput(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(known)}")
        if self.start_picture is not None and not isfile(self.start_picture):
            raise InvalidInput(
                f"start is {self.start!r}; it must be one of {', '.join(STARTS)}, or the file of a picture"
            )
        for name in ("steps", "style_weight", "rate", "least_side", "patience"):
            if not 0 < getattr(self, name) < math.inf:
                raise InvalidInput(f"{name} is {getattr(self, name)}; it must be above 0, and finite")
        if not 0.1 <= self.style_scale <= 10:
            raise InvalidInput(f"style_scale is {self.style_scale:g}; it must be from 0.1 to 10")
        for name in ("content_weight", "variation_weight"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InvalidInput(f"{name} is {getattr(self, name)}; it must be 0 or more, and finite")
        if not 0 <= self.seed < MOST_SEEDS:
            raise InvalidInput(f"seed is {self.seed}; it must be a whole number from 0 to {MOST_SEEDS - 1}")
        if not 0 <= self.average < 1:
            raise InvalidInput(f"average is {self.average:g}; it must be at least 0 and below 1")
        if not 0 <= self.seconds < math.inf:
            raise InvalidInput(f"seconds is {self.seconds:g}; it must be finite and above 0, or 0 for no limit")

    @property
    def start_picture(self) -> str | Path | None:
        """The picture file to begin from, or None where `start` is one of STARTS."""
        return None if self.start in STARTS else self.start


USUAL = Optimization()
