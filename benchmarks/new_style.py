"""How well and how fast a new style is learned from one painting: J on held-out photos while the fit goes on.

    python -m benchmarks.new_style PAINTINGS PHOTOS [--only NAME,NAME] [--runs ours,published] [--plot FILE]

Runs:  ours: what `styletransfer train-style` does; quick: the same in fewer steps; photographs: the same on
PHOTOS instead of the few pictures that come with the installation; mean: the same from the mean of the known
rows; published: from that mean with Adam as usual at 1e-3 (Dumoulin et al. 2017), without warm-up, on PHOTOS,
with our losses and average of the row, and one crop a step; reference: 3,000 steps on PHOTOS.
J = content (relu3_3) + 3 * mean style (relu1_1 to relu4_1), photos at a long side of 512 px that are never
trained on. Paintings that the base network was trained with do not count: those of the shipped styles are
left out, and PAINTINGS should have none that served for `--wide`. Seconds are those of the steps alone,
without loading.
"""

import argparse
import csv
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import Objective
from styletransfer import images
from styletransfer.core import StyleInfo
from styletransfer.device import choose_device, choose_dtype
from styletransfer.files import package_folder
from styletransfer.memory import keep_freed_memory
from styletransfer.methods import cin
from styletransfer.stylebank import StyleBank
from styletransfer.targets import StyleTarget
from styletransfer.training.data import built_in_crops, load_pictures, random_crop, split_held_out
from styletransfer.training.looks import look
from styletransfer.training.predictor import row_std
from styletransfer.training.settings import StyleTraining
from styletransfer.training.style import Start, StyleFitter, predicted_start
from styletransfer.vgg import STYLE_LAYERS, VGG19, load_vgg19
from styletransfer.weights import load_predictor

MARKS = (5, 10, 15, 25, 40, 60, 80, 100, 150, 250, 400, 600, 1000, 1500, 2000, 3000, 4000)
QUICK_STEPS = 65


class Judge:
    """J of a row for one painting, the mean over the held-out photos."""

    def __init__(
        self, base: cin.CinStylizer, vgg: VGG19, photos: Sequence[Tensor], target: StyleTarget
    ) -> None:
        self.base = base
        self.style = target.style(StyleInfo("new", "New", base_sha256=base.sha256), torch.zeros(2, 0))
        self.photos, self.target = photos, target.to(vgg.mean.device)
        self.objectives = [Objective(vgg, photo) for photo in photos]

    def __call__(self, row: Tensor) -> float:
        style = replace(self.style, row=row)
        values = []
        for photo, objective in zip(self.photos, self.objectives, strict=True):
            with torch.no_grad():
                painted = self.base.stylize(photo, [style], torch.ones(1), torch.tensor(1.0)).clone()
                values.append(objective(painted, self.target)[0][0].item())
        return statistics.mean(values)


