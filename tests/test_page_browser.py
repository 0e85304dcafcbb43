"""The web page in a real browser, on tiny random networks: every flow from upload to downloaded result."""

import io
import json
import os
import re
import shutil
import zipfile
from contextlib import closing, suppress
from pathlib import Path
from threading import Event

import pytest
from conftest import make_photo, soon, with_info
from pages import at_work
from PIL import Image
from playwright.sync_api import Locator, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as NothingCame

from styletransfer import StyleTransfer, images
from styletransfer.page import build_page, visitors
from styletransfer.page.appearance import appearance
from styletransfer.page.visitors import SHOWN_SIDE
from styletransfer.page.wish import Wish
from styletransfer.stylefile import save_style

SLOW = 30_000  # milliseconds, for work that loads VGG-19
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
expect.set_options(timeout=SLOW)


def needs_browser(test):
    """Marks a test of the page in a browser."""
    missing = CHROMIUM is None and not os.environ.get("CI")
    reason = "no Chromium here; 'apt install chromium' brings one"
    return pytest.mark.browser(pytest.mark.skipif(missing, reason=reason)(test))


@pytest.fixture(autouse=True)
def no_style_is_left(own_styles):
    """A test that fails takes no others with it."""
    yield
    for file in own_styles.glob("*.safetensors"):
        file.unlink()


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


def _outside(url: str, site: str) -> bool:
    return not url.startswith((site, "data:", "blob:"))


@pytest.fixture
def new_page(browser):
    """Opens further pages, each in a browser of its own, until the test ends."""
    contexts = []

    def open_page(**options) -> Page:
        contexts.append(browser.new_context(**options))
        return contexts[-1].new_page()

    yield open_page
    for context in contexts:
        context.close()


def give(page: Page, where: str, file: Path) -> None:
    box = page.locator(f"{where} input[type=file]").first
    box.wait_for(state="attached")
    # Gradio sets a control once more a frame after it has come into sight.
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    with page.expect_response(lambda response: "/upload?" in response.url):
        box.set_input_files(file)


def choose(page: Page, index: int) -> None:
    page.locator("#styles button.thumbnail-item").nth(index).click()


def wait_painted(page: Page) -> None:
    expect(page.locator("#note")).to_contain_text("painted in", timeout=SLOW)
    expect(page.locator("#download")).to_be_enabled(timeout=SLOW)


def begin_finest(page: Page) -> None:
    """A painting that goes on until it is stopped."""
    page.get_by_label("Finest").check()
    set_slider(page, "Painting time (seconds)", "300")
    expect(page.locator("#note")).to_contain_text("300 seconds")
    page.locator("#paint-finest").click()


def paint_first(page: Page, photo: Path) -> None:
    """The photo in the first style of the gallery."""
    give(page, "#photo", photo)
    choose(page, 0)
    wait_painted(page)


def download(page: Page, button: str = "#download") -> bytes:
    """What the button gives; a click in the moment when it closes for a new painting brings nothing."""
    for timeout in (2_000, 2_000, SLOW):
        with suppress(NothingCame):
            with page.expect_download(timeout=timeout) as waiting:
                page.locator(button).click()
            return Path(waiting.value.path()).read_bytes()
    raise AssertionError(f"{button} gives no download")


def is_jpeg(content: bytes) -> bool:
    with Image.open(io.BytesIO(content)) as picture:
        return picture.format == "JPEG"


def settings_of(content: bytes) -> dict:
    with Image.open(io.BytesIO(content)) as picture:
        return json.loads(picture.info["styletransfer"])


def fill(box: Locator, value: str) -> None:
    """Fill a control until it keeps it: Gradio sets one once more just after it has come into sight."""

    def kept() -> bool:
        box.fill(value)
        box.page.wait_for_timeout(200)
        return box.input_value() == value

    assert soon(kept)


def set_slider(page: Page, label: str, value: str) -> None:
    box = page.get_by_label(f"number input for {label}")
    fill(box, value)
    box.press("Enter")


