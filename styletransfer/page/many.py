"""The tab for many photos: one blend, a zip back. And the photos of a zip, taken out with care."""

import shutil
import zipfile
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path, PurePosixPath
from typing import Any

import gradio as gr

from styletransfer import images
from styletransfer.api import BatchResult
from styletransfer.core import OnStep, Progress
from styletransfer.errors import Cancelled, InvalidInput, StyleTransferError
from styletransfer.page.controls import Values
from styletransfer.page.look import progress_bar
from styletransfer.page.paint import QUIET, PaintTab
from styletransfer.page.visitors import Visitor, Visitors
from styletransfer.page.wish import Wish
from styletransfer.page.work import HEAVY, NOTHING_GOING_ON, Finished, follow, telling

MOST_PHOTOS = 500
MOST_BYTES = 2_000_000_000  # of a zip, unpacked


class ManyTab:
    """Components and events of the tab; the blend is that of `paint_tab`."""

    def __init__(self, visitors: Visitors, paint_tab: PaintTab) -> None:
        self.visitors, self.paint_tab = visitors, paint_tab
        gr.Markdown("Photos or a zip of photos, painted in the blend and with the settings of the first tab.")
        self.files = gr.File(
            label="Photos, or a zip", file_count="multiple", file_types=["image", ".zip"], elem_id="photos"
        )
        with gr.Row():
            self.start = gr.Button("Paint all", variant="primary", elem_id="paint-all")
            self.stop_button = gr.Button("Stop and keep", interactive=False, elem_id="stop-all")
            self.download = gr.DownloadButton("Download the zip", interactive=False, elem_id="download-all")
        self.progress = gr.HTML("", elem_id="many")
        self.start.click(
            self._paint,
            {self.files, *paint_tab.controls.all},
            [self.progress, self.download, self.stop_button],
            **QUIET,
            **HEAVY,
        ).failure(lambda: NOTHING_GOING_ON, None, [self.progress, self.stop_button], **QUIET)
        self.stop_button.click(self.visitors.stop, None, None, queue=False, **QUIET)

    def _paint(self, values: Values, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        visitor, wish = self.visitors.of(request), self.paint_tab.controls.wish(values)
        with telling():
            if not values[self.files] or not wish.styles:
                raise InvalidInput("give photos here, and choose a style in the first tab")
            yield progress_bar(0, "Reading…"), gr.update(interactive=False), gr.update(interactive=True)
            sources = photos_of(visitor, [Path(file) for file in values[self.files]])
            for event in follow(lambda on_step: paint_all(visitor, wish, sources, on_step), visitor.stopping):
                if isinstance(event, Finished):
                    archive, failed, left = event.value
                    break
                text = f"{event.step} of {event.steps}"
                yield progress_bar(event.step / event.steps, text), gr.skip(), gr.skip()
        told = f"{len(sources) - len(failed) - left} of {len(sources)} painted."
        told += "".join(f"<br>{escape(str(result.error))}" for result in failed)
        done = gr.update(value=str(archive), interactive=True) if archive else gr.skip()
        yield progress_bar(1, told), done, gr.update(interactive=False)


def photos_of(visitor: Visitor, files: Sequence[Path]) -> list[Path]:
    """The photos among the files, those inside of zips included. Raises InvalidInput."""
    found: list[Path] = []
    for file in files:
        found += _unpacked(visitor, file) if file.suffix.lower() == ".zip" else [file]
    if not found:
        raise InvalidInput("there is no picture in it; give photos, or a zip of photos")
    if len(found) > MOST_PHOTOS:
        raise InvalidInput(f"these are {len(found)} photos; give at most {MOST_PHOTOS} at a time")
    return found


def _unpacked(visitor: Visitor, file: Path) -> list[Path]:
    """Pictures of a zip in new files: where a zip says that they belong does not matter."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = [
                member
                for member in archive.infolist()
                if PurePosixPath(member.filename).suffix.lower() in images.FORMATS
                and not PurePosixPath(member.filename).name.startswith(".")
            ]
            if len(members) > MOST_PHOTOS or sum(member.file_size for member in members) > MOST_BYTES:
                raise InvalidInput(
                    f"{file.name} holds more than {MOST_PHOTOS} photos or {MOST_BYTES / 1e9:.0f} GB; divide it"
                )
            paths = []
            for member in members:
                path = visitor.new_file(PurePosixPath(member.filename).name)
                with archive.open(member) as source, path.open("wb") as target:
                    shutil.copyfileobj(source, target)
                paths.append(path)
            return paths
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise InvalidInput(f"{file.name} is not a zip that can be read: {error}") from error


def paint_all(
    visitor: Visitor, wish: Wish, sources: Sequence[Path], on_step: OnStep
) -> tuple[Path | None, list[BatchResult], int]:
    """Paint all photos into a zip: its path, what failed, and how many were left when it was stopped."""
    archive = visitor.new_file("painted.zip")
    failed: list[BatchResult] = []
    names: set[str] = set()
    with zipfile.ZipFile(archive, "w") as target:
        for index, source in enumerate(sources):
            try:
                on_step(Progress(index, len(sources)))
                painted = wish.paint(visitor.transfer, source)
            except Cancelled:
                return archive if names else None, failed, len(sources) - index
            except StyleTransferError as error:
                failed.append(BatchResult(source, error=error))
                continue
            name = _free_name(source.stem, names)
            file = visitor.new_file(name)
            images.save_picture(painted, file)
            target.write(file, name)
            file.unlink()
    return archive if names else None, failed, 0


def _free_name(stem: str, taken: set[str]) -> str:
    name, count = f"{stem}-painted.jpg", 2
    while name in taken:
        name, count = f"{stem}-painted-{count}.jpg", count + 1
    taken.add(name)
    return name
