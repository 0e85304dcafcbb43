import dataclasses
import io
import shutil
from pathlib import Path

import pytest
import torch
from conftest import TINY, make_photo, with_info
from PIL import Image
from trainers import BASE, base_trainer, look_small, random_looks, random_pictures, write_pictures

from styletransfer import images
from styletransfer.checkpoints import load_checkpoint
from styletransfer.errors import InvalidInput, InvalidStyleFile, MissingWeights, UnreadableImage
from styletransfer.predictor import RowPredictor
from styletransfer.stylebank import StyleBank
from styletransfer.stylefile import load_style, save_style
from styletransfer.training import base_job, data
from styletransfer.training.base import BaseTrainer
from styletransfer.training.base_job import BaseJob, read_catalogue, train_base
from styletransfer.training.data import load_pictures, pictures_in, random_crop, split_held_out
from styletransfer.training.judging import judge, look_at_photos
from styletransfer.training.repetition import LAGS
from styletransfer.training.settings import AdainTraining, BaseTraining
from styletransfer.training.trainer import crop_side, leaky_clamp
from styletransfer.weights import load_base, save_predictor


def test_the_identity_is_trained_on_photos_alone(vgg):
    """No style needs it where none is painted at part strength."""
    changed = {}
    for weight in (0.0, 1.0):
        run = base_trainer(vgg, dataclasses.replace(BASE, part_strength_share=0.0, identity_weight=weight))
        before = run.model.network.identity.detach().clone()
        run.take_step()
        changed[weight] = not torch.equal(run.model.network.identity, before)
    assert changed == {0.0: False, 1.0: True}


def test_training_keeps_from_repeating_what_neither_painting_nor_photo_repeats(vgg):
    def trained(allowed, weight=30.0):
        looks = random_looks(vgg)
        looks = dataclasses.replace(looks, repetition=torch.full_like(looks.repetition, allowed))
        run = base_trainer(vgg, dataclasses.replace(BASE, repetition_weight=weight), looks)
        run.take_step()
        return run.model.network.eighth_blocks[0].weight.detach()

    assert not torch.equal(trained(-1.0), trained(1.0))
    assert torch.equal(trained(-1.0, weight=0.0), trained(1.0))


@pytest.mark.parametrize(
    ("photo", "painting", "is_too_much"), [(0.0, 0.0, True), (1.0, 0.0, False), (0.0, 1.0, False)]
)
def test_what_the_photo_or_the_painting_repeats_may_be_repeated(vgg, photo, painting, is_too_much):
    lag = LAGS.index((0, 4))
    lattice = random_pictures(1, 2)[0][:, :, :40, :16].repeat(1, 1, 1, 4) / 255  # every 16 pixels, 4 places
    looks = random_looks(vgg)[[0]]
    allowed = torch.zeros_like(looks.repetition)
    allowed[:, :, lag] = painting
    seen = look_at_photos(vgg, lattice, [lag])
    seen = dataclasses.replace(seen, repetition=torch.full_like(seen.repetition, photo))
    looks = dataclasses.replace(looks, repetition=allowed)
    found = judge(vgg, lattice, seen, looks, [lag], style_weight=2.0, repetition_weight=3.0)
    assert (found.repetition > 0.5).item() == is_too_much
    torch.testing.assert_close(found.loss, (found.objective + 6 * found.repetition).log())


def test_kept_styles_are_trained_equally_often(vgg):
    run = base_trainer(vgg, BaseTraining(**{**vars(BASE), "wide_share": 0.0}))
    chosen = run._choose_styles(40)
    assert chosen.count(0) == chosen.count(1) == 20


def test_the_style_weight_rises_gently_and_the_rates_fall_to_nothing(vgg):
    run = base_trainer(vgg)
    weights = [run._style_weight(share) for share in (0, 0.05, 0.1, 1)]
    assert weights == sorted(weights)
    assert weights[0] == BASE.style_weight_start
    assert weights[2] == pytest.approx(BASE.style_weight)
    run.step = 5
    run._set_rates(1.0)
    assert all(group["lr"] == 0 for optimizer in run.optimizers for group in optimizer.param_groups)


@pytest.mark.parametrize(
    ("step", "share", "scale"), [(0, 0.0, 0.1), (9, 0.5, 1.0), (9, 0.875, 0.5), (9, 1.0, 0.0)]
)
def test_rates_rise_in_the_first_steps_and_fall_in_the_last_share(vgg, step, share, scale):
    run = base_trainer(vgg, dataclasses.replace(BASE, warmup_steps=10, decay_share=0.25))
    run.step = step
    run._set_rates(share)
    assert run.optimizers[0].param_groups[0]["lr"] == pytest.approx(scale * run.rates[0][0])


