"""Checks derivatives numerically, with central differences that estimate their own error, and by the adjoint identity."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from unidiff import tree
from unidiff._typing import Array, Tree
from unidiff.calls import Call, Output
from unidiff.derive import CompleteBackend, size
from unidiff.dispatch import dtype_name
from unidiff.errors import ArgumentError, DerivativeMismatchError
from unidiff.first_order import check_callable, jvp, sequence, vjp

__all__ = ["check_grads"]

_TOLERANCE = {"float64": 1e-6, "complex128": 1e-6, "float32": 5e-3, "complex64": 5e-3}
_COARSE = 1e-1
"""The tolerance of dtypes narrower than float32."""
_STEP = {"float64": 2e-2, "complex128": 2e-2, "float32": 1.6e-1, "complex64": 1.6e-1}
_LEVELS = 6
"""Halvings of the step; the error estimate chooses among them, so the first may be large."""


@dataclass(frozen=True, slots=True)
class _Setting:
    modes: tuple[str, ...]
    atol: float
    rtol: float
    step: float
    backend: CompleteBackend
    gauss: Callable[[float, float], float]


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Tree],
    order: int = 2,
    modes: Sequence[str] = ("fwd", "rev"),
    *,
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    seed: int = 0,
    backend: Any = None,
) -> None:
    """Check the derivatives of a function numerically and raise with a report if they are wrong.

    Along a random direction v, central differences with Richardson extrapolation give J v and an estimate of their own error.
    Forward mode must agree with it element by element. Reverse mode must satisfy ``Re <ct, J v> == Re <J* ct, v>`` for a random
    cotangent. Higher orders check the derivatives of these derivatives in the same way, for every sequence of modes.

    Parameters
    ----------
    f : callable
        A function that is smooth around `args`; returns a pytree of arrays.
    args : tuple or list of pytree
        The point: pytrees of real or complex floating arrays, all differentiated.
    order : int
        The highest order to check.
    modes : sequence of {"fwd", "rev"}
        The modes to check, and to nest.
    atol, rtol : float, optional
        The tolerance ``atol + rtol * scale``, where the scale is the largest magnitude in the compared output; by default both
        are 1e-6 for float64, 5e-3 for float32 and 0.1 for narrower dtypes.
    eps : float, optional
        The largest step of the differences.
    seed : int
        Seed of the random directions.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.

    Raises
    ------
    unidiff.errors.DerivativeMismatchError
        If a derivative is wrong, or if the differences are too inaccurate to tell, as near a kink.
    unidiff.errors.ArgumentError
        If `order` or `modes` make no sense, or if there is nothing to check.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.check_grads(lambda x: x**3, (np.asarray([1.0, 2.0]),))
    """
    from random import Random  # not needed by `import unidiff`

    check_callable(f)
    modes = tuple(modes)
    if not modes or not {"fwd", "rev"} >= set(modes):
        raise ArgumentError(f"modes must be made of 'fwd' and 'rev', but it is {modes!r}.")
    if not isinstance(order, int) or order < 1:
        raise ArgumentError(f"order must be an integer of at least 1, but it is {order!r}.")
    values = sequence(args, "args")
    call = Call(f, values, {}, tuple(range(len(values))), backend)
    names = [dtype_name(x.dtype) for x in call.primals]
    tolerance = max((_TOLERANCE.get(name, _COARSE) for name in names), default=1e-6)
    step = max((_STEP.get(name, 1.0) for name in names), default=2e-2) if eps is None else eps
    setting = _Setting(
        modes=modes,
        atol=tolerance if atol is None else atol,
        rtol=tolerance if rtol is None else rtol,
        step=step,
        backend=call.backend,
        gauss=Random(seed).gauss,  # noqa: S311  # directions need to be reproducible, not secret
    )
    _check(f, call.build(call.primals), order, setting, ())


def _check(f: Callable[..., Any], args: tuple[Tree, ...], order: int, setting: _Setting, via: tuple[str, ...]) -> None:
    s = setting
    point = Point(s.backend, args)
    v = [s.gauss(0.0, 1.0) for _ in point.coordinates]
    tangents = point.tree(v)
    out = Point(s.backend, evaluate(s.backend, f, args))
    if not point.leaves or not out.leaves:
        raise ArgumentError("There is nothing to check: the function has no arrays among its arguments or in its output.")
    want, error = _directional(lambda t: _values(f, point, v, t, s.backend), len(out.coordinates), s.step)
    _require_conclusive(out, want, error, s, via)
    ct = [s.gauss(0.0, 1.0) for _ in out.coordinates]
    cotangent = out.tree(ct)
    if "fwd" in s.modes:
        value, pushed = jvp(f, args, tangents, backend=s.backend)
        _compare(out, "value", Point(s.backend, value).coordinates, out.coordinates, s, (*via, "fwd"))
        _compare(out, "tangent", Point(s.backend, pushed).coordinates, want, s, (*via, "fwd"))
    if "rev" in s.modes:
        value, pullback = vjp(f, *args, backend=s.backend)
        _compare(out, "value", Point(s.backend, value).coordinates, out.coordinates, s, (*via, "rev"))
        _compare_adjoint(out, want, ct, Point(s.backend, pullback(cotangent)).coordinates, v, s, (*via, "rev"))
    if order > 1:
        if "fwd" in s.modes:
            _check(lambda *xs: jvp(f, xs, tangents, backend=s.backend)[1], args, order - 1, s, (*via, "fwd"))
        if "rev" in s.modes:
            _check(lambda *xs: vjp(f, *xs, backend=s.backend)[1](cotangent), args, order - 1, s, (*via, "rev"))


class Point:
    """A pytree of arrays as a list of real coordinates, and back."""

    def __init__(self, backend: CompleteBackend, values: Tree) -> None:
        self.backend = backend
        self.leaves, self.spec = tree.flatten(values)
        self.coordinates: list[float] = []
        for x in self.leaves:
            numbers = backend.to_numpy(x).ravel().tolist()
            self.coordinates += [part for z in numbers for part in _parts(z)] if backend.is_complex(x) else numbers

    def tree(self, coordinates: Sequence[float]) -> Tree:
        """Return a tree like this one with other coordinates."""
        remaining = iter(coordinates)
        return tree.unflatten(self.spec, [self._leaf(x, remaining) for x in self.leaves])

    def _leaf(self, x: Array, remaining: Any) -> Array:
        b, dtype = self.backend, dtype_name(x.dtype)
        if b.is_complex(x):
            numbers: list[Any] = [complex(next(remaining), next(remaining)) for _ in range(size(x))]
        else:
            numbers = [next(remaining) for _ in range(size(x))]
            if not b.is_real(x):
                return b.zeros_like(x)
        return b.namespace().reshape(b.asarray(numbers, dtype=dtype, device=b.device(x)), tuple(x.shape))

    def where(self, k: int, name: str = "output") -> str:
        """Say where the k-th coordinate is, such as ``output['y'], element (0, 1)``."""
        for x, path in zip(self.leaves, tree.paths(self.spec, name), strict=True):
            count = size(x) * (1 + self.backend.is_complex(x))
            if k < count:
                k, part = divmod(k, 2) if self.backend.is_complex(x) else (k, 0)
                index = []
                for n in reversed(x.shape):
                    k, i = divmod(k, n)
                    index.append(i)
                return f"{path}, element {tuple(reversed(index))}" + (", imaginary part" if part else "")
            k -= count
        return name


def _parts(z: complex) -> tuple[float, float]:
    return z.real, z.imag


def evaluate(b: CompleteBackend, f: Callable[..., Any], args: tuple[Tree, ...]) -> Tree:
    """Evaluate a function with its Python numbers made arrays, as the transforms return them."""
    output = Output(Call(f, args, {}, tuple(range(len(args))), b), has_aux=False)
    outs, rest = output(*output.call.primals)
    return output.join(outs, rest)[0]


def _values(f: Callable[..., Any], point: Point, v: list[float], t: float, b: CompleteBackend) -> list[float]:
    moved = point.tree([x + t * dx for x, dx in zip(point.coordinates, v, strict=True)])
    return Point(b, evaluate(b, f, moved)).coordinates


def _directional(values: Callable[[float], list[float]], count: int, step: float) -> tuple[list[float], list[float]]:
    """Return the derivative of a curve at 0 and an estimate of its error (Ridders' method, coordinate by coordinate)."""
    best, error = [math.nan] * count, [math.inf] * count
    previous: list[list[float]] = []
    for level in range(_LEVELS):
        h = step / 2**level
        row = [[(a - b) / (2 * h) for a, b in zip(values(h), values(-h), strict=True)]]
        for k, coarser in enumerate(previous):
            factor = 4.0 ** (k + 1)
            finer = row[-1]
            row.append([(factor * a - b) / (factor - 1) for a, b in zip(finer, coarser, strict=True)])
            for i in range(count):
                estimate = max(abs(row[-1][i] - finer[i]), abs(row[-1][i] - coarser[i]))
                if estimate < error[i]:
                    best[i], error[i] = row[-1][i], estimate
        previous = row
    return best, error


def _scale(values: Sequence[float]) -> float:
    return max((abs(x) for x in values), default=0.0)


def _require_conclusive(out: Point, want: list[float], error: list[float], s: _Setting, via: tuple[str, ...]) -> None:
    tolerance = s.atol + s.rtol * _scale(want)
    for k, estimate in enumerate(error):
        if not estimate <= tolerance:
            raise DerivativeMismatchError(
                f"The numerical derivative is inconclusive at order {len(via) + 1}{_nesting(via)}, {out.where(k)}: its "
                f"value is {want[k]:.6g} with an estimated error of {estimate:.3g}, above the tolerance {tolerance:.3g}. Move "
                "the point away from kinks and poles, or set eps, atol and rtol."
            )


def _compare(out: Point, what: str, got: Sequence[float], want: Sequence[float], s: _Setting, via: tuple[str, ...]) -> None:
    tolerance = s.atol + s.rtol * _scale(want)
    errors = [abs(a - b) for a, b in zip(got, want, strict=True)]
    worst = max(range(len(errors)), key=lambda k: math.inf if math.isnan(errors[k]) else errors[k], default=None)
    if worst is not None and not errors[worst] <= tolerance:
        raise DerivativeMismatchError(
            _report(f"{what} of {out.where(worst)}", got[worst], want[worst], errors[worst], tolerance, via)
        )


def _compare_adjoint(
    out: Point, want: list[float], ct: list[float], grads: list[float], v: list[float], s: _Setting, via: tuple[str, ...]
) -> None:
    terms = [a * b for a, b, x in _with_leaf(out, ct, want) if not _is_constant(out.backend, x)]
    got, expected = math.fsum(a * b for a, b in zip(grads, v, strict=True)), math.fsum(terms)
    tolerance = s.atol + s.rtol * math.fsum(map(abs, terms))
    if not abs(got - expected) <= tolerance:
        raise DerivativeMismatchError(
            _report("adjoint identity, <J* ct, v> against <ct, J v>", got, expected, abs(got - expected), tolerance, via)
        )


def _with_leaf(out: Point, a: list[float], b: list[float]) -> Any:
    leaves = [x for x in out.leaves for _ in range(size(x) * (1 + out.backend.is_complex(x)))]
    return zip(a, b, leaves, strict=True)


def _is_constant(b: CompleteBackend, x: Array) -> bool:
    return not b.is_differentiable(x)


def _nesting(via: tuple[str, ...]) -> str:
    return f" ({' over '.join(reversed(via))})" if via else ""


def _report(what: str, got: float, want: float, error: float, tolerance: float, via: tuple[str, ...]) -> str:
    ratio = error / tolerance if tolerance else math.inf
    return "\n".join(
        [
            "A derivative disagrees with its numerical reference.",
            f"  mode       {' over '.join(reversed(via))}",
            f"  order      {len(via)}",
            f"  where      {what}",
            f"  got        {got!r}",
            f"  want       {want!r}",
            f"  error      {error:.3g}, {ratio:.3g} times the tolerance of {tolerance:.3g}",
        ]
    )
