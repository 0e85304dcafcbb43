"""The parts of the page, each by itself: the pad, sliders, what is restored, the gallery, photos, wishes."""

import asyncio
import math
import os
import re
import shutil
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
import torch
from conftest import make_photo, visitor_with
from gradio.context import LocalContext
from gradio.data_classes import FileData, ImageData, ListFiles
from pages import VISITOR, listeners
from safetensors import safe_open
from safetensors.torch import save_file

from styletransfer import StyleTransfer, images
from styletransfer.core import Progress, StyleInfo
from styletransfer.errors import InvalidInput, UnreadableImage
from styletransfer.page.endpoints import Endpoints
from styletransfer.page.gallery import styles_found, title_of
from styletransfer.page.learn import CURVE
from styletransfer.page.many import ManyTab
from styletransfer.page.pad import corner_weights, pad_place
from styletransfer.page.photo import PhotoInput
from styletransfer.page.restore import as_shown, not_restored
from styletransfer.page.size import listed, side_in, size_input
from styletransfer.page.slider import slider, slider_of
from styletransfer.page.wish import Wish
from styletransfer.settings import STROKE_SIZE, STYLE_SIDE, Optimization


@pytest.mark.parametrize("typed", [None, 0, 3, 1e9, -5])
def test_whatever_is_typed_beside_a_slider_is_a_value_it_has(typed):
    size = slider_of(STROKE_SIZE, "Size")
    anew = type(size)(**{name: value for name, value in size.constructor_args.items() if name != "value"})
    for each in (size, anew):  # as Gradio makes it anew to update it
        assert each.preprocess(typed) == {None: 1, 0: 0.25, 3: 3, 1e9: 4, -5: 0.25}[typed]


@pytest.mark.parametrize("weights", [[30, 70], [50, 25, 25], [0, 0, 100], [100, 100, 100], [1, 2, 3, 6]])
def test_the_point_of_the_pad_stands_where_the_weights_are(weights):
    found = corner_weights(len(weights), *pad_place(weights))
    assert found == pytest.approx([weight / sum(weights) for weight in weights])


@pytest.mark.parametrize("weights", [[], [5], [0, 0], [1, 0, 0, 1]])
def test_the_point_of_the_pad_is_on_it_whatever_the_weights(weights):
    assert pad_place(weights) == (0.5, 0.5)


@pytest.mark.parametrize("search", ["cézanne", "CEZANNE", "cezanne mont"])
def test_who_searches_need_not_type_accents(search, tmp_path):
    info = StyleInfo("mont", "Mont Sainte-Victoire", artist="Paul Cézanne")
    found = styles_found(
        SimpleNamespace(
            transfer=SimpleNamespace(own_styles=[], styles={"mont": info}, style_preview=lambda _: b""),
            previews=tmp_path,
            styles_on_photo={},
        ),
        search,
        [],
    )
    assert [caption for _, caption in found["value"]] == ["Mont Sainte-Victoire · Paul Cézanne"]


def test_a_name_that_cannot_be_learned_is_told_before_it_waits(learn_tab, photo_file):
    tab, values = learn_tab
    tab.visitors.shared_styles = False
    values = values | {tab.picture: str(photo_file), tab.name: "Mine"}
    tab._check(values, VISITOR)
    (tab.visitors.of(VISITOR).own.folder / "styles" / "mine.safetensors").touch()
    for name, message in (("Mine", "exists already"), ("Amber", "never replaced"), ("!", "no letter")):
        with pytest.raises(InvalidInput, match=message):
            tab._check(values | {tab.name: name}, VISITOR)


def test_titles_of_learned_styles_are_whole():
    assert title_of(StyleInfo("a", "Sunset (warm)")) == "Sunset (warm)"
    assert title_of(StyleInfo("b", "Udnie (Young American Girl)", artist="Picabia")) == "Udnie"


