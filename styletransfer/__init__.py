"""Neural style transfer: a photo becomes a painting, in any of many styles or any blend of them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from styletransfer.errors import Cancelled, StyleTransferError
from styletransfer.settings import Optimization

if TYPE_CHECKING:
    from styletransfer.api import StyleTransfer
    from styletransfer.batches import BatchResult
    from styletransfer.core import Progress, Style, StyleInfo
    from styletransfer.images import read_metadata, save_picture

__all__ = [
    "BatchResult",
    "Cancelled",
    "Optimization",
    "Progress",
    "Style",
    "StyleInfo",
    "StyleTransfer",
    "StyleTransferError",
    "read_metadata",
    "save_picture",
]

# These need PyTorch, which takes a second or more to import: that happens when one of them is first used.
_HOMES = {
    "BatchResult": "batches",
    "Progress": "core",
    "Style": "core",
    "StyleInfo": "core",
    "StyleTransfer": "api",
    "read_metadata": "images",
    "save_picture": "images",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
