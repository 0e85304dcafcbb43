"""The weight files in `models/`: finding, verifying, loading and writing them.

`models/manifest.json` has the sha256 of each file, its licence and the command that trained it; a file with
another sha256 is refused.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from os.path import isfile
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from styletransfer.decoder import AdainDecoder
from styletransfer.errors import MissingWeights
from styletransfer.files import make_folder, replacing, sha256_of
from styletransfer.networks import NetworkConfig, TransformerNetwork
from styletransfer.predictor import RowPredictor

BASE_FILE = "cin-base.safetensors"
DECODER_FILE = "adain.safetensors"
PREDICTOR_FILE = "predictor.safetensors"
MANIFEST_FILE = "manifest.json"
Network = TypeVar("Network", bound=nn.Module)


def save_base(folder: Path, network: TransformerNetwork, description: Mapping[str, object]) -> str:
    """Write the base network in half precision, and the manifest beside it.

    Args:    description: of the training, plain values: command, data, settings, losses, licence.
    Returns: the file's sha256, which style files are bound to.
    """
    return _save(folder, BASE_FILE, network, description, asdict(network.config))


def load_base(folder: Path) -> tuple[TransformerNetwork, str]:
    """The base network in float32 on the CPU, and the file's sha256.

    Raises MissingWeights where the file is absent, damaged, or not the one of the manifest.
    """
    network, _, digest = _load(
        folder, BASE_FILE, "train-base", lambda config: TransformerNetwork(NetworkConfig(**config))
    )
    return network, digest


def save_decoder(folder: Path, decoder: AdainDecoder, description: Mapping[str, object]) -> None:
    """Write the AdaIN decoder as `save_base` does the base network."""
    _save(folder, DECODER_FILE, decoder, description, {})


def load_decoder(folder: Path) -> tuple[AdainDecoder, str]:
    """The AdaIN decoder in float32 on the CPU, and the file's sha256. Raises MissingWeights."""
    decoder, _, digest = _load(folder, DECODER_FILE, "train-adain", lambda _: AdainDecoder())
    return decoder, digest


def save_predictor(
    folder: Path, predictor: RowPredictor, base_sha256: str, description: Mapping[str, object]
) -> None:
    """Write the row predictor as `save_base` does the base network; its rows are those of `base_sha256`."""
    config = {"row_length": predictor.row_mean.shape[1], "base_sha256": base_sha256}
    _save(folder, PREDICTOR_FILE, predictor, description, config)


def load_predictor(folder: Path) -> tuple[RowPredictor, str]:
    """The row predictor in float32 on the CPU, and the sha256 of the base network whose rows it predicts.

    Raises MissingWeights, also where the folder has another base network.
    """
    predictor, own_base = load_predictor_of_any_base(folder)
    if own_base != _manifest(folder).get(BASE_FILE, {}).get("sha256"):
        raise MissingWeights(
            f"{folder / PREDICTOR_FILE} was trained with another base network; "
            "train it again with 'styletransfer train-predictor'"
        )
    return predictor, own_base


def load_predictor_of_any_base(folder: Path) -> tuple[RowPredictor, str]:
    """As `load_predictor`, for any base network: to train on from, not to paint. Raises MissingWeights."""
    predictor, config, _ = _load(
        folder, PREDICTOR_FILE, "train-predictor", lambda config: RowPredictor(config["row_length"])
    )
    return predictor, config.get("base_sha256", "")


def _save(
    folder: Path, name: str, network: nn.Module, description: Mapping[str, object], config: Mapping[str, object]
) -> str:
    half = {key: value.half().cpu().contiguous() for key, value in network.state_dict().items()}
    metadata = {"config": json.dumps(config), "description": json.dumps(description, sort_keys=True)}
    make_folder(folder)
    path = folder / name
    if not _holds(path, half, metadata["config"]):
        with replacing(path) as temporary:
            temporary.write_bytes(to_bytes(half, metadata))
    digest = sha256_of(path)
    manifest = _manifest(folder) | {name: {"sha256": digest, **description}}
    with replacing(folder / MANIFEST_FILE) as temporary:
        temporary.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    return digest


def _holds(path: Path, tensors: Mapping[str, Tensor], config: str) -> bool:
    """Whether a file has these weights already: written again, it would fit no style that is bound to it."""
    try:
        with safe_open(path, framework="pt") as file:
            same = file.metadata()["config"] == config and set(file.keys()) == set(tensors)
            return same and all(torch.equal(file.get_tensor(key), value) for key, value in tensors.items())
    except (OSError, SafetensorError, KeyError, TypeError):
        return False


def _load(
    folder: Path, name: str, command: str, build: Callable[[dict[str, Any]], Network]
) -> tuple[Network, dict[str, Any], str]:
    """The network, built of the stored configuration, frozen, in float32; the configuration; the file's sha256.

    Raises MissingWeights unless the file is the one that the manifest names.
    """
    path = folder / name
    if not isfile(path):
        raise MissingWeights(f"{path} is missing; reinstall, or train it with 'styletransfer {command}'")
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise MissingWeights(f"{path} cannot be read: {error}; reinstall") from error
    if digest != _manifest(folder).get(name, {}).get("sha256"):
        raise MissingWeights(
            f"{path} is not the file that {MANIFEST_FILE} names: it is damaged (reinstall), or the manifest "
            "beside it is of another training (merge the two: see docs/training.md)"
        )
    try:
        with safe_open(path, framework="pt") as file:
            config = json.loads(file.metadata()["config"])
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}
        # Without the weights that a training begins with, which would take most of the time. What draws them is
        # left out by the networks: on this device it would import PyTorch's compiler, in a second.
        with torch.device("meta"):
            network = build(config)
        network.load_state_dict(tensors, assign=True)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise MissingWeights(f"{path} is not a weight file of this version: {error}") from error
    return network.eval().requires_grad_(False), config, digest


def _manifest(folder: Path) -> dict[str, dict]:
    """The entries of a folder's manifest by file name; {} where there is none."""
    path = folder / MANIFEST_FILE
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise MissingWeights(f"{path} cannot be read: {error}; reinstall") from error
    if not isinstance(found, dict) or not all(isinstance(entry, dict) for entry in found.values()):
        raise MissingWeights(f"{path} is no manifest: it must name each file's training; reinstall")
    return found
