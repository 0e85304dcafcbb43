"""CIN: one pass of the transformer network, its gamma and beta blended from the styles."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from styletransfer.convolution import STRIDE, compute_in
from styletransfer.core import Cost, OnStep, Style, blend
from styletransfer.images import as_float
from styletransfer.masks import counted
from styletransfer.methods.regions import coarse_regions, with_rim
from styletransfer.methods.tiles import Sampling, Tiling, Window, sample_weights
from styletransfer.networks import TransformerNetwork
from styletransfer.rows import NormStatistics, with_identity
from styletransfer.settings import TOGETHER_PIXELS, USUAL, WHOLE_PIXELS, Optimization
from styletransfer.stylefile import check_base
from styletransfer.weights import load_base

# A pixel of the painting depends on pixels up to 113 away, 80 because of the residual blocks at 1/8. The
# samples are 4.2 megapixels; see `StyleRows.inner` for their rim.
TILING = Tiling(WHOLE_PIXELS, side=2624, margin=120, sampling=Sampling(count=8, side=256, rim=24))
MULTIPLY_ADDS = 69_500  # a pixel
MULTIPLY_ADDS_BY_INT8 = 47_000  # a pixel; those in 8-bit integers count by the time that they take
MEMORY = 175  # bytes a pixel, of features and of the picture in float32
MEMORY_OF_FLOAT32 = 290  # where the features are in float32 as well


Mix = tuple[Tensor, Tensor]  # weights (1, S) and strength (1,), or both as maps, (1, S, h, w) and (1, h, w)


def load(models_dir: Path, device: torch.device, dtype: torch.dtype, int8: bool = False) -> "CinStylizer":
    """The stylizer with the base network of a folder. Raises MissingWeights."""
    network, sha256 = load_base(models_dir)
    return CinStylizer(network, sha256, device, dtype, int8)


class CinStylizer:
    """Paints with the base network: see `styletransfer.core.Stylizer`.

    Args:  sha256: of the network's file; only styles fitted to it can be used;
           int8: whether most of the work is done in 8-bit integers.
    """

    def __init__(
        self,
        network: TransformerNetwork,
        sha256: str,
        device: torch.device,
        dtype: torch.dtype,
        int8: bool = False,
    ) -> None:
        self.sha256, self.device, self.dtype, self.int8 = sha256, device, dtype, int8
        self.batch_pixels, self.paints_over = 0 if int8 else TOGETHER_PIXELS, True
        self.network = network.to(device)
        if int8:
            network.use_int8()
        compute_in(network, dtype)

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
        """One forward pass, or one a tile. Raises InvalidStyleFile for a style of another base network."""
        self.check(styles)
        rows = torch.stack([style.row for style in styles])  # (S, 2, N)
        if weights.ndim == 1:
            rows, weights = blend(rows, weights[None]), torch.ones(1, dtype=torch.float32)  # (1, 2, N)
        rows = rows.to(self.device)

        def measure() -> NormStatistics:
            return self._measured(content, rows, weights, strength, visible)

        def paint(window: Window, statistics: NormStatistics | None) -> Tensor:
            photo, painted, regions = self._inputs(window, content, weights, strength, visible)
            return self.network(photo, rows, *painted, _place(window), statistics, regions).clamp(0, 1)

        return TILING.paint(content, measure, paint, on_step)

    def _measured(
        self, content: Tensor, rows: Tensor, weights: Tensor, strength: Tensor, visible: Tensor | None
    ) -> NormStatistics:
        """Statistics of a picture, measured on samples of it."""
        sampling, (height, width) = TILING.sampling, content.shape[-2:]
        maps = (weights, strength) if weights.ndim == 3 else None
        windows = sampling.windows(height, width, coarse_regions(content, maps, visible))
        parts = [self._inputs(window, content, weights, strength, visible) for window in windows]
        photos = torch.cat([photo for photo, _, _ in parts])
        shares, degree = (torch.cat(each) for each in zip(*(painted for _, painted, _ in parts), strict=True))
        regions = [each for _, _, each in parts if each is not None]
        return self.network.measure(
            photos,
            rows,
            shares,
            degree,
            sample_weights(content, windows, sampling.rim, visible),
            list(map(_place, windows)),
            torch.cat(regions) if regions else None,
        )

    def _inputs(
        self, window: Window, content: Tensor, weights: Tensor, strength: Tensor, visible: Tensor | None
    ) -> tuple[Tensor, Mix, Tensor | None]:
        """Photo (B, 3, h, w) of a window, what is painted, and the regions where that takes its statistics."""
        photo = as_float(window.cut(content)).to(self.device, self.dtype)
        seen = None if visible is None else counted(window.cut(visible)).to(self.device)
        if weights.ndim == 1:
            return photo, self._on_device(weights, strength), seen
        shares, degree = window.cut(weights), window.cut(strength)
        regions = with_identity(*self._on_device(shares, degree))
        painted = self._on_device(*with_rim(shares, degree))
        return photo, painted, regions if seen is None else regions * seen

    def _on_device(self, shares: Tensor, degree: Tensor) -> Mix:
        return shares[None].to(self.device), degree[None].to(self.device)

    def check(self, styles: Sequence[Style], optimization: Optimization = USUAL) -> None:
        """Raise InvalidStyleFile for a style of another base network."""
        for style in styles:
            check_base(style, self.sha256)

    def cost(self, size: tuple[int, int], optimization: Optimization = USUAL) -> Cost:
        painted, at_once = TILING.pixels(size)
        work = MULTIPLY_ADDS_BY_INT8 if self.int8 else MULTIPLY_ADDS
        memory = MEMORY_OF_FLOAT32 if self.dtype == torch.float32 else MEMORY
        return Cost(work * painted, memory * at_once, steps=len(TILING.plan(size)))


def _place(window: Window) -> tuple[int, int]:
    """Where in the noise a window begins."""
    return window.top // STRIDE, window.left // STRIDE