@needs_browser
def test_an_uploaded_photo_can_be_downloaded_as_a_painting(page, photo_file):
    paint_first(page, photo_file)
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
    paint_first(page, photo_file)
    page.get_by_role("button", name="More settings").click()
    note = page.locator("#note").inner_text()

    def is_saved_again():
        for file_format in ("PNG", "JPEG"):
            page.get_by_label(file_format).click()
        return is_jpeg(download(page))

    assert soon(is_saved_again)
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
@pytest.mark.parametrize("replaced", [False, True])
def test_a_photo_that_was_taken_away_before_its_copy_is_there_does_not_come_back(
    page, photo_file, tmp_path, monkeypatch, replaced
):
    make_photo(96, 128).save(tmp_path / "photo.tif")
    shown, shrink, goes_on = [], visitors.Visitor.shown, Event()

    def slow(*given):
        goes_on.wait(60)
        shown.append(shrink(*given))
        return shown[-1]

    monkeypatch.setattr(visitors.Visitor, "shown", slow)
    page.get_by_role("tab", name="Learn a style").click()
    give(page, "#teacher", tmp_path / "photo.tif")
    page.locator("#teacher").get_by_label("Remove Image").click()
    picture = page.locator("#teacher img")
    if replaced:
        give(page, "#teacher", photo_file)
        expect(picture).to_have_attribute("src", re.compile(r"photo\.png$"))
    goes_on.set()
    assert soon(lambda: shown)
    page.wait_for_timeout(1000)
    expect(picture).to_have_count(int(replaced))
    if replaced:
        expect(picture).to_have_attribute("src", re.compile(r"photo\.png$"))


@needs_browser
def test_styles_have_names_and_tell_whether_they_are_chosen(page):
    amber = page.get_by_role("button", name="Amber · Nobody, 1900")
    expect(amber).to_have_attribute("aria-pressed", "false")
    amber.click()
    expect(amber).to_have_attribute("aria-pressed", "true")
    amber.click()
    expect(amber).to_have_attribute("aria-pressed", "false")


@needs_browser
def test_pictures_have_names_for_those_who_do_not_see_them(page, photo_file):
    examples = page.locator("#examples .gallery-item")
    expect(examples).to_have_count(3)
    for index in range(3):
        expect(examples.nth(index)).to_have_attribute("aria-label", f"Example photo {index + 1}")
    paint_first(page, photo_file)
    expect(page.locator("#photo img")).to_have_attribute("alt", "The photo")
    for index, name in enumerate(("The photo", "The painting")):
        expect(page.locator("#result img").nth(index)).to_have_attribute("alt", name)


@needs_browser
def test_a_finger_on_the_painting_scrolls_the_page_unless_it_is_magnified(page, photo_file):
    paint_first(page, photo_file)
    picture = page.locator("#result img").first

    def is_stopped(fingers):
        return picture.evaluate(
            """(picture, fingers) => {
              const box = picture.getBoundingClientRect();
              const at = {target: picture, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2};
              const touches = [...Array(fingers).keys()].map((identifier) => new Touch({identifier, ...at}));
              const touch = {touches, bubbles: true, cancelable: true};
              return !picture.dispatchEvent(new TouchEvent('touchstart', touch));
            }""",
            fingers,
        )

    assert not is_stopped(1)
    assert is_stopped(2)  # which magnify it
    box = picture.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] / 2)  # beside the divider
    page.mouse.wheel(0, -100)
    assert soon(lambda: is_stopped(1))


@needs_browser
@pytest.mark.parametrize(("height", "width"), [(60, 80), (80, 60)])
def test_the_divider_between_photo_and_painting_is_moved_over_them_by_keys(page, tmp_path, height, width):
    make_photo(height, width).save(tmp_path / "photo.png")
    paint_first(page, tmp_path / "photo.png")
    divider = page.get_by_role("slider", name="Divider between photo and painting")
    frame = divider.locator("xpath=..").bounding_box()
    shown = min(frame["width"], frame["height"] * width / height)
    left = frame["x"] + (frame["width"] - shown) / 2

    def stands_at(share):
        box = divider.bounding_box()
        at = (box["x"] + box["width"] / 2 - left) / shown
        return abs(at - share) < 0.01 and divider.get_attribute("aria-valuenow") == f"{100 * share:.0f}"

    assert stands_at(0.5)
    divider.focus()
    for keys, share in (
        (["ArrowRight"] * 2, 0.6),
        (["ArrowLeft"], 0.55),
        (["Home"] * 2, 0),
        (["ArrowRight"], 0.05),
        (["End"], 1),
    ):
        for key in keys:
            divider.press(key)
        assert soon(lambda share=share: stands_at(share), 5), keys


