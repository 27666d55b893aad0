"""Checks that a function of one's own has the right derivatives, and the same ones, on every backend."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from unidiff import tree
from unidiff._typing import Tree
from unidiff.arrays import asarray, to_numpy
from unidiff.checking import check_grads
from unidiff.errors import ArgumentError, DerivativeMismatchError, UnidiffError
from unidiff.first_order import check_callable, jvp, sequence, vjp
from unidiff.registry import backends as installed_backends
from unidiff.registry import get_backend

__all__ = ["Agreement", "BackendReport", "DerivativeReport", "check_derivatives", "parametrize_backends"]

AGREEMENT = 1e-9
"""How far values and derivatives in double precision may differ between backends, relative to the largest of them."""
_PROBES = (1.0, -0.5, 0.75, -1.25, 0.5, 1.5, -0.75)


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

    Examples
    --------
    >>> import unidiff as ud
    >>> ud.testing.Agreement(mode="vjp", where="out[0]", got=1.0, want=1.5, error=1e9).error > 1
    True
    """

    mode: str
    where: str
    got: complex
    want: complex
    error: float


@dataclass(frozen=True, slots=True)
class BackendReport:
    """What was found on one backend.

    Parameters
    ----------
    backend : str
        Its name.
    failure : str
        What is wrong; empty if nothing is.
    agreements : tuple of Agreement
        How far it is from the first backend, in each mode.
    seconds : float
        The time of one evaluation with its pullback, after a first one.

    Examples
    --------
    >>> import unidiff as ud
    >>> report = ud.testing.check_derivatives(lambda x: x**2, ([1.0, 2.0],), order=1, backends=["numpy"])
    >>> [(one.backend, one.failure) for one in report.reports]
    [('numpy', '')]
    """

    backend: str
    failure: str
    agreements: tuple[Agreement, ...] = ()
    seconds: float = math.nan


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
        """What is wrong, backend by backend."""
        return tuple(f"{self.function} on {r.backend}: {r.failure}" for r in self.reports if r.failure)

    def raise_if_failed(self) -> None:
        """Raise `unidiff.errors.DerivativeMismatchError` if anything is wrong."""
        if self.failures:
            raise DerivativeMismatchError("\n".join(self.failures))


def check_derivatives(
    f: Callable[..., Any],
    args: Sequence[Tree],
    order: int = 2,
    *,
    backends: Sequence[str] | None = None,
    rtol: float = AGREEMENT,
    raises: bool = True,
) -> DerivativeReport:
    """Check the derivatives of a function on every backend, and that all of them agree.

    On each backend `unidiff.check_grads` compares both modes, up to the order, with central differences and the adjoint
    identity. Values, a JVP and a VJP are then compared with those of the first backend, in double precision.

    Parameters
    ----------
    f : callable
        A function over the array API standard that is smooth around `args`; returns a pytree of arrays.
    args : sequence of pytree
        The point: numbers, nested lists as in ``[1.0, 2.0]``, arrays of any backend, or dictionaries and tuples of these.
    order : int
        The highest order to check.
    backends : sequence of str, optional
        Names of backends; by default all that are installed and have arrays.
    rtol : float
        How far backends may differ, relative to the largest magnitude of a result.
    raises : bool
        Whether to raise if anything is wrong, rather than to return a report that says so.

    Returns
    -------
    DerivativeReport

    Raises
    ------
    unidiff.errors.DerivativeMismatchError
        If a derivative is wrong, a backend disagrees with the first one, or the function fails on it.
    unidiff.errors.ArgumentError
        If there are no backends.

    Examples
    --------
    >>> import unidiff as ud
    >>> def f(x):
    ...     xp = ud.array_namespace(x)
    ...     return xp.sum(xp.exp(x) * x)
    >>> ud.testing.check_derivatives(f, ([0.5, 1.0],), backends=["numpy"]).failures
    ()
    """
    check_callable(f)
    values = sequence(args, "args")
    names = list(installed_backends(arrays=True)) if backends is None else list(backends)
    if not names:
        raise ArgumentError("There is no backend to check on; name one in backends.")
    reports: list[BackendReport] = []
    reference: tuple[str, dict[str, list[Any]]] | None = None
    for name in names:
        get_backend(name)  # an unknown or broken backend is no matter of the function
        report, quantities = _check_backend(f, values, order, name, reference, rtol)
        reports.append(report)
        if reference is None and not report.failure:
            reference = name, quantities
    found = DerivativeReport(getattr(f, "__qualname__", repr(f)), tuple(reports))
    if raises:
        found.raise_if_failed()
    return found


