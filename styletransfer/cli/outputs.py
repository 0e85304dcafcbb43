"""Where each result goes: planned and checked before the work begins, and written while it goes on."""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TextIO

from styletransfer import images
from styletransfer.batches import BatchResult
from styletransfer.cli.shared import report
from styletransfer.device import compute_on_one_core
from styletransfer.errors import InvalidInput, StyleTransferError, UnreadableImage
from styletransfer.files import attempt, check_place, make_folder, real
from styletransfer.text import encodable

LONGEST_MADE_NAME = 200  # bytes, of names that are made from styles
_PREVIEW = re.compile(r"[0-9]{5,}\.png", re.IGNORECASE)  # the names that `watch.Watch` gives


def plan_outputs(
    photos: list[Path],
    output: str | None,
    styles: str,
    *,
    recursive: bool = False,
    skip_existing: bool = False,
) -> dict[Path, Path]:
    """Photo -> file to write, for photos and folders of photos.

    Args:    output: a file for one photo; a folder for several photos, or if it exists, ends in a slash or has
             no suffix; None for a name made from `styles`;
             recursive: look into subfolders as well, and make the same subfolders in `output`;
             skip_existing: files that are there already will be left alone.
    Raises:  InvalidInput, UnwritableOutput.
    """
    if output == "-":
        raise InvalidInput("-o -: paintings are not written to the standard output; name a file")
    sources = _find_sources(photos, recursive)
    one_file = len(photos) == 1 and not photos[0].is_dir() and not _means_folder(output)
    if one_file:
        planned = {photos[0]: Path(output or _shortened(f"{photos[0].stem}-{styles}") + ".png")}
    else:
        folder = Path(output or _shortened(styles))
        names_file = output and not _means_folder(output) and folder.suffix.lower() in images.PICTURE_SUFFIXES
        if folder.is_file() or names_file:
            raise InvalidInput(f"-o {folder} is a file; name a folder, or for one photo a file such as out.png")
        sources = _without_results(sources, photos, folder)
        planned = _named_apart({source: folder / place for source, place in sources.items()})
    _refuse_shared(planned)
    photos_there = {real(source): source for source in sources}
    for source, target in planned.items():
        refuse_replacing(photos_there.get(real(target), source), target)
        if one_file or target.parent.exists():  # a folder is made when painting begins
            images.check_writable(target)
        if not (one_file and output) and not skip_existing:
            _refuse_replacing_others(target)
    return planned


def _means_folder(output: str | None) -> bool:
    """Whether an output is a folder, even for one photo."""
    if output is None:
        return False
    return output.endswith(("/", os.sep)) or Path(output).is_dir() or not Path(output).suffix


def _refuse_shared(planned: Mapping[Path, Path]) -> None:
    owners: dict[str, Path] = {}
    for source, target in planned.items():
        other = owners.setdefault(str(target).lower(), source)
        if other != source:
            raise InvalidInput(f"{other} and {source} would both be written to {target}; rename one")


def is_finished(target: Path) -> bool:
    """Whether there is a result, neither stopped early nor emptied by a power cut."""
    try:
        return _is_there(target) and not images.read_metadata(target).get("stopped")
    except UnreadableImage:
        return True  # not written by this program


def _is_there(target: Path) -> bool:
    return target.exists() and target.stat().st_size > 0


def _refuse_replacing_others(target: Path) -> None:
    """Raise InvalidInput where a name that was made here is that of a file which is no painting."""
    if _is_there(target) and not _is_painting(target):
        raise InvalidInput(
            f"{target} exists, and is no painting of this program; name another output, or leave such files "
            "alone with --skip-existing"
        )


def _refuse_replacing_in(previews: Path) -> None:
    """Raise InvalidInput where another picture has the name of a preview."""
    for path in previews.iterdir() if previews.is_dir() else ():
        if _PREVIEW.fullmatch(path.name) and _is_there(path) and not _is_painting(path):
            raise InvalidInput(
                f"--previews would replace {path}, which this program did not make; name another folder"
            )


def refuse_replacing(given: Path, target: Path, what: str = "photo") -> None:
    """Raise InvalidInput where a result would replace a file, by whichever of its names."""
    if real(given) == real(target) or (target.exists() and given.exists() and target.samefile(given)):
        raise InvalidInput(f"the result would replace the {what} {given}; name another output")


