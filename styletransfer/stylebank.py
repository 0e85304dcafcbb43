"""Style files: one `<slug>.safetensors` a style, and the bank that finds, lists, loads and saves them."""

import difflib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from styletransfer.core import Style, StyleInfo
from styletransfer.errors import InvalidStyleFile, UnknownStyle
from styletransfer.files import replacing

log = logging.getLogger(__name__)

SUFFIX = ".safetensors"
_INFO = "style"
_GRAM = "gram."
_SCALE = "gram_scale."
_BOUND = "bound."


def save_style(path: Path, style: Style) -> None:
    """Write a style file. Raises UnwritableOutput.

    Gamma and beta are kept in half precision, Gram matrices as their upper triangle in half precision with
    a scale a layer.
    """
    tensors = {
        "gamma": style.row[0].half(),
        "beta": style.row[1].half(),
        "mean": style.mean.float(),
        "std": style.std.float(),
        "preview": torch.frombuffer(bytearray(style.preview or b"\0"), dtype=torch.uint8),
    }
    for layer, matrix in style.grams.items():
        scale = matrix.abs().max().clamp_min(1e-12)
        tensors[_GRAM + layer] = (_upper_triangle(matrix) / scale).half()
        tensors[_SCALE + layer] = scale.float().reshape(1)
        tensors[_BOUND + layer] = style.bounds[layer].float().reshape(1)
    contiguous = {name: value.contiguous() for name, value in tensors.items()}
    content = to_bytes(contiguous, {_INFO: json.dumps(asdict(style.info), ensure_ascii=False, sort_keys=True)})
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def load_style(path: Path) -> Style:
    """Read a style file. Raises InvalidStyleFile where it is damaged or holds numbers that are not finite."""
    try:
        with safe_open(path, framework="pt") as file:
            info = _info(file.metadata(), path)
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        layers = [name.removeprefix(_GRAM) for name in tensors if name.startswith(_GRAM)]
        preview = bytes(tensors.pop("preview").tolist())
        for name, value in tensors.items():
            if not value.isfinite().all():
                raise InvalidStyleFile(f"{path}: {name} holds numbers that are not finite; get the file anew")
        return Style(
            info=info,
            row=torch.stack((tensors["gamma"], tensors["beta"])).float(),
            mean=tensors["mean"],
            std=tensors["std"],
            grams={
                layer: _symmetric(tensors[_GRAM + layer].float()) * tensors[_SCALE + layer] for layer in layers
            },
            bounds={layer: tensors[_BOUND + layer][0] for layer in layers},
            preview=b"" if preview == b"\0" else preview,
        )
    except FileNotFoundError:
        raise InvalidStyleFile(f"no such style file: {path}") from None
    except (SafetensorError, OSError, KeyError, RuntimeError) as error:
        raise InvalidStyleFile(f"{path} is no style file, or is damaged: {error}") from error


class StyleBank:
    """The styles at hand: files of one or more folders, read when they are asked for.

    Where two folders hold the same name, the earlier folder counts: a user's file never hides a shipped one.
    """

    def __init__(self, folders: list[Path]) -> None:
        self.folders = folders
        self._loaded: dict[str, Style] = {}

    def paths(self) -> dict[str, Path]:
        """Style name -> file, in order of name."""
        found: dict[str, Path] = {}
        for folder in reversed(self.folders):
            found |= {path.stem: path for path in folder.glob(f"*{SUFFIX}")}
        return dict(sorted(found.items()))

    def infos(self) -> dict[str, StyleInfo]:
        """Style name -> what is known of it, without the numbers; a damaged file is logged and left out."""
        infos = {}
        for name, path in self.paths().items():
            try:
                with safe_open(path, framework="pt") as file:
                    infos[name] = _info(file.metadata(), path)
            except (SafetensorError, OSError, InvalidStyleFile) as error:
                log.warning("left out %s: %s", path, error)
        return infos

    def load(self, name: str) -> Style:
        """The style of that name. Raises UnknownStyle, InvalidStyleFile."""
        if name not in self._loaded:
            paths = self.paths()
            if name not in paths:
                raise UnknownStyle(_unknown(name, list(paths)))
            self._loaded[name] = load_style(paths[name])
        return self._loaded[name]


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"no style named {name!r}; {hint}'styletransfer styles' lists all {len(known)}"


def _info(metadata: Mapping[str, str] | None, path: Path) -> StyleInfo:
    try:
        values = json.loads((metadata or {})[_INFO])
        known = {field.name for field in fields(StyleInfo)}
        return StyleInfo(**{name: value for name, value in values.items() if name in known})
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise InvalidStyleFile(f"{path} is a safetensors file, but not of a style") from error


def _upper_triangle(matrix: Tensor) -> Tensor:
    rows, columns = torch.triu_indices(*matrix.shape)
    return matrix[rows, columns]  # (C * (C + 1) / 2,)


def _symmetric(triangle: Tensor) -> Tensor:
    side = round(((8 * len(triangle) + 1) ** 0.5 - 1) / 2)
    rows, columns = torch.triu_indices(side, side)
    matrix = triangle.new_empty(side, side)
    matrix[rows, columns] = triangle
    matrix[columns, rows] = triangle
    return matrix
