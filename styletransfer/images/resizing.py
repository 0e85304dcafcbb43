"""Changing the size of picture tensors."""

import torch
import torch.nn.functional as F
from torch import Tensor

from styletransfer.settings import WHOLE_PIXELS

LONGEST_STYLE = 4  # times the short side
MOST_ON_GPU = 40  # times smaller; somewhat beyond that PyTorch's CUDA kernel runs out of room for its weights
LEAST_STYLE = 16  # pixels: VGG halves a picture four times


def as_float(image: Tensor) -> Tensor:
    """The picture as float32 in [0, 1]: bytes are divided by 255, floats are as they are."""
    return image.float().div_(255) if image.dtype == torch.uint8 else image


def as_bytes(image: Tensor) -> Tensor:
    """The picture as uint8: floats are clamped to [0, 1] and rounded, bytes are as they are."""
    if image.dtype == torch.uint8:
        return image
    # By way of signed bytes, which PyTorch makes faster than unsigned ones.
    signed = image.mul(255).round_().sub_(128).clamp_(-128, 127).to(torch.int8)
    return signed.view(torch.uint8).bitwise_xor_(128)


def as_style(image: Tensor, side: int) -> Tensor:
    """The picture (1, C, H, W) in the size at which its style is taken, the short side at `side` pixels.

    A scroll, longer than LONGEST_STYLE times that, is made smaller, but not too narrow for VGG to halve it.
    """
    height, width = image.shape[-2:]
    scale = min(side / min(height, width), LONGEST_STYLE * side / max(height, width))
    return resize(image, (max(LEAST_STYLE, round(height * scale)), max(LEAST_STYLE, round(width * scale))))


def resize_long_side(image: Tensor, side: int) -> Tensor:
    """The picture (1, C, H, W) with its long side at `side` pixels, aspect kept, antialiased."""
    height, width = image.shape[-2:]
    return resize(image, with_long_side((height, width), side))


def with_long_side(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Height and width of a picture once its long side is `side` pixels."""
    height, width = size
    scale = side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def resize_within(image: Tensor, size: tuple[int, int]) -> Tensor:
    """`resize`, in bytes where the result has more than `settings.WHOLE_PIXELS`."""
    return resize(as_bytes(image) if size[0] * size[1] > WHOLE_PIXELS else image, size)


def resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    """The picture (1, C, H, W) at `size` (height, width), antialiased: float32 in [0, 1].

    Bytes stay bytes where the result has more than `settings.WHOLE_PIXELS`, and where the size is the same.
    """
    if image.shape[-2:] == size:
        return image
    if image.is_cuda and max(image.shape[-2] / size[0], image.shape[-1] / size[1]) > MOST_ON_GPU:
        return resize(image.cpu(), size).to(image.device)
    resized = F.interpolate(image, size, mode="bicubic", antialias=True, align_corners=False)
    if image.dtype == torch.uint8:
        return resized if size[0] * size[1] > WHOLE_PIXELS else as_float(resized)
    return resized.clamp(0, 1)
