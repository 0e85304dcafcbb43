"""A training run of the row predictor as a folder: data in, checkpoints and sample sheets, weight file out."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from styletransfer import images
from styletransfer.core import OnStep
from styletransfer.files import make_folder
from styletransfer.losses import content_loss
from styletransfer.methods import cin
from styletransfer.predictor import RowPredictor
from styletransfer.settings import LICENCE, STYLE_SIDE, PredictorTraining
from styletransfer.stylebank import StyleBank
from styletransfer.targets import StyleTarget, style_target
from styletransfer.training.data import load_pictures, split_held_out
from styletransfer.training.looks import look_at_paintings, read_painting
from styletransfer.training.predictor import PredictorTrainer
from styletransfer.training.trainer import resume, run
from styletransfer.vgg import CONTENT_LAYER, STYLE_LAYERS, load_vgg19
from styletransfer.weights import load_predictor, package_folder, save_predictor

CONTENT_SIDE = 288  # pixels, short side at which photos are held in memory


@dataclass(frozen=True)
class PredictorJob:
    """Where a run reads and writes.

    `content`: photographs; `styles`: paintings; `out`: checkpoints, sheets and the result; `base`: folder
    with the models/ and styles/ to predict for, unless those that came with the package; `start`: folder
    with a predictor to begin from, such as models/ of a checkout; `command`: recorded in what is made.
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

    `on_step` sees the losses of every step and now and then a sample sheet; when it raises `Cancelled`, or
    the process ends, the checkpoint of the last minutes stays. Raises InvalidInput, UnreadableImage,
    MissingWeights.
    """
    models, styles = (job.base / name if job.base else package_folder(name) for name in ("models", "styles"))
    base = cin.load(models, device, dtype)
    bank = StyleBank(styles)
    rows = torch.stack([bank.load(name).row for name in bank.paths()])
    started = load_predictor(job.start, base.sha256)[0] if job.start else None
    make_folder(job.out)
    vgg = load_vgg19(STYLE_LAYERS[-1], dtype=dtype).to(device)
    used, aside = split_held_out(images.find_pictures(job.content))
    contents, held_out = load_pictures(used, CONTENT_SIDE), load_pictures(aside[:8], CONTENT_SIDE)
    paintings, unseen = split_held_out(images.find_pictures(job.styles))
    looks = look_at_paintings(
        job.out / "looks.pt",
        paintings,
        vgg,
        variants=settings.variants,
        textures=settings.textures,
        seed=settings.seed + 1,
        techniques=settings.techniques,
        photographs=used,
    )
    trainer = PredictorTrainer(vgg, base.network, rows, contents, looks, settings, dtype=dtype, device=device)
    if not resume(trainer, job.out) and started:
        trainer.start_from(started)
    photos = [picture.image[None].float() / 255 for picture in held_out]
    samples = [read_painting(path, STYLE_SIDE) for path in unseen[:24]]
    goals = [style_target(vgg, sample) for sample in samples]

    def paint(predictor: RowPredictor, photo: Tensor, goal: StyleTarget) -> Tensor:
        one = torch.ones(1, device=device)
        with torch.inference_mode():
            row = predictor(goal.to(device).means, goal.to(device).stds)
            return base.network(photo.to(device, dtype), row, one[None], one).clamp(0, 1).cpu()

    def sample_sheet() -> Tensor:
        """Unseen paintings, each beside a photo and that photo painted in it."""
        predictor = trainer.averaged()
        cells = []
        for index, (sample, goal) in enumerate(zip(samples, goals, strict=True)):
            photo = images.resize(photos[index % len(photos)], (192, 256))
            painted = paint(predictor, photo, goal)
            cells.append(torch.cat([images.resize(sample, (192, 256)), photo, painted], dim=2))
        across = min(8, len(cells))
        cells += [torch.ones_like(cells[0])] * (-len(cells) % across)
        lines = [torch.cat(cells[start : start + across], dim=3) for start in range(0, len(cells), across)]
        return torch.cat(lines, dim=2)

    run(trainer, job.out, sample_sheet, on_step)
    predictor = trainer.averaged()
    losses = {"content": 0.0, "style": 0.0}
    for index, goal in enumerate(goals):
        photo = photos[index % len(photos)].to(device)
        with torch.inference_mode():
            features = vgg(paint(predictor, photo, goal).to(device), [CONTENT_LAYER, *STYLE_LAYERS])
            own = vgg(photo, [CONTENT_LAYER])[CONTENT_LAYER]
            losses["content"] += content_loss(features[CONTENT_LAYER], own).item() / len(goals)
            losses["style"] += goal.to(device).loss(features).item() / len(goals)
    description = {
        "command": job.command,
        "data": {
            "photographs": len(contents),
            "paintings": len(paintings),
            "textures": settings.textures,
            "techniques": settings.techniques,
        },
        "settings": asdict(settings),
        "losses": {name: round(value, 4) for name, value in losses.items()},
        "licence": LICENCE,
    }
    make_folder(job.out / "models")
    save_predictor(job.out / "models", predictor, base.sha256, description)
