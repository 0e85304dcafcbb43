"""Maps over a picture: weights and strength, of a grey mask for each style, and how much a pixel counts."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from styletransfer.images import as_float, resize

FULLY_COVERED = 0.25  # from this shade of a mask on, the photo no longer shows through a weak painting


def shares_of(
    weights: Mapping[str, float], strength: float, masks: Mapping[str, Tensor], size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Weights of the styles and strength, as numbers or, where there are masks, as maps of `size`.

    Args:    weights: style name -> share; strength: in [0, 1]; masks: style name -> (1, 1, H, W) in [0, 1].
    Returns: weights (S,) and strength (), or maps (S, H, W) and (H, W).
    """
    # NumPy numbers would otherwise bring their own dtype along.
    shares = torch.tensor(list(weights.values()), dtype=torch.float32)
    degree = torch.tensor(strength, dtype=torch.float32)
    if not masks:
        return shares, degree
    shades = _shades(weights, masks, size)[:, 0]  # (S, H, W)
    maps = shares[:, None, None] * shades
    total = maps.sum(dim=0)
    maps = torch.where(total > 0, maps / total.where(total > 0, 1), shares[:, None, None])
    return maps, degree * _covered(weights, masks, shades[:, None])[0, 0]


def cover_of(names: Iterable[str], masks: Mapping[str, Tensor], size: tuple[int, int]) -> Tensor:
    """Where the painting belongs, (1, 1, H, W) in [0, 1]: 1 where nothing of the photo is to show through.

    Args:  names: of the styles; masks: as for `shares_of`.
    """
    return (_covered(names, masks, _shades(names, masks, size)) / FULLY_COVERED).clamp(max=1)


def counted(visible: Tensor) -> Tensor:
    """How much pixels count in statistics, float32 in [0, 1], of how `visible` they are.

    Those that are half transparent, in shadows and at edges, count a quarter: they are more of what will lie
    behind the picture than of the picture.
    """
    return as_float(visible).square()


def _covered(names: Iterable[str], masks: Mapping[str, Tensor], shades: Tensor) -> Tensor:
    """How much is painted, (1, 1, H, W), of the `_shades`.

    Greys of different masks add up: where one fades into another nothing of the photo is left. Styles with
    the same mask share its grey.
    """
    given = [masks.get(name) for name in names]
    apart = [index for index, mask in enumerate(given) if not any(_same(mask, each) for each in given[:index])]
    return shades[apart].sum(dim=0, keepdim=True).clamp(max=1)


def _shades(names: Iterable[str], masks: Mapping[str, Tensor], size: tuple[int, int]) -> Tensor:
    """The masks in `size`, (S, 1, H, W); white for a style without one."""
    everywhere = torch.ones(1, 1, *size, dtype=torch.float32)
    return torch.cat([resize(masks[name], size) if name in masks else everywhere for name in names])


def _same(mask: Tensor | None, other: Tensor | None) -> bool:
    return mask is other if mask is None or other is None else torch.equal(mask, other)
