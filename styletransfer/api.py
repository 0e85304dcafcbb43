"""`StyleTransfer`: the one path that scripts, the command line and the page paint through."""

import copy
import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os.path import isdir, isfile
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image

from styletransfer import images, methods
from styletransfer.batches import BatchResult, paint_all
from styletransfer.core import OnStep, Style, StyleInfo, Stylizer, normalise_weights
from styletransfer.device import choose_device, choose_dtype, on_the_cpu
from styletransfer.errors import InvalidInput, UnreadableImage
from styletransfer.estimate import Estimate, estimate
from styletransfer.files import package_folder, version_of
from styletransfer.images import ImageSource
from styletransfer.picturestyles import PictureStyles
from styletransfer.request import Options, Request, cost_of
from styletransfer.settings import (
    MAX_PIL_PIXELS,
    PRESERVE_COLOR,
    STRENGTH,
    STROKE_SIZE,
    STYLE_SIDE,
    STYLE_SIZE,
    WORKERS,
    Optimization,
    is_finite,
    is_number,
)
from styletransfer.stylebank import StyleBank, to_slug
from styletransfer.stylefolders import SUFFIX, users_folder
from styletransfer.text import encodable, recorded
from styletransfer.training.settings import StyleTraining
from styletransfer.weights import MANIFEST_FILE, load_base

StyleName = str | Path | Image | Style  # the name of a style, or a style; or a picture to take the style from
# A mapping's type of keys is exact: of one of strings alone, each has to be named.
StyleShares = Mapping[str, float] | Mapping[Path, float] | Mapping[str | Path, float]
StyleMix = StyleName | StyleShares | Sequence[tuple[StyleName, float]]


