"""Prints which check catches which wrong backend; the exit code is 0 if each is caught, and none else is."""

import sys
import warnings
from typing import Any

import unidiff as ud
from unidiff_conformance.mutants.table import CAUGHT
from unidiff_conformance.results import Status


def main() -> int:
    """Run the table."""
    warnings.simplefilter("ignore")
    survivors = 0
    for catch in CAUGHT:
        mutant: Any = catch.mutant()
        wrong = catch.result(ud.register_backend(mutant).name)
        right = catch.result("numpy")
        killed = (wrong.status, wrong.kind) == (Status.FAIL, catch.kind) and right.status is Status.PASS
        survivors += not killed
        print(f"{'killed' if killed else 'ALIVE':<7} {catch.mutant.__name__:<22} {catch.kind:<10} {catch.id} {catch.mode}")
    print(f"{len(CAUGHT) - survivors} of {len(CAUGHT)} checks killed what they are meant for")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
