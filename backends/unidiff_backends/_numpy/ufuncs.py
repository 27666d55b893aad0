"""Universal functions of NumPy and their methods, in terms of the differentiable namespace."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import cache, partial, reduce
from typing import Any

import numpy as np

from unidiff.errors import InPlaceError, MissingRuleError
from unidiff_backends._numpy.table import Function, missing, refuse_buffer

_NAMES = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "conjugate": "conj",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "power": "pow",
    "right_shift": "bitwise_right_shift",
    "true_divide": "divide",
}
"""NumPy's names of functions that the standard calls otherwise."""


def _fmod(xp: Any, a: Any, b: Any) -> Any:
    """Return the remainder with the sign of the dividend, by that with the sign of the divisor, which is as exact."""
    a, b = xp.asarray(a), xp.abs(xp.asarray(b))
    return xp.where(a < 0, -xp.remainder(-a, b), xp.remainder(a, b))


def _skipping_nan(name: str, xp: Any, a: Any, b: Any) -> Any:
    a, b = xp.asarray(a), xp.asarray(b)
    return getattr(xp, name)(xp.where(xp.isnan(a), b, a), xp.where(xp.isnan(b), a, b))


def _modf(xp: Any, x: Any) -> Any:
    whole = xp.trunc(x)
    return xp.where(xp.isinf(x), xp.zeros_like(x), x - whole), whole


def _frexp(xp: Any, x: Any) -> Any:
    _, exponent = np.frexp(np.asarray(xp._constant(x)))
    return x * xp.asarray(np.ldexp(np.ones_like(exponent, x.dtype), -exponent)), exponent


def _ldexp(xp: Any, x: Any, exponent: Any) -> Any:
    return x * xp.asarray(np.ldexp(np.ones((), np.dtype(x.dtype)), np.asarray(exponent)))


def _matvec(xp: Any, x1: Any, x2: Any) -> Any:
    return xp.squeeze(xp.matmul(xp.asarray(x1), xp.expand_dims(xp.asarray(x2), axis=-1)), axis=-1)


def _vecmat(xp: Any, x1: Any, x2: Any) -> Any:
    x1 = xp.asarray(x1)
    row = xp.conj(x1) if np.dtype(x1.dtype).kind == "c" else x1
    return xp.squeeze(xp.matmul(xp.expand_dims(row, axis=-2), xp.asarray(x2)), axis=-2)


_DERIVED: dict[str, Function] = {
    "fabs": lambda xp, x: xp.abs(x),
    "exp2": lambda xp, x: xp.pow(2.0, x),
    "cbrt": lambda xp, x: xp.special.cbrt(x),
    "deg2rad": lambda xp, x: xp.multiply(x, math.pi / 180),
    "radians": lambda xp, x: xp.multiply(x, math.pi / 180),
    "rad2deg": lambda xp, x: xp.multiply(x, 180 / math.pi),
    "degrees": lambda xp, x: xp.multiply(x, 180 / math.pi),
    "logaddexp2": lambda xp, a, b: xp.logaddexp(a * math.log(2), b * math.log(2)) / math.log(2),
    "float_power": lambda xp, a, b: xp.pow(a, b),
    "fmod": _fmod,
    "fmax": partial(_skipping_nan, "maximum"),
    "fmin": partial(_skipping_nan, "minimum"),
    "heaviside": lambda xp, a, b: xp.where(a == 0, b, xp.astype(a > 0, xp.result_type(a, b))),
    "rint": lambda xp, x: xp.round(x),
    "modf": _modf,
    "frexp": _frexp,
    "ldexp": _ldexp,
    "divmod": lambda xp, a, b: (xp.floor_divide(a, b), xp.remainder(a, b)),
    "spacing": lambda xp, x: xp.asarray(np.spacing(np.asarray(xp._constant(x)))),
    "matvec": _matvec,
    "vecmat": _vecmat,
}
"""Universal functions beyond the standard, by functions of it."""


@cache
def functions(domain: Any) -> dict[np.ufunc, Function]:
    """Return the differentiable function for each universal function of NumPy that has one."""
    xp = domain.plain
    table: dict[np.ufunc, Function] = {}
    for ufunc in {f for f in vars(np).values() if isinstance(f, np.ufunc)}:
        name = ufunc.__name__
        standard = _NAMES.get(name, name)
        if name in _DERIVED:
            table[ufunc] = partial(_DERIVED[name], xp)
        elif standard in domain.operations:
            table[ufunc] = getattr(xp, standard)
    return table


def special(domain: Any, ufunc: np.ufunc) -> Function | None:
    """Return the differentiable function for a universal function of `scipy.special`."""
    name = ufunc.__name__
    theirs = getattr(sys.modules.get("scipy.special._ufuncs"), name, None)  # where it is also under SCIPY_ARRAY_API=1
    xp = domain.plain
    return getattr(xp.special, name, None) or getattr(xp, name, None) if theirs is ufunc else None


