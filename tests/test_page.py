"""The web page in a real browser, on tiny random networks: every flow from upload to downloaded result."""

import io
import json
import math
import os
import shutil
import socket
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import httpx
import numpy as np
import pytest
import torch
from conftest import make_photo
from gradio_client import Client, handle_file
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as NothingCame
from safetensors import safe_open
from safetensors.torch import save_file

from styletransfer import StyleTransfer, images
from styletransfer.core import Progress, StyleInfo
from styletransfer.errors import Cancelled, InvalidInput, UnknownStyle
from styletransfer.page import build_page, many, serve, visitors, work
from styletransfer.page import site as site_module
from styletransfer.page.controls import mix_text, region_of
from styletransfer.page.gallery import StylePictures, title_of
from styletransfer.page.look import look
from styletransfer.page.pad import corner_weights, pad_place
from styletransfer.page.paint import PaintTab, _is_number, _not_restored, _within
from styletransfer.page.slider import slider_of
from styletransfer.page.visitors import KEPT_FOLDERS, SHOWN_SIDE, Belongings, Visitor, on_white
from styletransfer.page.wish import EVERYWHERE, INSIDE, OUTSIDE, Wish
from styletransfer.page.work import LONGEST_QUEUE, Dropped, Finished, Halt, follow, telling
from styletransfer.settings import STROKE_SIZE, Optimization
from styletransfer.stylebank import save_style

SLOW = 30_000  # milliseconds, for work that loads VGG-19
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
expect.set_options(timeout=SLOW)


def needs_browser(test):
    """Marks a test of the page in a browser."""
    missing = CHROMIUM is None and not os.environ.get("CI")
    reason = "no Chromium here; 'apt install chromium' brings one"
    return pytest.mark.browser(pytest.mark.skipif(missing, reason=reason)(test))


@pytest.fixture(scope="module")
def own_styles(tmp_path_factory):
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def visitors_folder(tmp_path_factory):
    """Where the page keeps what visitors bring."""
    return tmp_path_factory.mktemp("visitors")


@pytest.fixture(scope="module")
def site(tiny_models, tiny_styles, own_styles, visitors_folder, tmp_path_factory):
    """Address of the page with three tiny styles, which are shipped as far as the page can tell."""
    patch = pytest.MonkeyPatch()
    patch.setattr("styletransfer.api.package_folder", lambda name: tiny_styles)
    patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
    patch.setattr(tempfile, "tempdir", str(visitors_folder))
    transfer = StyleTransfer(device="cpu", models_dir=tiny_models, styles_dir=own_styles)
    page = build_page(transfer)
    page.queue(max_size=LONGEST_QUEUE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"server_name": "127.0.0.1", "server_port": port, "prevent_thread_lock": True, "quiet": True}
    page.launch(**options, **look(), ssr_mode=False, show_error=True)
    yield f"http://127.0.0.1:{port}"
    page.close()
    patch.undo()


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(site, browser):
    """The open page; at the end nothing may have gone wrong in the console or come from another host."""
    troubles: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page = context.new_page()
    page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: troubles.append(request.url) if _outside(request.url, site) else None)
    page.goto(site)
    expect(page.locator("#styles button.thumbnail-item")).to_have_count(3, timeout=SLOW)
    yield page
    context.close()
    assert not troubles


@pytest.fixture
def photo_file(tmp_path):
    make_photo(96, 128).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def _outside(url: str, site: str) -> bool:
    return not url.startswith((site, "data:", "blob:"))


def give(page: Page, where: str, file: Path) -> None:
    page.locator(f"{where} input[type=file]").first.set_input_files(file)


def choose(page: Page, index: int) -> None:
    page.locator("#styles button.thumbnail-item").nth(index).click()


def wait_painted(page: Page) -> None:
    expect(page.locator("#note")).to_contain_text("painted in", timeout=SLOW)
    expect(page.locator("#download")).to_be_enabled(timeout=SLOW)


def download(page: Page, button: str = "#download") -> bytes:
    """What the button gives; a click in the moment when it closes for a new painting brings nothing."""
    for timeout in (2_000, 2_000, SLOW):
        with suppress(NothingCame):
            with page.expect_download(timeout=timeout) as waiting:
                page.locator(button).click()
            return Path(waiting.value.path()).read_bytes()
    raise AssertionError(f"{button} gives no download")


def settings_of(content: bytes) -> dict:
    with Image.open(io.BytesIO(content)) as picture:
        return json.loads(picture.info["styletransfer"])


def soon(is_so: Callable[[], bool]) -> bool:
    """Whether something becomes true: paintings are made anew by themselves."""
    end = time.monotonic() + SLOW / 1000
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.3)
    return False


def set_slider(page: Page, label: str, value: str) -> None:
    box = page.get_by_label(f"number input for {label}")
    box.fill(value)
    box.press("Enter")


@needs_browser
def test_from_upload_to_downloaded_painting(page, photo_file):
    give(page, "#photo", photo_file)
    choose(page, 0)
    wait_painted(page)
    content = download(page)
    assert settings_of(content)["styles"] == {"amber": 1.0}
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.size == (1024, 768)


@needs_browser
def test_an_example_is_painted(page):
    page.locator("#examples .gallery-item").first.click()
    expect(page.locator("#photo img")).to_be_visible()
    choose(page, 0)
    wait_painted(page)


@needs_browser
def test_another_format_needs_no_second_painting(page, photo_file):
    give(page, "#photo", photo_file)
    choose(page, 0)
    wait_painted(page)
    page.get_by_role("button", name="More settings").click()
    page.wait_for_timeout(1000)  # until the painting's own last message is through
    note = page.locator("#note").inner_text()
    page.get_by_label("JPEG").click()

    def is_jpeg():
        with Image.open(io.BytesIO(download(page))) as picture:
            return picture.format == "JPEG"

    assert soon(is_jpeg)
    assert page.locator("#note").inner_text() == note


