"""`python -m styletransfer`: the command line."""

from styletransfer.cli import app

app()
