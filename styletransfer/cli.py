"""The command line: the only module that prints."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from PIL.Image import Image
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from styletransfer import core, images, settings
from styletransfer.api import StyleTransfer
from styletransfer.device import choose_device, choose_dtype, keep_freed_memory
from styletransfer.errors import InvalidInput, StyleTransferError
from styletransfer.files import make_folder

EXIT_BAD_INPUT = 2

app = typer.Typer(
    help="A photo becomes a painting, in any of many styles or any blend of them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console()
errors = Console(stderr=True)

Styles = Annotated[
    list[str],
    typer.Option("--style", "-s", help="Name of a style, or name=weight; give it again to blend."),
]
Strength = Annotated[float, typer.Option(help=settings.STRENGTH.help)]
Size = Annotated[int | None, typer.Option(help=settings.SIZE.help)]
PreserveColor = Annotated[float, typer.Option(help=settings.PRESERVE_COLOR.help)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or mps; the best one there is if not given.")]
StylesDir = Annotated[Path | None, typer.Option(help="Folder of further style files.")]


def main() -> None:
    """Run the command line; what a user did wrong is one line and exit code 2."""
    keep_freed_memory()
    try:
        app()
    except StyleTransferError as error:
        _report(error)
        sys.exit(EXIT_BAD_INPUT)


@app.command()
def stylize(
    photos: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    style: Styles,
    strength: Strength = settings.STRENGTH.default,
    size: Size = None,
    preserve_color: PreserveColor = settings.PRESERVE_COLOR.default,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A file for one photo, a folder for several or for a folder."),
    ] = None,
    method: Annotated[str, typer.Option(help="How to paint.")] = "cin",
    styles_dir: StylesDir = None,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Paint photos in a style, or in a blend of styles."""
    mix = _parse_mix(style)
    sources = _find_sources(photos)
    transfer = StyleTransfer(device=device, styles_dir=styles_dir)
    results = transfer.stylize_batch(
        sources, mix, method=method, strength=strength, size=size, preserve_color=preserve_color
    )
    outputs = _plan_outputs(photos, sources, output, "-".join(mix))
    for folder in {target.parent for target in outputs.values()}:
        make_folder(folder)
    failed = 0
    with _progress("painting", len(outputs), quiet) as bar:
        for result in results:
            if result.image is None:
                failed += 1
                _report(result.error)
            else:
                images.save_picture(result.image, outputs[Path(str(result.source))])
            bar.advance(bar.task_ids[0])
    if not quiet and len(outputs) == 1 and not failed:
        _say(f"wrote {next(iter(outputs.values()))}")
    elif not quiet and len(outputs) > 1:
        _say(f"wrote {len(outputs) - failed} of {len(outputs)} pictures")
    if failed:
        raise typer.Exit(EXIT_BAD_INPUT)


@app.command()
def styles(
    as_json: Annotated[bool, typer.Option("--json", help="Print everything known, as JSON.")] = False,
    styles_dir: StylesDir = None,
) -> None:
    """List the styles that can be used."""
    infos = StyleTransfer(device="cpu", styles_dir=styles_dir).styles
    if as_json:
        entries = [{**asdict(info), "slug": name} for name, info in infos.items()]
        typer.echo(json.dumps(entries, ensure_ascii=False, indent=2))
        return
    table = Table("style", "painting", "artist", "year", box=None, header_style="bold")
    for name, info in infos.items():
        table.add_row(*map(escape, (name, info.title, info.artist, info.year)))
    console.print(table)


