"""The page without a browser: what its controls and handlers make of what visitors do."""

import math
import os
import shutil
import socket
import stat
import tempfile
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import httpx
import numpy as np
import pytest
import torch
from conftest import make_photo, visitor_with
from gradio import routes
from gradio.data_classes import ImageData
from PIL import Image, ImageChops, ImageStat
from safetensors import safe_open
from safetensors.torch import save_file

from styletransfer import StyleTransfer, images
from styletransfer.core import Progress, StyleInfo
from styletransfer.errors import Cancelled, InvalidInput, UnreadableImage
from styletransfer.estimate import matrix_rate
from styletransfer.images.formats import LONGEST_SIDES
from styletransfer.page import many, serve, visitors, work
from styletransfer.page import site as site_module
from styletransfer.page.controls import YOURS, mix_text, region_of, titles_of
from styletransfer.page.endpoints import Endpoints
from styletransfer.page.gallery import LOOK_SIDE, StylePictures, title_of
from styletransfer.page.learn import LearnTab
from styletransfer.page.pad import corner_weights, pad_place
from styletransfer.page.paint import PaintTab
from styletransfer.page.photo import PhotoInput
from styletransfer.page.restore import as_shown, not_restored
from styletransfer.page.sheet import SheetTab
from styletransfer.page.slider import slider, slider_of
from styletransfer.page.visitors import on_white
from styletransfer.page.wish import EVERYWHERE, INSIDE, OUTSIDE, Wish
from styletransfer.page.work import Dropped, Halt, alone, follow, telling
from styletransfer.settings import STROKE_SIZE, Optimization
from styletransfer.stylebank import load_style, save_style


