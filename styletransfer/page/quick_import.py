"""Imports Gradio without what is not needed here, since all of it delays the first page."""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest import mock

COMMAND_LINE = "gradio.cli"


@contextmanager
def _no_stubs() -> Iterator[None]:
    """Keep Gradio from writing type stubs beside its component classes, which it does at every import.

    It takes a second. Gradio writes none for a component without a source file, so while it is imported its
    components have none.
    """
    find = inspect.getfile

    def getfile(thing: Any) -> str:
        if type(thing).__name__ == "ComponentMeta":
            raise OSError("no stub is wanted")
        return find(thing)

    with mock.patch.object(inspect, "getfile", getfile):
        yield


@contextmanager
def _no_command_line() -> Iterator[None]:
    """Keep Gradio from importing its own command line, which takes a quarter of a second."""
    if COMMAND_LINE in sys.modules:
        yield
        return
    stand_in = ModuleType(COMMAND_LINE)
    stand_in.deploy = None  # type: ignore[attr-defined]  # the one name that Gradio takes from it
    sys.modules[COMMAND_LINE] = stand_in
    try:
        yield
    finally:
        del sys.modules[COMMAND_LINE]


with _no_stubs(), _no_command_line():
    from gradio import component_meta

component_meta.create_or_modify_pyi = lambda *_: None  # nor beside our own