@needs_browser
def test_a_slider_moved_by_keys_paints_in_full(page, photo_file):
    paint_first(page, photo_file)
    slider = page.locator("#strength input[type=range]")
    slider.focus()
    for _ in range(2):
        slider.press("ArrowLeft")
    assert soon(lambda: settings_of(download(page))["strength"] == 0.9)
    box = page.get_by_label("number input for Strength", exact=True)
    for key, strength in (("Enter", 0.5), ("Tab", 0.7)):
        box.fill(str(strength))
        box.press(key)
        assert soon(lambda strength=strength: settings_of(download(page))["strength"] == strength), key


@needs_browser
def test_the_format_chosen_while_it_paints_counts(page, photo_file):
    paint_first(page, photo_file)
    page.get_by_role("button", name="More settings").click()
    begin_finest(page)
    expect(page.locator("#note")).to_contain_text("Step", timeout=SLOW)
    page.get_by_label("JPEG").click()
    page.wait_for_timeout(500)
    page.locator("#stop").click()
    wait_painted(page)
    assert soon(lambda: is_jpeg(download(page)))


@needs_browser
def test_an_earlier_painting_is_a_click_away_and_outlives_a_reload(page, photo_file):
    paint_first(page, photo_file)
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
    paint_first(page, photo_file)
    page.get_by_role("button", name="More settings").click()
    box = page.get_by_label("number input for Stroke size")
    fill(box, "")
    box.press_sequentially("0.5")
    box.press("Enter")
    expect(page.locator("#note")).to_contain_text("painted in", timeout=SLOW)
    assert soon(lambda: settings_of(download(page))["stroke_size"] == 0.5)
    assert page.get_by_text("Error").count() == 0


@needs_browser
@pytest.mark.parametrize("key", ["Enter", "Tab"])
@pytest.mark.parametrize(
    ("label", "held"), [("number input for Strength", "1"), ("Size (long side)", "1024 px")]
)
def test_a_box_that_is_left_empty_holds_what_it_held(page, photo_file, key, label, held):
    paint_first(page, photo_file)
    box = page.get_by_label(label, exact=True)
    fill(box, "")
    box.press(key)
    expect(box).to_have_value(held)
    choose(page, 1)
    assert soon(lambda: "blue" in settings_of(download(page))["styles"])
    assert settings_of(download(page))["strength"] == 1


@needs_browser
def test_sliders_blend_and_the_shares_are_shown(page, photo_file):
    paint_first(page, photo_file)
    choose(page, 2)
    expect(page.locator("#mix")).to_contain_text("Amber 50 %")
    set_slider(page, "Coral", "25")
    expect(page.locator("#mix")).to_contain_text("Amber 80 %")
    assert soon(lambda: settings_of(download(page))["styles"] == {"amber": 0.8, "coral": 0.2})


def pad_of_two(page: Page) -> Locator:
    """The pad with the first two styles, ready for keys."""
    choose(page, 0)
    choose(page, 1)
    page.get_by_role("button", name="Blend pad").click()
    pad = page.locator("#blend-pad .pad")
    expect(pad).to_contain_text("Blue")
    pad.focus()
    return pad


@needs_browser
def test_the_pad_blends_by_arrow_keys(page, photo_file):
    give(page, "#photo", photo_file)
    pad = pad_of_two(page)
    for _ in range(3):
        pad.press("ArrowRight")
    expect(page.get_by_label("number input for Blue")).to_have_value("80")


@needs_browser
def test_the_point_of_the_pad_goes_where_a_style_chosen_just_after_a_move_puts_it(page):
    pad = pad_of_two(page)
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):  # down means nothing to two styles
        pad.press(key)
    choose(page, 2)
    expect(pad).to_contain_text("Coral")
    off = """pad => {
      const {left, top} = pad.querySelector('.point').style;
      return Math.max(Math.abs(parseFloat(left) - 100 * pad.dataset.x),
                      Math.abs(parseFloat(top) - 100 * pad.dataset.y));
    }"""
    assert soon(lambda: pad.evaluate(off) < 0.1, 20)


