"""The tab for many photos, painted alike into a zip."""

import math
import os
import secrets
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder
from PIL import Image

from styletransfer import images
from styletransfer.core import OnStep, Progress, normalise_weights
from styletransfer.device import compute_on_one_core
from styletransfer.errors import (
    Cancelled,
    InvalidInput,
    InvalidStyleFile,
    StyleTransferError,
    UnknownStyle,
    UnwritableOutput,
)
from styletransfer.files import attempt
from styletransfer.images import Picture
from styletransfer.page.appearance import progress_bar
from styletransfer.page.belongings import made
from styletransfer.page.controls import PICTURES, Values
from styletransfer.page.events import WAITING, long_work, telling
from styletransfer.page.paint import PaintTab
from styletransfer.page.results import check_format
from styletransfer.page.unpacking import LONGEST_STEM, MOST_PHOTOS, photos_of
from styletransfer.page.uploads import LARGEST_UPLOAD, FileInput
from styletransfer.page.visitors import Visitor
from styletransfer.page.wish import Wish, readable_size
from styletransfer.page.work import Finished, follow
from styletransfer.settings import WHOLE_PIXELS

LONG_AGO = 3600  # seconds; what Gradio keeps is tidied up after a day
SPARE = 2**20  # bytes of disk space for the end of a zip


@dataclass(frozen=True)
class Outcome:
    """The outcome for `count` photos: the zip of paintings, if any, how many, and the errors of others."""

    archive: Path | None
    painted: int
    failed: list[str]
    count: int


