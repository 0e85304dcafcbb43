"""AdaIN: one look at any picture, one pass of encoder and decoder. No style needs to be learned."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from styletransfer import images
from styletransfer.core import OnStep, Progress, Style
from styletransfer.decoder import (
    ADAIN_LAYERS,
    AdainDecoder,
    Statistics,
    blended_statistics,
    encode,
    restyle,
    statistics_of,
    toward,
)
from styletransfer.networks import Conv3
from styletransfer.settings import Optimization
from styletransfer.vgg import VGG19, load_vgg19
from styletransfer.weights import load_decoder

# Features at full size take about 600 bytes a pixel. Larger pictures are painted in tiles, with the statistics
# of the picture made smaller.
WHOLE_PIXELS = 2_500_000
TILE_SIDE = 1024  # pixels, a multiple of 8
# What a pixel of the painting depends on reaches 77 pixels: 37 of the encoder, 40 of the decoder.
MARGIN = 80


def load(models_dir: Path, device: torch.device, dtype: torch.dtype) -> "AdainStylizer":
    """The stylizer with the decoder of a folder. Raises MissingWeights."""
    decoder, sha256 = load_decoder(models_dir)
    vgg = load_vgg19(ADAIN_LAYERS[-1], dtype=dtype)
    return AdainStylizer(vgg.to(device), decoder.to(device), sha256, dtype)


class AdainStylizer:
    """Paints with encoder and decoder: see `styletransfer.core.Stylizer`.

    At strength below 1 what encoder and decoder lose of the photo is given back in proportion, so that
    strength 0 is the photo itself.

    Source:  Huang and Belongie 2017 (arXiv 1703.06868).
    """

    def __init__(self, vgg: VGG19, decoder: AdainDecoder, sha256: str, dtype: torch.dtype) -> None:
        self.sha256, self.vgg, self.decoder = sha256, vgg, decoder
        for module in decoder.modules():
            if isinstance(module, Conv3):
                module.to(dtype)

    @torch.inference_mode()
    def stylize(
        self,
        content: Tensor,
        styles: Sequence[Style],
        weights: Tensor,
        strength: Tensor,
        on_step: OnStep | None = None,
        optimization: Optimization | None = None,
    ) -> Tensor:
        """One pass, or one a tile."""
        device = self.vgg.mean.device
        height, width = content.shape[-2:]
        if height * width <= WHOLE_PIXELS:
            tiles, own = [(slice(0, height), slice(0, width))], None
        else:
            small = images.resize(content, _smaller((height, width)))
            tiles, own = list(_tiles(height, width)), statistics_of(encode(self.vgg, small.to(device)))
        result = torch.empty_like(content)
        for index, (rows, columns) in enumerate(tiles):
            top, left = max(rows.start - MARGIN, 0), max(columns.start - MARGIN, 0)
            wide = (slice(top, rows.stop + MARGIN), slice(left, columns.stop + MARGIN))
            shares, degree = (
                each[None].to(device) if each.ndim < 2 else each[(..., *wide)][None].to(device)
                for each in (weights, strength)
            )
            painted = self._paint(content[(..., *wide)].to(device), styles, shares, degree, own)
            inner = painted[..., rows.start - top :, columns.start - left :]
            result[..., rows, columns] = inner[..., : rows.stop - rows.start, : columns.stop - columns.start]
            if on_step:
                last = index + 1 == len(tiles)
                on_step(Progress(index + 1, len(tiles), preview=result if last else None))
        return result

    def _paint(
        self,
        photo: Tensor,
        styles: Sequence[Style],
        weights: Tensor,
        strength: Tensor,
        own: Statistics | None,
    ) -> Tensor:
        """A picture or a tile of one, whose `own` statistics are then those of the whole."""
        features = encode(self.vgg, photo)
        own = own or statistics_of(features)
        sizes = {layer: value.shape[-2:] for layer, value in features.items()}
        style = blended_statistics(styles, weights, sizes)
        painted = self._decode(features, own, toward(own, style, strength), photo)
        if (strength < 1).any():
            lost = photo - self._decode(features, own, own, photo)
            share = strength[:, None, None, None] if strength.ndim == 1 else strength[:, None]
            painted = painted + (1 - share) * lost
        return painted.clamp(0, 1).cpu()

    def _decode(self, features: dict[str, Tensor], own: Statistics, goal: Statistics, photo: Tensor) -> Tensor:
        height, width = photo.shape[-2:]
        return self.decoder(restyle(features, own, goal))[..., :height, :width]


def _smaller(size: tuple[int, int]) -> tuple[int, int]:
    scale = (WHOLE_PIXELS / (size[0] * size[1])) ** 0.5
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _tiles(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    for top in range(0, height, TILE_SIDE):
        for left in range(0, width, TILE_SIDE):
            yield slice(top, min(top + TILE_SIDE, height)), slice(left, min(left + TILE_SIDE, width))
