"""Gatys: the pixels are optimised until their VGG features fit both photo and style. Slow, and the best."""

import contextlib
import copy
import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from styletransfer import images
from styletransfer.core import Cost, OnStep, Progress, Style
from styletransfer.errors import Cancelled, InvalidInput, MissingWeights
from styletransfer.masks import counted
from styletransfer.methods import cin
from styletransfer.methods.coarse_to_fine import HISTORY, CoarseToFine
from styletransfer.methods.objective import Goal, Objective
from styletransfer.methods.schedule import Schedule, plan_sizes
from styletransfer.settings import STYLE_SIDE, USUAL, Optimization
from styletransfer.targets import StyleTarget, as_batch, style_target
from styletransfer.vgg import GRAM_LAYERS, VGG19, channels, check_layer, load_vgg19, oxford_sha256, stride

log = logging.getLogger(__name__)

MULTIPLY_ADDS = 380_000  # a pixel, of VGG-19 to relu5_1 and the Gram matrices, forward or backward
MEMORY = 1800  # bytes a pixel, of features and their gradients
STATE_MEMORY = 124  # bytes a pixel, of photo and picture, its average, gradient, Adam's state
STYLE_MEMORY = 1150  # bytes, times the short side squared, of a style picture of 3 to 2
HISTORY_MEMORY = (2 * HISTORY + 1) * 3 * 4  # bytes a pixel
TILE_SIDE = 1408  # pixels; larger pictures are worked on in tiles, which bounds the memory
LEAST_STYLE_SIDE = 64  # of style pictures: 4x4 places at relu5_1, as few would have hardly any covariance


def load(models_dir: Path, device: torch.device, dtype: torch.dtype, int8: bool = False) -> "GatysStylizer":
    """The stylizer; it begins with what the base network of the folder paints, if that can be loaded."""
    try:
        fast = cin.load(models_dir, device, dtype, int8)
    except MissingWeights as error:
        log.warning("%s; optimisation begins with the photo instead", error)
        fast = None
    return GatysStylizer(load_vgg19(GRAM_LAYERS[-1]).to(device), fast, dtype)


@dataclass(frozen=True)
class _Job:
    """What is to be painted: as for `GatysStylizer.stylize`, in copies that gradients can be taken of."""

    content: Tensor
    styles: Sequence[Style]
    weights: Tensor
    strength: Tensor
    visible: Tensor | None
    settings: Optimization


