"""Pictures as styles: their statistics, and gamma and beta predicted from these."""

import logging
import threading
from dataclasses import replace
from os.path import isfile
from pathlib import Path

import torch
from torch import Tensor

from styletransfer import images
from styletransfer.core import Style, StyleInfo
from styletransfer.errors import InvalidInput, MissingWeights
from styletransfer.files import version_of
from styletransfer.images import ImageSource
from styletransfer.predictor import RowPredictor
from styletransfer.settings import STYLE_SIDE
from styletransfer.targets import StyleTarget, style_target
from styletransfer.vgg import STYLE_LAYERS, VGG19, load_vgg19
from styletransfer.weights import MANIFEST_FILE, PREDICTOR_FILE, load_predictor

log = logging.getLogger(__name__)

KEPT = 2  # pictures, whose styles are kept

_Predictor = tuple[RowPredictor, str]  # with the sha256 of the base network whose rows it predicts


class PictureStyles:
    """Looks at pictures, with networks that are loaded for the first one.

    Args:  models_dir: folder of the weight files.
    """

    def __init__(self, models_dir: Path, device: torch.device) -> None:
        self._models_dir, self._device = models_dir, device
        self._lock = threading.Lock()  # networks are loaded once, however many ask at the same time
        self._vgg: VGG19 | None = None
        self._predictor: tuple[object, _Predictor | None] | None = None  # with the version of the weight files
        # The same picture is asked for again and again while a slider moves.
        self._kept: dict[object, Style] = {}

    def get(self, source: ImageSource, title: str, mask: ImageSource | None = None) -> Style:
        """The style of a picture, or of the part of it where a `mask` is white.

        Raises UnreadableImage, InvalidInput for a mask that is all black, MissingWeights.
        """
        if mask is not None or not isinstance(source, str | Path) or not isfile(source):
            return self._look_at(source, title, mask)
        wanted = str(source), title, version_of(source), self._version()
        with self._lock:
            if wanted in self._kept:
                self._kept[wanted] = self._kept.pop(wanted)  # as the one last used
                return self._kept[wanted]
        style = self._look_at(source, title, None)
        with self._lock:
            self._kept[wanted] = style
            while len(self._kept) > KEPT:
                del self._kept[next(iter(self._kept))]
        return style

    def _version(self) -> tuple[int, int, int] | None:
        """Of the weight files, which may be replaced while the program runs."""
        return version_of(self._models_dir / MANIFEST_FILE)

    def _networks(self) -> tuple[VGG19, _Predictor | None]:
        """The encoder and, where it is usable, the predictor."""
        with self._lock:
            if self._vgg is None:
                self._vgg = load_vgg19(STYLE_LAYERS[-1]).to(self._device)
            version = self._version()
            if self._predictor is None or self._predictor[0] != version:
                self._predictor = version, _load_predictor(self._models_dir)
            return self._vgg, self._predictor[1]

    def _look_at(self, source: ImageSource, title: str, mask: ImageSource | None) -> Style:
        picture = images.read_on_white(source)
        scaled = images.as_style(picture, STYLE_SIDE)
        whole, small = None, None
        if mask is not None:
            whole = images.resize(images.read_mask(mask), (picture.shape[2], picture.shape[3]))
            if not whole.any():
                raise InvalidInput(f"the style mask of {title} is all black; leave something of the picture")
            small = images.resize(whole, (scaled.shape[2], scaled.shape[3]))
        vgg, predictor = self._networks()
        target = style_target(vgg, scaled, mask=small)  # Gatys looks at the picture itself
        row, base_sha256 = _predict(predictor, target)
        style = target.style(StyleInfo(title, title, style_side=STYLE_SIDE, base_sha256=base_sha256), row)
        return replace(style, picture=picture, picture_mask=whole)


def _predict(predictor: _Predictor | None, target: StyleTarget) -> tuple[Tensor, str]:
    """Gamma and beta (2, N), and the sha256 of their base network; (2, 0) and "" without a predictor."""
    if predictor is None:
        return torch.zeros(2, 0), ""
    network, base_sha256 = predictor
    with torch.no_grad():
        return network(target.means, target.stds)[0], base_sha256


def _load_predictor(models_dir: Path) -> _Predictor | None:
    """None without a usable predictor. Only logged, as the other methods do without."""
    if not isfile(models_dir / PREDICTOR_FILE):
        return None
    try:
        return load_predictor(models_dir)
    except MissingWeights as error:
        log.warning("%s", error)
        return None