@needs_browser
def test_a_drag_on_the_pad_is_one_painting(page, photo_file):
    paint_first(page, photo_file)
    choose(page, 1)
    page.get_by_role("button", name="Blend pad").click()
    earlier = page.locator("#earlier button.thumbnail-item")
    expect(earlier).to_have_count(2, timeout=SLOW)
    painted = page.locator("#result img").last.get_attribute("src")
    pad = page.locator("#blend-pad .pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(box["x"] + box["width"] * (0.5 - 0.05 * step), box["y"] + box["height"] / 2)
        page.wait_for_timeout(200)
    expect(page.locator("#mix")).to_contain_text("Amber 90 %")
    expect(page.locator("#result img").last).not_to_have_attribute("src", painted)
    expect(earlier).to_have_count(2)
    page.mouse.up()
    expect(earlier).to_have_count(3, timeout=SLOW)
    wait_painted(page)
    assert soon(lambda: settings_of(download(page))["styles"] == {"amber": 0.9, "blue": 0.1})
    expect(earlier).to_have_count(3)


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
def test_the_gallery_shows_the_styles_on_the_photo(page, photo_file):
    pictures = page.locator("#styles img")
    usual = [pictures.nth(index).get_attribute("src") for index in range(3)]
    give(page, "#photo", photo_file)
    page.get_by_label("Show the styles on my photo").check()
    assert soon(lambda: all(pictures.nth(index).get_attribute("src") not in usual for index in range(3)))
    page.get_by_label("Show the styles on my photo").uncheck()
    assert soon(lambda: [pictures.nth(index).get_attribute("src") for index in range(3)] == usual)


def give_photo_and_style(page: Page, photo: Path, folder: Path) -> None:
    """A photo, and a picture `painting.png` as its style."""
    make_photo(60, 60, seed=5).save(folder / "painting.png")
    give(page, "#photo", photo)
    page.get_by_role("button", name="Or any picture as a style").click()
    give(page, "#picture", folder / "painting.png")


@needs_browser
def test_any_picture_is_a_style(page, photo_file, tmp_path):
    give_photo_and_style(page, photo_file, tmp_path)
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
    fill(slider, "50")
    slider.press("Tab")
    wait_painted(page)
    shares = {"blue": 1 / 3, "painting.png": 2 / 3}
    assert soon(lambda: settings_of(download(page))["styles"] == pytest.approx(shares, abs=1e-3))


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
def test_settings_come_back_where_another_picture_was_a_style(page, photo_file, transfer, tmp_path):
    make_photo(60, 60, seed=5).save(tmp_path / "painting.png")
    painted = transfer.stylize(photo_file, {"amber": 0.25, "blue": 0.75})
    images.save_picture(painted, tmp_path / "painted.png")
    choose(page, 0)
    page.get_by_role("button", name="Or any picture as a style").click()
    give(page, "#picture", tmp_path / "painting.png")
    expect(page.locator("#mix")).to_contain_text("Your picture 50 %", timeout=SLOW)
    give(page, "#photo", tmp_path / "painted.png")
    wait_painted(page)
    assert soon(lambda: settings_of(download(page))["styles"] == {"amber": 0.25, "blue": 0.75})
    expect(page.get_by_label("number input for Blue")).to_have_value("75")
    expect(page.locator("#mix")).to_contain_text("Amber 25 %")
    page.get_by_role("button", name="Blend pad").click()
    expect(page.locator("#blend-pad .pad")).to_have_attribute("data-x", "0.750")


@needs_browser
def test_a_name_in_somebodys_painting_is_text_that_fetches_nothing(page, tmp_path):
    name = "<img src='http://elsewhere.invalid/x.png'>"
    painted = Image.new("RGB", (40, 30))
    painted.info["styletransfer"] = json.dumps({"styles": {name: 1.0}})
    images.save_picture(painted, tmp_path / "painted.png")
    give(page, "#photo", tmp_path / "painted.png")
    expect(page.locator(".toast-body").first).to_contain_text(name)


@needs_browser
def test_the_finest_method_can_be_stopped_and_keeps_its_picture(page, photo_file):
    paint_first(page, photo_file)
    page.get_by_label("Finest").check()
    expect(page.locator("#note")).to_contain_text("Press Paint")
    page.locator("#paint-finest").click()
    expect(page.locator("#note")).to_contain_text("Step", timeout=SLOW)
    page.locator("#stop").click()
    wait_painted(page)
    assert settings_of(download(page))["method"] == "gatys"


@needs_browser
@pytest.mark.usefixtures("slow_at_half_strength")
def test_what_waits_behind_a_stopped_painting_is_painted(page, photo_file):
    paint_first(page, photo_file)
    box = page.get_by_label("number input for Strength", exact=True)
    for value in ("0.5", "0.8"):
        box.fill(value)
        box.press("Enter")
        expect(page.locator("#stop")).to_be_enabled(timeout=SLOW)
    page.locator("#stop").click()
    expect(page.locator(".toast-body").first).to_contain_text("Stopped", timeout=SLOW)
    assert soon(lambda: settings_of(download(page))["strength"] == 0.8)


@needs_browser
@pytest.mark.parametrize(
    ("content", "name", "told"),
    [(None, "Amber", "which is never replaced"), (b"no picture", "Mine", "not a picture")],
)
def test_what_fails_leaves_nothing_going_on(page, tmp_path, content, name, told):
    make_photo(70, 90, seed=8).save(tmp_path / "teacher.png")
    if content:
        (tmp_path / "teacher.png").write_bytes(content)
    page.get_by_role("tab", name="Learn a style").click()
    give(page, "#teacher", tmp_path / "teacher.png")
    fill(page.get_by_label("Name of the style"), name)
    page.locator("#learn").click()
    expect(page.locator(".toast-body").first).to_contain_text(told, timeout=SLOW)
    expect(page.locator("#learning")).to_be_empty()
    expect(page.locator("#stop-learning")).to_be_disabled()


@needs_browser
def test_a_style_is_learned_used_exported_and_removed(page, photo_file, own_styles, tmp_path):
    make_photo(70, 90, seed=8).save(tmp_path / "teacher.png")
    page.get_by_role("tab", name="Learn a style").click()
    give(page, "#teacher", tmp_path / "teacher.png")
    fill(page.get_by_label("Name of the style"), "Dots of mine")
    page.locator("#learn").click()
    expect(page.locator("#learning")).to_contain_text("Step", timeout=2 * SLOW)
    page.locator("#stop-learning").click()
    expect(page.locator("#learning")).to_contain_text("Done", timeout=SLOW)
    assert (own_styles / "dots-of-mine.safetensors").exists()
    page.get_by_role("tab", name="Paint").click()
    expect(page.locator("#styles button.thumbnail-item")).to_have_count(4)
    paint_first(page, photo_file)
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
    expect(page.locator("#learning")).to_contain_text("deleted")
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
    give_photo_and_style(page, photo_file, tmp_path)
    wait_painted(page)
    page.get_by_role("tab", name="All styles").click()
    page.locator("#paint-sheet").click()
    expect(page.locator("#sheet button.thumbnail-item")).to_have_count(3, timeout=SLOW)
    expect(page.locator("#stop-sheet")).to_be_disabled(timeout=SLOW)
    page.locator("#sheet button.thumbnail-item").nth(1).click()
    expect(page.locator("#picture img")).to_have_count(0)
    assert soon(lambda: settings_of(download(page))["styles"] == {"blue": 1.0})


@needs_browser
def test_a_click_that_opens_another_tab_lands_at_what_it_is_about(page, photo_file, tmp_path):
    give_photo_and_style(page, photo_file, tmp_path)
    page.set_viewport_size({"width": 390, "height": 500})
    page.locator("#learn-this").click()
    expect(page.locator("#teacher img")).to_be_in_viewport()
    page.set_viewport_size({"width": 1280, "height": 500})  # in which all tabs can be clicked
    page.get_by_role("tab", name="All styles").click()
    page.set_viewport_size({"width": 390, "height": 500})
    page.locator("#paint-sheet").click()
    expect(page.locator("#sheet button.thumbnail-item")).to_have_count(3, timeout=SLOW)
    page.locator("#sheet button.thumbnail-item").last.click()
    expect(page.locator("#result")).to_be_in_viewport()


@needs_browser
def test_a_tab_that_is_closed_leaves_the_processor_and_no_half_learned_style(
    page, new_page, site, photo_file, own_styles, tmp_path
):
    make_photo(70, 90, seed=8).save(tmp_path / "teacher.png")
    leaving = new_page()
    leaving.goto(site)
    leaving.get_by_role("tab", name="Learn a style").click()
    give(leaving, "#teacher", tmp_path / "teacher.png")
    fill(leaving.get_by_label("Name of the style"), "Unfinished")
    leaving.locator("#learn").click()
    expect(leaving.locator("#learning")).to_contain_text("Step", timeout=2 * SLOW)
    assert at_work()
    leaving.close()
    assert soon(lambda: not at_work(), 20)  # long before the time for learning is over
    paint_first(page, photo_file)
    assert not list(own_styles.iterdir())


@needs_browser
def test_whoever_waits_for_another_visitor_is_told(page, new_page, site, photo_file):
    paint_first(page, photo_file)
    begin_finest(page)
    expect(page.locator("#note")).to_contain_text("Step", timeout=SLOW)
    other = new_page()
    other.goto(site)
    expect(other.locator("#styles button.thumbnail-item")).to_have_count(3, timeout=SLOW)
    give(other, "#photo", photo_file)
    choose(other, 0)
    other.get_by_role("tab", name="Many photos").click()
    give(other, "#photos", photo_file)
    other.get_by_role("tab", name="Learn a style").click()
    give(other, "#teacher", photo_file)
    other.locator("#learn").click()
    expect(other.locator(".toast-body").first).to_contain_text("a name for the style")  # before it waits
    fill(other.get_by_label("Name of the style"), "Unfinished")
    for tab, button, shown in (
        ("Learn a style", "#learn", "#learning"),
        ("Many photos", "#paint-all", "#many"),
        ("All styles", "#paint-sheet", "#sheet-note"),
    ):
        other.get_by_role("tab", name=tab).click()
        other.locator(button).click()
        expect(other.locator(shown)).to_contain_text("Waiting to start")
    other.get_by_role("tab", name="Paint").click()
    choose(other, 1)
    wait_painted(other)  # what is fast passes between the steps
    expect(page.locator("#note")).to_contain_text("Step")
    other.close()  # with what waits
    page.locator("#stop").click()


@needs_browser
def test_what_waits_is_painted_as_it_was_ordered(page, new_page, site, photo_file):
    other = new_page()
    other.goto(site)
    paint_first(other, photo_file)
    begin_finest(other)
    expect(other.locator("#note")).to_contain_text("Step", timeout=SLOW)
    paint_first(page, photo_file)
    begin_finest(page)
    expect(page.locator("#note")).to_contain_text("Waiting to start")
    choose(page, 0)
    choose(page, 1)
    expect(page.locator("#note")).to_contain_text("Press Paint")
    other.locator("#stop").click()
    expect(page.locator("#note")).to_contain_text("Step", timeout=SLOW)
    page.locator("#stop").click()
    wait_painted(page)
    assert settings_of(download(page))["styles"] == {"amber": 1.0}


@needs_browser
def test_what_a_visitor_brought_goes_when_they_leave(new_page, site, visitors_folder, photo_file, monkeypatch):
    monkeypatch.setattr(visitors, "KEPT_SECONDS", 1)
    before = set(visitors_folder.iterdir())
    page = new_page()
    page.goto(site)
    expect(page.locator("#styles button.thumbnail-item")).to_have_count(3, timeout=SLOW)
    paint_first(page, photo_file)
    brought = set(visitors_folder.iterdir()) - before
    assert [file for folder in brought for file in folder.rglob("*.png")]
    page.close()
    assert soon(lambda: not any(folder.exists() for folder in brought))


@needs_browser
def test_styles_outlive_a_reload_of_a_page_that_others_use(new_page, transfer, tmp_path):
    style = transfer._bank.load("amber")
    save_style(tmp_path / "mine.safetensors", with_info(style, slug="mine", title="Mine"))
    page = build_page(transfer, shared_styles=False)
    _, address, _ = page.queue().launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, **appearance())
    mine = "#styles button[aria-label^=Mine]"
    with closing(page):
        one, other = new_page(), new_page()
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


