"""Many photos on the page: zips in, a zip out."""

import os
import time
import zipfile
from types import SimpleNamespace

import gradio as gr
import pytest
from conftest import full_disk, make_photo, soon, visitor_with
from pages import VISITOR
from PIL import Image

from styletransfer import images
from styletransfer.errors import Cancelled, InvalidInput, UnknownStyle, UnwritableOutput
from styletransfer.images.formats import LONGEST_SIDES
from styletransfer.page import many, unpacking
from styletransfer.page.visitors import KEPT_FOLDERS
from styletransfer.page.wish import Wish
from styletransfer.picturestyles import PictureStyles

AMBER = Wish({"amber": 1.0})


@pytest.fixture
def paint(transfer, tmp_path):
    """Paints files into a zip for somebody on the page."""

    def paint(files, file_format="PNG", wish=AMBER, on_step=lambda _: None, visitor=None):
        visitor = visitor or visitor_with(transfer, tmp_path)
        return many.paint_to_zip(visitor, wish, files, file_format, on_step)

    return paint


@pytest.fixture
def photo(tmp_path):
    make_photo(30, 40).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_many_photos_keep_what_is_painted_when_the_disk_is_full(paint, tmp_path, monkeypatch):
    files = []
    for index in range(4):
        make_photo(30, 40, index).save(tmp_path / f"{index}.png")
        files.append(tmp_path / f"{index}.png")
    free = iter([10**9, 10**9, 1000])
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=next(free)))
    outcome = paint(files)
    with zipfile.ZipFile(outcome.archive) as archive:
        assert archive.namelist() == ["0-painted.png", "1-painted.png"]
        assert archive.testzip() is None
    assert outcome.failed == ["no room for 2-painted.png on the disk"]
    assert (outcome.painted, outcome.count) == (2, 4)


def test_many_photos_end_where_a_painting_cannot_be_written(paint, photo, monkeypatch):
    painted = []

    def full(picture, path):
        painted.append(path)
        raise UnwritableOutput(f"cannot write {path}: No space left on device") from OSError(28)

    monkeypatch.setattr("styletransfer.images.save_picture", full)
    outcome = paint([photo] * 3)
    assert len(painted) == 1
    assert outcome.failed == ["cannot write photo-painted.png: No space left on device"]


def test_of_many_photos_the_next_is_read_and_the_last_written_while_one_is_painted(paint, photo, monkeypatch):
    read, save, done, painted = images.read_picture, images.save_picture, [], []
    monkeypatch.setattr(images, "read_picture", lambda source: done.append("read") or read(source))
    monkeypatch.setattr(images, "save_picture", lambda image, path: done.append("saved") or save(image, path))

    def painting(*_):
        index = len(painted)
        assert soon(lambda: (done.count("read"), done.count("saved")) == (min(index + 2, 3), index), 10)
        painted.append(Image.new("RGB", (40, 30)))
        return painted[-1]

    monkeypatch.setattr(Wish, "paint", painting)
    outcome = paint([photo] * 3)
    assert (outcome.painted, outcome.failed) == (3, [])


def test_of_many_photos_those_too_large_for_the_format_are_told_and_not_painted(paint, tmp_path, monkeypatch):
    monkeypatch.setitem(LONGEST_SIDES, "WEBP", 39)
    make_photo(30, 40).save(tmp_path / "large.png")
    make_photo(20, 30).save(tmp_path / "small.png")
    painted, painting = [], Wish.paint

    def noting(wish, transfer, picture, on_step=None):
        painted.append(picture.size)
        return painting(wish, transfer, picture, on_step)

    monkeypatch.setattr(Wish, "paint", noting)
    outcome = paint([tmp_path / "large.png", tmp_path / "small.png"], "WebP")
    assert painted == [(20, 30)]
    [told] = outcome.failed
    assert told.startswith("large.png: WebP files cannot have 40 x 30 pixels")


def test_many_photos_that_are_stopped_keep_what_is_painted(paint, photo):
    def stop(progress):
        if progress.step == 1:
            raise Cancelled

    outcome = paint([photo] * 3, on_step=stop)
    assert zipfile.ZipFile(outcome.archive).namelist() == ["photo-painted.png"]
    assert (outcome.painted, outcome.failed, outcome.count) == (1, [], 3)


