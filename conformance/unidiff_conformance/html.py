"""A run as one static page: functions by backends, a filter, what failed and where, and the difference to another run."""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from unidiff_conformance.results import Status, from_record

_PLACE = "/*DATA*/"
_COLUMNS = ("backend", "id", "dtype", "mode", "status")
_DETAILS = ("kind", "message", "inputs", "where", "got", "want", "tolerance", "traceback")


def write_html(path: Path, content: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> None:
    """Write a page.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    content : mapping
        A run, as of `unidiff_conformance.documents.document`.
    before : mapping, optional
        Another run, to which differences are shown.
    """
    template = (files("unidiff_conformance") / "page.html").read_text(encoding="utf-8")
    runs = {"now": _compact(content), "before": None if before is None else _compact(before)}
    data = json.dumps(runs, separators=(",", ":"), ensure_ascii=False)
    # A message could end the script early.
    path.write_text(template.replace(_PLACE, data.replace("<", "\\u003c")), encoding="utf-8")


def _compact(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run with each text once, and each result as a short list, since there are thousands of them."""
    texts: dict[str, int] = {}

    def number(text: str) -> int:
        return texts.setdefault(text, len(texts))

    results = []
    for record in content["results"]:
        row = [*(number(record[key]) for key in _COLUMNS), record["error_in_tolerances"], record["seconds"]]
        if record["status"] != Status.PASS.value:
            details = {key: record[key] for key in _DETAILS if record[key]}
            row.append(details | {"reproduce": from_record(record).reproduce})
        results.append(row)
    scenarios = {
        name: [[number(label), number(text)] for label, text in about.items()] for name, about in content["scenarios"].items()
    }
    rest = {key: value for key, value in content.items() if key not in {"results", "scenarios"}}
    return {**rest, "texts": list(texts), "scenarios": scenarios, "results": results}
