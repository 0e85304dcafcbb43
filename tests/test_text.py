"""Texts that can be encoded and shown, and commands as they are recorded."""

import shlex
from pathlib import Path

from styletransfer.text import encodable, recorded


def test_bytes_of_a_name_that_are_no_letters_are_replaced():
    assert encodable("a \ud83d b \udcff") == "a \ufffd b \ufffd"


def test_a_recorded_command_can_be_given_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = {"content": Path("my photos"), "start": Path(), "wide": None}
    command = recorded("train-base", "a b.jpg", **folders, set=["side=64", "lags=2"], seed=0)
    expected = ["a b.jpg", "--content", "my photos", "--start", tmp_path.name]
    expected += ["--set", "side=64", "--set", "lags=2", "--seed", "0"]
    assert shlex.split(command) == ["styletransfer", "train-base", *expected]


def test_a_link_in_a_loop_is_recorded_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("loop.jpg").symlink_to("loop.jpg")
    assert recorded("stylize", content=Path("loop.jpg")) == "styletransfer stylize --content loop.jpg"