@needs_browser
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(page, width):
    for name, folded in {"Paint": 4, "Learn a style": 1, "Many photos": 0, "All styles": 0}.items():
        page.set_viewport_size({"width": 1280, "height": 800})  # in which all tabs can be clicked
        page.get_by_role("tab", name=name).click()
        closed = page.locator("button.label-wrap:not(.open):visible")
        expect(closed).to_have_count(folded)
        for _ in range(folded):
            closed.first.click()
        expect(closed).to_have_count(0)
        page.set_viewport_size({"width": width, "height": 800})
        assert soon(lambda: page.evaluate("document.documentElement.scrollWidth") <= width, 5), name


@needs_browser
def test_any_size_can_be_typed(page, photo_file):
    paint_first(page, photo_file)
    box = page.get_by_label("Size (long side)")
    for typed, key in (("1500", "Enter"), ("300 px", "Tab"), ("102", "Enter")):  # as in 1024
        fill(box, typed)
        box.press(key)
        side = int(typed.split()[0])
        expect(page.locator("#note")).to_contain_text(f"{side} x", timeout=SLOW)
        with Image.open(io.BytesIO(download(page))) as picture:
            assert max(picture.size) == side
    fill(box, "large")
    box.press("Enter")
    expect(page.locator(".toast-body").first).to_contain_text("give the long side in pixels")


