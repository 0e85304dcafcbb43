"""Regions of a picture, each in styles of its own: maps of shares (S, H, W) and of strength (H, W)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from styletransfer.images import as_float
from styletransfer.masks import counted
from styletransfer.methods.tiles import COARSE_STEP

RIM = 8  # pixels painted around a region as well: where photo and painting meet in a network, a line shows
WEAK = (
    0.02  # of the strength beside it: what is weaker counts as unpainted, as black in a JPEG is never quite 0
)


def with_rim(shares: Tensor, strength: Tensor) -> tuple[Tensor, Tensor]:
    """Both maps continued around what is painted; each style goes on around its own regions."""
    near = _widened(strength[None])[0]
    around = strength < WEAK * near
    painted = _widened(shares * strength)
    total = painted.sum(dim=0)
    continued = torch.where(total > 0, painted / total.where(total > 0, 1), shares)
    return torch.where(around, continued, shares), torch.where(around, near, strength)


def _widened(maps: Tensor) -> Tensor:
    """The greatest value within RIM pixels, of maps (N, H, W)."""
    side = 2 * RIM + 1
    # Rows, then columns: PyTorch's maximum over a square takes as long as painting it.
    widened = F.max_pool2d(maps[:, None], (side, 1), stride=1, padding=(RIM, 0))
    return F.max_pool2d(widened, (1, side), stride=1, padding=(0, RIM))[:, 0]


def coarse_regions(content: Tensor, maps: tuple[Tensor, Tensor] | None, visible: Tensor | None) -> Tensor:
    """What statistics are measured of, (R, h, w), at every COARSE_STEP-th pixel.

    The last region is how unlike the mean the photo is: what stands alone on a ground of one colour has to be
    in a sample, as it would be endlessly far from the statistics of the ground.

    Args:  maps: shares and strength: each style has statistics where it belongs, and the photo where it stays;
           content, visible: as for `Stylizer.stylize`.
    """
    every = (..., slice(None, None, COARSE_STEP), slice(None, None, COARSE_STEP))
    shades = as_float(content[every])[0]  # (3, h, w)
    unlike = (shades - shades.mean((1, 2), keepdim=True)).abs().amax(dim=0, keepdim=True)
    regions = torch.ones_like(unlike)
    if maps is not None:
        shares, degree = (each[every] for each in maps)
        regions = torch.cat([shares * degree, 1 - degree[None]])
    regions = torch.cat([regions, unlike])
    return regions if visible is None else regions * counted(visible[every])[0]
