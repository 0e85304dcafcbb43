"""A training run of the base network as a folder: data in, checkpoints and sample sheets, shipped files out."""

import csv
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from styletransfer import images
from styletransfer.core import OnStep, StyleInfo
from styletransfer.errors import InvalidInput
from styletransfer.files import make_folder
from styletransfer.networks import TransformerNetwork
from styletransfer.predictor import RowPredictor
from styletransfer.settings import LICENCE, STYLE_SIDE
from styletransfer.stylebank import StyleBank, to_slug
from styletransfer.stylefile import check_base, save_style
from styletransfer.stylefolders import SUFFIX
from styletransfer.targets import style_target
from styletransfer.text import encodable, is_shown
from styletransfer.training.base import BaseModel, BaseTrainer
from styletransfer.training.chance import integer
from styletransfer.training.data import load_photographs, pictures_in, split_held_out
from styletransfer.training.held_out import CELL, grid, measure, paint_in_row
from styletransfer.training.looks import Looks, look_at, name_of
from styletransfer.training.settings import BaseTraining
from styletransfer.training.trainer import checkpoint_of, mean_losses, resume, run
from styletransfer.vgg import GRAM_LAYERS, STYLE_LAYERS, VGG19, load_vgg19
from styletransfer.weights import PREDICTOR_FILE, load_base, load_predictor_of_any_base, save_base

PREVIEW_SIDE = 192  # pixels, long side
WIDE_SIDES = (320, 480)  # pixels, short side of the wide paintings, which varies; of kept ones it is STYLE_SIDE


@dataclass(frozen=True)
class BaseJob:
    """Where a run reads and writes.

    `content`: photographs; `styles`: paintings, of which `catalogue` (CSV: slug, picture, title, artist,
    year, rights) names those that become styles, or all do; `wide`: further paintings that only make the
    network general; `out`: checkpoints, sheets and results; `preview`: the photo that the small pictures in
    the style files are painted from, or one of the held-out ones; `start`: a folder with models/ and styles/
    to begin from, such as an earlier run or the root of a checkout; `command`: recorded in the results.
    """

    content: Path
    styles: Path
    out: Path
    wide: Path | None = None
    catalogue: Path | None = None
    preview: Path | None = None
    start: Path | None = None
    command: str = ""


def train_base(
    job: BaseJob, settings: BaseTraining, device: torch.device, dtype: torch.dtype, on_step: OnStep
) -> None:
    """Train, or go on where the checkpoint in `job.out` stands, and write models/ and styles/ there.

    `on_step` gets the losses of every step and, now and then, a sample sheet; when it raises `Cancelled`, or
    the process ends, the last checkpoint stays. Raises InvalidInput, UnreadableImage, MissingWeights,
    InvalidStyleFile, UnwritableOutput, TrainingDiverged.
    """
    infos = read_catalogue(job)
    preview = images.read_on_white(job.preview) if job.preview else None  # an error now, not in hours
    photographs = pictures_in(job.content)
    wide = split_held_out(pictures_in(job.wide))[0] if job.wide else []
    started = None
    if job.start and not checkpoint_of(job.out).exists():
        started = _started(job.start, infos)
    make_folder(job.out)
    vgg = load_vgg19(STYLE_LAYERS[-1], dtype=dtype).to(device)
    contents, photos = load_photographs(photographs)
    looks = _looks(job.out, infos, wide, vgg, settings)
    trainer = BaseTrainer(vgg, contents, looks, len(infos), settings)
    if not resume(trainer, job.out) and started:
        trainer.start_from(started.network, _rows(started, trainer))
    run(trainer, job.out, lambda: _sample_sheet(trainer, photos[:3]), on_step)
    _export(job, infos, trainer, photos, photos[0] if preview is None else preview)


def read_catalogue(job: BaseJob) -> list[tuple[StyleInfo, Path]]:
    """The paintings that become styles, with what is known of them. Raises InvalidInput."""
    found: dict[str, Path] = {}
    for path in images.find_pictures(job.styles):
        if path.stem in found:
            raise InvalidInput(f"{path} and {found[path.stem].name} have the same name; rename one")
        found[path.stem] = path
    if job.catalogue is None:
        titles = {name: encodable(name) for name in found}
        lines = [{"slug": to_slug(title), "picture": name, "title": title} for name, title in titles.items()]
    else:
        try:
            with job.catalogue.open(encoding="utf-8-sig", newline="") as file:
                lines = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InvalidInput(f"the catalogue {job.catalogue} cannot be read: {error}") from error
    infos = []
    for line in lines:
        if not line.get("slug") or line.get("picture") not in found:
            raise InvalidInput(
                f"the catalogue names {line.get('slug')!r} with the picture {line.get('picture')!r}; write the "
                f"name of a picture in {job.styles} without its ending, and separate columns by commas"
            )
        info = StyleInfo(
            slug=line["slug"],
            title=line.get("title") or line["slug"],
            artist=line.get("artist") or "",
            year=line.get("year") or "",
            rights=line.get("rights") or "",
            style_side=STYLE_SIDE,
        )
        if info.slug != to_slug(info.slug):
            raise InvalidInput(f"the catalogue names {info.slug!r}; write {to_slug(info.slug)!r}")
        for text in (info.title, info.artist, info.year, info.rights):
            if not is_shown(text):
                raise InvalidInput(
                    f"the catalogue says {text!r} of {info.slug}; write it without control characters"
                )
        infos.append((info, found[line["picture"]]))
    slugs = [info.slug for info, _ in infos]
    twice = next((slug for slug in slugs if slugs.count(slug) > 1), None)
    if twice:
        raise InvalidInput(f"two paintings would both become the style {twice!r}; rename one")
    if not infos:
        raise InvalidInput(f"{job.catalogue or job.styles} names no painting to learn")
    return infos


