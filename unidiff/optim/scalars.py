"""Arithmetic of step counts and learning rates: Python numbers on the host, 0-d arrays within a compiled program.

On the host everything is computed in double precision, whatever the dtype of the parameters. Within a program that is compiled
with the step count as an argument the same formulas are evaluated on 0-d arrays, in the widest real dtype of the library.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import unidiff as ud
from unidiff._typing import Array, Namespace

__all__ = [
    "Rate",
    "Scalar",
    "complement",
    "cos",
    "floating",
    "floor",
    "is_number",
    "maximum",
    "minimum",
    "power",
    "sqrt",
    "where",
]

Scalar: TypeAlias = Any
"""A Python number, or a 0-d array."""
Rate: TypeAlias = float | Callable[[Scalar], Scalar]
"""A number, or a function of the number of steps made so far."""


def is_number(x: Scalar) -> bool:
    """Say whether a scalar is a Python number."""
    return isinstance(x, (int, float))


def floating(x: Scalar) -> Scalar:
    """Return a scalar as a float, or as a 0-d array of the widest real dtype."""
    if is_number(x):
        return float(x)
    backend = ud.get_backend(x)
    if backend.is_real(x):
        return x
    xp = backend.namespace(x)
    return xp.astype(x, _widest(backend.namespace()))


def _widest(xp: Namespace) -> Any:
    dtypes: Mapping[str, Any] = xp.__array_namespace_info__().dtypes(kind="real floating")
    return dtypes["float64"] if "float64" in dtypes else dtypes["float32"]


def complement(base: float, exponent: Scalar) -> Scalar:
    """Return ``1 - base**exponent``, on arrays without the cancellation that would cost single precision its digits."""
    exponent = floating(exponent)
    if is_number(exponent):
        return 1.0 - base**exponent
    if base == 0:
        return exponent * 0.0 + 1.0
    return -ud.array_namespace(exponent).expm1(exponent * math.log(base))


def power(base: Scalar, exponent: Scalar) -> Scalar:
    """Return ``base**exponent`` for a positive base, of which either may be an array."""
    base, exponent = floating(base), floating(exponent)
    if is_number(exponent):
        return base**exponent
    xp = ud.array_namespace(exponent)
    return xp.exp(exponent * (math.log(base) if is_number(base) else xp.log(base)))


def _unary(host: Callable[[float], Any], name: str) -> Callable[[Scalar], Scalar]:
    def apply(x: Scalar) -> Scalar:
        x = floating(x)
        return host(x) if is_number(x) else getattr(ud.array_namespace(x), name)(x)

    apply.__doc__ = f"Return the {name} of a scalar."
    return apply


sqrt = _unary(math.sqrt, "sqrt")
cos = _unary(math.cos, "cos")
floor = _unary(math.floor, "floor")


def minimum(x: Scalar, y: Scalar) -> Scalar:
    """Return the lesser of two scalars."""
    return min(x, y) if is_number(x) and is_number(y) else where(x < y, x, y)


def maximum(x: Scalar, y: Scalar) -> Scalar:
    """Return the greater of two scalars."""
    return max(x, y) if is_number(x) and is_number(y) else where(x > y, x, y)


def where(condition: Any, x: Scalar, y: Scalar) -> Scalar:
    """Return `x` where the condition holds, else `y`."""
    if isinstance(condition, bool):
        return x if condition else y
    return select(condition, x, y)


def select(condition: Array, x: Any, y: Any) -> Array:
    """Return the elements of `x` where a 0-d array is true, else those of `y`; arrays of one dtype, or numbers."""
    backend = ud.get_backend(condition)
    like = y if is_number(x) else x
    dtype = _dtype(backend, x, y) if is_number(like) else like.dtype
    device = backend.device(condition)
    x, y = (backend.asarray(z, dtype=dtype, device=device) if is_number(z) else z for z in (x, y))
    xp = backend.namespace(condition, x, y)
    return xp.where(condition, xp.astype(x, dtype, copy=False), xp.astype(y, dtype, copy=False))


def _dtype(backend: Any, x: float, y: float) -> Any:
    if isinstance(x, int) and isinstance(y, int):
        return backend.namespace().asarray(0).dtype
    return _widest(backend.namespace())
