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
            alike: dict[torch.Size, list[Tensor]] = {}
            for matrix in group["params"]:
                if matrix.grad is not None:
                    alike.setdefault(matrix.shape, []).append(matrix)
            for shape, matrices in alike.items():
                updates = orthogonalised(torch.stack([self._ahead(matrix) for matrix in matrices]))
                rate = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                for matrix, update in zip(matrices, updates, strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"])
                    matrix.add_(update, alpha=-rate)

    def _ahead(self, matrix: Tensor) -> Tensor:
        """Nesterov's momentum after the gradient of this step."""
        gradient = matrix.grad
        assert gradient is not None
        state = self.state[matrix]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        momentum: Tensor = state["momentum_buffer"].lerp_(gradient, 1 - MOMENTUM)
        return gradient.lerp(momentum, MOMENTUM).to(self.dtype)


def orthogonalised(matrices: Tensor) -> Tensor:
    """Matrices with the same directions, their singular values brought to between about 0.7 and 1.2.

    Args:  matrices: (B, M, N), any range; computed in their dtype.
    """
    a, b, c = COEFFICIENTS
    x = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(LEAST)  # no singular value is above 1
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x if matrices.shape[1] <= matrices.shape[2] else x.mT