@needs_browser
def test_the_page_paints_what_the_api_paints(page, photo_file, tiny_models, tiny_styles):
    give(page, "#photo", photo_file)
    choose(page, 1)
    wait_painted(page)
    transfer = StyleTransfer(device="cpu", models_dir=tiny_models, styles_dir=tiny_styles)
    expected = transfer.stylize(photo_file, "blue", size=1024)
    with Image.open(io.BytesIO(download(page))) as picture:
        assert picture.tobytes() == expected.tobytes()


@needs_browser
def test_a_photo_that_browsers_do_not_show_is_shown_and_painted_as_it_is(page, transfer, tmp_path):
    make_photo(96, 128).save(tmp_path / "photo.TIFF")
    page.locator("#examples .gallery-item").first.click()
    expect(page.locator("#photo img")).to_be_visible()
    page.get_by_label("Remove Image").first.click()
    give(page, "#photo", tmp_path / "photo.TIFF")
    assert soon(lambda: page.locator("#photo img").evaluate("image => image.naturalWidth") == SHOWN_SIDE)
    choose(page, 1)
    wait_painted(page)
    with Image.open(io.BytesIO(download(page))) as picture:
        assert picture.tobytes() == transfer.stylize(tmp_path / "photo.TIFF", "blue", size=1024).tobytes()


@needs_browser
def test_styles_have_names_and_tell_whether_they_are_chosen(page):
    amber = page.get_by_role("button", name="Amber · Nobody, 1900")
    expect(amber).to_have_attribute("aria-pressed", "false")
    amber.click()
    expect(amber).to_have_attribute("aria-pressed", "true")
    amber.click()
    expect(amber).to_have_attribute("aria-pressed", "false")


@needs_browser
def test_a_slider_moved_by_keys_paints_in_full(page, photo_file):
    give(page, "#photo", photo_file)
    choose(page, 0)
    wait_painted(page)
    slider = page.locator("#strength input[type=range]")
    slider.focus()
    for _ in range(2):
        slider.press("ArrowLeft")
    assert soon(lambda: settings_of(download(page))["strength"] == 0.9)
    page.get_by_label("number input for Strength", exact=True).fill("0.5")
    page.get_by_label("number input for Strength", exact=True).press("Enter")
    assert soon(lambda: settings_of(download(page))["strength"] == 0.5)


@needs_browser
def test_the_format_chosen_while_it_paints_counts(page, photo_file):
    give(page, "#photo", photo_file)
    choose(page, 0)
    wait_painted(page)
    page.get_by_role("button", name="More settings").click()
    page.get_by_label("Finest").check()
    page.locator("#paint-finest").click()
    expect(page.locator("#note")).to_contain_text("Step", timeout=SLOW)
    page.get_by_label("JPEG").click()
    page.wait_for_timeout(500)
    page.locator("#stop").click()
    wait_painted(page)
    with Image.open(io.BytesIO(download(page))) as picture:
        assert picture.format == "JPEG"


@needs_browser
def test_an_earlier_painting_is_a_click_away_and_outlives_a_reload(page, photo_file):
    give(page, "#photo", photo_file)
    choose(page, 0)
    wait_painted(page)
    first = settings_of(download(page))["styles"]
    choose(page, 0)
    choose(page, 1)
    earlier = page.locator("#earlier button.thumbnail-item")
    expect(earlier).to_have_count(2, timeout=SLOW)
    page.reload()
    expect(earlier).to_have_count(2, timeout=SLOW)
    earlier.nth(1).click()
    expect(page.locator("#note")).to_contain_text("An earlier painting")
    assert settings_of(download(page))["styles"] == first


@needs_browser
def test_what_is_typed_beside_a_slider_is_no_error_on_the_way(page, photo_file):
    give(page, "#photo", photo_file)
    choose(page, 0)
    wait_painted(page)
    page.get_by_role("button", name="More settings").click()
    box = page.get_by_label("number input for Size of the strokes")
    box.fill("")
    box.press_sequentially("0.5")
    box.press("Enter")
    expect(page.locator("#note")).to_contain_text("painted in", timeout=SLOW)
    assert soon(lambda: settings_of(download(page))["stroke_size"] == 0.5)
    assert page.get_by_text("Error").count() == 0


@needs_browser
def test_sliders_blend_and_the_shares_are_shown(page, photo_file):
    give(page, "#photo", photo_file)
    choose(page, 0)
    wait_painted(page)
    choose(page, 2)
    expect(page.locator("#mix")).to_contain_text("Amber 50 %")
    set_slider(page, "Coral", "25")
    expect(page.locator("#mix")).to_contain_text("Amber 80 %")
    assert soon(lambda: settings_of(download(page))["styles"] == {"amber": 0.8, "coral": 0.2})


@needs_browser
def test_the_pad_blends_by_arrow_keys(page, photo_file):
    give(page, "#photo", photo_file)
    choose(page, 0)
    choose(page, 1)
    page.get_by_role("button", name="Blend pad").click()
    pad = page.locator("#blend-pad .pad")
    expect(pad).to_contain_text("Amber")
    pad.focus()
    for _ in range(3):
        pad.press("ArrowRight")
    expect(page.get_by_label("number input for Blue")).to_have_value("80")


@needs_browser
def test_a_style_that_is_taken_out_leaves_the_others_their_weights(page, photo_file):
    give(page, "#photo", photo_file)
    for index in range(3):
        choose(page, index)
    expect(page.locator("#mix")).to_contain_text("Coral 33 %")
    set_slider(page, "Coral", "25")
    expect(page.locator("#mix")).to_contain_text("Coral 11 %")
    choose(page, 0)
    expect(page.locator("#mix")).to_contain_text("Coral 20 %")
    expect(page.get_by_label("number input for Blue")).to_have_value("100")
    expect(page.get_by_label("number input for Coral")).to_have_value("25")


@needs_browser
def test_search_finds_styles(page):
    page.get_by_label("Search styles").fill("cor")
    expect(page.locator("#styles button.thumbnail-item")).to_have_count(1)
    expect(page.locator("#styles")).to_contain_text("Coral")


