"""Adam for one tensor."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim.adam import adam


class Adam:
    """Takes the steps of `torch.optim.Adam` on `values`, along their gradient.

    The first of PyTorch's own optimisers in a process imports its compiler, which takes a second.

    Source:  Kingma and Ba 2015 (arXiv 1412.6980).
    """

    def __init__(self, values: Tensor, rate: float, betas: tuple[float, float]) -> None:
        self.values, self.rate, self.betas = values, rate, betas
        self.steps = torch.tensor(0.0)
        # Running averages, of the gradient and of its square.
        self.mean, self.square = torch.zeros_like(values), torch.zeros_like(values)

    def step(self, closure: Callable[[], float] | None = None) -> None:
        """Take a step; `closure` is called before it to compute the gradient."""
        if closure is not None:
            closure()
        gradient = self.values.grad
        assert gradient is not None  # whoever asks for a step has computed it
        with torch.no_grad():
            adam(
                *([self.values], [gradient], [self.mean], [self.square], [], [self.steps]),
                amsgrad=False,
                beta1=self.betas[0],
                beta2=self.betas[1],
                lr=self.rate,
                weight_decay=0.0,
                eps=1e-8,
                maximize=False,
            )

    def state(self) -> dict[str, Tensor]:
        """All that resuming needs, copied."""
        return {"steps": self.steps.clone(), "mean": self.mean.clone(), "square": self.square.clone()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a `state`."""
        for own, saved in ((self.steps, "steps"), (self.mean, "mean"), (self.square, "square")):
            own.copy_(state[saved])
