"""What the region editor takes from the browser, and from whoever else sends it something."""

import gradio as gr
import pytest
from gradio.components.image_editor import EditorData
from gradio.data_classes import FileData
from PIL import Image

from styletransfer.page.controls import region_of
from styletransfer.page.region import RegionEditor


@pytest.fixture
def editor():
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


def test_nothing_is_kept_that_is_sent_past_the_events(editor):
    assert editor.server_fns == []
    assert not hasattr(editor.accept_blobs, "_is_server_fn")  # by which Gradio knows what may be called