@needs_browser
def test_any_picture_is_a_style(page, photo_file, tmp_path):
    make_photo(60, 60, seed=5).save(tmp_path / "painting.png")
    give(page, "#photo", photo_file)
    page.get_by_role("button", name="Or any picture as a style").click()
    give(page, "#picture", tmp_path / "painting.png")
    wait_painted(page)
    assert settings_of(download(page))["styles"] == {"painting.png": 1.0}
    page.locator("#learn-this").click()
    expect(page.locator("#teacher img")).to_be_visible()


@needs_browser
def test_a_picture_and_a_style_are_mixed_by_sliders(page, photo_file, tmp_path):
    make_photo(60, 60, seed=5).save(tmp_path / "painting.png")
    give(page, "#photo", photo_file)
    choose(page, 1)
    wait_painted(page)
    slider = page.get_by_label("number input for Blue")
    expect(slider).to_be_hidden()
    page.get_by_role("button", name="Or any picture as a style").click()
    give(page, "#picture", tmp_path / "painting.png")
    expect(slider).to_be_visible(timeout=SLOW)
    slider.fill("50")
    slider.press("Tab")
    wait_painted(page)
    assert soon(lambda: set(settings_of(download(page))["styles"]) == {"blue", "painting.png"})


@needs_browser
def test_a_file_that_is_no_picture_says_so(page, photo_file, tmp_path):
    give(page, "#photo", photo_file)
    expect(page.locator("#photo img")).to_be_visible()
    page.get_by_label("Remove Image").first.click()
    (tmp_path / "broken.png").write_bytes(b"no picture at all")
    give(page, "#photo", tmp_path / "broken.png")
    expect(page.locator(".toast-body").first).to_contain_text("not a picture", timeout=SLOW)


@needs_browser
def test_settings_come_back_from_a_painting(page, photo_file, transfer, tmp_path):
    painted = transfer.stylize(photo_file, {"amber": 0.25, "blue": 0.75}, strength=0.6, preserve_color=0.3)
    images.save_picture(painted, tmp_path / "painted.png")
    page.get_by_role("button", name="More settings").click()
    with page.expect_file_chooser() as waiting:
        page.locator("#restore").click()
    waiting.value.set_files(tmp_path / "painted.png")
    expect(page.get_by_label("number input for Blue")).to_have_value("75", timeout=SLOW)
    expect(page.get_by_label("number input for Strength", exact=True)).to_have_value("0.6")
    expect(page.get_by_label("number input for Keep the photo's colours")).to_have_value("0.3")


@needs_browser
def test_a_painting_given_as_the_photo_brings_its_settings(page, photo_file, transfer, tmp_path):
    painted = transfer.stylize(photo_file, {"amber": 0.25, "blue": 0.75}, strength=0.6)
    images.save_picture(painted, tmp_path / "painted.png")
    give(page, "#photo", tmp_path / "painted.png")
    expect(page.get_by_label("number input for Blue")).to_have_value("75", timeout=SLOW)
    expect(page.get_by_label("number input for Strength", exact=True)).to_have_value("0.6")
    wait_painted(page)


@needs_browser
def test_the_finest_method_can_be_stopped_and_keeps_its_picture(page, photo_file):
    give(page, "#photo", photo_file)
    choose(page, 0)
    wait_painted(page)
    page.get_by_label("Finest").check()
    expect(page.locator("#note")).to_contain_text("Press Paint")
    page.locator("#paint-finest").click()
    expect(page.locator("#note")).to_contain_text("Step", timeout=SLOW)
    page.locator("#stop").click()
    wait_painted(page)
    assert settings_of(download(page))["method"] == "gatys"


@needs_browser
def test_what_fails_leaves_nothing_going_on(page, tmp_path):
    make_photo(70, 90, seed=8).save(tmp_path / "teacher.png")
    page.get_by_role("tab", name="Learn a style").click()
    give(page, "#teacher", tmp_path / "teacher.png")
    page.get_by_label("Name of the style").fill("Amber")
    page.locator("#learn").click()
    expect(page.get_by_text("which is never replaced")).to_be_visible(timeout=SLOW)
    expect(page.locator("#learning")).to_be_empty()
    expect(page.locator("#stop-learning")).to_be_disabled()


@needs_browser
def test_a_style_is_learned_used_exported_and_removed(page, photo_file, own_styles, tmp_path):
    make_photo(70, 90, seed=8).save(tmp_path / "teacher.png")
    page.get_by_role("tab", name="Learn a style").click()
    give(page, "#teacher", tmp_path / "teacher.png")
    page.get_by_label("Name of the style").fill("Dots of mine")
    page.locator("#learn").click()
    expect(page.locator("#learning")).to_contain_text("Step", timeout=2 * SLOW)
    page.locator("#stop-learning").click()
    expect(page.locator("#learning")).to_contain_text("Learned", timeout=SLOW)
    assert (own_styles / "dots-of-mine.safetensors").exists()
    page.get_by_role("tab", name="Paint").click()
    expect(page.locator("#styles button.thumbnail-item")).to_have_count(4)
    give(page, "#photo", photo_file)
    choose(page, 0)
    wait_painted(page)
    assert settings_of(download(page))["styles"] == {"dots-of-mine": 1.0}
    page.get_by_role("tab", name="Learn a style").click()
    page.get_by_role("button", name="My styles").click()
    page.get_by_label("Style", exact=True).click()
    page.get_by_role("option", name="Dots of mine").click()
    expect(page.locator("#export")).to_be_enabled()
    assert download(page, "#export") == (own_styles / "dots-of-mine.safetensors").read_bytes()
    page.locator("#remove").click()
    assert list(own_styles.glob("*.safetensors"))  # one click may be a mistake
    page.locator("#sure").click()
    expect(page.locator("#learning")).to_contain_text("removed")
    assert not list(own_styles.glob("*.safetensors"))


