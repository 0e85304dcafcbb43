"""A training run of the AdaIN decoder as a folder: data in, checkpoints and sample sheets, weight file out."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from styletransfer import images
from styletransfer.core import OnStep
from styletransfer.decoder import AdainDecoder, encode, restyle, statistics_of
from styletransfer.files import make_folder
from styletransfer.losses import content_loss
from styletransfer.settings import LICENCE, STYLE_SIDE, AdainTraining
from styletransfer.targets import StyleTarget, style_target
from styletransfer.training.adain import AdainTrainer
from styletransfer.training.data import load_pictures, split_held_out
from styletransfer.training.looks import look_at_paintings, read_painting
from styletransfer.training.trainer import resume, run
from styletransfer.vgg import CONTENT_LAYER, STYLE_LAYERS, VGG19, load_vgg19
from styletransfer.weights import save_decoder

CONTENT_SIDE = 288  # pixels, short side at which photos are held in memory


@dataclass(frozen=True)
class AdainJob:
    """Where a run reads and writes.

    `content`: photographs; `styles`: paintings; `out`: checkpoints, sheets and the result; `command`: recorded
    in what is made.
    """

    content: Path
    styles: Path
    out: Path
    command: str = ""


def train_adain(
    job: AdainJob, settings: AdainTraining, device: torch.device, dtype: torch.dtype, on_step: OnStep
) -> None:
    """Train, or go on where the checkpoint in `job.out` stands, and write models/ there.

    `on_step` sees the losses of every step and now and then a sample sheet; when it raises `Cancelled`, or
    the process ends, the checkpoint of the last minutes stays. Raises InvalidInput, UnreadableImage.
    """
    make_folder(job.out)
    vgg = load_vgg19(STYLE_LAYERS[-1], dtype=dtype).to(device)
    used, aside = split_held_out(images.find_pictures(job.content))
    contents, held_out = load_pictures(used, CONTENT_SIDE), load_pictures(aside[:8], CONTENT_SIDE)
    paintings, unseen = split_held_out(images.find_pictures(job.styles))
    cache = job.out / "targets.pt"
    targets = look_at_paintings(
        cache,
        paintings,
        vgg,
        variants=settings.variants,
        textures=settings.textures,
        seed=settings.seed + 1,
    ).targets
    trainer = AdainTrainer(vgg, contents, targets, settings, device=device)
    resume(trainer, job.out)
    photos = [picture.image[None].float() / 255 for picture in held_out]
    looks = [read_painting(path, STYLE_SIDE) for path in unseen[:24]]
    goals = [style_target(vgg, look) for look in looks]
    run(trainer, job.out, lambda: _sample_sheet(vgg, trainer.averaged(), photos, looks, goals), on_step)
    decoder = trainer.averaged()
    description = {
        "command": job.command,
        "data": {"photographs": len(contents), "paintings": len(paintings), "textures": settings.textures},
        "settings": asdict(settings),
        "losses": _measure(vgg, decoder, photos, goals),
        "licence": LICENCE,
    }
    make_folder(job.out / "models")
    save_decoder(job.out / "models", decoder, description)


def _sample_sheet(
    vgg: VGG19, decoder: AdainDecoder, photos: list[Tensor], looks: list[Tensor], goals: list[StyleTarget]
) -> Tensor:
    """Unseen paintings, each above a photo and that photo painted in it, as one picture (1, 3, H, W)."""
    cells = []
    for index, (look, goal) in enumerate(zip(looks, goals, strict=True)):
        photo = images.resize(photos[index % len(photos)], (192, 256))
        painted = _paint(vgg, decoder, photo, goal)
        cells.append(torch.cat([images.resize(look, (192, 256)), photo, painted], dim=2))
    across = 8
    cells += [torch.ones_like(cells[0])] * (-len(cells) % across)
    lines = [torch.cat(cells[start : start + across], dim=3) for start in range(0, len(cells), across)]
    return torch.cat(lines, dim=2)


def _paint(vgg: VGG19, decoder: AdainDecoder, photo: Tensor, goal: StyleTarget) -> Tensor:
    height, width = photo.shape[-2:]
    device = vgg.mean.device
    with torch.inference_mode():
        features = encode(vgg, photo.to(device))
        statistics = {
            layer: (
                goal.means[layer][:, :, None, None].to(device),
                goal.stds[layer][:, :, None, None].to(device),
            )
            for layer in features
        }
        return (
            decoder(restyle(features, statistics_of(features), statistics))
            .clamp(0, 1)[..., :height, :width]
            .cpu()
        )


def _measure(
    vgg: VGG19, decoder: AdainDecoder, photos: list[Tensor], goals: list[StyleTarget]
) -> dict[str, float]:
    """Content and style loss, means over unseen paintings, each on one unseen photo."""
    content, style = 0.0, 0.0
    device = vgg.mean.device
    with torch.inference_mode():
        for index, goal in enumerate(goals):
            photo = photos[index % len(photos)].to(device)
            features = vgg(_paint(vgg, decoder, photo, goal).to(device), [CONTENT_LAYER, *STYLE_LAYERS])
            own = vgg(photo, [CONTENT_LAYER])[CONTENT_LAYER]
            content += content_loss(features[CONTENT_LAYER], own).item() / len(goals)
            style += goal.to(device).loss(features).item() / len(goals)
    return {"content": round(content, 4), "style": round(style, 4)}