class ManyTab:
    """Components and events of the tab; styles and settings are those of `paint_tab`."""

    def __init__(self, paint_tab: PaintTab) -> None:
        self.paint_tab = paint_tab
        gr.Markdown(
            f"Upload up to {MOST_PHOTOS} photos, or zips of photos; each file may have up to {LARGEST_UPLOAD} "
            "MB. They are painted with the styles and settings of the Paint tab, also its size, but without "
            "regions."
        )
        self.files = FileInput(
            label="Photos, or zips of them",
            file_count="multiple",
            file_types=[*PICTURES, ".zip"],
            elem_id="photos",
        )
        with gr.Row():
            self.start = gr.Button("Paint all", variant="primary", elem_id="paint-all")
            self.stop_button = gr.Button("Stop and keep", interactive=False, elem_id="stop-all")
            self.download = gr.DownloadButton("Download the zip", interactive=False, elem_id="download-all")
        self.progress = gr.HTML("", elem_id="many")
        long_work(
            self.start,
            self.stop_button,
            self._paint,
            {self.files, *paint_tab.controls.all},
            [self.progress, self.download, self.stop_button],
            check=self._check,
            told=self.progress,
            idle="",
            stop=paint_tab.visitors.stop,
        )

    def _check(self, values: Values, _: gr.Request) -> None:
        wish = self.paint_tab.controls.wish(values)
        if not values[self.files] or not wish.styles:
            raise InvalidInput("add photos here, and choose a style on the Paint tab")
        normalise_weights(wish.styles)
        wish.check_pictures()
        wish.side()

    def _paint(self, values: Values, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        controls = self.paint_tab.controls
        visitor, file_format = controls.visitor(request, values), values[controls.file_format]
        wish = replace(controls.wish(values), region=None)  # the region was painted on another photo
        with telling():
            files = [Path(file) for file in values[self.files]]

            def work(on_step: OnStep) -> Outcome:
                return paint_to_zip(visitor, wish, files, file_format, on_step)

            events = follow(work, visitor.long)  # from now on it can be stopped
            yield WAITING, gr.skip(), gr.update(interactive=True)
            for event in events:
                if isinstance(event, Finished):
                    outcome: Outcome = event.value
                    break
                if event is None:
                    bar = progress_bar(0, "Reading…")
                else:
                    bar = progress_bar(event.step / event.steps, f"{event.step} of {event.steps}")
                yield bar, gr.skip(), gr.skip()
        told = f"{outcome.painted} of {outcome.count} painted."
        told += "".join(f"<br>{escape(error)}" for error in outcome.failed)
        archive = str(outcome.archive) if outcome.archive else None
        done = gr.update(value=archive, interactive=archive is not None)
        yield progress_bar(1, told), done, gr.update(interactive=False)


def paint_to_zip(
    visitor: Visitor, wish: Wish, files: Sequence[Path], file_format: str, on_step: OnStep
) -> Outcome:
    """Paint all photos into a zip, as files of one of the formats of downloads, until it is stopped.

    While one is painted the next one is read, and the last one written. Raises what `photos_of` raises,
    and UnwritableOutput where there is no room for the zip.
    """
    suffix = f".{file_format.lower()}"
    failed: list[str] = []
    names: list[str] = []  # of what is in the zip, or on its way there
    with (
        attempt("write the zip"),
        _new_archive() as archive,
        tempfile.TemporaryDirectory(dir=made(visitor.folder)) as scratch,
        zipfile.ZipFile(archive, "w") as target,
        ThreadPoolExecutor(2, initializer=compute_on_one_core) as beside,
    ):
        sources = photos_of(files, Path(scratch))
        pictures = [path for path in map(Path, wish.styles) if path.is_absolute()]

        def read(source: Path) -> Picture:
            check_format(file_format, wish.painted_size(source))
            return images.read_picture(source)

        def write(painted: Image.Image, file: Path) -> bool:
            """Add a painting to the zip; returns whether there may be room for another one."""
            try:
                images.save_picture(painted, file)
            except UnwritableOutput as error:
                failed.append(_named(error, file))
                return not isinstance(error.__cause__, OSError)
            # On a full disk, keep what is in the zip already.
            if shutil.disk_usage(archive.parent).free < file.stat().st_size + SPARE:
                failed.append(f"no room for {file.name} on the disk")
                return False
            target.write(file, file.name)
            file.unlink()
            return True

        def read_ahead(sources: Sequence[Path]) -> Future[Picture] | None:
            """Begin to read the first one, unless it is so large that two would need too much room."""
            with suppress(StyleTransferError):
                if sources and math.prod(readable_size(sources[0])) <= WHOLE_PIXELS:
                    return beside.submit(read, sources[0])
            return None

        coming = read_ahead(sources)
        writing: Future[bool] | None = None
        for index, source in enumerate(sources):
            so_far, reading = Progress(index, len(sources)), coming
            coming = read_ahead(sources[index + 1 :])
            for needed in (*sources[index + 1 :], *pictures):
                with suppress(OSError):  # it is missed when its turn comes
                    if time.time() - needed.stat().st_mtime > LONG_AGO:  # a touched style is looked at anew
                        os.utime(needed)  # or uploads that wait for a day would be tidied up

            def within(_: Progress, so_far: Progress = so_far) -> None:
                on_step(so_far)  # may stop it: the finest method takes minutes for a photo

            try:
                on_step(so_far)
                if writing and writing.done() and not writing.result():
                    break  # on a full disk all others would be painted in vain
                photo = reading.result() if reading else read(source)
                painted = wish.paint(visitor.transfer, photo, within)
            except Cancelled:
                break
            except StyleTransferError as error:
                if isinstance(error, UnknownStyle | InvalidStyleFile) and not names:
                    raise  # every photo would fail alike
                failed.append(_named(error, source))
                continue
            if writing and not writing.result():
                break
            names.append(_free_name(source.stem[:LONGEST_STEM], suffix, names))
            writing = beside.submit(write, painted, Path(scratch) / names[-1])
        if writing:
            writing.result()
    count = len(target.namelist())
    return Outcome(archive if count else None, count, failed, len(sources))


@contextmanager
def _new_archive() -> Iterator[Path]:
    """A path for a zip in Gradio's folder, where nobody can guess it; removed with its folder if the job fails.

    From anywhere else Gradio would copy it there, and answer nobody for as long as that takes.
    """
    folder = Path(get_upload_folder()) / secrets.token_hex(16)
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder / "painted.zip"
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _named(error: StyleTransferError, file: Path) -> str:
    """Its message, with the name of the file instead of the path of our copy."""
    text = str(error).replace(str(file), file.name)
    return text if file.name in text else f"{file.name}: {text}"


def _free_name(stem: str, suffix: str, taken: Sequence[str]) -> str:
    name, count = f"{stem}-painted{suffix}", 2
    while name.casefold() in map(str.casefold, taken):  # many file systems take A.jpg and a.jpg for one
        name, count = f"{stem}-painted-{count}{suffix}", count + 1
    return name