@needs_browser
def test_many_photos_come_back_in_a_zip_and_a_bad_one_is_named(page, tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for index in range(2):
            make_photo(40, 50, index).save(tmp_path / f"{index}.png")
            archive.write(tmp_path / f"{index}.png", f"../up/{index}.png")
        make_photo(40, 50, 2).save(tmp_path / "2.bmp")
        archive.write(tmp_path / "2.bmp", "2.bmp")
        archive.writestr("read me.txt", "no photo")
    (tmp_path / "bad.png").write_bytes(b"broken")
    choose(page, 0)
    page.get_by_role("button", name="More settings").click()
    page.get_by_label("WebP").click()
    page.get_by_role("tab", name="Many photos").click()
    page.locator("#photos input[type=file]").set_input_files([tmp_path / "photos.zip", tmp_path / "bad.png"])
    expect(page.locator("#photos")).to_contain_text("bad")
    page.locator("#paint-all").click()
    expect(page.locator("#many")).to_contain_text("3 of 4 painted", timeout=SLOW)
    expect(page.locator("#many")).to_contain_text("bad.png")
    expect(page.locator("#many")).not_to_contain_text("/bad.png")
    expect(page.locator("#download-all")).to_be_enabled()
    with zipfile.ZipFile(io.BytesIO(download(page, "#download-all"))) as archive:
        assert archive.namelist() == ["0-painted.webp", "1-painted.webp", "2-painted.webp"]


@needs_browser
def test_the_sheet_shows_all_styles_and_a_click_goes_on_with_one_alone(page, photo_file, tmp_path):
    make_photo(60, 60, seed=5).save(tmp_path / "painting.png")
    give(page, "#photo", photo_file)
    page.get_by_role("button", name="Or any picture as a style").click()
    give(page, "#picture", tmp_path / "painting.png")
    wait_painted(page)
    page.get_by_role("tab", name="All styles").click()
    page.locator("#paint-sheet").click()
    expect(page.locator("#sheet button.thumbnail-item")).to_have_count(3, timeout=SLOW)
    expect(page.locator("#stop-sheet")).to_be_disabled(timeout=SLOW)
    page.locator("#sheet button.thumbnail-item").nth(1).click()
    expect(page.locator("#picture img")).to_have_count(0)
    page.wait_for_timeout(2000)  # for the painting that this begins
    wait_painted(page)
    assert settings_of(download(page))["styles"] == {"blue": 1.0}


@needs_browser
def test_a_tab_that_is_closed_leaves_the_processor_and_no_half_learned_style(
    page, browser, site, photo_file, own_styles, tmp_path
):
    make_photo(70, 90, seed=8).save(tmp_path / "teacher.png")
    leaving = browser.new_page()
    leaving.goto(site)
    leaving.get_by_role("tab", name="Learn a style").click()
    give(leaving, "#teacher", tmp_path / "teacher.png")
    leaving.get_by_label("Name of the style").fill("Unfinished")
    leaving.locator("#learn").click()
    expect(leaving.locator("#learning")).to_contain_text("Step", timeout=2 * SLOW)
    leaving.close()
    give(page, "#photo", photo_file)
    choose(page, 0)
    wait_painted(page)
    assert not list(own_styles.glob("*unfinished*"))


@needs_browser
def test_whoever_waits_for_another_visitor_is_told(page, browser, site, photo_file):
    give(page, "#photo", photo_file)
    choose(page, 0)
    wait_painted(page)
    page.get_by_label("Finest").check()
    page.locator("#paint-finest").click()
    expect(page.locator("#note")).to_contain_text("Step", timeout=SLOW)
    other = browser.new_page()
    other.goto(site)
    expect(other.locator("#styles button.thumbnail-item")).to_have_count(3, timeout=SLOW)
    give(other, "#photo", photo_file)
    for tab, button, shown in (
        ("Learn a style", "#learn", "#learning"),
        ("Many photos", "#paint-all", "#many"),
        ("All styles", "#paint-sheet", "#sheet-note"),
    ):
        other.get_by_role("tab", name=tab).click()
        other.locator(button).click()
        expect(other.locator(shown)).to_contain_text("Waiting for its turn")
    other.get_by_role("tab", name="Paint").click()
    choose(other, 1)
    wait_painted(other)  # what is fast passes between the steps
    expect(page.locator("#note")).to_contain_text("Step")
    page.locator("#stop").click()
    expect(other.locator("#learning")).to_be_empty()  # nothing was given to learn from
    other.close()


@needs_browser
def test_what_a_visitor_brought_goes_when_they_leave(browser, site, visitors_folder, photo_file, monkeypatch):
    monkeypatch.setattr(visitors, "KEPT_SECONDS", 1)
    before = set(visitors_folder.iterdir())
    page = browser.new_page()
    page.goto(site)
    expect(page.locator("#styles button.thumbnail-item")).to_have_count(3, timeout=SLOW)
    give(page, "#photo", photo_file)
    choose(page, 0)
    wait_painted(page)
    brought = set(visitors_folder.iterdir()) - before
    assert [file for folder in brought for file in folder.rglob("*.png")]
    page.close()
    assert soon(lambda: not any(folder.exists() for folder in brought))


@needs_browser
def test_styles_outlive_a_reload_of_a_page_that_others_use(browser, transfer, tmp_path):
    style = transfer._bank.load("amber")
    save_style(
        tmp_path / "mine.safetensors", replace(style, info=replace(style.info, slug="mine", title="Mine"))
    )
    page = build_page(transfer, shared_styles=False)
    _, address, _ = page.queue().launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, **look())
    one, other = (browser.new_context().new_page() for _ in range(2))
    mine = "#styles button[aria-label^=Mine]"
    one.goto(address)
    one.get_by_role("tab", name="Learn a style").click()
    one.get_by_role("button", name="My styles").click()
    with one.expect_file_chooser() as waiting:
        one.locator("#import").click()
    waiting.value.set_files(tmp_path / "mine.safetensors")
    expect(one.locator("#learning")).to_contain_text("Mine", timeout=SLOW)
    one.reload()
    expect(one.locator(mine)).to_be_visible(timeout=SLOW)
    other.goto(address)
    expect(other.locator("#styles button.thumbnail-item").first).to_be_visible(timeout=SLOW)
    assert other.locator(mine).count() == 0
    for each in (one, other):
        each.context.close()
    page.close()


