"""Gamma and beta predicted from the statistics of a picture, and the training of the predictor."""

import dataclasses
import json
import math
import shutil

import pytest
import torch
from conftest import TINY, with_info
from trainers import CPU, PREDICTOR, look_small, predictor_trainer, random_pictures, write_data

from styletransfer.errors import InvalidInput, MissingWeights
from styletransfer.methods import cin
from styletransfer.networks import TransformerNetwork
from styletransfer.predictor import RowPredictor, describe
from styletransfer.stylebank import StyleBank
from styletransfer.stylefile import load_style, save_style
from styletransfer.targets import as_batch, style_target
from styletransfer.training.looks import look
from styletransfer.training.predictor import PredictorTrainer
from styletransfer.training.predictor_job import PredictorJob, train_predictor
from styletransfer.weights import (
    BASE_FILE,
    MANIFEST_FILE,
    PREDICTOR_FILE,
    load_predictor,
    load_predictor_of_any_base,
    save_base,
    save_predictor,
)


def noise(seed):
    return torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def targets(vgg):
    return [
        style_target(vgg, torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(i)))
        for i in range(3)
    ]


@pytest.fixture
def base(tiny_models):
    return cin.load(tiny_models, CPU, torch.float32)


@pytest.fixture
def trainer(vgg, base, styles):
    return predictor_trainer(vgg, base.network, torch.stack([style.row for style in styles]))


def test_an_untrained_predictor_gives_the_mean_of_the_known_rows(trainer, targets, styles):
    predictor = trainer.model
    expected = torch.stack([style.row for style in styles]).mean(dim=0)
    torch.testing.assert_close(predictor(targets[0].means, targets[0].stds)[0], expected)


def test_inputs_are_seen_in_units_of_what_is_usual(trainer):
    predictor = trainer.model
    batch = trainer.looks.targets
    seen = (describe(batch.means, batch.stds) - predictor.input_mean) / predictor.input_spread
    assert seen.mean(dim=0).abs().max() < 1e-3
    assert seen.std(dim=0, correction=0).max() < 1.01


def test_a_single_look_is_enough_to_begin_with(vgg, base, styles):
    pictures, rows = random_pictures(2, 1), torch.stack([style.row for style in styles])
    looks = look(vgg, pictures[0] / 255)
    run = PredictorTrainer(vgg, base.network, "base", rows, pictures, looks, PREDICTOR)
    assert math.isfinite(run.take_step()["objective"])
    assert run.is_finite()


def test_a_batch_of_predictions_is_its_singles(targets, generator):
    predictor = RowPredictor(TINY.row_length)
    torch.nn.init.normal_(predictor.leave.weight, generator=generator)
    batch = as_batch(targets, len(targets))
    together = predictor(batch.means, batch.stds)
    for row, target in zip(together, targets, strict=True):
        torch.testing.assert_close(row, predictor(target.means, target.stds)[0], atol=1e-4, rtol=1e-4)


def test_the_base_network_stays_as_it_is(trainer, base):
    before = {name: value.clone() for name, value in base.network.state_dict().items()}
    for _ in range(3):
        trainer.take_step()
    assert all(torch.equal(value, before[name]) for name, value in base.network.state_dict().items())


