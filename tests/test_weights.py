import json
import shutil
import subprocess
import sys

import pytest
import torch
from conftest import TINY
from safetensors.torch import save_file

from styletransfer.errors import MissingWeights
from styletransfer.files import sha256_of
from styletransfer.networks import TransformerNetwork
from styletransfer.weights import (
    BASE_FILE,
    MANIFEST_FILE,
    load_base,
    load_decoder,
    load_predictor,
    save_base,
)


def test_the_network_comes_back_in_half_precision(tmp_path):
    network = TransformerNetwork(TINY)
    digest = save_base(tmp_path, network, {"command": "train"})
    loaded, loaded_digest = load_base(tmp_path)
    assert loaded_digest == digest == sha256_of(tmp_path / BASE_FILE)
    assert loaded.config == TINY
    for mine, theirs in zip(loaded.parameters(), network.parameters(), strict=True):
        assert torch.equal(mine, theirs.half().float())


def test_a_loaded_network_is_real_and_frozen_whatever_dtype_is_the_default(tmp_path):
    save_base(tmp_path, TransformerNetwork(TINY), {"command": "train"})
    torch.set_default_dtype(torch.float64)
    try:
        loaded, _ = load_base(tmp_path)
    finally:
        torch.set_default_dtype(torch.float32)
    tensors = [*loaded.parameters(), *loaded.buffers()]
    assert {(each.device.type, each.dtype, each.requires_grad) for each in tensors} == {
        ("cpu", torch.float32, False)
    }
    assert torch.equal(loaded.noise, TransformerNetwork(TINY).noise)
    assert not loaded.training


def test_networks_without_weights_are_built_without_pytorchs_compiler():
    code = """
import sys, torch
from styletransfer import decoder, networks, predictor
with torch.device("meta"):
    networks.TransformerNetwork(), decoder.AdainDecoder(), predictor.RowPredictor(4)
assert not {"sympy", "torch._dynamo"} & {*sys.modules}
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_same_weights_stay_the_same_file(tmp_path):
    network = TransformerNetwork(TINY)
    digests = {save_base(tmp_path, network, {"command": command}) for command in ("train", "train again")}
    assert digests == {sha256_of(tmp_path / BASE_FILE)}
    assert json.loads((tmp_path / MANIFEST_FILE).read_text())[BASE_FILE]["sha256"] in digests
    with torch.no_grad():
        next(network.parameters()).add_(1)
    assert save_base(tmp_path, network, {"command": "train"}) not in digests


@pytest.mark.parametrize(
    ("load", "command"),
    [(load_base, "train-base"), (load_decoder, "train-adain"), (load_predictor, "train-predictor")],
)
def test_a_missing_file_is_said_so_and_how_it_is_made(tmp_path, load, command):
    with pytest.raises(MissingWeights, match=f"is missing.*{command}"):
        load(tmp_path)


@pytest.mark.parametrize("manifest", ["[]", '{"cin-base.safetensors": 1}', "{"])
def test_a_manifest_that_is_none_is_said_so(tiny_models, tmp_path, manifest):
    shutil.copytree(tiny_models, tmp_path / "models")
    (tmp_path / "models" / MANIFEST_FILE).write_text(manifest)
    with pytest.raises(MissingWeights, match="manifest"):
        load_base(tmp_path / "models")


def test_weights_that_cannot_be_read_are_said_so(tiny_models, monkeypatch):
    def closed(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("styletransfer.weights.sha256_of", closed)
    with pytest.raises(MissingWeights, match="Permission denied"):
        load_base(tiny_models)


def test_a_file_that_is_not_the_manifests_is_refused(tiny_models, tmp_path):
    shutil.copytree(tiny_models, tmp_path / "models")
    path = tmp_path / "models" / BASE_FILE
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(MissingWeights, match="damaged"):
        load_base(tmp_path / "models")


@pytest.mark.parametrize("metadata", [None, {"config": "{}"}, {"config": '{"half": 4, "depth": 3}'}])
def test_weights_of_another_version_are_refused(tmp_path, metadata):
    path = tmp_path / BASE_FILE
    save_file({"another": torch.zeros(2)}, path, metadata)
    (tmp_path / MANIFEST_FILE).write_text(json.dumps({BASE_FILE: {"sha256": sha256_of(path)}}))
    with pytest.raises(MissingWeights, match="not a weight file of this version"):
        load_base(tmp_path)
