import dataclasses
import json
import os

import pytest
import torch
from conftest import TINY, random_style
from safetensors import safe_open
from safetensors.torch import save_file

from styletransfer import stylebank, stylefile
from styletransfer.errors import InvalidInput, InvalidStyleFile, UnknownStyle
from styletransfer.files import package_folder
from styletransfer.stylebank import StyleBank, to_slug
from styletransfer.stylefile import check_style, load_style, save_style


@pytest.fixture
def style():
    return random_style("amber", "0" * 64, seed=1)


def test_a_style_comes_back_as_it_was_saved(tmp_path, style):
    save_style(tmp_path / "amber.safetensors", style)
    back = load_style(tmp_path / "amber.safetensors")
    assert back.info == style.info
    assert back.preview == style.preview
    assert torch.equal(back.row, style.row)
    assert all(torch.equal(back.means[layer], style.means[layer]) for layer in style.means)
    assert all(torch.equal(back.stds[layer], style.stds[layer]) for layer in style.stds)
    assert back.bounds == style.bounds
    torch.testing.assert_close(back.grams["relu1_1"], style.grams["relu1_1"], rtol=1e-3, atol=1e-2)


def test_gram_targets_stay_symmetric(tmp_path, style):
    save_style(tmp_path / "amber.safetensors", style)
    gram = load_style(tmp_path / "amber.safetensors").grams["relu1_1"]
    assert torch.equal(gram, gram.mT)


def test_gram_targets_beyond_half_precision_are_kept_by_their_scale(tmp_path, style):
    large = dataclasses.replace(style, grams={**style.grams, "relu1_1": style.grams["relu1_1"] * 1e7})
    save_style(tmp_path / "large.safetensors", large)
    back = load_style(tmp_path / "large.safetensors")
    torch.testing.assert_close(back.grams["relu1_1"], large.grams["relu1_1"], rtol=1e-3, atol=1e5)


def test_an_unknown_style_is_refused_with_the_nearest_name(tmp_path, style):
    save_style(tmp_path / "amber.safetensors", style)
    bank = StyleBank(tmp_path)
    with pytest.raises(UnknownStyle, match="did you mean 'amber'"):
        bank.load("ambre")
    with pytest.raises(UnknownStyle, match="lists all 1"):
        bank.load("zzz")
    with pytest.raises(UnknownStyle):
        bank.remove(300 * "z")  # which no file is called


def test_a_shipped_style_is_not_hidden_by_a_users_one(tmp_path, style):
    for folder, title in (("shipped", "Shipped"), ("own", "Own")):
        (tmp_path / folder).mkdir()
        info = dataclasses.replace(style.info, title=title)
        save_style(tmp_path / folder / "amber.safetensors", dataclasses.replace(style, info=info))
    bank = StyleBank(tmp_path / "shipped", own=tmp_path / "own")
    assert bank.load("amber").info.title == "Shipped"
    assert [info.title for info in bank.infos().values()] == ["Shipped"]


def test_a_damaged_file_is_refused(tmp_path, style):
    path = tmp_path / "amber.safetensors"
    save_style(path, style)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InvalidStyleFile, match="damaged"):
        load_style(path)


@pytest.mark.parametrize("name", ["bound.relu3_1", "gram.relu3_1", "gamma"])
def test_a_part_that_is_a_single_number_is_refused(tmp_path, style, name):
    path = tmp_path / "amber.safetensors"
    save_style(path, style)
    with safe_open(path, framework="pt") as file:
        metadata, tensors = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}
    assert name in tensors
    save_file(tensors | {name: torch.tensor(1.0)}, path, metadata)
    with pytest.raises(InvalidStyleFile):
        check_style(load_style(path), BASE, TINY.row_length)


@pytest.mark.parametrize("dtype", [torch.float16, torch.int32])
def test_numbers_of_other_formats_are_read_as_floats(tmp_path, style, dtype):
    path = tmp_path / "amber.safetensors"
    save_style(path, style)
    with safe_open(path, framework="pt") as file:
        metadata, tensors = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}
    given = {name: value.to(dtype) for name, value in tensors.items() if name != "preview"}
    save_file(tensors | given, path, metadata)
    back = load_style(path)
    parts = (*back.grams.values(), *back.bounds.values(), *back.means.values(), *back.stds.values(), back.row)
    assert {value.dtype for value in parts} == {torch.float32}


