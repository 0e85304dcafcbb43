"""The command line: the only part that prints. Commands are functions in the modules beside this one."""

import sys
from typing import Annotated

import typer

from styletransfer import settings
from styletransfer.cli import bench, paint, serve, styles, train  # noqa: F401 (their commands register themselves)
from styletransfer.cli.shared import EXIT_BAD_INPUT, app, report
from styletransfer.device import keep_freed_memory
from styletransfer.errors import InvalidInput, StyleTransferError


def main() -> None:
    """Run the command line; what a user did wrong is one line and exit code 2."""
    keep_freed_memory()
    try:
        app()
    except StyleTransferError as error:
        report(error)
        sys.exit(EXIT_BAD_INPUT)
    except OSError as error:  # of a path that was given: a closed folder, a name that is too long
        if error.filename is None:
            raise
        report(InvalidInput(f"{error.filename}: {error.strerror}"))
        sys.exit(EXIT_BAD_INPUT)


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
