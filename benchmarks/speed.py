"""Seconds a megapixel of the shipped network, side by side with the standard one.

    python -m benchmarks.speed [CONTENT] [--side 1024] [--runs 7]

The standard network is that of Johnson et al. 2016 with instance normalisation: 9x9 convolution to 32 channels,
two strided ones to 64 and 128, five residual blocks, two upsampling convolutions, 9x9 to the picture; 1.67 M
weights, eager float32. It is measured twice: as PyTorch runs it, and, in turn with ours, with the C library
told to keep freed memory, as in our program. With a folder of photos, the mean difference between paintings in
the fast number formats and in float32 is printed, over PHOTOS of them in every style.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from styletransfer import methods
from styletransfer.core import Style, Stylizer
from styletransfer.device import choose_device, choose_dtype, computes_int8
from styletransfer.files import package_folder
from styletransfer.images import find_pictures, read_picture, resize_long_side
from styletransfer.memory import keep_freed_memory
from styletransfer.methods import cin
from styletransfer.stylebank import StyleBank

PHOTOS = 8


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.ReflectionPad2d(kernel // 2),
        nn.Conv2d(inputs, outputs, kernel, stride),
        nn.InstanceNorm2d(outputs, affine=True),
    )


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(channels, channels, 3), nn.ReLU(), convolution(channels, channels, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def standard_network() -> nn.Sequential:
    return nn.Sequential(
        *(convolution(3, 32, 9), nn.ReLU()),
        *(convolution(32, 64, 3, 2), nn.ReLU()),
        *(convolution(64, 128, 3, 2), nn.ReLU()),
        *(Residual(128) for _ in range(5)),
        *(nn.Upsample(scale_factor=2), convolution(128, 64, 3), nn.ReLU()),
        *(nn.Upsample(scale_factor=2), convolution(64, 32, 3), nn.ReLU()),
        nn.ReflectionPad2d(4),
        nn.Conv2d(32, 3, 9),
    )


def seconds(work: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    work()
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter() - start


def paint(stylizer: Stylizer, photo: Tensor, style: Style) -> Tensor:
    return stylizer.stylize(photo, [style], torch.ones(1), torch.tensor(1.0))


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("content", type=Path, nargs="?", help="folder of photos")
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    device = choose_device()
    dtype, int8 = choose_dtype(device), computes_int8(device)
    stylizer = methods.load("cin", package_folder("models"), device)
    bank = StyleBank(package_folder("styles"))
    styles = [bank.load(name) for name in bank.paths()]
    standard = standard_network().eval().to(device)
    photo = torch.rand(1, 3, options.side, options.side)
    on_device = photo.to(device)
    plain = [seconds(lambda: standard(on_device), device) for _ in range(options.runs + 1)]
    keep_freed_memory()
    ours, theirs = [], []
    for _ in range(options.runs + 1):
        theirs.append(seconds(lambda: standard(on_device), device))
        ours.append(seconds(lambda: paint(stylizer, photo, styles[0]), device))
    megapixels = options.side**2 / 1e6
    number_format = f"{dtype}{' and int8' if int8 else ''}".removeprefix("torch.")
    threads = f"{torch.get_num_threads()} threads"
    print(f"{options.side}x{options.side}, {device.type}, {threads}, ours in {number_format}")
    middle = statistics.median(ours[1:])
    ratios = {
        "standard, as PyTorch runs it": [slow / middle for slow in plain[1:]],
        "standard, with our memory setting": [a / b for a, b in zip(theirs[1:], ours[1:], strict=True)],
    }
    print(f"ours: {middle / megapixels:.2f} s a megapixel")
    for (name, ratio), times in zip(ratios.items(), (plain, theirs), strict=True):
        figure = f"{statistics.median(times[1:]) / megapixels:.2f} s a megapixel"
        spread = f"from {min(ratio):.1f} to {max(ratio):.1f}"
        print(f"{name}: {figure}, {statistics.median(ratio):.1f} times ours ({spread})")
    if options.content:
        exact = cin.load(package_folder("models"), device, torch.float32)
        paths = find_pictures(options.content)
        chosen = paths[:: -(-len(paths) // PHOTOS)]
        photos = [resize_long_side(read_picture(path).rgb, 512) for path in chosen]
        differences = [
            255 * (paint(stylizer, photo, style) - paint(exact, photo, style)).abs().mean().item()
            for style in styles
            for photo in photos
        ]
        mean, worst = statistics.mean(differences), max(differences)
        print(f"difference from float32: mean {mean:.2f}, of the worst pair {worst:.2f} of 255")


if __name__ == "__main__":
    main()
