"""`python -m mpg`: the command line, as installed under the name `mpg`."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
