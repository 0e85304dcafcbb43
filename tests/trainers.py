"""Tiny trainings of the three networks on random pictures: their trainers, for all tests of training."""

import shutil

import torch
from conftest import TINY, make_photo

from styletransfer.targets import as_batch
from styletransfer.training import base_job, data, held_out, looks
from styletransfer.training.adain import AdainTrainer
from styletransfer.training.base import BaseTrainer
from styletransfer.training.looks import Looks, look
from styletransfer.training.predictor import PredictorTrainer
from styletransfer.training.settings import AdainTraining, BaseTraining, PredictorTraining

COMMON = {"steps": 6, "contents": 1, "side": 32, "warmup_steps": 1, "seed": 3}
BASE = BaseTraining(**COMMON, final_side=40, final_share=0.2)
CPU = torch.device("cpu")
ADAIN = AdainTraining(**COMMON, final_side=40, final_share=0.2, textures=2)
PREDICTOR = PredictorTraining(**COMMON, textures=2, techniques=3)


def look_small(patch):
    """Trainings look at all pictures in a small size."""
    patch.setattr(data, "CONTENT_SIDE", 40)
    patch.setattr(looks, "SIDES", (40, 48))
    patch.setattr(base_job, "STYLE_SIDE", 48)
    patch.setattr(base_job, "WIDE_SIDES", (40, 48))
    for module in (held_out, base_job):
        patch.setattr(module, "CELL", (48, 64))


def write_pictures(folder, **counts):
    """Folders of pictures in a folder, each of as many as given: photos/photos-00.png and so on."""
    for name, count in counts.items():
        (folder / name).mkdir()
        for index in range(count):
            make_photo(44, 52, index).save(folder / name / f"{name}-{index:02}.png")


def write_data(folder, models, styles):
    """Folders to train from, content/ and paintings/, and base/ with models and styles."""
    write_pictures(folder, content=18, paintings=3)
    shutil.copytree(models, folder / "base" / "models")
    shutil.copytree(styles, folder / "base" / "styles")


def random_pictures(count, seed):
    generator = torch.Generator().manual_seed(seed)
    return list(torch.randint(256, (count, 3, 44, 50), generator=generator).to(torch.uint8).split(1))


def random_looks(vgg):
    seen = [look(vgg, picture / 255) for picture in random_pictures(3, 1)]
    targets = as_batch([each.targets for each in seen], len(seen))
    return Looks(targets, torch.cat([each.repetition for each in seen]))


def base_trainer(vgg, settings=BASE, looks=None):
    looks = looks or random_looks(vgg)
    return BaseTrainer(vgg, random_pictures(4, 2), looks, kept=2, settings=settings, config=TINY)


def adain_trainer(vgg, settings=ADAIN):
    return AdainTrainer(vgg, random_pictures(4, 2), random_looks(vgg), settings)


def predictor_trainer(vgg, network, rows, settings=PREDICTOR):
    return PredictorTrainer(vgg, network, "base", rows, random_pictures(4, 2), random_looks(vgg), settings)