class GatysStylizer:
    """Optimises, one photo at a time: see `styletransfer.core.Stylizer`.

    Source:  Gatys, Ecker and Bethge 2016 (the objective); coarse to fine, with Adam's state carried from size
             to size and an average of the iterates as the result, after Katherine Crowson.
    Differs: begins with what CIN paints; relative losses (see `styletransfer.losses`).

    Args:  vgg: to relu5_1, float32; fast: paints the start, or None; dtype: to compute in.
    """

    def __init__(self, vgg: VGG19, fast: cin.CinStylizer | None, dtype: torch.dtype) -> None:
        self.sha256, self.batch_pixels, self.paints_over = oxford_sha256(), 0, False
        self.device, self.fast = vgg.mean.device, fast
        self._exact = self.vgg = vgg
        if vgg.dtype != dtype:
            self.vgg = copy.deepcopy(vgg)
            self.vgg.convolutions.to(dtype)  # the mean and std of the input keep their digits

    def stylize(
        self,
        content: Tensor,
        styles: Sequence[Style],
        weights: Tensor,
        strength: Tensor,
        on_step: OnStep | None = None,
        optimization: Optimization = USUAL,
        visible: Tensor | None = None,
    ) -> Tensor:
        """Optimise, from small to full size.

        Strength, to the third power, is the weight of the style beside the content. When `on_step` raises
        `Cancelled` the picture so far comes back.
        """
        if content.dtype == torch.uint8:
            wide = images.as_float(content)
            seen = None if visible is None else images.as_float(visible)
            painted = self.stylize(wide, styles, weights, strength, on_step, optimization, seen)
            return images.as_bytes(painted)
        wanted = strength**3 if visible is None else strength**3 * counted(visible)
        if not wanted.any():
            if on_step:
                with contextlib.suppress(Cancelled):
                    on_step(Progress(1, 1, preview=content.clone()))
            return content
        with torch.inference_mode(mode=False), torch.enable_grad():
            # Tensors made in inference mode cannot take part in a gradient, their copies can.
            seen = None if visible is None else visible.clone()
            job = _Job(content.clone(), styles, weights.clone(), strength.clone(), seen, optimization)
            schedule = Schedule((content.shape[2], content.shape[3]), optimization)
            start = self._start(job, schedule.final)
            objective_at = functools.partial(self._objective_at, job, schedule.final)
            return CoarseToFine(schedule, start, objective_at, optimization, on_step).paint()

    def check(self, styles: Sequence[Style], optimization: Optimization = USUAL) -> None:
        """Raise InvalidInput for an unknown content layer, a style scale that no style has a picture for, or if
        CIN cannot paint the start that is wanted.
        """
        check_layer(optimization.content_layer, GRAM_LAYERS[-1])
        if optimization.style_scale != 1 and all(style.picture is None for style in styles):
            raise InvalidInput("style_scale only works with pictures as styles; learned styles have theirs")
        if optimization.start != "fast" or self.can_paint_fast(styles):
            return
        reason = "not all of the styles have been learned for the fast method"
        if self.fast is None:
            reason = "the weights of the fast method could not be loaded"
        raise InvalidInput(f"start=fast is not possible: {reason}; choose another start")

    def can_paint_fast(self, styles: Sequence[Style]) -> bool:
        """Whether CIN can paint in all of these styles."""
        return self.fast is not None and all(style.info.base_sha256 == self.fast.sha256 for style in styles)

    def cost(self, size: tuple[int, int], optimization: Optimization = USUAL) -> Cost:
        """The cost of all steps, and the time where it is given."""
        content_layer = optimization.content_layer
        check_layer(content_layer, GRAM_LAYERS[-1])
        plans = plan_sizes(size, optimization)
        pixel_steps = sum(plan.pixels * plan.steps for plan in plans)
        height, width = plans[-1].size
        at_once = min(height, TILE_SIDE) * min(width, TILE_SIDE)
        tiled = max(height, width) > TILE_SIDE
        state = STATE_MEMORY + HISTORY_MEMORY * (optimization.optimizer == "lbfgs")
        if tiled:  # the photo's features are kept for all tiles at once
            state += 4 * channels(content_layer) // stride(content_layer) ** 2
        # Forward and backward; and in tiles forward once more, for the statistics of the whole.
        work = (3 if tiled else 2) * MULTIPLY_ADDS * pixel_steps
        painting = MEMORY * at_once + state * plans[-1].pixels
        looking = STYLE_MEMORY * (STYLE_SIDE * optimization.style_scale) ** 2
        return Cost(work, max(painting, looking), optimization.seconds or None)

    def _start(self, job: _Job, size: tuple[int, int]) -> Tensor:
        """The picture to begin with, (1, 3, H, W), in that size."""
        settings = job.settings
        self.check(job.styles, settings)
        if settings.start_picture is not None:
            start = images.resize(images.read_on_white(settings.start_picture), size)
        elif settings.start == "noise":
            generator = torch.Generator().manual_seed(int(settings.seed))  # NumPy's numbers are refused
            start = torch.rand(1, 3, *size, generator=generator, dtype=torch.float32)
        elif self.fast is not None and settings.start != "photo" and self.can_paint_fast(job.styles):
            mix = job.styles, job.weights, job.strength
            whole = self.fast.stylize(job.content, *mix, visible=job.visible).clone()
            start = images.resize(whole, size)
        else:
            start = images.resize(job.content, size)
        return start.to(self.device)

    def _objective_at(self, job: _Job, final: tuple[int, int], size: tuple[int, int]) -> Objective:
        """The objective at a size; where that is below the final one, style pictures are smaller as well."""
        photo = images.resize(job.content, size).to(self.device)
        relative = min(size) / min(final)
        side = max(LEAST_STYLE_SIDE, round(STYLE_SIDE * job.settings.style_scale * relative))
        goals = self.goals(job.styles, job.weights, job.strength, side, size, job.visible)
        seen = None if job.visible is None else _seen(job.visible, size).to(self.device)
        return Objective(self.vgg, photo, goals, job.settings, TILE_SIDE, seen)

    def goals(
        self,
        styles: Sequence[Style],
        weights: Tensor,
        strength: Tensor,
        side: int,
        size: tuple[int, int],
        visible: Tensor | None = None,
    ) -> list[Goal]:
        """One blended style, or, where weights and strength are maps, each style where it belongs.

        Args:  side: pixels of the short side at which style pictures are looked at; size: of the picture;
               the others as for `stylize`.
        """
        targets = [self._target(style, side) for style in styles]
        if weights.ndim == 1:
            target, weight = as_batch(targets, len(targets)).blended(weights), strength.item() ** 3
            target = target.to(self.device)
            if visible is None:
                return [Goal(target, weight)]
            return [Goal(target, weight, _seen(visible, size).to(self.device))]
        regions = (weights * strength**3)[:, None]  # (S, 1, H, W)
        masks = F.interpolate(regions if visible is None else regions * counted(visible), size, mode="area")
        area = 1.0 if visible is None else _seen(visible, size).mean().item()
        return [
            Goal(target.to(self.device), mask.mean().item() / area, mask[None].to(self.device))
            for target, mask in zip(targets, masks, strict=True)
            if mask.max() > 0
        ]

    def _target(self, style: Style, side: int) -> StyleTarget:
        if style.picture is None:
            return StyleTarget.of(style, GRAM_LAYERS)
        picture = images.as_style(style.picture, side)
        mask = style.picture_mask
        if mask is not None:
            mask = images.resize(mask, (picture.shape[2], picture.shape[3]))
        return style_target(self._exact, picture, GRAM_LAYERS, mask)


def _seen(visible: Tensor, size: tuple[int, int]) -> Tensor:
    """How much each pixel counts at a size, (1, 1, H, W)."""
    return F.interpolate(counted(visible), size, mode="area")
