"""The command line as a user meets it: arguments in, exit code, one line of error, files out."""

import io
import itertools
import json
import os
import re
import shlex
import shutil
import signal
import struct
import sys
import zlib
from dataclasses import replace

import pytest
from conftest import full_disk, make_photo, png_file, same, with_info
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from rich.progress import Progress as Bar
from trainers import look_small, write_pictures

from styletransfer import Progress, api, cli, images, methods, read_metadata, stylefolders
from styletransfer.batches import paint_all
from styletransfer.cli.shared import METHODS, parse_settings, show_losses
from styletransfer.cli.watch import Watch
from styletransfer.errors import InvalidInput
from styletransfer.request import Request
from styletransfer.settings import VERSION
from styletransfer.stylefile import load_style, save_style
from styletransfer.training.settings import BaseTraining

END_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
FEW_STEPS = ("--method", "gatys", "--steps", 1, "--set", "least_side=64")


FOLDERS = ("--content", ".", "--styles", ".", "--out", "run")  # of a training


@pytest.fixture
def run(monkeypatch, capsys, ship, tmp_path):
    """Runs the program in an empty folder with the tiny models: returns (exit code, stdout, stderr)."""
    ship()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stylefolders, "user_data_path", lambda name: tmp_path / name)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["styletransfer", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        output = capsys.readouterr()
        return exit_.value.code or 0, output.out, output.err

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *END_SIGNALS)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background ignores it
    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def refused(run, tmp_path):
    """Runs what is to end with exit code 2 and one line that tells why, and to leave all files as they are."""

    def files():
        return {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}

    def refused(*arguments: object, because: str) -> None:
        before = files()
        code, out, err = run(*arguments)
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert because in err
        assert files() == before

    return refused


@pytest.fixture
def complete(run, monkeypatch):
    """What the shell offers for the last word of a command."""
    monkeypatch.setenv("_STYLETRANSFER_COMPLETE", "complete_bash")

    def completed(*words: str) -> list[str]:
        monkeypatch.setenv("COMP_WORDS", " ".join(["styletransfer", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        code, out, _ = run()
        assert code == 0
        return out.split()

    return completed


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["stylize", "photo.jpg", "--style", "a"], ["amber"]),
        (["stylize", "photo.jpg", "--method", ""], ["cin", "adain", "gatys"]),
        (["stylize", "photo.jpg", "--color-mode", "s"], ["statistics"]),
        (["sheet", "photo.jpg", "--style", "b"], ["blue"]),
        (["sheet", "photo.jpg", "--method", ""], ["cin", "adain"]),
        (["stylize", "--set", "help", "--method", "g"], ["gatys"]),
        (["export", ""], ["amber", "blue", "coral"]),
        (["styles", "--remove", "c"], ["coral"]),
    ],
)
def test_names_are_completed_by_the_shell(complete, words, expected):
    assert complete(*words) == expected


def test_the_methods_that_completion_offers_are_those_that_there_are():
    assert tuple(methods.METHODS) == METHODS


