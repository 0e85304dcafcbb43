"""The Paint tab without a browser: what its controls and handlers make of what visitors do."""

import asyncio
import os
import re
import shutil
import stat
from pathlib import Path

import gradio as gr
import pytest
import torch
from conftest import full_disk, make_photo, same, visitor_with
from gradio.state_holder import SessionState
from pages import VISITOR, click_on, listeners, page_of
from PIL import Image, ImageChops, ImageStat

from styletransfer.core import Progress
from styletransfer.errors import Cancelled, InvalidInput
from styletransfer.images import on_white, reading, save_picture
from styletransfer.images.formats import LONGEST_SIDES
from styletransfer.page import belongings
from styletransfer.page.belongings import Painted
from styletransfer.page.gallery import ON_PHOTO_SIDE
from styletransfer.page.mix import YOURS, mix_text, titles_of
from styletransfer.page.results import saved
from styletransfer.page.slider import Slider
from styletransfer.page.wish import EVERYWHERE, INSIDE, OUTSIDE, Wish


def test_a_preview_that_comes_late_does_not_replace_the_painting(paint_tab):
    tab, values = paint_tab
    it = tab.controls
    assert it.result in tab.painter.preview(values, VISITOR)
    list(tab.painter.paint(values, VISITOR))
    assert it.result not in tab.painter.preview(values, VISITOR)
    assert it.result in tab.painter.preview(values | {it.strength: 0.5}, VISITOR)


def test_what_is_shown_already_is_not_painted_again_until_something_else_is_shown(paint_tab):
    tab, values = paint_tab
    *_, told = tab.painter.paint_live(values, VISITOR)
    note = told[tab.controls.note]
    assert "painted in" in note
    [again] = tab.painter.paint_live(values, VISITOR)
    assert again == {tab.controls.note: note}
    tab.painter.preview(values | {tab.controls.strength: 0.5}, VISITOR)
    assert len(list(tab.painter.paint_live(values, VISITOR))) > 1


def test_a_format_chosen_while_a_painting_waits_for_its_turn_counts(paint_tab):
    tab, values = paint_tab
    list(tab.painter.paint(values, VISITOR))
    tab.results.save_again("JPEG", VISITOR)
    *_, told = tab.painter.paint(values | {tab.controls.strength: 0.5}, VISITOR)  # in line before
    assert told[tab.controls.download]["value"].endswith(".jpeg")


def test_a_painting_is_encoded_once_in_a_format_as_long_as_its_file_is_there(paint_tab):
    tab, values = paint_tab
    *_, told = tab.painter.paint(values, VISITOR)
    file = Path(told[tab.controls.download]["value"])
    assert tab.painter.nothing_painted(VISITOR)[tab.controls.download]["value"] == str(file)
    file.unlink()
    again = Path(tab.painter.nothing_painted(VISITOR)[tab.controls.download]["value"])
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
        *_, told = tab.painter.paint(values, VISITOR)
    assert "painted in" in told[tab.controls.note]  # as it is shown
    assert not told[tab.controls.download]["interactive"]
    assert tab.results.save_again("PNG", VISITOR)["value"].endswith(".png")


def test_what_was_painted_before_can_be_downloaded_where_nothing_came_of_the_next(paint_tab, monkeypatch):
    tab, values = paint_tab
    assert not tab.painter.nothing_painted(VISITOR)[tab.controls.download]["interactive"]
    list(tab.painter.paint(values, VISITOR))
    visitor = tab.visitors.of(VISITOR)
    painted = visitor.painted

    def fail(*_):
        raise InvalidInput("no")

    monkeypatch.setattr(Wish, "paint", fail)
    with pytest.warns(UserWarning, match="no"):
        *_, told = tab.painter.paint(values | {tab.controls.strength: 0.5}, VISITOR)
    assert told[tab.controls.note] == "Nothing was painted."
    assert visitor.painted is painted
    visitor.file_format = "WebP"  # chosen meanwhile
    assert tab.painter.nothing_painted(VISITOR)[tab.controls.download]["value"].endswith(".webp")