@app.command()
def sheet(
    photo: Annotated[Path, typer.Argument(help="A picture.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The sheet to write.")],
    style: Annotated[
        list[str] | None, typer.Option("--style", "-s", help="Only this style; may be given again.")
    ] = None,
    strengths: Annotated[
        str | None, typer.Option(help="A column for each of these, such as 0.25,0.5,0.75,1.")
    ] = None,
    size: Annotated[int, typer.Option(help="Long side of each picture in pixels.")] = 320,
    columns: Annotated[int, typer.Option(help="Pictures a row, without --strengths.", min=1)] = 6,
    with_photo: Annotated[bool, typer.Option("--photo/--no-photo", help="Begin with the photo itself.")] = True,
    styles_dir: StylesDir = None,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Paint a photo in every style, as one labelled grid."""
    images.check_writable(output)
    _refuse_replacing(photo, output)
    picture = images.read_picture(photo)
    original = images.to_pil(picture.rgb, picture.alpha)
    transfer = StyleTransfer(device=device, styles_dir=styles_dir)
    names = style or list(transfer.styles)
    steps = _parse_numbers(strengths) if strengths else [settings.STRENGTH.default]
    cells: list[tuple[str, Image]] = []
    with _progress("painting", len(names) * len(steps), quiet) as bar:
        for name in names:
            for strength in steps:
                label = name if len(steps) == 1 else f"{name} {strength:g}"
                cells.append((label, transfer.stylize(original, name, strength=strength, size=size)))
                bar.advance(bar.task_ids[0])
    if with_photo and len(steps) == 1:
        original.thumbnail((size, size))
        cells.insert(0, ("photo", original))
    images.save_picture(images.contact_sheet(cells, len(steps) if len(steps) > 1 else columns), output)
    if not quiet:
        _say(f"wrote {output}")


@app.command()
def info(picture: Annotated[Path, typer.Argument(help="A picture made by this program.")]) -> None:
    """Say what a picture was made with, as JSON."""
    parameters = images.read_metadata(picture)
    if not parameters:
        raise InvalidInput(f"{picture} carries no parameters; it was not made by this program, or lost them")
    typer.echo(json.dumps(parameters, ensure_ascii=False, indent=2))


@app.command("train-base")
def train_base(
    content: Annotated[Path, typer.Option(help="Folder of photographs.")],
    styles: Annotated[Path, typer.Option(help="Folder of paintings that become styles.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, sample sheets and results.")],
    catalogue: Annotated[
        Path | None,
        typer.Option(help="CSV of the paintings to keep: slug, picture, title, artist, year, rights."),
    ] = None,
    wide: Annotated[
        Path | None, typer.Option(help="Folder of further paintings, which make the network general.")
    ] = None,
    preview: Annotated[
        Path | None, typer.Option(help="Photo that the styles' small preview pictures are painted from.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="Folder with models/ and styles/ to begin from, instead of at random.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Optimisation steps.", min=1)] = settings.BaseTraining.steps,
    seed: Annotated[int, typer.Option(help="Of the random choices.")] = settings.BaseTraining.seed,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Train the base network and its styles; run it again to go on from the last checkpoint."""
    from styletransfer.training.base_job import BaseJob, train_base

    chosen = choose_device(device)
    named = {"content": content, "styles": styles, "out": out, "catalogue": catalogue, "wide": wide}
    named |= {"preview": preview, "start": start}
    # By name alone: the command is recorded in files that travel, and folders are nobody's business.
    options = " ".join(f"--{name} {path.name}" for name, path in named.items() if path)
    command = f"styletransfer train-base {options} --steps {steps} --seed {seed}"
    job = BaseJob(content, styles, out, wide, catalogue, preview, start, command)
    with _progress("preparing", steps, quiet) as bar:

        def on_step(progress: core.Progress) -> None:
            losses = " ".join(f"{name} {value:.3f}" for name, value in progress.losses.items())
            bar.update(bar.task_ids[0], completed=progress.step, description=losses)

        train_base(
            job, replace(settings.BaseTraining(), steps=steps, seed=seed), chosen, choose_dtype(chosen), on_step
        )
    if not quiet:
        _say(f"wrote {out / 'models'} and {out / 'styles'}")


def _version(show: bool) -> None:
    if show:
        typer.echo(f"styletransfer {settings.VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A photo becomes a painting, in any of many styles or any blend of them."""


def _parse_mix(options: list[str]) -> dict[str, float]:
    """Names and weights out of "great-wave" or "great-wave=0.7". Raises InvalidInput."""
    mix: dict[str, float] = {}
    for option in options:
        name, weight = option.rsplit("=", 1) if "=" in option else (option, "1")
        try:
            value = float(weight)
        except ValueError:
            raise InvalidInput(f"--style {option}: {weight!r} is no number; write name=weight") from None
        if name in mix:
            raise InvalidInput(f"--style {name} is given twice; give each style once")
        mix[name] = value
    return mix


def _parse_numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InvalidInput(f"--strengths {text!r}: expected numbers such as 0.25,0.5,1") from None


def _find_sources(photos: list[Path]) -> list[Path]:
    """The photos, with folders replaced by the pictures in them. Raises InvalidInput."""
    sources = [
        found for photo in photos for found in (images.find_pictures(photo) if photo.is_dir() else [photo])
    ]
    if not sources:
        raise InvalidInput(f"{photos[0]} holds no pictures")
    return sources


def _plan_outputs(
    photos: list[Path], sources: list[Path], output: Path | None, styles: str
) -> dict[Path, Path]:
    """Photo -> file to write, checked before the work begins. Raises InvalidInput, UnwritableOutput."""
    one_file = len(photos) == 1 and not photos[0].is_dir()
    if one_file and not (output and output.is_dir()):
        planned = {sources[0]: output or Path(f"{sources[0].stem}-{styles}"[:200] + ".png")}
    else:
        folder = output or Path(styles[:200])
        if folder.suffix.lower() in images.FORMATS:
            raise InvalidInput(f"-o {folder} is a file, but there are several photos; name a folder")
        planned = {source: folder / _output_name(source) for source in sources}
    if len(set(planned.values())) < len(sources):
        raise InvalidInput("two photos have the same name and would be written to one file; paint them apart")
    for source, target in planned.items():
        _refuse_replacing(source, target)
        if one_file or target.parent.exists():  # a folder for several photos is made when painting begins
            images.check_writable(target)
    return planned


def _refuse_replacing(photo: Path, target: Path) -> None:
    if photo.resolve() == target.resolve():
        raise InvalidInput(f"the result would replace the photo {photo}; name another output")


def _output_name(source: Path) -> str:
    suffix = source.suffix.lower()
    return source.stem + (suffix if suffix in images.FORMATS else ".png")


@contextmanager
def _progress(what: str, total: int, quiet: bool) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=quiet or not errors.is_terminal, transient=True) as bar:
        bar.add_task(what, total=total)
        yield bar


def _say(text: str) -> None:
    console.print(text, soft_wrap=True, highlight=False, markup=False)


def _report(error: StyleTransferError | None) -> None:
    errors.print(f"[red]error:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
