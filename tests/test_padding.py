import pytest
import torch
import torch.nn.functional as F

from styletransfer.padding import _ChannelsLast, pad_by_one


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
@pytest.mark.parametrize("size", [(2, 2), (5, 4), (9, 7)])
def test_padding_for_gpus_is_torchs_own_and_so_is_its_gradient(mode, size, generator):
    x = torch.randn(2, 3, *size, dtype=torch.float64, generator=generator, requires_grad=True)
    weights = torch.randn(2, 3, size[0] + 2, size[1] + 2, dtype=torch.float64, generator=generator)
    expected = F.pad(x, (1, 1, 1, 1), mode=mode)
    found = _ChannelsLast.apply(x, int(mode == "reflect"))
    assert torch.equal(found, expected)
    assert torch.equal(pad_by_one(x, mode), expected)
    gradients = [torch.autograd.grad((each * weights).sum(), x)[0] for each in (found, expected)]
    torch.testing.assert_close(*gradients)


def test_padding_for_gpus_puts_channels_last(generator):
    padded = _ChannelsLast.apply(torch.randn(2, 3, 5, 4, generator=generator), 1)
    assert padded.is_contiguous(memory_format=torch.channels_last)