def test_previews_of_a_painting_that_fails_take_the_place_of_the_one_before(paint_tab, monkeypatch):
    tab, values = paint_tab
    list(tab.painter.paint(values, VISITOR))

    def fail(self, transfer, photo, on_step):
        on_step(Progress(1, 2, preview=torch.rand(1, 3, 20, 20)))
        raise InvalidInput("no memory")

    monkeypatch.setattr(Wish, "paint", fail)
    with pytest.warns(UserWarning, match="no memory"):
        *_, told = tab.painter.paint(values | {tab.controls.method: "Finest"}, VISITOR)
    assert tab.visitors.of(VISITOR).painted is None
    assert not told[tab.controls.download]["interactive"]


def test_the_painting_that_is_shown_can_be_downloaded_whatever_became_of_others(paint_tab, monkeypatch):
    tab, values = paint_tab
    it = tab.controls
    for strength in (0.4, 0.7):
        list(tab.painter.paint(values | {it.strength: strength}, VISITOR))
    *_, first = tab.visitors.of(VISITOR).own.earlier

    meanwhile = [
        lambda: tab.results.show_earlier(values, click_on(first.small), VISITOR),
        lambda: None,
        first.file.unlink,
    ]

    def stopped(*_):
        meanwhile.pop(0)()
        raise Cancelled

    monkeypatch.setattr(Wish, "paint", stopped)
    for _ in range(2):
        *_, told = tab.painter.paint(values, VISITOR)
        assert told[it.download] == gr.update(value=str(first.file), interactive=True)
    assert tab.results.save_again("JPEG", VISITOR) == gr.skip()  # it is kept as it is
    *_, told = tab.painter.paint(values, VISITOR)
    assert not told[it.download]["interactive"]


@pytest.mark.parametrize("method", ["Fast", "Finest"])
def test_what_is_stopped_before_it_begins_is_not_painted(paint_tab, monkeypatch, method):
    tab, values = paint_tab

    def paint(self, transfer, photo, on_step):
        on_step(Progress(0, 2))
        pytest.fail("went on")

    monkeypatch.setattr(Wish, "paint", paint)
    events = tab.painter.paint(values | {tab.controls.method: method}, VISITOR)
    assert next(events)[tab.controls.stop_button]["interactive"]
    tab.visitors.stop_painting(VISITOR)
    *_, told = events
    assert told[tab.controls.note] == "Nothing was painted."


def test_while_another_painting_is_shown_none_but_it_can_be_downloaded(paint_tab, monkeypatch):
    tab, values = paint_tab
    it, closed = tab.controls, []
    list(tab.painter.paint(values, VISITOR))
    [first] = tab.visitors.of(VISITOR).own.earlier

    def paint(self, transfer, photo, on_step):
        for step in range(2):
            on_step(Progress(step, 2, preview=torch.rand(1, 3, 20, 20)))
        return Image.new("RGB", (80, 60))

    monkeypatch.setattr(Wish, "paint", paint)
    for told in tab.painter.paint(values | {it.method: "Finest"}, VISITOR):
        if it.result in told:
            closed.append(not told[it.download]["interactive"])
            tab.results.show_earlier(values, click_on(first.small), VISITOR)  # which opens it
    assert closed == [True] * 3
    assert it.download not in told
    assert tab.visitors.of(VISITOR).painted is first


def test_while_a_preview_is_shown_no_painting_can_be_downloaded_or_give_its_settings(paint_tab):
    tab, values = paint_tab
    it = tab.controls
    list(tab.painter.paint(values, VISITOR))
    told = tab.painter.preview(values | {it.strength: 0.5}, VISITOR)
    assert (told[it.download], told[it.reuse]) == (gr.update(interactive=False), gr.update(visible=False))


def test_a_painting_that_is_saved_while_an_earlier_one_is_shown_leaves_that_as_it_is(paint_tab, monkeypatch):
    tab, values = paint_tab
    it, visitor, save = tab.controls, tab.visitors.of(VISITOR), save_picture
    list(tab.painter.paint(values, VISITOR))
    [first] = visitor.own.earlier

    def slow(*given):
        tab.results.show_earlier(values, click_on(first.small), VISITOR)
        save(*given)

    monkeypatch.setattr("styletransfer.images.save_picture", slow)
    *_, told = tab.painter.paint(values | {it.strength: 0.5}, VISITOR)
    assert set(told) == {it.key, it.earlier}
    assert len(told[it.earlier]["value"]) == 2
    assert visitor.painted is first