def test_a_damaged_file_does_not_hide_the_others(tmp_path, style, caplog):
    save_style(tmp_path / "amber.safetensors", style)
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    (tmp_path / "._amber.safetensors").write_bytes(b"what a Mac keeps beside a file")
    assert list(StyleBank(tmp_path).paths()) == ["amber", "broken", "other"]
    assert list(StyleBank(tmp_path).infos()) == ["amber"]
    damaged, other = caplog.messages
    assert damaged.startswith(f"{tmp_path / 'broken.safetensors'} is not a style file, or is damaged: ")
    assert damaged.endswith("; it is left out")
    expected = f"{tmp_path / 'other.safetensors'} is a safetensors file, but not of a style; it is left out"
    assert other == expected


def test_a_safetensors_file_of_something_else_is_refused(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(InvalidStyleFile, match="not of a style"):
        load_style(tmp_path / "x.safetensors")


def test_a_description_that_is_nested_too_deep_is_a_damaged_file(tmp_path, style):
    save_style(tmp_path / "amber.safetensors", style)
    save_file({"x": torch.zeros(1)}, tmp_path / "deep.safetensors", {"style": "[" * 100_000})
    with pytest.raises(InvalidStyleFile, match="not of a style"):
        load_style(tmp_path / "deep.safetensors")
    assert list(StyleBank(tmp_path).infos()) == ["amber"]


@pytest.mark.parametrize("part", ["row", "means", "stds", "bounds", "grams"])
def test_numbers_that_are_not_finite_are_refused(tmp_path, style, part):
    value = getattr(style, part)
    value = value * torch.nan if part == "row" else {**value, "relu3_1": value["relu3_1"] * torch.nan}
    broken = dataclasses.replace(style, **{part: value})
    save_style(tmp_path / "nan.safetensors", broken)
    with pytest.raises(InvalidStyleFile, match="not finite"):
        load_style(tmp_path / "nan.safetensors")


# A user's own styles


BASE = "0" * 64


@pytest.fixture
def bank(tmp_path, style):
    (tmp_path / "shipped").mkdir()
    save_style(tmp_path / "shipped" / "amber.safetensors", style)
    return StyleBank(tmp_path / "shipped", own=tmp_path / "own")


@pytest.fixture
def given(tmp_path):
    """A style file from elsewhere."""
    path = tmp_path / "given.safetensors"
    save_style(path, random_style("coral", BASE, seed=2))
    return path


def test_a_file_from_elsewhere_is_taken_over_under_its_name(bank, given):
    assert bank.add_file(given, BASE, TINY.row_length).slug == "coral"
    assert bank.find("coral").read_bytes() == given.read_bytes()
    with pytest.raises(
        InvalidInput, match=r"or remove it first(\n|$)"
    ) as told:  # visitors of the page see that
        bank.add_file(given, BASE, TINY.row_length)
    assert "'styletransfer styles --remove coral'" in told.value.__notes__[0]


def test_a_shipped_style_is_never_replaced_or_removed(bank, tmp_path, style):
    save_style(tmp_path / "given.safetensors", style)
    with pytest.raises(InvalidInput, match="never replaced"):
        bank.add_file(tmp_path / "given.safetensors", BASE, TINY.row_length)
    with pytest.raises(InvalidInput, match="never removed"):
        bank.remove("amber")
    assert list(bank.paths()) == ["amber"]


def test_it_is_said_of_the_source_that_it_cannot_be_read(bank, tmp_path, monkeypatch):
    def closed(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", closed)
    with pytest.raises(InvalidStyleFile, match=r"cannot read .*amber\.safetensors: Permission denied"):
        bank.export("amber", tmp_path / "copy.safetensors")


def test_an_own_style_is_removed(bank, given):
    bank.add_file(given, BASE, TINY.row_length)
    bank.load("coral")
    bank.remove("coral")
    assert list(bank.paths()) == ["amber"]
    with pytest.raises(UnknownStyle):
        bank.load("coral")


def test_a_style_that_was_learned_anew_is_read_anew(bank, given):
    bank.add_file(given, BASE, TINY.row_length)
    first = bank.load("coral")
    bank.remove("coral")
    save_style(given, random_style("coral", BASE, seed=3))
    bank.add_file(given, BASE, TINY.row_length)
    assert not torch.equal(bank.load("coral").row, first.row)


def test_a_style_file_of_the_same_time_is_another_one(bank, given):
    bank.add_file(given, BASE, TINY.row_length)
    path = bank.find("coral")
    os.utime(path, (1, 1))
    first = bank.load("coral")
    save_style(path, random_style("coral", BASE, seed=3))
    os.utime(path, (1, 1))
    assert not torch.equal(bank.load("coral").row, first.row)


def test_a_link_to_nowhere_is_no_style_file(bank, tmp_path):
    (tmp_path / "shipped" / "lost.safetensors").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InvalidStyleFile, match="no such style file"):
        bank.load("lost")


def test_the_small_picture_of_a_style_is_read_alone(bank, given, monkeypatch):
    bank.add_file(given, BASE, TINY.row_length)
    monkeypatch.setattr(stylebank, "load_style", None)
    monkeypatch.setattr(stylefile, "load_style", None)
    assert bank.preview("coral") == random_style("coral", BASE, seed=2).preview
    with pytest.raises(UnknownStyle):
        bank.preview("none")


def without(mapping, name):
    return {key: value for key, value in mapping.items() if key != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {"row": s.row[:, 1:]}, "gamma and beta"),
        (lambda s: {"means": {**s.means, "relu4_1": s.means["relu4_1"][:5]}}, "mean of relu4_1 is of shape"),
        (lambda s: {"stds": {**s.stds, "relu4_1": s.stds["relu4_1"] * 0}}, "not above 0"),
        (lambda s: {"stds": {**s.stds, "relu4_1": s.stds["relu4_1"][:5]}}, "std of relu4_1 is of shape"),
        (lambda s: {"grams": {**s.grams, "relu4_1": s.grams["relu4_1"][:5, :5]}}, "Gram matrix of relu4_1"),
        (lambda s: {"bounds": {**s.bounds, "relu3_1": s.bounds["relu3_1"] * 0}}, "not above 0"),
        (lambda s: {"grams": without(s.grams, "relu5_1")}, "lacks the statistics of relu5_1"),
        (lambda s: {"info": dataclasses.replace(s.info, base_sha256="1")}, "different base network"),
        (lambda s: {"info": dataclasses.replace(s.info, slug="../coral")}, "invalid name"),
        (lambda s: {"info": dataclasses.replace(s.info, title=7)}, "not of a style"),
    ],
)
def test_a_file_from_elsewhere_is_verified(bank, given, change, message):
    style = load_style(given)
    save_style(given, dataclasses.replace(style, **change(style)))
    with pytest.raises(InvalidStyleFile, match=message):
        bank.add_file(given, BASE, TINY.row_length)
    assert list(bank.paths()) == ["amber"]


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("My Style, II", "my-style-ii"),
        ("Café à Arles", "cafe-a-arles"),
        ("神奈川沖浪裏", "神奈川沖浪裏"),
        ("हिन्दी शैली", "हिन्दी-शैली"),
        ("한국 그림", "한국-그림"),
        ("../x", "x"),
    ],
)
def test_a_title_becomes_a_name_that_is_safe_in_a_path(title, slug):
    assert to_slug(title) == slug


