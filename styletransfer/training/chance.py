"""Random numbers, from a generator that is passed in."""

import torch


def uniform(generator: torch.Generator) -> float:
    """A number from 0 to below 1."""
    return float(torch.rand((), generator=generator))


def integer(least: int, most: int, generator: torch.Generator) -> int:
    """A whole number from `least` to `most`, both included."""
    return int(torch.randint(least, most + 1, (), generator=generator))
