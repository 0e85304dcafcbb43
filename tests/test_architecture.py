"""How the code hangs together: who imports whom, and what must not happen at import."""

import ast
import os
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
    ("files", "settings"),
    ("adam", "checkpoints", "core", "int8", "memory", "padding", "stylefolders", "torchvision_guard"),
    ("images", "convolution", "device", "losses", "norm", "text", "vgg"),
    ("masks",),
    ("color", "estimate", "rows", "targets", "predictor"),
    ("decoder", "networks"),
    ("stylefile",),
    ("weights", "stylebank"),
    ("methods",),
    ("training",),
    ("picturestyles", "request"),
    ("batches",),
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


def test_imports_run_downwards():
    for module, path in MODULES.items():
        for imported in imports(path) & MODULES.keys():
            if part(imported) != part(module):
                assert LEVEL[part(imported)] < LEVEL[part(module)], f"{module} imports {imported}"


HOMES = {
    "PIL": {"images", "batches", "api", "cli", "page"},  # but for the first one, for pictures handed in
    "pyvips": {"images"},
    "gradio": {"page"},
    "pandas": {"page"},
    "typer": {"cli"},
    "rich": {"cli"},
    "torchvision": {"vgg"},
}


def test_each_library_has_its_place():
    for module, path in MODULES.items():
        used = {name.split(".")[0] for name in imports(path)}
        assert not [library for library in used & HOMES.keys() if part(module) not in HOMES[library]], module


def test_only_the_command_line_prints():
    for module, path in MODULES.items():
        called = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        prints = any(isinstance(function, ast.Name) and function.id == "print" for function in called)
        assert part(module) == "cli" or not prints, module


def test_importing_does_nothing_but_define(tmp_path):
    """All but the page, which needs Gradio, and what runs when it is imported."""
    code = (
        "import importlib, os, sys, torch; before = torch.random.get_rng_state().tolist();"
        "[importlib.import_module(name) for name in sys.argv[1:]];"
        "assert torch.random.get_rng_state().tolist() == before;"
        "assert not {'gradio', 'torchvision', 'torch._dynamo', 'torch.utils.flop_counter'} & {*sys.modules};"
        "assert os.listdir() == [] and os.listdir(os.environ['HOME']) == []"
    )
    home = tmp_path / "home"
    work = tmp_path / "work"
    home.mkdir()
    work.mkdir()
    env = {"HOME": str(home), "PYTHONPATH": str(ROOT.parent), "PATH": ""}
    names = [name for name in MODULES if part(name) not in ("page", "__main__")]
    subprocess.run([sys.executable, "-B", "-c", code, *names], cwd=work, env=env, check=True)


@pytest.mark.parametrize("module", ["styletransfer", "styletransfer.cli"])
def test_help_and_completion_need_no_pytorch(module):
    code = f"import {module}, sys; assert not {{'torch', 'numpy', 'PIL', 'safetensors'}} & {{*sys.modules}}"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("option", ["--method", "--style"])
def test_completion_of_names_needs_no_pytorch(option):
    code = (
        "import sys\nfrom styletransfer import cli\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'numpy', 'PIL', 'safetensors'} & {*sys.modules}"
    )
    words = f"styletransfer stylize photo.jpg {option} "
    env = {"_STYLETRANSFER_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "4"}
    offered = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | env, check=True, capture_output=True, text=True
    ).stdout
    assert ("gatys" if option == "--method" else "udnie") in offered.split()


def test_the_public_names_are_few():
    import styletransfer

    assert styletransfer.__all__ == [
        *("BatchResult", "Cancelled", "Optimization", "Progress", "Style", "StyleInfo", "StyleTransfer"),
        *("StyleTransferError", "read_metadata", "save_picture"),
    ]
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
