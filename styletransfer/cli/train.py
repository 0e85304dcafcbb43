"""Commands that train: `train-style`, `train-base`, `train-adain`, `train-predictor`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from styletransfer import settings
from styletransfer.cli.shared import (
    EXIT_INTERRUPTED,
    Device,
    Quiet,
    StylesDir,
    app,
    errors,
    parse_settings,
    progress,
    quoted,
    say,
    show_losses,
    with_limits,
)
from styletransfer.text import recorded
from styletransfer.training.settings import AdainTraining, BaseTraining, PredictorTraining, StyleTraining

if TYPE_CHECKING:
    from styletransfer import core

Photographs = Annotated[
    Path, typer.Option(help="Folder of photographs, subfolders left out; every 16th is held out.")
]
Paintings = Annotated[
    Path, typer.Option(help="Folder of paintings, subfolders left out; every 16th is held out.")
]
Out = Annotated[Path, typer.Option(help="Folder for checkpoints, sample sheets and the result.")]
Start = Annotated[
    Path | None,
    typer.Option(help="Folder with models/ to start from, such as an earlier run. Default: random weights."),
]
Steps = Annotated[int, typer.Option(help="Optimisation steps.", min=1)]
Seed = Annotated[int, typer.Option(help="Seed of all random choices.")]
Setting = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Another setting, as name=value, such as contents=4. Repeatable; an unknown name, beside the "
        "required options, lists all with their defaults, and styletransfer/training/settings.py says what "
        "they mean.",
    ),
]


@app.command("train-style")
def train_style(
    painting: Annotated[Path, typer.Argument(help="A picture whose style to learn.")],
    name: Annotated[str, typer.Option(help='Title of the style: "My Style" is used as my-style.')],
    content: Annotated[
        Path | None,
        typer.Option(
            help="Folder of photographs to learn on, subfolders left out. Default: five photographs of the "
            "installed Gradio package, and generated textures."
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help=f"Optimisation steps, at most {StyleTraining.most_steps}; "
            f"{StyleTraining.steps} unless --seconds is given."
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            help="Seconds to spend on learning; loading is not counted. With --steps too, whichever ends first."
        ),
    ] = None,
    style_size: Annotated[int, typer.Option(help=with_limits(settings.STYLE_SIZE))] = settings.STYLE_SIDE,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the style file. Default: your own styles.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue where it was interrupted.")] = False,
    styles_dir: StylesDir = None,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Learn a style from one picture, in about a minute; Ctrl-C stops it, --resume continues."""
    from styletransfer.api import StyleTransfer

    transfer = StyleTransfer(device=device, styles_dir=styles_dir)
    with progress("preparing", steps or StyleTraining.steps, quiet) as bar:

        def on_step(progress: "core.Progress") -> None:
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
            errors.print("stopped; if any steps were done, run the same command with --resume to continue")
            raise typer.Exit(EXIT_INTERRUPTED) from None
    if not quiet:
        folder = out or styles_dir
        where = f" --styles-dir {quoted(str(folder))}" if folder else ""
        say(f"ready for use: styletransfer stylize PHOTO --style {style.info.slug}{where}")


@app.command("train-base")
def train_base(
    content: Photographs,
    styles: Annotated[Path, typer.Option(help="Folder of paintings that become styles, subfolders left out.")],
    out: Out,
    catalogue: Annotated[
        Path | None,
        typer.Option(
            help="CSV of the paintings that become styles; default: all. Columns: slug, picture (file name "
            "without its ending), title, artist, year, rights."
        ),
    ] = None,
    wide: Annotated[
        Path | None,
        typer.Option(
            help="Folder of further paintings, subfolders left out, which make the network general; every 16th "
            "is held out."
        ),
    ] = None,
    preview: Annotated[
        Path | None, typer.Option(help="Photo for the small preview pictures in the style files.")
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(help="Folder with models/ and styles/ to start from. Default: random weights."),
    ] = None,
    steps: Steps = BaseTraining.steps,
    seed: Seed = BaseTraining.seed,
    setting: Setting = None,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Train the base network and its styles; run it again to continue from the last checkpoint."""
    from styletransfer.training.base_job import BaseJob, train_base

    job = BaseJob(content, styles, out, wide=wide, catalogue=catalogue, preview=preview, start=start)
    _train("train-base", train_base, job, BaseTraining(steps=steps, seed=seed), setting, device, quiet)


@app.command("train-adain")
def train_adain(
    content: Photographs,
    styles: Paintings,
    out: Out,
    start: Start = None,
    steps: Steps = AdainTraining.steps,
    seed: Seed = AdainTraining.seed,
    setting: Setting = None,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Train the decoder of the method adain; run it again to continue from the last checkpoint."""
    from styletransfer.training.adain_job import AdainJob, train_adain

    job, usual = AdainJob(content, styles, out, start=start), AdainTraining(steps=steps, seed=seed)
    _train("train-adain", train_adain, job, usual, setting, device, quiet)


@app.command("train-predictor")
def train_predictor(
    content: Photographs,
    styles: Paintings,
    out: Out,
    base: Annotated[
        Path | None,
        typer.Option(help="Folder with the models/ and styles/ to predict for. Default: the shipped ones."),
    ] = None,
    start: Start = None,
    steps: Steps = PredictorTraining.steps,
    seed: Seed = PredictorTraining.seed,
    setting: Setting = None,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Train the predictor of gamma and beta; run it again to continue from the last checkpoint."""
    from styletransfer.training.predictor_job import PredictorJob, train_predictor

    job = PredictorJob(content, styles, out, base=base, start=start)
    usual = PredictorTraining(steps=steps, seed=seed)
    _train("train-predictor", train_predictor, job, usual, setting, device, quiet)


def _train(
    command: str,
    train: Callable[..., None],
    job: Any,
    usual: Any,
    setting: list[str] | None,
    device: str | None,
    quiet: bool,
) -> None:
    """Run a job of `training`, with its losses in a bar."""
    from styletransfer.device import choose_device, choose_dtype

    chosen, used = parse_settings(setting or [], usual, ("steps", "seed")), choose_device(device)
    paths = {name: value for name, value in vars(job).items() if name != "command"}
    told = recorded(command, **paths, set=setting or [], steps=usual.steps, seed=usual.seed)
    with progress("preparing", chosen.steps, quiet) as bar:
        train(replace(job, command=told), chosen, used, choose_dtype(used), lambda step: show_losses(bar, step))
    if not quiet:
        say(f"wrote the results into {job.out}")
