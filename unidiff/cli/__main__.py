"""Runs the command line as ``python -m unidiff.cli``.

This works, and tells what is wrong, even where the other distribution called ``unidiff`` has put its own program in the place
of both ``unidiff`` and ``python -m unidiff``.
"""

import sys

from unidiff.cli import main

if __name__ == "__main__":
    sys.exit(main())
