"""Imports Gradio without the half of its import that serves nobody here."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock


@contextmanager
def no_stubs() -> Iterator[None]:
    """Keep Gradio from writing type stubs beside its own components, which it does at every import anew.

    It takes a second, in which nobody sees a page yet. Gradio writes none for a component without a source
    file, so while it is imported its components have none.
    """
    find = inspect.getfile

    def getfile(thing: Any) -> str:
        if type(thing).__name__ == "ComponentMeta":
            raise OSError("no stub is wanted")
        return find(thing)

    with mock.patch.object(inspect, "getfile", getfile):
        yield


with no_stubs():
    import gradio  # noqa: F401
