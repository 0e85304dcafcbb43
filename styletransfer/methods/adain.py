"""AdaIN: the statistics of any picture, and one pass of encoder and decoder. No style needs to be learned."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from styletransfer.convolution import compute_in
from styletransfer.core import Cost, OnStep, Style
from styletransfer.decoder import (
    ADAIN_LAYERS,
    AdainDecoder,
    Statistics,
    at,
    encode,
    statistics_in,
    statistics_of,
    toward,
)
from styletransfer.images import as_float
from styletransfer.masks import counted
from styletransfer.methods.regions import coarse_regions, with_rim
from styletransfer.methods.tiles import Sampling, Tiling, Window, sample_weights
from styletransfer.norm import (
    joint_statistics,
    known_instance_norm,
    regional_instance_norm,
    regional_statistics,
    weighted_statistics,
)
from styletransfer.settings import TOGETHER_PIXELS, USUAL, Optimization
from styletransfer.targets import StyleTarget, as_batch
from styletransfer.vgg import VGG19, load_vgg19
from styletransfer.weights import load_decoder

# A pixel of the painting depends on pixels up to 77 away: 37 because of the encoder, 40 of the decoder. The
# samples are 2.4 megapixels.
TILING = Tiling(whole=2_500_000, side=1280, margin=80, sampling=Sampling(count=8, side=192))
# As far as features of photos are from their mean. What is hidden, or outside of a region, can be much further
# away, where a channel is flat within; the decoder would take that in, and 8-bit integers would round by it.
MOST_DEVIATIONS = 30.0
MULTIPLY_ADDS = 320_000  # a pixel
MULTIPLY_ADDS_BY_INT8 = 200_000  # a pixel; those in 8-bit integers count by the time that they take
MEMORY = 460  # bytes a pixel, of features and of the picture in float32
MEMORY_OF_FLOAT32 = 1150  # where the features are in float32 as well


def load(models_dir: Path, device: torch.device, dtype: torch.dtype, int8: bool = False) -> "AdainStylizer":
    """The stylizer with the decoder of a folder. Raises MissingWeights."""
    decoder, sha256 = load_decoder(models_dir)
    vgg = load_vgg19(ADAIN_LAYERS[-1], dtype=dtype)
    return AdainStylizer(vgg.to(device), decoder.to(device), sha256, dtype, int8)


class AdainStylizer:
    """Paints with encoder and decoder: see `styletransfer.core.Stylizer`.

    At a strength below 1 the painting gets back, in proportion, what encoder and decoder lose of the photo, so
    that strength 0 is the photo itself.

    Source:  Huang and Belongie 2017 (arXiv 1703.06868).
    """

    def __init__(
        self, vgg: VGG19, decoder: AdainDecoder, sha256: str, dtype: torch.dtype, int8: bool = False
    ) -> None:
        self.sha256, self.vgg, self.decoder, self.dtype, self.int8 = sha256, vgg, decoder, dtype, int8
        self.device, self.batch_pixels = vgg.mean.device, 0 if int8 else TOGETHER_PIXELS
        self.paints_over = False  # it would make noise in flat parts
        if int8:
            vgg.use_int8()
            decoder.use_int8()
        compute_in(decoder, dtype)

    @torch.inference_mode()
    def stylize(
        self,
        content: Tensor,
        styles: Sequence[Style],
        weights: Tensor,
        strength: Tensor,
        on_step: OnStep | None = None,
        optimization: Optimization = USUAL,
        visible: Tensor | None = None,
    ) -> Tensor:
        """One pass, or one a tile."""
        targets = as_batch([StyleTarget.of(style, ADAIN_LAYERS) for style in styles], len(styles))
        targets, maps = targets.to(self.device), (weights, strength) if weights.ndim == 3 else None
        if maps is None:
            targets = targets.blended(weights.to(self.device))

        def measure() -> dict[str, Statistics]:
            return self._sampled(content, maps, visible)

        def paint(window: Window, own: dict[str, Statistics] | None) -> Tensor:
            photo, regions = window.cut(content), self._regions(window, maps, visible)
            if maps is None or regions is None:
                return self._paint(photo, targets, strength, own, regions)
            shares, degree = map(window.cut, maps)
            return self._paint_regions(photo, targets, shares, degree, own, regions)

        return TILING.paint(content, measure, paint, on_step)

    def _regions(
        self, window: Window, maps: tuple[Tensor, Tensor] | None, visible: Tensor | None
    ) -> Tensor | None:
        """How much the pixels of a window count: (B, 1, h, w), for maps (B, S, h, w), None for all the same."""
        seen = None if visible is None else counted(window.cut(visible)).to(self.device)
        if maps is None:
            return seen
        shares, degree = (window.cut(each).to(self.device) for each in maps)
        regions = (shares * degree)[None]
        return regions if seen is None else regions * seen

    def _sampled(
        self, content: Tensor, maps: tuple[Tensor, Tensor] | None, visible: Tensor | None
    ) -> dict[str, Statistics]:
        """Statistics of a large picture, measured on parts of it; by region where there are maps."""
        height, width = content.shape[-2:]
        windows = TILING.sampling.windows(height, width, coarse_regions(content, maps, visible))
        counts = sample_weights(content, windows, visible=visible)
        seen = [encode(self.vgg, as_float(window.cut(content)).to(self.device)) for window in windows]
        joined = {layer: torch.cat([features[layer] for features in seen]) for layer in ADAIN_LAYERS}
        found = [self._regions(window, maps, visible) for window in windows]
        regions = [each for each in found if each is not None]
        if not regions:
            return {layer: joint_statistics(value, counts) for layer, value in joined.items()}
        find, together = weighted_statistics if maps is None else regional_statistics, torch.cat(regions)
        return {layer: find(value, at(layer, together), counts) for layer, value in joined.items()}

    def _paint(
        self,
        photo: Tensor,
        target: StyleTarget,
        strength: Tensor,
        own: dict[str, Statistics] | None,
        regions: Tensor | None,
    ) -> Tensor:
        """Paint a picture, or a tile of one with `own`, the statistics of the whole picture.

        Args:  target: a batch of one; strength: (); regions: as of `_regions`.
        """
        photo, strength = as_float(photo).to(self.device), strength.to(self.device)
        features, style = encode(self.vgg, photo), statistics_in(target)
        own = own or statistics_of(features, regions)
        restyled = {}
        for layer, value in features.items():
            mean, std = toward(own[layer], style[layer], strength[None])
            near = value if regions is None else value.clamp(*_limits(*own[layer], value.dtype))
            restyled[layer] = known_instance_norm(near, std, mean, own[layer])
        return self._decoded(photo, features, restyled, strength)

    def _paint_regions(
        self,
        photo: Tensor,
        targets: StyleTarget,
        shares: Tensor,
        degree: Tensor,
        own: dict[str, Statistics] | None,
        regions: Tensor,
    ) -> Tensor:
        """Paint each style in its region, whose statistics it gives what it wants; `own` as for `_paint`.

        Args:  targets: of S styles; shares: (S, H, W), of the styles; degree: (H, W), the strength; regions: as
               of `_regions`.
        """
        photo = as_float(photo).to(self.device)
        shares, degree = with_rim(shares.to(self.device), degree.to(self.device))
        painted = (shares * degree)[None]
        features, restyled = encode(self.vgg, photo), {}
        for layer, value in features.items():
            measured = own[layer] if own else regional_statistics(value, at(layer, regions))
            means, stds = targets.means[layer], targets.stds[layer]  # (S, C)
            here = at(layer, painted)
            least, most = _limits(*measured, value.dtype)  # (1, S, C)
            near = value.clamp(least.amin(dim=1)[..., None, None], most.amax(dim=1)[..., None, None])
            styled = regional_instance_norm(near, stds, means, here, measured)
            restyled[layer] = styled.addcmul_(value, (1 - here.sum(dim=1, keepdim=True)).to(value.dtype))
        return self._decoded(photo, features, restyled, degree)

    def _decoded(
        self, photo: Tensor, features: dict[str, Tensor], restyled: dict[str, Tensor], strength: Tensor
    ) -> Tensor:
        height, width = photo.shape[-2:]
        painted = self.decoder(restyled)[..., :height, :width]
        if (strength < 1).any():
            lost = photo - self.decoder(features)[..., :height, :width]
            painted = painted + (1 - strength) * lost
        return painted.clamp(0, 1)

    def check(self, styles: Sequence[Style], optimization: Optimization = USUAL) -> None:
        """Any style will do."""

    def cost(self, size: tuple[int, int], optimization: Optimization = USUAL) -> Cost:
        painted, at_once = TILING.pixels(size)
        work = MULTIPLY_ADDS_BY_INT8 if self.int8 else MULTIPLY_ADDS
        memory = MEMORY_OF_FLOAT32 if self.dtype == torch.float32 else MEMORY
        return Cost(work * painted, memory * at_once)


def _limits(means: Tensor, stds: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Between which values features are restyled; what is beyond them is taken for these."""
    room = MOST_DEVIATIONS * stds
    return (means - room).to(dtype), (means + room).to(dtype)
