"""What NumPy computes into an array that is there already, for compiled programs."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import array_api_compat.numpy as xp
import numpy as np

from unidiff_backends.numpy_natives import LARGE, NATIVES, matmul, power, summation

_OPERATORS: dict[Any, Any] = {
    operator.add: np.add,
    operator.sub: np.subtract,
    operator.mul: np.multiply,
    operator.truediv: np.divide,
    operator.floordiv: np.floor_divide,
    operator.mod: np.remainder,
    operator.neg: np.negative,
    operator.lt: np.less,
    operator.le: np.less_equal,
    operator.gt: np.greater,
    operator.ge: np.greater_equal,
    operator.eq: np.equal,
    operator.ne: np.not_equal,
    operator.invert: np.invert,
    operator.and_: np.bitwise_and,
    operator.or_: np.bitwise_or,
    operator.xor: np.bitwise_xor,
}


def _functions() -> dict[Any, Any]:
    """Return the universal functions with one result among the functions of the standard: the third argument is the buffer."""
    found = (getattr(xp, name) for name in dir(xp))
    return {f: f for f in found if isinstance(f, np.ufunc) and f.nout == 1 and f.signature is None}


def _extremum(function: Any) -> Callable[..., Any]:
    """Return the function with the buffer by keyword, since NumPy deprecates it as a third argument of these two."""

    def into(x: Any, y: Any, buffer: Any = None) -> Any:
        return function(x, y, out=buffer)

    return into


_EXTREMA = {function: _extremum(function) for function in (np.maximum, np.minimum)}

INTO: dict[Any, Any] = {**_functions(), **_OPERATORS, **_EXTREMA}
"""The universal function that computes a function or an operator element by element, into an array where it is given one."""

FRESH: frozenset[Callable[..., Any]] = frozenset(
    {matmul, np.matmul, operator.matmul, np.where, xp.where, np.concatenate, xp.concat}
    | {NATIVES[name] for name in ("sum", "prod", "max", "min", "mean", "stack", "zeros_like", "ones_like", "full", "ones")}
)
"""Functions whose results never share memory with their arguments."""


def simplify(function: Callable[..., Any], shapes: Sequence[tuple[int, ...]], kwargs: Mapping[str, Any]) -> Any:
    """Return a function of NumPy's own that computes the same bits for arrays of these shapes with these options."""
    if function is power and not kwargs:
        return operator.pow
    if function is xp.asarray and kwargs == {"copy": True}:
        return np.array
    if function is summation and "axis" in kwargs and math.prod(shapes[0]) <= LARGE:
        return np.add.reduce
    if function is matmul and all(1 <= len(shape) <= 2 for shape in shapes):
        return np.ndarray.dot
    return _REDUCTIONS.get(function) if "axis" in kwargs else None


_REDUCTIONS: dict[Any, Any] = {
    NATIVES["max"]: np.maximum.reduce,
    NATIVES["min"]: np.minimum.reduce,
    NATIVES["prod"]: np.multiply.reduce,
}
