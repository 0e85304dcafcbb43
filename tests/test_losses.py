import pytest
import torch

from styletransfer import losses


def features(*shape: int, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=generator)


def covariance(x: torch.Tensor) -> torch.Tensor:
    centred = (x - x.mean(dim=(2, 3), keepdim=True)).flatten(2)
    return centred @ centred.mT / centred.shape[2]


def test_gram_matches_the_double_loop(generator):
    x = features(2, 3, 4, 5, generator=generator)
    expected = torch.zeros(2, 3, 3, dtype=torch.float64)
    for i in range(3):
        for j in range(3):
            expected[:, i, j] = (x[:, i] * x[:, j]).sum(dim=(1, 2)) / 20
    torch.testing.assert_close(losses.gram(x), expected)


def test_gram_gradient_is_right(generator):
    x = features(2, 3, 4, 2, generator=generator).requires_grad_()
    assert torch.autograd.gradcheck(losses.gram, x)


def test_gram_in_half_precision_keeps_the_covariance_beside_a_large_mean(generator):
    x = (torch.rand(1, 16, 64, 64, generator=generator) + 20).bfloat16()
    error = (losses.gram(x) - losses.gram(x.double())).norm()
    assert error / covariance(x.double()).norm() < 0.02


def test_content_loss_is_zero_for_itself_and_one_for_nothing(generator):
    x = features(2, 3, 4, 5, generator=generator)
    torch.testing.assert_close(losses.content_loss(x, x), torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(losses.content_loss(0 * x, x), torch.ones(2, dtype=torch.float64))


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_relative_losses_do_not_depend_on_the_layers_scale(generator, scale):
    x, y = (features(1, 3, 8, 8, generator=generator) for _ in range(2))

    def style(output, target):
        return losses.style_loss(losses.gram(output), losses.gram(target), losses.style_bound(target))

    torch.testing.assert_close(losses.content_loss(scale * x, scale * y), losses.content_loss(x, y))
    torch.testing.assert_close(style(scale * x, scale * y), style(x, y))


def test_style_loss_ignores_where_things_are(generator):
    x = features(1, 3, 6, 6, generator=generator)
    shuffled = x.flatten(2)[:, :, torch.randperm(36, generator=generator)].unflatten(2, (6, 6))
    loss = losses.style_loss(losses.gram(shuffled), losses.gram(x), losses.style_bound(x))
    assert loss.item() < 1e-20


def test_style_bound_is_never_below_a_small_part_of_the_gram_matrix_and_above_zero():
    flat = torch.full((1, 3, 8, 8), 0.5)
    assert losses.style_bound(flat) >= 0.99e-4 * losses.gram(flat).square().sum()
    assert losses.style_bound(0 * flat).item() > 0


def test_style_loss_is_one_for_the_right_mean_without_any_covariance(generator):
    x = features(2, 3, 8, 8, generator=generator)
    flat = x.mean((2, 3), keepdim=True).expand_as(x)
    loss = losses.style_loss(losses.gram(flat), losses.gram(x), losses.style_bound(x))
    torch.testing.assert_close(loss, torch.ones(2, dtype=torch.float64))


def test_style_bound_is_of_the_covariance_and_not_of_the_gram_matrix(generator):
    x = features(2, 3, 8, 8, generator=generator)
    torch.testing.assert_close(losses.style_bound(x), covariance(x).square().sum((1, 2)))
    assert (losses.style_bound(x) < 0.2 * losses.gram(x).square().sum((1, 2))).all()


def test_total_variation_of_a_checkerboard_counts_every_neighbour():
    rows, columns = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
    board = ((rows + columns) % 2).float().expand(1, 3, 4, 4)
    assert losses.total_variation(board).item() == 2  # every difference, down and right, is 1
    counts = torch.zeros(1, 1, *board.shape[2:])
    counts[..., :2] = 0.3
    beside = torch.cat([board[..., :2], torch.rand_like(board[..., 2:])], dim=3)
    assert losses.total_variation(beside, counts).item() == pytest.approx(2)  # what is hidden has no say
    assert losses.total_variation(board, 0 * counts).item() == 0


def test_wasserstein_is_the_known_distance_of_diagonal_gaussians():
    mean, target_mean = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0]])
    own, target = torch.diag(torch.tensor([4.0, 9.0])), torch.diag(torch.tensor([1.0, 1.0]))
    grams = [(covariance + m.T @ m)[None].double() for covariance, m in ((own, mean), (target, target_mean))]
    found = losses.wasserstein_loss(mean.double(), grams[0], losses.gaussian_of(target_mean.double(), grams[1]))
    assert found.item() == pytest.approx((1 + 4 + (2 - 1) ** 2 + (3 - 1) ** 2) / 2, rel=1e-2)
    itself = losses.gaussian_of(mean.double(), grams[0])
    assert losses.wasserstein_loss(mean.double(), grams[0], itself).abs() < 5e-3


def test_wasserstein_is_the_distance_of_any_gaussians(generator):
    """The covariances of a diagonal pair commute, where many a wrong formula is right."""
    count = 5
    own, target = (
        each @ each.mT + 0.1 * torch.eye(count)
        for each in torch.randn(2, count, count, generator=generator).double()
    )
    means = torch.randn(2, 1, count, generator=generator).double()
    overlap = torch.linalg.eigvals(own @ target).real.sqrt().sum()
    expected = (means[0] - means[1]).square().sum() + own.trace() + target.trace() - 2 * overlap
    grams = [(covariance + mean.T @ mean)[None] for covariance, mean in zip((own, target), means, strict=True)]
    found = losses.wasserstein_loss(means[0], grams[0], losses.gaussian_of(means[1], grams[1]))
    assert found.item() == pytest.approx((expected / target.trace()).item(), rel=1e-2)


def test_wasserstein_of_a_target_without_covariance_is_relative_to_its_mean(generator):
    x = features(1, 3, 1, 1, generator=generator)
    target = losses.gaussian_of(x[..., 0, 0], losses.gram(x))
    found = losses.wasserstein_loss(2 * x[..., 0, 0], losses.gram(2 * x), target)
    assert found.item() == pytest.approx(100, rel=0.01)  # of the squared mean a hundredth counts