@pytest.mark.parametrize("title", ["", "...", "a" * 81])
def test_titles_that_make_no_name_are_refused(title):
    with pytest.raises(InvalidInput, match="name"):
        to_slug(title)


def rewritten(path, info=None, **parts):
    """Replace parts of a style file, and of its description, whatever they are."""
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}
        described = json.loads(file.metadata()["style"])
    save_file(tensors | parts, path, {"style": json.dumps(described | (info or {}))})


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("gram_scale.relu5_1", torch.ones(3, 1, 1), "one element"),
        ("gram.relu5_1", torch.zeros(10**6, 0), r"of shape \(1000000, 0\)"),
    ],
)
def test_no_file_takes_more_memory_than_its_own_size_allows(given, part, value, message):
    rewritten(given, **{part: value})
    with pytest.raises(InvalidStyleFile, match=message):
        load_style(given)


@pytest.mark.parametrize("part", ["gamma", "mean.relu2_1", "gram_scale.relu3_1"])
def test_numbers_that_are_too_large_for_a_float_are_refused(bank, given, part):
    with safe_open(given, framework="pt") as file:
        shape = file.get_tensor(part).shape
    rewritten(given, **{part: torch.full(shape, 1e300, dtype=torch.float64)})
    with pytest.raises(InvalidStyleFile, match="not finite"):
        bank.add_file(given, BASE, TINY.row_length)


