import pytest
import torch
import torch.nn.functional as F

from styletransfer.norm import (
    channel_statistics,
    conditional_instance_norm,
    joint_statistics,
    known_instance_norm,
    regional_instance_norm,
    regional_statistics,
)


def regionally(features, gamma, beta, weights):
    return regional_instance_norm(features, gamma, beta, weights, regional_statistics(features, weights))


def test_conditional_instance_norm_matches_torchs_instance_norm(generator):
    x = torch.randn(2, 3, 6, 5, generator=generator)
    gamma, beta = torch.randn(3, generator=generator), torch.randn(3, generator=generator)
    expected = F.instance_norm(x, weight=gamma, bias=beta)
    shape = (1, 3, 1, 1)
    torch.testing.assert_close(conditional_instance_norm(x, gamma.view(shape), beta.view(shape)), expected)


def test_weights_that_are_the_same_everywhere_blend_gamma_and_beta(generator):
    x = torch.rand(2, 3, 6, 5, generator=generator, dtype=torch.float64) * 9 + 4
    gamma, beta = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    weights = torch.rand(2, 4, generator=generator, dtype=torch.float64).softmax(dim=1)
    blended = ((weights @ part)[:, :, None, None] for part in (gamma, beta))
    maps = weights[:, :, None, None].expand(2, 4, 6, 5)
    found = regionally(x, gamma, beta, maps)
    torch.testing.assert_close(found, conditional_instance_norm(x, *blended), atol=1e-5, rtol=1e-5)


def test_each_region_is_normalised_as_a_picture_of_its_own(generator):
    left, right = (torch.rand(1, 3, 6, 5, generator=generator) * scale + scale for scale in (1, 8))
    gamma, beta = torch.randn(2, 2, 3, generator=generator)
    weights = torch.zeros(1, 2, 6, 10)
    weights[:, 0, :, :5] = 1
    weights[:, 1, :, 5:] = 1
    found = regionally(torch.cat((left, right), dim=3), gamma, beta, weights)
    for half, style, part in ((found[..., :5], 0, left), (found[..., 5:], 1, right)):
        shape = (1, 3, 1, 1)
        expected = conditional_instance_norm(part, gamma[style].view(shape), beta[style].view(shape))
        torch.testing.assert_close(half, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("places", "leaning"), [(1, 1.0), (2, 6 / 7), (8, 0.0), (20, 0.0)])
def test_a_region_of_few_places_leans_towards_the_whole_map(generator, places, leaning):
    x, weights = torch.rand(1, 3, 6, 10, generator=generator) * 9, torch.zeros(1, 1, 6, 10)
    weights.view(-1)[:places] = 0.5
    alone = x.flatten(2)[:, :, :places].mean(dim=2)
    mean, std = regional_statistics(x, weights)
    torch.testing.assert_close(mean[:, 0], torch.lerp(alone, x.mean(dim=(2, 3)), leaning))
    assert std.min() > 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_known_statistics_are_applied_with_all_their_digits(generator, dtype):
    x = (torch.rand(2, 3, 6, 10, generator=generator) + 20).to(dtype)  # 16 bits of a large mean are few
    gamma, beta = torch.randn(2, 2, 3, 1, 1, generator=generator)
    found = known_instance_norm(x, gamma, beta, channel_statistics(x))
    expected = conditional_instance_norm(x.float(), gamma, beta)
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, atol=0.02, rtol=0.01)


def test_a_style_that_belongs_nowhere_changes_nothing(generator):
    x = torch.rand(1, 3, 6, 5, generator=generator)
    gamma, beta = torch.randn(2, 2, 3, generator=generator)
    weights = torch.ones(1, 2, 6, 5)
    weights[:, 1] = 0
    found = regionally(x, gamma, beta, weights)
    torch.testing.assert_close(found, regionally(x, gamma[:1], beta[:1], weights[:, :1]))


def test_a_style_that_belongs_nowhere_is_normalised_by_the_whole(generator):
    """Samples of a large picture may not show the region that it is painted in."""
    x = torch.rand(1, 3, 6, 5, generator=generator)
    weights = torch.ones(1, 2, 6, 5)
    weights[:, 1] = 0
    mean, std = regional_statistics(x, weights)
    torch.testing.assert_close(mean[:, 1], mean[:, 0])
    torch.testing.assert_close(std[:, 1], std[:, 0])


def test_a_flat_channel_stays_finite_and_becomes_its_beta():
    x = torch.full((1, 2, 8, 8), 0.7)
    out = conditional_instance_norm(x, torch.full((1, 2, 1, 1), 3.0), torch.full((1, 2, 1, 1), 0.25))
    torch.testing.assert_close(out, torch.full_like(x, 0.25), atol=1e-3, rtol=0)


def test_a_map_with_its_own_std_and_mean_for_gamma_and_beta_stays_as_it_is(generator):
    x = torch.randn(2, 4, 7, 7, generator=generator)
    mean, std = channel_statistics(x)
    torch.testing.assert_close(known_instance_norm(x, std, mean, (mean, std)), x)


def test_a_map_with_the_std_and_mean_of_another_for_gamma_and_beta_has_these(generator):
    x, style = (torch.randn(1, 4, 9, 9, generator=generator) * k for k in (1, 3))
    mean, std = channel_statistics(style)
    found_mean, found_std = channel_statistics(known_instance_norm(x, std, mean, channel_statistics(x)))
    torch.testing.assert_close(found_mean, mean, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found_std, std, atol=1e-4, rtol=1e-3)


def test_channel_statistics_of_half_precision_are_computed_in_float32(generator):
    x = torch.rand(1, 2, 128, 128, generator=generator).bfloat16() + 100
    mean, _ = channel_statistics(x)
    torch.testing.assert_close(mean, x.double().mean(dim=(2, 3), keepdim=True).float())


def test_statistics_of_parts_are_those_of_the_whole(generator):
    x = torch.randn(3, 4, 6, 5, generator=generator) * torch.tensor([1.0, 9.0, 0.1])[:, None, None, None] + 7
    whole = x.transpose(0, 1).reshape(1, 4, -1, 1)
    torch.testing.assert_close(joint_statistics(x, torch.full((3,), 1 / 3)), channel_statistics(whole))
    torch.testing.assert_close(joint_statistics(x, torch.eye(3)[1]), channel_statistics(x[1:2]))
