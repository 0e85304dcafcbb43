"""What the region editor takes from the browser, and from whoever else sends it something."""

import gradio as gr
import numpy as np
import pytest
from conftest import make_photo
from gradio.components.image_editor import EditorData
from gradio.data_classes import FileData
from pages import VISITOR, click_on
from PIL import Image

from styletransfer import images
from styletransfer.page.region import RegionEditor, region_of
from styletransfer.page.sheet import SheetTab
from styletransfer.page.wish import EVERYWHERE, INSIDE, OUTSIDE, Wish


@pytest.fixture
def editor(uploads_folder):
    with gr.Blocks():
        return RegionEditor()


def sent(*layers):
    """What the browser sends; the two pictures that are not needed are nowhere."""
    files = [FileData(path=str(layer)) for layer in layers]
    return EditorData(background=FileData(path="none.webp"), layers=files, composite=FileData(path="none.png"))


def test_the_layer_alone_is_opened(editor, tmp_path):
    layer = Image.new("RGBA", (40, 30))
    layer.paste((255, 0, 0, 255), (5, 5, 20, 20))
    layer.save(tmp_path / "layer.png")
    region = region_of(editor.preprocess(sent(tmp_path / "layer.png")))
    assert (region.size, region.getbbox()) == ((40, 30), (5, 5, 20, 20))
    assert region_of(editor.preprocess(sent())) is None
    assert editor.preprocess(None) is None


def test_what_no_browser_sends_is_refused_before_it_takes_memory(editor, tmp_path, monkeypatch):
    Image.new("RGBA", (40, 30)).save(tmp_path / "layer.png")
    Image.new("RGBA", (2048, 2049)).save(tmp_path / "large.png")
    Image.new("RGB", (40, 30)).save(tmp_path / "script.eps")  # for which PIL would start another program
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", None)
    for layers, message in (
        ([tmp_path / "layer.png"] * 2, "one layer"),
        ([tmp_path / "large.png"], "2048x2049 pixels is too large"),
        ([tmp_path / "script.eps"], "not a picture in a format that can be read"),
    ):
        with pytest.raises(gr.Error, match=message):
            editor.preprocess(sent(*layers))


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
    first = tab.choices.region_painted(values | {it.region: edited(layer)})
    assert first[it.where]["visible"]
    assert {first[place] for place in (*it.places, it.picture_place)} == {INSIDE}
    later = tab.choices.region_painted(
        values | {it.region: edited(layer), it.region_mask: first[it.region_mask]}
    )
    assert set(later) == {it.region_mask, it.where}
    none = tab.choices.region_painted(values | {it.region: edited(), it.region_mask: first[it.region_mask]})
    assert none[it.region_mask] is None
    assert not none[it.where]["visible"]


def test_a_style_that_comes_in_while_there_is_a_region_is_used_inside_it(paint_tab):
    tab, values = paint_tab
    it = tab.controls
    values = values | {it.places[0]: OUTSIDE}
    with gr.Blocks():
        sheet = SheetTab(tab, gr.Tabs())
    for region, expected in ((None, EVERYWHERE), (Image.new("L", (40, 30), 255), INSIDE)):
        updates = tab.choices.rechosen(["blue", "coral"], values | {it.region_mask: region}, VISITOR)
        assert [updates[place]["value"] for place in it.places[:2]] == [OUTSIDE, expected]
        updates = sheet._choose(values | {it.region_mask: region}, click_on("coral-320.jpg"), VISITOR)
        assert updates[it.places[0]]["value"] == expected


def test_a_mask_or_a_cut_out_is_a_region_as_on_the_command_line(paint_tab, tmp_path):
    tab, values = paint_tab
    it = tab.controls
    grey, cut_out = Image.linear_gradient("L"), make_photo(60, 80).convert("RGBA")
    cut_out.putalpha(Image.radial_gradient("L").resize((80, 60)))
    for name, picture in (("mask.png", grey), ("cut-out.png", cut_out)):
        picture.save(tmp_path / name)
        told = tab.choices.mask_given(values | {it.mask: str(tmp_path / name)}, VISITOR)
        [layer] = told[it.region]["value"]["layers"]
        expected = images.resize(images.read_mask(tmp_path / name), (768, 1024))
        for region in (told[it.region_mask], Image.open(layer).getchannel("A")):
            assert np.abs(np.asarray(region) / 255 - expected[0, 0].numpy()).max() < 1 / 255
        assert told[it.where]["visible"]
        assert told[it.places[0]] == INSIDE


def test_a_mask_needs_a_photo(paint_tab, photo_file):
    tab, values = paint_tab
    without = {tab.controls.photo: None, tab.controls.mask: str(photo_file)}
    with pytest.raises(gr.Error, match="Choose a photo first"):
        tab.choices.mask_given(values | without, VISITOR)


@pytest.mark.parametrize(
    ("places", "elsewhere", "expected"),
    [
        ({"blue": INSIDE}, 1.0, {"blue": (255, 0)}),
        ({"blue": OUTSIDE}, 0.4, {"blue": (0, 102)}),
        ({"blue": EVERYWHERE}, 0.4, {"blue": (255, 102)}),
        ({"blue": INSIDE, "coral": OUTSIDE}, 1.0, {"blue": (255, 0), "coral": (0, 255)}),
        # The greys add up to the strength outside.
        ({"blue": OUTSIDE, "coral": EVERYWHERE}, 0.4, {"blue": (0, 51), "coral": (255, 51)}),
        ({"blue": OUTSIDE, "coral": OUTSIDE}, 0.4, {"blue": (0, 102), "coral": (0, 102)}),
    ],
)
def test_styles_belong_inside_or_outside_of_what_was_painted(places, elsewhere, expected):
    region = Image.new("L", (40, 30))
    region.paste(255, (0, 0, 20, 30))
    masks = Wish(dict.fromkeys(places, 50.0), places, region, elsewhere).masks()
    found = {name: tuple(np.asarray(mask.convert("L"))[5, [5, 35]].tolist()) for name, mask in masks.items()}
    assert found == expected