def call_ufunc(domain: Any, ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Answer a universal function, or one of its methods, with the differentiable function of the same meaning."""
    if method == "at":
        return _at(domain, ufunc, *inputs)
    options = refuse_buffer(options, ufunc.__name__)
    function = functions(domain).get(ufunc) or special(domain, ufunc)
    if function is not None:
        if method == "__call__":
            return _called(domain, ufunc, function, inputs, options)
        if ufunc.nin == 2 and method in _METHODS:
            try:
                return _METHODS[method](domain.plain, ufunc, function, *inputs, **options)
            except TypeError as error:
                if "argument" not in str(error):
                    raise
    raise MissingRuleError(missing(f"{ufunc.__name__} ({method}, {sorted(options)})"))


def _called(domain: Any, ufunc: np.ufunc, function: Function, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    dtype = options.pop("dtype", None)
    if not all(_says_nothing(name, value) for name, value in options.items()):
        raise MissingRuleError(missing(f"{ufunc.__name__} with the options {', '.join(options)}"))
    if dtype is None:
        return function(*inputs)
    xp = domain.plain
    return function(*(xp.astype(xp.asarray(x), np.dtype(dtype)) for x in inputs))


def _says_nothing(name: str, value: Any) -> bool:
    return (name, value) in (("where", True), ("casting", "same_kind"), ("order", "K"), ("subok", True)) if isinstance(
        value, (bool, str)
    ) else value is None  # fmt: skip


# --- methods

_REDUCTIONS: dict[str, Function] = {
    "add": np.sum,
    "multiply": np.prod,
    "maximum": np.max,
    "minimum": np.min,
    "logical_and": np.all,
    "logical_or": np.any,
    "fmax": np.nanmax,
    "fmin": np.nanmin,
}
_CUMULATIVE: dict[str, Function] = {"add": np.cumsum, "multiply": np.cumprod}


def _reduce(
    xp: Any, ufunc: np.ufunc, function: Function, array: Any, axis: Any = 0, dtype: Any = None, *, keepdims: bool = False,
    initial: Any = np._NoValue, where: Any = True,
) -> Any:  # fmt: skip
    options: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
    options |= {} if dtype is None else {"dtype": dtype}
    options |= {} if where is True else {"where": where}
    options |= {} if initial is np._NoValue or initial is None else {"initial": initial}
    if ufunc.__name__ in _REDUCTIONS:
        return _REDUCTIONS[ufunc.__name__](array, **options)
    if where is not True or dtype is not None or (isinstance(axis, tuple) and len(axis) != 1):
        raise MissingRuleError(missing(f"{ufunc.__name__}.reduce with these options"))
    axis = axis[0] if isinstance(axis, tuple) else axis
    array, axis = (xp.reshape(array, (-1,)), 0) if axis is None and array.ndim == 1 else (array, axis)
    if axis is None:
        raise MissingRuleError(missing(f"{ufunc.__name__}.reduce over several axes"))
    parts = list(xp.unstack(array, axis=axis))
    start = [xp.broadcast_to(xp.asarray(initial), parts[0].shape)] if "initial" in options else []
    out = reduce(function, start + parts)
    return xp.expand_dims(out, axis=axis) if keepdims else out


def _accumulate(xp: Any, ufunc: np.ufunc, function: Function, array: Any, axis: int = 0, dtype: Any = None) -> Any:
    if ufunc.__name__ in _CUMULATIVE:
        return _CUMULATIVE[ufunc.__name__](array, axis=axis, dtype=dtype)
    if dtype is not None:
        raise MissingRuleError(missing(f"{ufunc.__name__}.accumulate with the option dtype"))
    out: list[Any] = []
    for x in xp.unstack(array, axis=axis):
        out.append(function(out[-1], x) if out else x)
    return xp.stack(out, axis=axis) if out else array


def _reduceat(
    xp: Any, ufunc: np.ufunc, function: Function, array: Any, indices: Any, axis: int = 0, dtype: Any = None
) -> Any:  # fmt: skip
    n, places = array.shape[axis], [int(i) for i in np.asarray(indices)]
    before = (slice(None),) * (axis % array.ndim)
    out = []
    for start, stop in zip(places, [*places[1:], n], strict=True):
        segment = array[(*before, slice(start, max(stop, start + 1)))]
        out.append(_reduce(xp, ufunc, function, segment, axis, dtype))
    return xp.stack(out, axis=axis)


def _outer(xp: Any, ufunc: np.ufunc, function: Function, a: Any, b: Any) -> Any:  # noqa: ARG001  # as all methods
    a, b = xp.asarray(a), xp.asarray(b)
    return function(xp.reshape(a, a.shape + (1,) * b.ndim), b)


_METHODS: dict[str, Callable[..., Any]] = {
    "reduce": _reduce,
    "accumulate": _accumulate,
    "reduceat": _reduceat,
    "outer": _outer,
}


def _at(domain: Any, ufunc: np.ufunc, a: Any, indices: Any, *b: Any) -> None:
    """Add into, or subtract from, parts of a traced array, where repeated indices accumulate."""
    if isinstance(a, domain.array_types):
        raise InPlaceError(
            f"numpy.{ufunc.__name__}.at cannot put traced values into a plain array in place. Make the array inside the"
            " differentiated function, or use zeros_like(x) of a traced array x."
        )
    if ufunc not in (np.add, np.subtract):
        raise MissingRuleError(missing(f"{ufunc.__name__}.at"))
    xp = domain.plain
    values = xp.broadcast_to(xp.asarray(b[0]), a[indices].shape)
    a[...] = ufunc(a, xp._scatter(xp.astype(values, a.dtype), a.shape, indices))
