"""Settings refuse what they cannot be."""

import math
from os import PathLike

import pytest

from styletransfer.errors import InvalidInput
from styletransfer.settings import Optimization


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": "magic"},
        {"statistic": "x"},
        {"optimizer": "sgd"},
        {"steps": 0},
        {"rate": math.nan},
        {"rate": math.inf},
        {"style_scale": 1000.0},
        {"seconds": -1.0},
    ],
)
def test_settings_are_checked(wrong):
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        Optimization(**wrong)


def test_a_start_that_is_no_file_is_refused():
    with pytest.raises(InvalidInput, match="or the file of a picture"):
        Optimization(start="nowhere.png")


class Named(PathLike):
    def __fspath__(self) -> str:
        return "start.png"


def test_a_start_is_a_text_or_a_path(tmp_path):
    (tmp_path / "start.png").write_bytes(b"")
    for start in (tmp_path / "start.png", str(tmp_path / "start.png")):
        assert Optimization(start=start).start_picture == start
    with pytest.raises(InvalidInput, match="it must be a name"):
        Optimization(start=Named())
