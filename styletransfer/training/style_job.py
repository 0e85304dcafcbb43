"""Learning a style from one picture: picture in, style file out."""

import hashlib
import math
import time
from collections import deque
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from styletransfer import images
from styletransfer.core import OnStep, Progress, Style, StyleInfo
from styletransfer.errors import Cancelled, InvalidInput
from styletransfer.files import load_checkpoint, make_folder, printable, save_checkpoint
from styletransfer.images import ImageSource
from styletransfer.methods.cin import CinStylizer
from styletransfer.predictor import RowPredictor
from styletransfer.settings import LICENCE, StyleTraining
from styletransfer.stylebank import SUFFIX, save_style
from styletransfer.targets import style_target
from styletransfer.training.data import built_in_crops, load_pictures, random_crop
from styletransfer.training.looks import Looks
from styletransfer.training.repetition import painting_repetition
from styletransfer.training.style import StyleFitter, predicted_start
from styletransfer.training.unseen import paint_in_row
from styletransfer.vgg import GRAM_LAYERS, STYLE_LAYERS, load_vgg19

CHECKPOINT_SECONDS = 5
PREVIEW_SECONDS = 3
THUMBNAIL_SIDE = 192  # pixels, long side


@dataclass(frozen=True)
class StyleJob:
    """What to learn, and where to put it.

    `image`: the picture; `title`, `slug`: what the style is called; `folder`: where its file goes; `content`:
    folder of photographs to learn on, or the ones at hand; `resume`: go on where an interrupted fit of the
    same picture stood; `command`: recorded in the file.
    """

    image: ImageSource
    title: str
    slug: str
    folder: Path
    content: Path | None = None
    resume: bool = False
    command: str = ""

    @property
    def checkpoint(self) -> Path:
        """Where an unfinished fit is kept."""
        return self.folder / f".{self.slug}.unfinished"


def train_style(
    job: StyleJob,
    base: CinStylizer,
    predictor: RowPredictor,
    settings: StyleTraining,
    on_step: OnStep | None = None,
) -> Style:
    """Fit gamma and beta to a picture and write the style file.

    `on_step` sees the losses of every step and a preview every few seconds. When it raises `Cancelled` the
    fit ends there, and what has been learned so far is the style; whatever else it raises drops the fit. Any
    other end leaves a checkpoint of the last seconds. Where a style of that name has come into the folder
    meanwhile, this one gets another.

    Args:    base: paints with the base network, not in 8-bit integers; predictor: says where to begin.
    Raises:  UnreadableImage, InvalidInput, UnwritableOutput, TrainingDiverged.
    """
    picture = images.as_style(images.read_on_white(job.image), settings.style_side)
    crops = _crops(job, settings)
    vgg = load_vgg19(GRAM_LAYERS[-1]).to(base.device)
    target = style_target(vgg, picture, GRAM_LAYERS)
    goal = target.at(STYLE_LAYERS)
    look = Looks(goal, painting_repetition(vgg, picture))
    vgg = vgg.to(base.dtype)
    fitter = StyleFitter(vgg, base.network, predicted_start(goal, predictor), look, crops, settings)
    fingerprint = hashlib.sha256(picture.numpy().tobytes() + base.sha256.encode()).hexdigest()
    spent = _resume(job, fitter, fingerprint) if job.resume else 0.0
    make_folder(job.folder)
    losses, seconds = _fit(job, fitter, fingerprint, spent, settings, on_step)
    recipe = {
        "command": job.command,
        "data": {"photographs": printable(job.content.name) if job.content else "built in"},
        "settings": asdict(settings),
        "steps": fitter.step,
        "seconds": round(seconds, 1),
    }
    info = StyleInfo(
        slug=job.slug,
        title=printable(job.title),
        licence=LICENCE,
        style_side=settings.style_side,
        base_sha256=base.sha256,
        recipe=recipe,
        losses={name: round(value, 4) for name, value in losses.items()},
    )
    while (job.folder / f"{info.slug}{SUFFIX}").exists():  # it came while this one was learned
        info = replace(info, slug=f"{info.slug}-2")
    thumbnail = images.to_jpeg(images.resize_long_side(picture, THUMBNAIL_SIDE))
    style = target.style(info, fitter.row(), thumbnail)
    save_style(job.folder / f"{info.slug}{SUFFIX}", style)
    job.checkpoint.unlink(missing_ok=True)
    return style


