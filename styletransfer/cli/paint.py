"""The command `stylize`, which paints photos."""

import inspect
import re
from contextlib import nullcontext
from dataclasses import asdict
from os.path import isfile
from pathlib import Path
from typing import Annotated, Any

import typer

from styletransfer import settings
from styletransfer.cli.shared import (
    EXIT_BAD_INPUT,
    EXIT_INTERRUPTED,
    METHODS,
    WITH_OPTIONS,
    Device,
    PreserveColor,
    Quiet,
    StrokeSize,
    StylesDir,
    app,
    as_option,
    beginning,
    errors,
    pairs,
    parse_settings,
    progress,
    say,
    style_names,
    with_limits,
)
from styletransfer.errors import InvalidInput
from styletransfer.text import encodable


def _explain_settings(context: typer.Context, given: list[str] | None) -> list[str] | None:
    """For --set help: print what --set can change, and end."""
    if context.resilient_parsing or "help" not in (given or []):  # the former is when Tab is pressed
        return given
    usual = settings.Optimization()
    _, _, told = (inspect.getdoc(usual) or "").partition("Args:")
    fields, _, _ = told.partition("Raises:")
    explained = [  # a field begins with its name, or the names of several, and a colon
        " ".join(field.split())
        for field in re.split(r"\n *(?=[\w, ]+: )", fields.strip())
        if field.partition(":")[0] not in WITH_OPTIONS
    ]
    defaults = [f"{name}={value}" for name, value in asdict(usual).items() if name not in WITH_OPTIONS]
    say("\n".join([*explained, f"Defaults: {', '.join(defaults)}"]))
    raise typer.Exit


Styles = Annotated[
    list[str],
    typer.Option(
        "--style",
        "-s",
        help="A style name or a picture file, with a weight if you like: NAME=0.7. Repeat to blend.",
        autocompletion=style_names,
    ),
]
Strength = Annotated[float, typer.Option(help=settings.STRENGTH.help)]
Size = Annotated[int | None, typer.Option(help=with_limits(settings.SIZE))]