def test_a_painting_too_large_for_a_format_is_told_and_stays(paint_tab, monkeypatch):
    tab, values = paint_tab
    it = tab.controls
    monkeypatch.setitem(LONGEST_SIDES, "WEBP", 1000)
    list(tab.painter.paint(values, VISITOR))
    painted = tab.visitors.of(VISITOR).painted
    with pytest.raises(gr.Error, match=r"^'WebP files cannot have 1024 x 768 pixels; choose PNG"):
        tab.results.save_again("WebP", VISITOR)
    monkeypatch.setattr(Wish, "paint", lambda *_: pytest.fail("painted what cannot be saved"))
    with pytest.warns(UserWarning, match="WebP files cannot have 1024 x 768 pixels"):
        *_, told = tab.painter.paint(values | {it.strength: 0.5}, VISITOR)
    assert told[it.note] == "Nothing was painted."
    assert tab.visitors.of(VISITOR).painted is painted


def test_the_point_on_the_pad_follows_the_sliders_and_is_left_alone_by_what_paints(paint_tab):
    """A painting that was begun before would put it back to where it was then."""
    tab, values = paint_tab
    it = tab.controls
    both = {it.chosen: ["blue", "coral"], it.named: ["blue", "coral"]}
    weights = dict(zip(it.sliders, (25.0, 75.0), strict=False))
    told = tab.choices.weighted(values | both | weights, VISITOR)
    assert told[it.pad][4:6] == ["0.750", "0.500"]
    assert told[it.mix] == "**Blue** 25 % · **Coral** 75 %"
    for slider in (*it.sliders, it.picture_slider):
        for event in ("input", "release"):
            assert "weighted" in [each.name for each in listeners(slider, event)]
    assert "weighted" in [each.name for each in listeners(it.picture, "change")]
    given = tab.choices.picture_given(values | both, VISITOR)  # while older values are on their way
    assert not {it.mix, it.pad} & given.keys()
    painting = [
        each for each in page_of(it.pad).fns.values() if each.name in ("paint_live", "paint", "preview")
    ]
    assert painting
    assert not any(it.pad in each.outputs for each in painting)


def test_whatever_changes_the_painting_paints_it(paint_tab):
    tab, _ = paint_tab
    it = tab.controls
    changes = [(it.gallery, "select"), (it.pad, "release"), (it.restore, "upload"), (it.paint_button, "click")]
    changes += [(it.region, "apply"), (it.region, "clear"), (it.mask, "upload")]
    changes += [(it.photo, "change"), (it.picture, "input")]
    changes += [(it.reuse, "click")]
    events = {Slider: "release", gr.Radio: "input", gr.Dropdown: "change"}
    not_painted = {it.key, it.search, it.file_format}
    kept = {it.chosen, it.named, it.region_mask}  # what the gallery and the region set
    pictures = {it.photo, it.picture}
    changes += [(each, events[type(each)]) for each in it.all - not_painted - kept - pictures]
    for component, event in changes:
        assert "paint_live" in {each.name for each in listeners(component, event)}, component.label
    for each in (it.pad, it.strength):  # every move would be a painting
        told = {each.name for each in listeners(each, "input")}
        assert "preview" in told
        assert "paint_live" not in told
    for each in (it.method, it.picture):  # settings that are restored would be painted several times
        assert "paint_live" not in [each.name for each in listeners(each, "change")]