@needs_browser
def test_a_size_typed_at_the_keyboard_is_taken_as_it_is(page, photo_file):
    paint_first(page, photo_file)
    box = page.get_by_label("Size (long side)")
    for typed, keys, side in (("256", [], 256), ("20", ["ArrowDown"], 2048), ("38", ["4", "End"], 384)):
        box.click()
        box.press("Control+a")
        box.press_sequentially(typed)
        for key in (*keys, "Enter"):
            page.keyboard.press(key)
        expect(page.locator("#note")).to_contain_text(f"{side} x", timeout=SLOW)
        expect(box).to_have_value(re.compile(f"^{side}( px)?$"))
    for key in ("Control", "Enter"):  # 384 is part of 3840 as well
        box.press(key)
    expect(box).to_have_value("384")


@needs_browser
@pytest.mark.parametrize("label", ["Size (long side)", "number input for Strength"])
def test_leaving_a_box_paints_nothing(page, photo_file, label):
    paint_first(page, photo_file)
    choose(page, 1)
    expect(page.locator("#earlier button.thumbnail-item")).to_have_count(2, timeout=SLOW)
    page.locator("#earlier button.thumbnail-item").nth(1).click()
    expect(page.locator("#note")).to_contain_text("An earlier painting")
    shown = page.locator("#result img").last.get_attribute("src")
    box = page.get_by_label(label, exact=True)
    box.click()
    box.press("Tab")
    page.wait_for_timeout(1000)
    assert page.locator("#result img").last.get_attribute("src") == shown
    expect(page.locator("#earlier button.thumbnail-item")).to_have_count(2)


