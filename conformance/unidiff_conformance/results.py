"""Outcomes of cases, and what they amount to."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any


class Status(Enum):
    """What became of a case."""

    PASS = "pass"  # noqa: S105 - a status, not a secret
    FAIL = "fail"
    CRASH = "crash"
    TIMEOUT = "time-out"
    WAIVED = "waived"
    UNEXPECTED_PASS = "unexpected pass"  # noqa: S105 - the same
    UNSUPPORTED = "unsupported"
    NOT_RUN = "not run"


FAILURES = frozenset({Status.FAIL, Status.CRASH, Status.TIMEOUT, Status.UNEXPECTED_PASS})
"""With any of these a backend cannot be called conformant."""


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a case.

    Parameters
    ----------
    backend, id, dtype, mode : str
        The case.
    status : Status
        The outcome.
    kind : str
        What is wrong, as `MismatchError.kind`; empty if nothing is.
    message : str
        What was expected and what came, or why the case was not run.
    units : float
        The largest error in units of the tolerance.
    seconds : float
        How long it took.
    inputs : str
        The point, where the case failed.
    seed : int
        What moved the point; 0 for the points that claims are about.
    where, got, want : str
        The worst entry of a result, its value, and the value wanted, where the case failed for its accuracy.
    tolerance : float
        The tolerance of that entry.
    traceback : str
        Where an exception came from.
    options : str
        What else of the command line it takes to run the case again as it was run.
    """

    backend: str
    id: str
    dtype: str
    mode: str
    status: Status
    kind: str = ""
    message: str = ""
    units: float = 0.0
    seconds: float = 0.0
    inputs: str = ""
    seed: int = 0
    where: str = ""
    got: str = ""
    want: str = ""
    tolerance: float = 0.0
    traceback: str = ""
    options: str = ""

    @property
    def case(self) -> str:
        """The name by which waivers and the command line know the case."""
        return f"{self.id}:{self.dtype}:{self.mode}"

    @property
    def category(self) -> str:
        """The category of the scenario."""
        return self.id.split(".")[0]

    @property
    def function(self) -> str:
        """The category and the function that is tested."""
        return ".".join(self.id.split(".")[:2])

    @property
    def failed(self) -> bool:
        """Whether the backend cannot be called conformant with this."""
        return self.status in FAILURES

    @property
    def reproduce(self) -> str:
        """The command that runs this case alone."""
        seed = f" --seed {self.seed}" if self.seed else ""
        return f"unidiff conformance run {self.backend} --case {self.case}{seed}{self.options}"

    def record(self) -> dict[str, Any]:
        """Return the result as plain data, ready for JSON, where an infinite error is null."""
        return {
            "backend": self.backend,
            "id": self.id,
            "dtype": self.dtype,
            "mode": self.mode,
            "status": self.status.value,
            "kind": self.kind,
            "message": self.message,
            "error_in_tolerances": self.units if math.isfinite(self.units) else None,
            "seconds": round(self.seconds, 4),
            "inputs": self.inputs,
            "seed": self.seed,
            "where": self.where,
            "got": self.got,
            "want": self.want,
            "tolerance": self.tolerance,
            "traceback": self.traceback,
            "options": self.options,
        }


def from_record(record: Mapping[str, Any]) -> Result:
    """Undo `Result.record`.

    Raises
    ------
    ValueError
        If this is no record of a result.
    """
    try:
        values = dict(record)
        units = values.pop("error_in_tolerances")
        status = Status(values.pop("status"))
        return Result(**values, status=status, units=math.inf if units is None else units)
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is no record of a result: {record!r:.200}") from error


def with_status(result: Result, status: Status, message: str) -> Result:
    """Return a result with another outcome."""
    return replace(result, status=status, message=message)


def count(results: Iterable[Result]) -> dict[Status, int]:
    """Return how many results have each status."""
    counts = dict.fromkeys(Status, 0)
    for result in results:
        counts[result.status] += 1
    return counts
