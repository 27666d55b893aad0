"""Writes the data that is frozen with a version of the suite: ``python -m unidiff_conformance.freeze``, after any change.

These are the stored answers of `unidiff_conformance.vectors`, for which extended precision and mpmath are needed, and the
list of `unidiff_conformance.must_pass`.
"""

import sys
from pathlib import Path

import numpy as np

from unidiff_conformance import must_pass, vectors
from unidiff_conformance.behaviours import BEHAVIOURS
from unidiff_conformance.profiles import SUITE_VERSION
from unidiff_conformance.scenarios import scenarios

HERE = Path(__file__).parent


def main() -> int:
    """Write the files."""
    if np.finfo(np.longdouble).eps > 1e-18:
        print("numpy.longdouble has too few digits here to compute what is wanted of scenarios", file=sys.stderr)
        return 1
    answers = HERE / vectors.FILE
    answers.write_text(vectors.text(scenarios().values()), encoding="utf-8")
    frozen = HERE / must_pass.FOLDER / f"{SUITE_VERSION}.txt"
    try:
        text = must_pass.write(
            [*scenarios().values(), *BEHAVIOURS.values()], frozen.read_text(encoding="utf-8") if frozen.exists() else ""
        )
    except must_pass.FrozenError as error:
        print(error, file=sys.stderr)
        return 1
    frozen.parent.mkdir(exist_ok=True)
    frozen.write_text(text, encoding="utf-8")
    for file in (answers, frozen):
        print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
