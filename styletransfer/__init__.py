"""Neural style transfer: a photo becomes a painting, in any of many styles or any blend of them."""

from styletransfer.api import StyleTransfer
from styletransfer.batches import BatchResult
from styletransfer.core import Progress, Style, StyleInfo
from styletransfer.errors import Cancelled, StyleTransferError
from styletransfer.images import read_metadata, save_picture
from styletransfer.settings import Optimization

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
