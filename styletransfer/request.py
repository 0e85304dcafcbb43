"""A request: everything about a painting except the photo, checked; and the painting of photos."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from styletransfer import images
from styletransfer.color import give_back, keep_color, keep_photo
from styletransfer.core import Cost, OnStep, Progress, Style, Stylizer
from styletransfer.device import on_the_cpu
from styletransfer.errors import Cancelled, InvalidInput
from styletransfer.images import ImageSource, Painting, Picture
from styletransfer.masks import cover_of, shares_of
from styletransfer.memory import within_memory
from styletransfer.settings import (
    COLOR_MODES,
    MAX_PIXELS,
    PRESERVE_COLOR,
    SIZE,
    STRENGTH,
    STROKE_SIZE,
    USUAL,
    VERSION,
    WHOLE_PIXELS,
    Optimization,
)
from styletransfer.text import encodable

# How much an enlarged painting is painted over, from a stroke size of 2 on. With less the fine strokes are
# faint, and in some styles hazy; with all of it they take the place of the broad ones.
PAINTED_OVER = 0.7

USUAL_PIXELS = 3_000_000  # of a picture up to which strokes of the usual size do not look small
MOST_GROWTH = 4.0  # of strokes, with larger pictures
LEAST_BROADNESS = 1.4  # that is worth painting twice, unless it is wished for


@dataclass(frozen=True)
class Options:
    """How to paint in any style: see `StyleTransfer.stylize`. Raises InvalidInput."""

    strength: float
    size: int | None
    stroke_size: float
    preserve_color: float
    color_mode: str
    optimization: Optimization

    def __post_init__(self) -> None:
        STRENGTH.check("strength", self.strength)
        PRESERVE_COLOR.check("preserve_color", self.preserve_color)
        STROKE_SIZE.check("stroke_size", self.stroke_size)
        if self.size is not None:
            SIZE.check("size", self.size)
        if self.color_mode not in COLOR_MODES:
            raise InvalidInput(
                f"unknown color_mode {self.color_mode!r}; choose one of {', '.join(COLOR_MODES)}"
            )


@dataclass(frozen=True)
class Request:
    """What to paint with. Raises InvalidInput or InvalidStyleFile for what the method cannot do.

    `weights` style name -> share, in the order of `styles`; `masks` style name -> (1, 1, H, W) in [0, 1], at
    most one a style; `kept`: whether they are made from a mask of what is kept.
    """

    method: str
    stylizer: Stylizer
    styles: list[Style]
    weights: Mapping[str, float]
    masks: Mapping[str, Tensor]
    options: Options
    kept: bool = False

    def __post_init__(self) -> None:
        self.stylizer.check(self.styles, self.options.optimization)

    def parameters(self) -> dict[str, object]:
        """The settings that are embedded in the result; of masks and style pictures only the names."""
        options = {name: value for name, value in asdict(self.options).items() if name != "optimization"}
        if self.kept:
            options["keep"] = True
        elif self.masks:
            options["masks"] = sorted(self.masks)
        named = zip(self.weights, self.styles, strict=True)
        style_masks = sorted(name for name, style in named if style.picture_mask is not None)
        if style_masks:
            options["style_masks"] = style_masks
        if self.method == "gatys":  # other methods ignore it
            chosen = asdict(self.options.optimization)
            start = encodable(Path(chosen["start"]).name)  # where it lies is private
            options["optimization"] = chosen | {"start": start}
        found = {
            "method": self.method,
            "styles": {name: round(weight, 6) for name, weight in self.weights.items()},
            "network": self.stylizer.sha256,
            "version": VERSION,
            **options,
        }
        # NumPy's numbers become plain ones.
        plain: dict[str, object] = json.loads(json.dumps(found, default=lambda number: number.item()))
        return plain

    @on_the_cpu()
    def read(self, source: ImageSource | Picture) -> Picture:
        """A photo in the wanted size. Raises UnreadableImage, or InvalidInput where the memory is too small."""
        picture, size = images.read_picture(source), self.options.size
        if size is None:
            return picture
        wanted = images.with_long_side(picture.size, size)
        return within_memory(lambda: picture.resized(wanted), wanted)

    @on_the_cpu()
    def paint(self, pictures: Sequence[Picture], on_step: OnStep | None = None) -> list[Painting]:
        """The paintings of photos that were `read`: of one, or of several of one kind, see `batches.paint_all`.

        One that was stopped early says so in its parameters. Raises InvalidInput.
        """
        if self.options.strength == 0:
            return self._unpainted(pictures, on_step)
        own = pictures[0].size
        broadness = self.broadness(own)
        size = checked_size(own, broadness)
        largest = own if _paints_over(self.stylizer, broadness) else size
        return within_memory(lambda: self._painted(pictures, size, on_step), largest)

    def broadness(self, size: tuple[int, int]) -> float:
        """How many times as broad as usual, in pixels, strokes on a picture of that height and width are."""
        return _broadness(self.stylizer, size, self.options.stroke_size)

    def _unpainted(self, pictures: Sequence[Picture], on_step: OnStep | None) -> list[Painting]:
        """The photos as they are, which is what strength 0 asks for."""
        if on_step:
            try:
                on_step(Progress(1, 1))
            except Cancelled:
                if self.method != "gatys":  # which returns what it has
                    raise
        return [Painting(picture.rgb, picture.alpha, self.parameters()) for picture in pictures]

    @torch.inference_mode()
    def _painted(
        self, pictures: Sequence[Picture], size: tuple[int, int], on_step: OnStep | None
    ) -> list[Painting]:
        """The photos, painted at `size`, brought back to their own, and painted over where that is of use."""
        photos = [images.resize_within(picture.rgb, size) for picture in pictures]
        photo = photos[0] if len(photos) == 1 else torch.cat([images.as_float(each) for each in photos])
        weights, strength = shares_of(self.weights, self.options.strength, self.masks, size)
        own, stopped, done = pictures[0].size, False, 0
        large = torch.uint8 in (photo.dtype, pictures[0].rgb.dtype)
        broadness = self.broadness(own)
        twice = _paints_over(self.stylizer, broadness)
        first, over = (self.stylizer.cost(each).steps if twice else 0 for each in (size, own))

        def watch(progress: Progress) -> None:
            nonlocal stopped
            if twice:
                steps = first + over * len(pictures)
                progress = replace(progress, step=done + progress.step, steps=steps)
            if large:
                images.release()  # parts of a large picture come and go tile by tile
            if on_step and progress.preview is not None:
                preview = images.as_float(self._finished(progress.preview, pictures[0]))
                progress = replace(progress, preview=_on_white(preview, pictures[0].alpha))
            try:
                if on_step:
                    on_step(progress)
            except Cancelled:
                stopped |= progress.step < progress.steps
                raise

        watching = watch if on_step or large else None
        painted = self.stylizer.stylize(
            photo, self.styles, weights, strength, watching, self.options.optimization, _visible(pictures, size)
        ).split(1)
        parameters = self.parameters() | ({"stopped": True} if stopped else {})
        if broadness > 1:
            weights, strength = shares_of(self.weights, self.options.strength, self.masks, own)
        paintings = []
        for index, (picture, each, one) in enumerate(zip(pictures, photos, painted, strict=True)):
            rgb = self._in_own_size(one, picture, each, strength)
            if twice:
                done = first + index * over
                rgb = self._painted_over(rgb, picture, weights, strength, watching)
            paintings.append(Painting(self._finished(rgb, picture), picture.alpha, parameters))
        return paintings

    def _in_own_size(self, painted: Tensor, picture: Picture, photo: Tensor, strength: Tensor) -> Tensor:
        """A painting in the size of its picture, of which `photo` is what was painted.

        A weak one gets the fine detail back that the smaller photo lacks: strength begins at the photo itself.
        """
        rgb = images.resize_within(painted, picture.size)
        if self.broadness(picture.size) <= 1 or bool((strength == 1).all()):
            return rgb
        share = (1 - strength).expand(1, 1, *picture.size)
        return give_back(rgb, picture.rgb, images.resize_within(photo, picture.size), share)

    def _painted_over(
        self, rgb: Tensor, picture: Picture, weights: Tensor, strength: Tensor, on_step: OnStep | None
    ) -> Tensor:
        """An enlarged painting with fine strokes on its broad ones, which are blurred without."""
        strength = strength * PAINTED_OVER * min(1.0, math.log2(self.broadness(picture.size)))
        visible = _visible([picture], picture.size)
        return self.stylizer.stylize(rgb, self.styles, weights, strength, on_step, USUAL, visible)

    def _finished(self, rgb: Tensor, picture: Picture) -> Tensor:
        """A painted picture or a preview of it, with the colours and parts of the photo that are to be kept."""
        options, size, cover, photo = self.options, (rgb.shape[2], rgb.shape[3]), None, picture.rgb
        if self.masks or options.preserve_color > 0:
            photo = images.resize_within(photo, size)
        if self.masks:
            cover = cover_of(self.weights, self.masks, size)
        if options.preserve_color > 0:
            visible = _visible([picture], size)  # what nobody sees has no say
            rgb = keep_color(rgb, photo, options.preserve_color, options.color_mode, cover, visible)
        return rgb if cover is None else keep_photo(rgb, photo, cover)


def _broadness(stylizer: Stylizer, size: tuple[int, int], stroke_size: float) -> float:
    """`Request.broadness`: in large pictures strokes grow with the sides, if the method can paint them sharply.

    At their usual size a photo from a phone, seen as a whole, would look like a photo with a fine grain.
    """
    if not stylizer.paints_over:
        return stroke_size
    grown = stroke_size * min(max(1.0, math.sqrt(size[0] * size[1] / USUAL_PIXELS)), MOST_GROWTH)
    return grown if grown >= LEAST_BROADNESS else max(stroke_size, min(grown, 1.0))


def working_size(size: tuple[int, int], broadness: float) -> tuple[int, int]:
    """Height and width at which a photo is painted, before the painting is brought back to its own size."""
    height, width = (max(1, round(side / broadness)) for side in size)
    return height, width


def cost_of(stylizer: Stylizer, size: tuple[int, int], stroke_size: float, optimization: Optimization) -> Cost:
    """About what a painting of that height and width takes. Raises InvalidInput."""
    broadness = _broadness(stylizer, size, stroke_size)
    if not _paints_over(stylizer, broadness):
        return stylizer.cost(checked_size(size, broadness), optimization)
    over = stylizer.cost(checked_size(size, 1), optimization)
    cost = stylizer.cost(working_size(size, broadness), optimization)
    pixels = size[0] * size[1]
    enlarged = 3 * pixels if pixels > WHOLE_PIXELS else 0  # bytes
    return Cost(cost.multiply_adds + over.multiply_adds, max(cost.memory, over.memory + enlarged))


def _paints_over(stylizer: Stylizer, broadness: float) -> bool:
    return stylizer.paints_over and broadness > 1


def checked_size(size: tuple[int, int], broadness: float) -> tuple[int, int]:
    """The `working_size` of a photo. Raises InvalidInput where that is too large."""
    height, width = working_size(size, broadness)
    if height * width > MAX_PIXELS:
        raise InvalidInput(
            f"at stroke size {broadness:g} this is painted with {height * width:,} pixels, more than "
            f"{MAX_PIXELS:,}; give a smaller size"
        )
    return height, width


def _visible(pictures: Sequence[Picture], size: tuple[int, int]) -> Tensor | None:
    """How visible each pixel is at `size`, (B, 1, H, W), in the number format of the photos; None for fully."""
    maps = [
        images.resize_within(each.alpha, size)
        for each in pictures
        if each.alpha is not None and not each.is_opaque
    ]
    return torch.cat(maps) if len(maps) > 1 else next(iter(maps), None)  # a large one is not copied


def _on_white(preview: Tensor, alpha: Tensor | None) -> Tensor:
    """A preview (1, 3, H, W), which has no transparency, of a picture that has."""
    if alpha is None:
        return preview
    cover = images.as_float(images.resize_within(alpha, (preview.shape[2], preview.shape[3])))
    return preview * cover + (1 - cover)
