"""Autocorrelation, and the loss of repetition."""

import torch

from styletransfer.training.repetition import autocorrelation, repetition_loss


def features(*shape: int, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=generator)


def test_autocorrelation_matches_the_double_loop(generator):
    x = features(2, 3, 7, 8, generator=generator)
    centred = x - x.mean((2, 3), keepdim=True)
    for index, (down, right) in enumerate(lags := [(0, 2), (3, 0), (2, -1)]):
        pairs = [
            centred[:, :, y, x] * centred[:, :, y + down, x + right]
            for y in range(7 - down)
            for x in range(max(0, -right), 8 - max(0, right))
        ]
        expected = torch.stack(pairs).mean(0) / centred.square().mean((2, 3))
        torch.testing.assert_close(autocorrelation(x, lags)[:, :, index], expected, rtol=1e-4, atol=1e-4)


def test_autocorrelation_gradient_is_right(generator):
    x = features(2, 3, 5, 6, generator=generator).requires_grad_()
    lags = [(0, 2), (3, 0), (2, -1), (1, 1), (5, 0), (0, -6), (9, 9)]
    assert torch.autograd.gradcheck(lambda x: autocorrelation(x, lags), x)


def test_autocorrelation_is_nothing_at_a_lag_beyond_the_map(generator):
    x = features(2, 3, 5, 6, generator=generator)
    assert not autocorrelation(x, [(5, 0), (7, 1), (0, 6), (2, -8)]).any()


def test_autocorrelation_in_half_precision_is_close(generator):
    x = features(2, 3, 16, 16, generator=generator)
    lags = [(0, 2), (3, 0)]
    half = autocorrelation(x.bfloat16(), lags)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half.double(), autocorrelation(x, lags), rtol=0, atol=0.01)


def test_less_repetition_than_allowed_costs_nothing(generator):
    scattered = torch.rand(1, 1, 64, 64, generator=generator)
    assert repetition_loss(scattered, torch.ones(1, 1, 2), [(0, 4), (4, 0)]) == 0


def test_the_repetition_of_a_channel_weighs_as_much_as_it_varies(generator):
    lattice = torch.zeros(1, 1, 64, 64)
    lattice[..., ::4, ::4] = 1
    scattered = 3 * lattice.flatten()[torch.randperm(64 * 64, generator=generator)].view_as(lattice)
    lags = [(0, 4), (4, 0)]
    both = repetition_loss(torch.cat((lattice, scattered), dim=1), torch.zeros(1, 2, 2), lags)
    alone = [repetition_loss(each, torch.zeros(1, 1, 2), lags) for each in (lattice, scattered)]
    torch.testing.assert_close(both, 0.1 * alone[0] + 0.9 * alone[1], rtol=1e-3, atol=0)


def test_a_lattice_repeats_itself_more_than_scattered_spots_do(generator):
    lattice, scattered = torch.zeros(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
    lattice[..., ::4, ::4] = 1
    scattered.view(-1)[torch.randperm(64 * 64, generator=generator)[:256]] = 1
    lags = [(0, 4), (4, 0)]
    allowed = torch.zeros(1, 1, 2)
    assert repetition_loss(lattice, allowed, lags) > 1.5
    assert repetition_loss(scattered, allowed, lags) < 0.05
    assert repetition_loss(lattice, torch.ones(1, 1, 2), lags) < 0.05
