"""The command line: the only part that prints. Commands are functions in the modules beside this one.

What needs PyTorch is imported by the commands when they run: help and shell completion answer at once.
"""

import io
import logging
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Annotated

import typer

from styletransfer import settings
from styletransfer.cli import bench, paint, picture, serve, styles, train  # noqa: F401 (they add the commands)
from styletransfer.cli.shared import EXIT_BAD_INPUT, LogLines, app, report
from styletransfer.errors import InvalidInput, StyleTransferError
from styletransfer.memory import is_lack_of_gpu_memory, keep_freed_memory

LONG_NAMES = {"-o": "--output", "-s": "--style"}  # of short options that take a value


def main() -> None:
    """Run the command line. A user's mistake is reported in one line, with exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # names hold letters that not every terminal's encoding has
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:  # nohup has SIGHUP ignored
            signal.signal(number, _end_as_ctrl_c)
    keep_freed_memory()
    logging.getLogger("styletransfer").handlers = [LogLines()]
    try:
        _check_arguments(sys.argv[1:])
        app(prog_name="styletransfer")
    except StyleTransferError as error:
        report(error)
        sys.exit(EXIT_BAD_INPUT)
    except RuntimeError as error:
        if not is_lack_of_gpu_memory(error):  # while something is loaded or trained
            raise
        report(InvalidInput("the memory of the GPU is too small, or others use it; --device cpu does without"))
        sys.exit(EXIT_BAD_INPUT)
    except OSError as error:  # a closed folder, a name that is too long, a full disk
        report(InvalidInput(f"{error.filename or 'the system refuses'}: {error.strerror or error}"))
        sys.exit(EXIT_BAD_INPUT)


def _end_as_ctrl_c(number: int, frame: FrameType | None) -> None:
    """A signal handler: a painting that is optimised is kept, temporary files are removed."""
    stop = signal.getsignal(signal.SIGINT)
    if not callable(stop):  # what runs in the background may ignore Ctrl-C
        raise KeyboardInterrupt
    stop(number, frame)


def _check_arguments(arguments: Sequence[str]) -> None:
    """Raise InvalidInput for "", which as a path would be the current folder, and for -o=out.png.

    There the "=" would belong to the name of the file.
    """
    for argument in arguments:
        name, equals, value = argument.partition("=")
        is_option = name.startswith("--") or name in LONG_NAMES
        if not argument or (is_option and equals and not value):
            raise InvalidInput(f"an argument is empty: {argument}''; is a variable not set?")
        if equals and name in LONG_NAMES:
            raise InvalidInput(f"{argument}: write {name} {value}, or {LONG_NAMES[name]}={value}")


def _version(show: bool) -> None:
    if show:
        typer.echo(f"styletransfer {settings.VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn a photo into a painting, in any style or blend of styles."""
