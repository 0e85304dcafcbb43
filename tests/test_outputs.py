"""Where results go: which photos there are, and the file that each painting is written to."""

import os
import weakref
from pathlib import Path

import pytest
import torch
from conftest import full_disk, soon

from styletransfer import images
from styletransfer.batches import BatchResult
from styletransfer.cli.outputs import is_finished, plan_outputs, refuse_replacing_any, write_results
from styletransfer.errors import InvalidInput, UnreadableImage, UnwritableOutput
from styletransfer.files import check_place


@pytest.fixture(autouse=True)
def current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write_painting(path, **parameters):
    path.parent.mkdir(exist_ok=True)
    images.save_picture(images.to_pil(torch.rand(1, 3, 8, 8), metadata={"styles": {}, **parameters}), path)


def photos(*names):
    for name in names:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("a photo")
    return [Path(name) for name in names]


def test_a_folder_is_told_by_its_slash_even_if_it_has_a_suffix_and_holds_one_photo():
    given = photos("a.jpg")
    assert plan_outputs(given, "2024.08.15/", "amber") == {Path("a.jpg"): Path("2024.08.15/a.jpg")}
    assert plan_outputs(given, "out.png/", "amber") == {Path("a.jpg"): Path("out.png/a.jpg")}
    assert plan_outputs(given, "out.png", "amber") == {Path("a.jpg"): Path("out.png")}
    Path("amber").mkdir()
    assert plan_outputs(given, None, "amber") == {Path("a.jpg"): Path("a-amber.png")}


@pytest.mark.parametrize(
    ("output", "message"),
    [("painted", "is a file; name a folder"), ("-", "not written to the standard output")],
)
def test_an_output_that_is_no_place_for_a_painting_is_refused(output, message):
    photos("painted")
    with pytest.raises(InvalidInput, match=message):
        plan_outputs(photos("a.jpg"), output, "amber")


def test_a_style_may_be_named_like_a_picture_twice_over():
    planned = plan_outputs(photos("a.jpg", "b.jpg"), None, "starry.jpg")
    assert planned == {Path(name): Path("starry.jpg") / name for name in ("a.jpg", "b.jpg")}


def test_a_file_that_was_not_named_is_not_replaced_unless_it_is_a_painting():
    given = photos("IMG_1.heic")
    photos("IMG_1.png", "IMG_1-amber.png")
    for output in (".", None):
        with pytest.raises(InvalidInput, match="is no painting of this program"):
            plan_outputs(given, output, "amber")
    assert plan_outputs(given, ".", "amber", skip_existing=True) == {given[0]: Path("IMG_1.png")}
    assert plan_outputs(given, "IMG_1.png", "amber") == {given[0]: Path("IMG_1.png")}
    write_painting(Path("IMG_1.png"))
    Path("IMG_1-amber.png").write_text("")
    assert plan_outputs(given, ".", "amber") == {given[0]: Path("IMG_1.png")}
    assert plan_outputs(given, None, "amber") == {given[0]: Path("IMG_1-amber.png")}


def test_previews_replace_no_picture_that_is_not_of_this_program():
    previews = Path("previews")
    write_painting(previews / "00001.png")
    photos("previews/1234.png", "previews/00002.jpg", "previews/notes.png")
    refuse_replacing_any({}, [], None, None, previews)
    refuse_replacing_any({}, [], None, None, Path("new"))
    photos("previews/00003.PNG")
    with pytest.raises(InvalidInput, match=r"would replace previews.00003\.PNG"):
        refuse_replacing_any({}, [], None, None, previews)


def test_a_manifest_may_lie_in_a_folder_that_is_made_for_paintings():
    outputs = {Path("a.jpg"): Path("new/sea/a.jpg")}
    for folder in ("new", "new/sea"):
        refuse_replacing_any(outputs, [], Path(folder) / "done.jsonl", None, None)
    with pytest.raises(UnwritableOutput, match="does not exist"):
        refuse_replacing_any(outputs, [], Path("new/river/done.jsonl"), None, None)
    refuse_replacing_any({}, [], Path("new/done.jsonl"), None, Path("new/steps"))
    assert not Path("new").exists()


def test_a_manifest_that_exists_needs_no_further_file_in_its_folder(monkeypatch):
    [manifest] = photos("done.jsonl")
    monkeypatch.setattr(Path, "touch", full_disk)
    refuse_replacing_any({}, [], manifest, None, None)


@pytest.mark.parametrize("names", [("a/x.jpg", "b/x.jpg"), ("a/y.jpg", "b/Y.jpg")])
def test_photos_that_would_share_a_file_are_refused(names):
    with pytest.raises(InvalidInput, match="would both be written to"):
        plan_outputs(photos(*names), "out", "amber")


