"""Learning a style from one picture: picture in, style file out."""

import hashlib
import itertools
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from styletransfer import images
from styletransfer.checkpoints import load_checkpoint, save_checkpoint
from styletransfer.convolution import compute_in
from styletransfer.core import Clock, OnStep, Progress, Style, StyleInfo
from styletransfer.errors import Cancelled, InvalidInput
from styletransfer.files import check_place, make_folder, real
from styletransfer.images import ImageSource
from styletransfer.memory import within_memory
from styletransfer.stylebank import LONGEST_SLUG
from styletransfer.stylefile import save_style
from styletransfer.stylefolders import SUFFIX
from styletransfer.text import encodable
from styletransfer.training.data import built_in_crops, load_pictures, pictures_in, random_crop
from styletransfer.training.held_out import paint_in_row
from styletransfer.training.looks import Looks, look
from styletransfer.training.settings import StyleTraining
from styletransfer.training.style import StyleFitter, predicted_start
from styletransfer.training.trainer import mean_losses
from styletransfer.vgg import GRAM_LAYERS, STYLE_LAYERS, load_vgg19
from styletransfer.weights import load_base, load_predictor

CHECKPOINT_SECONDS = 5
PREVIEW_SECONDS = 3
THUMBNAIL_SIDE = 192  # pixels, long side


@dataclass(frozen=True)
class StyleJob:
    """What to learn, and where to put it.

    `image`: the picture; `title`, `slug`: what the style is called; `folder`: where its file goes; `models`:
    folder of the base network and the predictor; `content`: folder of photographs to learn on, or the ones at
    hand; `resume`: go on where an interrupted fit of the same picture stood; `command`: recorded in the file.
    """

    image: ImageSource
    title: str
    slug: str
    folder: Path
    models: Path
    content: Path | None = None
    resume: bool = False
    command: str = ""

    @property
    def checkpoint(self) -> Path:
        """Where an unfinished fit is kept."""
        return self.folder / f".{self.slug}.unfinished"


def train_style(
    job: StyleJob,
    settings: StyleTraining,
    device: torch.device,
    dtype: torch.dtype,
    on_step: OnStep | None = None,
) -> Style:
    """Fit gamma and beta to a picture and write the style file.

    `on_step` gets the losses of every step and a preview every few seconds. When it raises `Cancelled`, the fit
    ends there and what has been learned so far becomes the style; any other exception from it drops the fit.
    Any other end leaves a checkpoint at most a few seconds old. If a style of that name has come into the
    folder meanwhile, this one gets a number. Raises UnreadableImage, InvalidInput, UnwritableOutput,
    MissingWeights, TrainingDiverged.
    """
    network, sha256 = load_base(job.models)
    compute_in(network.to(device), dtype)
    predictor, _ = load_predictor(job.models)
    picture = images.as_style(images.read_on_white(job.image), settings.style_side)
    crops = _crops(job, settings)
    vgg = load_vgg19(GRAM_LAYERS[-1]).to(device)
    height, width = picture.shape[-2:]
    looked = within_memory(lambda: look(vgg, picture, GRAM_LAYERS), (height, width))
    goal = Looks(looked.targets.at(STYLE_LAYERS), looked.repetition)
    start = predicted_start(goal.targets, predictor)
    vgg.convolutions.to(dtype)  # mean and std of the input keep their digits
    fitter = StyleFitter(vgg, network, start, goal, crops, settings)
    fingerprint = hashlib.sha256(picture.numpy().tobytes() + sha256.encode()).hexdigest()
    spent = _resume(job, fitter, fingerprint) if job.resume else 0.0
    make_folder(job.folder)
    check_place(job.folder / f"{job.slug}{SUFFIX}")
    losses, seconds = _fit(job, fitter, fingerprint, spent, on_step)
    recipe = {
        "command": job.command,
        "data": {"photographs": encodable(real(job.content).name) if job.content else "built in"},
        "settings": asdict(settings),
        "steps": fitter.step,
        "seconds": round(seconds, 1),
    }
    info = StyleInfo(
        slug=_free_slug(job),
        title=encodable(job.title),
        style_side=settings.style_side,
        base_sha256=sha256,
        recipe=recipe,
        losses={name: round(value, 4) for name, value in losses.items()},
    )
    thumbnail = images.to_jpeg(images.resize_long_side(picture, THUMBNAIL_SIDE))
    style = looked.targets.style(info, fitter.row(), thumbnail)
    save_style(job.folder / f"{info.slug}{SUFFIX}", style)
    _forget(job, fingerprint)
    return style


