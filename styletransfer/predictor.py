"""From the statistics of a picture to gamma and beta: a style of the base network at a glance."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styletransfer.vgg import STYLE_LAYERS, channels

HIDDEN = 256
MOST = 4.0  # deviations from the usual, of an input: a picture of one colour shall not lead far astray
FLOOR = 0.01  # added to means and deviations before their logarithm is taken; their usual size is 1


class RowPredictor(nn.Module):
    """Guesses the row of a style from mean and deviation of its VGG features.

    Source:  Ghiasi et al. 2017 (arXiv 1705.06830).
    Differs: sees the statistics that style files carry, instead of a picture through a network of its own; is
             trained with the base network as it is, and predicts differences from the mean of the known rows in
             units of their spread.
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
    """Statistics as one vector of moderate numbers, (B, 2 * all channels)."""
    parts = [part[layer] for layer in STYLE_LAYERS for part in (means, stds)]
    return (torch.cat(parts, dim=1) + FLOOR).log()
