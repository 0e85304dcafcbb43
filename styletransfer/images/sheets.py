"""Labelled grids of pictures."""

from collections.abc import Sequence
from contextlib import suppress

from PIL import Image, ImageDraw, ImageFont

MARGIN = 8
LABEL_SIZE = 15
LABEL_SPACE = LABEL_SIZE + 6
# Of the usual systems, for letters that PIL's own font lacks: it knows little but ASCII. PIL finds their files.
FONTS = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc"),
    *("Arial Unicode.ttf", "arial.ttf", "msyh.ttc", "msgothic.ttc"),
)
_NO_LETTER = "\U0010ffff"  # which no font has a shape for

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def sheet_size(cell: tuple[int, int], count: int, columns: int) -> tuple[int, int]:
    """Height and width of a `contact_sheet` of `count` pictures, with the size of the largest as `cell`."""
    across, down = min(columns, count), -(-count // columns)
    return down * (cell[0] + MARGIN + LABEL_SPACE) + MARGIN, across * (cell[1] + MARGIN) + MARGIN


def contact_sheet(cells: Sequence[tuple[str, Image.Image]], columns: int) -> Image.Image:
    """Pictures with a label under each, row by row.

    Args:    cells: (label, picture), at least one; columns: at least 1.
    Returns: RGB, of `sheet_size`; every cell is as large as the largest picture.
    """
    width = max(picture.width for _, picture in cells)
    height = max(picture.height for _, picture in cells)
    step_x, step_y = width + MARGIN, height + MARGIN + LABEL_SPACE
    sheet_height, sheet_width = sheet_size((height, width), len(cells), columns)
    sheet = Image.new("RGB", (sheet_width, sheet_height), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (label, picture) in enumerate(cells):
        label = " ".join(label.split())  # PIL anchors nothing of several lines
        left = MARGIN + index % columns * step_x
        top = MARGIN + index // columns * step_y
        place = (left + (width - picture.width) // 2, top + (height - picture.height) // 2)
        sheet.paste(picture, place, picture if picture.mode == "RGBA" else None)
        font = _font_for(label)
        draw.text((left + width // 2, top + height + 3), _fit(label, font, width), "black", font, anchor="mt")
    return sheet


def _font_for(label: str) -> Font:
    """PIL's own font; where it lacks letters, the one that lacks fewest, among it and those of the system."""
    fonts = [ImageFont.load_default(LABEL_SIZE)]
    if label.isascii():
        return fonts[0]
    for name in FONTS:
        with suppress(OSError):
            fonts.append(ImageFont.truetype(name, LABEL_SIZE))
    return min(fonts, key=lambda font: _boxes_in(label, font))


def _boxes_in(text: str, font: Font) -> int:
    """How many letters the font has no shape for, and shows as a box."""
    box = bytes(font.getmask(_NO_LETTER))
    return sum(bytes(font.getmask(letter)) == box for letter in text)


def _fit(label: str, font: Font, width: int) -> str:
    """The label, shortened so that it does not run into its neighbour."""
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(label + "…") > width:
        label = label[:-1]
    return label + "…"
