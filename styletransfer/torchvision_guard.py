"""Lets torchvision be imported beside a torch that its compiled operators do not fit.

The torchvision wheel is linked against the CUDA build of torch. Beside a CPU build its library of operators
cannot load, and the import dies on `operator torchvision::nms does not exist`, although nothing here uses
those operators. Declaring their schemas is enough for the import to go through.
"""

import importlib.util
from pathlib import Path

import torch

_libraries: list[torch.library.Library] = []  # a declaration lives as long as its library object


def allow_import() -> None:
    """Call before `import torchvision`. Does nothing where the operators load, or on a second call."""
    if _libraries or _operators_load():
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _libraries.append(library)


def _operators_load() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # not installed: the import's own error says so
    for library in Path(spec.origin).parent.glob("_C.*"):
        try:
            torch.ops.load_library(str(library))
        except OSError:
            return False
    return hasattr(torch.ops.torchvision, "nms")
