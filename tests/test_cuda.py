"""What a GPU paints and learns is what the CPU does; these tests need one."""

import pytest
import torch
from conftest import TINY
from trainers import random_looks, random_pictures

from styletransfer.methods import cin
from styletransfer.training.base import BaseTrainer
from styletransfer.training.settings import BaseTraining, StyleTraining
from styletransfer.training.style import Start, StyleFitter
from styletransfer.vgg import STYLE_LAYERS, load_vgg19
from styletransfer.weights import load_base

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU with CUDA here")

DEVICES = ("cpu", "cuda")


def test_a_painting_is_the_same(tiny_models, styles, generator):
    photo = torch.rand(1, 3, 48, 64, generator=generator)
    painted = [
        cin.load(tiny_models, torch.device(device), torch.float32)
        .stylize(photo.to(device), styles[:2], torch.tensor([0.4, 0.6]), torch.tensor(0.9))
        .cpu()
        for device in DEVICES
    ]
    torch.testing.assert_close(*painted, atol=1e-3, rtol=0)


def test_a_step_of_training_is_the_same():
    pictures = random_pictures(4, 1)
    settings = BaseTraining(steps=6, contents=2, side=32, final_share=0.0, warmup_steps=1)
    losses = []
    for device in map(torch.device, DEVICES):
        vgg = load_vgg19(STYLE_LAYERS[-1]).to(device)
        run = BaseTrainer(vgg, pictures, random_looks(vgg), 2, settings, config=TINY)
        losses.append([list(run.take_step().values()) for _ in range(2)])
    torch.testing.assert_close(*map(torch.tensor, losses), atol=1e-3, rtol=1e-2)


def test_a_step_of_learning_a_style_is_the_same(tiny_models, styles):
    crops = [picture[:, :, :32, :32] / 255 for picture in random_pictures(4, 1)]
    settings = StyleTraining(steps=6, side=32, warmup_steps=1)
    start = Start(styles[0].row, torch.ones_like(styles[0].row))
    losses, rows = [], []
    for device in map(torch.device, DEVICES):
        vgg, network = load_vgg19(STYLE_LAYERS[-1]).to(device), load_base(tiny_models)[0].to(device)
        fitter = StyleFitter(vgg, network, start, random_looks(vgg)[[0]], crops, settings)
        losses.append([list(fitter.take_step(0.0).values()) for _ in range(2)])
        rows.append(fitter.row())
    torch.testing.assert_close(*map(torch.tensor, losses), atol=1e-3, rtol=1e-2)
    torch.testing.assert_close(*rows, atol=1e-2, rtol=1e-2)
