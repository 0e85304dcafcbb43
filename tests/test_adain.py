"""AdaIN: any picture as a style; encoder, statistics, decoder, tiles; and the training of the decoder."""

import dataclasses
import shutil
from statistics import fmean

import pytest
import torch
from conftest import photo_pixels
from trainers import ADAIN, CPU, adain_trainer, look_small, write_pictures

from styletransfer.core import Progress
from styletransfer.decoder import ADAIN_LAYERS, at, encode, statistics_in, statistics_of, toward
from styletransfer.methods import adain
from styletransfer.norm import channel_statistics
from styletransfer.targets import StyleTarget, as_batch
from styletransfer.training.adain_job import AdainJob, train_adain
from styletransfer.weights import load_decoder


@pytest.fixture
def stylizer(tiny_models):
    return adain.load(tiny_models, torch.device("cpu"), torch.float32)


def test_a_blend_of_styles_is_the_blend_of_their_statistics(styles):
    weights = torch.tensor([0.2, 0.5, 0.3])
    batch = as_batch([StyleTarget.of(style, ADAIN_LAYERS) for style in styles], len(styles))
    mean, std = statistics_in(batch.blended(weights))["relu4_1"]
    for found, part in ((mean, "means"), (std, "stds")):
        each = (getattr(style, part)["relu4_1"] for style in styles)
        expected = sum(weight * one for weight, one in zip(weights, each, strict=True))
        torch.testing.assert_close(found.flatten(), expected)


def test_maps_lie_where_the_photo_lies_whatever_its_size():
    halves = torch.zeros(1, 2, 20, 20)  # a size that is continued to 32
    halves[:, 0, :, :10] = halves[:, 1, :, 10:] = 1
    found = at("relu2_1", halves)[:, :, :10]
    assert (found[:, 0, :, :5] == 1).all()
    assert (found[:, 1, :, 5:10] == 1).all()


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_strength_is_the_way_from_the_own_statistics_to_those_of_the_style(vgg, styles, strength):
    for layer, own in statistics_of(encode(vgg, photo_pixels(64, 64))).items():
        style = statistics_in(StyleTarget.of(styles[0], ADAIN_LAYERS))[layer]
        for found, start, end in zip(toward(own, style, torch.tensor([strength])), own, style, strict=True):
            torch.testing.assert_close(found, torch.lerp(start, end, strength).expand_as(found))


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_maps_with_the_same_everywhere_are_no_maps(stylizer, styles, strength):
    photo, weights, degree = photo_pixels(64, 80), torch.tensor([0.6, 0.4]), torch.tensor(strength)
    plain = stylizer.stylize(photo, styles[:2], weights, degree)
    maps = weights[:, None, None].expand(2, 64, 80)
    mapped = stylizer.stylize(photo, styles[:2], maps, degree.expand(64, 80))
    torch.testing.assert_close(mapped, plain, atol=1e-4, rtol=0)


