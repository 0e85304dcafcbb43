"""`StyleTransfer`: the one path that scripts, the command line and the page paint through."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL.Image import Image
from platformdirs import user_data_path

from styletransfer import images
from styletransfer.color import keep_color
from styletransfer.core import OnStep, Style, StyleInfo, Stylizer, normalise_weights
from styletransfer.device import choose_device, choose_dtype
from styletransfer.errors import InvalidInput, StyleTransferError, UnreadableImage
from styletransfer.images import ImageSource, Picture
from styletransfer.methods import METHODS
from styletransfer.settings import MAX_PIXELS, PRESERVE_COLOR, SIZE, STRENGTH, VERSION, Range
from styletransfer.stylebank import StyleBank
from styletransfer.weights import package_folder

StyleMix = str | Mapping[str, float]


@dataclass(frozen=True)
class BatchResult:
    """One photo of a batch: its `image`, or the `error` that kept it from being painted."""

    source: ImageSource
    image: Image | None = None
    error: StyleTransferError | None = None


@dataclass(frozen=True)
class _Request:
    """A checked wish: everything about a painting but the photo."""

    method: str
    stylizer: Stylizer
    styles: list[Style]
    weights: dict[str, float]
    strength: float
    size: int | None
    preserve_color: float

    def parameters(self) -> dict[str, object]:
        """What is embedded in the result: enough to paint it again."""
        return {
            "method": self.method,
            "styles": {name: round(weight, 6) for name, weight in self.weights.items()},
            "strength": self.strength,
            "size": self.size,
            "preserve_color": self.preserve_color,
            "network": self.stylizer.sha256,
            "version": VERSION,
        }


class StyleTransfer:
    """Photo in, painting out. Owns the networks, loaded on first use, and the styles.

    Args:  device: such as "cpu", "cuda" or "mps"; the best one there is unless given;
           models_dir: folder of the weight files, unless the ones that came with the package;
           styles_dir: folder of further styles, unless the user's own data folder.
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
        if styles_dir is not None and not Path(styles_dir).is_dir():
            raise InvalidInput(f"{styles_dir} is not a folder of styles")
        own_styles = Path(styles_dir) if styles_dir else user_data_path("styletransfer") / "styles"
        self._stylizers: dict[str, Stylizer] = {}
        self._bank = StyleBank([package_folder("styles"), own_styles])

    @property
    def styles(self) -> dict[str, StyleInfo]:
        """What can be painted in: style name -> title, artist, year and the rest, in order of name."""
        return self._bank.infos()

    def stylize(
        self,
        image: ImageSource,
        style: StyleMix,
        *,
        method: str = "cin",
        strength: float = STRENGTH.default,
        size: int | None = None,
        preserve_color: float = PRESERVE_COLOR.default,
        on_step: OnStep | None = None,
    ) -> Image:
        """Paint a photo.

        Args:    image: a file, or a PIL image of any mode; transparency is kept;
                 style: a name out of `styles`, or a mix of names with weights: {"great-wave": 0.7,
                 "starry-night": 0.3}, normalised to sum 1;
                 strength: 0 gives the photo back, 1 the full painting;
                 size: long side of the result in pixels, unless the photo's own;
                 preserve_color: how much of the photo's colours to keep, 0 to 1;
                 on_step: called with the progress; raising `Cancelled` in it stops the work.
        Returns: RGB or RGBA of 8 bits, its parameters in `info`, which `save_picture` embeds in the file.
        Raises:  StyleTransferError: UnreadableImage, UnknownStyle, InvalidInput, MissingWeights and others.
        """
        return self._paint(image, self._request(style, method, strength, size, preserve_color), on_step)

    def stylize_batch(
        self,
        sources: Iterable[ImageSource],
        style: StyleMix,
        *,
        method: str = "cin",
        strength: float = STRENGTH.default,
        size: int | None = None,
        preserve_color: float = PRESERVE_COLOR.default,
    ) -> Iterator[BatchResult]:
        """Paint many photos one after the other, in their order, with everything loaded once.

        A photo that cannot be read comes back with its `error`, and the others go on. What would fail for
        every photo, such as an unknown style, is raised at once. Arguments as for `stylize`.
        """
        request = self._request(style, method, strength, size, preserve_color)
        return self._results(sources, request)

    def _results(self, sources: Iterable[ImageSource], request: _Request) -> Iterator[BatchResult]:
        for source in sources:
            try:
                yield BatchResult(source, image=self._paint(source, request))
            except (UnreadableImage, InvalidInput) as error:  # no picture, or too large at this size
                yield BatchResult(source, error=error)

    def _request(
        self, style: StyleMix, method: str, strength: float, size: int | None, preserve_color: float
    ) -> _Request:
        """Everything about a wish but the photo, checked and loaded."""
        mix = normalise_weights({style: 1.0} if isinstance(style, str) else style)
        _check("strength", strength, STRENGTH)
        _check("preserve_color", preserve_color, PRESERVE_COLOR)
        if size is not None:
            _check("size", size, SIZE)
        styles = [self._bank.load(name) for name in mix]
        return _Request(method, self._stylizer(method), styles, mix, strength, size, preserve_color)

    @torch.inference_mode()
    def _paint(self, source: ImageSource, request: _Request, on_step: OnStep | None = None) -> Image:
        picture = _fit(images.read_picture(source), request.size)
        weights = torch.tensor(list(request.weights.values()))
        painted = request.stylizer.stylize(picture.rgb, request.styles, weights, request.strength, on_step)
        painted = keep_color(painted, picture.rgb, request.preserve_color)
        return images.to_pil(painted, picture.alpha, request.parameters())

    def _stylizer(self, method: str) -> Stylizer:
        if method not in METHODS:
            raise InvalidInput(f"no method named {method!r}; there is {', '.join(METHODS)}")
        if method not in self._stylizers:
            self._stylizers[method] = METHODS[method](
                self._models_dir, self._device, choose_dtype(self._device)
            )
        return self._stylizers[method]


def _fit(picture: Picture, size: int | None) -> Picture:
    """The picture with its long side at `size`. Raises InvalidInput where that would be too many pixels."""
    if size is None:
        return picture
    pixels = round(size**2 * min(picture.size) / max(picture.size))
    if pixels > MAX_PIXELS:
        raise InvalidInput(f"size {size} would make {pixels:,} pixels of this photo, more than {MAX_PIXELS:,}")
    alpha = None if picture.alpha is None else images.resize_long_side(picture.alpha, size)
    return Picture(images.resize_long_side(picture.rgb, size), alpha)


def _check(name: str, value: float, allowed: Range) -> None:
    if not allowed.least <= value <= allowed.most:  # also refuses NaN
        raise InvalidInput(f"{name} is {value:g}; it must be from {allowed.least:g} to {allowed.most:g}")