@needs_browser
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen(browser, site, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.goto(site)
    expect(page.locator("#styles button.thumbnail-item")).to_have_count(3, timeout=SLOW)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.fixture(scope="module")
def client(site):
    return Client(site, verbose=False)


def test_programs_can_list_and_paint(client, photo_file):
    assert client.predict(api_name="/styles")["amber"]["title"] == "Amber"
    options = {"photo": handle_file(photo_file), "size": 64, "api_name": "/stylize"}
    path = client.predict(styles={"amber": 3, "blue": 1}, style_picture=None, **options)
    assert images.read_metadata(Path(path))["styles"] == {"amber": 0.75, "blue": 0.25}


def test_programs_are_told_what_was_wrong(client, photo_file):
    with pytest.raises(Exception, match="did you mean 'amber'"):
        client.predict(
            photo=handle_file(photo_file), styles={"ambre": 1}, style_picture=None, api_name="/stylize"
        )


def test_programs_give_styles_with_weights(client, photo_file):
    with pytest.raises(Exception, match="give names and weights"):
        client.predict(handle_file(photo_file), ["amber"], None, api_name="/stylize")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"styles": {"amber": "much"}}, "weight of 'amber' is 'much'"),
        ({"styles": {"amber": None}}, "weight of 'amber' is None"),
        ({"styles": {"amber": 1}, "size": None}, "size is None"),
        ({"styles": {"amber": 1}, "seconds": None}, "seconds is None"),
    ],
)
def test_programs_give_numbers(client, photo_file, options, message):
    with pytest.raises(Exception, match=message):
        client.predict(photo=handle_file(photo_file), style_picture=None, **options, api_name="/stylize")


def test_programs_cannot_look_at_other_files_of_the_machine(client, photo_file, tmp_path):
    make_photo(40, 40, seed=8).save(tmp_path / "private.png")
    with pytest.raises(Exception, match="no style named"):
        client.predict(
            photo=handle_file(photo_file),
            styles={str(tmp_path / "private.png"): 1},
            style_picture=None,
            api_name="/stylize",
        )


@pytest.mark.parametrize("place", ["photo", "style_picture"])
def test_programs_cannot_name_a_file_that_they_did_not_upload(site, photo_file, tmp_path, place):
    make_photo(40, 40, seed=8).save(tmp_path / "private.png")
    upload = httpx.post(f"{site}/gradio_api/upload", files={"files": photo_file.read_bytes()}).json()[0]
    given = {"photo": {"path": upload, "meta": {"_type": "gradio.FileData"}}, "style_picture": None}
    told = {}
    for path in (upload, str(tmp_path / "private.png")):
        given[place] = {"path": path}
        values = [given["photo"], {"amber": 0.5}, given["style_picture"], 0, 0, 1, 0, "cin", 1]
        call = httpx.post(f"{site}/gradio_api/call/stylize", json={"data": values}).json()["event_id"]
        told[path] = httpx.get(f"{site}/gradio_api/call/stylize/{call}", timeout=60).text
    assert "event: complete" in told[upload]
    assert "event: error" in told[str(tmp_path / "private.png")]


def test_programs_can_teach_a_style(client, photo_file, own_styles):
    assert client.predict(handle_file(photo_file), "By program", 2, api_name="/train_style") == "by-program"
    (own_styles / "by-program.safetensors").unlink()


@pytest.fixture
def paint_tab(transfer, tmp_path):
    """The first tab without a browser, and what its controls hold, a photo and a style among it."""
    make_photo(60, 80).save(tmp_path / "photo.png")
    with gr.Blocks():
        tab = PaintTab(visitors.Visitors(transfer, shared_styles=True), StylePictures(tmp_path), [])
    it = tab.controls
    values = {component: component.value for component in it.all | it.choosing}
    return tab, values | {it.photo: str(tmp_path / "photo.png"), it.chosen: ["blue"], it.search: ""}


VISITOR = gr.Request(session_hash="a")


def visitor_with(transfer: StyleTransfer, folder: Path) -> Visitor:
    return Visitor(Belongings(transfer, folder), folder)


def test_a_preview_that_comes_late_does_not_replace_the_painting(paint_tab):
    tab, values = paint_tab
    it = tab.controls
    assert it.result in tab.preview(values, VISITOR)
    list(tab.paint(values, VISITOR))
    assert it.result not in tab.preview(values, VISITOR)
    assert it.result in tab.preview(values | {it.strength: 0.5}, VISITOR)
    tab.visitors.close()


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
    tab.visitors.close()


@pytest.mark.parametrize("steps", [1, 2])
def test_what_is_stopped_ends_unless_all_is_done_by_then(steps):
    halt = Halt()

    def work(on_step):
        halt.stopped = True
        on_step(Progress(1, steps))
        return "painting"

    with pytest.raises(Cancelled) if steps > 1 else nullcontext():
        assert list(follow(work, halt))[-1] == Finished("painting")


def test_what_nobody_waits_for_any_more_is_dropped_not_kept():
    ends = []

    def work(on_step):
        for step in range(1000):
            time.sleep(0.01)
            try:
                on_step(Progress(step, 1000))
            except Exception as error:
                ends.append(type(error))
                raise

    halt = Halt()
    events = follow(work, halt)
    next(events)
    events.close()  # as Gradio does when a tab is closed
    events = follow(work, halt)
    next(events)
    halt.dropped = True
    with pytest.raises(Dropped):
        list(events)
    assert ends == [Dropped, Dropped]


def test_who_closes_the_page_keeps_nobody_waiting_and_other_work_begins_when_theirs_has_ended():
    step, order = threading.Event(), []

    def long_step(on_step):
        on_step(Progress(0, 2))
        step.wait(10)
        order.append("first ends")
        on_step(Progress(1, 2))

    events = follow(long_step, Halt())
    next(events)
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < 5
    other = follow(lambda on_step: order.append("second"), Halt())
    threading.Timer(0.2, step.set).start()
    assert list(other) == [Finished(None)]
    assert order == ["first ends", "second"]