def test_copies_of_what_is_shown_are_tidied_up_with_the_pages_own_files(learn_tab, tmp_path):
    learning, values = learn_tab
    tab = learning.paint_tab
    it = tab.controls
    make_photo(20, 30).save(tmp_path / "photo.tif")
    step = Progress(1, 2, {"content": 1.0, "style": 1.0}, torch.rand(1, 3, 20, 20))
    showing = listeners(it.photo, "upload")[0]
    show, [_, copied] = showing.fn, showing.outputs
    for name, shown, updates in (
        ("paint_live", it.result, list(tab.painter.paint_live(values, VISITOR))),
        ("preview", it.result, [tab.painter.preview(values | {it.strength: 0.5}, VISITOR)]),
        ("photo_given", it.region, [tab.restorer.photo_given(values, VISITOR)]),
        ("mask_given", it.region, [tab.choices.mask_given(values | {it.mask: values[it.photo]}, VISITOR)]),
        ("show", copied, [show(str(tmp_path / "photo.tif"), VISITOR)]),
        ("_learn", learning.preview, [learning._progress(step, 40, [(1, 1.0, "photo")])]),
    ):
        page, paths = page_of(shown), set()
        fn = next(each for each in page.fns.values() if each.name == name and shown in each.outputs)
        state = SessionState(page)
        for update in (gr.skip(), *updates):  # upon the first Gradio makes components anew
            told = asyncio.run(page.postprocess_data(fn, update, state))[fn.outputs.index(shown)]
            paths |= set(re.findall("'path': '([^']+)'", str(told)))
        assert paths, name
        assert paths <= set().union(*page.temp_file_sets), name


def test_what_the_finest_method_lacks_is_told_before_it_waits(paint_tab):
    tab, values = paint_tab
    it = tab.controls
    ordered, *later = listeners(it.finest_button, "click")
    assert all(each.trigger_only_on_success for each in later if each.trigger_after == ordered._id)
    both = ["amber", "blue"]
    without = {it.sliders[0]: 0, it.sliders[1]: 0, it.chosen: both, it.named: both}
    for lacking, message in (
        ({it.photo: None}, "Choose a photo first"),
        ({it.chosen: []}, "Choose a style"),
        (without, "give at least one"),
        ({it.size: 16_384}, "choose a smaller size"),
        ({it.size: "large"}, "the size is 'large'; give the long side in pixels, 1 to 16384"),
        ({it.size: 20_000}, "the size is 20000; it must be from 1 to 16384"),
    ):
        with pytest.raises(gr.Error, match=message):
            ordered.fn(values | lacking, VISITOR)
    [order] = ordered.fn(values, VISITOR).values()
    assert order == values


@pytest.mark.parametrize("on_photo", [False, True])
def test_a_click_means_the_picture_that_was_clicked_whatever_the_gallery_lists_by_then(paint_tab, on_photo):
    tab, values = paint_tab
    it = tab.controls
    tab.choices.styles_on_photo(values | {it.on_photo: on_photo}, VISITOR)
    shown = tab.choices.search(values | {it.chosen: []}, VISITOR)["value"]
    pictures = {caption.partition(" ")[0]: file for file, caption in shown}
    chosen = [
        tab.choices.choose(values, click_on(pictures[title]), VISITOR)[it.chosen] for title in ("Coral", "Blue")
    ]
    assert chosen == [["blue", "coral"], []]


def test_one_style_alone_is_painted_wherever_its_hidden_slider_was_left(paint_tab):
    tab, values = paint_tab
    assert tab.controls.wish(values | {tab.controls.sliders[0]: 0}).styles == {"blue": 100}


def test_a_click_before_the_answer_to_another_gives_each_style_its_own_weight(paint_tab):
    tab, values = paint_tab
    it = tab.controls
    # The first one has taken out amber, of which the browser still shows the slider.
    late = {it.chosen: ["blue"], it.named: ["amber", "blue"], it.sliders[0]: 30, it.sliders[1]: 70}
    late |= {it.places[0]: INSIDE, it.places[1]: OUTSIDE}
    updates = tab.choices.choose(values | late, click_on("coral-1.jpg"), VISITOR)
    assert updates[it.chosen] == updates[it.named] == ["blue", "coral"]
    assert [updates[each]["value"] for each in it.sliders[:2]] == [70, 100]
    assert [updates[each]["value"] for each in it.places[:2]] == [OUTSIDE, EVERYWHERE]
    wish = it.wish(values | late | {it.chosen: ["blue", "coral"]})
    assert wish.styles == {"blue": 70, "coral": 100}
    assert wish.places == {"blue": OUTSIDE, "coral": EVERYWHERE}  # or it would be another wish than later


