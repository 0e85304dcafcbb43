"""Large pictures and many: time and memory by size, tiles against the whole, a folder against the bare network.

    python -m benchmarks.large PHOTOS [--megapixels 1,12,25,100] [--differences 20] [--folder 200]

The photographs are enlarged to each size, and painted from a JPEG file to another. Memory is the most that a
process of its own has held, beside what it held with the networks loaded and one small picture painted; "own"
is without pages of mapped files, which the system takes back when it needs them. Differences are between a
picture painted in tiles, with statistics measured on parts of it, and the same painted whole, both without
8-bit integers, whose rounding depends on the extremes of what is computed at once. The folder holds JPEG
files, 400 to 1600 pixels wide, and so does the one that it is painted into.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

import torch
from PIL import Image

from styletransfer import StyleTransfer, images, methods
from styletransfer.cli.outputs import write_results
from styletransfer.device import choose_device, choose_dtype
from styletransfer.files import package_folder
from styletransfer.memory import keep_freed_memory, release_freed_memory
from styletransfer.methods import cin
from styletransfer.stylebank import StyleBank
from styletransfer.training.data import split_held_out

STYLES = ("udnie", "starry-night", "the-scream", "great-wave")
WIDTHS = (400, 640, 800, 1024, 1600)
Image.MAX_IMAGE_PIXELS = None


def enlarged(photo: Path, megapixels: float) -> Image.Image:
    """The photo with that many pixels, square."""
    side = round((megapixels * 1e6) ** 0.5)
    with Image.open(photo) as image:
        return image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)


HELD, MOST_HELD, OWN = "VmRSS", "VmHWM", "RssAnon"  # the last is without pages of files


def memory(kind: str) -> int:
    """Bytes that this process holds. Not `resource.getrusage`, whose most is also that of its parent."""
    with Path("/proc/self/status").open(encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(kind))


def paint_one(photo: Path, method: str) -> None:
    """In a process of its own: paint one picture and print seconds and bytes."""
    keep_freed_memory()
    transfer = StyleTransfer()
    small = Image.new("RGB", (64, 64), "gray")
    transfer.stylize(small, STYLES[0], method=method)
    size = images.read_size(photo)
    forecast = transfer.estimate(size, method=method)
    release_freed_memory()  # of the forecast, or the painting would use it unseen
    before, began = memory(HELD), time.perf_counter()
    own_before, own = memory(OWN), [0]
    done = threading.Event()
    watch = threading.Thread(  # ends with the process if painting fails
        target=lambda: own.extend(memory(OWN) for _ in iter(lambda: done.wait(0.02), True)), daemon=True
    )
    watch.start()
    [result] = transfer.stylize_batch([photo], STYLES[0], method=method)
    assert result.painting is not None, result.error
    target = photo.with_name("painted.jpg")
    result.painting.save(target)
    seconds = time.perf_counter() - began
    done.set()
    watch.join()
    most = memory(MOST_HELD)
    assert images.read_size(target) == size
    found = {
        "seconds": seconds,
        "memory": most - before,
        "own": max(own) - own_before,
        "said": [forecast.seconds, forecast.memory],
    }
    print(json.dumps(found))


def by_size(photo: Path, sizes: list[float], method: str) -> None:
    print(f"{method}: megapixels, seconds a megapixel, GB, GB of its own; and as estimated beforehand")
    rates = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large.jpg"
        for megapixels in sizes:
            enlarged(photo, megapixels).save(file, quality=90)
            command = [sys.executable, "-m", "benchmarks.large", str(file), "--one", "--method", method]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            seconds, memory = found["said"]
            rates.append(found["seconds"] / megapixels)
            print(
                f"{megapixels:6g} {rates[-1]:6.3f} {found['memory'] / 1e9:6.2f}"
                f" {found['own'] / 1e9:6.2f}"
                f"   {seconds / megapixels:6.3f} {memory / 1e9:6.2f}",
                flush=True,
            )
    middle = (min(rates) + max(rates)) / 2
    print(f"all within {max(rates) / middle - 1:.0%} of {middle:.3f} s a megapixel", flush=True)


def differences(photos: list[Path], megapixels: float) -> None:
    device = choose_device()
    stylizer = cin.load(package_folder("models"), device, choose_dtype(device))
    bank = StyleBank(package_folder("styles"))
    means = []
    for index, photo in enumerate(photos):
        picture = images.read_picture(enlarged(photo, megapixels)).rgb
        style, one = bank.load(STYLES[index % len(STYLES)]), torch.tensor(1.0)
        painted = []
        for limit in (picture.shape[2] * picture.shape[3], 0):  # whole, then in tiles
            with mock.patch.object(cin, "TILING", replace(cin.TILING, whole=limit)):
                painted.append(images.as_float(stylizer.stylize(picture, [style], torch.ones(1), one)))
        means.append((painted[0] - painted[1]).abs().mean().item() * 255)
    print(
        f"tiles against the whole, {len(photos)} photos of {megapixels:g} megapixels: mean difference "
        f"{statistics.mean(means):.2f} of 255, median {statistics.median(means):.2f}, most {max(means):.2f}",
        flush=True,
    )


def folder_throughput(photos: list[Path]) -> None:
    transfer = StyleTransfer()
    with tempfile.TemporaryDirectory() as name:
        sources, outputs = [], {}
        for index, photo in enumerate(photos):
            source = Path(name) / f"{index}.jpg"
            with Image.open(photo) as image:
                width = WIDTHS[index % len(WIDTHS)]
                scaled = image.convert("RGB").resize((width, round(width * image.height / image.width)))
                scaled.save(source, quality=92)
            sources.append(source)
            outputs[source] = Path(name) / f"{index}-painted.jpg"
        pictures = [images.read_picture(source) for source in sources]
        pixels = sum(picture.size[0] * picture.size[1] for picture in pictures) / 1e6
        device = choose_device()
        stylizer = methods.load("cin", package_folder("models"), device)
        style = StyleBank(package_folder("styles")).load(STYLES[0])
        transfer.stylize(sources[0], STYLES[0])
        times = []
        for _ in range(2):  # in turn, since machines are noisy
            began = time.perf_counter()
            for picture in pictures:
                stylizer.stylize(picture.rgb, [style], torch.ones(1), torch.tensor(1.0))
            bare = time.perf_counter() - began
            began = time.perf_counter()
            write_results(transfer.stylize_batch(sources, STYLES[0]), outputs, None, lambda: None)
            times.append((bare, time.perf_counter() - began))
    for bare, whole in times:
        print(
            f"{len(photos)} photos, {pixels:.0f} megapixels: the network alone {bare:.1f} s, from files to "
            f"files {whole:.1f} s, {bare / whole:.0%} of its throughput",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--megapixels", default="1,12,25,100")
    parser.add_argument("--differences", type=int, default=20, help="photos for tiles against whole")
    parser.add_argument("--of", type=float, default=16, help="megapixels of these photos")
    parser.add_argument("--folder", type=int, default=200, help="photos of the folder")
    parser.add_argument("--method", default="cin")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    keep_freed_memory()
    if options.one:
        paint_one(options.photos, options.method)
        return
    found = images.find_pictures(options.photos)
    _, held_out = split_held_out(found)
    if options.megapixels:
        by_size(held_out[0], [float(each) for each in options.megapixels.split(",")], options.method)
    if options.differences:
        differences(held_out[: options.differences], options.of)
    if options.folder:
        folder_throughput(found[: options.folder])


if __name__ == "__main__":
    main()
