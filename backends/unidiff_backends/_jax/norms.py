"""Norms of vectors and matrices; at a kink their derivative is Clarke's element of minimum norm, so 0 at 0."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from unidiff_backends._jax.elementwise import abs, pow
from unidiff_backends._jax.rules import is_complex, is_floating, jit, masked_divide, with_tangents
from unidiff_backends._jax.statistical import root


def _sum_of_squares(x: Any, **options: Any) -> Any:
    return jnp.sum(jnp.real(x * jnp.conj(x)) if is_complex(x) else x * x, **options)


_root_of_order = with_tangents(
    jnp.pow,  # at 0: minimum norm
    lambda t, ans, total, power: t * masked_divide(power * pow(jnp.where(total == 0, 1, total), power), total),
    lambda t, ans, total, power: jnp.zeros_like(ans),  # the order is a constant
)


@partial(jit, static_argnames=("axis", "keepdims", "ord"))
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """Return a vector norm; JAX takes NaN, 1 or 1/(2n) for the derivatives at 0, where the minimum norm is 0."""
    options = {"axis": axis, "keepdims": keepdims}
    if not is_floating(x) or ord == 0 or isinstance(ord, str):
        return jnp.linalg.vector_norm(x, ord=ord, **options)
    if ord == 2:
        return root(_sum_of_squares(x, **options))
    magnitudes = abs(x)
    if ord == math.inf:
        return jnp.max(magnitudes, initial=0, **options)
    if ord == -math.inf:
        return jnp.min(magnitudes, **options)
    if ord == 1:
        return jnp.sum(magnitudes, **options)
    order = jnp.asarray(ord, dtype=magnitudes.dtype)
    return _root_of_order(jnp.sum(pow(magnitudes, order), **options), 1 / order)


_ORDERS = ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)


@partial(jit, static_argnames=("keepdims", "ord"))
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """Return a matrix norm; JAX takes NaN or an arbitrary element for the derivatives at 0 and of vanishing singular values."""
    if not is_floating(x) or ord not in _ORDERS:
        return jnp.linalg.matrix_norm(x, keepdims=keepdims, ord=ord)
    if ord == "fro":
        return root(_sum_of_squares(x, axis=(-2, -1), keepdims=keepdims))
    if ord in (1, -1, math.inf, -math.inf):
        summed, extreme = (-2, -1) if ord in (1, -1) else (-1, -2)
        sums = jnp.sum(abs(x), axis=summed, keepdims=True)
        norm = jnp.max(sums, axis=extreme, keepdims=True, initial=0) if ord > 0 else jnp.min(sums, axis=extreme, keepdims=True)
        return norm if keepdims else jnp.squeeze(norm, axis=(-2, -1))
    norm = _spectral_norm(x, ord)
    return norm[..., None, None] if keepdims else norm


def _spectral_norm(x: Any, ord: Any) -> Any:
    """Return the sum, the greatest or the least singular value.

    A singular value that vanishes within rounding is a kink with minimum norm 0, and one that is repeated k times has its
    eigenprojection over k for its derivative.
    """
    s = jnp.linalg.svdvals(x)
    values = jax.lax.stop_gradient(s)
    tolerance = jnp.max(values, axis=-1, keepdims=True, initial=0) * (max(x.shape[-2:]) * jnp.finfo(s.dtype).eps)
    s = jnp.where(values > tolerance, s, values)
    if ord == "nuc":
        return jnp.sum(s, axis=-1)
    if ord == 2:
        tied = values >= jnp.max(values, axis=-1, keepdims=True, initial=0) - tolerance
    else:
        tied = values <= jnp.min(values, axis=-1, keepdims=True) + tolerance
    return masked_divide(jnp.sum(jnp.where(tied, s, 0), axis=-1), jnp.sum(tied, axis=-1, dtype=s.dtype))
