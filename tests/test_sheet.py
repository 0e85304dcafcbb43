"""The photo in all styles: the tab that shows it, and the gallery on wish."""

import gradio as gr
import pytest
from pages import VISITOR, click_on
from PIL import Image

from styletransfer import StyleTransfer
from styletransfer.errors import InvalidInput, InvalidStyleFile, UnknownStyle
from styletransfer.page.sheet import HINT, SheetTab
from styletransfer.page.wish import Wish


@pytest.fixture
def sheet(paint_tab):
    tab, values = paint_tab
    with gr.Blocks():
        return SheetTab(tab, gr.Tabs()), values


def test_a_sheet_that_is_stopped_keeps_what_is_painted(sheet, monkeypatch):
    tab, values = sheet
    paint = Wish.paint

    def stop(wish, *given):
        tab.paint_tab.visitors.stop(VISITOR)
        return paint(wish, *given)

    monkeypatch.setattr(Wish, "paint", stop)
    *_, (painted, _, stop_button) = tab._paint(values, VISITOR)
    assert [caption.partition(" ")[0] for _, caption in painted] == ["Amber"]
    assert not stop_button["interactive"]


def test_a_sheet_that_is_stopped_before_it_begins_paints_nothing(sheet):
    tab, values = sheet
    events = tab._paint(values, VISITOR)
    _, _, stop_button = next(events)
    assert stop_button["interactive"]
    tab.paint_tab.visitors.stop(VISITOR)
    *_, (painted, told, _) = events
    assert (painted, told) == ([], HINT)


def test_a_sheet_is_painted_fast_and_all_over(sheet, monkeypatch):
    tab, values = sheet
    it, used, picture = tab.paint_tab.controls, set(), Image.new("L", (40, 30), 255)
    monkeypatch.setattr(Wish, "paint", lambda wish, *_: used.add((wish.method, wish.region is None)) or picture)
    list(tab._paint(values | {it.method: "Finest", it.region_mask: picture}, VISITOR))
    assert used == {("cin", True)}


def test_a_sheet_needs_a_photo(sheet):
    tab, values = sheet
    tab._check(values, VISITOR)
    with pytest.raises(InvalidInput, match="choose a photo on the Paint tab first"):
        tab._check(values | {tab.paint_tab.controls.photo: None}, VISITOR)


def test_a_click_on_a_style_that_is_gone_chooses_nothing(sheet):
    tab, values = sheet
    with pytest.raises(gr.Error, match="This style is no longer here"):
        tab._choose(values, click_on("gone-320.jpg"), VISITOR)


@pytest.mark.parametrize("error", [InvalidStyleFile, UnknownStyle])
def test_a_style_that_is_gone_or_damaged_costs_the_others_nothing(sheet, paint_tab, monkeypatch, error):
    tab, values = sheet
    stylize = StyleTransfer.stylize

    def without_amber(transfer, photo, styles, **options):
        if "amber" in dict(styles if isinstance(styles, list) else [(styles, 1)]):
            raise error("no amber")
        return stylize(transfer, photo, styles, **options)

    monkeypatch.setattr(StyleTransfer, "stylize", without_amber)
    *_, (painted, _, _) = tab._paint(values, VISITOR)
    assert [caption.partition(" ")[0] for _, caption in painted] == ["Blue", "Coral"]
    paint_tab[0].choices.styles_on_photo(values | {tab.paint_tab.controls.on_photo: True}, VISITOR)
    assert tab.paint_tab.visitors.of(VISITOR).styles_on_photo.keys() == {"blue", "coral"}
