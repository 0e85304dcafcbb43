"""Defaults, limits and help texts: the command line, the API and the page share these."""

from dataclasses import dataclass

VERSION = "0.1.0"


@dataclass(frozen=True)
class Range:
    """A number that a user can set: where it starts, how far it goes, what it does."""

    default: float
    least: float
    most: float
    help: str


STRENGTH = Range(1.0, 0.0, 1.0, "How much of the painting: 0 gives the photo back, 1 paints it fully.")
PRESERVE_COLOR = Range(0.0, 0.0, 1.0, "How much of the photo's own colours to keep: 0 none, 1 all.")
SIZE = Range(1024, 1, 16384, "Long side of the result in pixels; without it the photo keeps its own size.")

# Painting takes about 200 bytes a pixel (measured at 12 megapixels); beyond this it would be 16 GB.
MAX_PIXELS = 80_000_000

# Short side of a style picture when its statistics are taken. It is the size of the strokes.
STYLE_SIDE = 400

# The weight of the style loss where pictures are compared: J = content + 3 * style.
COMPARISON_STYLE_WEIGHT = 3.0

LICENCE = "Apache-2.0"  # of code, weights and style files


@dataclass(frozen=True)
class BaseTraining:
    """How the base network is trained."""

    steps: int = 6000
    contents: int = 2  # photos a step
    styles_per_content: int = 2  # each photo is painted in as many styles: its own features are used again
    wide_styles: int = 96  # further paintings that serve generality; their rows are not kept
    wide_share: float = 0.25  # of the painted samples, in these
    side: int = 192  # pixels, of the crops
    final_side: int = 256
    final_share: float = 0.08  # of the steps, with crops of final_side
    identity_side: int = 96
    style_weight_start: float = 0.5
    style_weight: float = 3.0
    gentle_share: float = 0.1  # of the steps, in which the style weight rises
    variation_weight: float = 5.0
    identity_weight: float = 1.0
    matrix_rate: float = 0.02  # Muon, the convolutions but the first and the last
    edge_rate: float = 1e-3  # Adam, these two
    row_rate: float = 3e-3  # Adam, gamma and beta
    warmup_steps: int = 50
    decay_share: float = 0.3  # of the steps, in which the rates fall to nothing
    average: float = 0.998  # of the weights, a step
    seed: int = 0
