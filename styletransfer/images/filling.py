"""What lies under fully transparent parts of a picture: they are filled with the mirrored rest."""

import numpy as np
from torch import Tensor


def fill_hidden(rgb: Tensor, alpha: Tensor) -> None:
    """Fill the fully transparent parts of a picture in place: within each row, then whole rows.

    Args:  rgb: (1, 3, H, W); alpha: (1, 1, H, W), 0 where the picture is hidden.
    """
    pixels, shades = rgb[0].permute(1, 2, 0).numpy(), alpha[0, 0].numpy()  # (H, W, 3), (H, W)
    shown = np.zeros(len(shades), dtype=bool)
    for row, line in enumerate(shades):
        visible = line > 0
        shown[row] = visible.any()
        if shown[row] and not visible.all():
            pixels[row] = pixels[row].take(_mirrored(visible), axis=0)
    if shown.any():
        for row, source in enumerate(_mirrored(shown)):
            if not shown[row]:
                pixels[row] = pixels[source]


def _mirrored(there: np.ndarray) -> np.ndarray:
    """For each place of a line, where to copy from: itself if it is `there`, else going back from the last one.

    At either end the direction turns, so that all places that are there are used about equally often.
    """
    places, known, ranks = np.arange(len(there)), np.flatnonzero(there), np.cumsum(there) - 1
    last = np.maximum.accumulate(np.where(there, places, -1))
    back = np.where(ranks < 0, known[0] - 1 - places, ranks + 1 - (places - last))
    wrapped = back % (2 * len(known))
    return np.where(there, places, known[np.minimum(wrapped, 2 * len(known) - 1 - wrapped)])
