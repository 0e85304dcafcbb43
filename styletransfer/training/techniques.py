"""Pictures redone in another technique, of the kinds that are rare in collections of paintings.

A row predictor that has only seen oil paintings fails on a mosaic or an engraving.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from styletransfer.training.chance import integer, uniform
from styletransfer.training.textures import clouds, coordinates, scaled


def in_technique(picture: Tensor, generator: torch.Generator) -> Tensor:
    """A square picture (1, 3, S, S) in [0, 1] in a random technique, of the same size."""
    techniques = (_mosaic, _dots, _hatching, _lines, _flat)
    done = techniques[integer(0, len(techniques) - 1, generator)](picture, generator)
    grain = 0.06 * uniform(generator) * torch.randn(done[:, :1].shape, generator=generator)
    return (done + grain).clamp(0, 1)


def _mosaic(picture: Tensor, generator: torch.Generator) -> Tensor:
    """Tiles of one colour each, with joints: a mosaic, stained glass; strokes, where they are long."""
    side = picture.shape[-1]
    scattered = _scattered(side, side / (8 + 32 * uniform(generator)), generator)
    angle = math.pi * uniform(generator)
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    stretch = torch.tensor([1.0, 1 + 3 * uniform(generator) ** 2])
    distances, nearest = _nearest(scattered, side, turn * stretch)
    colors = _colors_at(picture, scattered) + 0.08 * torch.randn(len(scattered), 1, generator=generator)
    joint = 4 * uniform(generator)
    ground = torch.rand((), generator=generator).round() * torch.rand(3, generator=generator)
    tiles = torch.where((distances[:, 1] - distances[:, 0] < joint)[:, None], ground, colors[nearest[:, 0]])
    return tiles.T.view_as(picture)


def _dots(picture: Tensor, generator: torch.Generator) -> Tensor:
    """Dots of pure colours on a ground."""
    side = picture.shape[-1]
    size = side / (40 + 25 * uniform(generator))
    scattered = _scattered(side, size, generator)
    distances, nearest = _nearest(scattered, side, torch.eye(2))
    colors = _colors_at(picture, scattered)
    colors = colors + 0.25 * uniform(generator) * torch.randn(colors.shape, generator=generator)
    ground = torch.rand(3, generator=generator)
    covered = (distances[:, 0] < (0.35 + 0.3 * uniform(generator)) * size)[:, None]
    return torch.where(covered, colors[nearest[:, 0]], ground).T.view_as(picture)


def _hatching(picture: Tensor, generator: torch.Generator) -> Tensor:
    """Parallel lines, crossed by others where it is darker, as in engravings and drawings."""
    side = picture.shape[-1]
    rows, columns = coordinates(side)
    bent = 4 * uniform(generator) * clouds(side, generator)
    length = 3 + 7 * uniform(generator)
    light = scaled(picture[0].mean(dim=0))
    ink = torch.zeros(side, side)
    angle = math.pi * uniform(generator)
    layers = integer(1, 3, generator)
    for layer in range(layers):
        across = rows * math.cos(angle) + columns * math.sin(angle) + bent
        wave = 0.5 + 0.5 * torch.sin(2 * math.pi * across / length)
        ink = torch.maximum(ink, torch.sigmoid(8 * (wave - light * layers / (layers - layer))))
        angle += math.pi * (0.25 + 0.25 * uniform(generator))
    return _inked(picture, ink, generator)


def _lines(picture: Tensor, generator: torch.Generator) -> Tensor:
    """Outlines, drawn in ink or pencil (differences of Gaussians: Winnemöller et al. 2012)."""
    light = picture.mean(dim=1, keepdim=True)
    width = 0.7 + 1.3 * uniform(generator)
    edges = _blurred(light, width) - (0.9 + 0.08 * uniform(generator)) * _blurred(light, 1.6 * width)
    sharpness = 40 + 80 * uniform(generator)
    ink = torch.sigmoid(sharpness * (edges.mean() - edges.std() - edges))[0, 0]
    return _inked(picture, ink, generator)


def _flat(picture: Tensor, generator: torch.Generator) -> Tensor:
    """Few flat colours, with outlines or without, as in prints and posters."""
    steps = integer(2, 5, generator)
    smooth = _blurred(picture, 1 + 2 * uniform(generator))
    flat = (smooth * steps).round() / steps
    if uniform(generator) < 0.5:
        flat = flat[:, torch.randperm(3, generator=generator)]
    if uniform(generator) < 0.5:
        borders = F.max_pool2d(flat, 3, 1, 1) + F.max_pool2d(-flat, 3, 1, 1)
        flat = torch.where(borders.amax(dim=1, keepdim=True) > 0, 0.1, flat)
    return flat


def _inked(picture: Tensor, ink: Tensor, generator: torch.Generator) -> Tensor:
    """Ink, (S, S) in [0, 1], on plain paper or on a pale version of the picture."""
    dark = 0.4 * torch.rand(3, generator=generator).view(1, 3, 1, 1)
    paper = (0.7 + 0.3 * torch.rand(3, generator=generator)).view(1, 3, 1, 1)
    if uniform(generator) < 0.3:
        paper = paper * _blurred(picture, 4).sqrt()
    return paper.lerp(dark.expand_as(paper), ink)


def _scattered(side: int, distance: float, generator: torch.Generator) -> Tensor:
    """Points (N, 2), row and column, about as far from one another as `distance`."""
    line = torch.arange(distance / 2, side, distance)
    grid = torch.cartesian_prod(line, line)
    disorder = 0.2 + 0.8 * uniform(generator)
    return grid + distance * disorder * (torch.rand(grid.shape, generator=generator) - 0.5)


def _nearest(points: Tensor, side: int, scale: Tensor) -> tuple[Tensor, Tensor]:
    """For each of side * side pixels the distances to the two nearest points, and their indices."""
    pixels = torch.stack(coordinates(side), dim=-1).flatten(0, 1)
    found = [  # part by part: all distances at once would take gigabytes
        torch.cdist(part @ scale, points @ scale).topk(2, dim=1, largest=False) for part in pixels.split(8192)
    ]
    return torch.cat([part.values for part in found]), torch.cat([part.indices for part in found])


def _colors_at(picture: Tensor, points: Tensor) -> Tensor:
    """The colours at points, (N, 3), averaged over about what a tile or a dot covers."""
    rows, columns = points.round().long().clamp(0, picture.shape[-1] - 1).unbind(dim=1)
    return _blurred(picture, 1.5)[0, :, rows, columns].T


def _blurred(picture: Tensor, std: float) -> Tensor:
    reach = math.ceil(2.5 * std)
    line = torch.arange(-reach, reach + 1, dtype=torch.float32)
    weights = (-0.5 * (line / std) ** 2).exp()
    kernel = (weights / weights.sum()).view(1, 1, -1, 1).expand(picture.shape[1], 1, -1, 1)
    padded = F.pad(picture, (reach,) * 4, mode="reflect")
    down = F.conv2d(padded, kernel, groups=picture.shape[1])
    return F.conv2d(down, kernel.transpose(2, 3), groups=picture.shape[1])