@needs_browser
def test_a_size_that_is_none_disables_nothing_that_needs_no_size(page, photo_file):
    give(page, "#photo", photo_file)
    box = page.get_by_label("Size (long side)")
    fill(box, "large")
    box.press("Enter")
    choose(page, 0)
    expect(page.locator(".toast-body").first).to_contain_text("give the long side in pixels, 1 to 16384")
    expect(page.locator("#styles button.thumbnail-item").nth(0)).to_have_attribute("aria-pressed", "true")


@needs_browser
def test_a_size_that_came_back_from_a_painting_can_be_typed_over(page, transfer, tmp_path):
    painted = transfer.stylize(make_photo(20, 30), "amber", size=300)
    images.save_picture(painted, tmp_path / "painted.png")
    give(page, "#photo", tmp_path / "painted.png")
    box = page.get_by_label("Size (long side)")
    expect(box).to_have_value("300 px", timeout=SLOW)
    wait_painted(page)
    box.click()
    box.press("ArrowRight")  # before anything is typed
    box.press("Control+a")
    box.press_sequentially("200")
    box.press("Enter")
    expect(page.locator("#note")).to_contain_text("200 x", timeout=SLOW)


@needs_browser
def test_who_gives_a_photo_without_a_style_is_told_of_no_wait(page, photo_file):
    note = page.locator("#note")
    page.evaluate(
        """() => {
          window.told = [];
          const note = document.getElementById('note');
          new MutationObserver(() => window.told.push(note.innerText))
            .observe(note, {childList: true, subtree: true, characterData: true});
        }"""
    )
    give(page, "#photo", photo_file)
    expect(note).to_contain_text("Choose a style in the gallery", timeout=SLOW)
    page.wait_for_timeout(1000)
    assert not [text for text in page.evaluate("window.told") if "Waiting" in text]
    choose(page, 0)
    wait_painted(page)
    assert [text for text in page.evaluate("window.told") if "Waiting" in text]


