"""A training run of the AdaIN decoder as a folder: data in, checkpoints and sample sheets, weight file out."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from styletransfer.core import OnStep, StyleInfo
from styletransfer.files import make_folder
from styletransfer.methods.adain import AdainStylizer
from styletransfer.settings import LICENCE
from styletransfer.targets import StyleTarget
from styletransfer.training.adain import AdainTrainer
from styletransfer.training.data import load_photographs, pictures_in, split_held_out
from styletransfer.training.held_out import HeldOut, Paint
from styletransfer.training.looks import look_at_paintings
from styletransfer.training.settings import AdainTraining
from styletransfer.training.trainer import checkpoint_of, resume, run
from styletransfer.vgg import STYLE_LAYERS, load_vgg19
from styletransfer.weights import load_decoder, save_decoder


@dataclass(frozen=True)
class AdainJob:
    """Where a run reads and writes.

    `content`: photographs; `styles`: paintings; `out`: checkpoints, sheets and the result; `start`: folder with
    models/ to begin from, such as an earlier run; `command`: recorded in the result.
    """

    content: Path
    styles: Path
    out: Path
    start: Path | None = None
    command: str = ""


def train_adain(
    job: AdainJob, settings: AdainTraining, device: torch.device, dtype: torch.dtype, on_step: OnStep
) -> None:
    """Train, or go on where the checkpoint in `job.out` stands, and write models/ there.

    `on_step` gets the losses of every step and, now and then, a sample sheet; when it raises `Cancelled`, or
    the process ends, the last checkpoint stays. Raises InvalidInput, UnreadableImage, MissingWeights,
    UnwritableOutput, TrainingDiverged.
    """
    started = None
    if job.start and not checkpoint_of(job.out).exists():
        started = load_decoder(job.start / "models")[0]
    photographs = pictures_in(job.content)
    paintings, held_out_paintings = split_held_out(pictures_in(job.styles))
    make_folder(job.out)
    vgg = load_vgg19(STYLE_LAYERS[-1], dtype=dtype).to(device)
    contents, photos = load_photographs(photographs)
    held_out = HeldOut(vgg, photos, held_out_paintings)
    looks = look_at_paintings(
        job.out,
        paintings,
        vgg,
        variants=settings.variants,
        textures=settings.textures,
        seed=settings.seed + 1,
    )
    trainer = AdainTrainer(vgg, contents, looks, settings)
    if not resume(trainer, job.out) and started:
        trainer.start_from(started)

    def painter() -> Paint:
        stylizer = AdainStylizer(vgg, trainer.averaged(), "", dtype)

        def paint(photo: Tensor, goal: StyleTarget) -> Tensor:
            style = goal.style(StyleInfo("", ""), torch.zeros(2, 0))
            return stylizer.stylize(photo, [style], torch.ones(1), torch.tensor(1.0))

        return paint

    run(trainer, job.out, lambda: held_out.sheet(painter()), on_step)
    description = {
        "command": job.command,
        "data": {"photographs": len(contents), "paintings": len(paintings), "textures": settings.textures},
        "settings": asdict(settings),
        "losses": held_out.losses(painter()),
        "licence": LICENCE,
    }
    save_decoder(job.out / "models", trainer.averaged(), description)