def test_own_styles_are_completed_too(complete, tmp_path, monkeypatch):
    for folder, name in (("styletransfer/styles", "mine"), ("elsewhere", "other")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{name}.safetensors").touch()  # nothing is read
    assert complete("export", "") == ["amber", "blue", "coral", "mine"]
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in ("elsewhere", "~/elsewhere"):
        assert complete("export", "--styles-dir", folder, "") == ["amber", "blue", "coral", "other"]


def test_a_photo_is_painted_into_the_named_file(run, photo_file, tmp_path):
    code, out, _ = run(
        "stylize",
        photo_file,
        "--style",
        "amber=0.7",
        "--style",
        "blue=0.3",
        "--strength",
        0.8,
        "--size",
        100,
        "--preserve-color",
        0.5,
        "--color-mode",
        "statistics",
        "-o",
        tmp_path / "out.jpg",
    )
    assert code == 0
    assert "out.jpg" in out
    assert Image.open(tmp_path / "out.jpg").size == (100, 75)
    found = read_metadata(tmp_path / "out.jpg")
    wished = {
        "styles": {"amber": 0.7, "blue": 0.3},
        "strength": 0.8,
        "size": 100,
        "preserve_color": 0.5,
        "color_mode": "statistics",
    }
    assert {name: found[name] for name in wished} == wished


def test_without_an_output_the_result_lies_in_the_current_folder(run, photo_file, tmp_path):
    run("stylize", photo_file, "--style", "amber")
    assert (tmp_path / "photo-amber.png").exists()


def test_one_photo_can_be_painted_into_a_new_folder(run, photo_file, tmp_path):
    assert run("stylize", photo_file, "--style", "amber", "-o", tmp_path / "new")[0] == 0
    assert (tmp_path / "new" / "photo.png").exists()


def test_a_folder_is_painted_into_a_folder_and_a_bad_file_passed_over(run, tmp_path):
    source = tmp_path / "photos"
    source.mkdir()
    make_photo(40, 40).save(source / "a.png")
    make_photo(40, 40).save(source / "b.gif")
    (source / "c.jpg").write_text("no picture")
    code, out, err = run("stylize", source, "--style", "amber", "-o", tmp_path / "out")
    assert code == 2
    assert err.count("error:") == 1
    assert "c.jpg" in err
    assert "2 of 3" in out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.png"]


@pytest.fixture
def album(tmp_path):
    """A folder of photos with a folder in it."""
    for place in ("album/a.png", "album/sea/b.png", "album/sea/c.jpg"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        make_photo(40, 40).save(tmp_path / place)
    return tmp_path / "album"


def painted(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_folders_in_a_folder_are_painted_on_wish_and_kept_apart(run, album, tmp_path):
    (album / "again").symlink_to(album / "sea")  # which is not followed
    run("stylize", album, "--style", "amber", "-o", tmp_path / "flat")
    assert painted(tmp_path / "flat") == ["a.png"]
    assert run("stylize", album, "--recursive", "--style", "amber", "-o", tmp_path / "deep")[0] == 0
    assert painted(tmp_path / "deep") == ["a.png", "sea/b.png", "sea/c.jpg"]


def test_what_is_there_already_is_skipped_on_wish(run, album, tmp_path):
    run("stylize", album, "--style", "amber", "-o", tmp_path / "out")
    before = (tmp_path / "out" / "a.png").stat().st_mtime_ns
    wishes = ("-r", "--skip-existing", "--style", "blue", "-o", tmp_path / "out")
    code, out, _ = run("stylize", album, *wishes)
    assert code == 0
    assert "wrote 2 of 3 pictures; 1 existed already" in out
    assert (tmp_path / "out" / "a.png").stat().st_mtime_ns == before
    assert "wrote 0 of 3" in run("stylize", album, *wishes)[1]


def test_what_was_painted_into_the_folder_of_the_photos_is_no_photo(run, album, monkeypatch):
    monkeypatch.chdir(album)
    for style in ("amber", "amber", "blue"):
        assert run("stylize", ".", "--recursive", "--style", style)[0] == 0
    for style in ("amber", "blue"):
        assert painted(album / style) == ["a.png", "sea/b.png", "sea/c.jpg"]


def test_photos_that_differ_by_their_suffix_alone_have_results_of_their_own(run, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("scan.bmp", "scan.png", "SCAN.gif"):
        make_photo(40, 40).save(tmp_path / "in" / name)
    assert run("stylize", tmp_path / "in", "--style", "amber", "-o", tmp_path / "out")[0] == 0
    assert painted(tmp_path / "out") == ["SCAN.gif.png", "scan.bmp.png", "scan.png"]


def test_a_folder_of_folders_says_how_they_are_looked_into(refused, album):
    (album / "a.png").unlink()
    refused("stylize", album, "--style", "amber", because="use --recursive")


def test_a_batch_that_is_interrupted_says_how_to_go_on(run, album, tmp_path, monkeypatch):
    finished = []

    def interrupted(request, sources, on_step, workers):
        for result in paint_all(request, sources, on_step, workers):
            if len(finished) == 2:
                raise KeyboardInterrupt
            finished.append(result)
            yield result

    monkeypatch.setattr("styletransfer.api.paint_all", interrupted)
    wishes = ("stylize", album, "--recursive", "--style", "amber", "-o", tmp_path / "out", "--skip-existing")
    code, _, err = run(*wishes)
    assert code == 130
    assert "--skip-existing to continue" in err
    assert len(painted(tmp_path / "out")) == 2


def test_hidden_files_and_folders_with_the_name_of_a_picture_are_no_photos(run, album, tmp_path):
    (album / "._a.png").write_bytes(b"what a Mac keeps beside a file")
    (album / "folder.jpg").mkdir()
    (album / ".thumbnails").mkdir()
    make_photo(20, 20).save(album / ".thumbnails" / "a.png")
    assert run("stylize", album, "--style", "amber", "-o", tmp_path / "out")[0] == 0
    assert painted(tmp_path / "out") == ["a.png"]
    assert run("stylize", album, "--recursive", "--style", "amber", "-o", tmp_path / "all")[0] == 0
    assert painted(tmp_path / "all") == ["a.png", "sea/b.png", "sea/c.jpg"]


def test_a_style_of_an_earlier_network_is_left_out_of_the_sheet(
    run, refused, photo_file, ship, tiny_styles, tmp_path
):
    styles = tmp_path / "styles"
    styles.mkdir()
    stale = load_style(tiny_styles / "amber.safetensors")
    save_style(styles / "old.safetensors", with_info(stale, slug="old", base_sha256="0" * 64))
    wishes = ("sheet", photo_file, "-o", tmp_path / "sheet.png", "--size", "40", "--styles-dir", styles)
    code, _, err = run(*wishes)
    assert code == 0
    assert "different base network" in err
    refused(*wishes, "--style", "old", because="different base network")
    ship(styles)
    code, _, err = run(*wishes, "--no-photo")
    assert (code, "none of the styles" in err) == (2, True)


def test_a_manifest_says_what_became_of_every_photo_each_time(run, album, tmp_path):
    (album / "bad.png").write_text("no picture")
    for _ in range(2):
        run("stylize", album, "--style", "amber", "-o", tmp_path / "out", "--manifest", tmp_path / "done.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "done.jsonl").read_text().splitlines()]
    assert [line["photo"] for line in lines] == 2 * [str(album / "a.png"), str(album / "bad.png")]
    assert lines[0]["painting"] == str(tmp_path / "out" / "a.png")
    assert lines[0]["parameters"]["styles"] == {"amber": 1.0}
    assert "not a picture" in lines[1]["error"]


def test_quiet_prints_nothing(run, photo_file, tmp_path):
    assert run("stylize", photo_file, "--style", "amber", "-o", tmp_path / "o.png", "--quiet") == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.jpg", "--style", "amber"], "no such file: none.jpg"),
        (["photo.png", "--style", "ambre"], "did you mean 'amber'?"),
        (["photo.png", "--style", "amber=-1"], "weight of style 'amber' is -1"),
        (["photo.png", "--style", "amber=much"], "'much' is not a number"),
        (["photo.png", "--style", "amber", "--style", "amber"], "given twice"),
        (["photo.png", "--style", "a" * 300], "no style named"),
        (["photo.png", "--style", "none.jpg"], "none.jpg: no such file"),
        (["photo.png", "--style", "amber", "-o", "out.png", "--manifest", "photo.png"], "would replace"),
        (["photo.png", "--style", "amber", "--strength", "7"], "strength is 7"),
        (["photo.png", "--style", "amber", "-o", "none/out.png"], "does not exist"),
        (["photo.png", "--style", "amber", "-o", "out.xyz"], "must end in"),
        (["photo.png", "--style", "amber", "-o", "photo.png"], "would replace the photo"),
        (["photo.png", "--style", "art.png", "-o", "art.png"], "would replace the picture"),
        (["photo.png", "--style", "amber", "--mask", "amber=art.png", "-o", "art.png"], "replace the picture"),
        (["photo.png", "--style", "amber", "--keep", "art.png", "-o", "art.png"], "replace the picture"),
        (["photo.png", "-s", "photo.png", "--style-mask", "photo.png=art.png", "-o", "art.png"], "the picture"),
        (["photo.png", "-s", "amber", "--set", "start=art.png", *FEW_STEPS, "-o", "art.png"], "the picture"),
        (["photo.png", "--style", "amber", "--keep", "a.png", "--mask", "amber=b.png"], "exclude each other"),
        (["photo.png", "--style", "amber", "--keep", "none.png"], "no such file"),
        (["photo.png", "--style", "amber", "-o", "o.png", "--manifest", "o.png"], "would replace the painting"),
        (["photo.png", "text.jpg", "--style", "amber", "-o", "out.png"], "name a folder"),
        (["text.jpg", "--style", "amber"], "not a picture"),
        (["half.png", "--style", "amber"], "cannot be read"),
        (["photo.png", "empty.jpg", "--style", "amber", "-o", "text.jpg/sub"], "cannot create the folder"),
        (["empty.jpg", "--style", "amber"], "0 bytes"),
        (["photo.png", "--style", "amber", "--method", "magic"], "unknown method 'magic'"),
        (["photo.png", "--style", "amber", "--stroke-size", "0"], "stroke_size is 0"),
        (["photo.png", "--style", "amber", "--size", "100000000"], "size is 1e+08"),
        (["", "--style", "amber"], "an argument is empty"),
        (["photo.png", "--style", "amber", "-o="], "an argument is empty"),
        (["photo.png", "--style", "amber", "-o=out.png"], "write -o out.png, or --output=out.png"),
        (["photo.png", "-s=amber"], "write -s amber, or --style=amber"),
        (["photo.png", "--style", "amber", "--output="], "an argument is empty"),
        (["photo.png", "--style", "amber", "--manifest", "-"], "not written to the standard output"),
        (["photo.png", "--style", "amber", "-o", "new/", "--manifest", "none/done.jsonl"], "does not exist"),
        (["photo.png", "--style", "amber", "-o", "new/", "--manifest", "."], "is a folder; name a file"),
        (["photo.png", "--style", "amber", "--color-mode", "statistics"], "needs --preserve-color"),
    ],
)
def test_bad_input_is_one_clear_line_exit_code_2_and_nothing_written(
    refused, photo_file, tmp_path, arguments, message
):
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "half.png").write_bytes(photo_file.read_bytes()[:2000])
    make_photo(40, 40).save(tmp_path / "art.png")
    refused("stylize", *arguments, because=message)


def test_pictures_with_an_equals_sign_in_their_names_are_styles_and_masks_too(run, photo_file, tmp_path):
    for name in ("a=b.png", "white=.png"):
        Image.new("L", (40, 40), 255).save(tmp_path / name)
    more = ("--mask", "a=b.png=white=.png", "-o", "out.png")
    assert run("stylize", photo_file, "--style", "a=b.png", "--style", "amber=2", *more)[0] == 0
    assert read_metadata(tmp_path / "out.png")["styles"] == pytest.approx({"a=b.png": 1 / 3, "amber": 2 / 3})


def test_no_photo_is_replaced_by_the_painting_of_another(refused, photo_file, tmp_path):
    (tmp_path / "sub").mkdir()
    make_photo(40, 40, seed=3).save(tmp_path / "sub" / "photo.png")
    refused("stylize", ".", "-r", "--style", "amber", "-o", "sub", because="would replace the photo")


def test_names_that_are_no_text_are_no_trouble(run, photo_file, tmp_path):
    odd = os.fsdecode(b"caf\xe9.png")
    photo_file.rename(tmp_path / odd)
    options = (
        "--style",
        odd,
        "--method",
        "adain",
        "-o",
        tmp_path / "out.png",
        "--manifest",
        tmp_path / "lines",
        "--mask",
        f"{odd}={odd}",
        "--style-mask",
        f"{odd}={odd}",
    )
    code, _, err = run("stylize", tmp_path / odd, *options)
    assert (code, err) == (0, "")
    [line] = (tmp_path / "lines").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["photo"].endswith("caf\ufffd.png")
    told = read_metadata(tmp_path / "out.png")
    assert (told["styles"], told["masks"]) == ({"caf\ufffd.png": 1.0}, ["caf\ufffd.png"])


def test_styles_are_a_table_and_json(run):
    _, table, _ = run("styles")
    assert all(name in table for name in ("amber", "blue", "coral", "Nobody"))
    _, text, _ = run("styles", "--json")
    assert [style["slug"] for style in json.loads(text)] == ["amber", "blue", "coral"]


def test_a_sheet_has_a_cell_for_every_style_and_strength(run, photo_file, tmp_path):
    assert run("sheet", photo_file, "-o", tmp_path / "all.png", "--size", 40)[0] == 0
    assert run("sheet", photo_file, "-o", tmp_path / "by.png", "--size", 40, "--strengths", "0.5,1")[0] == 0
    every, strengths = Image.open(tmp_path / "all.png"), Image.open(tmp_path / "by.png")
    assert every.width > 4 * 40  # the photo and three styles in a row
    assert strengths.width < 4 * 40
    assert strengths.height > 3 * 30  # a row a style


def test_a_style_can_be_taken_from_a_part_of_a_picture(run, photo_file, tmp_path):
    make_photo(60, 70, seed=3).save(tmp_path / "painting.png")
    corner = Image.new("L", (70, 60))
    corner.paste(255, (0, 0, 20, 20))
    corner.save(tmp_path / "corner.png")
    wish = ("stylize", photo_file, "--style", "painting.png")
    assert run(*wish, "-o", "whole.png")[0] == 0
    assert run(*wish, "--style-mask", "painting.png=corner.png", "-o", "part.png")[0] == 0
    assert Image.open("whole.png").tobytes() != Image.open("part.png").tobytes()


def test_a_sheet_is_refused_before_the_work_where_a_style_is_unknown(refused, photo_file, monkeypatch):
    monkeypatch.setattr(Request, "paint", None)
    refused("sheet", photo_file, "-o", "all.png", "-s", "amber", "-s", "ambre", because="mean 'amber'")


def test_a_sheet_is_refused_before_the_work_where_a_strength_is_none(refused, photo_file, monkeypatch):
    monkeypatch.setattr(Request, "paint", None)
    refused("sheet", photo_file, "-o", "all.png", "--strengths", "0.5,2", because="strength is 2")


def test_the_label_of_a_picture_in_a_sheet_is_its_name(run, photo_file, tmp_path, monkeypatch):
    labels, contact_sheet = [], images.contact_sheet

    def noting(cells, columns):
        labels.extend(label for label, _ in cells)
        return contact_sheet(cells, columns)

    monkeypatch.setattr(images, "contact_sheet", noting)
    wishes = ("--size", 40, "-s", photo_file, "-s", "amber")
    assert run("sheet", photo_file, "-o", tmp_path / "all.png", *wishes)[0] == 0
    assert labels == ["photo", "photo.png", "amber"]


def test_a_sheet_that_its_format_cannot_hold_is_refused_before_the_work(refused, photo_file, monkeypatch):
    monkeypatch.setattr(Request, "paint", None)
    wishes = ("-o", "all.webp", "--size", 4096, "--columns", 4)
    refused("sheet", photo_file, *wishes, because="WEBP allows at most")


def test_a_sheet_of_more_pixels_than_a_picture_may_have_is_refused_before_the_work(
    refused, photo_file, monkeypatch
):
    monkeypatch.setattr("styletransfer.settings.MAX_PIL_PIXELS", 40_000)
    monkeypatch.setattr(Request, "paint", None)
    message = "more than 40,000; give a smaller --size, or fewer styles"
    refused("sheet", photo_file, "-o", "all.png", "--size", 100, because=message)


def test_the_pictures_of_a_sheet_are_painted_as_stylize_paints_them(run, photo_file, monkeypatch):
    cells, contact_sheet = [], images.contact_sheet

    def noting(given, columns):
        cells.extend(given)
        return contact_sheet(given, columns)

    monkeypatch.setattr(images, "contact_sheet", noting)
    wishes = ("-s", "amber", "--method", "adain", "--stroke-size", 2, "--preserve-color", 0.5)
    assert run("sheet", photo_file, "-o", "sheet.png", "--size", 128, "--no-photo", *wishes)[0] == 0
    assert run("stylize", photo_file, "-o", "alone.png", *wishes)[0] == 0
    with Image.open("alone.png") as alone:
        assert same(cells[0][1], alone)


def test_a_sheet_has_as_many_columns_as_are_wished_for(run, photo_file):
    for columns in (1, 4):
        run("sheet", photo_file, "-o", f"{columns}.png", "--size", 40, "--columns", columns)
    assert Image.open("1.png").width < 2 * 40 < 4 * 40 < Image.open("4.png").width


@pytest.mark.parametrize("folder", ["album", "out"])
def test_previews_replace_no_photo_and_no_painting(refused, album, folder):
    wish = ("stylize", album, "--style", "amber", *FEW_STEPS, "-o", "out")
    refused(*wish, "--previews", folder, because="name another folder")


@pytest.mark.parametrize("name", ["out[b].png", "out:smile:.png"])
def test_a_name_is_printed_as_it_is(run, photo_file, tmp_path, name):
    _, out, _ = run("stylize", photo_file, "--style", "amber", "-o", tmp_path / name)
    assert name in out


def test_names_of_styles_are_whole_in_a_narrow_terminal(run, tiny_styles, tmp_path, monkeypatch):
    name = "a-style-with-a-name-of-36-characters"
    style = load_style(tiny_styles / "amber.safetensors")
    save_style(tmp_path / f"{name}.safetensors", with_info(style, slug=name, title="Long " * 20))
    monkeypatch.setenv("COLUMNS", "40")
    assert name in run("styles", "--styles-dir", tmp_path)[1]


def test_letters_that_the_output_cannot_hold_are_no_trouble(
    run, photo_file, tiny_styles, tmp_path, monkeypatch
):
    style = load_style(tiny_styles / "amber.safetensors")
    save_style(tmp_path / "amber2.safetensors", with_info(style, artist="Renée 神"))
    for command in (("styles",), ("styles", "--json"), ("stylize", photo_file, "-s", "amber", "-o", "né.png")):
        out = io.TextIOWrapper(io.BytesIO(), encoding="cp1251")
        monkeypatch.setattr(sys, "stdout", out)
        where = ("--styles-dir", tmp_path)
        assert run(*command, *where)[0] == 0
        out.flush()
        text = out.buffer.getvalue().decode("cp1251")
        if "--json" in command:
            assert [each["artist"] for each in json.loads(text)][1] == "Renée 神"
        else:
            assert ("Ren?e" in text) or ("n?.png" in text)


def test_a_full_disk_behind_the_output_is_one_line(run, monkeypatch):
    monkeypatch.setattr("styletransfer.cli.styles.print_json", full_disk)
    assert run("styles", "--json") == (2, "", "error: the system refuses: No space left on device\n")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with a name")
def test_a_pipe_is_no_photo(refused, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    refused("stylize", "pipe.png", "--style", "amber", because="save it as one first")


def test_info_tells_what_a_picture_was_made_with(run, photo_file, tmp_path):
    run("stylize", photo_file, "--style", "amber", "-o", tmp_path / "out.png")
    code, out, _ = run("info", tmp_path / "out.png")
    assert code == 0
    assert json.loads(out)["styles"] == {"amber": 1.0}


def test_the_settings_of_an_optimisation_are_explained_by_set_help_alone(run):
    code, out, _ = run("stylize", "--set", "help")
    assert code == 0
    assert "patience: steps without progress that end a size." in out
    assert "style_weight=3.0" in out
    assert not {"steps", "seconds", "style_scale"} & {*re.findall(r"(\w+)[:=]", out)}  # these have options


@pytest.mark.parametrize(
    "wishes",
    [
        ("-s", "amber"),
        (
            "-s",
            "amber=1",
            "-s",
            "blue=2",
            "-s",
            "coral=0.3",
            "--strength",
            0.8,
            "--size",
            100,
            "--method",
            "adain",
        ),
        ("-s", "amber", "--preserve-color", 0.5, "--color-mode", "statistics", "--stroke-size", 2),
        ("-s", "amber", *FEW_STEPS, "--set", "statistic=wasserstein"),
        (
            "-s",
            "amber",
            "--method",
            "gatys",
            "--seconds",
            0.01,
            "--set",
            "start=photo",
            "--set",
            "least_side=64",
        ),
        ("-s", "amber", "--method", "gatys", "--strength", 0, "--steps", 60),
        ("-s", "mine", "-s", "amber=0.5", "--styles-dir", "my own"),
        ("-s", "हिन्दी", "--styles-dir", "my own"),  # it is spelled with marks
    ],
)
def test_the_command_that_info_prints_paints_with_the_same_parameters(
    run, photo_file, tiny_styles, tmp_path, wishes
):
    (tmp_path / "my own").mkdir()
    for name in ("mine", "हिन्दी"):
        shutil.copy(tiny_styles / "blue.safetensors", tmp_path / "my own" / f"{name}.safetensors")
    assert run("stylize", photo_file, "-o", "out.png", *wishes)[0] == 0
    where = ("--styles-dir", "my own") if "--styles-dir" in wishes else ()
    code, out, err = run("info", "out.png", "--command", *where)
    assert (code, err) == (0, "put the photo in the place of PHOTO\n")
    program, *arguments = shlex.split(out)
    assert program == "styletransfer"
    assert run(*(photo_file if each == "PHOTO" else each for each in arguments), "-o", "again.png")[0] == 0
    assert read_metadata("again.png") == read_metadata("out.png")


def test_what_the_file_lacks_is_named_beside_the_command(run, photo_file, tmp_path):
    make_photo(40, 40).save(tmp_path / "art.png")
    wishes = ("--mask", "amber=photo.png", *FEW_STEPS, "--set", "start=art.png")
    run("stylize", photo_file, "-s", "amber", "-s", "art.png", *wishes, "-o", "out.png")
    code, out, err = run("info", "out.png", "--command")
    assert code == 0
    assert "--mask amber=MASK" in out
    assert "--style PICTURE=0.5" in out
    assert "--set start=START" in out
    assert "the masks in the place of MASK" in err
    assert "PICTURE stands for 'art.png', which is not among your styles" in err
    assert "START stands for the picture 'art.png'" in err


def test_what_was_kept_and_where_a_style_was_taken_from_have_their_places_in_the_command(run, photo_file):
    wishes = ("-s", "photo.png", "--keep", "photo.png", "--style-mask", "photo.png=photo.png")
    assert run("stylize", photo_file, *wishes, "-o", "out.png")[0] == 0
    _, out, err = run("info", "out.png", "--command")
    assert out == "styletransfer stylize PHOTO --style PICTURE --keep KEEP --style-mask PICTURE=MASK\n"
    assert "the mask of what is kept in the place of KEEP" in err


@pytest.fixture
def info_command(run, tmp_path):
    """What `info --command` answers to these parameters in a file."""

    def command(**parameters: object) -> tuple[int, str, str]:
        text = PngInfo()
        text.add_itxt("styletransfer", json.dumps({"styles": {"amber": 1}, **parameters}))
        make_photo(40, 40).save(tmp_path / "other.png", pnginfo=text)
        return run("info", "other.png", "--command")

    return command


def test_names_from_elsewhere_are_told_beside_the_command_and_never_in_it(info_command):
    names = ("$(calc)", '" & calc & "', "'; calc", "%PATH%", "-o=x", "a\ncalc", "`calc`", "..", "udnie\u202e")
    code, out, err = info_command(
        styles=dict.fromkeys(names, 0.1) | {"amber": 1e-7},
        method="gatys",
        masks=[*names, "; calc", 5, {}],
        style_masks=[*names],
        keep="; calc",
        optimization={"start": "& calc.exe", "seed": 3, "& calc": 1},
    )
    assert code == 0
    assert [word for word in out.split() if not re.fullmatch(r"[\w.,=+-]+", word)] == []
    assert "calc" not in out
    assert len(out.splitlines()) == 1
    assert all(repr(name) in err for name in names)


@pytest.mark.parametrize(
    "parameters",
    [
        {"strength": "1; calc"},
        {"strength": float("inf")},
        {"size": [1]},
        {"method": "--output"},
        {"preserve_color": 0.5, "color_mode": "$(calc)"},
        {"method": "gatys", "optimization": {"optimizer": "`calc`"}},
    ],
)
def test_values_that_a_shell_could_take_for_a_command_give_none(info_command, parameters):
    code, out, err = info_command(**parameters)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "not the parameters of a painting" in err


def test_other_parameters_than_those_of_a_painting_give_no_command(info_command):
    code, out, err = info_command(styles={"amber": "much"})
    assert (code, out, "they name no styles" in err) == (2, "", True)


def test_the_version_is_printed(run):
    assert run("--version") == (0, f"styletransfer {VERSION}\n", "")


def test_help_lists_all_commands(run):
    listed = {*re.findall(r"^│ ([a-z][a-z-]+)  ", run("--help")[1], re.MULTILINE)}
    trainings = {f"train-{what}" for what in ("style", "base", "adain", "predictor")}
    assert listed == {"stylize", "sheet", "info", "styles", "export", "import", "serve", "bench"} | trainings


def test_the_settings_of_a_training_are_set_by_name():
    changed = parse_settings(["matrix_rate=0.01", "side=128"], BaseTraining())
    assert changed == replace(BaseTraining(), matrix_rate=0.01, side=128)


@pytest.mark.parametrize(
    ("option", "message"),
    [("rate=1", "unknown setting 'rate'.* steps=6000, .*lags=4"), ("side=big", "a number")],
)
def test_settings_that_do_not_exist_or_are_no_numbers_are_refused(option, message):
    with pytest.raises(InvalidInput, match=message):
        parse_settings([option], BaseTraining())


def test_what_a_picture_from_elsewhere_says_does_not_command_the_terminal(run, photo_file, tmp_path):
    painted = tmp_path / "painted.png"
    assert run("stylize", photo_file, "--style", "amber", "-o", painted)[0] == 0
    with Image.open(painted) as picture:
        text = PngInfo()
        text.add_itxt("styletransfer", json.dumps({"note": "\x9b2J"}, ensure_ascii=False))
        picture.save(tmp_path / "other.png", pnginfo=text)
    code, out, _ = run("info", tmp_path / "other.png")
    assert (code, "\x9b" in out, json.loads(out)["note"]) == (0, False, "\x9b2J")


def test_what_libraries_quote_of_a_file_does_not_command_the_terminal(run, tmp_path):
    header = json.dumps({"gamma": {"dtype": "\x1b[2J", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "evil.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    code, _, err = run("import", tmp_path / "evil.safetensors")
    assert (code, "\x1b[2J" in err, "\ufffd[2J" in err) == (2, False, True)
    code, _, err = run("styles", "--styles-dir", tmp_path)  # which logs that it is left out
    assert (code, "\x1b[2J" in err, "\ufffd[2J" in err) == (0, False, True)


def test_the_name_of_a_file_does_not_command_the_terminal(run, photo_file):
    code, out, _ = run("stylize", photo_file, "--style", "amber", "-o", "a\x1b[2J.png")
    assert (code, out) == (0, "wrote a\ufffd[2J.png\n")


# Optimisation


def test_an_optimisation_can_be_watched(run, photo_file, tmp_path, monkeypatch):
    monkeypatch.setattr("styletransfer.methods.coarse_to_fine.PREVIEW_SECONDS", 0)
    watched = ("--plot", tmp_path / "plot.svg", "--previews", tmp_path / "previews", "-o", tmp_path / "out.png")
    assert run("stylize", photo_file, "--style", "amber", *FEW_STEPS, *watched)[0] == 0
    assert "</svg>" in (tmp_path / "plot.svg").read_text()
    previews = list((tmp_path / "previews").glob("*.png"))
    assert previews
    assert all(map(read_metadata, previews))  # or the next --recursive would paint them
    assert read_metadata(tmp_path / "out.png")["optimization"]["steps"] == 1


def test_a_photo_too_large_for_the_method_is_passed_over(run, photo_file, tmp_path, monkeypatch):
    monkeypatch.setattr("styletransfer.methods.schedule.MAX_PIXELS", 100 * 130)
    make_photo(100, 140).save(tmp_path / "large.png")
    code, _, err = run("stylize", "large.png", photo_file, "--style", "amber", *FEW_STEPS, "-o", "out")
    assert (code, "140x100 pixels has more than 13,000" in err) == (2, True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["photo.png"]


def test_a_wish_that_is_refused_leaves_no_folder_for_previews(refused, photo_file):
    wish = ("stylize", photo_file, "--style", "ambre", *FEW_STEPS, "--previews", "new")
    refused(*wish, because="did you mean 'amber'")


def test_where_nothing_is_painted_an_earlier_plot_stays(run, photo_file, tmp_path):
    (tmp_path / "plot.svg").write_text("of the first run")
    kept = ("--plot", tmp_path / "plot.svg", "--strength", "0", "-o", tmp_path / "out.png")
    assert run("stylize", photo_file, "--style", "amber", *FEW_STEPS, *kept)[0] == 0
    assert (tmp_path / "plot.svg").read_text() == "of the first run"


def test_a_picture_is_a_style(run, photo_file, tmp_path):
    make_photo(60, 70, seed=3).save(tmp_path / "painting.png")
    assert run("stylize", photo_file, "--style", "painting.png=0.5", "--style", "amber=0.5", *FEW_STEPS)[0] == 0
    assert (tmp_path / "photo-painting-amber.png").exists()


@pytest.mark.parametrize(
    ("number", "before"),
    [
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGTERM, signal.default_int_handler),
        (signal.SIGTERM, signal.SIG_IGN),  # in the background of a script
    ],
)
def test_ctrl_c_keeps_the_picture_so_far(run, photo_file, tmp_path, monkeypatch, number, before):
    signal.signal(signal.SIGINT, before)
    show, presses = Watch.__call__, [number]

    def interrupt(self, progress):
        if progress.step == 2 and presses:
            signal.raise_signal(presses.pop())
        show(self, progress)

    monkeypatch.setattr(Watch, "__call__", interrupt)
    wishes = ("--method", "gatys", "--steps", 500, "--set", "least_side=64", "--set", "patience=500")
    assert run("stylize", photo_file, "--style", "amber", *wishes, "-o", tmp_path / "out.png")[0] == 0
    assert Image.open(tmp_path / "out.png").size == (128, 96)
    assert read_metadata(tmp_path / "out.png")["stopped"]


def test_ctrl_c_is_ignored_where_a_script_started_the_command_in_the_background(
    run, photo_file, tmp_path, monkeypatch
):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    show = Watch.__call__

    def interrupt(self, progress):
        signal.raise_signal(signal.SIGINT)
        show(self, progress)

    monkeypatch.setattr(Watch, "__call__", interrupt)
    assert run("stylize", photo_file, "--style", "amber", *FEW_STEPS, "-o", tmp_path / "out.png")[0] == 0
    assert "stopped" not in read_metadata(tmp_path / "out.png")


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGINT, (0, 2)), *((each, (130, 1)) for each in END_SIGNALS)]
)
def test_ctrl_c_ends_one_picture_of_several_and_other_signals_the_command(
    run, tmp_path, monkeypatch, number, expected
):
    show, presses = Watch.__call__, [number]

    def interrupt(self, progress):
        if presses:
            signal.raise_signal(presses.pop())
        show(self, progress)

    monkeypatch.setattr(Watch, "__call__", interrupt)
    for name in ("a.png", "b.png"):
        make_photo(64, 64).save(tmp_path / name)
    code, _, err = run("stylize", "a.png", "b.png", "--style", "amber", *FEW_STEPS, "-o", "out")
    assert (code, len(painted(tmp_path / "out"))) == expected
    assert ("--skip-existing to continue" in err) == (code == 130)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="the system has no such signal")
def test_a_closed_terminal_of_which_shell_and_system_tell_keeps_the_picture_so_far(
    run, photo_file, tmp_path, monkeypatch
):
    show, calls = Watch.__call__, [signal.SIGHUP, signal.SIGHUP]

    def interrupt(self, progress):
        while calls:
            signal.raise_signal(calls.pop())
        show(self, progress)

    monkeypatch.setattr(Watch, "__call__", interrupt)
    wishes = ("--method", "gatys", "--steps", 500, "--set", "least_side=64", "--set", "patience=500")
    run("stylize", photo_file, "--style", "amber", *wishes, "-o", tmp_path / "out.png")
    assert read_metadata(tmp_path / "out.png")["stopped"]


def test_ctrl_c_ends_everything_the_second_time(run, photo_file, tmp_path, monkeypatch):
    monkeypatch.setattr(Watch, "__call__", lambda self, progress: signal.raise_signal(signal.SIGINT))
    wishes = ("--method", "gatys", "--steps", 500, "--set", "least_side=64", "--set", "patience=500")
    assert run("stylize", photo_file, "--style", "amber", *wishes, "-o", tmp_path / "out.png")[0] == 130
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("ctrl_c", [signal.default_int_handler, signal.SIG_IGN])
@pytest.mark.parametrize("number", END_SIGNALS)
def test_a_command_that_is_told_to_end_does_so_as_by_ctrl_c(
    run, photo_file, tmp_path, monkeypatch, number, ctrl_c
):
    signal.signal(signal.SIGINT, ctrl_c)
    signal.signal(number, signal.SIG_DFL)
    monkeypatch.setattr(Request, "paint", lambda *_: signal.raise_signal(number))
    assert run("stylize", photo_file, "--style", "amber", "-o", tmp_path / "out.png")[0] == 130
    assert painted(tmp_path) == ["photo.png"]


def test_no_photo_is_replaced_by_any_of_its_names(refused, tmp_path):
    """On a disk that does not tell upper case from lower, IMG.PNG and IMG.png are one file."""
    make_photo(40, 40).save(tmp_path / "IMG.PNG")
    (tmp_path / "IMG.png").hardlink_to(tmp_path / "IMG.PNG")
    refused("stylize", "IMG.PNG", "--style", "amber", "-o", "IMG.png", because="would replace the photo")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "3"], "--steps only works with --method gatys"),
        (["--previews", "folder"], "--previews only works with --method gatys"),
        (["--set", "rate=0.1"], "--set only works with --method gatys"),
        (["--method", "gatys", "--style-scale", "inf"], "style_scale is inf"),
        (["--method", "gatys", "--set", "content_layer=relu9_1"], "layer 'relu9_1' of VGG-19 cannot"),
        (["--method", "gatys", "--plot", "plot.xyz"], "must end in one of .png"),
        (["--method", "gatys", "--plot", "nowhere/plot.png"], "create it first"),
        (["--method", "gatys", "--set", "start=magic"], "must be one of auto, fast, photo, noise"),
        (["--method", "gatys", "--steps", "0"], "above 0"),
        (["--method", "gatys", "--set", "average=1"], "below 1"),
        (["--method", "gatys", "--set", "content_weight=nan"], "content_weight is nan"),
        (["--method", "gatys", "--set", f"seed={10**23}"], "whole number from 0 to"),
        (["--method", "gatys", "--plot", "photo.png"], "would replace the photo"),
        (["--method", "gatys", "--steps", "3", "--seconds", "9"], "exclude each other"),
        (["--method", "gatys", "--seconds", "0"], "--seconds is 0; it must be above 0"),
        (["--method", "gatys", "--steps", "3", "--set", "seconds=9"], "write --seconds 9"),
        (["--method", "gatys", "--set", "style_scale=2"], "write --style-scale 2"),
        (["--method", "gatys", "--style-scale", "2"], "style_scale only works with pictures"),
        (["--mask", "amber"], "write STYLE=MASK"),
        (["--mask", "amber="], "write STYLE=MASK"),
        (["--mask", "amber=a.png", "--mask", "amber=b.png"], "--mask is given twice for amber"),
        (["--mask", "blue=photo.png"], "not in the mix"),
        (["--mask", "amber=none.png"], "no such file"),
    ],
)
def test_bad_wishes_are_one_clear_line(refused, photo_file, arguments, message):
    refused("stylize", photo_file, "--style", "amber", *arguments, because=message)


