"""What the page shows of a painting: beside its photo, as a file to download, and among earlier ones."""

import os
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from styletransfer import images
from styletransfer.errors import InvalidInput, UnwritableOutput
from styletransfer.page.belongings import Earlier, Painted
from styletransfer.page.controls import Controls, Updates, Values
from styletransfer.page.events import telling
from styletransfer.page.mix import as_written
from styletransfer.page.visitors import Visitor

LONGEST_NAME = 190  # bytes; Gradio cuts the name of its copy to 200


class Results:
    """Handlers of events about paintings that exist; they give updates of the controls that show one."""

    def __init__(self, controls: Controls) -> None:
        self.controls = controls

    def earlier(self, request: gr.Request) -> Updates:
        """Updates of the gallery of earlier paintings, and of the visitor's key."""
        it, own = self.controls, self.controls.visitor(request).own
        items = [(str(each.small), each.title) for each in list(own.earlier)]  # another tab may add one
        return {it.key: own.key, it.earlier: gr.update(value=items, visible=bool(items))}

    def show_earlier(self, values: Values, event: gr.SelectData, request: gr.Request) -> Updates:
        """Show the earlier painting that was clicked."""
        it, clicked = self.controls, event.value["image"]["orig_name"]
        visitor = it.visitor(request, values)
        found = next((each for each in list(visitor.own.earlier) if each.small.name == clicked), None)
        if found is None or not found.file.exists():
            raise gr.Error("This painting is no longer here.", print_exception=False)
        visitor.painted = found
        return {
            it.result: gr.update(value=tuple(map(str, found.shown))),
            it.note: f"An earlier painting: {as_written(found.title)}. {found.note}",
            it.download: gr.update(value=str(found.file), interactive=True),
            it.reuse: gr.update(visible=True),
        }

    def save_again(self, file_format: str, request: gr.Request) -> Any:
        """The last painting in another format; earlier ones are kept in theirs."""
        visitor = self.controls.visitor(request)
        visitor.file_format = file_format
        if not isinstance(visitor.painted, Painted):
            return gr.skip()
        with telling():
            return gr.update(value=str(saved(visitor, visitor.painted)), interactive=True)


def check_format(file_format: str, size: tuple[int, int]) -> None:
    """Raise InvalidInput where files of that format cannot hold a painting of that height and width."""
    try:
        images.check_fits(Path(f"painting.{file_format.lower()}"), size)
    except UnwritableOutput as error:
        height, width = size
        raise InvalidInput(
            f"{file_format} files cannot have {width} x {height} pixels; choose PNG, or a smaller size"
        ) from error


def saved(visitor: Visitor, painted: Painted | Earlier) -> Path:
    """The file of a painting: in the chosen format, or of an earlier one in its own.

    Raises UnwritableOutput, InvalidInput, UnreadableImage.
    """
    if isinstance(painted, Earlier):
        return painted.file
    file_format = visitor.file_format  # another may be chosen meanwhile
    file = painted.files.get(file_format)
    if file is None or not file.exists():  # the oldest files are removed
        picture = painted.picture()
        check_format(file_format, picture.size[::-1])
        file = visitor.new_file(f"{_stem(painted)}.{file_format.lower()}")
        images.save_picture(picture, file)
        painted.files[file_format] = file
    return file


def _stem(painted: Painted) -> str:
    """PHOTO-STYLE for the name of a file, as on the command line."""
    used = [Path(style).stem for style, weight in painted.wish.styles.items() if weight] or ["painted"]
    name = "-".join([Path(painted.photo).stem, *used])
    return os.fsencode(name)[:LONGEST_NAME].decode(errors="ignore")


def compare(visitor: Visitor, photo: str, painted: Image.Image) -> tuple[str, str]:
    """Files of photo and painting in one size, to look at. Raises UnreadableImage, UnwritableOutput."""
    before = visitor.shown(photo)
    after = images.on_white(painted).resize(before.size, Image.Resampling.BILINEAR)
    folder = visitor.new_folder()
    images.save_preview(before, folder / "before.jpg")
    images.save_preview(after, folder / "after.jpg")
    return str(folder / "before.jpg"), str(folder / "after.jpg")
