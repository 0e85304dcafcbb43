"""Pictures as styles."""

import gc
import os
import shutil
import weakref

import pytest
import torch
from conftest import TINY, calls_by_two_threads, make_photo, random_predictor

from styletransfer import picturestyles
from styletransfer.files import sha256_of
from styletransfer.networks import TransformerNetwork
from styletransfer.picturestyles import PictureStyles
from styletransfer.vgg import STYLE_LAYERS
from styletransfer.weights import BASE_FILE, save_base, save_predictor


def test_a_picture_has_gamma_and_beta_of_the_base_network_at_hand(tiny_models):
    style = PictureStyles(tiny_models, torch.device("cpu")).get(make_photo(60, 80), "picture")
    assert style.row.shape == (2, TINY.row_length)
    assert style.info.base_sha256 == sha256_of(tiny_models / BASE_FILE)


def test_a_picture_is_looked_at_no_deeper_than_its_statistics_are_read(tiny_models):
    style = PictureStyles(tiny_models, torch.device("cpu")).get(make_photo(60, 80), "picture")
    assert tuple(style.grams) == STYLE_LAYERS


@pytest.mark.parametrize("load", ["load_vgg19", "load_predictor"])
def test_networks_are_loaded_once_however_many_ask_at_the_same_time(tiny_models, monkeypatch, load):
    pictures = PictureStyles(tiny_models, torch.device("cpu"))
    loads = calls_by_two_threads(
        monkeypatch, picturestyles, load, lambda: pictures.get(make_photo(32, 32), "picture")
    )
    assert loads == 1


def test_a_picture_is_looked_at_once_and_anew_when_its_file_changes(transfer, photo, tmp_path, monkeypatch):
    file = tmp_path / "painting.png"
    looks = []
    pictures = transfer._pictures
    look_at = pictures._look_at
    monkeypatch.setattr(pictures, "_look_at", lambda *given: looks.append(given) or look_at(*given))
    make_photo(60, 60, seed=3).save(file)
    first, second = (transfer.stylize(photo, file) for _ in range(2))
    assert len(looks) == 1
    assert first.tobytes() == second.tobytes()
    make_photo(60, 60, seed=9).save(file)
    os.utime(file, (1, 1))
    assert transfer.stylize(photo, file).tobytes() != first.tobytes()
    assert len(looks) == 2
    make_photo(50, 60, seed=9).save(tmp_path / "other.png")
    os.utime(tmp_path / "other.png", (1, 1))
    (tmp_path / "other.png").replace(file)
    transfer.stylize(photo, file)
    assert len(looks) == 3


def test_networks_are_given_back_with_their_owner(tiny_models, tmp_path):
    make_photo(60, 60).save(tmp_path / "painting.png")
    gc.disable()
    try:
        pictures = PictureStyles(tiny_models, torch.device("cpu"))
        pictures.get(tmp_path / "painting.png", "painting")
        gone = weakref.ref(pictures)
        del pictures
        assert gone() is None
    finally:
        gc.enable()


def test_the_two_pictures_that_were_used_last_are_kept(transfer, photo, tmp_path, monkeypatch):
    files = {name: tmp_path / f"{name}.png" for name in "abc"}
    for seed, file in enumerate(files.values()):
        make_photo(60, 60, seed=seed).save(file)
    looks, look_at = [], transfer._pictures._look_at
    monkeypatch.setattr(transfer._pictures, "_look_at", lambda *given: looks.append(given) or look_at(*given))
    for name in "abaca":
        transfer.stylize(photo, files[name])
    assert len(looks) == 3


def test_a_picture_is_looked_at_anew_when_the_weight_files_change(tiny_models, tmp_path):
    models = shutil.copytree(tiny_models, tmp_path / "models")
    make_photo(60, 60).save(tmp_path / "painting.png")
    pictures = PictureStyles(models, torch.device("cpu"))
    first = pictures.get(tmp_path / "painting.png", "painting")
    sha256 = save_base(models, TransformerNetwork(TINY), {"command": "another"})
    save_predictor(models, random_predictor(), sha256, {"command": "another"})
    second = pictures.get(tmp_path / "painting.png", "painting")
    assert first.info.base_sha256 != second.info.base_sha256 == sha256