def test_a_little_of_what_is_out_of_range_is_let_through():
    torch.testing.assert_close(leaky_clamp(torch.tensor([-1.0, 0.5, 2.0])), torch.tensor([-0.05, 0.5, 1.05]))


def test_crops_are_larger_in_the_last_steps():
    assert [crop_side(BASE, share) for share in (0.0, 0.75, 0.85, 1.0)] == [32, 32, 40, 40]


def test_the_style_weighs_strength_to_the_third(vgg, monkeypatch):
    run = base_trainer(vgg, dataclasses.replace(BASE, contents=1, styles_per_content=1))
    monkeypatch.setattr(run, "_choose_strength", lambda count: torch.full((count,), 0.5))
    losses = run.take_step()
    weight = 0.125 * losses["style_weight"]
    assert losses["objective"] == pytest.approx(losses["content"] + weight * losses["style"], rel=1e-4)


def test_a_share_of_the_samples_is_painted_at_part_strength(vgg):
    run = base_trainer(vgg, dataclasses.replace(BASE, part_strength_share=0.25))
    strengths = torch.stack([run._choose_strength(4) for _ in range(400)])
    assert 0.21 < (strengths < 1).float().mean() < 0.29
    assert strengths.min() < 0.1
    assert strengths.max() == 1


def test_crops_are_square_in_range_and_follow_the_seed():
    pictures = random_pictures(2, 5)
    one, two = (random_crop(pictures, 32, torch.Generator().manual_seed(7)) for _ in range(2))
    assert one.shape == (1, 3, 32, 32)
    assert 0 <= one.min() <= one.max() <= 1
    assert torch.equal(one, two)


def test_crops_are_mirrored_half_of_the_time_and_never_upside_down(generator):
    down, right = torch.meshgrid(2 * torch.arange(60), torch.arange(60), indexing="ij")
    ramp = (down + right).to(torch.uint8).expand(1, 3, 60, 60)
    crops = torch.cat([random_crop([ramp], 32, generator) for _ in range(60)])
    assert (crops[:, :, -1] > crops[:, :, 0]).all()
    assert 15 < (crops[:, 0, 0, -1] < crops[:, 0, 0, 0]).sum() < 45


def test_a_crop_can_be_larger_than_the_picture():
    assert random_crop(random_pictures(1, 5), 64, torch.Generator().manual_seed(7)).shape == (1, 3, 64, 64)


def test_a_crop_can_be_kept_to_a_small_part_of_a_large_picture(generator):
    pictures = [torch.arange(200, dtype=torch.uint8).expand(1, 3, 200, 200)]
    for most, widest in ((1.0, 32), (2.0, 64)):
        crops = [random_crop(pictures, 32, generator, most) for _ in range(20)]
        extents = torch.stack([255 * (crop.max() - crop.min()) + 1 for crop in crops])
        assert extents.max() <= widest + 0.01
        assert extents.max() > widest - 12


def test_held_out_pictures_are_never_trained_on():
    paths = [Path(f"{index}.jpg") for index in range(40)]
    used, held_out = split_held_out(paths)
    assert len(held_out) == 3
    assert sorted(used + held_out) == sorted(paths)


def test_unreadable_pictures_are_passed_over(tmp_path):
    make_photo(40, 40).save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_text("no picture")
    paths = [tmp_path / "bad.jpg", tmp_path / "good.png"]
    [picture] = load_pictures(paths, 40)
    assert torch.equal(images.as_float(picture), images.read_picture(tmp_path / "good.png").rgb)
    with pytest.raises(InvalidInput, match="of 1 pictures"):
        load_pictures(paths[:1], 32)


def test_a_strip_is_not_held_in_memory_at_any_length(tmp_path):
    Image.new("RGB", (3000, 1)).save(tmp_path / "strip.png")
    [picture] = load_pictures([tmp_path / "strip.png"], 40)
    assert picture.shape == (1, 3, 16, 160)
    assert random_crop([picture], 32, torch.Generator().manual_seed(7)).shape == (1, 3, 32, 32)


def test_pictures_in_subfolders_alone_are_told(tmp_path):
    write_pictures(tmp_path, many=3)
    with pytest.raises(InvalidInput, match="holds no pictures, and subfolders are not searched"):
        pictures_in(tmp_path)
    make_photo(40, 40).save(tmp_path / "one.png")
    with pytest.raises(InvalidInput, match=r"holds one picture, .* at least 2"):
        pictures_in(tmp_path)


