"""What the trainings of all networks promise: base network, decoder of AdaIN, row predictor."""

import csv
import dataclasses
import json
import math
import shutil
from collections.abc import Callable, Mapping
from statistics import geometric_mean
from types import SimpleNamespace

import pytest
import torch
from conftest import TINY, full_disk, make_photo
from trainers import (
    ADAIN,
    BASE,
    CPU,
    PREDICTOR,
    adain_trainer,
    base_trainer,
    look_small,
    predictor_trainer,
    write_data,
)

from styletransfer.checkpoints import load_checkpoint
from styletransfer.core import Progress
from styletransfer.errors import (
    Cancelled,
    InvalidInput,
    TrainingDiverged,
    UnreadableImage,
    UnwritableOutput,
)
from styletransfer.methods import cin
from styletransfer.training import base_job, looks
from styletransfer.training import trainer as trainer_module
from styletransfer.training.adain_job import AdainJob, train_adain
from styletransfer.training.base import BaseTrainer
from styletransfer.training.base_job import BaseJob, train_base
from styletransfer.training.predictor_job import PredictorJob, train_predictor
from styletransfer.training.settings import NetworkTraining
from styletransfer.training.trainer import Trainer
from styletransfer.vgg import STYLE_LAYERS, load_vgg19
from styletransfer.weights import load_base, load_decoder, load_predictor_of_any_base


@dataclasses.dataclass(frozen=True)
class Training:
    """`learning`: settings with which the objective falls to less than `falls` of what it was, in 40 steps."""

    settings: NetworkTraining
    learning: Mapping[str, float]
    falls: float
    train: Callable
    job: type
    load: Callable
    data: Mapping[str, int]  # in the manifest
    prefix: str = ""  # of the written weights, in the checkpoint


TRAININGS = {
    "base": Training(
        *(BASE, {"style_weight": 0.5, "part_strength_share": 0.0}, 0.7),
        *(train_base, BaseJob, load_base),
        {"photographs": 16, "styles": 3, "further paintings": 0},
        "network.",
    ),
    "adain": Training(
        *(ADAIN, {"style_weight": 0.5, "photo_share": 0.0}, 0.7),
        *(train_adain, AdainJob, load_decoder),
        {"photographs": 16, "paintings": 2, "textures": 2},
    ),
    "predictor": Training(
        *(PREDICTOR, {"style_weight": 1.0, "edge_rate": 2e-3}, 0.95),
        *(train_predictor, PredictorJob, load_predictor_of_any_base),
        {"photographs": 16, "paintings": 2, "textures": 2, "techniques": 3},
    ),
}
pytestmark = pytest.mark.parametrize("name", TRAININGS)


@pytest.fixture
def make(name, tiny_models, styles):
    """Makes the trainer, on random pictures."""

    def make(settings=TRAININGS[name].settings, dtype=torch.float32):
        vgg = load_vgg19(STYLE_LAYERS[-1], dtype=dtype)
        if name == "predictor":
            network = cin.load(tiny_models, CPU, dtype).network
            return predictor_trainer(vgg, network, torch.stack([style.row for style in styles]), settings)
        return {"base": base_trainer, "adain": adain_trainer}[name](vgg, settings)

    return make


@pytest.fixture
def run(name, tmp_path, tiny_models, tiny_styles, monkeypatch):
    """The training in a folder: call it to train; it has its settings and where it reads and writes."""
    training = TRAININGS[name]
    look_small(monkeypatch)
    write_data(tmp_path, tiny_models, tiny_styles)
    monkeypatch.setattr(base_job, "BaseTrainer", lambda *a, **k: BaseTrainer(*a, **k, config=TINY))
    monkeypatch.setattr(trainer_module, "LOG_STEPS", 4)
    monkeypatch.setattr(trainer_module, "CHECKPOINT_SECONDS", 0)
    job = training.job(tmp_path / "content", tmp_path / "paintings", tmp_path / "run", command="the command")
    if name == "predictor":
        job = dataclasses.replace(job, base=tmp_path / "base")

    class Run(SimpleNamespace):
        def __call__(self, on_step=lambda progress: None, dtype=torch.float32, start=None, **changes):
            settings = dataclasses.replace(training.settings, **changes)
            training.train(dataclasses.replace(job, start=start), settings, CPU, dtype, on_step)

        def manifest(self):
            [entry] = json.loads((job.out / "models" / "manifest.json").read_text()).values()
            return entry

        def table(self):
            with (job.out / "losses.csv").open(newline="") as file:
                return list(csv.DictReader(file))

    return Run(**vars(job), settings=training.settings, checkpoint=job.out / "checkpoint.pt")