def test_a_format_chosen_while_a_painting_waits_for_its_turn_counts(paint_tab):
    tab, values = paint_tab
    list(tab.paint(values, VISITOR))
    tab._save_again("JPEG", VISITOR)
    *_, told = tab.paint(values | {tab.controls.strength: 0.5}, VISITOR)  # in line before
    assert told[tab.controls.download]["value"].endswith(".jpeg")
    tab.visitors.close()


def test_what_was_painted_before_can_be_downloaded_where_nothing_came_of_the_next(paint_tab, monkeypatch):
    tab, values = paint_tab
    assert not tab._nothing_painted(VISITOR)[tab.controls.download]["interactive"]
    list(tab.paint(values, VISITOR))
    visitor = tab.visitors.of(VISITOR)
    painted = visitor.painted

    def fail(*_):
        raise InvalidInput("no")

    monkeypatch.setattr(Wish, "paint", fail)
    with pytest.raises(gr.Error):
        list(tab.paint(values | {tab.controls.strength: 0.5}, VISITOR))
    assert visitor.painted is painted
    visitor.file_format = "WebP"  # chosen meanwhile
    assert tab._nothing_painted(VISITOR)[tab.controls.download]["value"].endswith(".webp")
    tab.visitors.close()


def test_previews_of_a_painting_that_fails_take_the_place_of_the_one_before(paint_tab, monkeypatch):
    tab, values = paint_tab
    list(tab.paint(values, VISITOR))

    def fail(self, transfer, photo, on_step):
        on_step(Progress(1, 2, preview=torch.rand(1, 3, 20, 20)))
        raise InvalidInput("no memory")

    monkeypatch.setattr(Wish, "paint", fail)
    with pytest.raises(gr.Error):
        list(tab.paint(values | {tab.controls.method: "Finest"}, VISITOR))
    assert tab.visitors.of(VISITOR).painted is None
    tab.visitors.close()


def test_a_click_is_understood_where_gradio_has_forgotten_what_is_listed(paint_tab):
    tab, values = paint_tab
    event = gr.SelectData(None, {"index": 1, "value": None})
    names = list(tab.pictures.found(tab.visitors.of(VISITOR), "", [])[1])
    updates = tab._choose(values | {tab.controls.listed: [], tab.controls.chosen: []}, event, VISITOR)
    assert updates[tab.controls.chosen] == [names[1]]
    tab.visitors.close()


def test_one_style_alone_is_painted_wherever_its_hidden_slider_was_left(paint_tab):
    tab, values = paint_tab
    assert tab.controls.wish(values | {tab.controls.sliders[0]: 0}).styles == {"blue": 100}


def test_a_chosen_style_that_is_gone_is_chosen_no_more(paint_tab):
    tab, values = paint_tab
    places = {tab.controls.places[1]: "Elsewhere", tab.controls.sliders[1]: 40}
    it = tab.controls
    updates = tab.rechosen(["gone", "coral"], values | places | {it.chosen: ["blue", "coral"]}, VISITOR)
    assert updates[it.chosen] == ["coral"]
    # Some may have come elsewhere.
    assert set(updates[it.listed]) == set(tab.visitors.of(VISITOR).transfer.styles)
    assert updates[it.mix] == ""
    shown = [each for each in updates.values() if isinstance(each, dict) and each.get("visible")]
    assert [(each["label"], each["value"]) for each in shown] == [("Coral", "Elsewhere")]
    tab.visitors.close()


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
    tab.visitors.close()


def test_errors_call_a_photo_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with pytest.raises(gr.Error, match=r"^'my photo.png is no picture'$"), telling():
        raise InvalidInput(f"{tmp_path}/0123456789abcdef/my photo.png is no picture")


def test_each_visitor_has_styles_of_their_own_unless_all_share_them(transfer, own_styles):
    separate = visitors.Visitors(transfer, shared_styles=False)
    one, other = (separate.of(gr.Request(session_hash=name)) for name in "ab")
    shutil.copy(next(transfer._bank.own.glob("*.safetensors")), one.transfer._bank.own / "mine.safetensors")
    assert "mine" in one.transfer.own_styles
    assert "mine" not in other.transfer.styles
    separate.close()
    assert not one.own.folder.exists()
    together = visitors.Visitors(transfer, shared_styles=True)
    assert len({id(together.of(gr.Request(session_hash=name)).transfer) for name in "ab"}) == 1
    together.close()


def test_who_reloads_a_page_that_others_use_finds_their_styles(transfer, monkeypatch):
    monkeypatch.setattr(visitors, "KEPT_SECONDS", 1)
    known = visitors.Visitors(transfer, shared_styles=False)
    before, stranger = (gr.Request(session_hash=name) for name in "ab")
    key = known.recognise(None, before)
    own = known.of(before).own
    shutil.copy(next(transfer._bank.own.glob("*.safetensors")), own.folder / "styles" / "mine.safetensors")
    after = gr.Request(session_hash="c")
    unused = known.of(after).own.folder
    known.leave(before)
    assert known.recognise(key, after) == key
    assert soon(lambda: not known._known.keys() & {"a"})  # the page before is forgotten, not its styles
    assert known.of(after).transfer.own_styles == ["mine"]
    assert not unused.exists()
    for guess in (None, "", "a", known.of(stranger).own.key, [key]):
        assert known.recognise(guess, stranger) != key
        assert known.of(stranger).transfer.own_styles == []
    known.close()
    assert not own.folder.exists()


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
    return {"background": Image.new("RGB", (40, 30)), "layers": list(layers), "composite": None}


