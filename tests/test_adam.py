import subprocess
import sys

import pytest
import torch

from styletransfer.adam import Adam


@pytest.fixture
def pulled(generator):
    """Makes a tensor that is pulled towards a noisy goal; returns it, and what computes its gradient."""
    start, goal = torch.randn(2, 1, 3, 7, 5, generator=generator)

    def make():
        values, noise = start.clone().requires_grad_(), torch.Generator().manual_seed(1)

        def closure():
            values.grad = None
            loss = (values - goal - torch.randn(goal.shape, generator=noise)).square().sum()
            loss.backward()
            return loss.item()

        return values, closure

    return make


def test_its_steps_are_those_of_pytorch(pulled):
    (mine, mine_closure), (theirs, their_closure) = pulled(), pulled()
    own = Adam(mine, 0.03, betas=(0.9, 0.99))
    reference = torch.optim.Adam([theirs], lr=0.03, betas=(0.9, 0.99))
    for step in range(20):
        own.rate = reference.param_groups[0]["lr"] = 0.03 / (1 + step)
        own.step(mine_closure)
        reference.step(their_closure)
        assert torch.equal(mine, theirs)


def test_restored_it_goes_on_as_before(pulled):
    values, closure = pulled()
    optimizer = Adam(values, 0.03, betas=(0.9, 0.99))
    for _ in range(3):
        optimizer.step(closure)
    before, state = values.detach().clone(), optimizer.state()
    optimizer.step()
    expected = values.detach().clone()
    with torch.no_grad():
        values.copy_(before)
    optimizer.restore(state)
    optimizer.step()
    assert torch.equal(values, expected)


def test_a_step_imports_no_compiler():
    code = (
        "import sys, torch; from styletransfer.adam import Adam;"
        "values = torch.ones(3).requires_grad_(); values.sum().backward();"
        "Adam(values, 0.1, betas=(0.9, 0.99)).step();"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