def _fit(
    job: StyleJob, fitter: StyleFitter, fingerprint: str, spent: float, on_step: OnStep | None
) -> tuple[dict[str, float], float]:
    """Take all steps; mean losses of the last ones, and the seconds it took, the `spent` ones included."""
    settings = fitter.settings
    recent: deque[dict[str, float]] = deque(maxlen=10)
    clock = Clock()
    began = saved = shown = clock.now()

    def save(elapsed: float) -> None:
        state = {"fingerprint": fingerprint, "seconds": elapsed, "fit": fitter.whole}
        save_checkpoint(state, job.checkpoint)

    def steps_by(elapsed: float) -> int:
        """How many steps there will have been; where time counts, an estimate."""
        if not settings.seconds or elapsed <= 0:
            return settings.steps
        expected = round(fitter.step * settings.seconds / elapsed)
        return min(settings.steps, max(fitter.step, expected))

    try:
        while True:
            elapsed = spent + clock.now() - began
            share = fitter.step / settings.steps
            if settings.seconds:
                share = max(share, elapsed / settings.seconds)
            if share >= 1:
                break
            recent.append(fitter.take_step(share))
            preview = None
            if on_step and clock.now() - shown > PREVIEW_SECONDS:
                preview, shown = _preview(fitter), clock.now()
            if clock.now() - saved > CHECKPOINT_SECONDS:
                save(elapsed)
                saved = clock.now()
            if on_step:
                steps = steps_by(spent + clock.now() - began)
                try:
                    clock.report(on_step, Progress(fitter.step, steps, recent[-1], preview))
                except Cancelled:
                    break
                except Exception:  # nobody will go on with it
                    _forget(job, fingerprint)
                    raise
    except KeyboardInterrupt:
        save(spent + clock.now() - began)
        raise
    means = mean_losses(recent) if recent else {}
    means.pop("objective", None)
    return means, spent + clock.now() - began


def _forget(job: StyleJob, fingerprint: str) -> None:
    """Remove the checkpoint of this fit; that of another one by the same name stays."""
    with suppress(FileNotFoundError, InvalidInput):
        if load_checkpoint(job.checkpoint).get("fingerprint") == fingerprint:
            job.checkpoint.unlink()


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
    try:
        fitter.restore(state["fit"])
        return state["seconds"]
    except (KeyError, RuntimeError, ValueError) as error:
        raise InvalidInput(
            f"the unfinished fit of {job.slug!r} was written by another version; leave --resume out"
        ) from error


def _free_slug(job: StyleJob) -> str:
    """The job's slug; with a number if a style of that name has come into the folder meanwhile."""
    slug, numbers = job.slug, itertools.count(2)
    while (job.folder / f"{slug}{SUFFIX}").exists():
        ending = f"-{next(numbers)}"
        slug = job.slug.encode()[: LONGEST_SLUG - len(ending)].decode(errors="ignore") + ending
    return slug


def _crops(job: StyleJob, settings: StyleTraining) -> list[Tensor]:
    generator = torch.Generator().manual_seed(settings.seed)
    if job.content is None:
        return built_in_crops(settings.crops, settings.side, generator)
    paths = pictures_in(job.content, least=1)
    order = torch.randperm(len(paths), generator=generator)[: settings.crops].tolist()
    pictures = load_pictures([paths[index] for index in order], round(1.5 * settings.side))
    return [random_crop(pictures, settings.side, generator) for _ in range(settings.crops)]


def _preview(fitter: StyleFitter) -> Tensor:
    """The first crop, painted."""
    row = fitter.row().to(fitter.device)
    return paint_in_row(fitter.network, fitter.crops[0], row, fitter.dtype).cpu()
