"""Seconds a megapixel of the shipped network, side by side with the standard one.

    python -m benchmarks.speed [--side 1024] [--runs 7]

The standard network is that of Johnson et al. 2016 with instance normalisation: 9x9 convolution to 32 channels,
two strided ones to 64 and 128, five residual blocks, two upsampling convolutions, 9x9 to the picture; 1.67 M
weights, eager float32. Both are run in turn, after one warm-up, and the ratio is that of each turn.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from styletransfer.device import choose_device, choose_dtype, keep_freed_memory
from styletransfer.methods import METHODS
from styletransfer.stylebank import StyleBank
from styletransfer.weights import package_folder


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
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    keep_freed_memory()
    device = choose_device()
    dtype = choose_dtype(device)
    stylizer = METHODS["cin"](package_folder("models"), device, dtype)
    bank = StyleBank(package_folder("styles"))
    style = bank.load(next(iter(bank.paths())))
    standard = standard_network().eval().to(device)
    photo = torch.rand(1, 3, options.side, options.side)
    on_device = photo.to(device)
    ours, theirs = [], []
    for _ in range(options.runs + 1):
        theirs.append(seconds(lambda: standard(on_device), device))
        ours.append(seconds(lambda: stylizer.stylize(photo, [style], torch.ones(1), torch.tensor(1.0)), device))
    megapixels = options.side**2 / 1e6
    ratios = [slow / fast for slow, fast in zip(theirs[1:], ours[1:], strict=True)]
    print(f"{options.side}x{options.side}, {device.type}, {torch.get_num_threads()} threads, ours in {dtype}")
    print(f"standard  {statistics.median(theirs[1:]) / megapixels:.2f} s a megapixel")
    print(f"ours      {statistics.median(ours[1:]) / megapixels:.2f} s a megapixel")
    print(f"ratio     {statistics.median(ratios):.1f} (from {min(ratios):.1f} to {max(ratios):.1f})")


if __name__ == "__main__":
    main()
