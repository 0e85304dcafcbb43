"""Learning styles through the API, and where they are kept."""

import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import make_photo

from styletransfer import StyleTransfer
from styletransfer.errors import InvalidInput, MissingWeights
from styletransfer.stylefile import load_style


def test_learning_a_style_leaves_all_others_as_they_are(transfer, photo, tmp_path):
    folder = shutil.copytree(transfer._bank.own, tmp_path / "own")
    own = StyleTransfer(device="cpu", models_dir=transfer._models_dir, styles_dir=folder)
    files = {file: file.read_bytes() for file in [*folder.iterdir(), *transfer._models_dir.iterdir()]}
    names = own.own_styles
    paintings = [own.stylize(photo, name).tobytes() for name in names]
    own.train_style(make_photo(60, 60, seed=5), "Mine", steps=2)
    assert own.own_styles == sorted([*names, "mine"])
    assert {file: file.read_bytes() for file in files} == files
    assert [own.stylize(photo, name).tobytes() for name in names] == paintings


@pytest.mark.parametrize(("whole", "real"), [(int, float), (np.int64, np.float32)])
def test_how_long_and_how_large_a_style_is_learned_can_be_said(transfer, tmp_path, whole, real):
    wish = {"steps": whole(3), "seconds": real(900), "style_side": whole(80)}
    transfer.train_style(make_photo(60, 60, seed=5), "Mine", **wish, folder=tmp_path)
    told = load_style(tmp_path / "mine.safetensors").info
    assert told.recipe["steps"] == 3
    assert wish.items() <= told.recipe["settings"].items()
    assert told.style_side == 80


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": "10"}, "steps is '10'; it must be a whole number above 0"),
        ({"steps": 2.5}, "steps is 2.5"),
        ({"seconds": math.inf}, "seconds is inf; it must be a finite number above 0"),
        ({"style_side": 80.5}, "style size is 80.5; it must be a whole number"),
        ({"name": None}, "the name is None"),
    ],
)
def test_what_a_style_cannot_be_learned_by_is_told_before_the_work(transfer, tmp_path, wrong, message):
    with pytest.raises(InvalidInput, match=message):
        transfer.train_style(make_photo(60, 60), **{"name": "Mine", "folder": tmp_path / "new", **wrong})
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_fit_is_gone_on_with_though_its_name_is_taken_meanwhile(transfer, tmp_path):
    def interrupt(progress):
        raise KeyboardInterrupt

    def learn(**more):
        return transfer.train_style(make_photo(60, 60, seed=5), "Mine", steps=2, folder=tmp_path, **more)

    with pytest.raises(KeyboardInterrupt):
        learn(on_step=interrupt)
    (tmp_path / "mine.safetensors").write_bytes(b"another")
    assert learn(resume=True).info.slug == "mine-2"
    assert (tmp_path / "mine.safetensors").read_bytes() == b"another"


def test_an_interrupted_fit_never_takes_the_name_of_a_shipped_style(transfer, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer._bank, "shipped", [transfer._bank.own])
    with pytest.raises(InvalidInput, match="'amber' is a shipped style"):
        transfer.train_style(make_photo(60, 60), "Amber", folder=tmp_path, resume=True)


def test_without_a_home_all_works_but_what_is_written_there(ship, tiny_styles, tmp_path, monkeypatch):
    def homeless(name):
        raise RuntimeError("could not determine the home directory")

    ship()
    monkeypatch.setattr("styletransfer.stylefolders.user_data_path", homeless)
    transfer = StyleTransfer(device="cpu")
    assert list(transfer.styles) == ["amber", "blue", "coral"]
    for write in (
        lambda: transfer.train_style(make_photo(60, 60), "Mine", steps=1),
        lambda: transfer.train_style(make_photo(60, 60), "Mine", steps=1, resume=True),
        lambda: transfer.import_style(tiny_styles / "amber.safetensors"),
        lambda: transfer.check_name("Mine"),
    ):
        with pytest.raises(InvalidInput, match="set HOME or give --styles-dir"):
            write()
    assert transfer.train_style(make_photo(60, 60), "Mine", steps=1, folder=tmp_path).info.slug == "mine"


def test_a_home_that_is_not_known_is_no_folder_called_tilde(ship, monkeypatch):
    ship()
    monkeypatch.setattr("styletransfer.stylefolders.user_data_path", lambda name: Path("~/.local/share") / name)
    with pytest.raises(InvalidInput, match="set HOME or give --styles-dir"):
        StyleTransfer(device="cpu").train_style(make_photo(60, 60), "Mine", steps=1)


def test_a_home_that_is_closed_to_this_user_holds_no_styles(ship, tmp_path, monkeypatch):
    def closed_below_home(function):
        def asked(path=".", *given, **how):
            if str(path).startswith(str(tmp_path)):
                raise PermissionError(13, "Permission denied", str(path))
            return function(path, *given, **how)

        return asked

    ship()
    monkeypatch.setattr("styletransfer.stylefolders.user_data_path", lambda name: tmp_path / name)
    for name in ("stat", "listdir", "scandir"):
        monkeypatch.setattr(os, name, closed_below_home(getattr(os, name)))
    assert list(StyleTransfer(device="cpu").styles) == ["amber", "blue", "coral"]
    with pytest.raises(InvalidInput, match="is not a folder of styles"):
        StyleTransfer(device="cpu", styles_dir=tmp_path / "styles")
    with pytest.raises(MissingWeights, match="is missing"):
        StyleTransfer(device="cpu", models_dir=tmp_path).stylize(make_photo(60, 60), "amber")


def test_the_folder_of_the_shipped_styles_can_be_named_as_the_own_one(ship, tmp_path):
    ship(tmp_path)
    transfer = StyleTransfer(device="cpu", styles_dir=tmp_path)
    assert transfer.train_style(make_photo(60, 60), "Mine", steps=1).info.slug == "mine"
    assert (tmp_path / "mine.safetensors").exists()


def test_a_style_is_learned_and_at_once_usable(transfer, photo, tmp_path):
    own = StyleTransfer(device="cpu", models_dir=transfer._models_dir, styles_dir=transfer._bank.own)
    own.train_style(make_photo(60, 60, seed=5), "Mine", steps=1, folder=tmp_path)
    with pytest.raises(InvalidInput, match="already"):  # in that folder, wherever the own styles are
        own.train_style(make_photo(60, 60, seed=6), "Mine", steps=1, folder=tmp_path)
    mine = StyleTransfer(device="cpu", models_dir=transfer._models_dir, styles_dir=tmp_path)
    assert mine.own_styles == ["mine"]
    assert mine.stylize(photo, "mine").size == photo.size
    mine.remove_style("mine")
    assert mine.own_styles == []
