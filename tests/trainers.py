"""Tiny trainings of the three networks on random pictures: their trainers, for all tests of training."""

import shutil

import torch
from conftest import TINY, make_photo

from styletransfer.settings import AdainTraining, BaseTraining, PredictorTraining
from styletransfer.targets import as_batch
from styletransfer.training import data, looks
from styletransfer.training.adain import AdainTrainer
from styletransfer.training.base import BaseTrainer
from styletransfer.training.looks import Looks, look
from styletransfer.training.predictor import PredictorTrainer

COMMON = {"steps": 6, "contents": 1, "side": 32, "warmup_steps": 1, "seed": 3}
BASE = BaseTraining(**COMMON, final_side=40, final_share=0.2)
ADAIN = AdainTraining(**COMMON, final_side=40, final_share=0.2, textures=2)
PREDICTOR = PredictorTraining(**COMMON, textures=2, techniques=3)


def write_data(folder, models, styles, patch):
    """Folders to train from, content/ and paintings/, and base/ with models and styles; all looked at small."""
    patch.setattr(data, "CONTENT_SIDE", 40)
    patch.setattr(looks, "SIDES", (40, 48))
    for name, count in (("content", 18), ("paintings", 3)):
        (folder / name).mkdir()
        for index in range(count):
            make_photo(44, 52, index).save(folder / name / f"{index:02}.png")
    shutil.copytree(models, folder / "base" / "models")
    shutil.copytree(styles, folder / "base" / "styles")


def random_pictures(count, seed):
    generator = torch.Generator().manual_seed(seed)
    return list(torch.randint(256, (count, 3, 44, 50), generator=generator).to(torch.uint8).split(1))


def random_looks(vgg):
    seen = [look(vgg, picture / 255) for picture in random_pictures(3, 1)]
    targets = as_batch([each.targets for each in seen], len(seen))
    return Looks(targets, torch.cat([each.repetition for each in seen]))


def base_trainer(vgg, settings=BASE, looks=None, **given):
    looks = looks or random_looks(vgg)
    given = {"dtype": vgg.dtype, "config": TINY, **given}
    return BaseTrainer(vgg, random_pictures(4, 2), looks, kept=2, settings=settings, **given)


def adain_trainer(vgg, settings=ADAIN):
    return AdainTrainer(vgg, random_pictures(4, 2), random_looks(vgg), settings)


def predictor_trainer(vgg, network, rows, settings=PREDICTOR):
    pictures, looks = random_pictures(4, 2), random_looks(vgg)
    return PredictorTrainer(vgg, network, rows, pictures, looks, settings, dtype=vgg.dtype)