def test_the_settings_of_a_painting_are_its_own_alone(paint_tab, tmp_path):
    tab, values = paint_tab
    it = tab.controls
    given = values | {it.picture: str(tmp_path / "painting.jpg"), it.picture_slider: 30}
    base = {"method": "cin", "strength": 0.5}
    of_others = tab.restorer._settings_of(base | {"styles": {"amber": 1.0}}, given, VISITOR)
    assert of_others[it.picture] is None
    assert of_others[it.chosen] == ["amber"]
    of_it = tab.restorer._settings_of(base | {"styles": {"amber": 0.25, "painting.jpg": 0.75}}, given, VISITOR)
    assert it.picture not in of_it
    assert of_it[it.picture_slider] == gr.update(visible=True, value=75)
    assert "25 %" in of_it[it.mix]
    with pytest.warns(UserWarning, match="not available here: gone"):
        assert tab.restorer._settings_of(base | {"styles": {"gone": 1.0}}, values, VISITOR) == {}


def test_a_painting_of_styles_that_are_gone_changes_nothing(paint_tab, tmp_path):
    tab, values = paint_tab
    painted = images.to_pil(torch.rand(1, 3, 20, 20), metadata={"styles": {"gone": 1.0}})
    images.save_picture(painted, tmp_path / "painted.png")
    given = values | {tab.controls.restore: str(tmp_path / "painted.png")}
    with pytest.warns(UserWarning, match="not available here: gone"), pytest.raises(gr.Error, match="None of"):
        tab.restorer.restore(given, VISITOR)


def test_a_gallery_whose_pictures_were_tidied_up_is_drawn_anew(paint_tab):
    tab, values = paint_tab
    visitor = tab.visitors.of(VISITOR)
    for folder in (visitor.folder, visitor.previews):
        shutil.rmtree(folder)
    shown = tab.choices.search(values, VISITOR)["value"]
    assert shown
    assert all(Path(file).exists() for file, _ in shown)


def test_settings_from_a_file_fit_the_sliders():
    size = slider(0.5, 2, 1, 0.1, "Size")
    values = (4, 0.1, 1.5, None, "x", math.nan)
    assert [as_shown(size, value) for value in values] == [2, 0.5, 1.5, 1, 1, 1]


@pytest.mark.parametrize(
    "found",
    [
        {"styles": {"blue": 1e308, "amber": -1}, "optimization": [], "size": "large", "method": ["cin"]},
        {"styles": {"blue": "x"}},
        {"styles": {"blue": 10**400}},
        {"styles": {"blue": math.nan}},
        {"styles": ["blue"]},
    ],
)
def test_settings_that_somebody_made_up_do_no_harm(paint_tab, tmp_path, found):
    tab, values = paint_tab
    painted = images.to_pil(torch.rand(1, 3, 20, 20), metadata=found)
    images.save_picture(painted, tmp_path / "photo.png")
    updates = tab.restorer.photo_given(values, VISITOR)
    weights = [updates[each]["value"] for each in tab.controls.sliders if updates.get(each, {}).get("visible")]
    assert sorted(weights) == ([0, 100] if found["styles"] == {"blue": 1e308, "amber": -1} else [])


@pytest.mark.parametrize(
    ("lacking", "told"),
    [
        ({}, None),
        ({"chosen": [], "picture": "painting.jpg"}, None),
        ({"chosen": []}, "Choose a style in the gallery."),
    ],
)
def test_who_gives_a_photo_is_asked_for_a_style_only_where_there_is_none(paint_tab, lacking, told):
    tab, values = paint_tab
    given = {getattr(tab.controls, name): value for name, value in lacking.items()}
    assert tab.restorer.photo_given(values | given, VISITOR).get(tab.controls.note) == told


def test_what_the_page_cannot_restore_is_told():
    found = {"size": 1280, "masks": ["udnie"], "color_mode": "statistics"}
    assert not_restored(found, 6) == ["styles beyond the first 4", "regions"]
    assert not_restored({"size": 1280, "color_mode": "statistics"}, 4) == []
    assert not_restored({"keep": True}, 1) == not_restored({"style_masks": ["art.png"]}, 1) == ["regions"]
    page_like, other = asdict(Optimization(seconds=90)), asdict(Optimization(style_scale=2))
    assert not_restored({"optimization": page_like}, 1) == []
    assert not_restored({"optimization": other}, 1) == ["advanced settings of the optimisation"]


