"""AdaIN: features of a photo are given the statistics of a style, and a decoder turns them into a painting.

The encoder is VGG-19, so that a style needs no training: its statistics are measured on one picture.
Reading and writing files is `weights.py`.
"""

from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styletransfer.convolution import SUBPIXELS, Conv3, fit_stride
from styletransfer.norm import channel_statistics, weighted_statistics
from styletransfer.targets import StyleTarget
from styletransfer.vgg import VGG19, channels, stride

ADAIN_LAYERS = ("relu2_1", "relu3_1", "relu4_1")

Statistics = tuple[Tensor, Tensor]  # mean and std, (B, C, 1, 1), or by region (B, S, C)


class AdainDecoder(nn.Module):
    """Paints from features that have the statistics of a style.

    Source:  Huang and Belongie 2017 (arXiv 1703.06868).
    Differs: besides relu4_1, where their decoder begins, it gets relu3_1 and relu2_1, restyled in the same way,
             which keeps edges and passes on the palette; no layer at full size (pixel-shuffle at the end),
             half the channels at 1/8 and below: a third of the multiply-adds of the mirrored VGG.
    """

    def __init__(self) -> None:
        super().__init__()
        half, quarter, eighth = (channels(layer) for layer in ADAIN_LAYERS)
        self.enter = Conv3(eighth, quarter, bias=True)
        self.eighth_block = nn.ModuleList(Conv3(quarter, quarter, bias=True) for _ in range(2))
        self.to_quarter = Conv3(quarter, half, bias=True, doubling=True)
        self.join_quarter = nn.Parameter(nn.init.orthogonal_(torch.empty(half, quarter)))
        self.quarter_block = nn.ModuleList(Conv3(half, half, bias=True) for _ in range(2))
        self.to_half = Conv3(half, half // 2, bias=True, doubling=True)
        self.join_half = nn.Parameter(nn.init.orthogonal_(torch.empty(half // 2, half)))
        self.leave = Conv3(half // 2, SUBPIXELS, bias=True)
        if self.leave.weight.is_meta:  # see `weights.py`
            return
        with torch.no_grad():  # begins near a grey picture, the four pixels of a block alike
            self.leave.weight.copy_(0.1 * self.leave.weight[::4].repeat_interleave(4, dim=0))
            self.leave.get_parameter("bias").fill_(0.45)

    def use_int8(self) -> None:
        """From now on compute all but the last layer in 8-bit integers; without gradients."""
        for conv in (self.enter, self.to_quarter, self.to_half, *self.eighth_block, *self.quarter_block):
            cast("Conv3", conv).use_int8()

    def forward(self, features: Mapping[str, Tensor]) -> Tensor:
        """A picture (B, 3, 8 H, 8 W) float32, not clamped, of features at ADAIN_LAYERS, relu4_1 of (H, W)."""
        at_half, at_quarter, at_eighth = (features[layer] for layer in ADAIN_LAYERS)
        x = F.relu(self.enter(at_eighth))
        x = _residual(x, self.eighth_block)
        x = F.relu(self.to_quarter(x) + _pointwise(at_quarter, self.join_quarter))
        x = _residual(x, self.quarter_block)
        x = F.relu(self.to_half(x) + _pointwise(at_half, self.join_half))
        return F.pixel_shuffle(self.leave(x).float(), 2)


def encode(vgg: VGG19, images: Tensor) -> dict[str, Tensor]:
    """Features of pictures (B, 3, H, W) in [0, 1] at ADAIN_LAYERS, their sides made multiples of 8."""
    return vgg(fit_stride(images), ADAIN_LAYERS)


def statistics_of(features: Mapping[str, Tensor], counts: Tensor | None = None) -> dict[str, Statistics]:
    """Mean and std of every channel, by layer; `counts` (B, 1, H, W) is how much each pixel counts."""
    if counts is None:
        return {layer: channel_statistics(value) for layer, value in features.items()}
    return {layer: weighted_statistics(value, at(layer, counts)) for layer, value in features.items()}


def statistics_in(target: StyleTarget) -> dict[str, Statistics]:
    """The statistics of a batch of styles, by layer."""
    return {layer: (_as_map(target.means[layer]), _as_map(target.stds[layer])) for layer in ADAIN_LAYERS}


def toward(own: Statistics, style: Statistics, strength: Tensor) -> Statistics:
    """Statistics between a photo's own at a layer and those of a style; strength: (B,), 0 is the photo."""
    share = strength[:, None, None, None]
    (mean, std), (style_mean, style_std) = own, style
    return mean + share * (style_mean - mean), std + share * (style_std - std)


def at(layer: str, maps: Tensor) -> Tensor:
    """Maps (B, N, H, W) of a photo's size, in the size that a layer has after `encode`."""
    return F.avg_pool2d(fit_stride(maps), stride(layer))


def _as_map(values: Tensor) -> Tensor:
    return values[:, :, None, None]


def _pointwise(features: Tensor, matrix: Tensor) -> Tensor:
    return F.conv2d(features, matrix[:, :, None, None].to(features.dtype))


def _residual(x: Tensor, convs: nn.ModuleList) -> Tensor:
    first, second = convs
    return x + second(F.relu(first(x)))