# Styles of one's own


@pytest.fixture
def painting(tmp_path):
    make_photo(60, 80, seed=5).save(tmp_path / "painting.png")
    return tmp_path / "painting.png"


def test_a_style_is_learned_used_given_away_and_removed(run, refused, photo_file, painting, tmp_path):
    own = tmp_path / "my own"
    code, out, _ = run("train-style", painting, "--name", "My Style", "--steps", 1, "--out", own)
    assert code == 0
    assert shlex.split(out)[-4:] == ["--style", "my-style", "--styles-dir", str(own)]
    recorded = load_style(own / "my-style.safetensors").info.recipe["command"]
    assert recorded == "styletransfer train-style painting.png --name 'My Style' --steps 1"
    here = ("--styles-dir", own)
    assert run("stylize", photo_file, "--style", "my-style=0.5", "--style", "amber=0.5", *here)[0] == 0
    assert "My Style" in run("styles", *here)[1]
    assert run("export", "my-style", "-o", tmp_path / "gift.safetensors", *here)[0] == 0
    assert run("styles", "--remove", "my-style", *here)[0] == 0
    assert "My Style" not in run("styles", *here)[1]
    assert run("import", tmp_path / "gift.safetensors", *here)[0] == 0
    assert "My Style" in run("styles", *here)[1]
    again = "'styletransfer styles --remove my-style'"
    refused("import", tmp_path / "gift.safetensors", *here, because=again)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train-style", "none.png", "--name", "x"], "no such file"),
        (["train-style", "painting.png", "--name", "Amber"], "shipped style"),
        (["train-style", "painting.png", "--name", "!"], "no letter or digit"),
        (["train-style", "painting.png", "--name", "x", "--steps", "0"], "steps is 0"),
        (["train-style", "painting.png", "--name", "x", "--seconds", "nan"], "seconds is nan"),
        (["train-style", "painting.png", "--name", "x", "--style-size", "3"], "style size is 3"),
        (["train-style", "painting.png", "--name", "x", "--resume"], "no unfinished fit"),
        (["train-style", "painting.png", "--name", "x", "--content", "none"], "is not a folder"),
        (["train-style", "painting.png", "--name", "x", "--out", "painting.png"], "cannot create the folder"),
        (["train-style", "painting.png", "--name", "x", "--styles-dir", "none"], "is not a folder of styles"),
        (["styles", "--remove", "amber"], "never removed"),
        (["styles", "--remove", "ambr"], "did you mean 'amber'"),
        (["export", "ambr", "-o", "x.safetensors"], "did you mean 'amber'"),
        (["export", "amber", "-o", "none/x.safetensors"], "cannot write"),
        (["export", "amber", "-o", "."], "must end in .safetensors"),
        (["export", "amber", "-o", "photo.png"], "must end in .safetensors"),
        (["import", "none.safetensors"], "no such style file"),
        (["import", "painting.png"], "not a style file"),
        (["info", "photo.png"], "carries no parameters"),
        (["info", "photo.png", "--styles-dir", "none"], "none is not a folder of styles"),
        (["sheet", "photo.png", "-o", "all.png", "--size", "0"], "size is 0"),
        (["sheet", "photo.png", "-o", "all.png", "--method", "gatys"], "with cin or adain"),
        (["sheet", "photo.png", "-o", "photo.png"], "would replace the photo"),
        (["sheet", "photo.png", "-s", "painting.png", "-o", "painting.png"], "would replace the picture"),
        (["train-adain", *FOLDERS, "--set", "steps=3"], "write --steps 3"),
        (["train-base", *FOLDERS, "--set", "gentle_share=0"], "gentle_share is"),
        (["train-base", *FOLDERS, "--set", "warmup_steps=0"], "warmup_steps is"),
        (["train-base", *FOLDERS, "--set", "average=nan"], "average is"),
        (["train-base", *FOLDERS, "--set", "wide_share=-1"], "wide_share is"),
        *((["serve", "--auth", auth], "write NAME:PASSWORD") for auth in ("me", "me:", ":secret")),
    ],
)
@pytest.mark.usefixtures("photo_file", "painting")
def test_bad_input_of_other_commands_is_one_clear_line(refused, arguments, message):
    refused(*arguments, because=message)