def stop_at_four(progress):
    if progress.step == 4:
        raise Cancelled


@pytest.fixture
def cancelled(run):
    """A run that was stopped after four steps, with a checkpoint of the fourth."""
    with pytest.raises(Cancelled):
        run(stop_at_four)
    return run


def test_training_lowers_the_objective(name, make):
    training = TRAININGS[name]
    changes = {"steps": 44, **training.learning}
    if "final_share" in vars(training.settings):
        changes["final_share"] = 0.0
    trainer = make(dataclasses.replace(training.settings, **changes))
    objectives = [trainer.take_step()["objective"] for _ in range(40)]
    assert geometric_mean(objectives[-10:]) < training.falls * geometric_mean(objectives[:4])


def test_a_training_follows_its_settings(name, make):
    settings = TRAININGS[name].settings
    for which in vars(settings).keys() & {"variation_weight", "mix_share", "wide_share"}:
        runs = [make(dataclasses.replace(settings, **{which: value})) for value in (0.0, 1.0)]
        for run in runs:
            run.take_step()
        one, other = (run.model.state_dict() for run in runs)
        assert not all(torch.equal(one[key], other[key]) for key in one), which


def test_without_averaging_the_average_is_the_model(name, make):
    run = make(dataclasses.replace(TRAININGS[name].settings, average=0.0))
    run.take_step()
    assert all(torch.equal(run.average[key], value) for key, value in run.model.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_resuming_is_exact(make, dtype):
    whole, first, second = (make(dtype=dtype) for _ in range(3))
    straight = [whole.take_step() for _ in range(4)]
    for _ in range(2):
        first.take_step()
    second.restore(first.state())
    assert [second.take_step() for _ in range(2)] == straight[2:]
    assert whole.is_finite()
    for name, value in whole.average.items():
        assert torch.equal(value, second.average[name]), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_run_ends_in_a_file_that_can_be_used(name, run, dtype):
    seen: list[Progress] = []
    run(seen.append, dtype)
    assert [progress.step for progress in seen] == [1, 2, 3, 4, 5, 6]
    assert seen[-1].preview is not None
    assert (run.out / "sheet-000006.png").exists()
    assert TRAININGS[name].load(run.out / "models")
    manifest = run.manifest()
    assert manifest["command"] == "the command"
    assert manifest["settings"] == dataclasses.asdict(run.settings)
    assert manifest["data"] == TRAININGS[name].data
    assert {"content", "style"} == set(manifest["losses"])


def test_what_is_written_is_the_average_of_the_weights(name, run):
    training = TRAININGS[name]
    run(steps=1)
    state = load_checkpoint(run.checkpoint)
    written = training.load(run.out / "models")[0].state_dict()
    for which, same in (("average", True), ("model", False)):
        kept = {key: state[which][training.prefix + key].half().float() for key in written}
        assert all(torch.equal(value, kept[key]) for key, value in written.items()) == same


def test_a_cancelled_run_goes_on_from_its_checkpoint(cancelled):
    assert not (cancelled.out / "models").exists()
    steps = []
    cancelled(lambda progress: steps.append(progress.step))
    assert steps == [5, 6]


def test_the_table_of_losses_has_every_step_once_to_the_last_one(cancelled):
    table = cancelled.out / "losses.csv"
    with table.open("a") as file:
        file.write("6,7.0\n")  # as if it had been killed later, before the next checkpoint
    cancelled()
    assert [row["step"] for row in cancelled.table()] == ["4", "6"]
    assert b"\r" not in table.read_bytes()


def test_a_table_of_losses_that_found_no_room_on_the_disk_has_its_head_later(cancelled):
    (cancelled.out / "losses.csv").write_bytes(b"")
    cancelled()
    assert [row["step"] for row in cancelled.table()] == ["6"]


def test_a_table_of_losses_that_somebody_has_edited_ends_no_run(cancelled):
    table = cancelled.out / "losses.csv"
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes() + b"\n\0\0,1\nmean,\xe9\n\xc2\xb2,1\n")
    cancelled()
    assert [row["step"] for row in cancelled.table()] == ["4", "6"]