def refuse_replacing_any(
    outputs: Mapping[Path, Path],
    looked_at: Sequence[Path],
    manifest: Path | None,
    plot: Path | None,
    previews: Path | None,
) -> None:
    """Raise InvalidInput where something that is written would replace what is read, or is written as well.

    Args:    outputs: photo -> its painting; looked_at: further pictures, such as masks.
    Raises:  UnwritableOutput where the manifest has no place.
    """
    if str(manifest) == "-":
        raise InvalidInput("--manifest -: its lines are not written to the standard output; name a file")
    beside = list(filter(None, (manifest, plot)))
    for picture in looked_at:
        for target in (*outputs.values(), *beside):
            refuse_replacing(picture, target, "picture")
    for other in beside:
        for source, target in outputs.items():
            refuse_replacing(source, other)
            refuse_replacing(target, other, "painting")
    # A pipe, and a file in a closed folder, can be appended to; a new folder is made when painting begins.
    if manifest and (manifest.is_dir() or not manifest.exists()):
        folder, made = real(manifest).parent, [*(target.parent for target in outputs.values()), previews]
        if folder.is_dir() or not any(each and real(each).is_relative_to(folder) for each in made):
            check_place(manifest)
    if previews:
        _refuse_replacing_in(previews)
    kept_apart = (*outputs, *outputs.values(), *looked_at)
    if previews and real(previews) in {real(path.parent) for path in kept_apart}:
        raise InvalidInput(
            f"--previews {previews} holds pictures that are read or painted; name another folder"
        )


def write_results(
    results: Iterable[BatchResult],
    outputs: Mapping[Path, Path],
    manifest: Path | None,
    on_done: Callable[[], None],
) -> int:
    """Write every result while the next one is painted; report failures, and return how many there were.

    Args:  manifest: a line of JSON is appended to it for each photo, as soon as that is done.
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
            failed += sum(each.result() for each in writing)  # so that only one picture waits in memory
            writing = [writer.submit(_write, result, outputs[Path(str(result.source))], lines)]
            del result  # or it would stay in memory while the next one is painted
            on_done()
        failed += sum(each.result() for each in writing)
    return failed


def _open_manifest(path: Path | None) -> AbstractContextManager[TextIO | None]:
    if path is None:
        return nullcontext()
    with attempt(f"write {path}"):
        return path.open("a", encoding="utf-8")


def _write(result: BatchResult, target: Path, lines: TextIO | None) -> bool:
    """Save a result and report it if that fails; returns whether it failed."""
    error = result.error
    if result.painting is not None:
        try:
            result.painting.save(target)
        except StyleTransferError as problem:
            error = problem
    if error is not None:
        report(error)
    if lines is not None:
        told: dict[str, object] = {"photo": encodable(str(result.source))}
        if error is None and result.painting is not None:
            told |= {"painting": encodable(str(target)), "parameters": dict(result.painting.parameters)}
        else:
            told |= {"error": encodable(str(error))}
        _add_line(lines, json.dumps(told, ensure_ascii=False))
    return error is not None


def _add_line(lines: TextIO, text: str) -> None:
    with attempt(f"write {lines.name}"):
        lines.write(f"{text}\n")
        lines.flush()


def _find_sources(photos: list[Path], recursive: bool) -> dict[Path, Path]:
    """Photo -> subfolder of the output where its result goes. Raises InvalidInput.

    Paintings that earlier runs left in subfolders do not count as photos, unless they are all there is.
    """
    found: dict[Path, Path] = {}
    paintings: dict[Path, Path] = {}
    for photo in photos:
        if photo.is_dir():
            for source in images.find_pictures(photo, recursive=recursive):
                left_there = source.parent != photo and _is_painting(source)
                (paintings if left_there else found)[source] = source.parent.relative_to(photo)
        else:
            found[photo] = Path()
    found = found or paintings
    if not found:
        deeper = not recursive and any(each.is_dir() for each in photos[0].iterdir())
        further = "; use --recursive to include its subfolders" if deeper else ""
        raise InvalidInput(f"{photos[0]} holds no pictures{further}")
    return found


def _without_results(sources: dict[Path, Path], named: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Without what an earlier run of the same command has painted, unless it is `named` or all there is."""

    def is_photo(source: Path, place: Path) -> bool:
        elsewhere = real(folder / place / source.name) != real(source)
        return elsewhere or source in named or not _is_painting(source)

    photos = {source: place for source, place in sources.items() if is_photo(source, place)}
    return photos or sources


def _shortened(name: str) -> str:
    while len(os.fsencode(name)) > LONGEST_MADE_NAME:
        name = name[:-1]
    return name


def _is_painting(path: Path) -> bool:
    """Whether this program made it. A file that cannot be read is reported later, when it is painted."""
    try:
        return bool(images.read_metadata(path))
    except UnreadableImage:
        return False


def _named_apart(folders: Mapping[Path, Path]) -> dict[Path, Path]:
    """Photo -> file in its folder, a PNG where the photo's own format cannot be written.

    If that is the file of another photo the old suffix is kept as well: scan.bmp.png.
    """
    kept = {source for source in folders if source.suffix.lower() in images.FORMATS}
    planned = {source: folders[source] / (source.stem + source.suffix.lower()) for source in kept}
    taken = {str(target).lower() for target in planned.values()}
    for source in folders:
        if source not in kept:
            target = folders[source] / f"{source.stem}.png"
            if str(target).lower() in taken:
                target = folders[source] / f"{source.name}.png"
            taken.add(str(target).lower())
            planned[source] = target
    return {source: planned[source] for source in folders}
