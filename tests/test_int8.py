"""Convolutions in 8-bit integers paint what those in float32 paint, nearly."""

import pytest
import torch
import torch.nn.functional as F
from conftest import TINY
from torch.utils.flop_counter import FlopCounterMode

from styletransfer import int8
from styletransfer.convolution import Conv3
from styletransfer.decoder import ADAIN_LAYERS, AdainDecoder
from styletransfer.int8 import DOT_PRODUCTS, Int8Convolution, flop_formulas, processor_has, quantise
from styletransfer.vgg import VGG19, channels

pytestmark = pytest.mark.skipif(not int8.KERNELS, reason="this build of PyTorch has no such kernels")

DTYPES = [torch.float32, torch.bfloat16]
EIGHT_BITS = processor_has(*DOT_PRODUCTS)  # for the weights, else seven
NEARLY = 0.015 if EIGHT_BITS else 0.02  # relative error of one convolution


def relative_error(found, expected):
    return (found.float() - expected).norm() / expected.norm()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("positive", [True, False])
def test_bytes_stand_for_the_features_to_within_a_step(generator, dtype, positive):
    features = 30 * torch.randn(2, 3, 17, 19, generator=generator).to(dtype)
    features = features.relu() if positive else features
    quantised, step, zero = quantise(features, positive)
    assert quantised.dtype == torch.uint8
    assert step == pytest.approx((features.max() - features.min()).item() / int8.LEVELS, rel=0.01)
    error = (quantised.float() - zero) * step - features.float()
    assert error.abs().max() <= 1.01 * step  # bfloat16 is up to half a level off before the rounding
    assert error.mean().abs() < 0.05 * step


@pytest.mark.parametrize("value", [0.0, -3.0, 1.0])
def test_a_map_of_one_value_keeps_it(value):
    features = torch.full((1, 2, 4, 4), value)
    quantised, step, zero = quantise(features)
    torch.testing.assert_close((quantised.float() - zero) * step, features, atol=1e-6, rtol=0.01)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("stride", [1, 2])
def test_it_is_the_convolution_nearly(generator, dtype, stride):
    kernel, bias = torch.randn(24, 16, 3, 3, generator=generator), torch.randn(24, generator=generator)
    features = torch.randn(2, 16, 21, 18, generator=generator)
    expected = F.conv2d(features, kernel, bias, stride)
    found = Int8Convolution(kernel, bias, stride=stride)(features.to(dtype))
    assert found.dtype == dtype
    assert found.shape == expected.shape
    assert relative_error(found, expected) < NEARLY


def test_the_largest_sums_do_not_overflow():
    features, kernel = torch.ones(1, 32, 8, 8), torch.ones(16, 32, 3, 3)
    kernel[8:] = -1
    torch.testing.assert_close(Int8Convolution(kernel)(features), F.conv2d(features, kernel), rtol=0.01, atol=0)


@pytest.mark.parametrize(
    ("known", "levels"), [({"avx2": True}, 63), ({"avx_vnni": True}, 127), ({"avx512_vnni": True}, 127)]
)
def test_weights_have_seven_bits_where_products_are_added_in_pairs(monkeypatch, known, levels):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    assert Int8Convolution(torch.ones(4, 4, 3, 3)).scale[0].item() == pytest.approx(1 / levels)


def test_factors_of_either_sign_and_summands_are_applied_by_channel(generator):
    kernel = torch.randn(12, 8, 3, 3, generator=generator)
    features = torch.randn(1, 8, 16, 16, generator=generator)
    scale, shift = torch.randn(2, 12, generator=generator)
    expected = F.conv2d(features, kernel) * scale[:, None, None] + shift[:, None, None]
    assert relative_error(Int8Convolution(kernel)(features, scale, shift), expected) < NEARLY


@pytest.mark.parametrize("doubling", [False, True])
def test_a_layer_computes_the_same_when_told_to_use_integers(generator, doubling):
    layer = Conv3(8, 12, bias=True, doubling=doubling)
    torch.nn.init.normal_(layer.bias, generator=generator)
    features = torch.randn(1, 8, 14, 15, generator=generator)
    scale, shift = torch.randn(2, 12, generator=generator)
    with torch.inference_mode():
        expected, folded = layer(features), layer(features, scale, shift)
        layer.use_int8()
        assert relative_error(layer(features), expected) < NEARLY
        assert relative_error(layer(features, scale, shift), folded) < NEARLY


@torch.inference_mode()
def test_the_networks_paint_the_same_nearly(network, generator):
    photo = torch.rand(1, 3, 64, 80, generator=generator)
    row = torch.rand(1, 2, TINY.row_length, generator=generator)
    one = torch.ones(1)
    expected = network(photo, row, one[None], one)
    network.use_int8()
    error = (network(photo, row, one[None], one) - expected).abs().mean()
    assert 0 < error < (0.02 if EIGHT_BITS else 0.03) * expected.std()


@torch.inference_mode()
def test_encoder_and_decoder_compute_the_same_nearly(generator):
    vgg, decoder = VGG19("relu2_2"), AdainDecoder()
    photo = torch.rand(1, 3, 32, 40, generator=generator)
    layers = ("relu1_1", "relu1_2", "relu2_2")
    expected = vgg(photo, layers)
    vgg.use_int8()
    for layer, features in vgg(photo, layers).items():
        assert relative_error(features, expected[layer]) < 0.03

    sides = (16, 8, 4)
    features = {
        layer: torch.rand(1, channels(layer), side, side, generator=generator)
        for layer, side in zip(ADAIN_LAYERS, sides, strict=True)
    }
    painted = decoder(features)
    decoder.use_int8()
    assert 0 < (decoder(features) - painted).abs().mean() < 0.05 * painted.std()


def test_their_work_is_counted(generator):
    features = torch.randn(1, 8, 10, 12, generator=generator)
    with FlopCounterMode(display=False, custom_mapping=flop_formulas()) as counter:
        Int8Convolution(torch.randn(16, 8, 3, 3, generator=generator))(features)
    assert counter.get_total_flops() == 2 * 8 * 16 * 9 * 8 * 10