def test_the_size_and_the_way_colours_were_kept_come_back_as_they_were(paint_tab):
    tab, values = paint_tab
    it, restored = tab.controls, []
    for found in (
        {"size": 1280, "color_mode": "statistics"},
        {"size": 2048, "color_mode": "statistics"},
        {"size": None},
        {"size": True},
        {"size": "large", "color_mode": "none"},
        {"size": 10**9, "color_mode": ["luminance"]},
    ):
        updates = tab.restorer._settings_of(found | {"styles": {"amber": 1.0}}, values, VISITOR)
        restored.append((updates[it.size], updates[it.color_mode]))
    assert restored == [("1280 px", "statistics"), (2048, "statistics"), *[(0, "luminance")] * 4]


def test_the_finest_method_comes_back_with_its_time(paint_tab):
    tab, values = paint_tab
    found = {"styles": {"amber": 1.0}, "method": "gatys", "optimization": {"seconds": 90}}
    updates = tab.restorer._settings_of(found, values, VISITOR)
    assert (updates[tab.controls.method], updates[tab.controls.seconds]) == ("Finest", 90)


@pytest.mark.parametrize(
    ("typed", "side"),
    [(1024, 1024), (0, 0), ("1920", 1920), (" 1500 px ", 1500), ("as the photo", 0), ("", 1024), (None, 1024)],
)
def test_a_size_is_chosen_or_typed(typed, side):
    size = size_input("Size", "size")
    assert size.get_config()["allow_custom_value"]
    assert side_in(size.preprocess(typed)) == side
    assert not side or side_in(listed(side)) == side


@pytest.mark.parametrize("typed", ["large", "1920x1080", "-5", 1500.5, "20000", "9999999"])
def test_a_size_that_is_none_is_told_where_one_is_needed_and_nowhere_else(photo_file, typed):
    wish = Wish({"amber": 1.0}, size=side_in(typed))
    wish.check_pictures()
    with pytest.raises(InvalidInput, match=r"the size is .*1 to 16384"):
        wish.painted_size(photo_file)


def test_a_picture_without_settings_is_told(paint_tab, photo_file):
    tab, values = paint_tab
    with pytest.raises(gr.Error, match="this picture contains no settings"):
        tab.restorer.restore(values | {tab.controls.restore: str(photo_file)}, VISITOR)


@pytest.mark.parametrize("lacking", ["picture", "name"])
def test_a_style_is_learned_from_a_picture_and_has_a_name(learn_tab, photo_file, lacking):
    tab, values = learn_tab
    given = {tab.picture: str(photo_file), tab.name: "Mine"} | {
        getattr(tab, lacking): {"name": " "}.get(lacking)
    }
    with pytest.raises(InvalidInput, match="give a picture to learn from, and a name"):
        tab._check(values | given, VISITOR)


def test_a_style_is_learned_as_long_and_with_strokes_as_large_as_wished(learn_tab, photo_file, monkeypatch):
    tab, values = learn_tab
    given = []

    def train_style(self, picture, name, *, seconds, style_side, on_step):
        given.append((seconds, style_side))
        raise InvalidInput("enough")

    monkeypatch.setattr(StyleTransfer, "train_style", train_style)
    wished = {tab.picture: str(photo_file), tab.name: "Mine", tab.seconds: 10, tab.style_side: 640}
    with pytest.raises(gr.Error, match="enough"):
        list(tab._learn(values | wished, VISITOR))
    assert given == [(10, 640)]
    assert tab.style_side.value == STYLE_SIDE


def test_the_time_that_is_left_is_less_where_all_steps_are_taken_before_it_is_over(
    learn_tab, photo_file, monkeypatch
):
    tab, values = learn_tab

    def train_style(*_, on_step, **__):
        on_step(Progress(1, 5, {"content": 1.0, "style": 1.0}, torch.rand(1, 3, 20, 30)))
        raise InvalidInput("enough")

    monkeypatch.setattr(StyleTransfer, "train_style", train_style)
    wished = {tab.picture: str(photo_file), tab.name: "Mine", tab.seconds: 40, tab.style_side: 128}
    told = []
    with pytest.raises(gr.Error, match="enough"):
        told.extend(tab._learn(values | wished, VISITOR))
    assert re.search(r"Step 1, \d s left", told[-1][0])


