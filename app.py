"""The web page: `python app.py`, or `styletransfer serve`, which takes the same options."""

import sys

if __name__ == "__main__":
    from styletransfer.cli import main

    sys.argv.insert(1, "serve")
    main()