@pytest.fixture(autouse=True)
def uploads_folder(tmp_path, monkeypatch):
    """Given, or else `serve` would give one to the whole process."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))


@pytest.fixture
def paint_tab(transfer, tmp_path):
    """The first tab without a browser, and what its controls hold, a photo and a style among it."""
    make_photo(60, 80).save(tmp_path / "photo.png")
    with gr.Blocks():
        tab = PaintTab(visitors.Visitors(transfer, shared_styles=True), StylePictures(tmp_path), [])
    it = tab.controls
    values = {component: component.value for component in it.all}
    yield tab, values | {it.photo: str(tmp_path / "photo.png"), it.chosen: ["blue"], it.search: ""}
    tab.visitors.close()


VISITOR = gr.Request(session_hash="a")


def click_on(picture):
    """What Gradio says of a click on a picture of a gallery."""
    value = {"image": {"orig_name": Path(picture).name}, "caption": ""}
    return gr.SelectData(None, {"index": 0, "value": value})


def listeners(component, event):
    """What runs at an event of a component, and after that."""
    page = component
    while page.parent:
        page = page.parent
    found = [each for each in page.fns.values() if (component._id, event) in each.targets]
    for one in found:
        found += [each for each in page.fns.values() if each.trigger_after == one._id]
    return found


def test_a_preview_that_comes_late_does_not_replace_the_painting(paint_tab):
    tab, values = paint_tab
    it = tab.controls
    assert it.result in tab.preview(values, VISITOR)
    list(tab.paint(values, VISITOR))
    assert it.result not in tab.preview(values, VISITOR)
    assert it.result in tab.preview(values | {it.strength: 0.5}, VISITOR)


def test_what_is_shown_already_is_not_painted_again_until_something_else_is_shown(paint_tab):
    tab, values = paint_tab
    *_, told = tab.paint_live(values, VISITOR)
    note = told[tab.controls.note]
    assert "painted in" in note
    mix, again = tab.paint_live(values, VISITOR)
    assert set(mix) == {tab.controls.mix, tab.controls.pad}
    assert again == {tab.controls.note: note}
    tab.preview(values | {tab.controls.strength: 0.5}, VISITOR)
    assert len(list(tab.paint_live(values, VISITOR))) > 2


def test_a_format_chosen_while_a_painting_waits_for_its_turn_counts(paint_tab):
    tab, values = paint_tab
    list(tab.paint(values, VISITOR))
    tab._save_again("JPEG", VISITOR)
    *_, told = tab.paint(values | {tab.controls.strength: 0.5}, VISITOR)  # in line before
    assert told[tab.controls.download]["value"].endswith(".jpeg")


def test_a_painting_is_encoded_once_in_a_format_as_long_as_its_file_is_there(paint_tab):
    tab, values = paint_tab
    *_, told = tab.paint(values, VISITOR)
    file = Path(told[tab.controls.download]["value"])
    assert tab._nothing_painted(VISITOR)[tab.controls.download]["value"] == str(file)
    file.unlink()
    again = Path(tab._nothing_painted(VISITOR)[tab.controls.download]["value"])
    assert again.exists()
    assert again != file


def test_a_painting_that_the_chosen_format_cannot_hold_can_be_saved_in_another(paint_tab, monkeypatch):
    tab, values = paint_tab
    visitor, paint = tab.visitors.of(VISITOR), Wish.paint

    def long(*given):
        visitor.file_format = "WebP"  # chosen while it is painted
        return paint(*given).resize((17_000, 1))

    monkeypatch.setattr(Wish, "paint", long)
    with pytest.warns(UserWarning, match="WebP"):
        list(tab.paint(values, VISITOR))
    assert tab._save_again("PNG", VISITOR)["value"].endswith(".png")


def test_what_was_painted_before_can_be_downloaded_where_nothing_came_of_the_next(paint_tab, monkeypatch):
    tab, values = paint_tab
    assert not tab._nothing_painted(VISITOR)[tab.controls.download]["interactive"]
    list(tab.paint(values, VISITOR))
    visitor = tab.visitors.of(VISITOR)
    painted = visitor.painted

    def fail(*_):
        raise InvalidInput("no")

    monkeypatch.setattr(Wish, "paint", fail)
    with pytest.warns(UserWarning, match="no"):
        *_, told = tab.paint(values | {tab.controls.strength: 0.5}, VISITOR)
    assert told[tab.controls.note] == "Nothing was painted."
    assert visitor.painted is painted
    visitor.file_format = "WebP"  # chosen meanwhile
    assert tab._nothing_painted(VISITOR)[tab.controls.download]["value"].endswith(".webp")


def test_previews_of_a_painting_that_fails_take_the_place_of_the_one_before(paint_tab, monkeypatch):
    tab, values = paint_tab
    list(tab.paint(values, VISITOR))

    def fail(self, transfer, photo, on_step):
        on_step(Progress(1, 2, preview=torch.rand(1, 3, 20, 20)))
        raise InvalidInput("no memory")

    monkeypatch.setattr(Wish, "paint", fail)
    with pytest.warns(UserWarning, match="no memory"):
        *_, told = tab.paint(values | {tab.controls.method: "Finest"}, VISITOR)
    assert tab.visitors.of(VISITOR).painted is None
    assert not told[tab.controls.download]["interactive"]


def test_the_painting_that_is_shown_can_be_downloaded_whatever_became_of_others(paint_tab, monkeypatch):
    tab, values = paint_tab
    it = tab.controls
    for strength in (0.4, 0.7):
        list(tab.paint(values | {it.strength: strength}, VISITOR))
    *_, first = tab.visitors.of(VISITOR).own.earlier

    meanwhile = [lambda: tab._show_earlier(click_on(first.small), VISITOR), lambda: None, first.file.unlink]

    def stopped(*_):
        meanwhile.pop(0)()
        raise Cancelled

    monkeypatch.setattr(Wish, "paint", stopped)
    for _ in range(2):
        *_, told = tab.paint(values, VISITOR)
        assert told[it.download] == gr.update(value=str(first.file), interactive=True)
    assert tab._save_again("JPEG", VISITOR) == gr.skip()  # it is kept as it is
    *_, told = tab.paint(values, VISITOR)
    assert not told[it.download]["interactive"]


def test_a_painting_too_large_for_a_format_is_told_and_stays(paint_tab, monkeypatch):
    tab, values = paint_tab
    it = tab.controls
    monkeypatch.setitem(LONGEST_SIDES, "WEBP", 1000)
    list(tab.paint(values, VISITOR))
    painted = tab.visitors.of(VISITOR).painted
    with pytest.raises(gr.Error, match=r"^'WebP files cannot have 1024 x 768 pixels; choose PNG"):
        tab._save_again("WebP", VISITOR)
    monkeypatch.setattr(Wish, "paint", lambda *_: pytest.fail("painted what cannot be saved"))
    with pytest.warns(UserWarning, match="WebP files cannot have 1024 x 768 pixels"):
        *_, told = tab.paint(values | {it.strength: 0.5}, VISITOR)
    assert told[it.note] == "Nothing was painted."
    assert tab.visitors.of(VISITOR).painted is painted


@pytest.mark.parametrize(
    "change",
    [
        *(("gallery", "select"), ("picture", "change"), ("photo", "change"), ("method", "change")),
        *(("pad", "input"), ("restore", "upload"), ("region", "apply"), ("region", "clear")),
        *(("size", "input"), ("picture_place", "input"), ("elsewhere", "release"), ("strength", "release")),
    ],
)
def test_whatever_changes_the_painting_paints_it(paint_tab, change):
    tab, _ = paint_tab
    name, event = change
    assert "paint_live" in [each.name for each in listeners(getattr(tab.controls, name), event)]


def test_what_the_finest_method_lacks_is_told_before_it_waits(paint_tab):
    tab, values = paint_tab
    it = tab.controls
    ordered, *later = listeners(it.finest_button, "click")
    assert all(each.trigger_only_on_success for each in later if each.trigger_after == ordered._id)
    without = {it.sliders[0]: 0, it.sliders[1]: 0, it.chosen: ["amber", "blue"]}
    for lacking, message in (
        ({it.photo: None}, "Choose a photo first"),
        ({it.chosen: []}, "Choose a style"),
        (without, "give at least one"),
        ({it.size: 16_384}, "choose a smaller size"),
    ):
        with pytest.raises(gr.Error, match=message):
            ordered.fn(values | lacking, VISITOR)
    [order] = ordered.fn(values, VISITOR).values()
    assert order == values


@pytest.mark.parametrize("on_photo", [False, True])
def test_a_click_means_the_picture_that_was_clicked_whatever_the_gallery_lists_by_then(paint_tab, on_photo):
    tab, values = paint_tab
    it = tab.controls
    tab._look_on(on_photo, values[it.photo], VISITOR)
    pictures = {caption.partition(" ")[0]: file for file, caption in tab._search("", [], VISITOR)["value"]}
    chosen = [tab._choose(values, click_on(pictures[title]), VISITOR)[it.chosen] for title in ("Coral", "Blue")]
    assert chosen == [["blue", "coral"], []]


def test_one_style_alone_is_painted_wherever_its_hidden_slider_was_left(paint_tab):
    tab, values = paint_tab
    assert tab.controls.wish(values | {tab.controls.sliders[0]: 0}).styles == {"blue": 100}


def test_a_chosen_style_that_is_gone_is_chosen_no_more(paint_tab):
    tab, values = paint_tab
    places = {tab.controls.places[1]: OUTSIDE, tab.controls.sliders[1]: 40}
    it = tab.controls
    updates = tab.rechosen(["gone", "coral"], values | places | {it.chosen: ["blue", "coral"]}, VISITOR)
    assert updates[it.chosen] == ["coral"]
    assert len(updates[it.gallery]["value"]) == len(tab.visitors.of(VISITOR).transfer.styles)
    assert updates[it.mix] == ""
    shown = [each for each in updates.values() if isinstance(each, dict) and each.get("visible")]
    assert [(each["label"], each["value"]) for each in shown] == [("Coral", OUTSIDE)]


def test_what_is_transparent_in_a_photo_is_white_on_the_page_and_no_part_of_its_painting(paint_tab, tmp_path):
    tab, values = paint_tab
    cut_out = Image.new("RGBA", (400, 400), (255, 0, 0, 0))
    cut_out.paste(make_photo(200, 200), (100, 100))
    cut_out.save(tmp_path / "photo.png")
    visitor = tab.visitors.of(VISITOR)
    assert visitor.shown(str(tmp_path / "photo.png")).getpixel((5, 5)) == (255, 255, 255)
    _, preview = tab.preview(values, VISITOR)[tab.controls.result]
    painted = visitor.transfer.stylize(cut_out, "blue", size=384)
    expected = on_white(painted).resize((1024, 1024), Image.Resampling.BILINEAR)
    with Image.open(preview) as shown:
        assert max(ImageStat.Stat(ImageChops.difference(shown, expected)).mean) < 6
        assert shown.getpixel((20, 20)) == (255, 255, 255)


def test_a_name_in_a_file_of_others_is_text_in_all_messages(paint_tab):
    tab, values = paint_tab
    error, text = InvalidInput("no <img src=x>"), "no &lt;img src=x&gt;"
    with pytest.raises(gr.Error, match=f"^'{text}'$"), telling():
        raise error
    with pytest.warns(UserWarning, match=f"^{text}$"):
        work.tell(error)
    with pytest.warns(UserWarning, match="not available here: &lt;img src=x&gt;"):
        tab._settings_of({"styles": {"<img src=x>": 1.0}}, values, VISITOR)


def test_errors_call_a_photo_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with pytest.raises(gr.Error, match=r"^'my photo.png is no picture'$"), telling():
        raise InvalidInput(f"{tmp_path}/0123456789abcdef/my photo.png is no picture")


@pytest.mark.parametrize(
    ("host", "share", "shared"),
    [
        ("127.0.0.1", False, True),
        ("localhost", False, True),
        ("0.0.0.0", False, False),
        ("192.168.1.5", False, False),
        ("127.0.0.1", True, False),
    ],
)
def test_beyond_this_machine_styles_are_the_visitors_own(transfer, monkeypatch, host, share, shared):
    built = []
    page = SimpleNamespace(queue=lambda **_: None, launch=lambda **_: None)
    monkeypatch.setattr(site_module, "build_page", lambda _, **wishes: built.append(wishes) or page)
    serve(transfer, host=host, share=share, wait=False)
    assert built[0]["shared_styles"] == shared


def test_uploads_lie_in_a_folder_of_their_own_unless_one_is_given(transfer, tmp_path, monkeypatch):
    page = SimpleNamespace(queue=lambda **_: None, launch=lambda **_: None)
    monkeypatch.setattr(site_module, "build_page", lambda *_, **__: page)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    given = os.environ["GRADIO_TEMP_DIR"]
    serve(transfer, wait=False)
    assert os.environ["GRADIO_TEMP_DIR"] == given
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    monkeypatch.setattr(routes, "DEFAULT_TEMP_DIR", "")
    serve(transfer, wait=False)
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    assert str(folder) == routes.DEFAULT_TEMP_DIR
    assert folder.parent == tmp_path.resolve()
    assert os.name == "nt" or stat.S_IMODE(folder.stat().st_mode) == 0o700  # other users cannot look into it


def test_the_speed_of_the_machine_is_measured_before_anybody_paints(
    tiny_models, tiny_styles, tmp_path, monkeypatch
):
    monkeypatch.setattr("styletransfer.api.package_folder", lambda _: tiny_styles)
    matrix_rate.cache_clear()
    site_module._load_networks(StyleTransfer(device="cpu", models_dir=tiny_models, styles_dir=tmp_path))
    assert matrix_rate.cache_info().currsize == 1


def test_a_page_with_a_password_shows_nothing_without_it(transfer, photo_file):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    page, address = serve(transfer, port=port, auth=("me", "secret"), wait=False), f"http://127.0.0.1:{port}"
    files = {"files": photo_file.read_bytes()}
    with httpx.Client(base_url=address) as visitor:
        assert visitor.get("/config").status_code == 401
        assert visitor.post("/gradio_api/upload", files=files).status_code == 401
        assert visitor.post("/login", data={"username": "me", "password": "guess"}).status_code == 400
        assert visitor.post("/login", data={"username": "me", "password": "secret"}).status_code == 200
        assert visitor.get("/config").status_code == 200
        assert visitor.post("/gradio_api/upload", files=files).status_code == 200
    page.close()


def edited(*layers):
    return {"background": "photo.webp", "layers": list(layers), "composite": None}


def test_a_region_is_what_was_painted_on_the_photo():
    empty = Image.new("RGBA", (40, 30))
    layer = empty.copy()
    layer.paste((255, 0, 0, 255), (0, 0, 10, 30))
    layer.paste((0, 0, 255, 255), (20, 0, 30, 30))
    assert region_of(edited()) is region_of(edited(empty)) is region_of(None) is None
    painted = np.asarray(region_of(edited(layer))) > 0
    assert painted[:, :10].all()
    assert painted[:, 20:30].all()
    assert painted.mean() == 0.5


def test_the_first_region_is_where_the_styles_belong_and_others_leave_them_where_they_are(paint_tab):
    tab, values = paint_tab
    it, layer = tab.controls, Image.new("RGBA", (40, 30), "red")
    first = tab._region_painted(values | {it.region: edited(layer)})
    assert first[it.where]["visible"]
    assert {first[place] for place in (*it.places, it.picture_place)} == {INSIDE}
    later = tab._region_painted(values | {it.region: edited(layer), it.region_mask: first[it.region_mask]})
    assert set(later) == {it.region_mask, it.where}
    none = tab._region_painted(values | {it.region: edited(), it.region_mask: first[it.region_mask]})
    assert none[it.region_mask] is None
    assert not none[it.where]["visible"]


def test_a_style_that_comes_in_while_there_is_a_region_is_used_inside_it(paint_tab):
    tab, values = paint_tab
    it = tab.controls
    values = values | {it.places[0]: OUTSIDE}
    with gr.Blocks():
        sheet = SheetTab(tab.visitors, tab, gr.Tabs())
    for region, expected in ((None, EVERYWHERE), (Image.new("L", (40, 30), 255), INSIDE)):
        updates = tab.rechosen(["blue", "coral"], values | {it.region_mask: region}, VISITOR)
        assert [updates[place]["value"] for place in it.places[:2]] == [OUTSIDE, expected]
        updates = sheet._choose(values | {it.region_mask: region}, click_on("coral-320.jpg"), VISITOR)
        assert updates[it.places[0]]["value"] == expected


@pytest.mark.parametrize(
    ("places", "elsewhere", "expected"),
    [
        ({"blue": INSIDE}, 1.0, {"blue": (255, 0)}),
        ({"blue": OUTSIDE}, 0.4, {"blue": (0, 102)}),
        ({"blue": EVERYWHERE}, 0.4, {"blue": (255, 102)}),
        ({"blue": INSIDE, "coral": OUTSIDE}, 1.0, {"blue": (255, 0), "coral": (0, 255)}),
    ],
)
def test_styles_belong_inside_or_outside_of_what_was_painted(places, elsewhere, expected):
    region = Image.new("L", (40, 30))
    region.paste(255, (0, 0, 20, 30))
    masks = Wish(dict.fromkeys(places, 50.0), places, region, elsewhere).masks()
    found = {name: tuple(np.asarray(mask.convert("L"))[5, [5, 35]].tolist()) for name, mask in masks.items()}
    assert found == expected


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
def test_who_searches_need_not_type_accents(search, transfer, tmp_path):
    info = StyleInfo("mont", "Mont Sainte-Victoire", artist="Paul Cézanne")
    found = StylePictures(tmp_path).found(
        SimpleNamespace(
            transfer=SimpleNamespace(own_styles=[], styles={"mont": info}, style_preview=lambda _: b""),
            folder=tmp_path,
            looks={},
        ),
        search,
        [],
    )
    assert [caption for _, caption in found["value"]] == ["Mont Sainte-Victoire · Paul Cézanne"]


def test_the_gallery_shows_the_styles_on_the_visitors_photo_on_wish(paint_tab, tmp_path):
    tab, values = paint_tab
    photo = values[tab.controls.photo]

    def shown():
        return [Path(file).read_bytes() for file, _ in tab._search("", [], VISITOR)["value"]]

    usual = shown()
    tab._look_on(True, photo, VISITOR)
    on_photo = shown()
    assert len(on_photo) == len(usual)
    visitor = tab.visitors.of(VISITOR)
    assert {"amber", "blue", "coral"} <= visitor.looks.keys()
    for name in ("amber", "blue"):
        visitor.transfer.stylize(visitor.scaled(photo, LOOK_SIDE), name).save(tmp_path / "a.jpg", quality=88)
        assert visitor.looks[name].read_bytes() == (tmp_path / "a.jpg").read_bytes()
    tab._look_on(True, None, VISITOR)  # the photo is taken away
    assert shown() == usual


def test_the_styles_on_a_photo_wait_for_no_long_work(paint_tab):
    tab, values = paint_tab
    visitor, looked, ended = tab.visitors.of(VISITOR), threading.Event(), []

    def long_work(on_step):
        for _ in range(1000):  # at most ten seconds
            if looked.is_set():
                break
            time.sleep(0.01)
            on_step(Progress(0, 2))
        ended.append(looked.is_set())

    learning = threading.Thread(target=list, args=(follow(long_work, visitor.long),))
    learning.start()
    tab._look_on(True, values[tab.controls.photo], VISITOR)
    looked.set()
    learning.join()
    assert ended == [True]
    assert {"amber", "blue", "coral"} <= visitor.looks.keys()


def test_short_work_that_comes_without_end_does_not_stop_long_work():
    done, given_up = threading.Event(), threading.Event()

    def short(_):  # ends when the next one waits, so that one always does
        while not (work._turns._waiting or done.is_set() or given_up.is_set()):
            time.sleep(0.001)

    def busy():
        while not (done.is_set() or given_up.is_set()):
            list(follow(short, Halt(), short=True))

    def long_work(on_step):
        for step in range(3):
            on_step(Progress(step, 3))
        done.set()

    threads = [threading.Thread(target=busy, daemon=True) for _ in range(2)]
    threads.append(threading.Thread(target=list, args=(follow(long_work, Halt()),), daemon=True))
    for thread in threads:
        thread.start()
    is_done = done.wait(10)
    given_up.set()
    for thread in threads:
        thread.join(10)
    assert is_done


def test_what_a_program_asked_for_is_dropped_when_it_is_gone(paint_tab):
    tab, _ = paint_tab
    visitor = tab.visitors.of(VISITOR)
    before = (visitor.long, visitor.short)
    visitor.on_page = True
    tab.visitors.leave(VISITOR)  # as a phone does that is locked
    assert (visitor.long, visitor.short) == before
    visitor.on_page = False
    tab.visitors.leave(VISITOR)
    for halt, short in zip(before, (False, True), strict=True):
        with pytest.raises(Dropped), alone(halt, short=short):
            pytest.fail("began what nobody waits for")
    for halt, short in ((visitor.long, False), (visitor.short, True)):  # it may come back
        with alone(halt, short=short) as on_step:
            on_step(Progress(0, 2))


def test_a_tab_that_the_server_forgot_paints_among_what_is_its_owners(paint_tab):
    tab, values = paint_tab
    own = tab.visitors.of(VISITOR).own
    back = gr.Request(session_hash="b")
    *_, told = tab.paint(values | {tab.controls.key: own.key}, back)
    assert told[tab.controls.key] == own.key
    assert tab.visitors.of(back).own is own


@pytest.fixture
def learn_tab(paint_tab):
    tab, values = paint_tab
    with gr.Blocks():
        return LearnTab(tab.visitors, tab), values


def test_a_tab_that_the_server_forgot_imports_a_style_among_what_is_its_owners(
    learn_tab, transfer, tmp_path, monkeypatch
):
    tab, values = learn_tab
    tab.visitors.shared_styles = False
    file = tmp_path / "mine.safetensors"
    style = load_style(transfer._bank.find("amber"))
    save_style(file, replace(style, info=replace(style.info, slug="mine")))
    own, back = tab.visitors.of(VISITOR).own, gr.Request(session_hash="b")
    values = values | {tab.paint_tab.controls.key: own.key, tab.add: str(file)}
    assert "Amber" in tab._add(values, back)
    tab.listing(values, back)
    assert own.transfer.own_styles == ["mine"]


def test_a_name_that_cannot_be_learned_is_told_before_it_waits(learn_tab, photo_file):
    tab, values = learn_tab
    tab.visitors.shared_styles = False
    values = values | {tab.picture: str(photo_file), tab.name: "Mine"}
    tab._check(values, VISITOR)
    (tab.visitors.of(VISITOR).own.folder / "styles" / "mine.safetensors").touch()
    for name, message in (("Mine", "exists already"), ("Amber", "never replaced"), ("!", "no letter")):
        with pytest.raises(InvalidInput, match=message):
            tab._check(values | {tab.name: name}, VISITOR)


def test_nothing_of_a_removed_style_is_shown_in_any_tab_of_who_had_it(learn_tab, transfer, tmp_path):
    tab, values = learn_tab
    shared = transfer.with_styles(tmp_path)
    shutil.copy(transfer._bank.find("amber"), tmp_path / "mine.safetensors")
    one, other, stranger = (tab.visitors.of(gr.Request(session_hash=name)) for name in "abc")
    painted = visitors.Painted("photo.png", Wish({"mine": 1.0}), Image.new("RGB", (8, 6)), "")
    for visitor in (one, other, stranger):
        visitor.own = visitors.Belongings(transfer if visitor is stranger else shared, tmp_path)
        visitor.painted, visitor.looks = painted, {"mine": tmp_path, "amber": tmp_path}
    tab._remove(values | {tab.own: "mine"}, VISITOR)
    for visitor in (one, other):
        assert visitor.painted is None
        assert visitor.looks.keys() == {"amber"}
    assert stranger.painted is painted
    assert stranger.looks.keys() == {"mine", "amber"}


def test_a_style_that_is_gone_is_not_taken_for_the_visitors_picture(transfer, tmp_path):
    assert titles_of(transfer, ["blue", "gone", str(tmp_path / "a.png")]) == ["Blue", "gone", YOURS]


def test_titles_of_learned_styles_are_whole():
    assert title_of(StyleInfo("a", "Sunset (warm)")) == "Sunset (warm)"
    assert title_of(StyleInfo("b", "Udnie (Young American Girl)", artist="Picabia")) == "Udnie"


def test_earlier_paintings_come_back_and_outlive_the_page(paint_tab, monkeypatch):
    monkeypatch.setattr(visitors, "KEPT_PAINTINGS", 2)
    tab, values = paint_tab
    it, contents = tab.controls, []
    for strength in (0.4, 0.7, 1.0):
        *_, told = tab.paint(values | {it.strength: strength}, VISITOR)
        contents.append(Path(told[it.download]["value"]).read_bytes())
        assert told[it.earlier]["visible"]
    after = gr.Request(session_hash="b")
    tab.visitors.recognised(tab.visitors.of(VISITOR).own.key, after)
    for request in (VISITOR, after):
        visitor = tab.visitors.of(request)
        _, (second, _) = tab.earlier(request)[it.earlier]["value"]
        shown = tab._show_earlier(click_on(second), request)
        assert Path(shown[it.download]["value"]).read_bytes() == contents[1]
        assert all(Path(file).exists() for file in shown[it.result])
        assert "Blue" in shown[it.note]
        assert visitor.painted.file == Path(shown[it.download]["value"])
    own = visitor.own.folder
    assert len(list(own.rglob("*-painted.png"))) == 2
    for painting in own.rglob("*-painted.png"):
        painting.unlink()  # as systems do that clean up temporary folders
    with pytest.raises(gr.Error, match="no longer here"):
        tab._show_earlier(click_on(second), VISITOR)
    tab.visitors.close()
    assert not own.exists()


def test_stop_ends_what_the_tab_paints_and_no_learning_beside_it(paint_tab, monkeypatch):
    tab, values = paint_tab
    visitor = tab.visitors.of(VISITOR)
    asked = []

    def paint(self, transfer, photo, on_step):
        visitor.long.stopped = False
        tab.visitors.stop_painting(VISITOR)
        asked.append((visitor.short.stopped, visitor.long.stopped))
        return Image.new("RGB", (80, 60))

    monkeypatch.setattr(Wish, "paint", paint)
    fast = list(tab.paint(values, VISITOR))
    finest = list(tab.paint(values | {tab.controls.method: "Finest"}, VISITOR))
    assert asked == [(True, False), (True, True)]
    visitor.short.stopped = visitor.long.stopped = False
    tab.visitors.stop_painting(VISITOR)  # nothing is painted
    assert not visitor.long.stopped
    for told in (fast, finest):
        assert told[-2][tab.controls.stop_button] == gr.update(interactive=False)
    visitor.painting.append(visitor.long)  # the finest is at work
    *_, before_last, _ = tab.paint(values | {tab.controls.strength: 0.5}, VISITOR)
    assert before_last[tab.controls.stop_button] == gr.update(interactive=True)


def test_the_button_of_what_is_fast_paints_nothing_that_takes_long(paint_tab):
    tab, values = paint_tab
    *_, told = tab.paint_live(values | {tab.controls.method: "Finest"}, VISITOR)
    assert "Press Paint" in told[tab.controls.note]


def test_a_full_disk_costs_an_earlier_painting_and_not_this_one(paint_tab, monkeypatch):
    tab, values = paint_tab

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("styletransfer.page.visitors.shutil.copy", full)
    *_, told = tab.paint(values, VISITOR)
    assert "painted in" in told[tab.controls.note]
    assert told[tab.controls.earlier] == gr.update(value=[], visible=False)
    assert list(tab.visitors.of(VISITOR).own.folder.iterdir()) == []


def test_a_page_outlives_its_temporary_folders(paint_tab, tmp_path):
    tab, values = paint_tab
    visitor = tab.visitors.of(VISITOR)
    for folder in (visitor.folder, visitor.own.folder):
        shutil.rmtree(folder)
    *_, told = tab.paint(values, VISITOR)
    assert "painted in" in told[tab.controls.note]
    assert len(visitor.own.earlier) == 1
    for folder in (visitor.folder, visitor.own.folder):
        assert os.name == "nt" or stat.S_IMODE(folder.stat().st_mode) == 0o700
    visitor.own.folder = tmp_path / "photo.png" / "none"  # one that cannot be made again
    *_, told = tab.paint(values | {tab.controls.strength: 0.5}, VISITOR)
    assert "painted in" in told[tab.controls.note]
    assert len(visitor.own.earlier) == 1


def test_many_photos_are_painted_without_the_region_of_another_one(paint_tab, monkeypatch):
    tab, values = paint_tab
    with gr.Blocks():
        several, wishes = many.ManyTab(tab.visitors, tab), []

    def paint_all(visitor, wish, *_):
        wishes.append(wish)
        return many.Outcome(None, 0, [], 0)

    monkeypatch.setattr(many, "paint_all", paint_all)
    region = {tab.controls.region_mask: Image.new("L", (40, 30), 255)}
    list(several._paint(values | region | {several.files: ["photo.png"]}, VISITOR))
    assert wishes[0].region is None


def test_a_title_is_text_among_the_earlier_paintings_as_well(paint_tab, tmp_path):
    tab, _ = paint_tab
    (tmp_path / "file.png").touch()
    small = tmp_path / "small.jpg"
    kept = visitors.Earlier((tmp_path, tmp_path), small, tmp_path / "file.png", "![](http://x)", "")
    tab.visitors.of(VISITOR).own.earlier.append(kept)
    shown = tab._show_earlier(click_on(small), VISITOR)
    assert r"\!\[\]" in shown[tab.controls.note]


def test_the_settings_of_a_painting_are_its_own_alone(paint_tab, tmp_path):
    tab, values = paint_tab
    it = tab.controls
    given = values | {it.picture: str(tmp_path / "painting.jpg"), it.picture_slider: 30}
    base = {"method": "cin", "strength": 0.5}
    of_others = tab._settings_of(base | {"styles": {"amber": 1.0}}, given, VISITOR)
    assert of_others[it.picture] is None
    assert of_others[it.chosen] == ["amber"]
    of_it = tab._settings_of(base | {"styles": {"amber": 0.25, "painting.jpg": 0.75}}, given, VISITOR)
    assert it.picture not in of_it
    assert of_it[it.picture_slider] == gr.update(visible=True, value=75)
    assert "25 %" in of_it[it.mix]
    with pytest.warns(UserWarning, match="not available here: gone"):
        assert tab._settings_of(base | {"styles": {"gone": 1.0}}, values, VISITOR) == {}


def test_a_port_that_is_taken_is_told(tiny_models, tiny_styles):
    transfer = StyleTransfer(models_dir=tiny_models, styles_dir=tiny_styles)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInput, match="another --port"):
            serve(transfer, port=port, wait=False)


def test_a_gallery_whose_pictures_were_tidied_up_is_drawn_anew(paint_tab, tmp_path):
    tab, _ = paint_tab
    tab.pictures.folder = tmp_path / "gone"
    shown = tab.pictures.found(tab.visitors.of(VISITOR), "", [])["value"]
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
    updates = tab._photo_given(values, VISITOR)
    weights = [updates[each]["value"] for each in tab.controls.sliders if updates.get(each, {}).get("visible")]
    assert sorted(weights) == ([0, 100] if found["styles"] == {"blue": 1e308, "amber": -1} else [])


def test_what_the_page_cannot_restore_is_told():
    found = {"size": 1280, "masks": ["udnie"], "color_mode": "statistics"}
    expected = [
        "size 1280 px (now 1024 px)",
        "styles beyond the first 4",
        "regions",
        "colour mode 'statistics'",
    ]
    assert not_restored(found, 6) == expected
    assert not_restored({"size": 1024, "color_mode": "luminance"}, 4) == []
    assert not_restored({"size": None}, 1) == []
    page_like, other = asdict(Optimization(seconds=90)), asdict(Optimization(style_scale=2))
    assert not_restored({"optimization": page_like}, 1) == []
    assert not_restored({"optimization": other}, 1) == ["advanced settings of the optimisation"]
    assert not_restored({"size": "large"}, 1) == []


def test_a_title_cannot_be_more_than_text():
    text = mix_text(["![](http://elsewhere/x.png)", "<b>’b’</b>"], [1, 1])
    html = gr.Markdown(text).postprocess(text)
    assert r"\!\[\]\(http\:\/\/elsewhere\/x\.png\)" in html
    assert r"\<b\>’b’\<\/b\>" in html


def test_a_style_without_a_preview_leaves_the_others_theirs(tiny_styles, transfer, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    with safe_open(tiny_styles / "amber.safetensors", framework="pt") as file:
        save_file({"gamma": file.get_tensor("gamma")}, own / "bare.safetensors", file.metadata())
    visitor = visitor_with(transfer.with_styles(own), tmp_path)
    shown = StylePictures(tmp_path).found(visitor, "", [])["value"]
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


def test_a_job_that_is_dropped_is_no_accident_of_the_server():
    with pytest.raises(gr.Error, match="connection was lost") as told, telling():
        raise Dropped
    assert not told.value.print_exception


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
        endpoints.train_style(str(photo_file), "Mine", 1, VISITOR)
