"""Statistical functions whose derivatives ``jax.numpy`` takes differently."""

import math
from typing import Any

import jax.numpy as jnp

from unidiff_backends._jax.rules import jit, masked_divide, with_tangents

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
