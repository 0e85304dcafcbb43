"""Randomly generated textures: looks that no painting has, such as stripes, tiles and marble."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from styletransfer.training.chance import integer, uniform

OCTAVES = 5
COLORS = (2, 6)  # in a palette, least and most


def texture(side: int, generator: torch.Generator) -> Tensor:
    """A texture (1, 3, side, side) in [0, 1]: a field of numbers, coloured by a palette."""
    fields = (_stripes, _cells, _marble)
    field = fields[integer(0, len(fields) - 1, generator)](side, generator)
    return _colored(field, generator)


def _stripes(side: int, generator: torch.Generator) -> Tensor:
    """Waves in one direction, or crossed by others, bent a little."""
    rows, columns = coordinates(side)
    field = torch.zeros(side, side)
    for _ in range(integer(1, 2, generator)):
        angle, length = math.pi * uniform(generator), side / (4 * 2 ** (3 * uniform(generator)))
        across = rows * math.cos(angle) + columns * math.sin(angle)
        bent = across + 0.5 * length * uniform(generator) * clouds(side, generator)
        field = field + torch.sin(2 * math.pi * bent / length)
    return scaled(field)


def _cells(side: int, generator: torch.Generator) -> Tensor:
    """Tiles around scattered points, each of one value, in most pictures with joints between them."""
    points = side * torch.rand(integer(30, 600, generator), 2, generator=generator)
    stretch = torch.tensor([1.0, 1 + 3 * uniform(generator)])  # strokes, where it is not 1
    pixels = torch.stack(coordinates(side), dim=-1).flatten(0, 1)
    distances, nearest = torch.cdist(pixels * stretch, points * stretch).topk(2, dim=1, largest=False)
    values = torch.rand(len(points), generator=generator)[nearest[:, 0]]
    joint = 4 * uniform(generator)
    return torch.where(distances[:, 1] - distances[:, 0] < joint, 0.0, values).view(side, side)


def _marble(side: int, generator: torch.Generator) -> Tensor:
    """Clouds, or the veins along their levels."""
    field = clouds(side, generator)
    return scaled(field if uniform(generator) < 0.5 else torch.sin(8 * field))


def clouds(side: int, generator: torch.Generator) -> Tensor:
    """Noise of all sizes, finer ones fainter; mean 0, std 1."""
    total = torch.zeros(1, 1, side, side)
    fade = 0.4 + 0.5 * uniform(generator)
    for octave in range(OCTAVES):
        grid = torch.randn(1, 1, 3 * 2**octave, 3 * 2**octave, generator=generator)
        total += fade**octave * F.interpolate(grid, size=(side, side), mode="bicubic", align_corners=False)
    return ((total - total.mean()) / total.std())[0, 0]


def _colored(field: Tensor, generator: torch.Generator) -> Tensor:
    """A field in [0, 1], coloured by a palette in steps or smoothly, with a grain."""
    palette = torch.rand(integer(*COLORS, generator), 3, generator=generator)
    position = field * (len(palette) - 1)
    position = position.round() if uniform(generator) < 0.5 else position
    below = position.floor().long()
    share = (position - below)[..., None]
    picture = palette[below].lerp(palette[(below + 1).clamp_max(len(palette) - 1)], share)
    grain = 0.1 * uniform(generator) * torch.randn(*field.shape, 1, generator=generator)
    return (picture + grain).clamp(0, 1).permute(2, 0, 1)[None]


def coordinates(side: int) -> tuple[Tensor, Tensor]:
    """Row and column of every pixel of a square, (side, side) each."""
    line = torch.arange(side, dtype=torch.float32)
    rows, columns = torch.meshgrid(line, line, indexing="ij")
    return rows, columns


def scaled(field: Tensor) -> Tensor:
    """A field scaled to [0, 1]; 0 where it is the same everywhere."""
    return (field - field.min()) / (field.max() - field.min()).clamp_min(1e-6)
