"""Tiny random networks and styles: all but the beauty of pictures can be tested on them in milliseconds."""

import errno
import gc
import importlib.util
import os
import random
import socket
import struct
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops

from styletransfer import StyleTransfer, estimate, images, vgg
from styletransfer.core import Style, StyleInfo
from styletransfer.decoder import AdainDecoder
from styletransfer.networks import NetworkConfig, TransformerNetwork
from styletransfer.predictor import RowPredictor
from styletransfer.stylebank import StyleBank
from styletransfer.stylefile import save_style
from styletransfer.training import style_job
from styletransfer.vgg import GRAM_LAYERS, channels
from styletransfer.weights import save_base, save_decoder, save_predictor

if TYPE_CHECKING:
    from styletransfer.page.visitors import Visitor

if "PYTEST_XDIST_WORKER" in os.environ:  # tests side by side share the cores
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that tests start

os.environ.pop("FORCE_COLOR", None)  # with which progress is shown without a terminal
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # or it reports each page to its makers

TINY = NetworkConfig(half=4, quarter=6, eighth=8, quarter_blocks=1, eighth_blocks=1)
WIDE = vgg.CONVOLUTIONS
NARROWER = 8  # how many times fewer channels VGG-19 has in tests


@contextmanager
def narrow_vgg() -> Iterator[None]:
    """Makes VGG-19 a narrow network of random weights."""
    narrow = tuple((name, max(3, inputs // NARROWER), outputs // NARROWER) for name, inputs, outputs in WIDE)
    generator = torch.Generator().manual_seed(0)
    weights, incoming = {}, 64.0  # about the size of what goes in, where colours are 0 to 255
    for name, inputs, outputs in narrow:
        weight = torch.randn(outputs, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
        weights[name] = weight * vgg.OXFORD_SCALES[name] / incoming, torch.zeros(outputs)
        incoming = vgg.OXFORD_SCALES[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg, "CONVOLUTIONS", narrow)
        patch.setattr(vgg, "_read_oxford_file", lambda path, names: weights)
        yield


@pytest.fixture(autouse=True, scope="module")
def vgg_weights() -> Iterator[None]:
    """A module that wants the real ones has a fixture of this name that does nothing."""
    with narrow_vgg():
        yield


@pytest.fixture(name="vgg", scope="session")
def narrow_network() -> vgg.VGG19:
    """The narrow one, to relu4_1."""
    with narrow_vgg():
        return vgg.load_vgg19(vgg.STYLE_LAYERS[-1])


@pytest.fixture(autouse=True, scope="session")
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folders of visitors, most of whom never leave here, are removed with those of the tests."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setenv("TMPDIR", str(folder))  # where large pictures are mapped from
        yield folder


@pytest.fixture(autouse=True)
def no_large_picture_is_left(temporary_folder: Path) -> Iterator[None]:
    """The temporary files of large pictures go with them."""

    def left() -> list[Path]:
        return [file for file in temporary_folder.glob("styletransfer-*") if file.is_file()]

    yield
    if left():
        gc.collect()
    assert not left()


@pytest.fixture(autouse=True, scope="session")
def quick_measurement() -> Iterator[None]:
    """The speed of the machine, which no test depends on, is measured in a moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimate, "MATRIX", 64)
        yield


@pytest.fixture(autouse=True, scope="session")
def crops_made_once() -> Iterator[None]:
    """Styles are learned on the same built-in crops in most tests."""
    kept: dict[tuple[int, int, int], list[torch.Tensor]] = {}
    make = style_job.built_in_crops

    def built_in_crops(count: int, side: int, generator: torch.Generator) -> list[torch.Tensor]:
        key = count, side, generator.initial_seed()
        if key not in kept:
            kept[key] = make(count, side, generator)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style_job, "built_in_crops", built_in_crops)
        yield


@pytest.fixture
def one_core() -> Iterator[None]:
    """For tests that compute in several threads, each of which would otherwise take all cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def network() -> TransformerNetwork:
    torch.manual_seed(0)
    return TransformerNetwork(TINY).eval()


def random_style(slug: str, sha256: str, seed: int) -> Style:
    generator = torch.Generator().manual_seed(seed)
    features = {layer: torch.rand(channels(layer), 40, generator=generator) for layer in GRAM_LAYERS}
    return Style(
        info=StyleInfo(slug=slug, title=slug.title(), artist="Nobody", year="1900", base_sha256=sha256),
        row=torch.randn(2, TINY.row_length, generator=generator).half().float(),
        grams={layer: each @ each.T for layer, each in features.items()},
        bounds={layer: torch.tensor(2.0) for layer in GRAM_LAYERS},
        means={layer: torch.rand(channels(layer), generator=generator) for layer in GRAM_LAYERS},
        stds={layer: torch.rand(channels(layer), generator=generator) + 0.1 for layer in GRAM_LAYERS},
        preview=b"preview",
    )


def with_info(style: Style, **changes: object) -> Style:
    """A style with another name, network or whatever else is told of it."""
    return replace(style, info=replace(style.info, **changes))


def random_predictor() -> RowPredictor:
    torch.manual_seed(0)
    predictor = RowPredictor(TINY.row_length)
    predictor.row_mean.normal_()
    torch.nn.init.normal_(predictor.leave.weight, std=0.1)
    return predictor.requires_grad_(False)


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models")
    sha256 = save_base(folder, TransformerNetwork(TINY), {"command": "none"})
    with narrow_vgg():
        save_decoder(folder, AdainDecoder(), {"command": "none"})
        save_predictor(folder, random_predictor(), sha256, {"command": "none"})
    return folder


@pytest.fixture(scope="session")
def tiny_styles(tmp_path_factory: pytest.TempPathFactory, tiny_models: Path) -> Path:
    from styletransfer.files import sha256_of
    from styletransfer.weights import BASE_FILE

    folder = tmp_path_factory.mktemp("styles")
    sha256 = sha256_of(tiny_models / BASE_FILE)
    for seed, slug in enumerate(("amber", "blue", "coral")):
        with narrow_vgg():
            save_style(folder / f"{slug}.safetensors", random_style(slug, sha256, seed))
    return folder


@pytest.fixture
def styles(tiny_styles: Path) -> list[Style]:
    bank = StyleBank(tiny_styles)
    return [bank.load(name) for name in bank.paths()]


@pytest.fixture
def transfer(tiny_models: Path, tiny_styles: Path) -> StyleTransfer:
    return StyleTransfer(device="cpu", models_dir=tiny_models, styles_dir=tiny_styles)


@pytest.fixture
def ship(
    tiny_models: Path, tiny_styles: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path | None], None]:
    """Makes the tiny models, and the tiny styles or those of a folder, what came with the package."""

    def ship(styles: Path | None = None) -> None:
        folders = {"models": tiny_models, "styles": styles or tiny_styles}
        for module in ("api", "cli.shared"):
            monkeypatch.setattr(f"styletransfer.{module}.package_folder", folders.__getitem__)

    return ship


@pytest.fixture
def photo() -> Image.Image:
    """A picture with edges, a gradient and noise."""
    return make_photo(48, 64)


@pytest.fixture
def photo_file(tmp_path: Path) -> Path:
    make_photo(96, 128).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def make_photo(height: int, width: int, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    picture = np.stack((columns * 255 / width, rows * 255 / height, (rows // 8 + columns // 8) % 2 * 200), 2)
    picture = np.roll(picture, seed, axis=2)  # other colours, or "another picture" is the same with other noise
    return Image.fromarray((picture * 0.9 + rng.random((height, width, 3)) * 25).astype(np.uint8))


def photo_path(name: str) -> Path:
    """A real photograph: one of those that come inside the gradio package."""
    spec = importlib.util.find_spec("gradio")
    assert spec
    assert spec.origin
    return Path(spec.origin).parent / "media_assets" / "images" / name


def png_file(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of such chunks, by name and content, with its end."""
    written = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in (*chunks, (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def full_disk(*_: object, **__: object) -> NoReturn:
    """In the place of what writes."""
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def uploads_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given, or else `serve` would give one to the whole process."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    # Where each page makes a folder as it is built; `serve` sets it for the whole process.
    monkeypatch.setattr("gradio.routes.DEFAULT_TEMP_DIR", str(tmp_path / "gradio"))


@pytest.fixture
def paint_tab(transfer, tmp_path, uploads_folder):
    """The first tab without a browser, and what its controls hold, a photo and a style among it."""
    import gradio as gr

    from styletransfer.page.paint import PaintTab
    from styletransfer.page.visitors import Visitors

    make_photo(60, 80).save(tmp_path / "photo.png")
    with gr.Blocks():
        tab = PaintTab(Visitors(transfer, shared_styles=True), [])
    it = tab.controls
    values = {component: component.value for component in it.all}
    chosen = {it.chosen: ["blue"], it.named: ["blue"]}
    yield tab, values | chosen | {it.photo: str(tmp_path / "photo.png"), it.search: ""}
    tab.visitors.close()


@pytest.fixture
def learn_tab(paint_tab):
    """The second one, and what the controls of the first hold."""
    import gradio as gr

    from styletransfer.page.learn import LearnTab

    tab, values = paint_tab
    with gr.Blocks():
        return LearnTab(tab), values


@pytest.fixture(scope="module")
def own_styles(tmp_path_factory):
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def visitors_folder(tmp_path_factory):
    """Where the page keeps what visitors bring."""
    return tmp_path_factory.mktemp("visitors")


@pytest.fixture(scope="module")
def site(tiny_models, tiny_styles, own_styles, visitors_folder, tmp_path_factory):
    """Address of the page with three tiny styles, which are shipped as far as the page can tell."""
    from styletransfer.page import serve

    patch = pytest.MonkeyPatch()
    patch.setattr("styletransfer.api.package_folder", lambda name: tiny_styles)
    patch.setattr("styletransfer.page.site.LARGEST_UPLOAD", 4)
    patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
    patch.setattr(tempfile, "tempdir", str(visitors_folder))
    port = free_port()
    page = serve(
        StyleTransfer(device="cpu", models_dir=tiny_models, styles_dir=own_styles), port=port, wait=False
    )
    yield f"http://127.0.0.1:{port}"
    page.close()
    patch.undo()


@pytest.fixture
def slow_at_half_strength(monkeypatch):
    """Painting takes a minute at strength 0.5, unless it is ended between two steps."""
    from styletransfer.core import Progress
    from styletransfer.page.wish import Wish

    paint = Wish.paint

    def slow(wish, transfer, photo, on_step=None):
        for step in range(1200 if wish.strength == 0.5 and on_step else 0):
            on_step(Progress(step, 1200))
            time.sleep(0.05)
        return paint(wish, transfer, photo, on_step)

    monkeypatch.setattr(Wish, "paint", slow)


def photo_pixels(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return images.read_picture(make_photo(height, width, seed)).rgb


def same(first: Image.Image, second: Image.Image) -> bool:
    return np.array_equal(np.asarray(first), np.asarray(second))


def near(first: Image.Image, second: Image.Image) -> bool:
    """But for rounding: which one of many sums comes first depends on how many there are."""
    difference = ImageChops.difference(first.convert("RGB"), second.convert("RGB"))
    return max(most for _, most in difference.getextrema()) <= 1


class Intruder:
    """What makes a folder when a file of it is read as more than data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def visitor_with(transfer: StyleTransfer, folder: Path) -> "Visitor":
    """Somebody on the page."""
    from styletransfer.page.belongings import Belongings
    from styletransfer.page.visitors import Visitor

    return Visitor(Belongings(transfer, folder), folder, folder)


def calls_by_two_threads(
    patch: pytest.MonkeyPatch, module: ModuleType, name: str, work: Callable[[], object]
) -> int:
    """How often a slow function of a module is called where two threads do the same work at a time."""
    function, both = getattr(module, name), threading.Barrier(2)
    calls: list[object] = []

    def slowly(*given: object) -> object:
        calls.append(given)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        return function(*given)

    patch.setattr(module, name, slowly)
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(calls)


def free_port() -> int:
    """One below those that the system gives to connections, or one of them could take it meanwhile."""
    while True:
        port = random.randrange(10_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def soon(is_so: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether something becomes true that comes about by itself."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.05)
    return False
