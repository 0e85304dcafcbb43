"""Learning one style from one picture."""

import dataclasses
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from conftest import TINY, full_disk, make_photo, random_predictor, soon
from PIL import Image
from trainers import write_pictures

from styletransfer.adam import Adam
from styletransfer.checkpoints import load_checkpoint
from styletransfer.core import Progress
from styletransfer.errors import (
    Cancelled,
    InvalidInput,
    StyleTransferError,
    TrainingDiverged,
    UnwritableOutput,
)
from styletransfer.stylebank import LONGEST_SLUG
from styletransfer.stylefile import check_style, load_style
from styletransfer.targets import StyleTarget, style_target
from styletransfer.training import data, style_job
from styletransfer.training.data import built_in_crops
from styletransfer.training.looks import Looks
from styletransfer.training.repetition import LAGS, REPETITION_LAYER
from styletransfer.training.settings import StyleTraining
from styletransfer.training.style import Start, StyleFitter, predicted_start
from styletransfer.training.style_job import StyleJob, train_style
from styletransfer.vgg import STYLE_LAYERS, channels, load_vgg19
from styletransfer.weights import save_base, save_predictor

SMALL = StyleTraining(steps=8, side=32, crops=6, style_side=64, warmup_steps=1)


@pytest.fixture
def frozen(network):
    return network.requires_grad_(False)


def make_fitter(vgg, network, settings=SMALL, repetition=1.0):
    generator = torch.Generator().manual_seed(1)
    crops = [torch.rand(1, 3, 32, 32, generator=generator) for _ in range(settings.crops)]
    target = style_target(vgg, torch.rand(1, 3, 64, 64, generator=generator))
    row = torch.randn(2, TINY.row_length, generator=generator)
    allowed = torch.full((1, channels(REPETITION_LAYER), len(LAGS)), repetition)
    return StyleFitter(vgg, network, Start(row, torch.ones_like(row)), Looks(target, allowed), crops, settings)


# Where a fit begins


def test_a_fit_begins_with_the_predicted_row(vgg, generator):
    predictor = random_predictor()
    target = style_target(vgg, torch.rand(1, 3, 64, 64, generator=generator))
    start = predicted_start(target, predictor)
    assert torch.equal(start.row, predictor(target.means, target.stds)[0])
    assert torch.equal(start.std, predictor.row_spread)


# The fit


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_fit_lowers_the_objective_and_leaves_the_network_alone(frozen, dtype):
    before = {name: value.clone() for name, value in frozen.state_dict().items()}
    fitter = make_fitter(load_vgg19(STYLE_LAYERS[-1], dtype=dtype), frozen)
    objectives = [fitter.take_step(0.0)["objective"] for _ in range(24)]
    assert sum(objectives[-6:]) < 0.8 * sum(objectives[:6])
    assert all(torch.equal(value, before[name]) for name, value in frozen.state_dict().items())


def test_a_fit_keeps_from_repeating_what_neither_painting_nor_photo_repeats(vgg, frozen):
    def fitted(**more):
        fitter = make_fitter(vgg, frozen, **more)
        fitter.take_step(0.0)
        return fitter.row()

    assert not torch.equal(fitted(repetition=-1.0), fitted(repetition=1.0))
    indifferent = dataclasses.replace(SMALL, repetition_weight=0.0)
    assert torch.equal(fitted(settings=indifferent, repetition=-1.0), fitted(repetition=1.0))


def test_resuming_a_fit_is_exact(vgg, frozen):
    whole = make_fitter(vgg, frozen)
    straight = [whole.take_step(step / 8) for step in range(6)]
    first = make_fitter(vgg, frozen)
    for step in range(3):
        first.take_step(step / 8)
    second = make_fitter(vgg, frozen)
    second.restore(first.state())
    assert [second.take_step(step / 8) for step in range(3, 6)] == straight[3:]
    assert torch.equal(whole.row(), second.row())


