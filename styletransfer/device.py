"""Which processor to compute on, in which number format, and on how many cores."""

import contextlib
import logging
import threading
from collections.abc import Iterator

import torch

from styletransfer.errors import InvalidInput
from styletransfer.int8 import KERNELS, processor_has

log = logging.getLogger(__name__)

_COUNTING_CORES = threading.Lock()


def choose_device(name: str | None = None) -> torch.device:
    """The device of that name, or the best one that computes. Raises InvalidInput."""
    if name is None:
        for kind, backend in (("cuda", torch.cuda), ("mps", torch.backends.mps)):
            if backend.is_available():
                try:
                    return _computing(torch.device(kind))
                except RuntimeError as error:
                    log.warning("%s is not used: %s", kind, str(error).partition("\n")[0])
        return torch.device("cpu")
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda", "mps"):
            raise RuntimeError("use cpu, cuda or mps")
        return _computing(device)
    except (RuntimeError, AssertionError) as error:
        raise InvalidInput(f"cannot compute on {name!r}: {error}") from error


def _computing(device: torch.device) -> torch.device:
    """The device, once it has computed something: PyTorch finds GPUs that are too old for its kernels."""
    torch.ones(1, device=device).add_(1)
    return device


@contextlib.contextmanager
def on_the_cpu() -> Iterator[None]:
    """Have PyTorch make tensors on the CPU, also in a program that has it make them elsewhere."""
    default = torch.get_default_device().type == "cpu"
    with contextlib.nullcontext() if default else torch.device("cpu"):  # which takes time in every call
        yield


def choose_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware computes in it, else float32, as emulated bfloat16 is slower."""
    if device.type == "cpu":
        native = processor_has("avx512_bf16", "amx_bf16")
    elif device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        native = False
    return torch.bfloat16 if native else torch.float32


def computes_int8(device: torch.device) -> bool:
    """Whether the device multiplies 8-bit integers faster than any other numbers: see `styletransfer.int8`."""
    return device.type == "cpu" and processor_has("avx2") and KERNELS


def compute_on_one_core() -> None:
    """Make the calling thread compute on one core from now on, for work done during the painting.

    Otherwise PyTorch would start a helper thread for each core. These spin for a while after their work and
    take the cores from the painting, which costs up to a fifth of its time.
    """
    with _COUNTING_CORES:
        cores = torch.get_num_threads()
        torch.set_num_threads(1)
        # That also changes what new threads begin with, which another thread sets back.
        other = threading.Thread(target=torch.set_num_threads, args=(cores,))
        other.start()
        other.join()
