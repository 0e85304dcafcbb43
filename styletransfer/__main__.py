"""`python -m styletransfer`: the command line."""

from styletransfer.cli import main

main()
