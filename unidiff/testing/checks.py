"""Checks the derivatives of a function on every backend, and that all of them agree."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from unidiff import tree
from unidiff._typing import Tree
from unidiff.arrays import asarray, to_numpy
from unidiff.checking import Point, check_grads, evaluate
from unidiff.derive import CompleteBackend
from unidiff.dispatch import dtype_name
from unidiff.errors import ArgumentError, DerivativeMismatchError, UnidiffError
from unidiff.first_order import check_callable, jvp, sequence, vjp
from unidiff.registry import backends as installed_backends
from unidiff.registry import get_backend
from unidiff.testing.reports import Agreement, BackendReport, DerivativeReport
from unidiff.testing.reproduction import command, culprit

AGREEMENT = 1e-9
"""How far values and derivatives in double precision may differ between backends, relative to the largest of them."""
_APPROXIMATE = 1024.0
"""What multiplies ``eps**accuracy`` for a backend that claims less than all digits."""
_EPS = 2.0**-52
_NUMERICAL = 1e-6
"""How far derivatives in double precision may be from central differences."""
_PROBES = (1.0, -0.5, 0.75, -1.25, 0.5, 1.5, -0.75)
_SHOWN = 600
_DIFFERENCES = "central differences, extrapolated, and the adjoint identity <J* u, v> = <u, J v>"

Quantities = dict[str, Point]
"""The value of a function, a tangent and a gradient, as real coordinates."""


@dataclass(frozen=True, slots=True)
class _Task:
    """What is asked of every backend."""

    f: Callable[..., Any]
    values: tuple[Tree, ...]
    order: int
    rtol: float


class _WrongError(Exception):
    """What is wrong on a backend: a sentence, and labels and texts."""

    def __init__(self, failure: str, *details: tuple[str, str]) -> None:
        super().__init__(failure)
        self.failure, self.details = failure, details


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

    On each backend the function is called twice, which has to give the same and leave its arguments as they are, and
    `unidiff.check_grads` compares both modes, up to the order, with central differences and the adjoint identity. Values, a
    JVP and a VJP are compared with those of the first backend that is right, in double precision.

    Parameters
    ----------
    f : callable
        A function over the array API standard that is smooth around `args`; returns a pytree of arrays.
    args : sequence of pytree
        The point: numbers, nested lists as in ``[1.0, 2.0]``, arrays of any backend, or dictionaries and tuples of these.
    order : int
        The highest order to check; on a backend that has less, as many as it has.
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
        If a derivative is wrong, a backend disagrees with the first one, or the function fails on it. The message has the
        function, backend, mode, worst element, got, want, the error in tolerances, the oracle, and what reproduces it.
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
    task = _Task(f, tuple(sequence(args, "args")), order, rtol)
    names = list(installed_backends(arrays=True)) if backends is None else list(backends)
    if not names:
        raise ArgumentError("There is no backend to check on; name one in backends.")
    if not isinstance(order, int) or order < 1:
        raise ArgumentError(f"order must be an integer of at least 1, but it is {order!r}.")
    for name in names:
        get_backend(name)  # an unknown or broken backend is no matter of the function
    for value in task.values:
        _on(value, names[0])  # a point that cannot be one is no matter of a backend
    reports: list[BackendReport] = []
    reference: tuple[str, Quantities] | None = None
    for name in names:
        report, quantities = _check_backend(task, name, reference)
        reports.append(report)
        if reference is None and not report.failure:
            reference = name, quantities
    found = DerivativeReport(getattr(f, "__qualname__", repr(f)), tuple(reports))
    if raises:
        found.raise_if_failed()
    return found


def _check_backend(task: _Task, name: str, reference: tuple[str, Quantities] | None) -> tuple[BackendReport, Quantities]:
    limit = get_backend(name).info.capabilities.max_order
    report = BackendReport(name, order=task.order if limit is None else min(task.order, limit))
    quantities: Quantities = {}
    try:
        point = tuple(_on(value, name) for value in task.values)
        quantities, seconds = _evaluate(task, point, name)
        report = replace(report, seconds=seconds, notes=_notes(quantities["value"]))
        if reference is not None:
            report = replace(report, agreements=tuple(_agreements(quantities, reference[1], _tolerance(name, task.rtol))))
            _require_agreement(report.agreements, reference[0], _tolerance(name, task.rtol))
        coarse = _coarse(name, report.order)
        check_grads(task.f, point, report.order, atol=coarse, rtol=coarse, backend=name)
    except _WrongError as wrong:
        return _failed(report, task, wrong, reference), quantities
    except DerivativeMismatchError as error:
        _, *lines = str(error).splitlines()
        details = [(label, rest.strip()) for label, _, rest in (line.strip().partition(" ") for line in lines)]
        text = "a derivative disagrees with its numerical reference" if details else str(error)
        return _failed(report, task, _WrongError(text, *details, ("oracle", _DIFFERENCES)), reference), quantities
    except UnidiffError as error:
        return _failed(
            report, task, _WrongError(f"{type(error).__name__}: {error}", *_place(task, error)), reference
        ), quantities
    except Exception as error:  # noqa: BLE001  # what the function raises on one backend is what is to be reported
        return _failed(report, task, _raised(task, error, reference), reference), quantities
    return report, quantities


def _failed(report: BackendReport, task: _Task, wrong: _WrongError, reference: tuple[str, Quantities] | None) -> BackendReport:
    names = dict.fromkeys([*([reference[0]] if reference else []), report.backend])
    again = command(task.f, task.values, _options(task, list(names)))
    details = (("backend", report.backend), *wrong.details, ("reproduce", again))
    return replace(report, failure=wrong.failure, details=details)


def _options(task: _Task, names: list[str]) -> dict[str, Any]:
    options = {"order": task.order, "backends": names}
    return options if task.rtol == AGREEMENT else {**options, "rtol": task.rtol}


def _raised(task: _Task, error: Exception, reference: tuple[str, Quantities] | None) -> _WrongError:
    """Describe an exception of the function; one that it raises on some backends only tells that it is not portable."""
    details = _place(task, error)
    if reference is not None:
        remedy = "use functions of xp = unidiff.array_namespace(x) in place of those of one library"
        details += (("remedy", f"it runs on {reference[0]}: {remedy}"),)
    return _WrongError(f"the function raised {type(error).__name__}: {error!s:.{_SHOWN}}", *details)


def _place(task: _Task, error: Exception) -> tuple[tuple[str, str], ...]:
    where, line = culprit(task.f, error)
    return tuple((label, text) for label, text in (("where", where), ("line", line)) if text)


def _evaluate(task: _Task, point: tuple[Tree, ...], name: str) -> tuple[Quantities, float]:
    """Return value, tangent and gradient, and how long a value with its gradient takes; require that they can be had again."""
    backend = get_backend(name)
    plain = _call(task, backend)
    found = _quantities(task.f, point, backend)
    start = perf_counter()
    out, pullback = vjp(task.f, *point, backend=name)
    gradient = pullback(tree.map(lambda x: _direction(x, backend), out))
    again = {"value": Point(backend, out), "vjp": Point(backend, gradient)}
    seconds = perf_counter() - start
    for a in (*_agreements({"value": found["value"]}, {"value": plain}, AGREEMENT), *_agreements(again, found, AGREEMENT)):
        if not a.error <= 1:
            raise _WrongError(
                "two calls at the same point give different results",
                ("mode", a.mode),
                ("where", a.where),
                ("got", f"{a.got!r} in a later call"),
                ("want", f"{a.want!r}, as in the first"),
                ("remedy", "the function has a state or draws random numbers: pass them as arguments"),
            )
    return found, seconds


def _call(task: _Task, backend: CompleteBackend) -> Point:
    """Return the value that the function has outside of any transform; it has to be arrays, and the arguments unchanged."""
    point = tuple(_on(value, backend.name) for value in task.values)
    before = Point(backend, point).coordinates
    value = Point(backend, evaluate(backend, task.f, point))
    if not value.leaves:
        raise _WrongError(
            "the function returns no array", ("remedy", "return an array, or a tuple, list or dictionary of arrays")
        )
    after = Point(backend, point)
    changed = [k for k, (a, b) in enumerate(zip(before, after.coordinates, strict=True)) if _distance(a, b)]
    if changed:
        raise _WrongError(
            "the function changes its argument in place",
            ("where", after.where(changed[0], "args")),
            ("remedy", "work on a copy, or use functions that return new arrays"),
        )
    return value


def _notes(value: Point) -> tuple[str, ...]:
    """Say which outputs have no derivative but zero, since their dtype has none."""
    pairs = zip(value.leaves, tree.paths(value.spec, "output"), strict=True)
    constant = [(path, dtype_name(x.dtype)) for x, path in pairs if not value.backend.is_differentiable(x)]
    notes = [f"{path} is {dtype}: its derivative is zero" for path, dtype in constant]
    accuracy = value.backend.info.capabilities.accuracy
    if accuracy < 1:
        notes.append(f"{value.backend.name} claims derivatives to eps**{accuracy:.2g} only, and is judged by that")
    return tuple(notes)


def _require_agreement(agreements: Sequence[Agreement], other: str, rtol: float) -> None:
    worst = max(agreements, key=lambda a: a.error, default=None)
    if worst is None or worst.error <= 1:
        return
    raise _WrongError(
        f"the {worst.mode} disagrees with that on {other}",
        ("mode", worst.mode),
        ("where", worst.where),
        ("got", repr(worst.got)),
        ("want", repr(worst.want)),
        ("error", f"{worst.error:.3g} tolerances of {worst.tolerance:.3g} (rtol={rtol:g})"),
        ("oracle", f"the same {worst.mode} on {other}, whose derivatives agree with {_DIFFERENCES}"),
    )


def _tolerance(name: str, rtol: float) -> float:
    """Return how far a backend may be from another, which is more where it claims less than all digits."""
    accuracy = get_backend(name).info.capabilities.accuracy
    return rtol if accuracy == 1 else max(rtol, _APPROXIMATE * _EPS**accuracy)


def _coarse(name: str, order: int) -> float | None:
    """Return the tolerance of numerical checks on a backend that claims less than all digits; the usual one on others."""
    accuracy = get_backend(name).info.capabilities.accuracy
    return None if accuracy == 1 else max(_NUMERICAL, _APPROXIMATE * _EPS ** (accuracy**order))


def _on(value: Any, name: str) -> Any:
    """Return a tree with all numbers, lists of numbers and arrays as arrays of a backend, floating ones in double precision."""
    if isinstance(value, Mapping):
        return {key: _on(item, name) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_on(item, name) for item in value)
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return asarray(to_numpy(value).copy(), backend=name)
    try:
        return asarray(_floats(value), backend=name, dtype="complex128" if _has_complex(value) else "float64")
    except (TypeError, ValueError) as error:
        kinds = "numbers, nested lists of equal lengths, arrays, tuples and dictionaries"
        raise ArgumentError(f"args takes {kinds}, not {value!r:.200}.") from error


def _floats(value: Any) -> Any:
    if isinstance(value, list):
        return [_floats(item) for item in value]
    return value if isinstance(value, complex) else float(value)


def _has_complex(value: Any) -> bool:
    return any(map(_has_complex, value)) if isinstance(value, list) else isinstance(value, complex)


def _quantities(f: Callable[..., Any], point: tuple[Tree, ...], backend: CompleteBackend) -> Quantities:
    out, pullback = vjp(f, *point, backend=backend.name)
    tangents = tree.map(lambda x: _direction(x, backend), point)
    _, pushed = jvp(f, point, tangents, backend=backend.name)
    pulled = pullback(tree.map(lambda x: _direction(x, backend), out))
    return {"value": Point(backend, out), "jvp": Point(backend, pushed), "vjp": Point(backend, pulled)}


def _direction(x: Any, backend: CompleteBackend) -> Any:
    """Return the same direction on every backend."""
    host = to_numpy(x)
    if host.dtype.kind not in "fc":
        return backend.zeros_like(x)
    direction = host.copy()
    direction.flat = [_PROBES[k % len(_PROBES)] for k in range(host.size)]
    return asarray(direction, backend=backend.name)


_PLACES = {"value": "output", "jvp": "tangent", "vjp": "gradient"}


def _agreements(found: Quantities, wanted: Quantities, rtol: float) -> list[Agreement]:
    agreements = []
    for mode, point in found.items():
        got, want = point.coordinates, wanted[mode].coordinates
        if len(got) != len(want):
            agreements.append(Agreement(mode, "the number of elements", len(got), len(want), math.inf, 0.0, math.inf))
            continue
        scale = max((abs(x) for x in want if math.isfinite(x)), default=0.0)
        tolerance = rtol * scale or 1e-300
        distances = [_distance(a, b) for a, b in zip(got, want, strict=True)]
        if distances:
            k = max(range(len(distances)), key=distances.__getitem__)
            where, error = point.where(k, _PLACES[mode]), distances[k] / tolerance
            agreements.append(Agreement(mode, where, got[k], want[k], error, tolerance, distances[k] / (scale or 1.0)))
    return agreements


def _distance(a: float, b: float) -> float:
    if a == b or (a != a and b != b):  # noqa: PLR0124  # NaN
        return 0.0
    error = abs(a - b)
    return error if math.isfinite(error) else math.inf
