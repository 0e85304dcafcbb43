"""Gatys: the pixels are optimised until their VGG features fit both photo and style. Slow, and the best."""

import contextlib
import copy
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from styletransfer import images
from styletransfer.adam import Adam
from styletransfer.core import Clock, Cost, OnStep, Progress, Style, blend
from styletransfer.errors import Cancelled, InvalidInput, MissingWeights
from styletransfer.losses import total_variation
from styletransfer.methods import cin
from styletransfer.methods.objective import Goal, Losses, Objective
from styletransfer.methods.tiles import counted
from styletransfer.settings import MAX_PIXELS, STYLE_SIDE, Optimization
from styletransfer.targets import StyleTarget, as_batch, style_target
from styletransfer.vgg import GRAM_LAYERS, VGG19, channels, check_layer, load_vgg19, oxford_sha256, stride

log = logging.getLogger(__name__)

MULTIPLY_ADDS = 380_000  # a pixel, of VGG-19 to relu5_1 and the Gram matrices, forward or backward
MEMORY = 1800  # bytes a pixel, of features and their gradients
STATE_MEMORY = 124  # bytes a pixel, of photo and picture, its average, gradient, Adam's state
STYLE_MEMORY = 1150  # bytes, times the short side squared, of a style picture of 3 to 2
HISTORY = 20  # steps that L-BFGS remembers, by two pictures each
HISTORY_MEMORY = (2 * HISTORY + 1) * 3 * 4  # bytes a pixel
TILE_SIDE = 1408  # pixels; larger pictures are worked on in tiles, which bounds the memory
PREVIEW_SECONDS = 2
SCALE = math.sqrt(2)  # between successive sizes
LEAST_SIDE = 32  # pixels; VGG halves a picture four times
LEAST_STYLE_SIDE = 64  # of style pictures: 4x4 places at relu5_1, as few would have hardly any covariance
MOST_COARSE = 3.0  # times the steps of the final size
LEAST_STEPS = 10  # at the largest size, where the time is limited


def load(models_dir: Path, device: torch.device, dtype: torch.dtype, int8: bool = False) -> "GatysStylizer":
    """The stylizer; it begins with what the base network of the folder paints, if that can be loaded."""
    try:
        fast = cin.load(models_dir, device, dtype, int8)
    except MissingWeights as error:
        log.warning("%s; optimisation begins with the photo instead", error)
        fast = None
    return GatysStylizer(load_vgg19(GRAM_LAYERS[-1]).to(device), fast, dtype)


@dataclass(frozen=True)
class _Plan:
    """One size of the picture: height and width, and the steps to take there."""

    size: tuple[int, int]
    steps: int

    @property
    def pixels(self) -> int:
        return self.size[0] * self.size[1]


