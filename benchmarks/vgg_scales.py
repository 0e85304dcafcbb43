"""Prints the mean activation of every VGG-19 layer over photographs: the constants in `styletransfer.vgg`.

python -m benchmarks.vgg_scales PHOTO_FOLDER [--photos 150]
"""

import argparse
from pathlib import Path

import torch

from styletransfer import vgg
from styletransfer.images import as_float, find_pictures
from styletransfer.training.data import load_pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=150)
    options = parser.parse_args()
    vgg.OXFORD_SCALES.clear()
    network = vgg.load_vgg19(vgg.LAYERS[-1])
    sums = dict.fromkeys(vgg.LAYERS, 0.0)
    photos = load_pictures(find_pictures(options.folder)[: options.photos], short_side=288)
    with torch.inference_mode():
        for photo in photos:
            for layer, features in network(as_float(photo), vgg.LAYERS).items():
                sums[layer] += features.mean().item() / len(photos)
    for layer, mean in sums.items():
        print(f'    "{layer.removeprefix("relu")}": {mean:.4g},')


if __name__ == "__main__":
    main()