def test_losses_are_plotted_smoothly_beside_a_preview(learn_tab):
    tab, _ = learn_tab
    curve = [(step, loss, "photo") for step, loss in enumerate((4.0, 0.0, 4.0))]
    without = tab._progress(Progress(1, 4, {"content": 1.0}), 40, curve)
    assert without[1:] == (gr.skip(),) * 3
    bar, preview, plot, _ = tab._progress(Progress(1, 4, {"content": 1.0}, torch.rand(1, 3, 20, 30)), 40, curve)
    assert "30 s left" in bar
    assert preview["value"].size == (30, 20)
    frame = plot["value"]
    assert list(frame.columns) == CURVE
    assert list(frame["step"]) == [0, 1, 2]
    first, *later = frame["loss"]
    assert first == 4
    assert all(0 < loss < 4 for loss in later)
    assert plot["visible"]


def test_a_style_without_a_preview_leaves_the_others_theirs(tiny_styles, transfer, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    with safe_open(tiny_styles / "amber.safetensors", framework="pt") as file:
        save_file({"gamma": file.get_tensor("gamma")}, own / "bare.safetensors", file.metadata())
    visitor = visitor_with(transfer.with_styles(own), tmp_path)
    shown = styles_found(visitor, "", [])["value"]
    assert any(Path(file).name.startswith("bare-") for file, _ in shown)


@pytest.mark.parametrize(
    ("count", "x", "y", "expected"),
    [
        (1, 0.3, 0.9, [1]),
        (2, 0.25, 0.9, [0.75, 0.25]),
        (3, 0.5, 1.0, [0, 0, 1]),
        (4, 0.0, 0.0, [1, 0, 0, 0]),
        (4, 0.5, 0.5, [0.25] * 4),
    ],
)
def test_the_pad_is_bilinear(count, x, y, expected):
    assert corner_weights(count, x, y) == pytest.approx(expected)


def test_a_picture_is_known_by_its_absolute_path_however_it_was_sent(photo_file, monkeypatch):
    monkeypatch.setattr("styletransfer.page.photo.check_all_files_in_cache", lambda _: None)
    for sent in (str(photo_file), os.path.relpath(photo_file)):
        found = Path(PhotoInput().preprocess(ImageData(path=sent)))
        assert found.is_absolute()
        assert found.samefile(photo_file)


def test_files_that_are_given_leave_no_others_behind_and_were_uploaded(learn_tab, photo_file, tmp_path):
    tab, _ = learn_tab
    with gr.Blocks() as page:
        files = ManyTab(tab.paint_tab).files
        files.change(lambda _: None, files)
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    given = FileData(path=str(photo_file))
    assert files.preprocess(ListFiles([given])) == [str(photo_file)]
    for button in (tab.paint_tab.controls.restore, tab.add):
        assert button.preprocess(given) == str(photo_file)
    assert not list(uploads.iterdir())
    [changed] = listeners(files)
    page.has_launched = True

    async def send(file):
        LocalContext.blocks.set(page)
        await page.preprocess_data(changed, [[file]], None)

    for file in (given.model_dump(), {"path": str(photo_file)}):
        with pytest.raises(Exception, match=r"not uploaded by a user|must be explicitly provided"):
            asyncio.run(send(file))


def test_a_picture_that_takes_much_memory_to_read_is_refused_whatever_size_is_wished_for(
    learn_tab, transfer, photo_file, tmp_path, monkeypatch
):
    monkeypatch.setattr("styletransfer.page.wish.MAX_PIL_PIXELS", 96 * 128 - 1)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", None)
    message = "128x96 pixels, more than the 12,287 that the page takes"
    with pytest.raises(UnreadableImage, match=message):
        Wish({"amber": 1.0}, size=10).painted_size(photo_file)
    small = tmp_path / "small.png"
    make_photo(20, 20).save(small)
    for use in (Wish.painted_size, lambda wish, photo: wish.paint(transfer, photo)):
        with pytest.raises(UnreadableImage, match=message):
            use(Wish({str(photo_file): 1.0}, size=10), small)
    with pytest.raises(UnreadableImage, match=message):
        visitor_with(transfer, tmp_path).shown(str(photo_file))
    tab, values = learn_tab
    with pytest.raises(UnreadableImage, match=message):
        tab._check(values | {tab.picture: str(photo_file), tab.name: "Mine"}, VISITOR)
    with gr.Blocks():
        endpoints = Endpoints(tab.visitors)
    with pytest.raises(gr.Error, match=message):
        endpoints.train_style(str(photo_file), "Mine", 1, 400, VISITOR)