@dataclass(frozen=True)
class _Started:
    """What a run begins with: the network, and by index the rows of those of its styles that the run keeps."""

    network: TransformerNetwork
    rows: dict[int, Tensor]
    predictor: RowPredictor | None  # of the rows of all other paintings


def _started(folder: Path, infos: list[tuple[StyleInfo, Path]]) -> _Started:
    network, sha256 = load_base(folder / "models")
    bank = StyleBank(folder / "styles")
    known = bank.paths()
    styles = {index: bank.load(info.slug) for index, (info, _) in enumerate(infos) if info.slug in known}
    for style in styles.values():
        check_base(style, sha256)
    if not styles:
        raise InvalidInput(f"{folder / 'styles'} contains none of the styles of this run to start from")
    predictor = None
    if (folder / "models" / PREDICTOR_FILE).exists():
        found, own_base = load_predictor_of_any_base(folder / "models")
        predictor = found if own_base == sha256 else None  # of an earlier training into the same folder
    return _Started(network, {index: style.row for index, style in styles.items()}, predictor)


def _rows(started: _Started, trainer: BaseTrainer) -> dict[int, Tensor]:
    rows = started.rows
    if started.predictor:
        targets = trainer.looks.targets.to(torch.device("cpu"))
        rows = dict(enumerate(started.predictor(targets.means, targets.stds))) | rows
    return {index: row.to(trainer.device) for index, row in rows.items()}


def _looks(
    out: Path, infos: list[tuple[StyleInfo, Path]], wide: list[Path], vgg: VGG19, settings: BaseTraining
) -> Looks:
    """Looks at the kept styles, then at the wide paintings. Raises InvalidInput, UnreadableImage."""
    wide = wide[:: max(1, len(wide) // max(1, settings.wide_styles))][: settings.wide_styles]
    generator = torch.Generator().manual_seed(settings.seed + 1)
    paintings = [(path, STYLE_SIDE) for _, path in infos]
    paintings += [(path, integer(*WIDE_SIDES, generator)) for path in wide]
    names = [f"{name_of(path)} {side}" for path, side in paintings]
    pictures = (images.as_style(images.read_on_white(path), side) for path, side in paintings)
    return look_at(out, names, pictures, vgg)


def _sample_sheet(trainer: BaseTrainer, samples: list[Tensor]) -> Tensor:
    """Some photos as they are, and in every kept style, as one picture (1, 3, H, W)."""
    model = trainer.averaged()
    cells = [images.resize(sample, CELL) for sample in samples]
    columns = [torch.cat(cells, dim=2)]
    for index in range(trainer.kept):
        painted = [_paint(trainer, model, cell, index).cpu() for cell in cells]
        columns.append(torch.cat(painted, dim=2))
    return grid(columns, 12)


def _paint(trainer: BaseTrainer, model: BaseModel, photo: Tensor, index: int) -> Tensor:
    return paint_in_row(model.network, photo, model.rows([index])[0], trainer.vgg.dtype)


def _export(
    job: BaseJob,
    infos: list[tuple[StyleInfo, Path]],
    trainer: BaseTrainer,
    photos: list[Tensor],
    preview: Tensor,
) -> None:
    """Write the base network, and a style file for every kept painting; `photos` are held-out ones."""
    make_folder(job.out / "styles")
    model = trainer.averaged()
    losses = []
    for index in range(trainer.kept):
        goal = trainer.looks.targets[[index]]
        paintings = ((_paint(trainer, model, photo, index), photo, goal) for photo in photos)
        losses.append(measure(trainer.vgg, paintings))
    data = {
        "photographs": len(trainer.contents),
        "styles": trainer.kept,
        "further paintings": len(trainer.looks) - trainer.kept,
    }
    recipe = {"command": job.command, "data": data, "settings": asdict(trainer.settings)}
    means = {name: round(mean, 4) for name, mean in mean_losses(losses).items()}
    digest = save_base(job.out / "models", model.network, {**recipe, "losses": means, "licence": LICENCE})
    preview = images.resize_long_side(preview, PREVIEW_SIDE)
    vgg = load_vgg19(GRAM_LAYERS[-1])
    for index, (info, path) in enumerate(infos):
        picture = images.as_style(images.read_on_white(path), info.style_side)
        target = style_target(vgg, picture, GRAM_LAYERS)
        row = model.rows([index])[0].detach()
        painted = paint_in_row(model.network, preview, row, torch.float32)
        known = replace(info, licence=LICENCE, base_sha256=digest, recipe=recipe, losses=losses[index])
        style = target.style(known, row.cpu(), images.to_jpeg(painted.cpu()))
        save_style(job.out / "styles" / f"{info.slug}{SUFFIX}", style)
