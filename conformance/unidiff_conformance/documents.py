"""Runs as JSON documents: written, read, and compared."""

import json
import platform
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

import unidiff as ud
from unidiff_conformance.explain import describe
from unidiff_conformance.profiles import SUITE_VERSION
from unidiff_conformance.results import Result, count, from_record
from unidiff_conformance.runner import select

SCHEMA = 3
"""Version of the layout, which ``report.schema.json`` describes."""


class DocumentError(ValueError):
    """A file is no report of the suite."""


@dataclass(frozen=True, slots=True)
class Change:
    """A case whose outcome differs between two runs; "absent" where it was not part of one."""

    backend: str
    case: str
    before: str
    after: str


def document(
    results: Sequence[Result], claims: Mapping[str, str], problems: Mapping[str, Sequence[str]], selection: str
) -> dict[str, Any]:
    """Return a run as plain data.

    Parameters
    ----------
    results : sequence of Result
        Every result.
    claims : mapping of str to str
        What each backend can say of itself.
    problems : mapping of str to sequence of str
        What is wrong with a backend besides its results.
    selection : str
        What was run.

    Returns
    -------
    dict
        With empty lists for "problems" and "sections", which what plugins add to the suite may fill.
    """
    infos = ud.backends(installed=False)
    run = {result.id for result in results}
    return {
        "schema": SCHEMA,
        "suite": SUITE_VERSION,
        "selection": selection,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "backends": {
            name: {
                "claim": claims.get(name, ""),
                "origin": origin_of(name),
                "library": infos[name].library if name in infos else "",
                "versions": _versions(infos[name].requires) if name in infos else {},
                "environment": list(infos[name].test_environment) if name in infos else [],
                "problems": list(problems.get(name, ())),
                "totals": {status.value: n for status, n in count(r for r in results if r.backend == name).items()},
            }
            for name in dict.fromkeys([*claims, *problems, *(r.backend for r in results)])
        },
        "problems": [],
        "sections": [],
        "scenarios": {item.id: describe(item) for item in select() if item.id in run},
        "results": [result.record() for result in results],
    }


def origin_of(name: str) -> str:
    """Return the distribution and version that a backend comes from; empty if there is no such backend."""
    found = {contribution.name: contribution.origin for contribution in ud.contributions("backends")}
    return found.get(name, "this session" if name in ud.backends(installed=False) else "")


def _versions(requirements: Sequence[str]) -> dict[str, str]:
    """Return the installed version of each distribution that is required."""
    found = {}
    for requirement in requirements:
        name = re.match(r"[A-Za-z0-9._-]*", requirement)
        with suppress(metadata.PackageNotFoundError):
            found[name[0] if name else requirement] = metadata.version(name[0] if name else requirement)
    return found


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a document to a file."""
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a document from a file.

    Raises
    ------
    DocumentError
        If the file cannot be read or is no report of this version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            raise DocumentError(f"{path} is no report of schema {SCHEMA}; write one with 'unidiff conformance run --json FILE'")
        if missing := set(schema()["required"]) - content.keys():
            raise DocumentError(f"{path} is no report of the suite: it has no {', '.join(sorted(missing))}")
        results_of(content)
    except DocumentError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DocumentError(f"{path} is no report of the suite: {error}") from error
    return content


def results_of(content: Mapping[str, Any]) -> list[Result]:
    """Return the results in a document."""
    return [from_record(record) for record in content["results"]]


def schema() -> dict[str, Any]:
    """Return the JSON schema of a document."""
    found: dict[str, Any] = json.loads((files("unidiff_conformance") / "report.schema.json").read_text(encoding="utf-8"))
    return found


def changes(before: Sequence[Result], after: Sequence[Result]) -> list[Change]:
    """Return the cases whose outcome differs between two runs."""
    old, new = ({(r.backend, r.case): r.status.value for r in results} for results in (before, after))
    keys = dict.fromkeys([*old, *new])
    pairs = ((*key, old.get(key, "absent"), new.get(key, "absent")) for key in keys)
    return [Change(*pair) for pair in pairs if pair[2] != pair[3]]
