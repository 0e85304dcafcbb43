"""Convolutions in 8-bit integers, which most processors multiply faster than other numbers."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

LEVELS = 252  # of 256: bfloat16 rounds by up to one level, and a byte must not overflow
# Levels of the weights on either side of 0. Processors without these instructions add pairs of products in 16
# bits, where two of 255 * 127 would overflow.
DOT_PRODUCTS = ("avx512_vnni", "avx_vnni", "amx_int8")
WEIGHT_LEVELS, WEIGHT_LEVELS_IN_PAIRS = 127, 63
KERNELS = hasattr(torch.ops.onednn, "qconv_pointwise")  # builds of PyTorch without oneDNN lack them
LEAST = 1e-12  # of a scale, which is 0 for a kernel or a map of zeros


class Int8Convolution(nn.Module):
    """A convolution whose weights are kept as 8-bit integers, one scale an output channel; no gradients.

    Its input is quantised between its own least and greatest value, so that no calibration is needed.

    Args:   kernel: (C_out, C_in, height, width); bias: (C_out,); positive: no input is ever below 0.
    Source: Jacob et al. 2018 (arXiv 1712.05877).
    """

    def __init__(
        self, kernel: Tensor, bias: Tensor | None = None, *, stride: int = 1, positive: bool = False
    ) -> None:
        super().__init__()
        kernel = kernel.detach().float()
        self.bias = None if bias is None else bias.detach().float()
        self.stride = [stride, stride]
        self.positive = positive
        most = WEIGHT_LEVELS if processor_has(*DOT_PRODUCTS) else WEIGHT_LEVELS_IN_PAIRS
        self.scale = kernel.abs().amax((1, 2, 3)).clamp_min(LEAST) / most  # (C_out,)
        levels = (kernel / self.scale[:, None, None, None]).round().to(torch.int8)
        self.packed = torch.ops.onednn.qconv_prepack(
            levels, self.scale, 1.0, 0, self.stride, [0, 0], [1, 1], 1, None
        )
        self.zeros = torch.zeros(len(kernel), dtype=torch.int8)

    def forward(self, features: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        """Convolve, then multiply by `scale` and add `shift` (else the bias), (C_out,) each.

        Args:    features: (B, C_in, H, W), any range; they are not padded.
        Returns: (B, C_out, H', W') in the dtype of `features`, channels last.
        """
        quantised, step, zero = quantise(features, self.positive)
        scale = self.scale if scale is None else self.scale * scale.float()
        shift = self.bias if shift is None else shift.float()
        convolved: Tensor = torch.ops.onednn.qconv_pointwise(
            *(quantised, step, zero, self.packed, scale, self.zeros, shift),
            *(self.stride, [0, 0], [1, 1], 1, 1.0, 0, features.dtype, "none", [], ""),
        )
        return convolved


def processor_has(*features: str) -> bool:
    """Whether this machine's processor has one of these sets of instructions."""
    known = torch.cpu.get_capabilities()
    return any(known.get(feature, False) for feature in features)


def quantise(features: Tensor, positive: bool = False) -> tuple[Tensor, float, int]:
    """Features as bytes, with the step and the byte of zero: features = (bytes - zero) * step, nearly.

    Args:  positive: no feature is below 0, so the least one need not be searched for.
    """
    greatest = max(features.amax().item(), 0.0)
    least = 0.0 if positive else min(features.amin().item(), 0.0)
    step = max(greatest - least, LEAST) / LEVELS
    zero = 2 + round(-least / step)
    # By way of signed bytes: PyTorch makes those six times as fast as unsigned ones.
    offset = torch.tensor(zero - 128.0, dtype=features.dtype)
    signed = torch.add(offset, features, alpha=1 / step).round_().to(torch.int8)
    return signed.view(torch.uint8).bitwise_xor_(128), step, zero


def flop_formulas() -> dict[object, Callable[..., int]]:
    """The `custom_mapping` with which `torch.utils.flop_counter.FlopCounterMode` counts these convolutions."""
    from torch.utils.flop_counter import conv_flop_count  # imports Triton where there is one

    def flops(
        features: list[int], step: float, zero: int, kernel: list[int], *_: object, out_shape: list[int]
    ) -> int:
        return conv_flop_count(features, kernel, out_shape)

    return {torch.ops.onednn.qconv_pointwise: flops} if KERNELS else {}
