"""A training run of the row predictor as a folder: data in, checkpoints and sample sheets, weight file out."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from styletransfer.convolution import compute_in
from styletransfer.core import OnStep
from styletransfer.errors import InvalidInput
from styletransfer.files import make_folder, package_folder
from styletransfer.predictor import RowPredictor
from styletransfer.settings import LICENCE
from styletransfer.stylebank import StyleBank
from styletransfer.stylefile import check_base
from styletransfer.targets import StyleTarget
from styletransfer.training.data import load_photographs, pictures_in, split_held_out
from styletransfer.training.held_out import HeldOut, Paint, paint_in_row
from styletransfer.training.looks import look_at_paintings
from styletransfer.training.predictor import PredictorTrainer
from styletransfer.training.settings import PredictorTraining
from styletransfer.training.trainer import checkpoint_of, resume, run
from styletransfer.vgg import STYLE_LAYERS, load_vgg19
from styletransfer.weights import load_base, load_predictor_of_any_base, save_predictor


@dataclass(frozen=True)
class PredictorJob:
    """Where a run reads and writes.

    `content`: photographs; `styles`: paintings; `out`: checkpoints, sheets and the result; `base`: folder
    with the models/ and styles/ to predict for, those of the package by default; `start`: folder with models/
    to begin from, such as an earlier run or the root of a checkout, whose predictor belongs to this base
    network or to an earlier state of it; `command`: recorded in the result.
    """

    content: Path
    styles: Path
    out: Path
    base: Path | None = None
    start: Path | None = None
    command: str = ""


def train_predictor(
    job: PredictorJob, settings: PredictorTraining, device: torch.device, dtype: torch.dtype, on_step: OnStep
) -> None:
    """Train, or go on where the checkpoint in `job.out` stands, and write models/ there.

    `on_step` gets the losses of every step and, now and then, a sample sheet; when it raises `Cancelled`, or
    the process ends, the last checkpoint stays. Raises InvalidInput, UnreadableImage, MissingWeights,
    InvalidStyleFile, UnwritableOutput, TrainingDiverged.
    """
    models, styles = (job.base / name if job.base else package_folder(name) for name in ("models", "styles"))
    network, sha256 = load_base(models)
    compute_in(network.to(device), dtype)
    bank = StyleBank(styles)
    known = [bank.load(name) for name in bank.paths()]
    if len(known) < 2:
        raise InvalidInput(f"{styles} holds {len(known)} styles; at least two are needed")
    for style in known:
        check_base(style, sha256)
    rows = torch.stack([style.row for style in known])
    started = None
    if job.start and not checkpoint_of(job.out).exists():
        started = _started(job.start, rows)
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
        techniques=settings.techniques,
        photographs=split_held_out(photographs)[0],
    )
    trainer = PredictorTrainer(vgg, network, sha256, rows, contents, looks, settings)
    if not resume(trainer, job.out) and started:
        trainer.start_from(started)

    def painter() -> Paint:
        predictor = trainer.averaged()

        def paint(photo: Tensor, goal: StyleTarget) -> Tensor:
            with torch.inference_mode():
                [row] = predictor(goal.to(device).means, goal.to(device).stds)
            return paint_in_row(network, photo, row, dtype)

        return paint

    run(trainer, job.out, lambda: held_out.sheet(painter()), on_step)
    description = {
        "command": job.command,
        "data": {
            "photographs": len(contents),
            "paintings": len(paintings),
            "textures": settings.textures,
            "techniques": settings.techniques,
        },
        "settings": asdict(settings),
        "losses": held_out.losses(painter()),
        "licence": LICENCE,
    }
    save_predictor(job.out / "models", trainer.averaged(), sha256, description)


def _started(folder: Path, rows: Tensor) -> RowPredictor:
    """The predictor to begin from. Raises MissingWeights, InvalidInput where its rows have another length."""
    predictor, _ = load_predictor_of_any_base(folder / "models")
    if predictor.row_mean.shape != rows.shape[1:]:
        raise InvalidInput(
            f"the predictor in {folder} belongs to a base network of another shape; leave --start out"
        )
    return predictor
