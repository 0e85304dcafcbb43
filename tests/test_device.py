from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from styletransfer import device
from styletransfer.errors import InvalidInput
from styletransfer.int8 import KERNELS


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_f": True, "avx512_bf16": False}, torch.float32),  # would emulate bf16, slower than float32
        ({}, torch.float32),
    ],
)
def test_half_precision_only_where_the_processor_computes_in_it(monkeypatch, features, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    assert device.choose_dtype(torch.device("cpu")) == expected


@pytest.mark.parametrize("there", [True, False])
def test_integers_only_where_the_processor_multiplies_them_fast(monkeypatch, there):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": there})
    assert device.computes_int8(torch.device("cpu")) == (there and KERNELS)
    assert not device.computes_int8(torch.device("cuda"))


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_a_gpu_is_used_if_there_is_one(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(device, "_computing", lambda device: device)
    assert device.choose_device() == torch.device(expected)


def test_a_gpu_that_is_too_old_to_compute_is_passed_over(monkeypatch, caplog):
    def computing(device):
        raise RuntimeError("no kernel image is available\nFor debugging consider")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(device, "_computing", computing)
    assert device.choose_device() == torch.device("cpu")
    assert caplog.messages == ["cuda is not used: no kernel image is available"]
    with pytest.raises(InvalidInput, match="no kernel image"):
        device.choose_device("cuda")


def test_a_thread_computes_on_one_core_and_all_others_as_before():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with ThreadPoolExecutor(1, initializer=device.compute_on_one_core) as pool:
            assert pool.submit(torch.get_num_threads).result() == 1
        assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as pool:  # a new thread
            assert pool.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)
