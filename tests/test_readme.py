"""The README's commands and Python lines do what they say: run here as they stand."""

import re
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from conftest import free_port, soon
from test_real import photo_path

from styletransfer import cli, stylefolders
from styletransfer.files import package_folder
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
    code = code.replace("--size 800", "--size 96 --steps 1")
    return code.replace("train-style", "train-style --steps 2") if "--name" in code else code


@pytest.mark.real
def test_every_command_of_the_readme_runs(folder, monkeypatch, capsys):
    assert len(COMMANDS) == 19
    for command in COMMANDS:
        monkeypatch.setattr(sys, "argv", shlex.split(shortened(command), comments=True))
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        assert not exit_.value.code, f"{command}\n{capsys.readouterr().err}"


@pytest.mark.real
def test_the_python_lines_of_the_readme_run(folder):
    names: dict = {}
    for code in blocks("python"):
        exec(compile(shortened(code), "README.md", "exec"), names)
    assert (folder / "painted.png").exists()


@pytest.mark.real
def test_the_page_of_the_readme_is_served(tmp_path):
    assert ".venv/bin/python app.py" in README
    port = free_port()
    address = f"http://127.0.0.1:{port}"

    def answers():
        with suppress(httpx.TransportError):
            return httpx.get(address).is_success

    command = [sys.executable, str(ROOT / "app.py"), "--port", str(port), "--styles-dir", str(tmp_path)]
    server = subprocess.Popen(command, cwd=tmp_path)
    try:
        assert soon(answers, 120)
        assert "Turn a photo into a painting" in httpx.get(f"{address}/config").text
    finally:
        server.terminate()
        assert server.wait(60) in (0, 130)  # 130 where it came before Gradio waits for it


def test_the_readme_counts_the_styles():
    told = {int(number) for number in re.findall(r"(\d+) styles", README)}
    assert told == {len(StyleBank(package_folder("styles")).paths())}


def test_the_versions_in_the_readme_are_those_that_are_required():
    pins = re.findall(r"torch\w*==[\d.]*\d", README)
    assert len(pins) == 2
    assert {*pins} <= {*(ROOT / "requirements.txt").read_text().split()}


@pytest.mark.parametrize(
    "file", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=lambda file: str(file.relative_to(ROOT))
)
def test_the_links_of_the_docs_lead_somewhere(file):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", file.read_text(encoding="utf-8")):
        assert target.startswith("http") or (file.parent / target).exists(), target
