"""Where the fit of a new style begins: at the gamma and beta that are predicted for the painting."""

from dataclasses import dataclass

import torch
from torch import Tensor

from styletransfer.predictor import RowPredictor
from styletransfer.targets import StyleTarget


@dataclass(frozen=True)
class Start:
    """A row (2, N) to begin with, and how much each of its numbers differs from style to style (2, N)."""

    row: Tensor
    spread: Tensor


def predicted_start(target: StyleTarget, predictor: RowPredictor) -> Start:
    """The row that is predicted for a painting."""
    with torch.no_grad():
        return Start(predictor(target.means, target.stds)[0], predictor.row_spread)


def spread_of(rows: Tensor) -> Tensor:
    """(2, N) standard deviation over rows (S, 2, N), but nowhere next to nothing."""
    spread = rows.std(dim=0, correction=0)
    return spread.clamp_min(0.1 * spread.mean())