def test_a_training_that_begins_with_a_trained_predictor_predicts_the_same(trainer):
    trained = RowPredictor(TINY.row_length)
    generator = torch.Generator().manual_seed(2)
    for parameter in trained.parameters():
        torch.nn.init.normal_(parameter, std=0.02, generator=generator)
    trained.input_mean.copy_(trainer.model.input_mean + 0.1)
    trained.input_spread.copy_(trainer.model.input_spread * 1.5)
    trained.row_mean.copy_(trainer.model.row_mean)
    trained.row_spread.copy_(trainer.model.row_spread)
    trainer.start_from(trained)
    target = trainer.looks.targets[[0]]
    expected = trained(target.means, target.stds)
    torch.testing.assert_close(trainer.model(target.means, target.stds), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(trainer.averaged()(target.means, target.stds), expected, atol=1e-4, rtol=1e-4)


def test_a_predictor_of_another_base_network_begins_around_the_rows_of_this_one(trainer, targets, generator):
    other = RowPredictor(TINY.row_length)
    torch.nn.init.normal_(other.leave.weight, std=0.1, generator=generator)
    for name in ("input_mean", "input_spread"):
        other.get_buffer(name).copy_(trainer.model.get_buffer(name))
    look = targets[0]
    difference = other(look.means, look.stds)  # its mean is 0, and its spread 1
    trainer.start_from(other)
    expected = trainer.model.row_mean + trainer.model.row_spread * difference
    torch.testing.assert_close(trainer.model(look.means, look.stds), expected)


@pytest.fixture
def job(tmp_path, tiny_models, tiny_styles, monkeypatch):
    look_small(monkeypatch)
    write_data(tmp_path, tiny_models, tiny_styles)
    folders = (tmp_path / name for name in ("content", "paintings", "run", "base"))
    return PredictorJob(*folders, command="the command")


def run_job(job, on_step=lambda progress: None):
    train_predictor(job, PREDICTOR, CPU, torch.float32, on_step)


def test_what_is_written_is_for_its_base_network_alone(job, targets):
    run_job(job)
    manifest = json.loads((job.out / "models" / MANIFEST_FILE).read_text())[PREDICTOR_FILE]
    with pytest.raises(MissingWeights, match="another base network"):
        load_predictor(job.out / "models")
    shutil.copy(job.base / "models" / BASE_FILE, job.out / "models")
    described = json.loads((job.base / "models" / MANIFEST_FILE).read_text())[BASE_FILE]
    both = {BASE_FILE: described, PREDICTOR_FILE: manifest}
    (job.out / "models" / MANIFEST_FILE).write_text(json.dumps(both))
    predictor, base_sha256 = load_predictor(job.out / "models")
    assert base_sha256 == described["sha256"]
    assert predictor(targets[0].means, targets[0].stds).shape == (1, 2, TINY.row_length)


def test_a_run_is_not_gone_on_with_for_another_base_network(job):
    run_job(job)
    torch.manual_seed(1)
    digest = save_base(job.base / "models", TransformerNetwork(TINY), {"command": "none"})
    for path in (job.base / "styles").iterdir():
        save_style(path, with_info(load_style(path), base_sha256=digest))
    with pytest.raises(InvalidInput, match=r"another base network.*another --out"):
        run_job(job)


@pytest.mark.parametrize("left", [0, 1])
def test_a_base_with_less_than_two_styles_is_told(job, left):
    for path in sorted((job.base / "styles").iterdir())[left:]:
        path.unlink()
    with pytest.raises(InvalidInput, match=f"holds {left} styles"):
        run_job(job)


def test_a_run_begins_with_the_predictor_of_an_earlier_one(job, tmp_path, targets):
    run_job(job)
    later = dataclasses.replace(job, out=tmp_path / "later", start=job.out)
    still = dataclasses.replace(PREDICTOR, steps=1, matrix_rate=0.0, edge_rate=0.0)
    train_predictor(later, still, CPU, torch.float32, lambda progress: None)
    before, after = (
        load_predictor_of_any_base(each.out / "models")[0](targets[0].means, targets[0].stds)
        for each in (job, later)
    )
    torch.testing.assert_close(after, before, atol=2e-3, rtol=2e-3)
    bank = StyleBank(job.base / "styles")
    usual = torch.stack([bank.load(name).row for name in bank.paths()]).mean(dim=0)
    assert not torch.allclose(after[0], usual, atol=2e-3)  # which a new one predicts


def test_a_predictor_of_a_base_network_of_another_shape_is_refused(job, tmp_path):
    (tmp_path / "models").mkdir()
    save_predictor(tmp_path / "models", RowPredictor(TINY.row_length + 1), "0" * 64, {"command": "none"})
    with pytest.raises(InvalidInput, match="another shape"):
        run_job(dataclasses.replace(job, start=tmp_path))


@pytest.mark.parametrize("folder", ["content", "styles"])
def test_a_folder_without_pictures_is_refused_at_once(job, tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="empty holds no pictures"):
        run_job(dataclasses.replace(job, **{folder: tmp_path / "empty"}))
    assert not job.out.exists()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_gamma_and_beta_of_a_picture_of_one_colour_are_no_wilder_than_of_any(trainer, value, vgg):
    predictor = trainer.model
    torch.nn.init.normal_(predictor.leave.weight, std=0.01, generator=torch.Generator().manual_seed(0))
    usual = style_target(vgg, noise(9))
    flat = style_target(vgg, torch.full((1, 3, 40, 40), value / 255))
    offsets = [predictor(each.means, each.stds) - predictor.row_mean for each in (usual, flat)]
    assert offsets[1].isfinite().all()
    assert offsets[1].norm() < 20 * offsets[0].norm()