def test_a_style_of_one_colour_is_the_same_by_maps(stylizer, styles):
    photo, flat = (
        photo_pixels(64, 80),
        {layer: torch.full_like(std, 3e-3) for layer, std in styles[0].stds.items()},
    )
    style, half = dataclasses.replace(styles[0], stds=flat), torch.tensor(0.5)
    plain = stylizer.stylize(photo, [style], torch.ones(1), half)
    mapped = stylizer.stylize(photo, [style], torch.ones(1, 64, 80), half.expand(64, 80))
    torch.testing.assert_close(mapped, plain, atol=1e-4, rtol=0)


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_what_is_far_from_all_that_is_visible_is_the_same_beside_other_photos(stylizer, styles, strength):
    photos, visible = photo_pixels(64, 80).repeat(2, 1, 1, 1), torch.zeros(2, 1, 64, 80)
    visible[..., :40] = 1
    photos[0, :, :, :40] = 0.5  # flat, which makes the rest far away
    given = styles[:1], torch.ones(1), torch.tensor(strength)
    together = stylizer.stylize(photos, *given, visible=visible)
    alone = [stylizer.stylize(photos[i : i + 1], *given, visible=visible[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=0)


@pytest.mark.parametrize("tiled", [False, True])
def test_a_region_is_given_the_statistics_of_its_style(stylizer, styles, monkeypatch, tiled):
    photo, place, restyled = photo_pixels(256, 256), torch.zeros(256, 256), {}
    place[64:192, 64:192] = 1
    photo[..., place == 0] = 0.9  # nothing of this may count
    if tiled:
        monkeypatch.setattr(adain, "TILING", dataclasses.replace(adain.TILING, whole=100, side=248))

    def decode(features):
        restyled.setdefault("first", features)
        return torch.zeros(1, 3, 256, 256)

    monkeypatch.setattr(stylizer.decoder, "forward", decode)
    stylizer.stylize(photo, styles[:1], torch.ones(1, 256, 256), place)
    features = encode(stylizer.vgg, photo)
    inside = restyled["first"]["relu2_1"][..., 32:96, 32:96]
    lively = features["relu2_1"][..., 32:96, 32:96].std(dim=(2, 3))[0] > 0.05
    assert lively.any()
    for found, part in zip(channel_statistics(inside), ("means", "stds"), strict=True):
        expected = getattr(styles[0], part)["relu2_1"]
        torch.testing.assert_close(found.flatten()[lively], expected[lively], atol=0.05, rtol=0.1)


def test_strength_zero_is_the_photo_itself(stylizer, styles):
    photo = photo_pixels(50, 70)
    painted = stylizer.stylize(photo, styles[:1], torch.ones(1), torch.tensor(0.0))
    torch.testing.assert_close(painted, photo, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(300, 421), (256, 256), (97, 640)])
def test_tiles_are_the_whole(stylizer, styles, size, monkeypatch):
    photo = photo_pixels(*size)
    features = statistics_of(encode(stylizer.vgg, photo))
    whole = stylizer.stylize(photo, styles[:1], torch.ones(1), torch.tensor(0.7))
    monkeypatch.setattr(adain, "TILING", dataclasses.replace(adain.TILING, whole=100, side=248))
    monkeypatch.setattr(stylizer, "_sampled", lambda *_: features)  # the same as the whole picture's
    seen: list[Progress] = []
    tiled = stylizer.stylize(photo, styles[:1], torch.ones(1), torch.tensor(0.7), seen.append)
    assert len(seen) > 1
    torch.testing.assert_close(tiled, whole, atol=1e-4, rtol=0)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_pictures_of_one_colour_stay_of_one_colour(stylizer, styles, value):
    painted = stylizer.stylize(torch.full((1, 3, 64, 64), value), styles[:1], torch.ones(1), torch.tensor(1.0))
    assert painted.isfinite().all()
    assert painted[..., 24:40, 24:40].std(dim=(2, 3)).max() < 1e-3


def test_a_training_can_begin_with_a_trained_decoder(vgg, tiny_models):
    decoder, _ = load_decoder(tiny_models)
    still = {"matrix_rate": 1e-9, "edge_rate": 1e-9}
    run = adain_trainer(vgg, dataclasses.replace(ADAIN, **still))
    run.start_from(decoder)
    run.take_step()
    for name, value in run.averaged().state_dict().items():
        torch.testing.assert_close(value, decoder.state_dict()[name], atol=1e-6, rtol=1e-4)


def test_the_loss_of_the_photo_is_right_in_the_mean_over_steps(vgg, monkeypatch):
    run = adain_trainer(vgg, dataclasses.replace(ADAIN, contents=1, styles_per_content=1, photo_share=0.25))
    monkeypatch.setattr(run.model, "forward", lambda features: torch.full((1, 3, 32, 32), 0.5))
    run.contents = [torch.zeros(1, 3, 40, 40, dtype=torch.uint8)]
    found = [run._step(0.0)[1]["photo"] for _ in range(60)]
    assert set(found) == {0.0, 2.0}  # a distance of a half, in one of four
    assert fmean(found) == pytest.approx(0.5, abs=0.2)


def test_a_run_begins_with_the_decoder_of_an_earlier_one(tmp_path, tiny_models, monkeypatch):
    look_small(monkeypatch)
    write_pictures(tmp_path, content=18, paintings=2)
    shutil.copytree(tiny_models, tmp_path / "earlier" / "models")
    folders = tmp_path / "content", tmp_path / "paintings", tmp_path / "run"
    job = AdainJob(*folders, start=tmp_path / "earlier")
    still = dataclasses.replace(ADAIN, steps=1, matrix_rate=0.0, edge_rate=0.0)
    train_adain(job, still, CPU, torch.float32, lambda progress: None)
    before, after = (load_decoder(folder / "models")[0].state_dict() for folder in (job.start, job.out))
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, atol=1e-3, rtol=1e-3)


def test_samples_that_keep_the_photo_learn_to_give_it_back(vgg):
    run = adain_trainer(vgg, dataclasses.replace(ADAIN, steps=40, photo_share=1.0, final_share=0.0))
    distances = [run.take_step()["photo"] for _ in range(40)]
    assert sum(distances[-4:]) < 0.9 * sum(distances[:4])
