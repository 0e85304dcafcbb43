"""Where each result goes: planned and checked before the work begins, and written while it goes on."""

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TextIO

from styletransfer import images
from styletransfer.api import BatchResult
from styletransfer.cli.shared import report
from styletransfer.device import compute_on_one_core
from styletransfer.errors import InvalidInput, StyleTransferError, UnreadableImage, UnwritableOutput
from styletransfer.files import make_folder, printable


def plan_outputs(
    photos: list[Path], output: Path | None, styles: str, *, recursive: bool = False
) -> dict[Path, Path]:
    """Photo -> file to write, for photos and folders of photos.

    Args:    output: a file for one photo, a folder for more or where it has no suffix, or None for names made
             from `styles`;
             recursive: look into the folders' folders as well, and keep their order in `output`.
    Raises:  InvalidInput, UnwritableOutput.
    """
    sources = _find_sources(photos, recursive)
    to_folder = output is not None and (output.is_dir() or not output.suffix)
    one_file = len(photos) == 1 and not photos[0].is_dir() and not to_folder
    if one_file:
        planned = {photos[0]: output or Path(f"{photos[0].stem}-{styles}"[:200] + ".png")}
    else:
        folder = output or Path(styles[:200])
        if folder.suffix.lower() in images.FORMATS and not folder.is_dir():
            raise InvalidInput(f"-o {folder} is a file, but there are several photos; name a folder")
        planned = _named_apart({source: folder / place for source, place in sources.items()})
    owners: dict[str, Path] = {}
    for source, target in planned.items():
        other = owners.setdefault(str(target).casefold(), source)
        if other != source:
            raise InvalidInput(f"{other} and {source} would both be written to {target}; rename one")
    photos_there = {source.resolve(): source for source in sources}
    for source, target in planned.items():
        refuse_replacing(photos_there.get(target.resolve(), source), target)
        if one_file or target.parent.exists():  # a folder is made when painting begins
            images.check_writable(target)
    return planned


def is_finished(target: Path) -> bool:
    """Whether a result is there that was not stopped before its time."""
    try:
        return target.exists() and not images.read_metadata(target).get("stopped")
    except UnreadableImage:
        return True  # somebody else's


def refuse_replacing(given: Path, target: Path, what: str = "photo") -> None:
    """Raise InvalidInput where a result would take the place of a file, whatever it is called there."""
    if given.resolve() == target.resolve() or (target.exists() and given.exists() and target.samefile(given)):
        raise InvalidInput(f"the result would replace the {what} {given}; name another output")


def write_results(
    results: Iterable[BatchResult],
    outputs: Mapping[Path, Path],
    manifest: Path | None,
    on_done: Callable[[], None],
) -> int:
    """Write every result, each while the next one is painted; report what failed, and return how often.

    Args:  manifest: receives a line of JSON a photo, as soon as it is done.
    """
    for folder in {target.parent for target in outputs.values()}:
        make_folder(folder)
    failed = 0
    with (
        _open_manifest(manifest) as lines,
        ThreadPoolExecutor(1, initializer=compute_on_one_core) as writer,
    ):
        writing: list[Future[bool]] = []
        for result in results:
            failed += sum(each.result() for each in writing)  # one picture waits in memory, not all of them
            writing = [writer.submit(_write, result, outputs[Path(str(result.source))], lines)]
            on_done()
        failed += sum(each.result() for each in writing)
    return failed


def _open_manifest(path: Path | None) -> AbstractContextManager[TextIO | None]:
    if path is None:
        return nullcontext()
    try:
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise UnwritableOutput(f"cannot write {path}: {error.strerror or error}") from error


def _write(result: BatchResult, target: Path, lines: TextIO | None) -> bool:
    """Whether it failed, which is reported."""
    error = result.error
    if result.painting is not None:
        try:
            result.painting.save(target)
        except StyleTransferError as problem:
            error = problem
    if error is not None:
        report(error)
    if lines is not None:
        told: dict[str, object] = {"photo": printable(str(result.source))}
        if error is None and result.painting is not None:
            told |= {"painting": printable(str(target)), "parameters": dict(result.painting.parameters)}
        else:
            told |= {"error": printable(str(error))}
        _add_line(lines, json.dumps(told, ensure_ascii=False, default=float))
    return error is not None


def _add_line(lines: TextIO, text: str) -> None:
    try:
        lines.write(f"{text}\n")
        lines.flush()
    except OSError as error:
        raise UnwritableOutput(f"cannot write {lines.name}: {error.strerror or error}") from error


def _find_sources(photos: list[Path], recursive: bool) -> dict[Path, Path]:
    """Photo -> folder below the output where its result goes. Raises InvalidInput.

    What earlier calls painted into folders below the photos is no photo.
    """
    found: dict[Path, Path] = {}
    for photo in photos:
        if photo.is_dir():
            for source in images.find_pictures(photo, recursive=recursive):
                if source.parent == photo or not _is_painting(source):
                    found[source] = source.parent.relative_to(photo)
        else:
            found[photo] = Path()
    if not found:
        deeper = not recursive and any(each.is_dir() for each in photos[0].iterdir())
        further = "; use --recursive to include its subfolders" if deeper else ""
        raise InvalidInput(f"{photos[0]} holds no pictures{further}")
    return found


def _is_painting(path: Path) -> bool:
    """Whether this program made it; what cannot be read is reported when its turn comes."""
    try:
        return bool(images.read_metadata(path))
    except UnreadableImage:
        return False


def _named_apart(folders: Mapping[Path, Path]) -> dict[Path, Path]:
    """Photo -> file in its folder, as PNG where its own format is not written.

    Where that would be the file of another photo the name keeps the suffix as well: scan.bmp.png."""
    kept = {source for source in folders if source.suffix.lower() in images.FORMATS}
    planned = {source: folders[source] / (source.stem + source.suffix.lower()) for source in kept}
    taken = {str(target).casefold() for target in planned.values()}
    for source in folders:
        if source not in kept:
            target = folders[source] / f"{source.stem}.png"
            if str(target).casefold() in taken:
                target = folders[source] / f"{source.name}.png"
            taken.add(str(target).casefold())
            planned[source] = target
    return {source: planned[source] for source in folders}
