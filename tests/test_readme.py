"""The README's commands and Python lines do what they say: run here as they stand."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import torch
from conftest import free_port, photo_path, soon

from styletransfer import cli, stylefolders
from styletransfer.files import package_folder
from styletransfer.images.formats import SAVE_OPTIONS
from styletransfer.methods import adain, cin, gatys
from styletransfer.settings import Optimization
from styletransfer.stylebank import StyleBank

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


COMMANDS = [
    line
    for block in blocks("sh")
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("styletransfer ")
]


@pytest.fixture(scope="module")
def vgg_weights():
    """The real ones."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the photographs that the README speaks of."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "holiday").mkdir()
    monkeypatch.setattr(stylefolders, "user_data_path", lambda name: tmp_path / name)
    for name, source in (
        ("photo.jpg", "lion.jpg"),
        ("painting.jpg", "cheetah.jpg"),
        ("mask.png", "bus.png"),
        ("holiday/one.jpg", "tower.jpg"),
        ("holiday/two.jpg", "lion.jpg"),
    ):
        shutil.copy(photo_path(source), tmp_path / name)
    return tmp_path


def shortened(code: str) -> str:
    """With as little time for training and optimisation as there can be."""
    code = re.sub(r"(seconds[ =])\d+", r"\g<1>1", code)
    code = code.replace("--size 800", "--size 96 --steps 1").replace(" bench", " bench --side 256")
    return code.replace("train-style", "train-style --steps 2") if "--name" in code else code


@pytest.mark.real
def test_every_command_of_the_readme_runs(folder, monkeypatch, capsys):
    assert len(COMMANDS) > 15
    for command in COMMANDS:
        monkeypatch.setattr(sys, "argv", shlex.split(shortened(command), comments=True))
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        assert not exit_.value.code, f"{command}\n{capsys.readouterr().err}"


@pytest.mark.real
def test_the_python_lines_of_the_readme_run_and_do_what_they_say(folder, capsys):
    names, printed = {}, []
    for code in blocks("python"):
        exec(compile(shortened(code), "README.md", "exec"), names)
        printed.append(capsys.readouterr().out.splitlines())
    painting, pictures, errors = printed
    assert (folder / "painted.png").exists()
    assert (folder / "photo-udnie.webp").exists()
    [skipped] = [line for line in painting if line.startswith("skipped:")]
    assert "missing.jpg" in skipped
    assert re.fullmatch(r"Estimate\(seconds=.*", pictures[-1])
    steps = [line.partition(" {")[0] for line in errors[:-1]]
    assert steps == [*(f"{step} of 60" for step in range(1, 11)), "10 of 10"]
    assert errors[-1] == "no such file: missing.jpg"


@pytest.mark.real
def test_the_page_of_the_readme_is_served(tmp_path):
    assert ".venv/bin/python app.py" in README
    port = free_port()
    address = f"http://127.0.0.1:{port}"

    def answers():
        with suppress(httpx.TransportError):
            return httpx.get(address).is_success

    (tmp_path / "temporary").mkdir()
    command = [sys.executable, str(ROOT / "app.py"), "--port", str(port), "--styles-dir", str(tmp_path)]
    environment = os.environ | {"TMPDIR": str(tmp_path / "temporary")}
    server = subprocess.Popen(command, cwd=tmp_path, env=environment)
    try:
        assert soon(answers, 120)
        assert "Turn a photo into a painting" in httpx.get(f"{address}/config").text
    finally:
        server.terminate()
        assert server.wait(60) in (0, 130)  # 130 where it came before Gradio waits for it
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_readme_counts_the_styles():
    told = {int(number) for number in re.findall(r"(\d+) styles", README)}
    assert told == {len(StyleBank(package_folder("styles")).paths())}


def test_the_readme_names_the_qualities_of_paintings():
    jpeg, webp = (SAVE_OPTIONS[name]["quality"] for name in ("JPEG", "WEBP"))
    assert f"JPEG of quality {jpeg} or WebP of quality {webp}" in " ".join(README.split())


def test_the_readme_names_the_memory_that_is_estimated():
    """What was measured of AdaIN may be a little more."""
    [pixels] = re.findall(r"^\| `cin`, up to .* \| ([\d.]+) GB per .* \| ([\d.]+) GB per", README, re.MULTILINE)
    [largest] = re.findall(r"^\| `adain` \| at most ([\d.]+) GB \| at most ([\d.]+) GB", README, re.MULTILINE)
    for index, (cins, adains) in enumerate(
        ((cin.MEMORY, adain.MEMORY), (cin.MEMORY_OF_FLOAT32, adain.MEMORY_OF_FLOAT32))
    ):
        assert float(pixels[index]) == pytest.approx(cins / 1000, abs=0.006)
        assert 1 < float(largest[index]) / (adain.TILING.whole * adains / 1e9) < 1.15


def test_the_readme_names_the_memory_that_is_estimated_of_gatys(vgg):
    [told] = re.findall(r"`gatys`: at most ([\d.]+) GB plus ([\d.]+) GB .* \(([\d.]+) GB .*=lbfgs`", README)
    tiles, *megapixels = map(float, told)
    stylizer = gatys.GatysStylizer(vgg, None, torch.float32)
    for optimizer, state in zip(("adam", "lbfgs"), megapixels, strict=True):
        wish = Optimization(optimizer=optimizer)
        small, large = (stylizer.cost((side, side), wish).memory / 1e9 for side in (2000, 4000))
        assert (large - small) / 12 == pytest.approx(state, abs=0.006)
        assert large - 16 * (large - small) / 12 == pytest.approx(tiles, abs=0.06)


def test_the_versions_in_the_readme_are_those_that_are_required():
    pins = re.findall(r"torch\w*==[\d.]*\d", README)
    assert len(pins) == 2
    assert {*pins} <= {*(ROOT / "requirements.txt").read_text().split()}


@pytest.mark.parametrize(
    "file", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=lambda file: str(file.relative_to(ROOT))
)
def test_the_links_of_the_docs_lead_somewhere(file):
    for target in re.findall(r"\]\(([^)]+)\)", file.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            name, _, place = target.partition("#")
            found = file.parent / name if name else file
            assert found.exists(), target
            assert not place or place in anchors(found.read_text(encoding="utf-8")), target


def anchors(text: str) -> set[str]:
    """What GitHub calls the headings of a text."""
    headings = re.findall(r"^#+ (.*)", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
