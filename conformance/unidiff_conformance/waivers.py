"""Known deviations of a backend: cases that are run and expected to fail, each with a reason."""

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path


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
        How they fail: "accuracy", "exception", "dtype", and so on, as `MismatchError.kind`.
    reason : str
        Why they fail and cannot be mended.
    link : str
        Where it is reported or documented.
    """

    cases: str
    expect: str
    reason: str
    link: str

    def matches(self, case: str) -> bool:
        """Say whether the waiver is about a case."""
        return any(fnmatchcase(case, pattern) for pattern in self.cases.split())

    def concerns(self, id: str) -> bool:
        """Say whether any case of a scenario may match."""
        return any(fnmatchcase(id, pattern.split(":")[0]) for pattern in self.cases.split())


def read_waivers(path: Path) -> tuple[Waiver, ...]:
    """Read a file of waivers.

    Parameters
    ----------
    path : pathlib.Path
        A TOML file with tables ``[[waiver]]``, whose keys are the fields of `Waiver`, all of them non-empty strings.

    Returns
    -------
    tuple of Waiver

    Raises
    ------
    WaiverError
        If the file is not of this form.
    """
    return _parse(path.read_text(encoding="utf-8"), str(path))


def waivers_of(backend: str) -> tuple[Waiver, ...]:
    """Return the waivers that come with the suite for a backend; none if it has no file."""
    file = files("unidiff_conformance") / "waivers" / f"{backend}.toml"
    return _parse(file.read_text(encoding="utf-8"), f"{backend}.toml") if file.is_file() else ()


def _parse(text: str, where: str) -> tuple[Waiver, ...]:
    try:
        tables = tomllib.loads(text).get("waiver", [])
    except tomllib.TOMLDecodeError as error:
        raise WaiverError(f"{where}: {error}") from error
    fields = tuple(Waiver.__dataclass_fields__)
    for number, table in enumerate(tables, start=1):
        wrong = [key for key in fields if not isinstance(table.get(key), str) or not table[key].strip()]
        if wrong or set(table) - set(fields):
            raise WaiverError(f"{where}: waiver {number} needs the non-empty strings {', '.join(fields)} and nothing else")
    return tuple(Waiver(**table) for table in tables)