@pytest.fixture
def job(tmp_path):
    write_pictures(tmp_path, content=5, styles=2, wide=2)
    (tmp_path / "catalogue.csv").write_text(
        "slug,picture,title,artist,year,rights\nfirst,styles-00,First,A. Painter,1900,public domain\n"
    )
    return BaseJob(
        tmp_path / "content",
        tmp_path / "styles",
        tmp_path / "out",
        tmp_path / "wide",
        tmp_path / "catalogue.csv",
        command="styletransfer train-base",
    )


@pytest.fixture
def tiny_job(monkeypatch, job):
    look_small(monkeypatch)
    monkeypatch.setattr(base_job, "BaseTrainer", lambda *a, **k: BaseTrainer(*a, **k, config=TINY))
    return job


def run_job(job, settings=BASE):
    train_base(job, settings, torch.device("cpu"), torch.float32, lambda progress: None)


def test_a_run_ends_in_files_that_can_be_used(tiny_job):
    run_job(tiny_job)
    network, sha256 = load_base(tiny_job.out / "models")
    assert network.config == TINY
    bank = StyleBank(tiny_job.out / "styles")
    assert list(bank.paths()) == ["first"]
    style = bank.load("first")
    assert style.info.base_sha256 == sha256
    assert style.info.artist == "A. Painter"
    assert style.info.recipe["command"] == "styletransfer train-base"
    assert set(style.grams) == {"relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"}
    assert style.preview.startswith(b"\xff\xd8")
    assert style.info.losses["content"] > 0


def test_two_paintings_of_one_name_are_refused_at_once(job):
    job = dataclasses.replace(job, catalogue=None)
    make_photo(40, 40).save(job.styles / "A wave.png")
    assert "a-wave" in [info.slug for info, _ in read_catalogue(job)]
    make_photo(40, 40).save(job.styles / "a_wave.png")
    with pytest.raises(InvalidInput, match="two paintings would both become the style 'a-wave'"):
        read_catalogue(job)
    make_photo(40, 40).save(job.styles / "a_wave.jpg")
    with pytest.raises(InvalidInput, match="have the same name"):
        read_catalogue(job)


def test_looks_of_an_earlier_version_are_told(tiny_job):
    run_job(tiny_job)
    stored = torch.load(tiny_job.out / "looks.pt", weights_only=True)
    torch.save(stored | {"targets": [stored["targets"]]}, tiny_job.out / "looks.pt")
    with pytest.raises(InvalidInput, match="earlier version"):
        run_job(tiny_job)


def test_a_folder_of_further_paintings_that_leaves_none_is_told(tiny_job):
    (tiny_job.wide / "wide-01.png").unlink()
    with pytest.raises(InvalidInput, match="wide holds one picture"):
        run_job(tiny_job)


@pytest.mark.parametrize(
    ("settings", "wrong", "message"),
    [
        (BaseTraining, {"lags": 0}, "lags is 0"),
        (AdainTraining, {"side": 100}, "side is 100; the decoder paints multiples of 8"),
        (AdainTraining, {"final_side": 250}, "final_side is 250"),
        (BaseTraining, {"sheet_steps": 0}, "above 0"),
    ],
)
def test_settings_that_would_fail_after_hours_are_refused_at_once(settings, wrong, message):
    with pytest.raises(InvalidInput, match=message):
        settings(**wrong)


def test_photographs_that_are_too_many_for_a_gpu_stay_where_they_are(monkeypatch):
    pictures, device = random_pictures(2, 1), torch.device("meta")
    assert {picture.device for picture in data.near(pictures, device)} == {device}
    monkeypatch.setattr(data, "MOST_ON_DEVICE", 1000)
    assert {picture.device for picture in data.near(pictures, device)} == {torch.device("cpu")}


def test_a_run_begins_with_styles_of_its_network_alone(tiny_job, tmp_path):
    run_job(tiny_job)
    path = tiny_job.out / "styles" / "first.safetensors"
    save_style(path, with_info(load_style(path), base_sha256="0" * 64))
    with pytest.raises(InvalidStyleFile, match="different base network"):
        run_job(dataclasses.replace(tiny_job, out=tmp_path / "second", start=tiny_job.out))


