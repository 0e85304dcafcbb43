import pytest
import torch

from styletransfer import color
from styletransfer.color import give_back, keep_color, matching, moments
from styletransfer.images import as_bytes, as_float


def pictures(generator, *shape):
    return (torch.rand(*shape, generator=generator) for _ in range(2))


def statistics(image):
    flat = image.flatten(2)[0]
    return flat.mean(1), flat.cov(correction=0)


def test_amount_zero_is_the_painting_itself(generator):
    painted, photo = pictures(generator, 1, 3, 8, 8)
    assert keep_color(painted, photo, 0) is painted


def test_full_amount_has_the_photos_colour_differences(generator):
    painted, photo = (picture * 0.2 + 0.4 for picture in pictures(generator, 1, 3, 16, 16))
    kept = keep_color(painted, photo, 1)
    for first, second in ((0, 1), (1, 2)):  # colour differences are linear in the channels
        luminance_free = (kept - photo)[:, first] - (kept - photo)[:, second]
        assert luminance_free.abs().max() < 2e-3


def test_full_amount_has_the_paintings_luminance_with_the_photos_mean_and_contrast(generator):
    painted, photo = pictures(generator, 1, 3, 16, 16)
    painted, photo = 0.1 * painted + 0.2, 0.2 * photo + 0.4
    luma = torch.tensor((0.299, 0.587, 0.114)).view(1, 3, 1, 1)
    own, kept, other = ((each * luma).sum(1) for each in (painted, keep_color(painted, photo, 1), photo))
    expected = (own - own.mean()) / own.std() * other.std() + other.mean()
    torch.testing.assert_close(kept, expected, atol=1e-3, rtol=0)


def test_amount_moves_evenly_between_both(generator):
    painted, photo = pictures(generator, 1, 3, 8, 8)
    full = keep_color(painted, photo, 1)
    torch.testing.assert_close(keep_color(painted, photo, 0.25), 0.75 * painted + 0.25 * full)


def test_matching_gives_mean_and_covariance(generator):
    image, reference = (torch.rand(1, 3, 32, 32, generator=generator, dtype=torch.float64) for _ in range(2))
    reference = reference * torch.tensor([0.2, 0.5, 1]).view(1, 3, 1, 1) + image.roll(1, 1) * 0.2
    matrix, offset = matching(moments(image), moments(reference))
    matched = (matrix @ image.flatten(2) + offset).unflatten(2, (32, 32))
    for got, expected in zip(statistics(matched), statistics(reference), strict=True):
        torch.testing.assert_close(got, expected)


def test_moments_are_mean_and_covariance(generator):
    image = torch.rand(1, 3, 17, 23, generator=generator, dtype=torch.float64)
    mean, covariance = moments(image)
    torch.testing.assert_close((mean[:, 0], covariance), statistics(image))


@pytest.mark.parametrize("mode", ["luminance", "statistics"])
def test_colours_are_those_of_the_place_that_is_covered(generator, monkeypatch, mode):
    monkeypatch.setattr(color, "_STRIP_ROWS", 8)
    painted, photo = pictures(generator, 1, 3, 24, 30)
    cover = torch.zeros(1, 1, 24, 30)
    cover[..., :11, :13] = 1
    whole = keep_color(painted, photo, 0.7, mode, cover)
    alone = keep_color(painted[..., :11, :13], photo[..., :11, :13], 0.7, mode)
    torch.testing.assert_close(whole[..., :11, :13], alone)
    assert keep_color(painted, photo, 1, mode, torch.zeros_like(cover)).isfinite().all()


@pytest.mark.parametrize("mode", ["luminance", "statistics"])
def test_strips_and_bytes_do_not_change_the_result(generator, monkeypatch, mode):
    painted, photo = (as_bytes(picture) for picture in pictures(generator, 1, 3, 37, 24))
    whole = keep_color(as_float(painted), as_float(photo), 0.7, mode)
    monkeypatch.setattr(color, "_STRIP_ROWS", 8)
    in_strips = keep_color(painted, photo, 0.7, mode)
    assert in_strips.dtype == torch.uint8
    assert (as_float(in_strips) - whole).abs().max() <= 0.51 / 255


@pytest.mark.parametrize("grey", [0.0, 0.4, 1.0])
def test_pictures_of_one_colour_stay_finite(generator, grey):
    painted, _ = pictures(generator, 1, 3, 8, 8)
    flat = torch.full_like(painted, grey)
    for first, second in ((painted, flat), (flat, painted), (flat, flat)):
        assert keep_color(first, second, 1).isfinite().all()


def test_the_noise_of_a_grey_painting_is_not_stretched_to_a_palette(generator):
    grey, photo = torch.rand(2, 1, 3, 32, 32, generator=generator)
    grey = grey[:, :1].expand(1, 3, 32, 32) + 1.5 / 255 * torch.randn(1, 3, 32, 32, generator=generator)
    kept = keep_color(grey.clamp(0, 1), photo, 1, "statistics")

    def noise(picture):
        return (picture[:, 0] - picture[:, 1]).std()

    assert noise(kept) < 0.5 * noise(photo)  # without regard to noise it is as much
    assert noise(keep_color(grey[:, :1].expand(1, 3, 32, 32), photo, 1, "statistics")) < 1 / 255


def test_a_blurred_photo_gets_its_detail_back(generator, monkeypatch):
    monkeypatch.setattr(color, "_STRIP_ROWS", 8)
    photo, blurred, painted = torch.rand(3, 1, 3, 20, 24, generator=generator)
    share = torch.rand(1, 1, 20, 24, generator=generator)
    torch.testing.assert_close(give_back(blurred, photo, blurred, torch.ones_like(share)), photo)
    found = give_back(painted, photo, blurred, share)
    torch.testing.assert_close(found, (painted + share * (photo - blurred)).clamp(0, 1))
    in_bytes = give_back(as_bytes(painted), as_bytes(photo), as_bytes(blurred), share)
    assert (as_float(in_bytes) - found).abs().max() < 2 / 255


def test_result_stays_in_range(generator):
    painted, photo = (picture.round() for picture in pictures(generator, 1, 3, 8, 8))
    kept = keep_color(painted, photo, 1)
    assert kept.min() >= 0
    assert kept.max() <= 1


def test_statistics_give_the_palette_of_the_photo_to_the_painting(generator):
    painted, photo = torch.rand(2, 1, 3, 24, 24, generator=generator) * 0.3 + 0.3
    photo[:, 0] += 0.2
    kept = keep_color(painted, photo, 1, "statistics")
    torch.testing.assert_close(kept.mean(dim=(2, 3)), photo.mean(dim=(2, 3)), atol=1e-3, rtol=0)
    torch.testing.assert_close(kept.std(dim=(2, 3)), photo.std(dim=(2, 3)), atol=1e-2, rtol=0)