def test_the_same_photo_twice_is_one_photo():
    [path] = photos("x.jpg")
    assert plan_outputs([path, path], "out", "amber") == {path: Path("out/x.jpg")}


def test_names_that_no_system_takes_for_one_are_two():
    given = photos("Fuß.jpg", "Fuss.jpg")
    assert plan_outputs(given, "out", "amber") == {path: Path("out") / path for path in given}


def test_several_photos_do_not_become_a_folder_with_the_name_of_a_picture():
    with pytest.raises(InvalidInput, match=r"-o c\.bmp is a file"):
        plan_outputs(photos("a.jpg", "b.jpg"), "c.bmp", "amber")


def test_paintings_in_subfolders_are_painted_where_there_is_nothing_else():
    photos("album/notes.txt")
    write_painting(Path("album/sea/a.jpg"))
    planned = plan_outputs([Path("album")], "out", "amber", recursive=True)
    assert planned == {Path("album/sea/a.jpg"): Path("out/sea/a.jpg")}
    photos("album/b.jpg")
    planned = plan_outputs([Path("album")], "out", "amber", recursive=True)
    assert planned == {Path("album/b.jpg"): Path("out/b.jpg")}


def test_names_that_are_made_of_many_styles_are_no_longer_than_a_file_system_takes():
    styles = "-".join(["神奈川沖浪裏"] * 20)
    [alone] = plan_outputs(photos("a.jpg"), None, styles).values()
    folder = plan_outputs(photos("a.jpg", "b.jpg"), None, styles)[Path("a.jpg")].parent
    for path in (alone, folder):
        path.touch()
        assert len(os.fsencode(path.name)) > 190
    assert alone.suffix == ".png"


def test_what_the_same_command_has_painted_before_is_no_photo():
    given = photos("a.jpg", "b.png")
    for place in ("amber/a.jpg", "amber/b.png"):
        write_painting(Path(place))
    again = plan_outputs([*given, Path("amber")], None, "amber")
    assert again == {Path("a.jpg"): Path("amber/a.jpg"), Path("b.png"): Path("amber/b.png")}


def test_what_was_painted_of_a_format_that_is_not_written_into_the_same_folder_is_no_photo():
    photos("in/a.bmp", "in/b.gif")
    first = plan_outputs([Path("in")], "in", "amber")
    for target in first.values():
        write_painting(target)
    assert plan_outputs([Path("in")], "in", "amber") == first
    for others in ([], photos("other.jpg")):  # a painting that is named is meant
        with pytest.raises(InvalidInput, match="would replace the photo"):
            plan_outputs([Path("in/a.png"), *others], "in", "amber")


def test_paintings_can_be_painted_again_somewhere_else():
    write_painting(Path("amber/a.jpg"))
    assert plan_outputs([Path("amber")], "blue", "blue") == {Path("amber/a.jpg"): Path("blue/a.jpg")}
    assert plan_outputs([Path("amber")], ".", "blue") == {Path("amber/a.jpg"): Path("a.jpg")}


def test_a_painting_that_was_stopped_or_emptied_is_not_taken_for_a_finished_one():
    write_painting(Path("whole.png"))
    write_painting(Path("part.png"), stopped=True)
    Path("other.png").write_text("somebody else's")
    Path("empty.png").touch()
    names = ("whole.png", "part.png", "other.png", "empty.png", "none.png")
    assert [is_finished(Path(name)) for name in names] == [True, False, True, False, False]


def test_a_link_in_a_loop_is_one_photo_that_cannot_be_read():
    Path("in").mkdir()
    Path("in/loop.jpg").symlink_to("loop.jpg")
    photos("in/a.jpg")
    names = {Path("in/a.jpg"): Path("out/a.jpg"), Path("in/loop.jpg"): Path("out/loop.jpg")}
    assert plan_outputs([Path("in")], "out", "amber") == names
    with pytest.raises(UnreadableImage, match=r"loop\.jpg cannot be read"):
        images.read_picture(Path("in/loop.jpg"))
    check_place(Path("in/loop.jpg"))


def test_a_painting_that_is_written_is_not_kept_while_the_next_one_is_painted():
    kept: list[weakref.ref] = []

    def painted(name):
        painting = images.Painting(torch.rand(1, 3, 8, 8), None, {})
        kept.append(weakref.ref(painting))
        return BatchResult(name, painting)

    def results():
        yield painted("a.jpg")
        assert soon(lambda: kept[0]() is None, seconds=5)
        yield painted("b.jpg")

    outputs = {Path(name): Path("out") / name for name in ("a.jpg", "b.jpg")}
    assert write_results(results(), outputs, None, lambda: None) == 0
