# ruff: noqa: F401
"""Where pictures come in and go out: the only place that reads and writes image files.

Inside the package a picture is a tensor (1, 3, H, W), sRGB, float32 in [0, 1], or uint8 where it is large.
Alpha is kept in a tensor of its own.
"""

from styletransfer.images.formats import FORMATS, PICTURE_SUFFIXES, find_pictures
from styletransfer.images.mapped import empty_like, release
from styletransfer.images.metadata import read_metadata
from styletransfer.images.opening import ImageSource
from styletransfer.images.reading import Picture, read_mask, read_on_white, read_picture, read_size
from styletransfer.images.resizing import (
    as_bytes,
    as_float,
    as_style,
    resize,
    resize_long_side,
    resize_within,
    with_long_side,
)
from styletransfer.images.sheets import contact_sheet, sheet_size
from styletransfer.images.writing import (
    Painting,
    check_fits,
    check_writable,
    on_white,
    save_picture,
    save_preview,
    to_jpeg,
    to_pil,
)
