import json
import shutil

import pytest
import torch
from conftest import TINY

from styletransfer.errors import MissingWeights
from styletransfer.files import sha256_of
from styletransfer.networks import TransformerNetwork
from styletransfer.weights import BASE_FILE, MANIFEST_FILE, load_base, save_base


def test_the_network_comes_back_in_half_precision(tmp_path):
    network = TransformerNetwork(TINY)
    digest = save_base(tmp_path, network, {"command": "train"})
    loaded, loaded_digest = load_base(tmp_path)
    assert loaded_digest == digest == sha256_of(tmp_path / BASE_FILE)
    assert loaded.config == TINY
    for mine, theirs in zip(loaded.parameters(), network.parameters(), strict=True):
        assert torch.equal(mine, theirs.half().float())


def test_the_same_weights_stay_the_same_file(tmp_path):
    network = TransformerNetwork(TINY)
    digests = {save_base(tmp_path, network, {"command": command}) for command in ("train", "train again")}
    assert digests == {sha256_of(tmp_path / BASE_FILE)}
    assert json.loads((tmp_path / MANIFEST_FILE).read_text())[BASE_FILE]["sha256"] in digests
    with torch.no_grad():
        next(network.parameters()).add_(1)
    assert save_base(tmp_path, network, {"command": "train"}) not in digests


def test_a_missing_file_is_said_so(tmp_path):
    with pytest.raises(MissingWeights, match="is missing"):
        load_base(tmp_path)


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
