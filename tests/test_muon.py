import pytest
import torch
from torch import nn

from styletransfer.training.muon import Muon, orthogonalised


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (16, 16)])
def test_orthogonalising_keeps_the_directions_and_evens_out_their_lengths(shape, generator):
    matrix = torch.randn(shape, generator=generator, dtype=torch.float64)
    left, lengths, right = torch.linalg.svd(matrix, full_matrices=False)
    assert lengths.max() > 1.5 * lengths.min()
    found = left.T @ orthogonalised(matrix[None])[0] @ right.T
    assert torch.allclose(found, torch.diag(found.diagonal()), atol=1e-9)
    assert found.diagonal().min() > 0.6
    assert found.diagonal().max() < 1.3


def test_a_matrix_of_zeros_stays_one():
    assert not orthogonalised(torch.zeros(1, 3, 5)).any()


def test_steps_are_those_of_pytorch(generator):
    start = torch.randn(12, 30, generator=generator)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    optimizers = (
        Muon([ours], rate=0.02, decay=0.01, dtype=torch.bfloat16),
        torch.optim.Muon([theirs], lr=0.02, weight_decay=0.01),
    )
    for _ in range(3):
        gradient = torch.randn(start.shape, generator=generator)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        for optimizer in optimizers:
            optimizer.step()
    assert torch.equal(ours, theirs)
    assert (ours - start).abs().max() > 0.01


def test_number_formats_hardly_differ(generator):
    matrix = torch.randn(12, 30, generator=generator)
    exact = orthogonalised(matrix.double()[None])[0].float()
    assert torch.allclose(orthogonalised(matrix[None])[0], exact, atol=1e-4)
    assert (orthogonalised(matrix.bfloat16()[None])[0].float() - exact).abs().mean() < 0.02