def test_more_styles_than_can_be_blended_are_refused(paint_tab):
    tab, values = paint_tab
    four = {tab.controls.chosen: ["blue", "coral", "one", "two"]}
    with pytest.raises(gr.Error, match="At most 4 styles"):
        tab.choices.choose(values | four, click_on("amber-1.jpg"), VISITOR)


def test_a_chosen_style_that_is_gone_is_chosen_no_more(paint_tab):
    tab, values = paint_tab
    places = {tab.controls.places[1]: OUTSIDE, tab.controls.sliders[1]: 40}
    it = tab.controls
    both = {it.chosen: ["blue", "coral"], it.named: ["blue", "coral"]}
    updates = tab.choices.rechosen(["gone", "coral"], values | places | both, VISITOR)
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
    _, preview = tab.painter.preview(values, VISITOR)[tab.controls.result]["value"]
    painted = visitor.transfer.stylize(cut_out, "blue", size=384)
    expected = on_white(painted).resize((1024, 1024), Image.Resampling.BILINEAR)
    with Image.open(preview) as shown:
        assert max(ImageStat.Stat(ImageChops.difference(shown, expected)).mean) < 6
        assert shown.getpixel((20, 20)) == (255, 255, 255)


@pytest.mark.parametrize(("size", "decodings"), [(1024, 2), (1536, 4)])
def test_a_photo_is_decoded_once_for_a_small_size_and_painted_as_its_file_would_be(
    paint_tab, monkeypatch, size, decodings
):
    tab, values = paint_tab
    it, visitor, decoded, decode = tab.controls, tab.visitors.of(VISITOR), [], reading.decode
    values = values | {it.size: size}
    picture = make_photo(900, 1200)
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))  # in part wholly transparent
    picture.save(values[it.photo])
    monkeypatch.setattr(reading, "decode", lambda *given: decoded.append(given) or decode(*given))
    tab.painter.preview(values, VISITOR)  # one decoding, and one to show the photo beside it
    for strength in (0.5, 1.0):
        list(tab.painter.paint(values | {it.strength: strength}, VISITOR))
    assert len(decoded) == decodings
    painted = visitor.painted.painting
    expected = it.wish(values | {it.strength: 1.0}).paint(visitor.transfer, values[it.photo])
    assert same(painted, expected)
    assert painted.info == expected.info


def test_the_gallery_shows_the_styles_on_the_visitors_photo_on_wish(paint_tab, tmp_path):
    tab, values = paint_tab
    it, photo = tab.controls, values[tab.controls.photo]

    def shown():
        return [Path(file).read_bytes() for file, _ in tab.choices.search(values, VISITOR)["value"]]

    usual = shown()
    tab.choices.styles_on_photo(values | {it.on_photo: True}, VISITOR)
    on_photo = shown()
    assert len(on_photo) == len(usual)
    visitor = tab.visitors.of(VISITOR)
    assert {"amber", "blue", "coral"} <= visitor.styles_on_photo.keys()
    for name in ("amber", "blue"):
        visitor.transfer.stylize(photo, name, size=ON_PHOTO_SIDE).save(tmp_path / "a.jpg", quality=90)
        assert visitor.styles_on_photo[name].read_bytes() == (tmp_path / "a.jpg").read_bytes()
    tab.choices.styles_on_photo(
        values | {it.on_photo: True, it.photo: None}, VISITOR
    )  # the photo is taken away
    assert shown() == usual


def test_a_style_that_is_gone_is_not_taken_for_the_visitors_picture(transfer, tmp_path):
    assert titles_of(transfer, ["blue", "gone", str(tmp_path / "a.png")]) == ["Blue", "gone", YOURS]


