"""Commands about styles: `styles`, `export`, `import`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.cells import cell_len
from rich.markup import escape
from rich.table import Table

from styletransfer.cli.shared import StylesDir, app, console, print_json, say, shown, style_names


@app.command()
def styles(
    as_json: Annotated[bool, typer.Option("--json", help="Print everything known, as JSON.")] = False,
    remove: Annotated[
        str | None,
        typer.Option(help="Delete this learned or imported style instead.", autocompletion=style_names),
    ] = None,
    styles_dir: StylesDir = None,
) -> None:
    """List the styles that can be used."""
    from styletransfer.api import StyleTransfer

    transfer = StyleTransfer(device="cpu", styles_dir=styles_dir)
    if remove is not None:
        transfer.remove_style(remove)
        say(f"removed {remove}")
        return
    infos = transfer.styles
    if as_json:
        print_json([{**vars(info), "slug": name} for name, info in infos.items()])
        return
    table = Table(box=None, header_style="bold")
    table.add_column("style", overflow="fold", min_width=max(map(cell_len, infos), default=0))  # to be typed
    for heading in ("painting", "artist", "year"):
        table.add_column(heading)
    for name, info in infos.items():
        table.add_row(*map(escape, (shown(name), info.title, info.artist, info.year)))
    console.print(table)


@app.command()
def export(
    style: Annotated[str, typer.Argument(help="Name of a style.", autocompletion=style_names)],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    styles_dir: StylesDir = None,
) -> None:
    """Copy the file of a style, to share it."""
    from styletransfer.api import StyleTransfer

    StyleTransfer(device="cpu", styles_dir=styles_dir).export_style(style, output)
    say(f"wrote {output}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A style file, from export or train-style.")],
    styles_dir: StylesDir = None,
) -> None:
    """Check a style file and add it to your styles."""
    from styletransfer.api import StyleTransfer

    info = StyleTransfer(device="cpu", styles_dir=styles_dir).import_style(file)
    say(f"ready for use: --style {info.slug}")
