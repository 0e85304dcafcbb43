"""One more pixel around a feature map, before a 3x3 convolution."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def pad_by_one(features: Tensor, mode: str) -> Tensor:
    """(B, C, H, W) as (B, C, H + 2, W + 2); `mode` is "reflect" or "replicate"."""
    if not features.is_cuda:
        return F.pad(features, (1, 1, 1, 1), mode=mode)
    padded: Tensor = _ChannelsLast.apply(features, int(mode == "reflect"))
    return padded


class _ChannelsLast(torch.autograd.Function):
    """Padding that keeps channels last, as convolutions want them; on GPUs PyTorch's own does not.

    No second derivative.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, inset: int) -> Tensor:
        ctx.inset = inset
        batch, channels, height, width = features.shape
        padded = torch.empty(
            (batch, channels, height + 2, width + 2),
            dtype=features.dtype,
            device=features.device,
            memory_format=torch.channels_last,
        )
        padded[:, :, 1:-1, 1:-1] = features
        for border, source in _borders(inset):
            padded[:, :, border, 1:-1] = features[:, :, source]
        for border, source in _borders(inset):
            padded[..., border] = padded[..., 1:-1][..., source]
        return padded

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        found = gradient[..., 1:-1].clone(memory_format=torch.channels_last)
        for border, source in _borders(ctx.inset):
            found[..., source] += gradient[..., border]
        inner = found[:, :, 1:-1]
        for border, source in _borders(ctx.inset):
            inner[:, :, source] += found[:, :, border]
        return inner, None


def _borders(inset: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """For both borders of an axis: the index of the new line, and of the line of the input that it repeats."""
    return (0, inset), (-1, -1 - inset)
