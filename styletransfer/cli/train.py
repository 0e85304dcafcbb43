"""Commands that train: `train-style`, `train-base`, `train-adain`, `train-predictor`."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from styletransfer import core, settings
from styletransfer.api import StyleTransfer
from styletransfer.cli.shared import (
    EXIT_INTERRUPTED,
    Device,
    Quiet,
    StylesDir,
    app,
    errors,
    parse_settings,
    progress,
    say,
    show_losses,
)
from styletransfer.device import choose_device, choose_dtype
from styletransfer.files import printable

Photographs = Annotated[Path, typer.Option(help="Folder of photographs; every 16th is kept aside.")]
Paintings = Annotated[Path, typer.Option(help="Folder of paintings; every 16th is kept aside.")]
Out = Annotated[Path, typer.Option(help="Folder for checkpoints, sample sheets and the result.")]
Steps = Annotated[int, typer.Option(help="Optimisation steps.", min=1)]
Seed = Annotated[int, typer.Option(help="Of the random choices.")]
Setting = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Another setting, as name=value, such as contents=4; may be given again. One that does not exist, "
        "such as help=1, is answered with all that do.",
    ),
]


@app.command("train-style")
def train_style(
    painting: Annotated[Path, typer.Argument(help="A picture whose style to learn.")],
    name: Annotated[str, typer.Option(help='Title of the style: "My Style" is used as my-style.')],
    content: Annotated[
        Path | None, typer.Option(help="Folder of photographs to learn on, unless the few at hand.")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help=f"Optimisation steps, at most {settings.StyleTraining.most_steps}; "
            f"{settings.StyleTraining.steps} unless --seconds is given."
        ),
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="Time to spend on the steps.")] = None,
    style_size: Annotated[int, typer.Option(help=settings.STYLE_SIZE.help)] = settings.STYLE_SIDE,
    out: Annotated[Path | None, typer.Option(help="Folder for the style file, unless your own styles.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it was interrupted.")] = False,
    styles_dir: StylesDir = None,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Learn a style from one picture, in about a minute; Ctrl-C stops it, --resume goes on."""
    transfer = StyleTransfer(device=device, styles_dir=styles_dir)
    with progress("preparing", steps or settings.StyleTraining.steps, quiet) as bar:

        def on_step(progress: core.Progress) -> None:
            show_losses(bar, progress)

        try:
            style = transfer.train_style(
                painting,
                name,
                content=content,
                steps=steps,
                seconds=seconds,
                style_side=style_size,
                folder=out,
                resume=resume,
                on_step=on_step,
            )
        except KeyboardInterrupt:
            errors.print("stopped; once steps were taken, the same command with --resume goes on")
            raise typer.Exit(EXIT_INTERRUPTED) from None
    if not quiet:
        folder = out or styles_dir
        where = f" --styles-dir {folder}" if folder else ""
        say(f"ready for use: styletransfer stylize PHOTO --style {style.info.slug}{where}")


@app.command("train-base")
def train_base(
    content: Photographs,
    styles: Annotated[Path, typer.Option(help="Folder of paintings that become styles.")],
    out: Out,
    catalogue: Annotated[
        Path | None,
        typer.Option(help="CSV of the paintings to keep: slug, picture, title, artist, year, rights."),
    ] = None,
    wide: Annotated[
        Path | None,
        typer.Option(help="Further paintings, which make the network general; every 16th is kept aside."),
    ] = None,
    preview: Annotated[
        Path | None, typer.Option(help="Photo that the styles' small preview pictures are painted from.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="Folder with models/ and styles/ to begin from, instead of at random.")
    ] = None,
    steps: Steps = settings.BaseTraining.steps,
    seed: Seed = settings.BaseTraining.seed,
    setting: Setting = None,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Train the base network and its styles; run it again to go on from the last checkpoint."""
    from styletransfer.training.base_job import BaseJob, train_base

    named = {"content": content, "styles": styles, "out": out, "catalogue": catalogue, "wide": wide}
    named |= {"preview": preview, "start": start}
    command = _recorded("train-base", named, steps, seed, setting)
    job = BaseJob(content, styles, out, wide, catalogue, preview, start, command)
    chosen = parse_settings(setting or [], replace(settings.BaseTraining(), steps=steps, seed=seed))
    _train(train_base, job, chosen, device, quiet)
    if not quiet:
        say(f"wrote {out / 'models'} and {out / 'styles'}")


@app.command("train-adain")
def train_adain(
    content: Photographs,
    styles: Paintings,
    out: Out,
    steps: Steps = settings.AdainTraining.steps,
    seed: Seed = settings.AdainTraining.seed,
    setting: Setting = None,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Train the decoder that paints in any picture; run it again to go on from the last checkpoint."""
    from styletransfer.training.adain_job import AdainJob, train_adain

    command = _recorded("train-adain", {"content": content, "styles": styles, "out": out}, steps, seed, setting)
    chosen = parse_settings(setting or [], replace(settings.AdainTraining(), steps=steps, seed=seed))
    _train(train_adain, AdainJob(content, styles, out, command), chosen, device, quiet)
    if not quiet:
        say(f"wrote {out / 'models'}")


@app.command("train-predictor")
def train_predictor(
    content: Photographs,
    styles: Paintings,
    out: Out,
    base: Annotated[
        Path | None,
        typer.Option(help="Folder with models/ and styles/ to predict for, unless the shipped ones."),
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="Folder with a predictor to begin from, instead of at random.")
    ] = None,
    steps: Steps = settings.PredictorTraining.steps,
    seed: Seed = settings.PredictorTraining.seed,
    setting: Setting = None,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Train the predictor of gamma and beta; run it again to go on from the last checkpoint."""
    from styletransfer.training.predictor_job import PredictorJob, train_predictor

    named = {"content": content, "styles": styles, "out": out, "base": base, "start": start}
    command = _recorded("train-predictor", named, steps, seed, setting)
    chosen = parse_settings(setting or [], replace(settings.PredictorTraining(), steps=steps, seed=seed))
    _train(train_predictor, PredictorJob(content, styles, out, base, start, command), chosen, device, quiet)
    if not quiet:
        say(f"wrote {out / 'models'}")


def _train(
    train: Callable[..., None], job: object, chosen: settings.NetworkTraining, device: str | None, quiet: bool
) -> None:
    """Run a job of `training`, with its losses in a bar."""
    used = choose_device(device)
    with progress("preparing", chosen.steps, quiet) as bar:
        train(job, chosen, used, choose_dtype(used), lambda step: show_losses(bar, step))


def _recorded(
    command: str, paths: dict[str, Path | None], steps: int, seed: int, setting: list[str] | None
) -> str:
    """The command as it is recorded in files that travel: folders by name alone, they are nobody's business."""
    words = [word for name, path in paths.items() if path for word in (f"--{name}", path.resolve().name)]
    words += [word for each in setting or [] for word in ("--set", each)]
    return printable(shlex.join(["styletransfer", command, *words, "--steps", str(steps), "--seed", str(seed)]))