def test_earlier_paintings_come_back_and_outlive_the_page(paint_tab, monkeypatch):
    monkeypatch.setattr(belongings, "KEPT_PAINTINGS", 2)
    tab, values = paint_tab
    it, contents = tab.controls, []
    for strength in (0.4, 0.7, 1.0):
        *_, told = tab.painter.paint(values | {it.strength: strength}, VISITOR)
        contents.append(Path(told[it.download]["value"]).read_bytes())
        assert told[it.earlier]["visible"]
    after = gr.Request(session_hash="b")
    tab.visitors.of(after, tab.visitors.of(VISITOR).own.key)
    for request in (VISITOR, after):
        visitor = tab.visitors.of(request)
        _, (second, _) = tab.results.earlier(request)[it.earlier]["value"]
        shown = tab.results.show_earlier(values, click_on(second), request)
        assert Path(shown[it.download]["value"]).read_bytes() == contents[1]
        assert all(Path(file).exists() for file in shown[it.result]["value"])
        assert "Blue" in shown[it.note]
        assert visitor.painted.file == Path(shown[it.download]["value"])
    own = visitor.own.folder
    assert len(list(own.rglob("*-blue.png"))) == 2
    for painting in own.rglob("*-blue.png"):
        painting.unlink()  # as systems do that clean up temporary folders
    with pytest.raises(gr.Error, match="no longer here"):
        tab.results.show_earlier(values, click_on(second), VISITOR)
    tab.visitors.close()
    assert not own.exists()


def test_an_earlier_painting_brings_its_settings_on_wish(paint_tab):
    tab, values = paint_tab
    it = tab.controls
    with pytest.raises(gr.Error, match="no earlier painting is shown"):
        tab.restorer.restore_shown(values, VISITOR)
    wished = {it.strength: 0.4, it.method: "AdaIN", it.size: 300, it.stroke_size: 2}
    wished |= {it.preserve_color: 0.5, it.color_mode: "statistics"}
    for each in (wished, {it.strength: 0.7}):
        list(tab.painter.paint(values | each, VISITOR))
    *_, first = tab.visitors.of(VISITOR).own.earlier
    shown = tab.results.show_earlier(values, click_on(first.small), VISITOR)
    assert shown[it.reuse]["visible"]
    updates = tab.restorer.restore_shown(values | {it.chosen: ["coral"]}, VISITOR)
    expected = wished | {it.chosen: ["blue"], it.size: "300 px"}
    assert {each: updates[each] for each in expected} == expected
    first.file.unlink()
    with pytest.raises(gr.Error, match="no longer here"):
        tab.restorer.restore_shown(values, VISITOR)


def test_every_control_counts_but_those_that_tell_who_and_what_to_show(paint_tab):
    tab, values = paint_tab
    it, region = tab.controls, Image.new("L", (40, 30), 255)
    four = ["amber", "blue", "coral", "mine"]
    usual = values | {it.chosen: four, it.named: four, it.sliders[0]: 50, it.picture: "painting.png"}
    usual |= {it.region_mask: region, it.preserve_color: 0.5}
    other = {it.chosen: four[:3], it.named: four[::-1], it.picture: "other.png", it.picture_slider: 30}
    other |= dict.fromkeys(it.sliders, 30) | dict.fromkeys([*it.places, it.picture_place], INSIDE)
    other |= {it.region_mask: region.resize((4, 3)), it.elsewhere: 0.5, it.strength: 0.5, it.stroke_size: 2}
    other |= {it.method: "Finest", it.seconds: 90, it.size: 300}
    other |= {it.preserve_color: 1, it.color_mode: "statistics"}
    for control, value in other.items():
        assert it.wish(usual | {control: value}) != it.wish(usual), control.label
    assert it.all - other.keys() == {it.key, it.photo, it.search, it.file_format}


def test_the_way_colours_are_kept_counts_where_any_are_kept(paint_tab):
    tab, values = paint_tab
    it, statistics = tab.controls, values | {tab.controls.color_mode: "statistics"}
    assert it.wish(statistics) == it.wish(values)
    transfer, photo = tab.visitors.of(VISITOR).transfer, values[it.photo]
    painted = it.wish(statistics | {it.preserve_color: 0.5, it.size: 64}).paint(transfer, photo)
    options = {"size": 64, "preserve_color": 0.5, "color_mode": "statistics"}
    assert same(painted, transfer.stylize(photo, "blue", **options))