@app.command()
def stylize(
    photos: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    style: Styles,
    strength: Strength = settings.STRENGTH.default,
    size: Size = None,
    stroke_size: StrokeSize = settings.STROKE_SIZE.default,
    preserve_color: PreserveColor = settings.PRESERVE_COLOR.default,
    color_mode: Annotated[
        str | None,
        typer.Option(
            help="How --preserve-color works. "
            + "; ".join(map(": ".join, settings.COLOR_MODES.items()))
            + ". Default: luminance.",
            autocompletion=lambda incomplete: beginning(incomplete, settings.COLOR_MODES),
        ),
    ] = None,
    output: Annotated[
        str | None,  # a path would lose the slash that a folder may end in
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="A file for one photo, or a folder for any number, which is created if needed; there a photo "
            "keeps its format, or becomes PNG where that is not written, such as HEIC and GIF. Default, in the "
            "current folder: PHOTO-STYLE.png for one photo, the folder STYLE for several.",
        ),
    ] = None,
    recursive: Annotated[
        bool,
        typer.Option(
            "--recursive",
            "-r",
            help="Also look in subfolders, but not in links to folders; paintings found there are not painted "
            "again.",
        ),
    ] = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Skip photos whose result exists already.")
    ] = False,
    manifest: Annotated[
        Path | None, typer.Option(help="Append what was done to this file, one line of JSON per photo.")
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="cin: fast. adain: another network, which follows a picture's palette more than its "
            "brushwork. gatys: finest, a minute or more; Ctrl-C keeps the result so far.",
            autocompletion=lambda incomplete: beginning(incomplete, METHODS),
        ),
    ] = "cin",
    mask: Annotated[
        list[str] | None,
        typer.Option(
            help="STYLE=MASK: a picture that is white where the style is painted and black where not, or a "
            "cut-out of a colour picture: the style is painted where it is not transparent. Greys of different "
            "masks add up. A style without a mask is painted everywhere. A picture used as a style goes by its "
            "file name: painting.jpg=mask.png. Repeatable."
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            help="Instead of masks: a picture that is white where the photo stays as it is, or a cut-out of a "
            "colour photo, such as a person, who then stays as in the photo."
        ),
    ] = None,
    style_mask: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=MASK: of the picture NAME, only where MASK is white is used as the style. Repeatable."
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help=f"gatys: steps at the full size; {settings.Optimization.steps} unless --seconds is given."
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="gatys: time to spend on a picture, instead of steps.")
    ] = None,
    style_scale: Annotated[
        float | None,
        typer.Option(
            help="gatys: stroke size of a picture used as a style, 0.1 to 10; "
            f"{settings.Optimization.style_scale:g} unless given."
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="gatys: plot the losses to this PNG, SVG or PDF file; needs matplotlib.")
    ] = None,
    previews: Annotated[
        Path | None, typer.Option(help="gatys: folder for pictures of the painting in progress.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="gatys: another setting, as name=value, such as start=photo, content_layer=relu4_1, "
            "style_weight=5, statistic=wasserstein, optimizer=lbfgs or least_side=128. Repeatable; --set help "
            "explains all.",
            callback=_explain_settings,
            is_eager=True,
        ),
    ] = None,
    styles_dir: StylesDir = None,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Paint photos in a style, or in a blend of styles."""
    from styletransfer import images
    from styletransfer.api import StyleTransfer
    from styletransfer.cli.forecast import announce, result_sizes
    from styletransfer.cli.outputs import is_finished, plan_outputs, refuse_replacing_any, write_results
    from styletransfer.cli.watch import Watch

    mix = _parse_mix(style)
    named = {"steps": steps, "seconds": seconds, "style_scale": style_scale}
    chosen: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    given = {**named, "plot": plot, "previews": previews, "set": setting}
    only = [as_option(name) for name, value in given.items() if value is not None]
    if method != "gatys" and only:
        raise InvalidInput(f"{only[0]} only works with --method gatys")
    if steps is not None and seconds is not None:
        raise InvalidInput("--steps and --seconds exclude each other; give one of them")
    if seconds is not None and seconds <= 0:  # in Python 0 is no limit
        raise InvalidInput(f"--seconds is {seconds:g}; it must be above 0")
    if color_mode is not None and preserve_color == 0:
        raise InvalidInput("--color-mode needs --preserve-color; give how much of the colours to keep, up to 1")
    optimization = parse_settings(setting or [], settings.Optimization(**chosen), named)
    names = {encodable(Path(name).name) for name in mix}
    masks = pairs(mask, "--mask", "STYLE=MASK", names)
    if masks and keep:
        raise InvalidInput("--mask and --keep exclude each other; make the masks black where the photo is kept")
    style_masks = pairs(style_mask, "--style-mask", "NAME=MASK", names)
    outputs = plan_outputs(
        photos,
        output,
        "-".join(Path(name).stem for name in mix),
        recursive=recursive,
        skip_existing=skip_existing,
    )
    others = [str(path) for path in (keep, optimization.start_picture) if path]
    looked_at = [*mix, *masks.values(), *style_masks.values(), *others]
    refuse_replacing_any(outputs, [Path(name) for name in looked_at if isfile(name)], manifest, plot, previews)
    planned = len(outputs)
    if skip_existing:
        outputs = {source: target for source, target in outputs.items() if not is_finished(target)}
    transfer = StyleTransfer(device=device, styles_dir=styles_dir)
    watch = Watch(plot, previews) if method == "gatys" else None
    results = transfer.stylize_batch(  # checks everything, and paints when it is asked for the results
        outputs,
        list(mix.items()),
        method=method,
        strength=strength,
        size=size,
        stroke_size=stroke_size,
        preserve_color=preserve_color,
        color_mode=color_mode or "luminance",
        masks=masks,
        keep=keep,
        style_masks=style_masks,
        optimization=optimization,
        on_step=watch,
    )
    sizes = result_sizes(outputs, size)
    for source, painted_size in sizes.items():
        images.check_fits(outputs[source], painted_size)
    if not quiet:
        announce(transfer, sizes.values(), stroke_size, method, optimization)
    try:
        with progress("painting", len(outputs), quiet) as bar, watch.on(bar) if watch else nullcontext():

            def on_done() -> None:
                bar.advance(bar.task_ids[0])
                if watch and watch.is_told_to_end and planned > 1:
                    raise KeyboardInterrupt

            failed = write_results(results, outputs, manifest, on_done)
    except KeyboardInterrupt:
        if planned > 1:
            note = "stopped; finished paintings are kept. Run the same command with --skip-existing to continue"
            errors.print(note, soft_wrap=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if watch:
        watch.write_plot()
    if not quiet and planned == 1 and outputs and not failed:
        say(f"wrote {next(iter(outputs.values()))}")
    elif not quiet and (planned > 1 or not outputs):
        there = f"; {planned - len(outputs)} existed already" if planned > len(outputs) else ""
        say(f"wrote {len(outputs) - failed} of {planned} pictures{there}")
    if failed:
        raise typer.Exit(EXIT_BAD_INPUT)


def _parse_mix(options: list[str]) -> dict[str, float]:
    """Names and weights from "great-wave" or "great-wave=0.7". Raises InvalidInput."""
    mix: dict[str, float] = {}
    for option in options:
        named_alone = "=" not in option or isfile(option)  # a picture may have one in its name
        name, weight = (option, "1") if named_alone else option.rsplit("=", 1)
        try:
            value = float(weight)
        except ValueError:
            raise InvalidInput(f"--style {option}: {weight!r} is not a number; write NAME=WEIGHT") from None
        if name in mix:
            raise InvalidInput(f"--style {name} is given twice; give each style once")
        mix[name] = value
    return mix