def test_other_pictures_of_the_visitor_take_nothing_from_many_photos_meanwhile(
    paint, photo, transfer, tmp_path
):
    visitor = visitor_with(transfer, tmp_path)

    def on_step(_):
        for _ in range(KEPT_FOLDERS):
            visitor.new_folder()

    outcome = paint([photo] * 2, on_step=on_step, visitor=visitor)
    assert (outcome.painted, outcome.failed) == (2, [])
    assert outcome.archive.exists()


def test_photos_come_out_of_a_zip_in_every_format_and_within_limits(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in ("a.HEIC", "../../b.bmp", "c/d.jpg", ".hidden.png", "read me.txt"):
            archive.writestr(name, name)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = unpacking.photos_of([tmp_path / "photos.zip"], scratch)
    assert [path.name for path in found] == ["a.HEIC", "b.bmp", "d.jpg"]
    assert all(scratch in path.parents for path in found)
    monkeypatch.setattr(unpacking, "MOST_BYTES", 40)
    assert len(unpacking.photos_of([tmp_path / "photos.zip"], scratch)) == 3
    with pytest.raises(InvalidInput, match="fewer at a time"):  # together, not each for itself
        unpacking.photos_of([tmp_path / "photos.zip"] * 2, scratch)


def test_more_photos_than_are_painted_at_a_time_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "MOST_PHOTOS", 2)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in ("a.png", "b.png", "c.png"):
            archive.writestr(name, name)
    with pytest.raises(InvalidInput, match="fewer at a time"):
        unpacking.photos_of([tmp_path / "photos.zip"], tmp_path)
    assert not list(tmp_path.rglob("*.png"))  # nor unpacked
    files = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    assert unpacking.photos_of(files[:2], tmp_path) == files[:2]
    with pytest.raises(InvalidInput, match="at most 2"):
        unpacking.photos_of(files, tmp_path)


def test_a_zip_with_a_damaged_photo_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(range(256)) * 40)
        start = archive.infolist()[0].header_offset + 30 + len("a.png")
    content = bytearray((tmp_path / "photos.zip").read_bytes())
    content[start : start + 20] = b"\xff" * 20
    (tmp_path / "photos.zip").write_bytes(content)
    with pytest.raises(InvalidInput, match="not a zip that can be read"):
        unpacking.photos_of([tmp_path / "photos.zip"], tmp_path)


@pytest.mark.parametrize("function", ["tempfile.TemporaryDirectory", "zipfile.ZipFile"])
def test_a_zip_that_cannot_be_begun_is_told(paint, monkeypatch, function):
    monkeypatch.setattr(function, full_disk)
    with pytest.raises(UnwritableOutput, match=r"^cannot write the zip: No space left on device$"):
        paint([])