def test_without_averaging_the_row_is_the_last_one(vgg, frozen):
    fitter = make_fitter(vgg, frozen, dataclasses.replace(SMALL, average=0.0))
    fitter.take_step(0.0)
    last = (fitter.start.row + fitter.start.std * fitter.offset).detach()
    assert not torch.equal(last, fitter.start.row)
    torch.testing.assert_close(fitter.row(), last)


@pytest.mark.parametrize("which", ["momentum", "square_momentum", "variation_weight"])
def test_a_fit_follows_its_settings(vgg, frozen, which):
    fitters = [make_fitter(vgg, frozen, dataclasses.replace(SMALL, **{which: value})) for value in (0.5, 0.6)]
    for fitter in fitters:
        fitter.take_step(0.0)
        fitter.take_step(0.0)
    assert not torch.equal(fitters[0].row(), fitters[1].row())


def test_a_fit_goes_back_to_where_its_losses_were_finite(vgg, frozen, monkeypatch):
    monkeypatch.setattr("styletransfer.training.style.SNAPSHOT_STEPS", 2)
    straight, loss = make_fitter(vgg, frozen), StyleTarget.loss
    for _ in range(2):
        straight.take_step(0.0)
    reached = straight.offset.detach().clone()
    fitter = make_fitter(vgg, frozen)

    def broken(*arguments):
        return loss(*arguments) * (torch.nan if torch.equal(fitter.offset, reached) else 1.0)

    monkeypatch.setattr(StyleTarget, "loss", broken)
    for _ in range(5):  # the third goes back to the beginning
        fitter.take_step(0.0)
    assert (fitter.step, fitter.rate_scale) == (3, 0.5)
    assert fitter.row().isfinite().all()


def test_a_fit_that_stays_broken_ends_with_an_error(vgg, frozen, monkeypatch):
    fitter = make_fitter(vgg, frozen)
    monkeypatch.setattr(StyleTarget, "loss", lambda self, features: torch.full((1,), torch.nan))
    with pytest.raises(TrainingDiverged, match="lowered"):
        fitter.take_step(0.0)


def test_the_built_in_crops_are_of_photographs_and_some_textures(monkeypatch):
    monkeypatch.setattr(data, "texture", lambda side, generator: torch.full((1, 3, side, side), 0.5))
    crops = built_in_crops(8, 48, torch.Generator().manual_seed(0))
    assert [crop.shape for crop in crops] == [(1, 3, 48, 48)] * 8
    assert not torch.equal(crops[0], crops[1])
    again = built_in_crops(8, 48, torch.Generator().manual_seed(0))
    assert all(torch.equal(one, other) for one, other in zip(crops, again, strict=True))
    flat = [index for index, crop in enumerate(crops) if crop.std() == 0]
    assert flat == [3, 7]  # not the first one, which is shown as the preview


# From picture to style file


