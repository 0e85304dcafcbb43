"""Where the fit of a new style begins: the blend of known styles that is nearest to the painting."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from styletransfer.core import Style, blend
from styletransfer.errors import InvalidInput
from styletransfer.targets import StyleTarget

STEPS = 1000


@dataclass(frozen=True)
class Start:
    """A row (2, N) to begin with, and how much each of its numbers differs from style to style (2, N)."""

    row: Tensor
    spread: Tensor


def nearest_start(target: StyleTarget, known: Sequence[Style]) -> Start:
    """The convex blend of known rows whose Gram matrices are nearest to the target's.

    A blend of styles is a blend of their Gram matrices, in all methods, so the weights that bring the Gram
    matrices near bring the row near. Raises InvalidInput where no style is known.
    """
    if not known:
        raise InvalidInput("there is no style of this base network to begin from; install the shipped ones")
    rows = torch.stack([style.row for style in known])  # (S, 2, N)
    return Start(blend(rows, nearest_weights(target, known)[None])[0], spread_of(rows))


def spread_of(rows: Tensor) -> Tensor:
    """(2, N) standard deviation over rows (S, 2, N), but nowhere next to nothing."""
    spread = rows.std(dim=0, correction=0)
    return spread.clamp_min(0.1 * spread.mean())


def nearest_weights(target: StyleTarget, known: Sequence[Style]) -> Tensor:
    """(S,) weights, non-negative and of sum 1, that minimise the style loss of the blended Gram matrices."""
    products = torch.zeros(len(known), len(known))
    with_target = torch.zeros(len(known))
    for layer, gram in target.grams.items():
        own = torch.stack([style.grams[layer].flatten() for style in known])  # (S, C * C)
        products += own @ own.T / target.bounds[layer]
        with_target += own @ gram.flatten() / target.bounds[layer]
    return least_squares_on_simplex(products, with_target)


def least_squares_on_simplex(products: Tensor, with_target: Tensor) -> Tensor:
    """Minimise w' P w - 2 w' t over weights w (S,) that are non-negative and sum to 1.

    Args:    products: P (S, S), positive semi-definite; with_target: t (S,).
    Source:  Frank and Wolfe 1956, with exact line search: each step moves toward one corner, so that the
             constraints hold by themselves.
    """
    weights = torch.full_like(with_target, 1 / len(with_target))
    for _ in range(STEPS):
        gradient = products @ weights - with_target
        corner = torch.zeros_like(weights)
        corner[gradient.argmin()] = 1
        direction = corner - weights
        slope = -(gradient @ direction)
        curvature = direction @ products @ direction
        if slope <= 0 or curvature <= 0:
            break
        weights = weights + (slope / curvature).clamp(max=1) * direction
    return weights
