"""The row predictor: gamma and beta of the base network, guessed from the statistics of a picture."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styletransfer.vgg import STYLE_LAYERS, channels

HIDDEN = 256
MOST = 4.0  # stds that an input may differ from its mean: a picture of one colour must not lead far astray
FLOOR = 0.01  # added to means and stds, which are usually near 1, before their logarithm is taken


class RowPredictor(nn.Module):
    """Guesses the row of a style from mean and std of its VGG features.

    Source:  Ghiasi et al. 2017 (arXiv 1705.06830).
    Differs: its input is the statistics in style files, not a picture seen by a network of its own; it is
             trained with the base network frozen, and predicts differences from the mean of the known rows in
             units of their std (`input_spread` and `row_spread` are stds; the weight file names them so).
    """

    def __init__(self, row_length: int) -> None:
        super().__init__()
        inputs = 2 * sum(channels(layer) for layer in STYLE_LAYERS)
        self.enter = nn.Linear(inputs, HIDDEN)
        self.middle = nn.Linear(HIDDEN, HIDDEN)
        self.leave = nn.Linear(HIDDEN, 2 * row_length)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)
        self.input_mean: Tensor
        self.input_spread: Tensor
        self.row_mean: Tensor
        self.row_spread: Tensor
        self.register_buffer("input_mean", torch.zeros(inputs))
        self.register_buffer("input_spread", torch.ones(inputs))
        self.register_buffer("row_mean", torch.zeros(2, row_length))
        self.register_buffer("row_spread", torch.ones(2, row_length))

    def forward(self, means: Mapping[str, Tensor], stds: Mapping[str, Tensor]) -> Tensor:
        """Rows (B, 2, row_length) of statistics at STYLE_LAYERS, layer -> (B, C)."""
        x = (describe(means, stds) - self.input_mean) / self.input_spread
        x = F.gelu(self.enter(x.clamp(-MOST, MOST)))
        x = x + F.gelu(self.middle(x))
        difference = self.leave(x).unflatten(1, self.row_mean.shape)
        return self.row_mean + self.row_spread * difference


def describe(means: Mapping[str, Tensor], stds: Mapping[str, Tensor]) -> Tensor:
    """The statistics as one vector of logarithms, (B, 2 * all channels)."""
    parts = [part[layer] for layer in STYLE_LAYERS for part in (means, stds)]
    return (torch.cat(parts, dim=1) + FLOOR).log()