def curve(fitter: StyleFitter, judge: Judge, constant: bool) -> list[tuple[int, float, float]]:
    """(step, seconds, J) along a fit."""
    points = [(0, 0.0, judge(fitter.row()))]
    seconds = 0.0
    steps = fitter.settings.steps
    for step in range(1, steps + 1):
        began = time.perf_counter()
        fitter.take_step(0.0 if constant else (step - 1) / steps)
        seconds += time.perf_counter() - began
        if step in MARKS or step == steps:
            points.append((step, seconds, judge(fitter.row())))
    return points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("paintings", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--only", default="", help="file names without ending, separated by commas")
    parser.add_argument("--runs", default="ours,photographs,mean,published")
    parser.add_argument("--held-out", type=int, default=6, help="photos to measure J on")
    parser.add_argument("--quick-steps", type=int, default=QUICK_STEPS)
    parser.add_argument("--reference-steps", type=int, default=3000)
    parser.add_argument("--published-steps", type=int, default=1000)
    parser.add_argument("--set", action="append", default=[], help="a field of StyleTraining, as name=value")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    keep_freed_memory()
    device = choose_device()
    dtype = choose_dtype(device)
    ours = StyleTraining()
    for each in options.set:
        name, _, value = each.partition("=")
        ours = replace(ours, **{name: type(getattr(ours, name))(value)})
    vgg = load_vgg19(STYLE_LAYERS[-1]).to(device)
    half = load_vgg19(STYLE_LAYERS[-1], dtype=dtype).to(device)
    base = cin.load(package_folder("models"), device, dtype)
    predictor, _ = load_predictor(package_folder("models"))
    bank = StyleBank(package_folder("styles"))
    known = [bank.load(name) for name in bank.paths()]
    rows = torch.stack([style.row for style in known])
    mean = Start(rows.mean(dim=0), row_std(rows))
    plain = Start(rows.mean(dim=0), torch.ones_like(rows[0]))
    used, held_out = split_held_out(images.find_pictures(options.photos))
    step = max(1, len(held_out) // options.held_out)
    measured = held_out[::step][: options.held_out]
    photos = [images.resize_long_side(images.read_picture(path).rgb, 512) for path in measured]
    generator = torch.Generator().manual_seed(1)
    pictures = load_pictures(used[:1000], round(1.5 * ours.side))
    many = [random_crop(pictures, ours.side, generator) for _ in range(1000)]
    few = built_in_crops(ours.crops, ours.side, torch.Generator().manual_seed(ours.seed))
    trained = _trained_pictures()
    paths = [path for path in images.find_pictures(options.paintings) if path.stem not in trained]
    if options.only:
        paths = [path for path in paths if path.stem in options.only.split(",")]
    if not paths:
        parser.error(f"no painting is left of those in {options.paintings}")
    table = []
    for path in paths:
        picture = images.as_style(images.read_on_white(path), ours.style_side)
        seen = look(vgg, picture)
        judge = Judge(base, half, photos, seen.targets)
        start = predicted_start(seen.targets, predictor)
        usual = replace(ours, momentum=0.9, square_momentum=0.999, warmup_steps=1)  # the first is at full rate
        slow = replace(usual, rate=1e-3, steps=options.published_steps)
        runs = {
            "ours": (start, few, ours, False),
            "quick": (start, few, replace(ours, steps=options.quick_steps), False),
            "photographs": (start, many, ours, False),
            "mean": (mean, few, ours, False),
            "published": (plain, many, slow, True),
            "reference": (start, many, replace(ours, steps=options.reference_steps), False),
        }
        for run in options.runs.split(","):
            began_with, crops, settings, constant = runs[run]
            fitter = StyleFitter(half, base.network, began_with, seen, crops, settings)
            points = curve(fitter, judge, constant)
            shown = "  ".join(f"{step}: {value:.2f} ({seconds:.0f} s)" for step, seconds, value in points)
            print(f"{path.stem:32.32s} {run:12s} {shown}", flush=True)
            table += [
                (path.stem, run, step, round(seconds, 2), round(value, 4)) for step, seconds, value in points
            ]
    print("median over paintings")
    for run in options.runs.split(","):
        steps = sorted({row[2] for row in table if row[1] == run})
        medians = {s: statistics.median(row[4] for row in table if row[1:3] == (run, s)) for s in steps}
        times = {s: statistics.median(row[3] for row in table if row[1:3] == (run, s)) for s in steps}
        print(f"{run:12s}", "  ".join(f"{s}: {medians[s]:.2f} ({times[s]:.0f} s)" for s in steps), flush=True)
    if options.csv:
        with options.csv.open("w", newline="", encoding="ascii") as file:
            csv.writer(file).writerows([("painting", "run", "step", "seconds", "J"), *table])
    if options.plot:
        _plot(options.plot, table, options.runs.split(","))


def _trained_pictures() -> set[str]:
    with (package_folder("styles") / "catalogue.csv").open(encoding="utf-8", newline="") as file:
        return {line["picture"] for line in csv.DictReader(file)}


def _plot(path: Path, table: list[tuple], runs: Sequence[str]) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5))
    for run in runs:
        steps = sorted({row[2] for row in table if row[1] == run and row[2] > 0})
        medians = [statistics.median(row[4] for row in table if row[1:3] == (run, step)) for step in steps]
        axes.plot(steps, medians, marker="o", markersize=3, label=run)
    axes.set(xscale="log", yscale="log", xlabel="steps", ylabel="J on held-out photos, median of the paintings")
    axes.set_yticks((1, 1.5, 2, 3, 5, 10, 20, 40), labels=("1", "1.5", "2", "3", "5", "10", "20", "40"))
    axes.minorticks_off()
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)


if __name__ == "__main__":
    main()