def test_a_run_with_nothing_to_begin_from_is_refused_before_it_looks_at_anything(tiny_job, tmp_path):
    with pytest.raises(MissingWeights, match="is missing"):
        run_job(dataclasses.replace(tiny_job, start=tmp_path / "nowhere"))
    assert not (tiny_job.out / "looks.pt").exists()


def test_a_run_that_keeps_none_of_the_styles_to_begin_from_is_refused(tiny_job, tiny_models, tmp_path):
    shutil.copytree(tiny_models, tmp_path / "other" / "models")
    with pytest.raises(InvalidInput, match="contains none of the styles of this run"):
        run_job(dataclasses.replace(tiny_job, start=tmp_path / "other"))
    assert not tiny_job.out.exists()


def test_the_preview_of_a_style_is_painted_from_the_photo_given(tiny_job, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"broken")
    with pytest.raises(UnreadableImage, match="broken"):
        run_job(dataclasses.replace(tiny_job, preview=tmp_path / "broken.png"))
    assert not tiny_job.out.exists()  # at once, and not after the training
    make_photo(40, 90).save(tmp_path / "long.png")
    run_job(dataclasses.replace(tiny_job, preview=tmp_path / "long.png"))
    with Image.open(io.BytesIO(StyleBank(tiny_job.out / "styles").preview("first"))) as preview:
        assert preview.size == (192, 85)


def test_a_run_can_begin_from_the_files_of_another(tiny_job, tmp_path):
    run_job(tiny_job)
    second = dataclasses.replace(tiny_job, out=tmp_path / "second", start=tiny_job.out)
    still = dataclasses.replace(BASE, steps=1, matrix_rate=0.0, edge_rate=0.0, row_rate=0.0)
    run_job(second, still)
    before, after = (StyleBank(job.out / "styles").load("first") for job in (tiny_job, second))
    torch.testing.assert_close(before.row, after.row, atol=2e-3, rtol=2e-3)
    networks = [load_base(job.out / "models")[0].state_dict() for job in (tiny_job, second)]
    assert all(torch.equal(networks[0][name], networks[1][name]) for name in networks[0])


def test_a_run_begins_with_what_is_predicted_for_further_paintings(tiny_job, tmp_path):
    run_job(tiny_job)
    _, sha256 = load_base(tiny_job.out / "models")
    predictor = RowPredictor(TINY.row_length)
    torch.nn.init.normal_(predictor.leave.weight, std=0.1, generator=torch.Generator().manual_seed(0))
    save_predictor(tiny_job.out / "models", predictor, sha256, {"command": "none"})
    second = dataclasses.replace(tiny_job, out=tmp_path / "second", start=tiny_job.out)
    still = dataclasses.replace(BASE, steps=1, matrix_rate=0.0, edge_rate=0.0, row_rate=0.0)
    run_job(second, still)
    model = load_checkpoint(second.out / "checkpoint.pt")["model"]
    targets = load_checkpoint(second.out / "looks.pt")["targets"]
    predicted = predictor(targets["means"], targets["stds"]).detach()
    rows = model["shared"] + model["own"]
    torch.testing.assert_close(rows[1:], predicted[1:], atol=5e-3, rtol=5e-3)  # files have half precision
    assert not torch.allclose(rows[0], predicted[0], atol=5e-2)  # the style has its own


@pytest.mark.parametrize(
    "content", [None, "", "slug,title\na,b\n", "\0", 'slug,picture,title\nx,styles-00,"two\nlines"\n']
)
def test_a_catalogue_that_cannot_be_used_is_refused(job, content):
    job.catalogue.unlink()
    if content is not None:
        job.catalogue.write_text(content)
    with pytest.raises(InvalidInput, match="catalogue"):
        read_catalogue(job)


@pytest.mark.parametrize(("slug", "better"), [("../x", "x"), ("My Style", "my-style")])
def test_a_catalogue_that_names_what_is_no_name_of_a_style_is_refused(job, slug, better):
    job.catalogue.write_text(f"slug,picture,title\n{slug},styles-00,X\n")
    with pytest.raises(InvalidInput, match=f"names '{slug}'; write '{better}'"):
        read_catalogue(job)


def test_without_a_catalogue_every_painting_becomes_a_style(job):
    infos = read_catalogue(dataclasses.replace(job, catalogue=None))
    assert [info.slug for info, _ in infos] == ["styles-00", "styles-01"]


def test_a_catalogue_that_names_a_missing_picture_is_refused(job):
    job.catalogue.write_text("slug,picture,title,artist,year,rights\nx,missing,X,,,\n")
    with pytest.raises(InvalidInput, match="'missing'"):
        read_catalogue(job)