def test_a_region_is_what_was_painted_on_the_photo():
    empty = Image.new("RGBA", (40, 30))
    first, second = empty.copy(), empty.copy()
    first.paste((255, 0, 0, 255), (0, 0, 10, 30))
    second.paste((0, 0, 255, 255), (20, 0, 30, 30))
    assert region_of(edited()) is region_of(edited(empty)) is region_of(None) is None
    painted = np.asarray(region_of(edited(first, second))) > 0
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
    slider = slider_of(STROKE_SIZE, "Size")
    anew = type(slider)(**{name: value for name, value in slider.constructor_args.items() if name != "value"})
    for each in (slider, anew):  # as Gradio makes it anew to update it
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
        ),
        search,
        [],
    )
    assert found[1] == ["mont"]


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
    tab.visitors.recognise(tab.visitors.of(VISITOR).own.key, after)
    for request in (VISITOR, after):
        visitor = tab.visitors.of(request)
        listed = tab.earlier(request)
        assert len(listed[it.earlier]["value"]) == len(listed[it.kept]) == 2
        shown = tab._show_earlier(listed[it.kept], gr.SelectData(None, {"index": 1, "value": None}), request)
        assert Path(shown[it.download]["value"]).read_bytes() == contents[1]
        assert all(Path(file).exists() for file in shown[it.result])
        assert "Blue" in shown[it.note]
        assert visitor.painted is None  # what is wished for now is another one
    own = visitor.own.folder
    assert len(list(own.rglob("*-painted.png"))) == 2
    tab.visitors.close()
    assert not own.exists()
    for index in (1, 5):
        with pytest.raises(gr.Error, match="no longer here"):
            tab._show_earlier(listed[it.kept], gr.SelectData(None, {"index": index, "value": None}), VISITOR)
    tab.visitors.close()


def test_short_works_pass_between_the_steps_of_long_ones():
    order, going = [], threading.Event()

    def long_work(on_step):
        for step in range(3):
            order.append(f"step {step}")
            going.set()
            if step == 0:
                assert soon(lambda: work._turns._waiting)
            on_step(Progress(step, 3))

    events = follow(long_work, Halt())
    worker = threading.Thread(target=list, args=(events,))
    worker.start()
    assert going.wait(10)
    assert list(follow(lambda on_step: order.append("short"), Halt(), short=True)) == [Finished(None)]
    worker.join()
    assert order == ["step 0", "short", "step 1", "step 2"]


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
    tab.visitors.close()


def test_the_button_of_what_is_fast_paints_nothing_that_takes_long(paint_tab):
    tab, values = paint_tab
    *_, told = tab._pressed(values | {tab.controls.method: "Finest"}, VISITOR)
    assert "Press Paint" in told[tab.controls.note]


def test_a_full_disk_costs_an_earlier_painting_and_not_this_one(paint_tab, monkeypatch):
    tab, values = paint_tab

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("styletransfer.page.visitors.shutil.copy", full)
    *_, told = tab.paint(values, VISITOR)
    assert "painted in" in told[tab.controls.note]
    assert told[tab.controls.kept] == []
    assert list(tab.visitors.of(VISITOR).own.folder.iterdir()) == []
    tab.visitors.close()


def test_a_title_is_text_among_the_earlier_paintings_as_well(paint_tab, tmp_path):
    tab, _ = paint_tab
    (tmp_path / "file.png").touch()
    kept = [visitors.Earlier((tmp_path, tmp_path), tmp_path, tmp_path / "file.png", "![](http://x)", "")]
    shown = tab._show_earlier(kept, gr.SelectData(None, {"index": 0, "value": None}), VISITOR)
    assert r"\!\[\]" in shown[tab.controls.note]
    tab.visitors.close()


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
    with pytest.warns(UserWarning, match="not here: gone"):
        assert tab._settings_of(base | {"styles": {"gone": 1.0}}, values, VISITOR) == {}


def test_many_photos_keep_what_is_painted_when_the_disk_is_full(transfer, tmp_path, monkeypatch):
    files = []
    for index in range(4):
        make_photo(30, 40, index).save(tmp_path / f"{index}.png")
        files.append(tmp_path / f"{index}.png")
    free = iter([10**9, 10**9, 1000])
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=next(free)))
    outcome = many.paint_all(
        visitor_with(transfer, tmp_path), Wish({"amber": 1.0}), files, ".png", lambda _: None
    )
    with zipfile.ZipFile(outcome.archive) as archive:
        assert archive.namelist() == ["0-painted.png", "1-painted.png"]
        assert archive.testzip() is None
    assert "no room for 2-painted.png" in str(outcome.failed[0].error)
    assert outcome.left == 1


def test_a_port_that_is_taken_is_told(tiny_models, tiny_styles):
    transfer = StyleTransfer(models_dir=tiny_models, styles_dir=tiny_styles)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInput, match="another --port"):
            serve(transfer, port=port, wait=False)


def test_the_oldest_files_of_a_visitor_make_room(tmp_path, transfer):
    visitor = visitor_with(transfer, tmp_path)
    files = [visitor.new_file("before.jpg") for _ in range(KEPT_FOLDERS + 3)]
    assert [file.parent.exists() for file in files] == [False] * 3 + [True] * KEPT_FOLDERS


def test_those_who_came_least_recently_are_forgotten(transfer, monkeypatch):
    monkeypatch.setattr(visitors, "MOST_VISITORS", 2)
    known = visitors.Visitors(transfer, shared_styles=False)
    first, second = (known.of(gr.Request(session_hash=name)) for name in "ab")
    known.of(gr.Request(session_hash="a"))
    third = known.of(gr.Request(session_hash="c"))
    assert [each.folder.exists() for each in (first, second, third)] == [True, False, True]
    assert known.of(gr.Request(session_hash="a")) is first
    known.close()
    assert not first.folder.exists()


def test_who_has_the_page_open_is_forgotten_after_programs_and_those_who_left(transfer, monkeypatch):
    known = visitors.Visitors(transfer, shared_styles=False)
    working, here, program, left = (known.of(gr.Request(session_hash=name)) for name in "abcd")
    working.long.working = here.on_page = left.on_page = True
    known.leave(gr.Request(session_hash="d"))
    for index, expected in enumerate((left, program, here)):
        monkeypatch.setattr(visitors, "MOST_VISITORS", 4 - index)
        monkeypatch.setattr(known.of(gr.Request(session_hash="new")), "on_page", True)
        there = [each for each in (working, here, program, left) if each.folder.exists()]
        assert expected not in there
        assert len(there) == 3 - index
    known.close()


