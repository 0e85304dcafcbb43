"""Pictures of pure texture, drawn by chance: looks that no painting has, such as stripes, tiles and marble."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

OCTAVES = 5
COLORS = (2, 6)  # in a palette, least and most


def texture(side: int, generator: torch.Generator) -> Tensor:
    """A texture (1, 3, side, side) in [0, 1]: a field of numbers, coloured by a palette."""
    fields = (_stripes, _cells, _marble)
    field = fields[whole(0, len(fields) - 1, generator)](side, generator)
    return _colored(field, generator)


def _stripes(side: int, generator: torch.Generator) -> Tensor:
    """Waves in one direction, or crossed by others, bent a little."""
    rows, columns = places(side)
    field = torch.zeros(side, side)
    for _ in range(whole(1, 2, generator)):
        angle, length = math.pi * number(generator), side / (4 * 2 ** (3 * number(generator)))
        across = rows * math.cos(angle) + columns * math.sin(angle)
        bent = across + 0.5 * length * number(generator) * clouds(side, generator)
        field = field + torch.sin(2 * math.pi * bent / length)
    return spread(field)


def _cells(side: int, generator: torch.Generator) -> Tensor:
    """Tiles around scattered points, each of one value, in most pictures with joints between them."""
    points = side * torch.rand(whole(30, 600, generator), 2, generator=generator)
    stretch = torch.tensor([1.0, 1 + 3 * number(generator)])  # strokes, where it is not 1
    pixels = torch.stack(places(side), dim=-1).flatten(0, 1)
    distances, nearest = torch.cdist(pixels * stretch, points * stretch).topk(2, dim=1, largest=False)
    values = torch.rand(len(points), generator=generator)[nearest[:, 0]]
    joint = 4 * number(generator)
    return torch.where(distances[:, 1] - distances[:, 0] < joint, 0.0, values).view(side, side)


def _marble(side: int, generator: torch.Generator) -> Tensor:
    """Clouds, or the veins along their levels."""
    field = clouds(side, generator)
    return spread(field if number(generator) < 0.5 else torch.sin(8 * field))


def clouds(side: int, generator: torch.Generator) -> Tensor:
    """Noise of all sizes, finer ones fainter; mean 0, standard deviation 1."""
    total = torch.zeros(1, 1, side, side)
    fade = 0.4 + 0.5 * number(generator)
    for octave in range(OCTAVES):
        grid = torch.randn(1, 1, 3 * 2**octave, 3 * 2**octave, generator=generator)
        total += fade**octave * F.interpolate(grid, size=(side, side), mode="bicubic", align_corners=False)
    return ((total - total.mean()) / total.std())[0, 0]


def _colored(field: Tensor, generator: torch.Generator) -> Tensor:
    """A field in [0, 1] by a palette, in steps or gliding, with a grain."""
    palette = torch.rand(whole(*COLORS, generator), 3, generator=generator)
    position = field * (len(palette) - 1)
    position = position.round() if number(generator) < 0.5 else position
    below = position.floor().long()
    share = (position - below)[..., None]
    picture = palette[below].lerp(palette[(below + 1).clamp_max(len(palette) - 1)], share)
    grain = 0.1 * number(generator) * torch.randn(*field.shape, 1, generator=generator)
    return (picture + grain).clamp(0, 1).permute(2, 0, 1)[None]


def places(side: int) -> tuple[Tensor, Tensor]:
    line = torch.arange(side, dtype=torch.float32)
    rows, columns = torch.meshgrid(line, line, indexing="ij")
    return rows, columns


def spread(field: Tensor) -> Tensor:
    """A field brought to [0, 1]; one that is the same everywhere to 0."""
    return (field - field.min()) / (field.max() - field.min()).clamp_min(1e-6)


def number(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))


def whole(least: int, most: int, generator: torch.Generator) -> int:
    return int(torch.randint(least, most + 1, (), generator=generator))
