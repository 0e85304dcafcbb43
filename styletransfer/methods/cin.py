"""CIN: one pass of the transformer network, its gamma and beta blended from the styles."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from styletransfer.core import OnStep, Progress, Style, blend
from styletransfer.networks import Conv3, TransformerNetwork
from styletransfer.settings import Optimization
from styletransfer.stylebank import check_base
from styletransfer.weights import load_base


def load(models_dir: Path, device: torch.device, dtype: torch.dtype) -> "CinStylizer":
    """The stylizer with the base network of a folder. Raises MissingWeights."""
    network, sha256 = load_base(models_dir)
    return CinStylizer(network, sha256, device, dtype)


class CinStylizer:
    """Paints with the base network: see `styletransfer.core.Stylizer`.

    Args:  sha256: of the network's file; only styles fitted to it can be used.
    """

    def __init__(
        self, network: TransformerNetwork, sha256: str, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.sha256, self.device, self.dtype = sha256, device, dtype
        self.network = network.to(device)
        for module in self.network.modules():
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
        """One forward pass. Raises InvalidStyleFile for a style of another base network."""
        for style in styles:
            check_base(style, self.sha256)
        rows = torch.stack([style.row for style in styles])  # (S, 2, N)
        if weights.ndim == 1:
            rows, weights = blend(rows, weights[None]), torch.ones(1)  # (1, 2, N)
        painted = self.network(
            content.to(self.device, self.dtype),
            rows.to(self.device),
            weights[None].to(self.device),
            strength[None].to(self.device),
        )
        result = painted.clamp(0, 1).cpu()
        if on_step:
            on_step(Progress(1, 1, preview=result))
        return result
