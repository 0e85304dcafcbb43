import dataclasses

import pytest
import torch
from conftest import random_style
from safetensors.torch import save_file

from styletransfer.errors import InvalidStyleFile, UnknownStyle
from styletransfer.stylebank import StyleBank, load_style, save_style


@pytest.fixture
def style():
    return random_style("amber", "0" * 64, seed=1)


def test_a_style_comes_back_as_it_was_saved(tmp_path, style):
    save_style(tmp_path / "amber.safetensors", style)
    back = load_style(tmp_path / "amber.safetensors")
    assert back.info == style.info
    assert back.preview == style.preview
    assert torch.equal(back.row, style.row)
    assert torch.equal(back.mean, style.mean)
    assert torch.equal(back.std, style.std)
    assert back.bounds == style.bounds
    torch.testing.assert_close(back.grams["relu1_1"], style.grams["relu1_1"], rtol=1e-3, atol=1e-2)


def test_gram_targets_stay_symmetric(tmp_path, style):
    save_style(tmp_path / "amber.safetensors", style)
    gram = load_style(tmp_path / "amber.safetensors").grams["relu1_1"]
    assert torch.equal(gram, gram.mT)


def test_gram_targets_beyond_half_precision_are_kept_by_their_scale(tmp_path, style):
    large = dataclasses.replace(style, grams={"relu1_1": style.grams["relu1_1"] * 1e7})
    save_style(tmp_path / "large.safetensors", large)
    back = load_style(tmp_path / "large.safetensors")
    torch.testing.assert_close(back.grams["relu1_1"], large.grams["relu1_1"], rtol=1e-3, atol=1e5)


def test_an_unknown_style_is_refused_with_the_nearest_name(tmp_path, style):
    save_style(tmp_path / "amber.safetensors", style)
    bank = StyleBank([tmp_path])
    with pytest.raises(UnknownStyle, match="did you mean 'amber'"):
        bank.load("ambre")
    with pytest.raises(UnknownStyle, match="lists all 1"):
        bank.load("zzz")


def test_a_shipped_style_is_not_hidden_by_a_users_one(tmp_path, style):
    for folder, title in (("shipped", "Shipped"), ("own", "Own")):
        (tmp_path / folder).mkdir()
        info = dataclasses.replace(style.info, title=title)
        save_style(tmp_path / folder / "amber.safetensors", dataclasses.replace(style, info=info))
    bank = StyleBank([tmp_path / "shipped", tmp_path / "own", tmp_path / "missing"])
    assert bank.load("amber").info.title == "Shipped"
    assert [info.title for info in bank.infos().values()] == ["Shipped"]


def test_a_damaged_file_is_refused(tmp_path, style):
    path = tmp_path / "amber.safetensors"
    save_style(path, style)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InvalidStyleFile, match="damaged"):
        load_style(path)


def test_a_damaged_file_does_not_hide_the_others(tmp_path, style):
    save_style(tmp_path / "amber.safetensors", style)
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    assert list(StyleBank([tmp_path]).infos()) == ["amber"]


def test_a_safetensors_file_of_something_else_is_refused(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(InvalidStyleFile, match="not of a style"):
        load_style(tmp_path / "x.safetensors")


@pytest.mark.parametrize("part", ["row", "mean", "std"])
def test_numbers_that_are_not_finite_are_refused(tmp_path, style, part):
    broken = dataclasses.replace(style, **{part: getattr(style, part) * torch.nan})
    save_style(tmp_path / "nan.safetensors", broken)
    with pytest.raises(InvalidStyleFile, match="not finite"):
        load_style(tmp_path / "nan.safetensors")