class GatysStylizer:
    """Optimises, one photo at a time: see `styletransfer.core.Stylizer`.

    Source:  Gatys, Ecker and Bethge 2016 (the objective); coarse to fine, with Adam's state carried from size
             to size and an average of the iterates as the result, after Katherine Crowson.
    Differs: begins with what CIN paints; relative losses (see `styletransfer.losses`).

    Args:  vgg: to relu5_1, float32; fast: paints the start, or None; dtype: to compute in.
    """

    def __init__(self, vgg: VGG19, fast: cin.CinStylizer | None, dtype: torch.dtype) -> None:
        self.sha256, self.batch_pixels = oxford_sha256(), 0
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
        optimization: Optimization | None = None,
        visible: Tensor | None = None,
    ) -> Tensor:
        """Optimise, from small to full size.

        Strength, to the third power, is the weight of the style beside the content. When `on_step` raises
        `Cancelled` the picture so far comes back.
        """
        settings = optimization or Optimization()
        if content.dtype == torch.uint8:
            as_float = images.as_float(content)
            seen = None if visible is None else images.as_float(visible)
            painted = self.stylize(as_float, styles, weights, strength, on_step, optimization, seen)
            return images.as_bytes(painted)
        if bool((strength**3 == 0).all()):
            if on_step:
                with contextlib.suppress(Cancelled):
                    on_step(Progress(1, 1, preview=content.clone()))
            return content
        with torch.inference_mode(mode=False), torch.enable_grad():
            # Tensors made in inference mode cannot take part in a gradient, their copies can.
            seen = None if visible is None else visible.clone()
            run = _Run(
                self, content.clone(), styles, weights.clone(), strength.clone(), seen, settings, on_step
            )
            return run.paint()

    def check(self, styles: Sequence[Style], optimization: Optimization | None = None) -> None:
        """Raise InvalidInput for an unknown content layer, a style scale that no style has a picture for, or if
        CIN cannot paint the start that is wanted.
        """
        if optimization is None:
            return
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

    def cost(self, size: tuple[int, int], optimization: Optimization | None = None) -> Cost:
        """The cost of all steps, and the time where it is given."""
        settings = optimization or Optimization()
        check_layer(settings.content_layer, GRAM_LAYERS[-1])
        plans = _plans(size, settings)
        pixel_steps = sum(plan.pixels * plan.steps for plan in plans)
        height, width = plans[-1].size
        at_once = min(height, TILE_SIDE) * min(width, TILE_SIDE)
        tiled = max(height, width) > TILE_SIDE
        state = STATE_MEMORY + HISTORY_MEMORY * (settings.optimizer == "lbfgs")
        if tiled:  # the photo's features are kept for all tiles at once
            state += 4 * channels(settings.content_layer) // stride(settings.content_layer) ** 2
        # Forward and backward; and in tiles forward once more, for the statistics of the whole.
        work = (3 if tiled else 2) * MULTIPLY_ADDS * pixel_steps
        painting = MEMORY * at_once + state * plans[-1].pixels
        looking = STYLE_MEMORY * (STYLE_SIDE * settings.style_scale) ** 2
        return Cost(work, max(painting, looking), settings.seconds or None)

    def goals(
        self,
        styles: Sequence[Style],
        weights: Tensor,
        strength: Tensor,
        side: int,
        size: tuple[int, int],
        visible: Tensor | None = None,
    ) -> list[Goal]:
        """One blended style, or, where weights or strength are maps, each style where it belongs.

        Args:  side: pixels of the short side at which style pictures are looked at; size: of the picture;
               the others as for `stylize`.
        """
        targets = [self._target(style, side) for style in styles]
        if weights.ndim == 1 and strength.ndim == 0:
            target, weight = _blended(targets, weights).to(self.device), strength.item() ** 3
            if visible is None:
                return [Goal(target, weight)]
            seen = F.interpolate(counted(visible), size, mode="area")
            return [Goal(target, weight * seen.mean().item(), seen.to(self.device))]
        maps = weights if weights.ndim == 3 else weights[:, None, None].expand(-1, *strength.shape)
        maps = (maps * strength**3)[:, None]  # (S, 1, H, W)
        masks = F.interpolate(maps if visible is None else maps * counted(visible), size, mode="area")
        return [
            Goal(target.to(self.device), mask.mean().item(), mask[None].to(self.device))
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


class _Run:
    """One picture being optimised."""

    def __init__(
        self,
        stylizer: GatysStylizer,
        content: Tensor,
        styles: Sequence[Style],
        weights: Tensor,
        strength: Tensor,
        visible: Tensor | None,
        settings: Optimization,
        on_step: OnStep | None,
    ) -> None:
        self.stylizer, self.content, self.settings, self.on_step = stylizer, content, settings, on_step
        self.styles, self.weights, self.strength, self.visible = styles, weights, strength, visible
        self.generator = torch.Generator().manual_seed(int(settings.seed))  # NumPy's numbers are refused
        self.size = (content.shape[-2], content.shape[-1])
        self.plans = _plans(self.size, settings)
        self.final = self.plans[-1].size
        self.done = 0
        self.clock = Clock()
        self.began = self.shown = self.clock.now()
        self.losses = Losses(math.nan, math.nan, math.nan)
        self.seconds_a_pixel = 0.0  # of a step, at the last size
        self.result = content  # the average of the pictures so far

    def paint(self) -> Tensor:
        """(1, 3, H, W) in [0, 1], on the CPU."""
        start = self._start(self.final)
        image = images.resize(start, self.plans[0].size)
        adam_state: list[Tensor] = []
        with contextlib.suppress(Cancelled):
            for index, plan in enumerate(self.plans):
                if index:
                    coarser = self.plans[index - 1]
                    image = self._enlarged(image, plan.size, start)
                    # Losses are means over the picture: the more pixels, the smaller is the gradient of each.
                    shrink = coarser.pixels / plan.pixels
                    adam_state = [
                        _resized(part, plan.size) * shrink**power for power, part in enumerate(adam_state, 1)
                    ]
                image, adam_state = self._optimise(image, adam_state, index)
                if plan.size != self.final and not self._has_time_for(self.plans[index + 1], LEAST_STEPS / 2):
                    self.plans = self.plans[: index + 1]
                    if self._has_time_for(plan, 0.5):  # which was kept for the sizes now left out
                        self._optimise(image, adam_state, index)
                    break
        found = self._enlarged(self.result, self.final, start)  # stopped before, or out of time
        result = images.resize(found.detach().float().cpu(), self.size).clamp(0, 1)
        if self.on_step:
            with contextlib.suppress(Cancelled):
                self.on_step(Progress(self.done, self.done, preview=result.clone()))
        return result

    def _has_time_for(self, plan: _Plan, steps: float) -> bool:
        """Whether so many steps at a size fit into the time that is left; always where it has no limit."""
        if self.settings.seconds <= 0:
            return True
        left = self.settings.seconds - (self.clock.now() - self.began)
        return left > steps * self.seconds_a_pixel * plan.pixels

    def _enlarged(self, image: Tensor, size: tuple[int, int], start: Tensor) -> Tensor:
        """The picture in another size, with the detail of the start that is too fine for its own.

        Noise has nothing but that, which would be poured over the picture.
        """
        coarser = (image.shape[2], image.shape[3])
        if coarser == size:
            return image
        enlarged = images.resize(image, size)
        return enlarged if self.settings.start == "noise" else _with_detail(enlarged, start, coarser)

    def _start(self, size: tuple[int, int]) -> Tensor:
        kind, fast = self.settings.start, self.stylizer.fast
        self.stylizer.check(self.styles, self.settings)
        if self.settings.start_picture is not None:
            start = images.resize(images.read_on_white(self.settings.start_picture), size)
        elif kind == "noise":
            start = torch.rand(1, 3, *size, generator=self.generator, dtype=torch.float32)
        elif fast is not None and kind != "photo" and self.stylizer.can_paint_fast(self.styles):
            mix = self.styles, self.weights, self.strength
            whole = fast.stylize(self.content, *mix, visible=self.visible).clone()
            start = images.resize(whole, size)
        else:
            start = images.resize(self.content, size)
        return start.to(self.stylizer.device)

    def _optimise(self, image: Tensor, adam_state: list[Tensor], index: int) -> tuple[Tensor, list[Tensor]]:
        """Take the steps of one size. Returns the averaged picture and Adam's state."""
        settings, plan = self.settings, self.plans[index]
        photo = images.resize(self.content, plan.size).to(self.stylizer.device)
        relative = min(plan.size) / min(self.final)
        side = max(LEAST_STYLE_SIDE, round(STYLE_SIDE * settings.style_scale * relative))
        goals = self.stylizer.goals(self.styles, self.weights, self.strength, side, plan.size, self.visible)
        objective = Objective(self.stylizer.vgg, photo, goals, settings, TILE_SIDE)
        pixels = image.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
        optimizer = _optimizer(pixels, settings, adam_state)
        average, weight = torch.zeros_like(pixels), 0.0
        best, waited, step = math.inf, 0, 0
        schedule = _Schedule(self, index)
        while schedule.share(step) < 1 and waited < settings.patience:

            def closure() -> float:
                gradient, self.losses = objective.gradient(pixels)
                variation = settings.variation_weight * total_variation(pixels).sum()
                (smooth,) = torch.autograd.grad(variation, pixels)
                pixels.grad = torch.nan_to_num(gradient + smooth).contiguous()
                self.losses = replace(self.losses, objective=self.losses.objective + variation.item())
                return self.losses.objective

            before = pixels.detach().clone() if isinstance(optimizer, torch.optim.LBFGS) else pixels
            optimizer.step(closure)
            with torch.no_grad():
                pixels.copy_(torch.nan_to_num(pixels, nan=0.5).clamp_(0, 1))
                if isinstance(optimizer, torch.optim.LBFGS):
                    # The step as it was: what the clamping has cut off would be taken for curvature.
                    optimizer.state[pixels].update(d=(pixels - before).flatten(), t=1.0)
                average.lerp_(pixels, 1 - settings.average)
                weight += (1 - settings.average) * (1 - weight)
            self.result = average / weight
            step += 1
            self.done += 1
            if self.done == 1:  # now it is known how long steps take
                self.seconds_a_pixel = (self.clock.now() - schedule.began) / plan.pixels
                schedule.allot()
            better = self.losses.objective < 0.995 * best
            best, waited = (self.losses.objective, 0) if better else (best, waited + 1)
            self._report(schedule.left(step))
        self.seconds_a_pixel = (self.clock.now() - schedule.began) / step / plan.pixels
        return self.result, _adam_state(optimizer)

    def _report(self, left: int) -> None:
        if self.on_step is None:
            return
        now, preview = self.clock.now(), None
        if now - self.shown > PREVIEW_SECONDS:
            preview, self.shown = self.result.detach().float().cpu().clamp(0, 1), now
        progress = Progress(self.done, self.done + left, asdict(self.losses), preview)
        self.clock.report(self.on_step, progress)


class _Schedule:
    """How much of the work at one size is done: by its steps, or by its part of the available time."""

    def __init__(self, run: _Run, index: int) -> None:
        self.run, self.index, self.began = run, index, run.clock.now()
        self.allot()

    def allot(self) -> None:
        """Give this size its part of the time, beside the larger ones that are worth beginning.

        A step moves a pixel by little: where only a few fit, enlarging what there is does as well.
        """
        plans, left = self.run.plans[self.index :], 0.0
        if self.run.settings.seconds > 0:
            left = max(0.0, self.run.settings.seconds - (self.began - self.run.began))
            while len(plans) > 1 and self._steps_at_last(plans, left) < LEAST_STEPS:
                plans = plans[:-1]
        costs = [plan.steps * plan.pixels for plan in plans]
        self.seconds = left * costs[0] / sum(costs)
        self.later = sum(plan.steps for plan in plans[1:])

    def _steps_at_last(self, plans: list[_Plan], seconds: float) -> float:
        """How many steps at the largest of some sizes are taken in that time, as far as is known by now."""
        work = self.run.seconds_a_pixel * sum(plan.steps * plan.pixels for plan in plans)
        return plans[-1].steps * seconds / work if work > 0 else math.inf

    def share(self, step: int) -> float:
        """0 before the first step; from 1 on no further step is begun."""
        if self.run.settings.seconds <= 0:
            return step / self.run.plans[self.index].steps
        if step == 0:
            return 0.0
        elapsed = self.run.clock.now() - self.began
        half_a_step = elapsed / step / 2  # one that would end late by more is not begun
        return (elapsed + half_a_step) / max(self.seconds, 1e-9)

    def left(self, step: int) -> int:
        """Steps still to come, at all sizes; an estimate where time counts."""
        planned = self.run.plans[self.index].steps
        if self.run.settings.seconds <= 0:
            return self.later + planned - step
        steps = step / max(self.share(step), 1e-9)  # at this size; at all sizes time goes by the planned ones
        return round(max(0.0, steps - step) + self.later * steps / planned)


def _with_detail(image: Tensor, start: Tensor, coarser: tuple[int, int]) -> Tensor:
    """A picture enlarged from the size `coarser`, plus the detail of the start that is too fine for it."""
    size = (image.shape[2], image.shape[3])
    own = images.resize(start, size)
    detail = own - images.resize(images.resize(start, coarser), size)
    return (image + detail).clamp(0, 1)


def _plans(size: tuple[int, int], settings: Optimization) -> list[_Plan]:
    """The sizes, from small to full; tiny pictures are enlarged for the work."""
    enlarged = max(1.0, LEAST_SIDE / min(size))
    final = (round(size[0] * enlarged), round(size[1] * enlarged))
    if final[0] * final[1] > MAX_PIXELS:
        reason = f"has more than {MAX_PIXELS:,}; give a smaller size"
        if enlarged > 1:
            reason = "is too elongated for this method; crop it"
        raise InvalidInput(f"a picture of {size[1]}x{size[0]} pixels {reason}")
    least = max(settings.least_side, LEAST_SIDE)
    count = max(0, math.ceil(math.log(max(final) / least, SCALE) - 1e-6))
    plans = []
    for smaller in range(count, -1, -1):
        scale = SCALE**-smaller
        steps = max(1, round(settings.steps * min(MOST_COARSE, SCALE**smaller)))
        height, width = (max(LEAST_SIDE, round(side * scale)) for side in final)
        plans.append(_Plan((height, width), steps))
    return plans


def _blended(targets: Sequence[StyleTarget], weights: Tensor) -> StyleTarget:
    return as_batch(targets, len(targets)).map(lambda value: blend(value, weights[None]))


def _optimizer(pixels: Tensor, settings: Optimization, adam_state: list[Tensor]) -> torch.optim.LBFGS | Adam:
    if settings.optimizer == "lbfgs":
        return torch.optim.LBFGS([pixels], lr=1.0, max_iter=1, history_size=HISTORY)
    optimizer = Adam(pixels, settings.rate, betas=(0.9, 0.99))
    if adam_state:
        mean, square = adam_state
        optimizer.mean, optimizer.square = mean, square.clamp_min(0)
        optimizer.steps.fill_(1000.0)  # enough that Adam does not correct them as if they began at 0
    return optimizer


def _adam_state(optimizer: torch.optim.LBFGS | Adam) -> list[Tensor]:
    """Adam's running means of the gradient and of its square; [] of another optimiser."""
    return [optimizer.mean, optimizer.square] if isinstance(optimizer, Adam) else []


def _resized(state: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(state, size, mode="bilinear", align_corners=False)
