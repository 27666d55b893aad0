"""Known deviations of a backend: cases that are run and expected to fail, each with a reason."""

import operator
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date
from fnmatch import fnmatchcase
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

from unidiff_conformance.nearest import meant

KINDS = frozenset("accuracy exception dtype shape type device missing mutation behaviour oracle crash time-out".split())
"""How a case can fail; see `MismatchError.kind`."""
_CONDITION = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(<=|>=|==|!=|<|>)\s*([0-9]+(?:\.[0-9]+)*)")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


class WaiverError(ValueError):
    """A file of waivers is malformed."""


@dataclass(frozen=True, slots=True)
class Waiver:
    """A deviation that is known.

    Parameters
    ----------
    cases : str
        Patterns of cases ``id:dtype:mode`` as of `fnmatch`, separated by blanks.
    expect : str
        How they fail, one of `KINDS`.
    reason : str
        Why they fail and cannot be mended.
    link : str
        Where it is reported or documented.
    when : str
        Versions for which it holds, such as ``"torch<2.14"``; all if empty.
    expires : str
        The last day on which it holds, as ``"2027-03-01"``; no end if empty.
    """

    cases: str
    expect: str
    reason: str
    link: str
    when: str = ""
    expires: str = ""

    def matches(self, case: str) -> bool:
        """Say whether the waiver is about a case."""
        return any(fnmatchcase(case, pattern) for pattern in self.cases.split())

    @property
    def applies(self) -> bool:
        """Whether the versions that are installed are those it is about."""
        found = _CONDITION.fullmatch(self.when)
        if found is None:
            return True
        name, compare, wanted = found.groups()
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            return False
        return _COMPARE[compare](*_padded(_release(installed), _release(wanted)))

    @property
    def expired(self) -> bool:
        """Whether its last day has passed."""
        return bool(self.expires) and date.fromisoformat(self.expires) < date.today()


def read_waivers(path: Path) -> tuple[Waiver, ...]:
    """Read a file of waivers.

    Parameters
    ----------
    path : pathlib.Path
        A TOML file with tables ``[[waiver]]``, whose keys are the fields of `Waiver`, all of them non-empty strings.

    Returns
    -------
    tuple of Waiver
        Those that apply to the versions that are installed.

    Raises
    ------
    WaiverError
        If the file cannot be read or is not of this form.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WaiverError(f"{path}: {error}") from error
    return _parse(text, str(path))


def waivers_of(backend: str) -> tuple[Waiver, ...]:
    """Return the waivers that come with the suite for a backend; none if it has no file."""
    file = files("unidiff_conformance") / "waivers" / f"{backend}.toml"
    return _parse(file.read_text(encoding="utf-8"), f"{backend}.toml") if file.is_file() else ()


def _parse(text: str, where: str) -> tuple[Waiver, ...]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise WaiverError(f"{where}: {error}") from error
    tables = document.pop("waiver", [])
    if document or not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
        raise WaiverError(f"{where}: a file of waivers consists of tables [[waiver]] and nothing else")
    waivers = tuple(_waiver(table, f"{where}: waiver {number}") for number, table in enumerate(tables, start=1))
    return tuple(waiver for waiver in waivers if waiver.applies)


def _waiver(table: dict[str, Any], where: str) -> Waiver:
    known = {field.name: field.default is MISSING for field in fields(Waiver)}
    # TOML has dates of its own, which are as good as strings.
    table = {key: value.isoformat() if type(value) is date else value for key, value in table.items()}
    wrong = [f"{key!r} is unknown{meant(key, known)}" for key in table if key not in known]
    wrong += [f"{key!r} must be a non-empty string, not {value!r:.80}" for key, value in table.items() if not _is_text(value)]
    wrong += [f"{key!r} is missing" for key, needed in known.items() if needed and key not in table]
    if wrong:
        needed, optional = (", ".join(key for key in known if known[key] == flag) for flag in (True, False))
        raise WaiverError(f"{where}: {'; '.join(wrong)}. A waiver has {needed}, and may have {optional}")
    waiver = Waiver(**table)
    if waiver.expect not in KINDS:
        raise WaiverError(f"{where} expects {waiver.expect!r}, which is none of {', '.join(sorted(KINDS))}")
    if waiver.when and not _CONDITION.fullmatch(waiver.when):
        raise WaiverError(f"{where}: the condition {waiver.when!r} is not like 'torch<2.14'")
    try:
        date.fromisoformat(waiver.expires or "2000-01-01")
    except ValueError as error:
        raise WaiverError(f"{where}: the date {waiver.expires!r} is not like '2027-03-01'") from error
    return waiver


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _release(version: str) -> tuple[int, ...]:
    leading = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(map(int, leading[0].split("."))) if leading else ()


def _padded(*releases: tuple[int, ...]) -> list[tuple[int, ...]]:
    length = max(map(len, releases))
    return [release + (0,) * (length - len(release)) for release in releases]
