"""Style files: one `<slug>.safetensors` a style, and the bank that finds, lists, loads and saves them."""

import difflib
import functools
import json
import logging
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from os.path import isfile
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from styletransfer.core import Style, StyleInfo
from styletransfer.errors import InvalidInput, InvalidStyleFile, UnknownStyle
from styletransfer.files import attempt, make_folder, replacing, version_of
from styletransfer.text import encodable, is_shown
from styletransfer.vgg import GRAM_LAYERS, channels

log = logging.getLogger(__name__)

SUFFIX = ".safetensors"
LONGEST_SLUG = 80  # bytes
MOST_KEPT = 64  # styles in memory, 2.4 MB each
LARGEST_FILE = 2**22  # bytes, of a style file from elsewhere; ours have 0.65 MB
_ACCENTS = 200  # combining classes of Unicode from here on are accents above and below letters
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
    try:
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
    except FileNotFoundError:
        raise InvalidStyleFile(f"no such style file: {path}") from None
    except (SafetensorError, OSError, KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise InvalidStyleFile(f"{path} is not a style file, or is damaged: {error}") from error


def to_slug(title: str) -> str:
    """The name that a title is used by: "My Style, II" becomes "my-style-ii". Raises InvalidInput."""
    if not is_shown(encodable(title)):
        raise InvalidInput(f"the name {title!r} has letters that cannot be shown; leave them out")
    plain = unicodedata.normalize("NFKD", title).casefold()
    bare = (letter for letter in plain if unicodedata.combining(letter) < _ACCENTS)
    kept = "".join(letter if _is_written(letter) else " " for letter in bare)
    slug = unicodedata.normalize("NFC", "-".join(kept.split()))
    if not slug:
        raise InvalidInput(f"the name {title!r} has no letter or digit; give the style another one")
    if len(slug.encode()) > LONGEST_SLUG:
        raise InvalidInput(
            f"the name {title[:40]!r}... is too long; give at most {LONGEST_SLUG} bytes of letters"
        )
    return slug


def _is_written(letter: str) -> bool:
    """Whether it is a letter, a digit, or a mark that some scripts spell words with."""
    return letter.isalnum() or unicodedata.category(letter).startswith("M")


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


class StyleBank:
    """The styles that can be used, shipped ones and a user's own. Their files are read when asked for.

    Where both folders hold the same name the shipped style is used, so that a user's file never hides it. The
    styles of a `further` folder count as shipped.
    """

    def __init__(self, shipped: Path, own: Path | None = None, further: Path | None = None) -> None:
        self.shipped, self.own, self.further = shipped, own or shipped, further or shipped

    def paths(self) -> dict[str, Path]:
        """Style name -> file, in order of name."""
        found: dict[str, Path] = {}
        for folder in (self.own, self.further, self.shipped):
            try:
                files = list(folder.iterdir())
            except OSError:  # there is none, or it is closed to this user
                continue
            found |= {path.stem: path for path in files if path.suffix == SUFFIX and path.name[0] != "."}
        return dict(sorted(found.items()))

    def is_shipped(self, name: str) -> bool:
        """Whether that name is one of a shipped style, which cannot be removed or replaced."""
        return any(isfile(folder / f"{name}{SUFFIX}") for folder in (self.shipped, self.further))

    def check_free(self, name: str) -> None:
        """Raise InvalidInput if a new style cannot have that name."""
        if self.is_shipped(name):
            raise InvalidInput(f"{name!r} is a shipped style, which is never replaced; choose another name")
        if name in self.paths():
            error = InvalidInput(f"a style {name!r} exists already; choose another name, or remove it first")
            error.add_note(  # which the page does not show: it has a button
                f"remove it with 'styletransfer styles --remove {name}', and --styles-dir for another folder "
                "than your own, or with `remove_style` in Python"
            )
            raise error

    def remove(self, name: str) -> None:
        """Delete the file of a style of the user's. Raises UnknownStyle, InvalidInput, UnwritableOutput."""
        if self.is_shipped(name):
            raise InvalidInput(f"{name!r} is a shipped style, which is never removed")
        path = self.find(name)
        with attempt(f"remove {path}"):
            path.unlink()

    def add_file(self, path: Path, base_sha256: str, row_length: int) -> StyleInfo:
        """Check a style file from elsewhere and copy it into the user's own styles.

        Raises InvalidStyleFile, InvalidInput where the name is taken, UnwritableOutput.
        """
        if isfile(path) and path.stat().st_size > LARGEST_FILE:
            raise InvalidStyleFile(f"{path} has more than {LARGEST_FILE:,} bytes, which no style file has")
        style = load_style(path)
        check_style(style, base_sha256, row_length)
        if style.info.slug != to_slug(style.info.slug):
            raise InvalidStyleFile(f"{path} holds a style with the invalid name {style.info.slug!r}")
        self.check_free(style.info.slug)
        make_folder(self.own)
        _copy(path, self.own / f"{style.info.slug}{SUFFIX}")
        return style.info

    def export(self, name: str, target: Path) -> None:
        """Copy the file of a style. Raises UnknownStyle, InvalidStyleFile, UnwritableOutput."""
        _copy(self.find(name), target)

    def infos(self) -> dict[str, StyleInfo]:
        """Style name -> its description, without the numbers; a damaged file is logged and left out."""
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
        path = self.find(name)
        return _kept(path, version_of(path))

    def preview(self, name: str) -> bytes:
        """The small picture in a style's file, without its numbers. Raises UnknownStyle, InvalidStyleFile."""
        path = self.find(name)
        try:
            with safe_open(path, framework="pt") as file:
                return _preview(file.get_tensor("preview"))
        except (SafetensorError, OSError, TypeError) as error:  # NumPy lacks some formats of numbers
            raise InvalidStyleFile(f"{path} is not a style file, or is damaged: {error}") from error

    def find(self, name: str) -> Path:
        """The file of the style of that name. Raises UnknownStyle."""
        paths = self.paths()
        if name not in paths:
            raise unknown(name, list(paths))
        return paths[name]


def _copy(source: Path, target: Path) -> None:
    try:
        content = source.read_bytes()
    except OSError as error:
        raise InvalidStyleFile(f"cannot read {source}: {error.strerror or error}") from error
    with replacing(target) as temporary:
        temporary.write_bytes(content)


@functools.lru_cache(maxsize=MOST_KEPT)
def _kept(path: Path, version: tuple[int, int, int] | None) -> Style:
    """A style file in that version; shared by all banks, as every visitor of the page has one."""
    return load_style(path)


def unknown(name: str, known: Sequence[str]) -> UnknownStyle:
    """The error for a name that is not among the known ones; it suggests the nearest of them."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UnknownStyle(f"no style named {name!r}; {hint}'styletransfer styles' lists all {len(known)}")


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