def test_of_quick_clicks_on_earlier_paintings_and_of_several_masks_the_last_one_counts(paint_tab):
    it = paint_tab[0].controls
    for handler, *_ in (listeners(it.earlier, "select"), listeners(it.mask, "upload")):
        assert handler.trigger_mode == "multiple"


def test_a_photo_and_a_mask_are_read_in_the_order_in_which_they_were_given(paint_tab):
    it = paint_tab[0].controls
    both = (*listeners(it.photo, "change"), *listeners(it.mask, "upload"))
    ids = [each.concurrency_id for each in both if each.name in ("photo_given", "mask_given")]
    assert ids == ["photo", "photo"]


def test_what_follows_an_event_counts_though_the_same_is_on_its_way(paint_tab):
    it = paint_tab[0].controls
    for component in (it.on_photo, it.photo, it.picture):
        following = [each for each in listeners(component) if each.name in ("search", "weighted")]
        assert following
        assert {each.trigger_mode for each in following} == {"always_last"}


def test_the_button_of_what_is_fast_paints_nothing_that_takes_long(paint_tab):
    tab, values = paint_tab
    *_, told = tab.painter.paint_live(values | {tab.controls.method: "Finest"}, VISITOR)
    assert "Press Paint" in told[tab.controls.note]


def test_who_wishes_for_another_painting_while_the_finest_goes_on_is_told_to_stop_that(paint_tab):
    tab, values = paint_tab
    values = values | {tab.controls.method: "Finest"}
    painting = tab.painter.paint(values, VISITOR)
    next(painting)
    [told] = tab.painter.paint_live(values | {tab.controls.strength: 0.5}, VISITOR)
    assert "Press Stop" in told[tab.controls.note]
    painting.close()
    [told] = tab.painter.paint_live(values, VISITOR)
    assert "Press Paint" in told[tab.controls.note]


@pytest.mark.parametrize(
    ("photo", "styles", "name"),
    [
        ("/up/photo.jpg", {"blue": 0.5, "coral": 0, "/up/My art.tif": 0.5}, "photo-blue-My art.webp"),
        ("photo.tif", {}, "photo-painted.webp"),  # of a style that was deleted since
        (f"{'é' * 99}.jpg", {"blue": 1}, f"{'é' * 95}.webp"),  # no longer than file systems allow
    ],
)
def test_a_download_is_named_after_its_photo_and_its_styles(transfer, tmp_path, photo, styles, name):
    visitor = visitor_with(transfer, tmp_path)
    visitor.file_format = "WebP"
    assert saved(visitor, Painted(photo, Wish(styles), Image.new("RGB", (8, 6)), "")).name == name


def test_a_full_disk_costs_an_earlier_painting_and_not_this_one(paint_tab, monkeypatch):
    tab, values = paint_tab
    monkeypatch.setattr("styletransfer.page.belongings.shutil.copy", full_disk)
    *_, told = tab.painter.paint(values, VISITOR)
    assert "painted in" in told[tab.controls.note]
    assert told[tab.controls.earlier] == gr.update(value=[], visible=False)
    assert list(tab.visitors.of(VISITOR).own.folder.iterdir()) == []


def test_a_full_disk_is_told_by_the_gallery_and_costs_no_picture_when_there_is_room_again(
    paint_tab, monkeypatch
):
    tab, values = paint_tab

    def full(self, *_):
        self.touch()
        full_disk()

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(gr.Error, match="No space left on device"):
            tab.choices.search(values, VISITOR)
    shown = tab.choices.search(values, VISITOR)["value"]
    assert len(shown) == len(tab.visitors.of(VISITOR).transfer.styles)
    assert all(Path(file).read_bytes() for file, _ in shown)