def test_a_run_goes_on_without_the_folder_that_it_began_from(run, tmp_path):
    run(steps=1)
    shutil.move(run.out, tmp_path / "earlier")
    run(steps=1, start=tmp_path / "earlier")
    shutil.rmtree(tmp_path / "earlier")
    steps = []
    run(lambda progress: steps.append(progress.step), steps=2, start=tmp_path / "earlier")
    assert steps == [2]


def test_a_run_with_other_settings_is_refused_in_the_same_folder(cancelled):
    for change in ({"seed": 4}, {"variation_weight": 1.0}):
        with pytest.raises(InvalidInput, match=f"{next(iter(change))}.*another --out"):
            cancelled(**change)


def test_a_run_can_be_made_longer(run):
    run(steps=1)
    steps = []
    run(lambda progress: steps.append(progress.step), steps=3)
    assert steps == [2, 3]


def test_a_run_cannot_be_made_shorter_than_it_is(cancelled):
    for steps in (3, 4):
        with pytest.raises(InvalidInput, match="has taken 4 steps already; give more --steps"):
            cancelled(steps=steps)
    assert not (cancelled.out / "models").exists()


@pytest.mark.parametrize("picture", ["paintings-01.png", "new.png"])
def test_a_run_with_other_paintings_is_refused_in_the_same_folder(run, picture):
    run(steps=1)
    make_photo(44, 52, 9).save(run.styles / picture)
    with pytest.raises(InvalidInput, match="another --out"):
        run(steps=1)


def test_a_run_with_other_photographs_is_refused_in_the_same_folder(cancelled):
    """Those that are held out would be others."""
    for name, size in (("new.png", (44, 52)), ("content-01.png", (52, 44))):
        make_photo(*size, 9).save(cancelled.content / name)
        with pytest.raises(InvalidInput, match=r"began with other photographs.*another --out"):
            cancelled()
        (cancelled.content / name).unlink()


def test_a_checkpoint_of_another_version_is_refused(cancelled):
    state = load_checkpoint(cancelled.checkpoint)
    del state["settings"]
    torch.save(state, cancelled.checkpoint)
    with pytest.raises(InvalidInput, match="another version"):
        cancelled()


def test_photos_that_cannot_be_read_are_passed_over(name, run):
    for index in range(1, 13):
        (run.content / f"content-{index:02}.png").write_bytes(b"broken")
    run(steps=1, **({"techniques": 12} if name == "predictor" else {}))  # which redo photographs
    assert run.manifest()["data"]["photographs"] == 4


def test_photos_of_which_all_that_are_held_out_are_broken_are_told_by_name(run):
    for index in (0, 16):
        (run.content / f"content-{index:02}.png").write_bytes(b"broken")
    with pytest.raises(InvalidInput, match=r"content-00\.png, content-16\.png; remove or replace"):
        run(steps=1)


@pytest.fixture
def unseen(monkeypatch):
    """No painting is to be looked at."""
    monkeypatch.setattr(looks, "look", lambda *given: pytest.fail("looked at a painting"))


@pytest.mark.usefixtures("unseen")
def test_a_painting_that_cannot_be_read_is_told_before_all_others_are_looked_at(run):
    (run.styles / "paintings-02.png").write_bytes(b"broken")  # the last one
    with pytest.raises(UnreadableImage, match="paintings-02"):
        run(steps=1)


@pytest.mark.usefixtures("unseen")
def test_a_folder_that_cannot_be_written_to_is_told_before_the_work(run, monkeypatch):
    monkeypatch.setattr("pathlib.Path.touch", full_disk)
    with pytest.raises(UnwritableOutput, match="No space left"):
        run(steps=1)


def test_a_run_that_diverges_says_so_and_keeps_its_checkpoint(run, monkeypatch):
    step = Trainer.take_step

    def explode(self):
        losses = step(self)
        return losses | {"objective": math.nan} if self.step == 3 else losses

    monkeypatch.setattr(Trainer, "take_step", explode)
    with pytest.raises(TrainingDiverged, match="step 3"):
        run()
    assert load_checkpoint(run.checkpoint)["step"] == 2


def test_weights_that_are_not_finite_after_the_last_step_are_not_written(run, monkeypatch):
    step = Trainer.take_step

    def explode(self):
        losses = step(self)
        if self.step == 2:
            with torch.no_grad():
                next(self.model.parameters()).fill_(torch.nan)
        return losses

    monkeypatch.setattr(Trainer, "take_step", explode)
    with pytest.raises(TrainingDiverged, match="after the last step"):
        run(steps=2)
    assert not (run.out / "models").exists()
