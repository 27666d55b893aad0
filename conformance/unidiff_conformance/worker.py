"""Runs items for a pool: a process that reads one request per line and answers with one record per line."""

import json
import os
import sys
import warnings
from typing import Any

from unidiff_conformance.environment import prepare


def main() -> int:
    """Answer requests until there are none."""
    # What libraries print must not come between the records.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    backend = sys.argv[1]
    prepare([backend])
    from unidiff_conformance.runner import run, select

    def answer(record: dict[str, Any]) -> None:
        answers.write(json.dumps(record) + "\n")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            run(backend, [])
            import unidiff as ud

            ud.get_backend(backend)
        except ImportError as error:
            answer({"broken": str(error)})
            return 1
        answer({"ready": True})
        for line in sys.stdin:
            request = json.loads(line)
            items = select(f"={request.pop('id')}")
            for result in run(backend, items, **request, starting=lambda *case: answer({"starting": case})):
                answer({"result": result.record()})
            answer({"done": True})
    return 0


if __name__ == "__main__":
    sys.exit(main())
