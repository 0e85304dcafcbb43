"""The command that serves the web page."""

from typing import Annotated

import typer

from styletransfer.cli.shared import Device, StylesDir, app
from styletransfer.errors import InvalidInput


@app.command()
def serve(
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on; 0.0.0.0 lets other machines in. Give it behind a proxy or tunnel as "
            "well, with --auth or a firewall: visitors of a page on 127.0.0.1 share all learned styles, unless "
            "it has --share."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 7860,
    auth: Annotated[str | None, typer.Option(help="NAME:PASSWORD that visitors are asked for.")] = None,
    share: Annotated[
        bool,
        typer.Option(
            "--share",
            help="Also create a public address through Gradio's relay, whose program is downloaded for it. "
            "Whoever has the address can open the page: give --auth as well.",
        ),
    ] = False,
    styles_dir: StylesDir = None,
    device: Device = None,
) -> None:
    """Serve the web page. If other machines can open it, each visitor has learned styles of their own."""
    pair = None
    if auth is not None:
        name, colon, password = auth.partition(":")
        if not (colon and name and password):
            raise InvalidInput("--auth: write NAME:PASSWORD")
        pair = (name, password)
    from styletransfer.api import StyleTransfer
    from styletransfer.page import serve as serve_page

    serve_page(
        StyleTransfer(device=device, styles_dir=styles_dir), host=host, port=port, auth=pair, share=share
    )
