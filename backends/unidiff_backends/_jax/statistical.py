"""Statistical functions whose derivatives ``jax.numpy`` takes differently."""

import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax.numpy as jnp

from unidiff_backends._jax.rules import is_complex, is_floating, jit, masked_divide, with_tangents

root = jit(with_tangents(jnp.sqrt, lambda t, ans, x: masked_divide(t, 2 * ans)))
"""The square root of a sum of squares: where that is 0, the norm it belongs to has a kink with minimum norm 0."""


def _count(x: Any, axis: Any) -> int:
    if axis is None:
        return math.prod(x.shape)
    return math.prod(x.shape[k] for k in (axis if isinstance(axis, tuple) else (axis,)))


def var(x: Any, /, *, axis: Any = None, correction: Any = 0.0, keepdims: bool = False) -> Any:
    """Return the variance; where it is undefined JAX's forward derivative is 0 and its reverse one NaN, here both are NaN."""
    value = jnp.var(x, axis=axis, correction=correction, keepdims=keepdims)
    undefined = isinstance(correction, int | float) and _count(jnp.asarray(x), axis) <= correction
    return value * math.nan if undefined else value


def std(x: Any, /, *, axis: Any = None, correction: Any = 0.0, keepdims: bool = False) -> Any:
    """Return the standard deviation; JAX takes NaN for the derivative at constant data, where the minimum norm is 0."""
    return root(var(x, axis=axis, correction=correction, keepdims=keepdims))


@cache
def _extreme(reduce: Callable[..., Any], axis: Any) -> Callable[..., Any]:
    """Return a maximum or minimum over axes that are kept, with equal shares for tied entries: minimum norm."""

    def value(x: Any) -> Any:
        return reduce(x, axis=axis, keepdims=True)

    def push(t: Any, ans: Any, x: Any) -> Any:
        attains = x == ans
        count = jnp.sum(attains, axis=axis, keepdims=True, dtype=t.dtype)
        share = jnp.where(count == 0, jnp.nan, attains / count)
        return jnp.sum(t * share, axis=axis, keepdims=True)

    return with_tangents(value, push)


@partial(jit, static_argnames=("reduce", "axis", "keepdims"))
def _reduced(x: Any, *, reduce: Callable[..., Any], axis: Any, keepdims: bool) -> Any:
    if not is_floating(x) or is_complex(x):
        return reduce(x, axis=axis, keepdims=keepdims)
    kept = _extreme(reduce, axis)(x)
    return kept if keepdims else jnp.squeeze(kept, axis=axis)


def max(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:  # the array API's name
    """Return the maximum; where the result is NaN JAX's derivative is NaN or, when compiled, 0; here it is NaN."""
    return _reduced(x, reduce=jnp.max, axis=axis, keepdims=keepdims)


def min(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:  # the array API's name
    """Return the minimum; where the result is NaN JAX's derivative is NaN or, when compiled, 0; here it is NaN."""
    return _reduced(x, reduce=jnp.min, axis=axis, keepdims=keepdims)
