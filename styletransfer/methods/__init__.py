"""The methods of painting, by name: a method is one file beside this one and one line here.

Each is loaded by a function of the folder of weights, the device, the number format, and whether to do what
can be done so in 8-bit integers, which paints the same picture but for a level or two of 255.
"""

from collections.abc import Callable
from pathlib import Path

import torch

from styletransfer.core import Stylizer
from styletransfer.methods import adain, cin, gatys

METHODS: dict[str, Callable[[Path, torch.device, torch.dtype, bool], Stylizer]] = {
    "cin": cin.load,
    "adain": adain.load,
    "gatys": gatys.load,
}
