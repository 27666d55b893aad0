"""What a clause is, and which one a scenario tests."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from unidiff_conformance.scenario import Rule

EDITION = 1
"""The edition of the standard. Ids are permanent: a clause may be added or made clearer, never given another meaning."""

FILES = ("general", "elementwise", "statistical", "arrays", "linalg", "fft", "special")
_PREFIXES = {"general": "general.", "linalg": "linalg.", "fft": "fft.", "special": "special."}
_FIELDS = frozenset({"d", "jvp", "vjp", "linear", "zero", "none", "domain", "text", "source", "rule", "at"})
_WHOLE = frozenset({"program", "behaviour"})
_OWN = frozenset({"special", "linalg", "fft"})


class ClauseError(ValueError):
    """The tables of clauses are malformed, or a scenario belongs to none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """A statement of the standard.

    Parameters
    ----------
    id : str
        Permanent name: the function, and for a special point what is special there, as in ``abs`` and ``abs.zero``.
    function : str
        The function of the namespace, such as ``linalg.det``; for a clause about all functions ``general``.
    file : str
        The table it is in.
    rule : Rule
        The general rule it follows from.
    factors : tuple of str
        The partial derivative by each argument of an elementwise function.
    jvp, vjp : str
        The maps of tangents and cotangents of other functions.
    domain : str
        Where the formulas hold; everywhere if empty.
    text : str
        What else is to be said.
    source : str
        Where it is derived; elementary calculus if empty.
    at : tuple of str
        Patterns of the scenarios that test it; those of the function that no other clause has, if empty.
    """

    id: str
    function: str
    file: str
    rule: Rule
    factors: tuple[str, ...] = ()
    jvp: str = ""
    vjp: str = ""
    domain: str = ""
    text: str = ""
    source: str = ""
    at: tuple[str, ...] = ()

    def concerns(self, variant: str) -> bool:
        """Say whether one of the patterns is about a scenario."""
        return any(fnmatchcase(variant, pattern) for pattern in self.at)


@cache
def clauses() -> Mapping[str, Clause]:
    """Return all clauses by id, in the order of the standard.

    Raises
    ------
    ClauseError
        If a table is malformed.
    """
    found: dict[str, Clause] = {}
    for file in FILES:
        text = (files("unidiff_conformance") / "standard" / f"{file}.toml").read_text(encoding="utf-8")
        for name, table in tomllib.loads(text).items():
            for clause in _read(file, name, table):
                found[clause.id] = clause
    return MappingProxyType(found)


def function_of(id: str) -> str:
    """Return the function that a scenario is about, as clauses name it."""
    category, name, *_ = id.split(".")
    if category in _WHOLE:
        return "general"
    if category in _OWN:
        return f"{category}.{name}"
    return f"array.{name}" if name in ("getitem", "setitem") else name


@cache
def clause_of(id: str) -> Clause:
    """Return the clause that a scenario or behaviour tests.

    Raises
    ------
    ClauseError
        If there is none.
    """
    function = function_of(id)
    candidates = [clause for clause in clauses().values() if clause.function == function]
    variant = id if function == "general" else id.split(".", 2)[2]
    for clause in candidates:
        if clause.concerns(variant):
            return clause
    if function == "general" or not candidates:
        raise ClauseError(f"{id} belongs to no clause of {function}")
    return candidates[0]


def _read(file: str, name: str, table: Mapping[str, Any]) -> Iterator[Clause]:
    """Yield the clause of a function, and those of its special points, which are tables within its table."""
    full = f"{_PREFIXES.get(file, '')}{name}"
    own = {key: value for key, value in table.items() if not isinstance(value, dict)}
    yield _make(file, full, own, "general" if file == "general" else full)
    for point, inner in table.items():
        if isinstance(inner, dict):
            if not inner.get("at") or not inner.get("text") or "rule" not in inner:
                raise ClauseError(f"{full}.{point} needs 'at', 'rule' and 'text'")
            yield _make(file, f"{full}.{point}", inner, full)


def _make(file: str, id: str, table: Mapping[str, Any], function: str) -> Clause:
    if set(table) - _FIELDS:
        raise ClauseError(f"{id} has unknown keys: {sorted(set(table) - _FIELDS)}")
    jvp, vjp, text, rule = (table.get(key, "") for key in ("jvp", "vjp", "text", "rule"))
    if "linear" in table:
        jvp, vjp = "linear: the function of the tangent", table["linear"]
    elif reason := table.get("zero"):
        text, rule = f"Derivative 0: {reason}. {text}".strip(), rule or "constant"
    elif reason := table.get("none"):
        text, rule = f"Nothing to differentiate: {reason}. {text}".strip(), rule or "constant"
    return Clause(
        id=id,
        function=function,
        file=file,
        rule=Rule[(rule or "smooth").upper()],
        factors=tuple(table.get("d", ())),
        jvp=jvp,
        vjp=vjp,
        domain=table.get("domain", ""),
        text=text,
        source=table.get("source", ""),
        at=tuple(table.get("at", ())),
    )