def test_a_file_from_elsewhere_that_is_larger_than_any_style_is_not_read(bank, given, monkeypatch):
    monkeypatch.setattr(stylebank, "LARGEST_FILE", given.stat().st_size - 1)
    monkeypatch.setattr(stylebank, "load_style", None)
    with pytest.raises(InvalidStyleFile, match="which no style file has"):
        bank.add_file(given, BASE, TINY.row_length)


def test_a_bound_of_several_numbers_and_layers_that_nothing_reads_are_refused(bank, given):
    content = given.read_bytes()
    rewritten(given, **{"bound.relu4_1": torch.ones(1, 5)})
    with pytest.raises(InvalidStyleFile, match="bound of relu4_1 is of shape"):
        bank.add_file(given, BASE, TINY.row_length)
    given.write_bytes(content)
    names = ("gram", "gram_scale", "bound", "mean", "std")
    rewritten(given, **{f"{name}.relu9_9": torch.ones(1) for name in names})
    with pytest.raises(InvalidStyleFile, match="unknown layer"):
        bank.add_file(given, BASE, TINY.row_length)


@pytest.mark.parametrize("part", ["title", "artist", "year"])
@pytest.mark.parametrize("text", ["half \ud83d", "\x1b[2J", "\x9b2J", "two\nlines", "two\u2028lines"])
def test_a_text_that_would_break_a_page_or_a_terminal_is_refused(bank, given, part, text):
    rewritten(given, {part: text})
    with pytest.raises(InvalidStyleFile, match="not of a style"):
        bank.add_file(given, BASE, TINY.row_length)


@pytest.mark.parametrize("title", ["L’été\xa0!", "می\u200cخواهم", "👩\u200d🎨", "神奈川　沖浪裏"])
def test_spaces_and_marks_of_any_script_are_part_of_a_title(bank, given, title):
    rewritten(given, {"title": title})
    assert bank.add_file(given, BASE, TINY.row_length).title == title
    assert to_slug(f"a {title}")


@pytest.mark.parametrize("title", ["a\x1b[2J", "a\nb"])
def test_no_style_is_learned_under_a_title_that_its_file_could_not_have(title):
    with pytest.raises(InvalidInput, match="cannot be shown"):
        to_slug(title)


def test_half_a_letter_in_a_title_is_left_out_of_the_name():
    assert to_slug("a \ud83d b") == "a-b"


@pytest.mark.parametrize("part", ["recipe", "losses"])
def test_what_a_description_holds_is_written_as_json_again(given, part):
    nested: object = 1
    for _ in range(600):
        nested = [nested]
    content = given.read_bytes()
    for value in (nested, {"a": "half \ud83d"}, {"half \ud83d": 1}):
        given.write_bytes(content)
        rewritten(given, {part: {"a": value}})
        with pytest.raises(InvalidStyleFile, match="not of a style"):
            load_style(given)


def test_every_shipped_style_is_described():
    shipped = StyleBank(package_folder("styles"))
    assert shipped.infos().keys() == shipped.paths().keys() != set()
