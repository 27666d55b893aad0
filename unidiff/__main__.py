"""Runs the command line as ``python -m unidiff``."""

import sys

from unidiff.cli import main

if __name__ == "__main__":
    sys.exit(main())