class StyleTransfer:
    """Photo in, painting out. Owns the networks, loaded on first use, and the styles.

    Args:  device: such as "cpu", "cuda" or "mps"; default: the best one available;
           models_dir: folder of the weight files; default: the ones that came with the package;
           styles_dir: folder of your own styles, which has to exist; default: one in the user's data folder.
    """

    def __init__(
        self,
        *,
        device: str | None = None,
        models_dir: str | Path | None = None,
        styles_dir: str | Path | None = None,
    ) -> None:
        self._device = choose_device(device)
        self._models_dir = Path(models_dir) if models_dir else package_folder("models")
        if styles_dir is not None and not isdir(styles_dir):
            raise InvalidInput(f"{styles_dir} is not a folder of styles")
        self._styles_dir = Path(styles_dir) if styles_dir else None
        self._stylizers: dict[str, tuple[object, Stylizer]] = {}  # with the version of the weight files
        self._loading = threading.Lock()  # once, however many ask at the same time
        self._pictures = PictureStyles(self._models_dir, self._device)
        self._bank = StyleBank(package_folder("styles"), own=self._styles_dir or users_folder())

    @property
    def styles(self) -> dict[str, StyleInfo]:
        """The styles that can be used: style name -> title, artist, year and the rest, in order of name."""
        return self._bank.infos()

    @property
    def own_styles(self) -> list[str]:
        """Names of the styles that did not come with the package, and can be removed."""
        return [name for name in self._bank.paths() if not self._bank.is_shipped(name)]

    @torch.inference_mode(mode=False)
    @on_the_cpu()
    def train_style(
        self,
        image: ImageSource,
        name: str,
        *,
        content: str | Path | None = None,
        steps: int | None = None,
        seconds: float | None = None,
        style_side: int = STYLE_SIDE,
        folder: str | Path | None = None,
        resume: bool = False,
        on_step: OnStep | None = None,
    ) -> Style:
        """Learn a style from one picture: fit gamma and beta, and save the style file.

        Unless a `folder` is given the style can be used by its name afterwards.

        Args:    image: the painting, a file or a PIL image; name: its title, such as "My style", from which the
                 name of the style is made, "my-style";
                 content: folder of photographs to learn on, subfolders left out; default: a few that come with
                 the installation;
                 steps, seconds: how long to learn, whichever ends first: 240 steps unless either is given, and
                 never more than 5,000;
                 style_side: pixels of the picture's short side when it is looked at, 64 to 2048: the size of
                 the strokes;
                 folder: for the style file; default: the user's own styles;
                 resume: continue the interrupted fit of this name; if another style has it meanwhile, this one
                 gets a number, "my-style-2";
                 on_step: called with losses and, every few seconds, a preview; raising `Cancelled` in it ends
                 the fit, and what has been learned so far is kept.
        Raises:  StyleTransferError: UnreadableImage, InvalidInput, UnwritableOutput, MissingWeights,
                 TrainingDiverged.
        """
        from styletransfer.training.style_job import StyleJob, train_style

        STYLE_SIZE.check("style size", style_side)
        _check_above_zero("steps", steps, whole=True)
        _check_above_zero("seconds", seconds)
        if not isinstance(name, str):
            raise InvalidInput(f"the name is {name!r}; it must be a text, such as 'My style'")
        most = StyleTraining.steps if seconds is None else StyleTraining.most_steps
        settings = StyleTraining(  # of plain numbers, as NumPy's cannot be written as JSON
            steps=int(min(steps or most, StyleTraining.most_steps)),
            seconds=float(seconds or 0),
            style_side=int(style_side),
        )
        slug = to_slug(name)
        bank = StyleBank(*self._bank.shipped, own=Path(folder)) if folder else self._bank
        if not resume or bank.is_shipped(slug):
            bank.check_free(slug)
        job = StyleJob(
            image=image,
            title=name,
            slug=slug,
            folder=bank.own,
            models=self._models_dir,
            content=Path(content) if content else None,
            resume=resume,
            command=recorded(
                "train-style",
                Path(image).name if isinstance(image, str | Path) else "PICTURE",
                name=name,
                content=Path(content) if content else None,
                steps=steps,
                seconds=seconds,
                style_size=style_side if style_side != STYLE_SIDE else None,
            ),
        )
        return train_style(job, settings, self._device, choose_dtype(self._device), on_step)

    def check_name(self, name: str) -> None:
        """Raise InvalidInput unless a style of that title can be learned into the user's own styles."""
        self._bank.check_free(to_slug(name))

    @on_the_cpu()
    def style_preview(self, name: str) -> bytes:
        """A small JPEG: what a shipped style paints, or what one of your own was learned from; b"" if none."""
        return self._bank.preview(name)

    def with_styles(self, styles_dir: str | Path) -> "StyleTransfer":
        """A copy that shares the networks, for another folder of the user's own styles.

        The styles of this one's `styles_dir` can still be used, as if they were shipped.
        """
        other = copy.copy(self)
        shipped = [package_folder("styles"), *([self._styles_dir] if self._styles_dir else [])]
        other._bank = StyleBank(*shipped, own=Path(styles_dir))
        return other

    def remove_style(self, name: str) -> None:
        """Delete one of your own styles. Raises UnknownStyle, InvalidInput for others, UnwritableOutput."""
        self._bank.remove(name)

    def export_style(self, name: str, path: str | Path) -> None:
        """Copy the file of a style to `path`, which ends in .safetensors, to share it.

        Raises UnknownStyle, InvalidInput, InvalidStyleFile, UnwritableOutput.
        """
        if Path(path).suffix != SUFFIX:
            raise InvalidInput(f"cannot export to {Path(path).name!r}; the name must end in {SUFFIX}")
        self._bank.export(name, Path(path))

    @on_the_cpu()
    def import_style(self, path: str | Path) -> StyleInfo:
        """Check a style file from elsewhere and copy it into your own styles, under the name that it carries.

        Raises InvalidStyleFile, InvalidInput where the name is taken, UnwritableOutput.
        """
        network, sha256 = load_base(self._models_dir)
        return self._bank.add_file(Path(path), sha256, network.config.row_length)

    def stylize(
        self,
        image: ImageSource,
        style: StyleMix,
        *,
        method: str = "cin",
        strength: float = STRENGTH.default,
        size: int | None = None,
        stroke_size: float = STROKE_SIZE.default,
        preserve_color: float = PRESERVE_COLOR.default,
        color_mode: str = "luminance",
        masks: Mapping[str, ImageSource] | None = None,
        keep: ImageSource | None = None,
        style_masks: Mapping[str, ImageSource] | None = None,
        optimization: Optimization | Mapping[str, Any] | None = None,
        on_step: OnStep | None = None,
    ) -> Image:
        """Paint a photo.

        Args:    image: a file, or a PIL image of any mode; transparency is kept;
                 style: a name from `styles`, or a mix of names with weights: {"great-wave": 0.7,
                 "starry-night": 0.3}, normalised to sum 1; also a picture to take the style from, as a path or
                 a PIL image, or what `train_style` returned; [(image, 0.7), ("udnie", 0.3)] is a mix of both;
                 method: "cin", one pass of a network, fast; "adain", another one, which follows the palette of
                 a picture more than its brushwork; "gatys", which optimises for a minute or more;
                 strength: 0 gives the photo back, 1 the full painting;
                 size: long side of the result in pixels, 1 to 16384; default: the photo's own;
                 stroke_size: 0.25 to 4 times the usual one: the photo is painted at 1/stroke_size of its size,
                 and the painting scaled back; what "cin" has enlarged it then paints over in part, for sharp
                 fine strokes on the broad ones. Usual strokes of "cin" grow up to fourfold in pictures of more
                 than 6 megapixels; those of "gatys" at any size;
                 preserve_color: how much of the photo's colours to keep, 0 to 1; color_mode: "luminance", its
                 colours under the painting's brightness, or "statistics", the painting with its palette;
                 masks: style name -> a mask, white where the style belongs and black where it does not, or a
                 cut-out of a colour picture, transparent where the style does not belong. It is
                 scaled to the photo; where all are black the photo stays as it is, and greys of different masks
                 add up. A style without a mask belongs everywhere. A picture goes by the name of its file,
                 "painting.jpg"; a PIL image by "picture", a second one by "picture-2";
                 keep: instead of masks, one that is white where the photo stays as it is;
                 style_masks: the name of a picture used as a style -> a mask, white where its style is taken
                 from;
                 optimization: the settings of "gatys", or its fields by name;
                 on_step: called with the progress; raising `Cancelled` in it stops the work, and "gatys"
                 then returns what it has.
        Returns: RGB or RGBA of 8 bits, at most 178 megapixels, its parameters in `info`, which `save_picture`
                 embeds in the file.
        Raises:  StyleTransferError: UnreadableImage, UnknownStyle, InvalidInput, MissingWeights and others, all
                 in `styletransfer.errors`.
        """
        options = Options(strength, size, stroke_size, preserve_color, color_mode, _optimization(optimization))
        request = self._request(style, method, masks or {}, style_masks or {}, options, keep)
        picture = request.read(image)
        height, width = picture.size
        if height * width > MAX_PIL_PIXELS:
            raise InvalidInput(
                f"a painting of {width}x{height} pixels is too large for a PIL image, which holds at most "
                f"{MAX_PIL_PIXELS:,}; use stylize_batch, and call result.painting.save(path)"
            )
        [painting] = request.paint([picture], on_step)
        return painting.image()

    def stylize_batch(
        self,
        sources: Iterable[ImageSource],
        style: StyleMix,
        *,
        method: str = "cin",
        strength: float = STRENGTH.default,
        size: int | None = None,
        stroke_size: float = STROKE_SIZE.default,
        preserve_color: float = PRESERVE_COLOR.default,
        color_mode: str = "luminance",
        masks: Mapping[str, ImageSource] | None = None,
        keep: ImageSource | None = None,
        style_masks: Mapping[str, ImageSource] | None = None,
        optimization: Optimization | Mapping[str, Any] | None = None,
        on_step: OnStep | None = None,
        workers: int = round(WORKERS.default),
    ) -> Iterator[BatchResult]:
        """Paint many photos in order, with everything loaded once; the next ones are read meanwhile.

        Small photos of one size in a row are painted together, where that changes nothing. PIL images are read
        as they are taken from `sources`, before the next one is asked for.

        A photo that cannot be read comes back with its `error`, and the batch goes on. What would fail for
        every photo, such as an unknown style, is raised at once.

        Args:  workers: how many photos are read at a time, and wait in memory; the others as for `stylize`.
        """
        WORKERS.check("workers", workers)
        if isinstance(sources, ImageSource):
            told = "this" if isinstance(sources, Image) else repr(str(sources))
            raise InvalidInput(f"{told} is one photo; give a list, or use `stylize`")
        options = Options(strength, size, stroke_size, preserve_color, color_mode, _optimization(optimization))
        request = self._request(style, method, masks or {}, style_masks or {}, options, keep)
        return paint_all(request, sources, on_step, workers)

    def estimate(
        self,
        size: tuple[int, int],
        *,
        method: str = "cin",
        stroke_size: float = STROKE_SIZE.default,
        optimization: Optimization | Mapping[str, Any] | None = None,
    ) -> Estimate:
        """About how long painting a picture of that height and width takes here, and how much memory.

        The first call measures how fast the machine is, in a fraction of a second. Raises InvalidInput,
        MissingWeights.
        """
        STROKE_SIZE.check("stroke_size", stroke_size)
        if not _is_size(size):
            raise InvalidInput(f"size is {size!r}; give height and width in pixels")
        height, width = map(int, size)  # NumPy's narrow ones would overflow
        cost = cost_of(self._stylizer(method), (height, width), stroke_size, _optimization(optimization))
        return estimate(cost, self._device)

    # A caller's mode does not hold: what is kept here could not take part in a gradient later on.
    @torch.inference_mode(mode=False)
    @on_the_cpu()
    def _request(
        self,
        style: StyleMix,
        method: str,
        masks: Mapping[str, ImageSource],
        style_masks: Mapping[str, ImageSource],
        options: Options,
        keep: ImageSource | None = None,
    ) -> Request:
        """Everything about a painting except the photo, checked and loaded."""
        styles: dict[str, Style] = {}
        weights, pairs = {}, _pairs(style)
        taken = {self._slug(name) for name, _ in pairs}
        for name, weight in pairs:
            if isinstance(name, Style):
                slug, found = name.info.slug, name
            elif (known := self._slug(name)) is not None:
                if known not in self._bank.paths() and Path(known).suffix.lower() in images.PICTURE_SUFFIXES:
                    raise UnreadableImage(f"{known}: no such file; give a picture, or the name of a style")
                slug, found = known, self._bank.load(known)
            else:
                title = "picture" if isinstance(name, Image) else encodable(Path(name).name)
                slug = next(each for each in _numbered(title) if each not in {*taken, *styles})
                found = self._pictures.get(name, slug, style_masks.get(slug))
            if slug in styles:
                raise InvalidInput(f"the style {slug!r} is given twice; give each style once")
            styles[slug], weights[slug] = found, weight
        for name in style_masks:
            if name not in styles or styles[name].picture is None:
                pictures = ", ".join(each for each in styles if styles[each].picture is not None)
                raise InvalidInput(
                    f"there is a style mask for {name!r}, which is not one of the pictures used as styles: "
                    f"{pictures or 'none'}"
                )
        weights = normalise_weights(weights)
        used = [styles[name] for name in weights]
        shades = {}
        if keep is not None:
            if masks:
                raise InvalidInput("masks and keep exclude each other; make the masks black there")
            shades = dict.fromkeys(weights, 1 - images.read_mask(keep))
        for name, mask in masks.items():
            if name not in styles:
                raise InvalidInput(
                    f"there is a mask for {name!r}, which is not in the mix of {', '.join(styles)}"
                )
            if name not in weights:
                continue  # a style of weight 0
            shades[name] = images.read_mask(mask)
        if method == "gatys" and options.optimization.start_picture is not None:
            images.read_on_white(options.optimization.start_picture)  # an error now, not of every photo
        return Request(method, self._stylizer(method), used, weights, shades, options, kept=keep is not None)

    def _slug(self, name: StyleName) -> str | None:
        """The name that a style goes by; None for a picture."""
        if isinstance(name, Style):
            return name.info.slug
        is_style = isinstance(name, str) and (name in self._bank.paths() or not isfile(name))
        return str(name) if is_style else None

    @torch.inference_mode(mode=False)  # see `_request`
    @on_the_cpu()
    def _stylizer(self, method: str) -> Stylizer:
        with self._loading:
            version = version_of(self._models_dir / MANIFEST_FILE)  # which may be replaced meanwhile
            found = self._stylizers.get(method)
            if found is None or found[0] != version:
                found = version, methods.load(method, self._models_dir, self._device)
                self._stylizers[method] = found
            return found[1]


