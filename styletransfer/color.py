"""Keeping the photo's colours: the painting's strokes, in the palette of the photo."""

import torch
from torch import Tensor

# Rec. 601 luma and two colour differences, the space of Gatys et al. 2016b. Rows: Y, I, Q.
_RGB_TO_YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


def keep_color(painted: Tensor, photo: Tensor, amount: float, mode: str = "luminance") -> Tensor:
    """Bring a painting back towards the colours of its photo.

    Args:    painted, photo: (B, 3, H, W) in [0, 1], of one size; amount: 0 leaves the painting as it is,
             1 gives it the photo's colours; mode: "luminance": the painting's luminance, given the mean and
             contrast of the photo's, joined with the photo's own colour differences; "statistics": the
             painting with the mean and covariance that the photo's colours have.
    Returns: (B, 3, H, W) in [0, 1].
    Source:  Gatys, Bethge, Hertzmann and Shechtman 2016 (arXiv 1606.05897), sections 5.2 and 5.1.
    """
    if amount == 0:
        return painted
    if mode == "statistics":
        return torch.lerp(painted, match_statistics(painted, photo).clamp(0, 1), amount)
    to_yiq = torch.tensor(_RGB_TO_YIQ, dtype=painted.dtype, device=painted.device)
    painted_yiq = _mix_channels(painted, to_yiq)
    photo_yiq = _mix_channels(photo, to_yiq)
    luminance = match_statistics(painted_yiq[:, :1], photo_yiq[:, :1])
    kept = _mix_channels(torch.cat((luminance, photo_yiq[:, 1:]), dim=1), torch.linalg.inv(to_yiq))
    return torch.lerp(painted, kept.clamp(0, 1), amount)


def match_statistics(image: Tensor, reference: Tensor) -> Tensor:
    """Give an image the mean and covariance of the reference's channels.

    Args:    image, reference: (B, C, H, W), any range and sizes.
    Returns: (B, C, H, W), not clamped. A channel without contrast only has its mean moved.
    Source:  Gatys et al. 2016b, section 5.1 (the symmetric square root of the covariance).
    """
    flat, target = image.flatten(2), reference.flatten(2)  # (B, C, H*W)
    mean, target_mean = flat.mean(2, keepdim=True), target.mean(2, keepdim=True)
    whiten = _matrix_power(_covariance(flat - mean), -0.5)
    colour = _matrix_power(_covariance(target - target_mean), 0.5)
    matched = colour @ whiten @ (flat - mean) + target_mean  # (B, C, H*W)
    return matched.unflatten(2, image.shape[-2:])


def _mix_channels(image: Tensor, matrix: Tensor) -> Tensor:
    return torch.einsum("bchw,dc->bdhw", image, matrix)


def _covariance(centred: Tensor) -> Tensor:
    return centred @ centred.mT / centred.shape[2]  # (B, C, C)


def _matrix_power(covariance: Tensor, power: float) -> Tensor:
    """Power of a symmetric matrix; a direction without variance (a grey photo has two) becomes 0."""
    values, vectors = torch.linalg.eigh(covariance)
    present = values > 1e-6
    scaled = torch.where(present, values.clamp_min(1e-6).pow(power), 0.0)
    return vectors @ torch.diag_embed(scaled) @ vectors.mT
