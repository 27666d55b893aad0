"""What NumPy computes into an array that is there already, for compiled programs."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import array_api_compat.numpy as xp
import numpy as np

from unidiff_backends._numpy.natives import LARGE, NATIVES, POWERS_BY_OPERATOR, PRODUCTS_BY_DOT, matmul, power, summation

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


def simplify(function: Callable[..., Any], operands: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return a function of NumPy's own that computes the same bits for such operands with these options."""
    if function is power:
        return operator.pow if _by_operator(*operands) else None
    if function is xp.asarray and kwargs == {"copy": True}:
        return np.array
    if function is summation and "axis" in kwargs and math.prod(operands[0].shape) <= LARGE:
        return np.add.reduce
    if function is matmul:
        return np.ndarray.dot if _multiplied_by_dot(*operands) else None
    return _REDUCTIONS.get(function) if "axis" in kwargs else None


def _by_operator(x: Any, *_: Any) -> bool:
    return x.kind is np.ndarray and x.dtype in POWERS_BY_OPERATOR


def _multiplied_by_dot(x1: Any, x2: Any) -> bool:
    return x1.dtype == x2.dtype in PRODUCTS_BY_DOT and all(map(_contiguous, (x1, x2)))


def _contiguous(x: Any) -> bool:
    if x.kind is not np.ndarray or not 1 <= len(x.shape) <= 2:
        return False
    (*_, n), size = x.shape, x.dtype.itemsize
    return x.layout in ((size,), (n * size, size), (size, x.shape[0] * size))


_REDUCTIONS: dict[Any, Any] = {
    NATIVES["max"]: np.maximum.reduce,
    NATIVES["min"]: np.minimum.reduce,
    NATIVES["prod"]: np.multiply.reduce,
}