def test_a_gallery_whose_pictures_were_tidied_up_is_drawn_anew(paint_tab, tmp_path):
    tab, _ = paint_tab
    tab.pictures.folder = tmp_path / "gone"
    update, names = tab.pictures.found(tab.visitors.of(VISITOR), "", [])
    assert all(Path(file).exists() for file, _ in update["value"])
    assert names
    tab.visitors.close()


def test_who_is_back_before_long_finds_everything_as_it_was(transfer, monkeypatch):
    monkeypatch.setattr(visitors, "KEPT_SECONDS", 1)
    known = visitors.Visitors(transfer, shared_styles=False)
    back, gone = (known.of(gr.Request(session_hash=name)) for name in "ab")
    for name in "ab":
        known.leave(gr.Request(session_hash=name))
    assert known.of(gr.Request(session_hash="a")) is back
    assert soon(lambda: known.of(gr.Request(session_hash="a")) is back and not gone.folder.exists())
    assert back.folder.exists()
    assert soon(lambda: not back.folder.exists())  # nobody tells a second time that they left
    known.close()


def test_photos_come_out_of_a_zip_in_every_format_and_within_limits(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in ("a.HEIC", "../../b.bmp", "c/d.jpg", ".hidden.png", "read me.txt"):
            archive.writestr(name, name)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = many.photos_of([tmp_path / "photos.zip"], scratch)
    assert [path.name for path in found] == ["a.HEIC", "b.bmp", "d.jpg"]
    assert all(scratch in path.parents for path in found)
    monkeypatch.setattr(many, "MOST_BYTES", 40)
    assert len(many.photos_of([tmp_path / "photos.zip"], scratch)) == 3
    with pytest.raises(InvalidInput, match="fewer at a time"):  # together, not each for itself
        many.photos_of([tmp_path / "photos.zip"] * 2, scratch)


def test_a_zip_with_a_damaged_photo_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(range(256)) * 40)
        start = archive.infolist()[0].header_offset + 30 + len("a.png")
    content = bytearray((tmp_path / "photos.zip").read_bytes())
    content[start : start + 20] = b"\xff" * 20
    (tmp_path / "photos.zip").write_bytes(content)
    with pytest.raises(InvalidInput, match="not a zip that can be read"):
        many.photos_of([tmp_path / "photos.zip"], tmp_path)


def test_names_in_a_zip_lead_to_no_other_disk_and_two_paintings_are_never_one_file(tmp_path, transfer):
    make_photo(40, 40).save(tmp_path / "photo.png")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.mkdir("trip.png")
        for name in ("D:b.png", "trip.png/A.png", "a.png"):
            archive.write(tmp_path / "photo.png", name)
    wish = Wish({"blue": 1.0}, size=40)
    files = [tmp_path / "photos.zip"]
    found = many.paint_all(visitor_with(transfer, tmp_path), wish, files, ".png", lambda _: None)
    names = zipfile.ZipFile(found.archive).namelist()
    assert (names, found.failed) == (["D_b-painted.png", "A-painted.png", "a-painted-2.png"], [])


def test_photos_with_long_names_are_painted_too(tmp_path, transfer):
    make_photo(40, 40).save(tmp_path / "photo.png")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in ("a" * 300, "ä" * 120):
            archive.write(tmp_path / "photo.png", f"{name}.png")
    visitor = visitor_with(transfer, tmp_path)
    wish = Wish({"blue": 1.0}, size=40)
    found = many.paint_all(visitor, wish, [tmp_path / "photos.zip"], ".jpeg", lambda _: None)
    assert not found.failed
    assert len(zipfile.ZipFile(found.archive).namelist()) == 2


def test_a_style_that_is_gone_ends_many_photos_at_once(tmp_path, transfer):
    make_photo(40, 40).save(tmp_path / "photo.png")
    wish = Wish({"gone": 1.0}, size=40)
    with pytest.raises(UnknownStyle):
        many.paint_all(
            visitor_with(transfer, tmp_path), wish, [tmp_path / "photo.png"] * 3, ".png", lambda _: None
        )


def test_settings_from_a_file_fit_the_sliders():
    slider = gr.Slider(0.5, 2, value=1)
    values = (4, 0.1, 1.5, None, "x", math.nan)
    assert [_within(slider, value) for value in values] == [2, 0.5, 1.5, 1, 1, 1]


@pytest.mark.parametrize(
    "found",
    [
        {"styles": {"blue": 7, "amber": -1}, "optimization": [], "size": "large", "method": ["cin"]},
        {"styles": {"blue": "x"}},
        {"styles": {"blue": math.nan}},
        {"styles": ["blue"]},
    ],
)
def test_settings_that_somebody_made_up_do_no_harm(paint_tab, tmp_path, found):
    tab, values = paint_tab
    painted = images.to_pil(torch.rand(1, 3, 20, 20), metadata=found)
    images.save_picture(painted, tmp_path / "photo.png")
    updates = tab._photo_given(values, VISITOR)
    numbers = [
        each["value"] for each in updates.values() if isinstance(each, dict) and _is_number(each.get("value"))
    ]
    assert all(0 <= number <= 100 for number in numbers)
    assert (100 in numbers) == (found["styles"] == {"blue": 7, "amber": -1})


def test_what_the_page_cannot_restore_is_told():
    found = {"size": 1280, "masks": ["udnie"], "color_mode": "statistics"}
    expected = ["long side of 1280 px, 1024 instead", "2 more styles", "regions", "colours kept by statistics"]
    assert _not_restored(found, 1024, 2) == expected
    assert _not_restored({"size": 1024, "color_mode": "luminance"}, 1024, 0) == []
    assert _not_restored({"size": None}, 0, 0) == []
    page_like, other = asdict(Optimization(seconds=90)), asdict(Optimization(style_scale=2))
    assert _not_restored({"optimization": page_like}, 0, 0) == []
    assert _not_restored({"optimization": other}, 0, 0) == ["settings of the optimisation"]
    assert _not_restored({"size": "large"}, 0, 0) == []


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
    assert "bare" in StylePictures(tmp_path).found(visitor, "", [])[1]


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
