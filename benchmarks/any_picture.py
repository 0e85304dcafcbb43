"""How good a method is on paintings and photographs never trained on.

    python -m benchmarks.any_picture PHOTOS PAINTINGS [--method adain] [--photos 40] [--styles 20]
        [--strengths 0.25,0.5,0.75,1]

Of both folders every 16th picture is used, which are held out of training; photos at a long side of 512 px,
each painted in every painting. J = content (relu3_3) + 3 * mean style (relu1_1 to relu4_1), and, as a yardstick
that training did not minimise, content at relu4_2 and style at relu1_1 to relu5_1.
"""

import argparse
import csv
import statistics
from pathlib import Path

import torch

from benchmarks import Objective
from styletransfer import images, methods
from styletransfer.device import choose_device, choose_dtype
from styletransfer.files import package_folder
from styletransfer.memory import keep_freed_memory
from styletransfer.picturestyles import PictureStyles
from styletransfer.settings import STYLE_SIDE
from styletransfer.targets import style_target
from styletransfer.training.data import split_held_out
from styletransfer.vgg import CONTENT_LAYER, GRAM_LAYERS, STYLE_LAYERS, load_vgg19

LAYERS = ((CONTENT_LAYER, STYLE_LAYERS), ("relu4_2", GRAM_LAYERS))  # of the training, and of the yardstick
COLUMNS = ("J", "content", "style", "yardstick J", "yardstick content", "yardstick style")


def _some(paths: list[Path], count: int) -> list[Path]:
    return paths[:: max(1, len(paths) // count)][:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("content", type=Path)
    parser.add_argument("paintings", type=Path)
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--styles", type=int, default=20)
    parser.add_argument("--strengths", default="1", help="strengths to measure at, separated by commas")
    parser.add_argument("--method", default="cin", help="cin, with predicted gamma and beta, or adain")
    parser.add_argument("--models", type=Path, default=package_folder("models"))
    parser.add_argument("--csv", type=Path, help="write the table there")
    options = parser.parse_args()
    keep_freed_memory()
    device = choose_device()
    dtype = choose_dtype(device)
    vgg = load_vgg19(GRAM_LAYERS[-1]).to(device)
    stylizer = methods.load(options.method, options.models, device)
    photos = _some(split_held_out(images.find_pictures(options.content))[1], options.photos)
    paintings = _some(split_held_out(images.find_pictures(options.paintings))[1], options.styles)
    pictures = PictureStyles(options.models, device)
    styles = [pictures.get(path, path.stem) for path in paintings]
    looked_at = [images.as_style(images.read_on_white(path), STYLE_SIDE) for path in paintings]
    targets = [style_target(vgg, picture, GRAM_LAYERS).to(device) for picture in looked_at]
    vgg.convolutions.to(dtype)  # the mean and std of the input keep their digits
    table = []
    for strength in map(float, options.strengths.split(",")):
        rows = []
        with torch.inference_mode():
            for path in photos:
                photo = images.resize_long_side(images.read_picture(path).rgb, 512).to(device)
                objective = Objective(vgg, photo, LAYERS)
                for painting, style, target in zip(paintings, styles, targets, strict=True):
                    painted = stylizer.stylize(photo, [style], torch.ones(1), torch.tensor(strength))
                    values = [loss.item() for losses in objective(painted, target) for loss in losses]
                    rows.append(values)
                    table.append([strength, path.stem, painting.stem, *(round(value, 4) for value in values)])
        medians = [statistics.median(column) for column in zip(*rows, strict=True)]
        shown = "  ".join(f"{name} {value:.2f}" for name, value in zip(COLUMNS, medians, strict=True))
        print(f"strength {strength:g}, median of {len(rows)}:  {shown}", flush=True)
    if options.csv:
        with options.csv.open("w", newline="", encoding="ascii") as file:
            csv.writer(file).writerows([["strength", "photo", "painting", *COLUMNS], *table])


if __name__ == "__main__":
    main()