def _check_backend(
    f: Callable[..., Any], values: Sequence[Tree], order: int, name: str, reference: Any, rtol: float
) -> tuple[BackendReport, dict[str, list[Any]]]:
    point = tuple(_on(value, name) for value in values)
    try:
        quantities = _quantities(f, point, name)
        seconds = _seconds(f, point, name)
        agreements = () if reference is None else tuple(_agreements(quantities, reference[1], rtol))
        worst = max(agreements, key=lambda a: a.error, default=None)
        if worst is not None and not worst.error <= 1:
            text = (
                f"the {worst.mode} disagrees with that on {reference[0]} at {worst.where}: "
                f"got {worst.got!r}, want {worst.want!r}, "
                f"{worst.error:.3g} tolerances of rtol={rtol:g}"
            )
            return BackendReport(name, text, agreements, seconds), quantities
        check_grads(f, point, order, backend=name)
    except UnidiffError as error:
        return BackendReport(name, f"{type(error).__name__}: {error}"), {}
    except Exception as error:  # noqa: BLE001  # what the function raises on one backend is what is to be reported
        return BackendReport(name, f"the function raised {type(error).__name__}: {error}"), {}
    return BackendReport(name, "", agreements, seconds), quantities


def _on(value: Any, name: str) -> Any:
    """Return a tree with all numbers, lists of numbers and arrays as arrays of a backend, floating ones in double precision."""
    if isinstance(value, Mapping):
        return {key: _on(item, name) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_on(item, name) for item in value)
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return asarray(to_numpy(value), backend=name)
    return asarray(_floats(value), backend=name, dtype="complex128" if _has_complex(value) else "float64")


def _floats(value: Any) -> Any:
    if isinstance(value, list):
        return [_floats(item) for item in value]
    return value if isinstance(value, complex) else float(value)


def _has_complex(value: Any) -> bool:
    return any(map(_has_complex, value)) if isinstance(value, list) else isinstance(value, complex)


def _quantities(f: Callable[..., Any], point: tuple[Tree, ...], name: str) -> dict[str, list[Any]]:
    out, pullback = vjp(f, *point, backend=name)
    tangents = tree.map(lambda x: _direction(x, name), point)
    _, pushed = jvp(f, point, tangents, backend=name)
    pulled = pullback(tree.map(lambda x: _direction(x, name), out))
    return {"value": _numbers(out), "jvp": _numbers(pushed), "vjp": _numbers(pulled)}


def _direction(x: Any, name: str) -> Any:
    """Return the same direction on every backend."""
    host = to_numpy(x)
    if host.dtype.kind not in "fc":
        return get_backend(name).zeros_like(x)
    direction = host.copy()
    direction.flat = [_PROBES[k % len(_PROBES)] for k in range(host.size)]
    return asarray(direction, backend=name)


def _numbers(values: Tree) -> list[Any]:
    return [number for leaf in tree.flatten(values)[0] for number in to_numpy(leaf).ravel().tolist()]


def _agreements(found: Mapping[str, list[Any]], wanted: Mapping[str, list[Any]], rtol: float) -> list[Agreement]:
    agreements = []
    for mode, want in wanted.items():
        got = found[mode]
        if len(got) != len(want):
            agreements.append(Agreement(mode, "the number of elements", len(got), len(want), math.inf))
            continue
        scale = max((abs(x) for x in want if math.isfinite(abs(x))), default=0.0)
        errors = [_error(a, b) / (rtol * scale or 1e-300) for a, b in zip(got, want, strict=True)]
        if errors:
            k = max(range(len(errors)), key=errors.__getitem__)
            agreements.append(Agreement(mode, f"element {k}", got[k], want[k], errors[k]))
    return agreements


def _error(a: Any, b: Any) -> float:
    if a == b or (a != a and b != b):  # noqa: PLR0124  # NaN, of a number that may be complex
        return 0.0
    error = abs(a - b)
    return error if math.isfinite(error) else math.inf


def _seconds(f: Callable[..., Any], point: tuple[Tree, ...], name: str) -> float:
    start = perf_counter()
    out, pullback = vjp(f, *point, backend=name)
    _numbers(pullback(tree.map(lambda x: _direction(x, name), out)))
    return perf_counter() - start


def parametrize_backends(*only: str, skip: Mapping[str, str] | None = None) -> Callable[[Callable[..., Any]], Any]:
    """Make of a pytest test one test for each installed backend, by the arguments ``unidiff_backend`` and ``unidiff_xp``.

    Parameters
    ----------
    only : str
        Names of backends; all that are installed and have arrays by default.
    skip : mapping of str to str, optional
        Backends that are skipped, and why.

    Returns
    -------
    callable
        A decorator. The test takes ``unidiff_backend``, the name, or ``unidiff_xp``, the namespace, or both.

    Raises
    ------
    ImportError
        If pytest is not installed.

    Examples
    --------
    >>> import unidiff as ud
    >>> @ud.testing.parametrize_backends(skip={"jax": "assigns to its argument"})
    ... def test_loss(unidiff_xp):
    ...     assert unidiff_xp.sum(unidiff_xp.ones(2)) == 2
    """
    import pytest

    return pytest.mark.unidiff_backends(*only, skip=dict(skip or {}))
