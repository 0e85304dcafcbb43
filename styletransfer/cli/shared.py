"""What the commands share: options, their parsing, and what is printed."""

import json
import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from styletransfer import settings
from styletransfer.errors import InvalidInput, StyleTransferError
from styletransfer.files import package_folder
from styletransfer.stylefolders import find_styles, users_folder
from styletransfer.text import encodable, is_shown
from styletransfer.training.settings import AdainTraining, BaseTraining, PredictorTraining

if TYPE_CHECKING:
    from styletransfer import core

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
# Completion offers these at once; `methods`, which has them too, needs PyTorch.
FAST_METHODS = ("cin", "adain")
METHODS = (*FAST_METHODS, "gatys")
WITH_OPTIONS = ("steps", "seconds", "style_scale")  # of the settings of "gatys"; --set is for the others
Settings = TypeVar("Settings", BaseTraining, AdainTraining, PredictorTraining, settings.Optimization)

app = typer.Typer(
    help="Turn a photo into a painting, in any style or blend of styles.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console(emoji=False)
errors = Console(stderr=True, emoji=False)


def with_limits(number: settings.Range) -> str:
    """Its help, and from where to where it may be."""
    return f"{number.help} {number.least:g} to {number.most:g}."


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or mps. Default: the best one available.")]
StrokeSize = Annotated[float, typer.Option(help=with_limits(settings.STROKE_SIZE))]
PreserveColor = Annotated[float, typer.Option(help=settings.PRESERVE_COLOR.help)]
StylesDir = Annotated[
    Path | None,
    typer.Option(help="Existing folder of your own style files, instead of the one in your user data folder."),
]


def parse_settings(options: list[str], defaults: Settings, own: Collection[str] = ()) -> Settings:
    """The settings with fields such as "matrix_rate=0.01" replaced.

    Raises InvalidInput, also for those that have options of their `own`.
    """
    values = asdict(defaults)
    for option in options:
        name, _, text = option.partition("=")
        if name in own:
            raise InvalidInput(f"--set {option}: this has an option of its own; write {as_option(name)} {text}")
        if name not in values:
            known = ", ".join(f"{each}={value}" for each, value in values.items())
            raise InvalidInput(
                f"--set {option}: unknown setting {name!r}; the settings and defaults are {known}"
            )
        try:
            values[name] = type(values[name])(text)
        except ValueError:
            raise InvalidInput(f"--set {option}: expected a number such as {values[name]}") from None
    return replace(defaults, **values)


def as_option(name: str) -> str:
    """The option for a parameter of that name."""
    return f"--{name.replace('_', '-')}"


def quoted(text: str) -> str:
    """As one word of a command line."""
    return subprocess.list2cmdline([text]) if os.name == "nt" else shlex.quote(text)


def pairs(options: list[str] | None, name: str, expected: str, known: Collection[str]) -> dict[str, str]:
    """The parts before and after the "=" of a repeatable option `name`. Raises InvalidInput.

    Of several "=" the first one counts, unless the text before another one is `known`. That text is made
    `encodable`, as the names of styles are.
    """
    found: dict[str, str] = {}
    for option in options or []:
        parts = option.split("=")
        if len(parts) < 2 or not parts[-1]:  # such as where a variable is not set
            raise InvalidInput(f"{name} {option}: write {expected}")
        splits = [(encodable("=".join(parts[:at])), "=".join(parts[at:])) for at in range(1, len(parts))]
        left, right = next((split for split in splits if split[0] in known), splits[0])
        if left in found:
            raise InvalidInput(f"{name} is given twice for {left}; give it once")
        found[left] = right
    return found


def beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    """Those that begin so, which is what a shell completes with Tab."""
    return [name for name in names if name.startswith(incomplete)]


def style_names(context: typer.Context, incomplete: str) -> list[str]:
    """Names of styles that begin so, of the folder that the line names or of the user's own."""
    folder = context.params.get("styles_dir")
    # A shell hands "~" on as it was typed. Path's own raises where it knows no home.
    return beginning(incomplete, known_styles(folder and Path(os.path.expanduser(folder))))  # noqa: PTH111


def known_styles(styles_dir: Path | None = None) -> list[str]:
    """Names of the shipped styles and of those in a folder, by default the user's own."""
    own = styles_dir or users_folder()
    return list(find_styles([package_folder("styles"), *([own] if own else [])]))


@contextmanager
def progress(what: str, total: int, quiet: bool) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=quiet or not errors.is_terminal, transient=True) as bar:
        bar.add_task(what, total=total)
        yield bar


def show_losses(bar: Progress, progress: "core.Progress", line: int = 0) -> None:
    """Show the losses and the step in a line of the bar."""
    losses = " ".join(f"{name} {value:.3f}" for name, value in progress.losses.items())
    task = bar.tasks[line]
    task.total, task.finished_time = progress.steps, None  # at another total `update` would forget the speed
    bar.update(task.id, completed=progress.step, description=losses)


def shown(text: str) -> str:
    """The text without what would command the terminal: files, and libraries that quote them, say anything."""
    return "".join(letter if letter == "\n" or is_shown(letter) else "\ufffd" for letter in text)


def say(text: str) -> None:
    console.print(shown(text), soft_wrap=True, highlight=False, markup=False)


def print_json(value: object) -> None:
    """Print JSON, in ASCII where the output is not UTF-8, or where it would say something to the terminal."""
    in_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(value, ensure_ascii=False, indent=2)
    plain = in_utf8 and all(is_shown(line) for line in text.split("\n"))
    typer.echo(text if plain else json.dumps(value, indent=2))


def report(error: StyleTransferError) -> None:
    """Print its message and its notes, in one line."""
    text = "; ".join([str(error), *getattr(error, "__notes__", [])])
    errors.print(f"[red]error:[/] {escape(shown(text))}", soft_wrap=True, highlight=False)


class LogLines(logging.Handler):
    """Shows what the package logs, such as files that it passes over."""

    def emit(self, record: logging.LogRecord) -> None:
        errors.print(shown(record.getMessage()), soft_wrap=True, highlight=False, markup=False)