@needs_browser
def test_a_page_of_a_server_that_was_started_anew_is_loaded_anew_when_it_is_looked_at(page):
    focus = "window.dispatchEvent(new Event('focus'))"
    page.evaluate("window.before = true")
    with page.expect_response("**/app_id"):
        page.evaluate(focus)
    page.wait_for_timeout(500)
    assert page.evaluate("window.before")
    page.route("**/app_id", lambda route: route.fulfill(json={"error": "no answer"}))  # as of a gateway
    with page.expect_response("**/app_id"):
        page.evaluate(focus)
    page.wait_for_timeout(500)
    assert page.evaluate("window.before")
    page.route("**/app_id", lambda route: route.fulfill(json={"app_id": 1}))
    with page.expect_navigation():
        page.evaluate(focus)
    expect(page.locator("#styles button.thumbnail-item")).to_have_count(3, timeout=SLOW)
    assert not page.evaluate("window.before")


@needs_browser
def test_the_settings_of_an_earlier_painting_come_back_on_wish(page, photo_file):
    paint_first(page, photo_file)
    set_slider(page, "Strength", "0.5")
    earlier = page.locator("#earlier button.thumbnail-item")
    expect(earlier).to_have_count(2, timeout=SLOW)
    expect(page.locator("#reuse")).to_be_hidden()
    choose(page, 0)
    choose(page, 1)
    expect(earlier).to_have_count(3, timeout=SLOW)
    earlier.nth(1).click()
    page.locator("#reuse").click()
    expect(page.get_by_label("number input for Strength", exact=True)).to_have_value("0.5")
    expect(page.get_by_role("button", name="Amber · Nobody, 1900")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Blue · Nobody, 1900")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#reuse")).to_be_hidden()


@needs_browser
@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_the_page_is_dark_where_the_system_is(new_page, site, scheme, is_dark):
    page = new_page(color_scheme=scheme)
    page.goto(site)
    expect(page.locator("#styles button.thumbnail-item")).to_have_count(3, timeout=SLOW)
    red = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0]")
    assert (int(red) < 128) == is_dark


def paint_over_the_middle(page: Page) -> None:
    """A stroke in the region editor, which is there once the photo is."""
    canvas = page.locator("#region canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 40, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    page.get_by_label("Save changes").click()
    page.wait_for_timeout(500)


@needs_browser
def test_a_style_is_painted_inside_a_region(page, tmp_path, monkeypatch):
    monkeypatch.setattr(visitors, "SHOWN_SIDE", 128)  # without a graphics card the editor is slow
    Image.linear_gradient("L").save(tmp_path / "photo.png")
    paint_first(page, tmp_path / "photo.png")
    page.get_by_role("button", name="Regions").click()
    inside = page.get_by_label("Inside the area").first

    def is_painted():
        paint_over_the_middle(page)
        return inside.is_visible()

    assert soon(is_painted)
    expect(inside).to_be_checked()
    assert soon(lambda: settings_of(download(page)).get("masks") == ["amber"])


@needs_browser
def test_a_mask_is_a_region_that_the_brush_can_change(page, tmp_path, monkeypatch):
    mask, regions, paint = Image.new("L", (40, 30)), [], Wish.paint
    mask.paste(255, (0, 0, 10, 30))
    mask.save(tmp_path / "mask.png")
    monkeypatch.setattr(Wish, "paint", lambda wish, *given: regions.append(wish.region) or paint(wish, *given))
    page.get_by_role("button", name="Regions").click()
    choose(page, 0)
    for index in range(2):  # the first photo is wider
        page.locator("#examples .gallery-item").nth(index).click()
        expect(page.locator("#earlier button.thumbnail-item")).to_have_count(index + 1, timeout=SLOW)
    with page.expect_file_chooser() as waiting:
        page.locator("#mask").click()
    waiting.value.set_files(tmp_path / "mask.png")
    expect(page.get_by_label("Inside the area").first).to_be_checked(timeout=SLOW)
    assert soon(lambda: regions[-1])
    width, height = regions[-1].size
    corner, middle = (2, 2), (width // 2, height // 2)
    assert [regions[-1].getpixel(at) for at in (corner, middle)] == [255, 0]

    def is_painted():
        paint_over_the_middle(page)
        return regions[-1].getpixel(middle)

    assert soon(is_painted)
    assert regions[-1].getpixel(corner) == 255
