"""Norms of vectors and matrices; at a kink their derivative is Clarke's element of minimum norm, so 0 at 0."""

import math
from functools import cache, partial
from typing import Any

import jax.numpy as jnp

from unidiff_backends._jax.decompositions import smooth_svdvals
from unidiff_backends._jax.elementwise import abs, pow, sign
from unidiff_backends._jax.rules import is_complex, is_floating, jit, masked_divide, with_push, with_tangents
from unidiff_backends._jax.statistical import root


def _sum_of_squares(x: Any, **options: Any) -> Any:
    return jnp.sum(jnp.real(x * jnp.conj(x)) if is_complex(x) else x * x, **options)


_root_of_order = with_tangents(
    jnp.pow,  # at 0: minimum norm
    lambda t, ans, total, power: t * masked_divide(power * pow(jnp.where(total == 0, 1, total), power), total),
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


@cache
def _extreme_sum(inner: int, outer: int, smallest: bool) -> Any:
    """Return the extreme over the axis ``outer`` of the sums of magnitudes over the axis ``inner``, both of which remain.

    Where several sums attain it, their gradients are orthogonal to one another, so that the element of minimum norm of their
    convex hull weighs each by the inverse of its squared length.
    """
    reduce = partial(jnp.min, axis=outer, keepdims=True) if smallest else partial(jnp.max, axis=outer, keepdims=True, initial=0)

    def sums(x: Any) -> Any:
        return jnp.sum(jnp.abs(x), axis=inner, keepdims=True)

    def push(t: Any, ans: Any, x: Any) -> Any:
        attained = sums(x) == ans
        length = jnp.sum(x != 0, axis=inner, keepdims=True, dtype=ans.dtype)
        weight = jnp.where(attained, 1 / jnp.where(length == 0, 1, length), 0)
        total = jnp.sum(weight, axis=outer, keepdims=True)  # 0 where the extreme is NaN, and so is the gradient
        at_kink = jnp.any(attained & (length == 0), axis=outer, keepdims=True)
        weight = jnp.where(at_kink, 0, weight / total)
        return jnp.sum(weight * jnp.real(jnp.conj(sign(x)) * t), axis=(-2, -1), keepdims=True)

    return with_push(lambda x: reduce(sums(x)), push)


_OF_SINGULAR_VALUES = {
    "nuc": lambda s: jnp.sum(s, axis=-1),
    2: lambda s: s[..., 0],
    -2: lambda s: s[..., -1],
}


@partial(jit, static_argnames=("keepdims", "ord"))
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """Return a matrix norm; JAX takes NaN or an arbitrary element for the derivatives at 0 and of vanishing singular values."""
    if ord == "fro" and is_floating(x):
        return root(_sum_of_squares(x, axis=(-2, -1), keepdims=keepdims))
    if ord in (1, -1, math.inf, -math.inf) and is_floating(x):
        axes = (-2, -1) if ord in (1, -1) else (-1, -2)
        norm = _extreme_sum(*axes, ord < 0)(x)
        return norm if keepdims else jnp.squeeze(norm, axis=(-2, -1))
    if ord in _OF_SINGULAR_VALUES and x.size:
        norm = _OF_SINGULAR_VALUES[ord](smooth_svdvals(x))
        return norm[..., None, None] if keepdims else norm
    return jnp.linalg.matrix_norm(x, keepdims=keepdims, ord=ord)
