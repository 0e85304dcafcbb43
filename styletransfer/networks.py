"""The transformer network: one photo in, one painting out, its style passed in as numbers.

No style is part of the network. Every normalised channel takes its gamma and beta from *rows*, one row a
style, blended by *weights* (`rows.py`); a new style is a new row and no convolution changes. Shapes and
weights only: reading and writing files is `weights.py`.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styletransfer.convolution import COLORS, SUBPIXELS, Conv3, fit_stride
from styletransfer.rows import NormStatistics, StyleRows, middle, with_identity


@dataclass(frozen=True)
class NetworkConfig:
    """Widths and depths of `TransformerNetwork`; the scale is relative to the photo."""

    half: int = 32  # channels at 1/2
    quarter: int = 96  # channels at 1/4
    eighth: int = 160  # channels at 1/8, where most of the painting is done
    quarter_blocks: int = 2
    eighth_blocks: int = 5

    @property
    def normalised_channels(self) -> tuple[int, ...]:
        """Channels of every normalisation, in the order in which the network meets them."""
        return (
            *(self.half, self.quarter, self.eighth),
            *(self.eighth,) * (2 * self.eighth_blocks),
            *(self.quarter, self.quarter),
            *(self.quarter,) * (2 * self.quarter_blocks),
            *(self.half, self.half),
            COLORS,
        )

    @property
    def row_length(self) -> int:
        """Numbers of gamma (as many again of beta) that make a style."""
        return sum(self.normalised_channels)


DEFAULT_CONFIG = NetworkConfig()
NOISE_CHANNELS = 4
NOISE_SIDE = 512  # places at 1/8 after which the noise repeats: in a plain background that is seen


class TransformerNetwork(nn.Module):
    """Paints a photo in a blend of styles.

    Source:  Johnson, Alahi and Fei-Fei 2016 (feed-forward transfer); Dumoulin et al. 2017 (conditional
             instance norm, arXiv 1610.07629).
    Differs: works at 1/2, 1/4 and 1/8 of the photo instead of at 1, 1/2 and 1/4 (pixel-unshuffle in,
             pixel-shuffle out), which is where the time goes and lets it see larger motifs; two
             skip connections, which a style opens by its own gamma; an identity row, so that strength is
             a blend like any other; a linear last layer; a fixed noise at 1/8 (see `_noise`).
    """

    def __init__(self, config: NetworkConfig = DEFAULT_CONFIG) -> None:
        super().__init__()
        self.config = config
        half, quarter, eighth = config.half, config.quarter, config.eighth
        self.enter_half = Conv3(SUBPIXELS, half)
        self.enter_quarter = Conv3(half, quarter, stride=2)
        self.enter_eighth = Conv3(quarter, eighth, stride=2)
        self.eighth_blocks = _convs(eighth, 2 * config.eighth_blocks)
        self.leave_eighth = Conv3(eighth, quarter, doubling=True)
        self.quarter_blocks = _convs(quarter, 2 * config.quarter_blocks)
        self.leave_quarter = Conv3(quarter, half, doubling=True)
        self.leave_half = Conv3(half, SUBPIXELS)
        with torch.no_grad():  # the pixels of a block begin alike (Aitken et al. 2017, arXiv 1707.02937)
            self.leave_half.weight.copy_(self.leave_half.weight[::4].repeat_interleave(4, dim=0))
        identity = initial_row(config)
        identity[:, -COLORS:] = 0  # the photo's own statistics stand in, see `_repaint`
        self.identity = nn.Parameter(identity)
        self.noise_weight = nn.Parameter(torch.empty(eighth, NOISE_CHANNELS))
        if not self.noise_weight.is_meta:  # see `weights.py`
            nn.init.normal_(self.noise_weight, std=0.1)
        self.noise: Tensor
        self.register_buffer("noise", _fixed_noise(), persistent=False)

    def forward(
        self,
        images: Tensor,
        rows: Tensor,
        weights: Tensor,
        strength: Tensor,
        noise_origin: tuple[int, int] = (0, 0),
        statistics: NormStatistics | None = None,
        regions: Tensor | None = None,
    ) -> Tensor:
        """Paint.

        Args:    images: (B, 3, H, W) in [0, 1], any H and W from 1; their dtype is the one computed in;
                 rows: (S, 2, row_length), gamma and beta of S styles;
                 weights: (B, S), non-negative, summing to 1 over S; strength: (B,), in [0, 1]: 0 is the photo,
                 1 the painting; or both as maps, (B, S, H, W) and (B, H, W);
                 noise_origin: where in the noise the picture begins, as row and column of places at 1/8;
                 statistics: from `measure`, to paint a part of a picture as it is in the whole;
                 regions: how much each pixel counts in the statistics, 0 or more: (B, 1, H, W), everywhere
                 the same by default, or, for maps, (B, 1 + S, H, W) of the identity and each style, by
                 default `with_identity`: where they are painted.
        Returns: (B, 3, H, W) float32; not clamped: values somewhat outside [0, 1] occur.
        """
        height, width = images.shape[-2:]
        styles = self._styles(rows, weights, strength, None if statistics else regions, known=statistics)
        return self._paint(fit_stride(images), styles, [noise_origin])[:, :, :height, :width]

    def use_int8(self) -> None:
        """From now on compute most convolutions in 8-bit integers; without gradients.

        Not those that lead down to 1/8, nor the last one, which are little work.
        """
        blocks = (*self.eighth_blocks, *self.quarter_blocks)
        for conv in blocks[1::2]:  # a ReLU comes before these
            cast("Conv3", conv).use_int8(positive=True)
        for conv in (*blocks[::2], self.leave_eighth, self.leave_quarter):
            cast("Conv3", conv).use_int8()

    def measure(
        self,
        images: Tensor,
        rows: Tensor,
        weights: Tensor,
        strength: Tensor,
        shares: Tensor,
        noise_origins: Sequence[tuple[int, int]] = ((0, 0),),
        regions: Tensor | None = None,
    ) -> NormStatistics:
        """Statistics of a picture, measured on parts of it that are normalised together.

        Args:  images: (B, 3, H, W), the parts; shares: (B,), how much each counts, summing to 1;
               noise_origins: of all parts, or one for all;
               the others as for `forward`, with B equal weights or maps.
        """
        styles = self._styles(rows, weights, strength, regions, shares=shares)
        self._paint(fit_stride(images), styles, noise_origins)
        return styles.measured

    def _styles(
        self,
        rows: Tensor,
        weights: Tensor,
        strength: Tensor,
        regions: Tensor | None,
        known: NormStatistics | None = None,
        shares: Tensor | None = None,
    ) -> StyleRows:
        weights = with_identity(weights, strength)  # (B, 1 + S) or (B, 1 + S, H, W)
        if weights.ndim == 4:
            weights = fit_stride(weights)
        rows = torch.cat((self.identity[None], rows))  # (1 + S, 2, row_length)
        regions = None if regions is None else fit_stride(regions)
        return StyleRows(rows, weights, self.config.normalised_channels, regions, known, shares)

    def _paint(self, images: Tensor, styles: StyleRows, noise_origins: Sequence[tuple[int, int]]) -> Tensor:
        photo = F.pixel_unshuffle(images, 2)  # (B, 12, H/2, W/2)
        at_half = styles.convolve(self.enter_half, photo).relu_()
        at_quarter = styles.convolve(self.enter_quarter, at_half).relu_()
        x = styles.convolve(self.enter_eighth, at_quarter)
        x = x.add_(torch.cat([self._noise(x, origin) for origin in noise_origins])).relu_()
        for first, second in _pairs(self.eighth_blocks):
            x = styles.inner(_residual_block(x, first, second, styles))
        x = styles.convolve(self.leave_eighth, x)
        x = x.add_(styles.norm(middle(at_quarter, x.shape[-2:]))).relu_()
        for first, second in _pairs(self.quarter_blocks):
            x = _residual_block(x, first, second, styles)
        x = styles.convolve(self.leave_quarter, x)
        x = x.add_(styles.norm(middle(at_half, x.shape[-2:]))).relu_()
        x = self._repaint(self.leave_half(x), middle(photo, x.shape[-2:]), styles)
        return F.pixel_shuffle(x.float(), 2)

    def _noise(self, features: Tensor, origin: tuple[int, int]) -> Tensor:
        """Noise for a map at 1/8, (1, C, H, W), the same for every picture.

        Where a photo is flat all places at 1/8 see the same, and without noise they would all paint the same:
        the motif of the style, repeated on a grid of eight pixels.
        """
        height, width = features.shape[-2:]
        row, column = origin
        rows = torch.arange(row, row + height, device=features.device) % NOISE_SIDE
        columns = torch.arange(column, column + width, device=features.device) % NOISE_SIDE
        noise = self.noise[:, rows[:, None], columns]  # (NOISE_CHANNELS, H, W)
        return torch.einsum("cn,nhw->chw", self.noise_weight, noise)[None].to(features.dtype)

    def _repaint(self, x: Tensor, photo: Tensor, styles: StyleRows) -> Tensor:
        """The last normalisation, in which the identity has the photo's own statistics instead of a row.

        Normalisation took brightness and contrast away, and only the photo knows them. The four pixels of a
        block share gamma and beta, and each is normalised separately: they get the same mean and contrast,
        which keeps a 2x2 grid from showing in flat areas.
        """
        gamma, beta = (value.repeat_interleave(4, dim=1) for value in styles.next())
        return styles.normalise(x.float(), *styles.add_photo_statistics(gamma, beta, *styles.statistics(photo)))


@functools.cache
def _fixed_noise() -> Tensor:
    """(NOISE_CHANNELS, NOISE_SIDE, NOISE_SIDE), float32 on the CPU; never changed."""
    # Not torch's generator: only this one is promised to give the same numbers for ever. The corner has those
    # that the shipped weights were trained with.
    noise = np.random.RandomState(1).standard_normal((NOISE_CHANNELS, NOISE_SIDE, NOISE_SIDE))
    noise[:, :64, :64] = np.random.RandomState(0).standard_normal((NOISE_CHANNELS, 64, 64))
    return torch.from_numpy(noise).float()


def initial_row(config: NetworkConfig) -> Tensor:
    """A row to start training from, (2, row_length).

    A branch begins by adding little to the path that it joins. At full size it would be noise that the network
    first has to silence, and before a normalisation it does that with a blot: one spot so strong that the rest
    of the map, divided by the contrast, is nothing. The output begins with the brightness and contrast of a
    usual photo.
    """
    row = torch.zeros(2, config.row_length)
    gamma, beta = row[0].fill_(1), row[1]
    layers = gamma.split(config.normalised_channels)  # views
    first_block = 3
    leave_eighth = first_block + 2 * config.eighth_blocks
    leave_quarter = leave_eighth + 2 + 2 * config.quarter_blocks
    ends_of_blocks = [*range(first_block + 1, leave_eighth, 2), *range(leave_eighth + 3, leave_quarter, 2)]
    for index in (*ends_of_blocks, leave_eighth, leave_quarter):
        layers[index].fill_(0.2)
    gamma[-COLORS:] = 0.25
    beta[-COLORS:] = 0.45
    return row


def _convs(channels: int, count: int) -> nn.ModuleList:
    return nn.ModuleList(Conv3(channels, channels) for _ in range(count))


def _pairs(convs: nn.ModuleList) -> Iterator[tuple[Conv3, Conv3]]:
    layers = cast("list[Conv3]", list(convs))
    return zip(layers[::2], layers[1::2], strict=True)


def _residual_block(x: Tensor, first: Conv3, second: Conv3, styles: StyleRows) -> Tensor:
    return styles.convolve(second, styles.convolve(first, x).relu_()).add_(x)
