"""Outcomes of cases, and what they amount to."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """What became of a case."""

    PASS = "pass"  # noqa: S105 - a status, not a secret
    FAIL = "fail"
    WAIVED = "waived"
    UNEXPECTED_PASS = "unexpected pass"  # noqa: S105 - the same
    UNSUPPORTED = "unsupported"
    NOT_RUN = "not run"


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
    """

    backend: str
    id: str
    dtype: str
    mode: str
    status: Status
    kind: str = ""
    message: str = ""
    units: float = 0.0

    @property
    def case(self) -> str:
        """The name by which waivers and the command line know the case."""
        return f"{self.id}:{self.dtype}:{self.mode}"

    @property
    def category(self) -> str:
        """The category of the scenario."""
        return self.id.split(".")[0]

    @property
    def failed(self) -> bool:
        """Whether the backend cannot be called conformant with this."""
        return self.status in (Status.FAIL, Status.UNEXPECTED_PASS)

    @property
    def reproduce(self) -> str:
        """The command that runs this case alone."""
        return f"python -m unidiff_conformance --backend {self.backend} --dtype {self.dtype} --mode {self.mode} -k '={self.id}'"


def count(results: Iterable[Result]) -> dict[Status, int]:
    """Return how many results have each status."""
    counts = dict.fromkeys(Status, 0)
    for result in results:
        counts[result.status] += 1
    return counts
