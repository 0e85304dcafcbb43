"""The file of one style, `<slug>.safetensors`: saving, loading and checking it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from styletransfer.core import Style, StyleInfo
from styletransfer.errors import InvalidInput, InvalidStyleFile
from styletransfer.files import replacing
from styletransfer.text import is_shown
from styletransfer.vgg import GRAM_LAYERS, channels

_DEEPEST = 8  # levels of lists and tables in a description; ours have three
_INFO = "style"
_TEXTS = ("slug", "title", "artist", "year", "rights", "licence", "base_sha256")  # fields of StyleInfo
_NO_PREVIEW = b"\0"
_GRAM = "gram."
_SCALE = "gram_scale."
_BOUND = "bound."
_MEAN = "mean."
_STD = "std."


def save_style(path: Path, style: Style) -> None:
    """Write a style file. Raises UnwritableOutput.

    Gamma and beta are kept in half precision, Gram matrices as their upper triangle in half precision with
    a scale a layer.
    """
    tensors = {
        "gamma": style.row[0].half(),
        "beta": style.row[1].half(),
        "preview": torch.frombuffer(bytearray(style.preview or _NO_PREVIEW), dtype=torch.uint8),
    }
    for layer, matrix in style.grams.items():
        scale = matrix.abs().max().clamp_min(1e-12)
        tensors[_GRAM + layer] = (_upper_triangle(matrix) / scale).half()
        tensors[_SCALE + layer] = scale.float().reshape(1)
        tensors[_BOUND + layer] = style.bounds[layer].float().reshape(1)
        tensors[_MEAN + layer] = style.means[layer].float()
        tensors[_STD + layer] = style.stds[layer].float()
    contiguous = {name: value.contiguous() for name, value in tensors.items()}
    content = to_bytes(contiguous, {_INFO: json.dumps(asdict(style.info), ensure_ascii=False, sort_keys=True)})
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def load_style(path: Path) -> Style:
    """Read a style file. Raises InvalidStyleFile where it is damaged or holds numbers that are not finite."""
    with _reading(path):
        with safe_open(path, framework="pt") as file:
            info = _info(file.metadata(), path)
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        layers = [name.removeprefix(_GRAM) for name in tensors if name.startswith(_GRAM)]
        preview = _preview(tensors.pop("preview"))
        for name, value in tensors.items():
            if not value.isfinite().all():
                raise InvalidStyleFile(
                    f"{path}: {name!r} holds numbers that are not finite; get the file again"
                )
        return Style(
            info=info,
            row=torch.stack((tensors["gamma"], tensors["beta"])).float(),
            grams={
                layer: _symmetric(tensors[_GRAM + layer].float()) * float(tensors[_SCALE + layer])
                for layer in layers
            },
            # Copied, as they would otherwise keep the file open, which then cannot be removed on Windows.
            bounds={layer: tensors[_BOUND + layer][0].to(torch.float32, copy=True) for layer in layers},
            means={layer: tensors[_MEAN + layer].to(torch.float32, copy=True) for layer in layers},
            stds={layer: tensors[_STD + layer].to(torch.float32, copy=True) for layer in layers},
            preview=preview,
        )


def load_info(path: Path) -> StyleInfo:
    """Read the description in a style file alone. Raises InvalidStyleFile."""
    with _reading(path), safe_open(path, framework="pt") as file:
        return _info(file.metadata(), path)


def load_preview(path: Path) -> bytes:
    """Read the small picture in a style file alone. Raises InvalidStyleFile."""
    with _reading(path), safe_open(path, framework="pt") as file:
        return _preview(file.get_tensor("preview"))


def check_base(style: Style, base_sha256: str) -> None:
    """Raise InvalidStyleFile unless the style's gamma and beta belong to that base network.

    Raises InvalidInput for a picture whose gamma and beta could not be predicted.
    """
    if style.picture is not None and style.row.numel() == 0:
        raise InvalidInput(
            f"{style.info.slug} is a picture, and there is no predictor for this base network: train one with "
            "'styletransfer train-predictor', or use the method adain or gatys"
        )
    if style.info.base_sha256 != base_sha256:
        raise InvalidStyleFile(
            f"style {style.info.slug!r} was learned with a different base network; learn it again"
        )


def check_style(style: Style, base_sha256: str, row_length: int) -> None:
    """Raise InvalidStyleFile unless every part has its shape and the style belongs to that base network."""
    check_base(style, base_sha256)
    shapes: dict[str, tuple[Tensor, tuple[int, ...]]] = {"gamma and beta": (style.row, (2, row_length))}
    for layer in GRAM_LAYERS:
        if layer not in style.grams:
            raise InvalidStyleFile(f"style {style.info.slug!r} lacks the statistics of {layer}")
        width = channels(layer)
        shapes[f"the Gram matrix of {layer}"] = (style.grams[layer], (width, width))
        shapes[f"the bound of {layer}"] = (style.bounds[layer], ())
        shapes[f"the mean of {layer}"] = (style.means[layer], (width,))
        shapes[f"the std of {layer}"] = (style.stds[layer], (width,))
    for layer in style.grams:
        if layer not in GRAM_LAYERS:
            raise InvalidStyleFile(f"style {style.info.slug!r} has statistics of {layer!r}, an unknown layer")
    for part, (value, shape) in shapes.items():
        if tuple(value.shape) != shape:
            raise InvalidStyleFile(
                f"style {style.info.slug!r}: {part} is of shape {tuple(value.shape)}, not {shape}"
            )
        if not value.isfinite().all():
            raise InvalidStyleFile(f"style {style.info.slug!r}: {part} has numbers that are not finite")
    positive = [*style.bounds.values(), *style.stds.values()]
    if not all(bool((value > 0).all()) for value in positive):
        raise InvalidStyleFile(f"style {style.info.slug!r} has bounds or stds that are not above 0")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Report what is wrong with a style file as InvalidStyleFile."""
    try:
        yield
    except FileNotFoundError:
        raise InvalidStyleFile(f"no such style file: {path}") from None
    # TypeErrors also come from formats of numbers that NumPy lacks.
    except (SafetensorError, OSError, KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise InvalidStyleFile(f"{path} is not a style file, or is damaged: {error}") from error


def _info(metadata: Mapping[str, str] | None, path: Path) -> StyleInfo:
    try:
        values = json.loads((metadata or {})[_INFO])
        _check_plain(values, _DEEPEST)
        known = {field.name for field in fields(StyleInfo)}
        for name in _TEXTS:
            text = values.get(name, "")
            if not isinstance(text, str) or not is_shown(text):
                raise TypeError
        return StyleInfo(**{name: value for name, value in values.items() if name in known})
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidStyleFile(f"{path} is a safetensors file, but not of a style") from error


def _check_plain(value: object, levels: int) -> None:
    """Raise ValueError unless it can be written as JSON again, for which it must not be nested too deep."""
    if isinstance(value, str):
        value.encode()  # which halves of surrogate pairs cannot be
    elif isinstance(value, list | dict):
        if levels == 0:
            raise ValueError
        for each in [*value, *value.values()] if isinstance(value, dict) else value:
            _check_plain(each, levels - 1)


def _preview(stored: Tensor) -> bytes:
    content = stored.numpy().tobytes()
    return b"" if content == _NO_PREVIEW else content


def _upper_triangle(matrix: Tensor) -> Tensor:
    rows, columns = torch.triu_indices(*matrix.shape)
    return matrix[rows, columns]  # (C * (C + 1) / 2,)


def _symmetric(triangle: Tensor) -> Tensor:
    if triangle.ndim != 1:  # which may have any length in no bytes
        raise ValueError(f"a Gram matrix is of shape {tuple(triangle.shape)}")
    side = round(((8 * len(triangle) + 1) ** 0.5 - 1) / 2)
    rows, columns = torch.triu_indices(side, side)
    matrix = triangle.new_empty(side, side)
    matrix[rows, columns] = triangle
    matrix[columns, rows] = triangle
    return matrix
