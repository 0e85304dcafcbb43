"""What the benchmarks measure by."""

import pytest
import torch

from benchmarks import Objective
from styletransfer.targets import style_target
from styletransfer.vgg import GRAM_LAYERS, STYLE_LAYERS, load_vgg19

LAYERS = (("relu3_3", STYLE_LAYERS), ("relu4_2", GRAM_LAYERS))


def test_j_is_content_and_three_times_style_at_every_choice_of_layers(generator):
    vgg = load_vgg19(GRAM_LAYERS[-1])
    photo, painting = torch.rand(2, 1, 3, 48, 48, generator=generator)
    target = style_target(vgg, painting, GRAM_LAYERS)
    objective = Objective(vgg, photo, LAYERS)
    for found, (_, layers) in zip(objective(photo, target), LAYERS, strict=True):
        value, content, style = (loss.item() for loss in found)
        assert content == 0
        assert style == pytest.approx(target.at(layers).loss(vgg(photo, layers)).item())
        assert value == pytest.approx(3 * style)
    for found in objective(painting, target):
        value, content, style = (loss.item() for loss in found)
        assert content > 0
        assert style == pytest.approx(0, abs=1e-6)
        assert value == pytest.approx(content, abs=1e-5)


def test_pictures_come_to_the_device_of_the_network():
    vgg, photo = load_vgg19(STYLE_LAYERS[-1]), torch.rand(1, 3, 48, 48)
    target = style_target(vgg, photo).to(torch.device("meta"))
    [(value, _, _)] = Objective(vgg.to("meta"), photo)(photo, target)
    assert value.device == torch.device("meta")
