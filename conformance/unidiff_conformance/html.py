"""A run as one static page: functions by backends, a filter, what failed and where, and the difference to another run."""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

_PLACE = "/*DATA*/null"


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
    data = json.dumps({"now": _compact(content), "before": _compact(before)}, separators=(",", ":"))
    # A message could end the script early.
    path.write_text(template.replace(_PLACE, data.replace("<", "\\u003c")), encoding="utf-8")


def _compact(content: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a run with each result as a short list, since there are thousands of them."""
    if content is None:
        return None
    keys = ("backend", "id", "dtype", "mode", "status", "kind", "message", "error_in_tolerances", "inputs")
    rows = [[result[key] for key in keys] for result in content["results"]]
    return {**{key: value for key, value in content.items() if key != "results"}, "results": rows}
