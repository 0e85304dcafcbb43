"""Writing files, reading what was written, and finding those of packages."""

import errno
from pathlib import Path

import pytest
import torch
from conftest import Intruder, full_disk

from styletransfer.checkpoints import load_checkpoint
from styletransfer.errors import InvalidInput, UnwritableOutput
from styletransfer.files import check_place, in_package, replacing


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            full_disk()

    with pytest.raises(UnwritableOutput, match="No space left"):
        fail()
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_how_long_a_name_may_be_is_for_the_system_to_say(tmp_path, monkeypatch):
    path = tmp_path / f"{'神' * 100}.png"  # which Windows takes
    with pytest.raises(UnwritableOutput, match="too long"):
        check_place(path)
    stat = Path.stat

    def of_windows(self, **options):
        if self == path:
            raise FileNotFoundError(errno.ENOENT, "No such file")
        return stat(self, **options)

    monkeypatch.setattr(Path, "stat", of_windows)
    check_place(path)


def test_a_name_that_is_too_long_is_told_of_what_is_written(tmp_path):
    with pytest.raises(UnwritableOutput, match="too long"), replacing(tmp_path / ("x" * 300)):
        pass


def test_whether_a_folder_is_closed_is_tried_by_a_file_that_never_stays(tmp_path, monkeypatch):
    touch = Path.touch

    def interrupted(self):
        touch(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "touch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        check_place(tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_is_data_and_runs_nothing(tmp_path):
    torch.save({"fit": Intruder(tmp_path / "ran")}, tmp_path / "checkpoint.pt")
    with pytest.raises(InvalidInput, match="damaged"):
        load_checkpoint(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "ran").exists()


def test_a_part_of_a_package_that_is_not_there_is_not_found():
    assert in_package("styletransfer", "images") is not None
    assert in_package("styletransfer", "none") is None
    assert in_package("no_such_package", "none") is None