def test_a_full_disk_is_not_told_as_a_broken_zip(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("trip/a.png", "a")
    monkeypatch.setattr("shutil.copyfileobj", full_disk)
    with pytest.raises(UnwritableOutput, match=r"^cannot unpack a\.png: No space left on device$"):
        unpacking.photos_of([tmp_path / "photos.zip"], tmp_path)


def test_names_in_a_zip_lead_to_no_other_disk_and_two_paintings_are_never_one_file(paint, photo, tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.mkdir("trip.png")
        for name in ("D:b.png", "trip.png/A.png", "a.png"):
            archive.write(photo, name)
    found = paint([tmp_path / "photos.zip"])
    names = zipfile.ZipFile(found.archive).namelist()
    assert (names, found.failed) == (["D_b-painted.png", "A-painted.png", "a-painted-2.png"], [])


def test_photos_with_long_names_are_painted_too(paint, photo, tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in ("a" * 300, "ä" * 120):
            archive.write(photo, f"{name}.png")
    found = paint([tmp_path / "photos.zip"], "JPEG")
    assert not found.failed
    assert len(zipfile.ZipFile(found.archive).namelist()) == 2


def test_a_style_that_is_gone_ends_many_photos_at_once(paint, photo):
    with pytest.raises(UnknownStyle):
        paint([photo] * 3, wish=Wish({"gone": 1.0}))


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_whose_packing_knows_no_bounds_is_not_unpacked(tmp_path, monkeypatch, packing):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", packing) as archive:
        archive.writestr("a.png", bytes(10_000))
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    with pytest.raises(InvalidInput, match=r"photos\.zip is packed in a way .* ordinary zip"):
        unpacking.photos_of([tmp_path / "photos.zip"], tmp_path)


def test_many_photos_that_are_stopped_before_they_begin_are_not_painted(paint_tab):
    tab, values = paint_tab
    with gr.Blocks():
        several = many.ManyTab(tab)
    events = several._paint(values | {several.files: [values[tab.controls.photo]]}, VISITOR)
    next(events)
    tab.visitors.stop(VISITOR)
    *_, (told, _, _) = events
    assert "0 of 1 painted" in told


def test_the_zip_lies_where_gradio_sends_it_from_and_goes_where_its_job_fails(
    paint, photo, tmp_path, monkeypatch
):
    uploads = tmp_path / "uploads"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads))
    archives = [paint([photo]).archive for _ in range(2)]
    assert {archive.parent.parent for archive in archives} == {uploads}
    assert len({archive.parent for archive in archives}) == 2  # one may be on its way
    with pytest.raises(UnknownStyle):
        paint([photo], wish=Wish({"gone": 1.0}))
    assert len(list(uploads.iterdir())) == 2


@pytest.mark.parametrize("lacking", ["files", "chosen"])
def test_many_photos_need_photos_and_a_style(paint_tab, lacking):
    tab, values = paint_tab
    with gr.Blocks():
        several = many.ManyTab(tab)
    given = values | {several.files: ["photo.png"]}
    several._check(given, VISITOR)
    component = several.files if lacking == "files" else tab.controls.chosen
    with pytest.raises(InvalidInput, match="add photos here, and choose a style on the Paint tab"):
        several._check(given | {component: []}, VISITOR)


def test_many_photos_need_a_size(paint_tab):
    tab, values = paint_tab
    with gr.Blocks():
        several = many.ManyTab(tab)
    with pytest.raises(InvalidInput, match="give the long side in pixels, 1 to 16384"):
        several._check(values | {several.files: ["photo.png"], tab.controls.size: "large"}, VISITOR)


def test_many_photos_outlive_the_folder_of_their_visitor(paint, photo, transfer, tmp_path):
    visitor = visitor_with(transfer, tmp_path)
    visitor.folder = tmp_path / "gone"
    assert paint([photo], visitor=visitor).painted == 1


def test_of_many_photos_those_that_wait_are_not_tidied_up(paint, photo, tmp_path):
    make_photo(40, 40).save(tmp_path / "style.png")
    later, began = tmp_path / "later.png", time.time() - 60
    make_photo(30, 40).save(later)
    waiting, seen = (later, tmp_path / "style.png"), []
    for file in waiting:
        os.utime(file, (0, 0))
    wish = Wish({str(tmp_path / "style.png"): 1.0})
    paint([photo, later], wish=wish, on_step=lambda _: seen.append([each.stat().st_mtime for each in waiting]))
    assert min(seen[0]) > began


def test_of_many_photos_a_style_picture_is_looked_at_once(paint, photo, tmp_path, monkeypatch):
    make_photo(40, 40).save(tmp_path / "style.png")
    looks, look_at = [], PictureStyles._look_at
    monkeypatch.setattr(PictureStyles, "_look_at", lambda *given: looks.append(given) or look_at(*given))
    assert paint([photo] * 3, wish=Wish({str(tmp_path / "style.png"): 1.0})).painted == 3
    assert len(looks) == 1


def test_many_photos_are_painted_without_the_region_of_another_one(paint_tab, monkeypatch):
    tab, values = paint_tab
    with gr.Blocks():
        several, wishes = many.ManyTab(tab), []

    def paint_to_zip(visitor, wish, *_):
        wishes.append(wish)
        return many.Outcome(None, 0, [], 0)

    monkeypatch.setattr(many, "paint_to_zip", paint_to_zip)
    region = {tab.controls.region_mask: Image.new("L", (40, 30), 255)}
    list(several._paint(values | region | {several.files: ["photo.png"]}, VISITOR))
    assert wishes[0].region is None
