"""The command ``unidiff new-backend``."""

import argparse
import sys
from pathlib import Path

from unidiff.cli.commands import Run
from unidiff.cli.new_backend.project import write_project
from unidiff.errors import ArgumentError


def configure(parser: argparse.ArgumentParser) -> Run:
    """Add the arguments of the command."""
    parser.add_argument("name", help="name of the backend, a Python identifier in lower case, such as 'mylib'")
    parser.add_argument(
        "--over",
        metavar="NAMESPACE",
        default="array_api_compat.numpy",
        help="module that is the library's array API namespace (default: %(default)s)",
    )
    parser.add_argument("--out", metavar="DIR", type=Path, help="folder to make (default: unidiff-NAME)")
    return run


def run(args: argparse.Namespace) -> int:
    """Write the project and say what comes next."""
    try:
        written = write_project(args.name, over=args.over, out=args.out)
    except ArgumentError as error:
        print(f"unidiff new-backend: {error}", file=sys.stderr)
        return 2
    folder = written[0]
    for path in written[1:]:
        print(path)
    print(f"\nNext:\n    python -m pip install -e {folder}[test]\n    python -m pytest {folder}")
    return 0
