"""Pictures as styles: their statistics, and gamma and beta predicted from these."""

import logging
from dataclasses import replace
from functools import cached_property, lru_cache
from os.path import isfile
from pathlib import Path

import torch
from torch import Tensor

from styletransfer import images
from styletransfer.core import Style, StyleInfo
from styletransfer.errors import InvalidInput, MissingWeights
from styletransfer.images import ImageSource
from styletransfer.predictor import RowPredictor
from styletransfer.settings import STYLE_SIDE
from styletransfer.targets import StyleTarget, style_target
from styletransfer.vgg import STYLE_LAYERS, VGG19, load_vgg19
from styletransfer.weights import PREDICTOR_FILE, load_predictor

log = logging.getLogger(__name__)

KEPT = 2  # pictures, whose styles are kept


class PictureStyles:
    """Looks at pictures, with networks that are loaded for the first one.

    Args:  models_dir: folder of the weight files.
    """

    def __init__(self, models_dir: Path, device: torch.device) -> None:
        self._models_dir, self._device = models_dir, device
        # The same picture is asked for again and again while a slider moves.
        self._of_file = lru_cache(KEPT)(lambda path, version, title: self._look_at(path, title, None))

    def get(self, source: ImageSource, title: str, mask: ImageSource | None = None) -> Style:
        """The style of a picture, or of the part of it where a `mask` is white.

        Raises UnreadableImage, InvalidInput for a mask that is all black, MissingWeights.
        """
        if mask is not None or not isinstance(source, str | Path) or not isfile(source):
            return self._look_at(source, title, mask)
        found = Path(source).stat()
        return self._of_file(str(source), (found.st_mtime_ns, found.st_size, found.st_ino), title)

    @cached_property
    def _vgg(self) -> VGG19:
        return load_vgg19(STYLE_LAYERS[-1]).to(self._device)

    @cached_property
    def _predictor(self) -> tuple[RowPredictor, str] | None:
        """None without a usable predictor. Only logged, as the other methods do without."""
        if not (self._models_dir / PREDICTOR_FILE).exists():
            return None
        try:
            return load_predictor(self._models_dir)
        except MissingWeights as error:
            log.warning("%s", error)
            return None

    def _look_at(self, source: ImageSource, title: str, mask: ImageSource | None) -> Style:
        picture = images.read_on_white(source)
        scaled = images.as_style(picture, STYLE_SIDE)
        whole, small = None, None
        if mask is not None:
            whole = images.resize(images.read_mask(mask), (picture.shape[2], picture.shape[3]))
            if not whole.any():
                raise InvalidInput(f"the style mask of {title} is all black; leave something of the picture")
            small = images.resize(whole, (scaled.shape[2], scaled.shape[3]))
        target = style_target(self._vgg, scaled, mask=small)  # Gatys looks at the picture itself
        row, base_sha256 = self._predict(target)
        style = target.style(StyleInfo(title, title, style_side=STYLE_SIDE, base_sha256=base_sha256), row)
        return replace(style, picture=picture, picture_mask=whole)

    def _predict(self, target: StyleTarget) -> tuple[Tensor, str]:
        """Gamma and beta (2, N), and the sha256 of their base network; (2, 0) and "" without a predictor."""
        if self._predictor is None:
            return torch.zeros(2, 0), ""
        predictor, base_sha256 = self._predictor
        with torch.no_grad():
            return predictor(target.means, target.stds)[0], base_sha256
