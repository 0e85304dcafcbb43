"""Muon, an optimiser for matrices, in the number format that the processor is fast in.

PyTorch's own always computes in bfloat16, which many processors only emulate: a step of the base network then
takes minutes.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

MOMENTUM = 0.95
ITERATIONS = 5
# Of an odd polynomial that lifts singular values from near 0 to near 1 as fast as it can (Jordan et al. 2024).
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
LEAST = 1e-7  # norm of a gradient


class Muon(torch.optim.Optimizer):
    """Momentum whose every direction is made equally long; for weights that are matrices.

    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; the same steps as
            `torch.optim.Muon`, whose checkpoints it takes.
    """

    def __init__(
        self, matrices: Iterable[Tensor], *, rate: float, decay: float = 0.0, dtype: torch.dtype
    ) -> None:
        """`decay` of the weights is times the rate; `dtype` is what updates are orthogonalised in."""
        super().__init__(matrices, {"lr": rate, "weight_decay": decay})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the weights against their gradients."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(matrix)
                momentum = state["momentum_buffer"].lerp_(matrix.grad, 1 - MOMENTUM)
                ahead = matrix.grad.lerp(momentum, MOMENTUM)  # Nesterov's
                update = orthogonalised(ahead.to(self.dtype))
                rate = group["lr"] * max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(update, alpha=-rate)


def orthogonalised(matrix: Tensor) -> Tensor:
    """The matrix with the same directions, its singular values brought to between about 0.7 and 1.2.

    Args:  matrix: (M, N), any range; computed in its dtype.
    """
    a, b, c = COEFFICIENTS
    x = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = x / x.norm().clamp_min(LEAST)  # no singular value is above 1
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x if matrix.shape[0] <= matrix.shape[1] else x.T