def _fit(
    job: StyleJob,
    fitter: StyleFitter,
    fingerprint: str,
    spent: float,
    settings: StyleTraining,
    on_step: OnStep | None,
) -> tuple[dict[str, float], float]:
    """Take all steps; mean losses of the last ones, and the seconds it took, the `spent` ones included."""
    recent: deque[dict[str, float]] = deque(maxlen=10)
    elsewhere = 0.0  # seconds spent in `on_step`: whoever watches does not take time from the fit
    began = saved = shown = time.monotonic()

    def now() -> float:
        return time.monotonic() - elsewhere

    def save(elapsed: float) -> None:
        state = {"fingerprint": fingerprint, "seconds": elapsed, "fit": fitter.whole_state()}
        save_checkpoint(state, job.checkpoint)

    def steps_by(elapsed: float) -> int:
        """How many steps there will have been; where time counts, an estimate."""
        if not settings.seconds or elapsed <= 0:
            return settings.steps
        expected = round(fitter.step * settings.seconds / elapsed)
        return min(settings.steps, max(fitter.step, expected))

    try:
        while True:
            elapsed = spent + now() - began
            share = fitter.step / settings.steps
            if settings.seconds:
                share = max(share, elapsed / settings.seconds)
            if share >= 1:
                break
            recent.append(fitter.take_step(share))
            preview = None
            if on_step and now() - shown > PREVIEW_SECONDS:
                preview, shown = _preview(fitter), now()
            if now() - saved > CHECKPOINT_SECONDS:
                save(elapsed)
                saved = now()
            if on_step:
                steps = steps_by(spent + now() - began)
                before = time.monotonic()
                try:
                    on_step(Progress(fitter.step, steps, recent[-1], preview))
                except Cancelled:
                    break
                except Exception:  # nobody will go on with it
                    job.checkpoint.unlink(missing_ok=True)
                    raise
                elsewhere += time.monotonic() - before
    except KeyboardInterrupt:
        save(spent + now() - began)
        raise
    names = ("content", "style") if recent else ()
    means = {name: math.fsum(losses[name] for losses in recent) / len(recent) for name in names}
    return means, spent + now() - began


def _resume(job: StyleJob, fitter: StyleFitter, fingerprint: str) -> float:
    """Bring the fitter to where the checkpoint stands; the seconds spent so far."""
    try:
        state = load_checkpoint(job.checkpoint)
    except FileNotFoundError:
        raise InvalidInput(
            f"there is no unfinished fit of {job.slug!r} to continue; leave --resume out"
        ) from None
    if state.get("fingerprint") != fingerprint:
        raise InvalidInput(
            f"the unfinished fit of {job.slug!r} used another picture, size or network; leave --resume out"
        )
    fitter.restore(state["fit"])
    return state["seconds"]


def _crops(job: StyleJob, settings: StyleTraining) -> list[Tensor]:
    generator = torch.Generator().manual_seed(settings.seed)
    if job.content is None:
        return built_in_crops(settings.crops, settings.side, generator)
    paths = images.find_pictures(job.content)
    order = torch.randperm(len(paths), generator=generator)[: settings.crops].tolist()
    pictures = load_pictures([paths[index] for index in order], round(1.5 * settings.side))
    return [random_crop(pictures, settings.side, generator) for _ in range(settings.crops)]


def _preview(fitter: StyleFitter) -> Tensor:
    """The first crop, painted."""
    row = fitter.row().to(fitter.device)
    return paint_in_row(fitter.network, fitter.crops[0], row, fitter.dtype).cpu()
