"""Keeping parts of the photo: its colours under the painting's strokes, or all of it outside a mask."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from styletransfer.images import as_bytes, as_float, empty_like
from styletransfer.masks import counted

# Rec. 601 luma and two colour differences, the space of Gatys et al. 2016b. Rows: Y, I, Q.
_RGB_TO_YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))
_NOISE = (4 / 255) ** 2  # variance of colours that is no palette
_STRIP_ROWS = 256  # rows that are worked on at a time, so that no large picture is held in float32

Moments = tuple[Tensor, Tensor]  # mean (C, 1) and covariance (C, C) of a picture's channels, float64


def keep_color(
    painted: Tensor,
    photo: Tensor,
    amount: float,
    mode: str = "luminance",
    cover: Tensor | None = None,
    visible: Tensor | None = None,
) -> Tensor:
    """Bring a painting back towards the colours of its photo.

    Args:    painted, photo: (1, 3, H, W) of one size, float in [0, 1] or uint8; amount: 0 leaves the painting
             as it is, 1 gives it the photo's colours; mode: "luminance": the painting's luminance, given the
             mean and contrast of the photo's, joined with the photo's own colour differences; "statistics":
             the painting, given the mean and covariance of the photo's colours; cover, visible: where these
             are measured, as for `moments`.
    Returns: (1, 3, H, W) in the number format of `painted`.
    Source:  Gatys, Bethge, Hertzmann and Shechtman 2016 (arXiv 1606.05897), sections 5.2 and 5.1.
    Differs: "statistics" stretches no direction of colour in which the painting has little but noise.
    """
    if amount == 0:
        return painted
    own, reference = moments(painted, cover, visible), moments(photo, cover, visible)
    of_photo = torch.zeros(3, 3, dtype=torch.float64)
    if mode == "statistics":
        mean, covariance = own
        of_painting, constant = matching((mean, covariance + _NOISE * torch.eye(3).double()), reference)
    else:
        to_yiq = torch.tensor(_RGB_TO_YIQ, dtype=torch.float64)
        luma, differences = to_yiq[:1], to_yiq[1:]
        matrix, offset = matching(
            *((luma @ mean, luma @ spread @ luma.mT) for mean, spread in (own, reference))
        )
        from_luma, from_differences = torch.linalg.inv(to_yiq).split((1, 2), dim=1)
        of_painting, constant = from_luma @ matrix @ luma, from_luma @ offset
        of_photo = from_differences @ differences

    def mix(part: slice) -> Tensor:
        own_colours, others = as_float(painted[:, :, part]), as_float(photo[:, :, part])
        kept = _mapped(own_colours, of_painting) + _mapped(others, of_photo)
        kept += constant[:, None].to(kept)
        return torch.lerp(own_colours, kept.clamp_(0, 1), amount)

    return _by_strips(painted, mix)


def keep_photo(painted: Tensor, photo: Tensor, cover: Tensor) -> Tensor:
    """The painting where it belongs, and everywhere else the photo, unchanged.

    Args:    painted, photo: (1, 3, H, W) of one size, float in [0, 1] or uint8; cover: (1, 1, H, W) in [0, 1]:
             1 where the painting belongs, 0 where the photo stays.
    Returns: (1, 3, H, W) in the number format of `painted`.
    """

    def mix(part: slice) -> Tensor:
        before, after = as_float(photo[:, :, part]), as_float(painted[:, :, part])
        return torch.lerp(before, after, cover[:, :, part])

    return _by_strips(painted, mix)


def give_back(painted: Tensor, photo: Tensor, blurred: Tensor, share: Tensor) -> Tensor:
    """The painting with a share of the detail that a blurred photo lacks.

    Args:    painted, photo, blurred: (1, 3, H, W) of one size, float in [0, 1] or uint8; share: (1, 1, H, W) in
             [0, 1].
    Returns: (1, 3, H, W) in the number format of `painted`.
    """

    def mix(part: slice) -> Tensor:
        lost = as_float(photo[:, :, part]) - as_float(blurred[:, :, part])
        return (as_float(painted[:, :, part]) + share[:, :, part] * lost).clamp_(0, 1)

    return _by_strips(painted, mix)


def moments(image: Tensor, cover: Tensor | None = None, visible: Tensor | None = None) -> Moments:
    """Mean and covariance of the channels of a picture (1, C, H, W), float in [0, 1] or uint8.

    Args:  cover: (1, 1, H, W) in [0, 1], how much each pixel counts; visible: the same by how visible it is, as
           for `counted`, float or uint8; all the same by default.
    """
    sums, products, count = torch.zeros(1), torch.zeros(1), 1e-9  # a mask may be black all over
    for part in _strips(image):
        flat = as_float(image[0, :, part]).flatten(1).double()  # (C, N)
        shares = None if cover is None else cover[0, :, part]
        if visible is not None:
            seen = counted(visible[0, :, part])
            shares = seen if shares is None else shares * seen
        weighted = flat if shares is None else flat * shares.flatten(1)
        sums = sums + weighted.sum(dim=1, keepdim=True)
        products = products + weighted @ flat.mT
        count += flat.shape[1] if shares is None else shares.double().sum().item()
    mean = sums / count
    return mean, products / count - mean @ mean.mT


def matching(own: Moments, reference: Moments) -> tuple[Tensor, Tensor]:
    """The affine map of colours, (C, C) and (C, 1), that gives a picture the moments of another.

    A channel without contrast only has its mean moved.
    Source:  Gatys et al. 2016b, section 5.1 (the symmetric square root of the covariance).
    """
    (mean, covariance), (target_mean, target_covariance) = own, reference
    matrix = _matrix_power(target_covariance, 0.5) @ _matrix_power(covariance, -0.5)
    return matrix, target_mean - matrix @ mean


def _by_strips(painted: Tensor, mix: Callable[[slice], Tensor]) -> Tensor:
    """A picture in the size and number format of `painted`; `mix` makes its rows, (1, 3, h, W) in [0, 1]."""
    result = empty_like(painted)
    for part in _strips(painted):
        mixed = mix(part)
        result[:, :, part] = as_bytes(mixed) if result.dtype == torch.uint8 else mixed
    return result


def _strips(image: Tensor) -> Iterator[slice]:
    """The rows of a picture in strips."""
    return (slice(top, top + _STRIP_ROWS) for top in range(0, image.shape[2], _STRIP_ROWS))


def _mapped(image: Tensor, matrix: Tensor) -> Tensor:
    """Colours (1, C, H, W) mapped by a matrix (C, C)."""
    return torch.einsum("bchw,dc->bdhw", image, matrix.to(image))


def _matrix_power(covariance: Tensor, power: float) -> Tensor:
    """Power of a symmetric matrix; a direction without variance, of which a grey photo has two, becomes 0."""
    values, vectors = torch.linalg.eigh(covariance)
    present = values > 1e-6
    scaled = torch.where(present, values.clamp_min(1e-6).pow(power), 0.0)
    return vectors @ torch.diag(scaled) @ vectors.mT