@pytest.fixture
def learn(tmp_path, tiny_models, monkeypatch):
    """Learns a style with the tiny network: returns it; further arguments are those of the job."""
    monkeypatch.setattr("styletransfer.training.style_job.CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr("styletransfer.training.style_job.PREVIEW_SECONDS", 0)

    def learn(image=None, *, settings=SMALL, dtype=torch.float32, on_step=None, **more):
        picture = image or make_photo(80, 70, seed=9)
        named = {"title": "My Style", "slug": "my-style", "command": "test", "models": tiny_models, **more}
        job = StyleJob(picture, folder=tmp_path / "own", **named)
        return train_style(job, settings, torch.device("cpu"), dtype, on_step)

    return learn


def test_the_result_is_a_style_file_like_the_shipped_ones(learn, tmp_path):
    style = learn()
    back = load_style(tmp_path / "own" / "my-style.safetensors")
    check_style(back, style.info.base_sha256, TINY.row_length)
    assert back.info == style.info
    assert back.info.title == "My Style"
    assert back.info.licence == ""  # the file holds a small copy of the user's picture
    assert back.info.recipe["steps"] == 8
    assert set(back.info.losses) == {"content", "style"}
    assert back.preview[:2] == b"\xff\xd8"
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["my-style.safetensors"]


def test_a_fit_in_half_precision_sees_pictures_as_exactly_as_its_target_was_seen(learn, monkeypatch):
    seen = []

    class Watched(StyleFitter):
        def __init__(self, vgg, *more):
            seen.append((vgg.mean.dtype, vgg.std.dtype, vgg.dtype))
            super().__init__(vgg, *more)

    monkeypatch.setattr(style_job, "StyleFitter", Watched)
    learn(settings=dataclasses.replace(SMALL, steps=1), dtype=torch.bfloat16)
    assert seen == [(torch.float32, torch.float32, torch.bfloat16)]


def test_a_title_that_is_no_unicode_is_written_nevertheless(learn, tmp_path):
    learn(title=os.fsdecode(b"caf\xe9"), slug="caf")
    assert load_style(tmp_path / "own" / "caf.safetensors").info.title == "caf\ufffd"


def test_the_same_picture_gives_the_same_style(learn):
    assert torch.equal(learn().row, learn().row)


def test_a_style_that_came_by_that_name_meanwhile_stays(learn, tmp_path):
    there = tmp_path / "own" / "my-style.safetensors"

    def on_step(progress):
        there.write_bytes(b"another")

    assert learn(on_step=on_step).info.slug == "my-style-2"
    assert there.read_bytes() == b"another"
    assert load_style(tmp_path / "own" / "my-style-2.safetensors").info.title == "My Style"


def test_names_that_are_taken_are_counted_up_and_stay_short_enough(learn):
    slug = "ö" * (LONGEST_SLUG // 2)
    found = [learn(slug=slug, settings=dataclasses.replace(SMALL, steps=1)).info.slug for _ in range(3)]
    assert found == [slug, f"{slug[:-1]}-2", f"{slug[:-1]}-3"]


def test_progress_has_losses_and_previews(learn):
    seen: list[Progress] = []
    learn(on_step=seen.append)
    assert [progress.step for progress in seen] == list(range(1, 9))
    assert all({"objective", "content", "style"} == set(progress.losses) for progress in seen)
    assert seen[-1].preview.shape == (1, 3, 32, 32)


def test_cancelling_keeps_what_has_been_learned(learn, tmp_path):
    def on_step(progress):
        if progress.step == 3:
            raise Cancelled

    style = learn(on_step=on_step)
    assert style.info.recipe["steps"] == 3
    assert load_style(tmp_path / "own" / "my-style.safetensors").info == style.info


def interrupt(progress):
    if progress.step == 4:
        raise KeyboardInterrupt


def test_an_interrupted_fit_goes_on_as_if_nothing_had_been(learn, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        learn(on_step=interrupt)
    assert [path.name for path in (tmp_path / "own").iterdir()] == [".my-style.unfinished"]
    seen: list[Progress] = []
    resumed = learn(resume=True, on_step=seen.append)
    assert [progress.step for progress in seen] == [5, 6, 7, 8]
    assert resumed.info.recipe["steps"] == 8
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["my-style.safetensors"]
    assert torch.equal(resumed.row, learn().row)


def test_a_step_that_is_interrupted_half_way_is_taken_again(learn, monkeypatch):
    straight, step = learn(settings=SMALL, slug="straight").row, Adam.step
    calls = []

    def interrupted(self, *given):
        step(self, *given)
        calls.append(self)
        if len(calls) == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(Adam, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        learn()
    seen: list[Progress] = []
    assert torch.equal(learn(resume=True, on_step=seen.append).row, straight)
    assert seen[0].step == 6


def test_a_fit_that_is_interrupted_after_it_went_back_goes_on_at_half_the_rate(learn, tmp_path, monkeypatch):
    loss, calls = StyleTarget.loss, []

    def broken(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return loss(*arguments) * (torch.nan if len(calls) == 2 else 1.0)

    monkeypatch.setattr(StyleTarget, "loss", broken)
    with pytest.raises(KeyboardInterrupt):
        learn()
    fit = load_checkpoint(tmp_path / "own" / ".my-style.unfinished")["fit"]
    assert (fit["step"], fit["rate_scale"]) == (0, 0.5)


def test_an_unfinished_fit_of_another_picture_or_network_is_not_gone_on_with(learn, network, tmp_path):
    sha256 = save_base(tmp_path / "other", network, {"command": "another"})
    save_predictor(tmp_path / "other", random_predictor(), sha256, {"command": "none"})
    with pytest.raises(InvalidInput, match="no unfinished fit"):
        learn(resume=True)
    with pytest.raises(KeyboardInterrupt):
        learn(on_step=interrupt)
    with pytest.raises(InvalidInput, match="used another picture"):
        learn(make_photo(80, 70, seed=10), resume=True)
    with pytest.raises(InvalidInput, match="used another"):
        learn(resume=True, models=tmp_path / "other")


@pytest.mark.parametrize("missing", ["seconds", "offset"])
def test_an_unfinished_fit_of_another_version_is_told(learn, tmp_path, missing):
    with pytest.raises(KeyboardInterrupt):
        learn(on_step=interrupt)
    path = tmp_path / "own" / ".my-style.unfinished"
    state = load_checkpoint(path)
    del (state if missing in state else state["fit"])[missing]
    torch.save(state, path)
    with pytest.raises(InvalidInput, match="another version"):
        learn(resume=True)


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("RGB", (90, 80), (120, 120, 120)),
        Image.new("L", (90, 80), 0),
        Image.new("RGBA", (90, 80), (9, 90, 200, 0)),
        make_photo(40, 30),
        make_photo(20, 600),
    ],
    ids=["grey", "black", "transparent", "tiny", "scroll"],
)
def test_poor_pictures_still_make_a_sound_style(learn, picture):
    style = learn(picture)
    check_style(style, style.info.base_sha256, TINY.row_length)
    assert style.row.isfinite().all()


def test_a_picture_too_large_for_the_memory_is_told(learn, monkeypatch):
    def full(*given):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(style_job, "look", full)
    with pytest.raises(InvalidInput, match="too small for a picture of 64x73 pixels; give a smaller size"):
        learn()


def test_a_folder_that_cannot_be_written_to_is_told_before_the_work(learn, tmp_path, monkeypatch):
    (tmp_path / "own").mkdir()
    monkeypatch.setattr(Path, "touch", full_disk)
    seen: list[Progress] = []
    with pytest.raises(UnwritableOutput, match="No space left"):
        learn(on_step=seen.append)
    assert seen == []


def test_a_full_disk_leaves_no_style_file(learn, tmp_path, monkeypatch):
    def full(path, content):
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        full_disk()

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(StyleTransferError, match="No space left"):
        learn()
    assert not list((tmp_path / "own").glob("*.safetensors"))


KILLED = """
from conftest import make_photo, narrow_vgg
from styletransfer import StyleTransfer
from styletransfer.training import style_job

style_job.CHECKPOINT_SECONDS = 0
with narrow_vgg():
    transfer = StyleTransfer(device="cpu", models_dir={models!r}, styles_dir={styles!r})
    transfer.train_style(make_photo(60, 60, seed=5), "Mine", seconds=600, folder={folder!r})
"""


def test_a_fit_that_is_killed_leaves_no_style_and_can_be_continued(transfer, tmp_path):
    script = KILLED.format(
        models=str(transfer._models_dir), styles=str(transfer._bank.own), folder=str(tmp_path)
    )
    tests = Path(__file__).parent
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tests, env=os.environ | {"PYTHONPATH": str(tests.parent)}
    )
    unfinished = tmp_path / ".mine.unfinished"

    def taken():
        return load_checkpoint(unfinished)["fit"]["step"] if unfinished.exists() else 0

    try:
        assert soon(lambda: taken() > 1, 120)
    finally:
        process.kill()
        process.wait()
    assert not list(tmp_path.glob("*.safetensors"))
    steps = taken()
    painting = make_photo(60, 60, seed=5)
    style = transfer.train_style(painting, "Mine", steps=1, folder=tmp_path, resume=True)
    assert style.info.recipe["steps"] == steps
    assert load_style(tmp_path / "mine.safetensors").info == style.info


def test_a_disk_that_is_full_for_a_checkpoint_is_one_clear_line(learn, monkeypatch):
    def full(*_):
        raise RuntimeError("[enforce fail at inline_container.cc] unexpected pos")  # PyTorch's way to say so

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(UnwritableOutput, match="unfinished"):
        learn()


def test_a_fit_that_is_interrupted_at_once_can_be_gone_on_with(learn, monkeypatch):
    monkeypatch.setattr(style_job, "CHECKPOINT_SECONDS", 1000)
    with pytest.raises(KeyboardInterrupt):
        learn(on_step=interrupt)
    assert learn(resume=True).info.recipe["steps"] == SMALL.steps


def test_a_fit_that_its_caller_drops_leaves_nothing(learn, tmp_path):
    """Such as the page, once the visitor has left it."""

    def drop(progress):
        if progress.step == 2:
            raise RuntimeError("dropped")

    with pytest.raises(RuntimeError, match="dropped"):
        learn(on_step=drop)
    assert not list((tmp_path / "own").iterdir())


@pytest.mark.parametrize("is_dropped", [True, False])
def test_a_short_fit_leaves_the_unfinished_one_of_another_picture(learn, tmp_path, monkeypatch, is_dropped):
    def drop(progress):
        raise RuntimeError("dropped")

    with pytest.raises(KeyboardInterrupt):
        learn(on_step=interrupt)
    monkeypatch.setattr(style_job, "CHECKPOINT_SECONDS", 1000)
    with pytest.raises(RuntimeError, match="dropped") if is_dropped else nullcontext():
        learn(make_photo(60, 60, seed=1), on_step=drop if is_dropped else None)
    assert (tmp_path / "own" / ".my-style.unfinished").exists()


@pytest.fixture
def step_of_a_tenth_of_a_second(monkeypatch):
    """By a clock that stands still otherwise; returns what lets it go on by some seconds."""
    now, take_step = 0.0, StyleFitter.take_step

    def wait(seconds):
        nonlocal now
        now += seconds

    def timed(fitter, share):
        wait(0.1)
        return take_step(fitter, share)

    monkeypatch.setattr(StyleFitter, "take_step", timed)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    return wait


def test_where_time_counts_the_steps_to_come_are_an_estimate(learn, step_of_a_tenth_of_a_second):
    seen = []
    learn(settings=dataclasses.replace(SMALL, steps=100_000, seconds=0.5), on_step=seen.append)
    assert [(progress.step, progress.steps) for progress in seen] == [(step, 5) for step in range(1, 6)]


def test_photographs_of_ones_own_serve_as_content(learn, tmp_path, monkeypatch):
    write_pictures(tmp_path, photos=3)
    own = learn(content=tmp_path / "photos")
    assert own.info.recipe["data"] == {"photographs": "photos"}
    monkeypatch.chdir(tmp_path / "photos")
    for path in (Path(), Path("..", "photos", "..", "photos", "nested", "..")):
        (tmp_path / "photos" / "nested").mkdir(exist_ok=True)
        assert learn(content=path, slug="here").info.recipe["data"] == {"photographs": "photos"}
    assert not torch.equal(own.row, learn(slug="built-in").row)


def test_one_photograph_is_enough_to_learn_on(learn, tmp_path):
    write_pictures(tmp_path, photos=1)
    assert learn(content=tmp_path / "photos", settings=dataclasses.replace(SMALL, steps=1))
    with pytest.raises(InvalidInput, match="subfolders are not searched; give a folder with at least 1"):
        learn(content=tmp_path)


def test_an_unfinished_fit_that_is_damaged_is_told(learn, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / ".my-style.unfinished").write_bytes(b"no checkpoint at all")
    with pytest.raises(InvalidInput, match="damaged"):
        learn(resume=True)


def test_who_watches_takes_no_time_from_the_fit(learn, step_of_a_tenth_of_a_second):
    style = learn(
        settings=dataclasses.replace(SMALL, steps=100_000, seconds=1.0),
        on_step=lambda progress: step_of_a_tenth_of_a_second(5),
    )
    assert style.info.recipe["steps"] == pytest.approx(10, abs=1)
    assert style.info.recipe["seconds"] == pytest.approx(1, abs=0.2)
