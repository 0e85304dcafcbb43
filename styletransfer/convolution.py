"""What the painting networks have in common: their convolution, and the sizes that they work on."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styletransfer.int8 import Int8Convolution
from styletransfer.padding import pad_by_one

COLORS = 3
SUBPIXELS = 4 * COLORS  # a 2x2 block of RGB pixels as channels
STRIDE = 8  # the network works on sides that are multiples of this
# Reflection needs more than one row at 1/8, and statistics of a handful of pixels mean little.
LEAST_SIDE = 4 * STRIDE
# Along an axis of a doubled picture, the three taps of a kernel fall on two pixels of the original one:
# [phase][pixel][tap] is 1 where they do.
_TAPS_BY_PHASE = (((1, 0, 0), (0, 1, 1)), ((1, 1, 0), (0, 0, 1)))


class Conv3(nn.Module):
    """3x3 convolution, mirrored at the border; with `doubling`, of the map doubled by nearest neighbours.

    Without a bias where a normalisation follows, which would remove it. The weight is kept as the matrix
    (C_out, 9 * C_in) in the order (row, column, C_in): as a kernel it is channels-last without a copy, and the
    optimiser of the training wants a matrix.
    """

    bias: Tensor | None

    def __init__(
        self, inputs: int, outputs: int, stride: int = 1, bias: bool = False, doubling: bool = False
    ) -> None:
        super().__init__()
        self.stride = stride
        self.inputs = inputs
        self.doubling = doubling  # before the convolution: a transposed one leaves a checkerboard
        self.weight = nn.Parameter(torch.empty(outputs, 9 * inputs))
        self.register_parameter("bias", nn.Parameter(torch.zeros(outputs)) if bias else None)
        nn.init.orthogonal_(self.weight)
        self._in_int8: Int8Convolution | None = None

    def use_int8(self, positive: bool = False) -> None:
        """From now on compute with the weight as it is now, in 8-bit integers; without gradients.

        Args:  positive: the input is never below 0.
        """
        self._in_int8 = Int8Convolution(self._kernel(), stride=self.stride, positive=positive)

    def forward(self, features: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        """The convolution, multiplied by `scale`, plus `shift` (else the bias), (C_out,) each."""
        shift = self.bias if shift is None else shift
        # Mirrored at its border, a doubled picture repeats its outermost pixel.
        padded = pad_by_one(features, "replicate" if self.doubling else "reflect")
        if self.doubling:
            scale, shift = (None if value is None else value.repeat(4) for value in (scale, shift))
        if self._in_int8 is not None:
            found = self._in_int8(padded, scale, shift)
        else:
            kernel = self._kernel()
            kernel = (kernel if scale is None else kernel * scale.view(-1, 1, 1, 1)).to(features.dtype)
            found = F.conv2d(padded, kernel, None if shift is None else shift.to(kernel.dtype), self.stride)
        return _interleave(found) if self.doubling else found

    def _kernel(self) -> Tensor:
        """The weight as a convolution's, (C_out, C_in, 3, 3), or (4 C_out, C_in, 2, 2) of the four phases.

        The nine taps over a doubled picture cover only four different pixels: each of the four phases of a
        doubled pixel is a 2x2 convolution of the original picture, which saves more than half the work.
        """
        kernel = self.weight.view(-1, 3, 3, self.inputs)
        if not self.doubling:
            return kernel.permute(0, 3, 1, 2)
        taps = kernel.new_tensor(_TAPS_BY_PHASE, dtype=torch.float32)
        phases = torch.einsum("pat,qbu,otui->pqoiab", taps, taps, kernel.float())
        return phases.flatten(0, 2).contiguous(memory_format=torch.channels_last)


def _interleave(phases: Tensor) -> Tensor:
    """(B, 4 C, H + 1, W + 1), the phases of a doubled picture, as (B, C, 2 H, 2 W), channels last."""
    height, width = (side - 1 for side in phases.shape[-2:])
    found = phases.permute(0, 2, 3, 1).unflatten(3, (2, 2, -1))  # (B, H + 1, W + 1, phase, phase, C)
    lines = [
        torch.stack([found[:, p : p + height, q : q + width, p, q] for q in (0, 1)], dim=3) for p in (0, 1)
    ]
    doubled = torch.stack(lines, dim=2).flatten(3, 4).flatten(1, 2)  # (B, 2 H, 2 W, C)
    return doubled.permute(0, 3, 1, 2)


def compute_in(network: nn.Module, dtype: torch.dtype) -> None:
    """From now on compute the 3x3 convolutions of a network in `dtype`."""
    for module in network.modules():
        if isinstance(module, Conv3):
            module.to(dtype)


def fit_stride(images: Tensor) -> Tensor:
    """Continue a picture to the right and downwards until the network can halve it three times."""
    height, width = images.shape[-2:]
    below = max(LEAST_SIDE, -(-height // STRIDE) * STRIDE) - height
    right = max(LEAST_SIDE, -(-width // STRIDE) * STRIDE) - width
    mode = "reflect" if below < height and right < width else "replicate"
    return F.pad(images, (0, right, 0, below), mode=mode)


def computed_pixels(size: tuple[int, int]) -> int:
    """How many pixels a network computes: a picture of a few lines is continued until it can be halved."""
    height, width = size
    return max(height, LEAST_SIDE) * max(width, LEAST_SIDE)
