"""How good the shipped styles are: content, style and J on photos never trained on, and the Gatys equivalent.

    python -m benchmarks.quality PHOTO_FOLDER [--held-out] [--photos 4] [--gatys-photos 1] [--from-noise]

J = content (relu3_3) + 3 * mean style (relu1_1 to relu4_1), photos at a long side of 512 px. The Gatys
equivalent of a picture is the number of Adam steps (rate 0.03, beginning with the photo) after which
optimising the pixels for the same J gets below the J of ours. With --from-noise it is the number of steps of
L-BFGS that begin with noise, clipped to [0, 1] after each, which is what Johnson et al. 2016 compare with.
"""

import argparse
import csv
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import Objective
from styletransfer import images, methods
from styletransfer.device import choose_device, choose_dtype
from styletransfer.files import package_folder
from styletransfer.memory import keep_freed_memory
from styletransfer.stylebank import StyleBank
from styletransfer.targets import StyleTarget
from styletransfer.training.data import split_held_out
from styletransfer.vgg import STYLE_LAYERS, load_vgg19

J = Callable[[Tensor], Tensor]  # of a picture


def from_photo(objective: J, photo: Tensor) -> Iterator[float]:
    """J before each step of Adam that begins with the photo."""
    pixels = photo.clone().requires_grad_()
    optimizer = torch.optim.Adam([pixels], lr=0.03)
    while True:
        value = objective(pixels)
        yield value.item()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        with torch.no_grad():
            pixels.clamp_(0, 1)


def from_noise(objective: J, photo: Tensor) -> Iterator[float]:
    """J before each step of L-BFGS that begins with noise."""
    noise = torch.rand(photo.shape, generator=torch.Generator().manual_seed(0))
    pixels = noise.to(photo).requires_grad_()
    optimizer = torch.optim.LBFGS([pixels], lr=1.0, max_iter=1, history_size=20)
    value = torch.zeros(())

    def closure() -> float:
        nonlocal value
        optimizer.zero_grad()
        value = objective(pixels)
        value.backward()
        return value.item()

    while True:
        optimizer.step(closure)
        yield value.item()
        with torch.no_grad():
            pixels.clamp_(0, 1)


def j_of(objective: Objective, target: StyleTarget, picture: Tensor) -> Tensor:
    return objective(picture, target)[0][0]


def equivalent(values: Iterator[float], goal: float, most: int) -> int:
    """Steps until J is at most `goal`; `most` if it is not reached."""
    return next((step for step, value in enumerate(islice(values, most)) if value <= goal), most)


def _report(name: str, values: list[float]) -> None:
    labels = ("content", "style", "J", "Gatys")
    print(
        f"{name:22s}",
        *(f"{label} {value:.2f} " for label, value in zip(labels, values, strict=True)),
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--held-out", action="store_true", help="every 16th picture, which training leaves out")
    parser.add_argument("--photos", type=int, default=4, help="photos a style, for content, style and J")
    parser.add_argument(
        "--gatys-photos", type=int, default=1, help="at least 1; photos a style, for the Gatys equivalent"
    )
    parser.add_argument("--from-noise", action="store_true", help="optimise from noise by L-BFGS, not by Adam")
    parser.add_argument("--most-steps", type=int, default=150)
    parser.add_argument("--styles", type=Path, default=package_folder("styles"))
    parser.add_argument("--models", type=Path, default=package_folder("models"))
    parser.add_argument("--csv", type=Path, help="write the table there")
    options = parser.parse_args()
    keep_freed_memory()
    device = choose_device()
    dtype = choose_dtype(device)
    vgg = load_vgg19(STYLE_LAYERS[-1], dtype=dtype).to(device)
    stylizer = methods.load("cin", options.models, device)
    bank = StyleBank(options.styles)
    paths = images.find_pictures(options.folder)
    if options.held_out:
        _, paths = split_held_out(paths)
    rows = []
    for index, name in enumerate(bank.paths()):
        style = bank.load(name)
        target = StyleTarget.of(style).to(device)
        contents, styles, objectives, equivalents = [], [], [], []
        for turn in range(options.photos):
            path = paths[(index + turn * 7) % len(paths)]  # other photos for every style
            photo = images.resize_long_side(images.read_picture(path).rgb, 512).to(device)
            objective = Objective(vgg, photo)
            with torch.no_grad():
                painted = stylizer.stylize(photo, [style], torch.ones(1), torch.tensor(1.0))
                value, content, style_loss = (part.item() for part in objective(painted, target)[0])
            contents.append(content)
            styles.append(style_loss)
            objectives.append(value)
            if turn < options.gatys_photos:
                optimise = from_noise if options.from_noise else from_photo
                optimised = optimise(partial(j_of, objective, target), photo)
                equivalents.append(equivalent(optimised, value, options.most_steps))
        values = [statistics.mean(part) for part in (contents, styles, objectives, equivalents)]
        rows.append((name, *values))
        _report(name, values)
    medians = [statistics.median(column) for column in list(zip(*rows, strict=True))[1:]]
    _report("median", medians)
    if options.csv:
        with options.csv.open("w", newline="", encoding="ascii") as file:
            csv.writer(file).writerows([["style", "content", "style loss", "J", "Gatys equivalent"], *rows])


if __name__ == "__main__":
    main()