def test_learning_that_is_interrupted_says_how_to_go_on(run, painting, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(api.StyleTransfer, "train_style", interrupted)
    code, _, err = run("train-style", painting, "--name", "x")
    assert (code, "--resume" in err) == (130, True)


def test_a_picture_too_long_for_its_format_is_refused_before_the_work(refused, tmp_path, monkeypatch):
    monkeypatch.setattr(Request, "paint", None)
    Image.new("RGB", (17000, 2)).save(tmp_path / "panorama.png")
    wish = ("stylize", "panorama.png", "--style", "amber", "--quiet", "-o", "out.webp")
    refused(*wish, because="WEBP allows at most 16,383")


def test_a_picture_that_claims_any_number_of_pixels_costs_the_others_nothing(run, tmp_path):
    (tmp_path / "in").mkdir()
    header = struct.pack(">2I5B", 9_999_000, 9_999_000, 8, 2, 0, 0, 0)
    bomb = png_file((b"IHDR", header), (b"IDAT", zlib.compress(bytes(8))))
    (tmp_path / "in" / "bomb.png").write_bytes(bomb)
    make_photo(40, 40).save(tmp_path / "in" / "photo.png")
    code, out, err = run("stylize", tmp_path / "in", "--style", "amber", "-o", tmp_path / "out")
    assert (code, "1 of 2" in out) == (2, True)
    assert "9999000x9999000 pixels" in err
    assert len(err.strip().splitlines()) == 1
    assert painted(tmp_path / "out") == ["photo.png"]


def test_what_takes_long_is_said_beforehand(run, photo_file, tmp_path, monkeypatch):
    monkeypatch.setattr("styletransfer.cli.forecast.LEAST_PIXELS", 0)
    quick = run("stylize", photo_file, "--style", "amber", "-o", tmp_path / "a.png")
    monkeypatch.setattr("styletransfer.cli.forecast.LONG", 0)
    slow = run("stylize", photo_file, "--style", "amber", "-o", tmp_path / "b.png")
    assert "this takes about" not in quick[1]
    assert "this takes about" in slow[1]


def test_fine_strokes_are_more_work_and_broad_ones_are_no_less(run, photo_file, monkeypatch):
    with Image.open(photo_file) as photo:
        monkeypatch.setattr("styletransfer.cli.forecast.LEAST_PIXELS", 2 * photo.width * photo.height)
    monkeypatch.setattr("styletransfer.cli.forecast.LONG", 0)
    wish = ("stylize", photo_file, "--style", "amber", "-o", "out.png", "--stroke-size")
    assert ["this takes about" in run(*wish, size)[1] for size in (0.5, 1, 2)] == [True, False, False]


def test_a_full_memory_of_the_gpu_is_one_line_and_a_fault_of_the_program_is_not(run, refused, monkeypatch):
    fault = RuntimeError("CUDA out of memory")

    def fail(*_, **__):
        raise fault

    monkeypatch.setattr(api.StyleTransfer, "__init__", fail)
    refused("styles", because="--device cpu does without")
    fault = RuntimeError("a fault")
    with pytest.raises(RuntimeError, match="a fault"):
        run("styles")


@pytest.mark.parametrize(
    "command",
    [
        ("stylize", "photo.png", "--style", "amber"),
        ("sheet", "photo.png", "-o", "sheet.png"),
        ("train-style", "photo.png", "--name", "x"),
        ("bench",),
        ("serve",),
        *((train, *FOLDERS) for train in ("train-base", "train-adain", "train-predictor")),
    ],
)
@pytest.mark.usefixtures("photo_file")
def test_every_command_that_computes_takes_a_device(refused, command):
    refused(*command, "--device", "abacus", because="abacus")


def test_the_machine_is_measured(run, monkeypatch):
    monkeypatch.setattr("styletransfer.files.package_folder", api.package_folder)
    code, out, _ = run("bench", "--side", 64)
    assert code == 0
    assert "GFLOP/s" in out
    assert "cin" in out
    assert "adain" in out


def test_the_page_is_served_as_it_is_wished_for(run, refused, monkeypatch):
    served = []
    monkeypatch.setattr("styletransfer.page.serve", lambda transfer, **wishes: served.append(wishes))
    assert run("serve", "--host", "0.0.0.0", "--port", 8000, "--auth=me:a:b=") == (0, "", "")
    assert served == [{"host": "0.0.0.0", "port": 8000, "auth": ("me", "a:b="), "share": False}]
    assert run("serve", "--share")[0] == 0
    assert served.pop()["share"]
    refused("serve", "--styles-dir", "none", because="none is not a folder of styles")


@pytest.mark.parametrize("name", ["base", "adain", "predictor"])
def test_each_option_of_a_training_reaches_the_field_of_its_name(run, tmp_path, monkeypatch, name):
    taken = []
    train = f"styletransfer.training.{name}_job.train_{name}"
    monkeypatch.setattr(train, lambda job, settings, *more: taken.extend([job, settings]))
    folders = {"base": ["wide", "catalogue", "preview"], "adain": [], "predictor": ["base"]}[name]
    paths = {field: tmp_path / field for field in ["content", "styles", "out", "start", *folders]}
    options = [part for field, path in paths.items() for part in (f"--{field}", path)]
    assert run(f"train-{name}", *options, "--steps", 7, "--seed", 5, "--device", "cpu")[0] == 0
    job, settings = taken
    assert {field: value for field, value in vars(job).items() if field != "command"} == paths
    assert (settings.steps, settings.seed) == (7, 5)


def test_networks_are_trained_by_three_commands(run, tmp_path, monkeypatch):
    """As docs/training.md has them, on little pictures and for two steps."""
    write_pictures(tmp_path, photographs=18, paintings=2, **{"more-paintings": 3})
    look_small(monkeypatch)
    photos, more = ("--content", "photographs"), ("--styles", "more-paintings")
    small = ("--steps", 2, "--set", "side=32", "--set", "contents=1", "--device", "cpu")
    large = ("--set", "final_side=32")
    few = ("--set", "textures=2")
    base = ("--styles", "paintings", "--wide", "more-paintings", *large)
    for command, *options in (
        ("train-base", *base, "--out", "run"),
        ("train-predictor", "--base", "run", *more, *few, "--set", "techniques=3", "--out", "predictor-run"),
        ("train-adain", *more, *few, *large, "--out", "adain-run"),
    ):
        code, out, err = run(command, *photos, *small, *options)
        assert (code, err) == (0, "")
        assert options[-1] in out
        manifest = json.loads((tmp_path / options[-1] / "models" / "manifest.json").read_text())
        [told] = [shlex.split(each["command"]) for each in manifest.values()]
        given = [command, *photos, *map(str, (*small[2:-2], *options)), "--steps", "2", "--seed", "0"]
        assert told[0] == "styletransfer"
        assert sorted(told[1:]) == sorted(given)
    assert sorted(path.name for path in (tmp_path / "run" / "styles").glob("*.safetensors")) == [
        "paintings-00.safetensors",
        "paintings-01.safetensors",
    ]


def test_the_time_left_is_known_where_the_steps_to_come_are_an_estimate_that_changes():
    seconds = itertools.count()
    bar = Bar(get_time=lambda: float(next(seconds)))
    bar.add_task("learning", total=240)
    for step, steps in ((99, 99), (1, 100), (2, 101), (3, 102)):  # the end of one photo, and the next one
        show_losses(bar, Progress(step, steps))
    assert bar.tasks[0].time_remaining
