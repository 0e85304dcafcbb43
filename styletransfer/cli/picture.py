"""Commands about one picture: `sheet` paints it in every style, `info` says how it was made."""

from os.path import isfile
from pathlib import Path
from typing import Annotated

import typer

from styletransfer import settings
from styletransfer.cli.shared import (
    FAST_METHODS,
    Device,
    PreserveColor,
    Quiet,
    StrokeSize,
    StylesDir,
    app,
    beginning,
    errors,
    print_json,
    progress,
    report,
    say,
    shown,
    style_names,
)
from styletransfer.errors import InvalidInput, InvalidStyleFile


@app.command()
def sheet(
    photo: Annotated[Path, typer.Argument(help="A picture.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The sheet to write.")],
    style: Annotated[
        list[str] | None,
        typer.Option(
            "--style",
            "-s",
            help="Only this style, or picture used as a style. Repeatable.",
            autocompletion=style_names,
        ),
    ] = None,
    strengths: Annotated[
        str | None,
        typer.Option(help='A column for each of these strengths: "0.25,0.5,0.75,1", in quotes in PowerShell.'),
    ] = None,
    size: Annotated[
        int,
        typer.Option(
            help=f"Long side of each picture in pixels, {settings.SIZE.least} to {settings.SIZE.most}."
        ),
    ] = 320,
    stroke_size: StrokeSize = settings.STROKE_SIZE.default,
    preserve_color: PreserveColor = settings.PRESERVE_COLOR.default,
    method: Annotated[
        str,
        typer.Option(
            help="cin or adain, as for stylize.",
            autocompletion=lambda incomplete: beginning(incomplete, FAST_METHODS),
        ),
    ] = "cin",
    columns: Annotated[int, typer.Option(help="Pictures in a row, without --strengths.", min=1)] = 6,
    with_photo: Annotated[
        bool, typer.Option("--photo/--no-photo", help="Show the photo itself first, without --strengths.")
    ] = True,
    styles_dir: StylesDir = None,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Paint a photo in every style, as one labelled grid."""
    from styletransfer import images
    from styletransfer.api import StyleTransfer
    from styletransfer.cli.outputs import refuse_replacing

    if method not in FAST_METHODS:
        raise InvalidInput(f"--method {method}: the pictures of a sheet are painted with cin or adain")
    settings.SIZE.check("size", size)
    steps = _parse_numbers(strengths) if strengths else [settings.STRENGTH.default]
    for strength in steps:
        settings.STRENGTH.check("strength", strength)
    images.check_writable(output)
    refuse_replacing(photo, output)
    for name in filter(isfile, style or []):
        refuse_replacing(Path(name), output, "picture")
    picture = images.read_picture(photo)
    small = images.with_long_side(picture.size, size)
    reduced = picture.resized(small)
    original = images.to_pil(reduced.rgb, reduced.alpha)
    transfer = StyleTransfer(device=device, styles_dir=styles_dir)
    for name in style or []:  # an error now, not after the others are painted
        transfer.stylize_batch([], name, method=method, stroke_size=stroke_size, preserve_color=preserve_color)
    names = style or list(transfer.styles)
    across = len(steps) if len(steps) > 1 else columns
    photos = [("photo", original)] if with_photo and len(steps) == 1 else []
    height, width = images.sheet_size(small, len(photos) + len(names) * len(steps), across)
    if height * width > settings.MAX_PIL_PIXELS:
        raise InvalidInput(
            f"the sheet would have {width}x{height} pixels, more than {settings.MAX_PIL_PIXELS:,}; "
            "give a smaller --size, or fewer styles"
        )
    images.check_fits(output, (height, width))
    cells = []
    with progress("painting", len(names) * len(steps), quiet) as bar:
        for name in names:
            for strength in steps:
                label = Path(name).name if len(steps) == 1 else f"{Path(name).name} {strength:g}"
                try:
                    painted = transfer.stylize(
                        original,
                        name,
                        method=method,
                        strength=strength,
                        stroke_size=stroke_size,
                        preserve_color=preserve_color,
                    )
                    cells.append((label, painted))
                except InvalidStyleFile as error:  # one that was learned with an earlier network
                    report(error)
                    break
                bar.advance(bar.task_ids[0])
    if not cells:
        raise InvalidInput("none of the styles was learned with this network; learn them again")
    images.save_picture(images.contact_sheet([*photos, *cells], across), output)
    if not quiet:
        say(f"wrote {output}")


@app.command()
def info(
    picture: Annotated[Path, typer.Argument(help="A picture made by this program.")],
    command: Annotated[
        bool, typer.Option("--command", help="Print instead the command that paints a photo in the same way.")
    ] = False,
    styles_dir: StylesDir = None,
) -> None:
    """Print how a picture was made, as JSON."""
    from styletransfer import images
    from styletransfer.cli.again import command_for

    if styles_dir and not styles_dir.is_dir():
        raise InvalidInput(f"{styles_dir} is not a folder of styles")
    parameters = images.read_metadata(picture)
    if not parameters:
        raise InvalidInput(
            f"{picture} carries no parameters: only paintings of this program do, unless another removed them"
        )
    if not command:
        print_json(parameters)
        return
    told, notes = command_for(parameters, styles_dir)
    say(told)
    for note in notes:
        errors.print(shown(note), soft_wrap=True, highlight=False, markup=False)


def _parse_numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InvalidInput(f"--strengths {text!r}: expected numbers such as 0.25,0.5,1") from None
