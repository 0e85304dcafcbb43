"""Settings refuse what they cannot be."""

import math

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
