import pytest
import torch

from styletransfer import device


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"avx512_bf16"}, torch.bfloat16),
        ({"amx_bf16"}, torch.bfloat16),
        ({"avx512f"}, torch.float32),  # would emulate bf16, slower than float32
    ],
)
def test_half_precision_only_where_the_processor_computes_in_it(monkeypatch, flags, expected):
    monkeypatch.setattr(device, "_processor_flags", lambda: frozenset(flags))
    assert device.choose_dtype(torch.device("cpu")) == expected


def test_some_device_is_always_found():
    assert torch.zeros(1, device=device.choose_device()).item() == 0


def test_asking_the_c_library_to_keep_memory_is_harmless():
    device.keep_freed_memory()
    device.keep_freed_memory()
    assert torch.rand(1000, 1000).isfinite().all()
