"""A training run of the AdaIN decoder as a folder: data in, checkpoints and sample sheets, weight file out."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from styletransfer import images
from styletransfer.core import OnStep
from styletransfer.decoder import AdainDecoder, encode, restyle, statistics_of
from styletransfer.errors import InvalidInput
from styletransfer.files import make_folder, replacing
from styletransfer.losses import content_loss
from styletransfer.settings import LICENCE, LONGEST_STYLE, STYLE_SIDE, AdainTraining
from styletransfer.targets import StyleTarget, style_target
from styletransfer.training.adain import AdainTrainer
from styletransfer.training.data import load_pictures, split_held_out
from styletransfer.training.trainer import resume, run
from styletransfer.vgg import CONTENT_LAYER, STYLE_LAYERS, VGG19, load_vgg19
from styletransfer.weights import save_decoder

CONTENT_SIDE = 288  # pixels, short side at which photos are held in memory
STYLE_SIDES = (320, 480)  # short side at which paintings are looked at
LEAST_CROP = 0.5  # of either side of a painting


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
    targets = _targets(job.out, paintings, vgg, settings)
    trainer = AdainTrainer(vgg, contents, targets, settings, device=device)
    resume(trainer, job.out)
    photos = [picture.image[None].float() / 255 for picture in held_out]
    looks = [_read(path, STYLE_SIDE) for path in unseen[:24]]
    goals = [style_target(vgg, look) for look in looks]
    run(trainer, job.out, lambda: _sample_sheet(vgg, trainer.averaged(), photos, looks, goals), on_step)
    decoder = trainer.averaged()
    description = {
        "command": job.command,
        "data": {"photographs": len(contents), "paintings": len(paintings)},
        "settings": asdict(settings),
        "losses": _measure(vgg, decoder, photos, goals),
        "licence": LICENCE,
    }
    make_folder(job.out / "models")
    save_decoder(job.out / "models", decoder, description)


def _targets(out: Path, paintings: list[Path], vgg: VGG19, settings: AdainTraining) -> list[StyleTarget]:
    """Targets of all looks at the paintings, computed once and kept in the run's folder."""
    generator = torch.Generator().manual_seed(settings.seed + 1)
    names = [f"{path.name} {variant}" for path in paintings for variant in range(settings.variants)]
    cache = out / "targets.pt"
    if cache.exists():
        stored = torch.load(cache, weights_only=True, mmap=True)
        if stored["names"] != names:
            raise InvalidInput(f"{out} holds a run with other paintings; give this one another --out")
        return [StyleTarget(**parts) for parts in stored["targets"]]
    targets = []
    for path in paintings:
        for variant in range(settings.variants):
            picture = _read(
                path, int(torch.randint(STYLE_SIDES[0], STYLE_SIDES[1] + 1, (), generator=generator))
            )
            targets.append(style_target(vgg, _varied(picture, generator) if variant else picture))
    with replacing(cache) as temporary:
        torch.save({"names": names, "targets": [asdict(target) for target in targets]}, temporary)
    return targets


def _read(path: Path, side: int) -> Tensor:
    return images.resize_short_side(images.read_on_white(path), side, LONGEST_STYLE)


def _varied(picture: Tensor, generator: torch.Generator) -> Tensor:
    """A random crop of a painting, mirrored or not, colours exchanged: hundreds of paintings are few."""
    height, width = picture.shape[-2:]
    top, left, bottom, right = torch.rand(4, generator=generator).mul(1 - LEAST_CROP).div(2).tolist()
    rows = slice(int(top * height), height - int(bottom * height))
    columns = slice(int(left * width), width - int(right * width))
    crop = picture[:, :, rows, columns]
    if torch.rand((), generator=generator) < 0.5:
        crop = crop.flip(3)
    return crop[:, torch.randperm(3, generator=generator)]


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
