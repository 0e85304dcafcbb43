"""The methods of painting, by name: a method is a `load` in a module beside this one, and one line here.

Each is loaded by a function of the folder of weights, the device, the number format, and whether to do what
can be done so in 8-bit integers, which paints the same picture but for a level or two of 255.
"""

from collections.abc import Callable
from pathlib import Path

import torch

from styletransfer.core import Stylizer
from styletransfer.device import choose_dtype, computes_int8
from styletransfer.errors import InvalidInput
from styletransfer.methods import adain, cin, gatys

METHODS: dict[str, Callable[[Path, torch.device, torch.dtype, bool], Stylizer]] = {
    "cin": cin.load,
    "adain": adain.load,
    "gatys": gatys.load,
}


def load(method: str, models_dir: Path, device: torch.device) -> Stylizer:
    """A method as it is fastest on that device. Raises InvalidInput where there is none, MissingWeights."""
    if method not in METHODS:
        raise InvalidInput(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")
    return METHODS[method](models_dir, device, choose_dtype(device), computes_int8(device))
