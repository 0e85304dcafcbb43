"""The methods of painting, by name: a method is one file beside this one and one line here.

Each is loaded by a function of the folder of weights, the device and the number format.
"""

from collections.abc import Callable
from pathlib import Path

import torch

from styletransfer.core import Stylizer
from styletransfer.methods import adain, cin, gatys

METHODS: dict[str, Callable[[Path, torch.device, torch.dtype], Stylizer]] = {
    "cin": cin.load,
    "adain": adain.load,
    "gatys": gatys.load,
}
