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


def test_the_manifest_says_how_it_was_trained(tiny_models):
    manifest = json.loads((tiny_models / MANIFEST_FILE).read_text())
    assert manifest[BASE_FILE]["command"] == "none"


def test_a_missing_file_is_said_so(tmp_path):
    with pytest.raises(MissingWeights, match="is missing"):
        load_base(tmp_path)


def test_a_file_that_is_not_the_manifests_is_refused(tiny_models, tmp_path):
    shutil.copytree(tiny_models, tmp_path / "models")
    path = tmp_path / "models" / BASE_FILE
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(MissingWeights, match="damaged"):
        load_base(tmp_path / "models")
