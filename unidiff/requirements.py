"""Checks requirement specifiers such as ``torch>=2.6,<3`` against installed metadata, without importing anything."""

import re
from collections.abc import Callable
from operator import eq, ge, gt, le, lt, ne

from unidiff.errors import PluginError

__all__ = ["installed", "parse", "unmet"]

_OPERATORS: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": ge,
    "<=": le,
    "==": eq,
    "!=": ne,
    ">": gt,
    "<": lt,
}
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(.*)")
_Clause = tuple[Callable[[tuple[int, ...], tuple[int, ...]], bool], tuple[int, ...]]
_CLAUSE = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*([0-9]+(?:\.[0-9]+)*)\s*")


def unmet(requirement: str) -> str | None:
    """Say why a requirement is not met.

    Parameters
    ----------
    requirement : str
        The name of a distribution and comparisons of its release number, such as ``"torch>=2.6,<3"``, or several of these, of
        which one is enough, such as ``"cupy-cuda12x>=13.3 | cupy-cuda13x>=13.6"``.

    Returns
    -------
    str or None
        A short reason such as ``"torch>=2.6 is not installed"``, or None if the requirement is met.

    Raises
    ------
    unidiff.errors.PluginError
        If the requirement is malformed.

    Examples
    --------
    >>> unmet("numpy>=1")
    >>> unmet("no-such-distribution>=1")
    'no-such-distribution>=1 is not installed'
    >>> unmet("no-such-distribution>=1 | numpy>=1")
    """
    wrong = None
    for name, clauses in parse(requirement):
        version = installed(name)
        if version is None:
            continue
        release = _release(version)
        if all(compare(*_padded(release, wanted)) for compare, wanted in clauses):
            return None
        wrong = version if wrong is None else wrong
    return f"{requirement} is not installed" if wrong is None else f"{requirement} is needed, but version {wrong} is installed"


def installed(name: str) -> str | None:
    """Return the version of a distribution, None where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def parse(requirement: str) -> list[tuple[str, list[_Clause]]]:
    """Return the name and the comparisons of each alternative of a requirement, or raise PluginError if it is malformed."""
    return [_parse_one(alternative, requirement) for alternative in requirement.split("|")]


def _parse_one(alternative: str, requirement: str) -> tuple[str, list[_Clause]]:
    matched = _REQUIREMENT.fullmatch(alternative.strip())
    if matched is None:
        raise PluginError(f"{requirement!r} is not a requirement; write it like 'name>=1.2,<3'.")
    clauses: list[_Clause] = []
    for clause in filter(str.strip, matched[2].split(",")):
        parsed = _CLAUSE.fullmatch(clause)
        if parsed is None:
            raise PluginError(f"{clause!r} in the requirement {requirement!r} is not a comparison such as '>=1.2'.")
        clauses.append((_OPERATORS[parsed[1]], _release(parsed[2])))
    return matched[1], clauses


def _release(version: str) -> tuple[int, ...]:
    """Return the release numbers of a version: (2, 13, 0) for "2.13.0rc1+cpu"."""
    found = re.match(r"(?:\d+!)?(\d+(?:\.\d+)*)", version)
    return tuple(int(n) for n in found[1].split(".")) if found else ()


def _padded(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    n = max(len(a), len(b))
    return a + (0,) * (n - len(a)), b + (0,) * (n - len(b))
