"""How the code hangs together: who imports whom, and what must not happen at import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "styletransfer"
MODULES = {
    ".".join(("styletransfer", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
# From the bottom up; a module imports from lower lines, or from its own package.
LAYERS = (
    ("errors",),
    ("settings",),
    ("core", "files", "int8", "padding", "torchvision_guard"),
    ("images", "device", "losses", "norm", "vgg"),
    ("color", "estimate", "networks", "targets", "predictor"),
    ("decoder",),
    ("weights", "stylebank"),
    ("methods",),
    ("training",),
    ("picturestyles", "request"),
    ("api",),
    ("page",),
    ("", "cli"),
    ("__main__",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import by the full name"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return found


def part(module: str) -> str:
    """The file or folder directly in the package that a module belongs to; "" is the package itself."""
    return [*module.split("."), ""][1]


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_downwards(module):
    for imported in imports(MODULES[module]):
        if imported in MODULES and part(imported) != part(module):
            assert LEVEL[part(imported)] < LEVEL[part(module)], f"{module} imports {imported}"


@pytest.mark.parametrize("module", MODULES)
def test_each_library_has_its_one_place(module):
    used = {name.split(".")[0] for name in imports(MODULES[module])}
    if part(module) not in (
        "images",
        "request",
        "api",
        "cli",
        "page",
    ):  # the others for handed-in images
        assert "PIL" not in used
    if part(module) != "page":
        assert not used & {"gradio", "pandas"}
    if part(module) != "cli":
        assert "rich" not in used
        calls = [
            node for node in ast.walk(ast.parse(MODULES[module].read_text())) if isinstance(node, ast.Call)
        ]
        assert not any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls)


def test_importing_does_nothing_but_define(tmp_path):
    code = (
        "import torch, os; before = torch.random.get_rng_state().tolist();"
        "import styletransfer, styletransfer.cli, sys;"
        "assert torch.random.get_rng_state().tolist() == before;"
        "assert 'gradio' not in sys.modules and 'torchvision' not in sys.modules;"
        "assert os.listdir() == [] and os.listdir(os.environ['HOME']) == []"
    )
    home = tmp_path / "home"
    work = tmp_path / "work"
    home.mkdir()
    work.mkdir()
    env = {"HOME": str(home), "PYTHONPATH": str(ROOT.parent), "PATH": ""}
    subprocess.run([sys.executable, "-B", "-c", code], cwd=work, env=env, check=True)


def test_the_public_names_are_few():
    import styletransfer

    assert len(styletransfer.__all__) <= 12
    assert all(hasattr(styletransfer, name) for name in styletransfer.__all__)


def test_gradio_writes_no_stubs_when_the_page_imports_it():
    code = """
import sys
opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
import styletransfer.page
import gradio, inspect
assert not [name for name in opened if name.endswith(".pyi") and "blocks_events" not in name]
assert inspect.getfile(gradio.Button).endswith("button.py")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