def test_the_pictures_of_shipped_styles_are_written_once_for_all_visitors(paint_tab, transfer, monkeypatch):
    tab, values = paint_tab
    tab.visitors.shared_styles = False
    shown = tab.choices.search(values, VISITOR)
    visitor = tab.visitors.of(VISITOR)
    shutil.copy(transfer._bank.find("amber"), visitor.own.folder / "styles" / "mine.safetensors")
    (mine, _), *_ = tab.choices.search(values, VISITOR)["value"]
    assert Path(mine).parent == visitor.folder
    monkeypatch.setattr(Path, "write_bytes", full_disk)
    assert tab.choices.search(values, gr.Request(session_hash="b")) == shown


@pytest.mark.parametrize("handler", ["styles_on_photo", "without_region", "preview"])
def test_a_picture_to_look_at_that_finds_no_room_is_told(paint_tab, monkeypatch, handler):
    tab, values = paint_tab
    it = tab.controls
    handlers = {
        "styles_on_photo": lambda: tab.choices.styles_on_photo(values | {it.on_photo: True}, VISITOR),
        "without_region": lambda: tab.choices.without_region(values[it.photo], VISITOR),
        "preview": lambda: tab.painter.preview(values, VISITOR),
    }
    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(gr.Error, match=r"^'cannot write a picture to look at: No space left on device'$"):
        handlers[handler]()


def test_a_folder_that_cannot_be_emptied_on_a_full_disk_is_told(paint_tab, monkeypatch):
    tab, values = paint_tab
    monkeypatch.setattr(Path, "mkdir", full_disk)
    with pytest.raises(gr.Error, match=r"cannot create the folder .*: No space left on device"):
        tab.choices.styles_on_photo(values | {tab.controls.on_photo: True}, VISITOR)


def test_what_cannot_be_shown_on_a_full_disk_costs_nothing_that_was_painted(paint_tab, monkeypatch):
    tab, values = paint_tab
    list(tab.painter.paint(values, VISITOR))
    visitor = tab.visitors.of(VISITOR)
    painted = visitor.painted
    monkeypatch.setattr("tempfile.mkdtemp", full_disk)
    other = values | {tab.controls.strength: 0.5}
    with pytest.warns(UserWarning, match="cannot make a folder for the next picture: No space left"):
        *_, told = tab.painter.paint(other, VISITOR)
    with pytest.raises(gr.Error, match="cannot make a folder for the next picture: No space left"):
        tab.painter.preview(other, VISITOR)
    assert visitor.painted is painted
    assert told[tab.controls.download]["interactive"]


def test_a_page_outlives_its_temporary_folders(paint_tab, tmp_path):
    tab, values = paint_tab
    visitor = tab.visitors.of(VISITOR)
    for folder in (visitor.folder, visitor.own.folder):
        shutil.rmtree(folder)
    *_, told = tab.painter.paint(values, VISITOR)
    assert "painted in" in told[tab.controls.note]
    assert len(visitor.own.earlier) == 1
    for folder in (visitor.folder, visitor.own.folder):
        assert os.name == "nt" or stat.S_IMODE(folder.stat().st_mode) == 0o700
    visitor.own.folder = tmp_path / "photo.png" / "none"  # one that cannot be made again
    *_, told = tab.painter.paint(values | {tab.controls.strength: 0.5}, VISITOR)
    assert "painted in" in told[tab.controls.note]
    assert len(visitor.own.earlier) == 1


def test_a_title_is_text_among_the_earlier_paintings_as_well(paint_tab, tmp_path):
    tab, values = paint_tab
    (tmp_path / "file.png").touch()
    small = tmp_path / "small.jpg"
    kept = belongings.Earlier((tmp_path, tmp_path), small, tmp_path / "file.png", "![](http://x)", "")
    tab.visitors.of(VISITOR).own.earlier.append(kept)
    shown = tab.results.show_earlier(values, click_on(small), VISITOR)
    assert r"\!\[\]" in shown[tab.controls.note]


def test_a_title_cannot_be_more_than_text():
    text = mix_text(["![](http://elsewhere/x.png)", "<b>’b’</b>"], [1, 1])
    html = gr.Markdown(text).postprocess(text)
    assert r"\!\[\]\(http\:\/\/elsewhere\/x\.png\)" in html
    assert r"\<b\>’b’\<\/b\>" in html