def _check_above_zero(name: str, value: float | None, *, whole: bool = False) -> None:
    if value is not None and not (is_finite(value, whole=whole) and value > 0):
        expected = "whole number" if whole else "finite number"
        raise InvalidInput(f"{name} is {value!r}; it must be a {expected} above 0")


def _is_size(given: object) -> bool:
    sides: Sequence[Any] = given if isinstance(given, tuple | list) else ()
    return len(sides) == 2 and all(is_number(side, whole=True) and side > 0 for side in sides)


def _optimization(given: Optimization | Mapping[str, Any] | None) -> Optimization:
    """The settings, also from the parameters of a picture. Raises InvalidInput."""
    if isinstance(given, Optimization):
        return given
    try:
        return Optimization(**({} if given is None else given))
    except TypeError as error:
        raise InvalidInput(f"optimization is {given!r}; give an Optimization, or its fields by name") from error


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in itertools.count(2))


def _pairs(style: StyleMix) -> list[tuple[StyleName, float]]:
    """A mix as pairs of a name or picture and its weight. Raises InvalidInput."""
    if isinstance(style, str | Path | Image | Style):
        return [(style, 1.0)]
    pairs = list(style.items() if isinstance(style, Mapping) else style)
    if not pairs:
        raise InvalidInput("no style is given; give at least one")
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], StyleName):
            raise InvalidInput(
                f"{pair!r} is not a style with a weight; write {{'udnie': 0.5}}, or [(picture, 0.5)]"
            )
    return pairs
