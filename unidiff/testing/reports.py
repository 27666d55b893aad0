"""What is found of a function, backend by backend."""

import math
from dataclasses import dataclass, field

from unidiff.errors import DerivativeMismatchError


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a backend is from the first one in one quantity.

    Parameters
    ----------
    mode : str
        "value", "jvp" or "vjp".
    where : str
        The worst element.
    got, want : complex
        It on this backend, and on the first one.
    error : float
        The difference in units of the tolerance.
    tolerance : float
        The largest difference that is allowed.
    relative : float
        The difference over the largest magnitude of the quantity.

    Examples
    --------
    >>> import unidiff as ud
    >>> report = ud.testing.check_derivatives(lambda x: x**2, ([1.0, 2.0],), backends=["numpy", "finite"], order=1)
    >>> [(a.mode, a.error < 1) for a in report.reports[1].agreements]
    [('value', True), ('jvp', True), ('vjp', True)]
    """

    mode: str
    where: str
    got: complex
    want: complex
    error: float
    tolerance: float
    relative: float


@dataclass(frozen=True, slots=True)
class BackendReport:
    """What was found on one backend.

    Parameters
    ----------
    backend : str
        Its name.
    failure : str
        What is wrong, in a sentence; empty if nothing is.
    details : tuple of (str, str)
        Labels and texts about the failure: mode, worst element, got, want, error, oracle, and how to reproduce it.
    agreements : tuple of Agreement
        How far it is from the first backend, in each mode.
    order : int
        The order of derivatives that were checked: at most what the backend says it has.
    seconds : float
        The time of one evaluation with its pullback, after a first one.
    notes : tuple of str
        What is not wrong and yet worth knowing, such as outputs that have no derivative but zero.

    Examples
    --------
    >>> import unidiff as ud
    >>> report = ud.testing.check_derivatives(lambda x: x**2, ([1.0, 2.0],), order=1, backends=["numpy"])
    >>> [(one.backend, one.order, one.failure) for one in report.reports]
    [('numpy', 1, '')]
    """

    backend: str
    failure: str = ""
    details: tuple[tuple[str, str], ...] = field(default=())
    agreements: tuple[Agreement, ...] = ()
    order: int = 0
    seconds: float = math.nan
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DerivativeReport:
    """What was found of a function.

    Parameters
    ----------
    function : str
        Its name.
    reports : tuple of BackendReport
        One for each backend.

    Examples
    --------
    >>> import unidiff as ud
    >>> report = ud.testing.check_derivatives(lambda x: x**2, ([1.0, 2.0],), order=1, backends=["numpy"])
    >>> report.failures
    ()
    """

    function: str
    reports: tuple[BackendReport, ...]

    @property
    def failures(self) -> tuple[str, ...]:
        """What is wrong, backend by backend: function, backend and failure, and a line for each detail."""
        return tuple(
            "\n".join([f"{self.function} on {r.backend}: {r.failure}", *(_detail(*pair) for pair in r.details)])
            for r in self.reports
            if r.failure
        )

    def raise_if_failed(self) -> None:
        """Raise `unidiff.errors.DerivativeMismatchError` if anything is wrong."""
        if self.failures:
            raise DerivativeMismatchError("\n\n".join(self.failures))


def _detail(label: str, text: str) -> str:
    return f"  {label:<10} {text}"
