import numpy as np
import pytest
import torch
from conftest import WIDE, random_style
from torch.utils.flop_counter import FlopCounterMode

from styletransfer import vgg
from styletransfer.core import Cost
from styletransfer.decoder import ADAIN_LAYERS, AdainDecoder
from styletransfer.errors import InvalidInput
from styletransfer.estimate import Estimate, estimate
from styletransfer.methods import METHODS, adain, cin
from styletransfer.networks import TransformerNetwork, initial_row
from styletransfer.settings import Optimization

SIDE = 256
CPU = torch.device("cpu")


def multiply_adds(work):
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() / 2 / SIDE**2


def test_the_work_of_cin_is_what_its_network_does():
    network, one = TransformerNetwork(), torch.ones(1)
    row = initial_row(network.config)[None]
    counted = multiply_adds(lambda: network(torch.rand(1, 3, SIDE, SIDE), row, one[None], one))
    assert counted == pytest.approx(cin.MULTIPLY_ADDS, rel=0.03)


def test_the_work_of_adain_is_what_its_networks_do(monkeypatch):
    monkeypatch.setattr(vgg, "CONVOLUTIONS", WIDE)
    stylizer = adain.AdainStylizer(vgg.VGG19(ADAIN_LAYERS[-1]), AdainDecoder(), "", torch.float32)
    style = random_style("amber", "", seed=0)
    photo, one = torch.rand(1, 3, SIDE, SIDE), torch.ones(1)
    counted = multiply_adds(lambda: stylizer.stylize(photo, [style], one, torch.tensor(1.0)))
    assert counted == pytest.approx(adain.MULTIPLY_ADDS, rel=0.03)


def test_time_follows_the_rate_of_the_machine(monkeypatch):
    monkeypatch.setattr("styletransfer.estimate.matrix_rate", lambda device: 1e9)
    assert estimate(Cost(8e9, 1e6), CPU) == Estimate(pytest.approx(10), 1e6)


@pytest.mark.parametrize("method", ["cin", "adain"])
def test_memory_grows_with_the_picture_until_there_are_tiles(transfer, method):
    sizes = ((500, 500), (1000, 1000), (8000, 8000), (20000, 20000))
    small, medium, large, huge = (transfer.estimate(size, method=method).memory for size in sizes)
    assert small < medium < large
    enlarged = 3 * 20_000**2 if method == "cin" else 0  # bytes, of what is painted once more
    assert enlarged < huge < enlarged + 1.5 * large


def test_an_optimisation_takes_the_time_it_is_given(transfer):
    wish = Optimization(seconds=30)
    assert transfer.estimate((300, 400), method="gatys", optimization=wish).seconds == 30
    more = transfer.estimate((300, 400), method="gatys", optimization=Optimization(steps=90))
    assert more.seconds > transfer.estimate((300, 400), method="gatys").seconds


def test_the_cost_of_an_unknown_method_is_refused(transfer):
    with pytest.raises(InvalidInput, match="unknown method"):
        transfer.estimate((10, 10), method="magic")
    with pytest.raises(InvalidInput, match="stroke_size is 9"):
        transfer.estimate((10, 10), stroke_size=9)


@pytest.mark.parametrize("size", [(0, 10), (10,), (1.5, 10), "10", None])
def test_the_cost_of_what_is_no_size_is_refused(transfer, size):
    with pytest.raises(InvalidInput, match="give height and width"):
        transfer.estimate(size)


def test_numpys_narrow_numbers_are_a_size(transfer):
    assert transfer.estimate((np.uint16(4000), np.uint16(6000))) == transfer.estimate((4000, 6000))


@pytest.mark.parametrize("method", METHODS)
def test_the_cost_of_more_pixels_than_are_painted_is_refused(transfer, method):
    with pytest.raises(InvalidInput, match="more than 1,000,000,000"):
        transfer.estimate((10**7, 10**7), method=method)
    with pytest.raises(InvalidInput, match="more than 1,000,000,000"):
        transfer.estimate((30_000, 40_000), method=method)
    with pytest.raises(InvalidInput, match="more than 1,000,000,000"):
        transfer.estimate((20_000, 20_000), method="adain", stroke_size=0.5)


def test_looking_at_a_large_style_picture_takes_memory(transfer):
    usual, large = (
        transfer.estimate((64, 64), method="gatys", optimization=Optimization(style_scale=scale)).memory
        for scale in (1, 10)
    )
    assert large > 20 * usual


def test_strokes_of_twice_the_size_need_the_memory_of_half_the_size(transfer):
    broad = transfer.estimate((800, 800), method="adain", stroke_size=2)
    assert broad == transfer.estimate((400, 400), method="adain")


def test_painting_over_is_part_of_the_estimate(transfer):
    broad, first, over = (
        transfer.estimate((800, 800), stroke_size=2),
        transfer.estimate((400, 400)),
        transfer.estimate((800, 800)),
    )
    assert broad.memory == over.memory
    assert broad.seconds == pytest.approx(first.seconds + over.seconds)


def test_a_small_picture_that_is_painted_whole_may_need_more_memory_than_its_tiles_when_enlarged(
    transfer, monkeypatch
):
    fine = transfer.estimate((5400, 8200), stroke_size=0.25)  # in tiles, once
    monkeypatch.setattr("styletransfer.request.USUAL_PIXELS", 5400 * 8200 // 4)
    broad, first = transfer.estimate((5400, 8200)), transfer.estimate((2700, 4100))
    assert broad.memory == first.memory > fine.memory
