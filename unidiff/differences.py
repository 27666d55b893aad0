"""Difference quotients of flat functions: stencils of any order and accuracy, the complex step, and extrapolation.

What `unidiff.numerical` and the backend of finite differences share. Functions take arrays and return a tuple of arrays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import factorial
from typing import Any

from unidiff._typing import Array, Arrays
from unidiff.derive import CompleteBackend
from unidiff.errors import ArgumentError, NotDifferentiableError

__all__ = ["METHODS", "Stencil", "complex_step", "difference", "extrapolated", "stencil"]

METHODS = ("central", "forward", "backward")
MOST_POINTS = 24
"""Stencils beyond this number of points have weights that lose all digits."""
LEVELS = 8
"""Halvings of the step in an extrapolation; the error estimate chooses among them, so the first may be large."""
FIRST = 32.0
"""The first step of an extrapolation, in steps of a single difference."""


@dataclass(frozen=True, slots=True)
class Stencil:
    """A difference quotient: ``sum_j weights[j] f(x + offsets[j] h v) / h**order``.

    Parameters
    ----------
    order : int
        The order of the derivative.
    accuracy : int
        The power of the step in the leading error term.
    offsets : tuple of int
        Where to evaluate, in steps.
    weights : tuple of float
        The weights there.
    powers : int
        By how much the power grows from one error term to the next: 2 for central differences, else 1.
    """

    order: int
    accuracy: int
    offsets: tuple[int, ...]
    weights: tuple[float, ...]
    powers: int


def _positive(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ArgumentError(f"{name} must be an integer of at least 1, but it is {value!r:.200}.")
    return value


@cache
def stencil(method: str, order: int = 1, accuracy: int = 2) -> Stencil:
    """Return the stencil with the fewest points for a derivative of this order and accuracy.

    Raises
    ------
    unidiff.errors.ArgumentError
        If there is no such stencil.
    """
    _positive(order, "order")
    _positive(accuracy, "accuracy")
    if method not in METHODS:
        raise ArgumentError(f"method must be one of {', '.join(METHODS)}, but it is {method!r}.")
    if method == "central":
        accuracy += accuracy % 2
        reach = (order + 1) // 2 - 1 + accuracy // 2
        offsets: tuple[int, ...] = tuple(range(-reach, reach + 1))
    else:
        sign = 1 if method == "forward" else -1
        offsets = tuple(sign * k for k in range(order + accuracy))
    if len(offsets) > MOST_POINTS:
        raise ArgumentError(
            f"order={order} and accuracy={accuracy} need {len(offsets)} points; at most {MOST_POINTS} make sense."
        )
    weights = _weights(offsets, order)
    used = [(o, float(w)) for o, w in zip(offsets, weights, strict=True) if w]
    return Stencil(order, accuracy, tuple(o for o, _ in used), tuple(w for _, w in used), 2 if method == "central" else 1)


def _weights(offsets: Sequence[int], order: int) -> list[Fraction]:
    """Solve ``sum_j w_j o_j**m == m! [m == order]``, by which the quotient is exact for polynomials, in exact arithmetic."""
    n = len(offsets)
    rows = [[Fraction(o) ** m for o in offsets] + [Fraction(factorial(m) if m == order else 0)] for m in range(n)]
    for k in range(n):
        pivot = next(i for i in range(k, n) if rows[i][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [entry / rows[k][k] for entry in rows[k]]
        for i in range(n):
            if i != k and (factor := rows[i][k]):
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]


def precision(b: CompleteBackend, arrays: Arrays) -> float:
    """Return the machine epsilon of the narrowest floating dtype among these arrays."""
    finfo = b.namespace().finfo
    return max((float(finfo(x.dtype).eps) for x in arrays if b.is_differentiable(x)), default=2.0**-52)


def _constant(b: CompleteBackend, x: Array) -> Array:
    return b.stop_gradient(x) if "stop_gradient" in b.native else x


def default_step(b: CompleteBackend, primals: Arrays, tangents: Arrays, relative: float) -> Array:
    """Return the step at which no entry moves by more than ``relative * (1 + |x|)``; a 0-d array."""
    bounds = []
    for x, v in zip(primals, tangents, strict=True):
        if 0 in x.shape:
            continue
        point, direction = _constant(b, x), _constant(b, v)
        xp = b.namespace(point, direction)
        moves = direction != 0
        speed = xp.where(moves, xp.abs(direction), xp.ones_like(xp.abs(direction)))
        bounds.append(xp.min(xp.where(moves, (1 + xp.abs(point)) / speed, xp.full_like(speed, float("inf")))))
    if not bounds:
        return relative
    xp = b.namespace(*bounds)
    largest = bounds[0]
    for other in bounds[1:]:
        largest = xp.minimum(largest, other)
    return relative * xp.where(xp.isfinite(largest), largest, xp.ones_like(largest))


def moved(b: CompleteBackend, primals: Arrays, tangents: Arrays, t: Any) -> tuple[Array, ...]:
    """Return ``primals + t * tangents`` in the dtypes of the primals."""
    points = []
    for x, v in zip(primals, tangents, strict=True):
        xp = b.namespace(x, v)
        # Arithmetic on 0-d arrays of NumPy gives scalars, which a function would take for Python numbers.
        points.append(b.asarray(xp.astype(xp.asarray(x + t * v), x.dtype, copy=False)))
    return tuple(points)


def difference(
    b: CompleteBackend,
    f: Callable[..., Arrays],
    primals: Arrays,
    tangents: Arrays,
    scheme: Stencil,
    step: Any = None,
) -> tuple[Array, ...]:
    """Return the derivative of `f` along the tangents by one difference quotient.

    The default step balances truncation, of the order ``h**accuracy``, and rounding, of the order ``eps / h**order``; it is
    smaller for a stencil that reaches further, whose truncation error is that of a higher derivative.
    """
    if step is None:
        eps, reach = precision(b, primals), max(map(abs, scheme.offsets))
        step = default_step(b, primals, tangents, eps ** (1 / (scheme.order + scheme.accuracy)) / reach**2)
    totals: list[Array] = []
    for offset, weight in zip(scheme.offsets, scheme.weights, strict=True):
        outs = f(*moved(b, primals, tangents, offset * step))
        scaled = [weight * y for y in outs]
        totals = [a + c for a, c in zip(totals, scaled, strict=True)] if totals else scaled
    return tuple(_as(b, y / step**scheme.order, y.dtype) for y in totals)


def _as(b: CompleteBackend, x: Array, dtype: Any) -> Array:
    x = b.asarray(x)
    return x if x.dtype == dtype else b.namespace(x).astype(x, dtype)


def complex_step(b: CompleteBackend, f: Callable[..., Arrays], primals: Arrays, tangents: Arrays) -> tuple[Array, ...]:
    """Return ``Im f(x + i h v) / h``: a first derivative without cancellation, of a function that is holomorphic.

    Raises
    ------
    unidiff.errors.NotDifferentiableError
        If a primal is complex, or if the function returns a real array, from which the imaginary part is lost.
    """
    if any(b.is_complex(x) for x in primals):
        raise NotDifferentiableError("The complex step needs real primals; use method='central' for complex ones.")
    h = default_step(b, primals, tangents, precision(b, primals) ** 1.5 / 4)
    points = []
    for x, v in zip(primals, tangents, strict=True):
        xp = b.namespace(x, v)
        wide = xp.result_type(x.dtype, xp.complex64)
        points.append(b.asarray(xp.astype(x, wide) + 1j * xp.astype(xp.asarray(h * v), wide)))
    results = []
    for k, y in enumerate(f(*points)):
        if not b.is_complex(y):
            raise NotDifferentiableError(
                f"Output {k} of the function is real although its arguments are complex, so it is not holomorphic (abs, real "
                "and comparisons are not) or does not depend on them; use method='central'."
            )
        results.append(_as(b, b.namespace(y).imag(y) / h, b.real_dtype(y.dtype)))
    return tuple(results)


def extrapolated(
    b: CompleteBackend,
    f: Callable[..., Arrays],
    primals: Arrays,
    tangents: Arrays,
    scheme: Stencil,
    step: Any = None,
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Extrapolate the difference quotient to step 0, entry by entry; return it with an estimate of its error.

    Ridders' method (Adv. Eng. Softw. 4, 1982): Richardson's tableau over halved steps, of which the entry is taken that
    changed least from its neighbours. The rounding error of the quotient is part of the estimate, so that small steps whose
    results agree by chance are not chosen.
    """
    eps = precision(b, primals)
    if step is None:
        step = FIRST * default_step(b, primals, tangents, eps ** (1 / (scheme.order + scheme.accuracy)))
        reach = max(map(abs, scheme.offsets)) * scheme.accuracy / 2
        step = step / max(1.0, reach / 2)
    heaviness = sum(map(abs, scheme.weights))
    best: list[Any] = []
    previous: list[list[Any]] = []
    sizes = [b.namespace(y).abs(y) for y in f(*primals)]
    for level in range(LEVELS):
        h = step / 2.0**level
        rows = [[q] for q in difference(b, f, primals, tangents, scheme, h)]
        noise = [eps * heaviness * size / h**scheme.order for size in sizes]
        for k, row in enumerate(rows):
            for j, coarser in enumerate(previous[k] if previous else ()):
                row.append(row[-1] + (row[-1] - coarser) / (2.0 ** (scheme.accuracy + j * scheme.powers) - 1))
        best = [
            _best(b, best[k] if best else None, row, previous[k] if previous else [], noise[k]) for k, row in enumerate(rows)
        ]
        previous = rows
    return tuple(value for value, _ in best), tuple(error for _, error in best)


def _best(b: CompleteBackend, best: Any, row: list[Any], older: list[Any], noise: Array) -> tuple[Array, Array]:
    """Return value and error of the entries that changed least so far."""
    xp = b.namespace(*row)
    value, error = best if best is not None else (row[0], xp.full_like(noise, float("inf")))
    for (finer, candidate), coarser in zip(pairwise(row), older, strict=True):
        change = xp.maximum(xp.abs(candidate - finer), xp.abs(candidate - coarser)) + noise
        better = change < error
        value, error = xp.where(better, candidate, value), xp.where(better, change, error)
    return b.asarray(value), b.asarray(error)
