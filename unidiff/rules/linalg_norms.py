"""Norms of vectors and matrices.

At 0 every norm has a kink and the gradient of minimum norm is 0. Where several rows, columns or elements attain an extreme
norm, Clarke's generalized gradient is the convex hull of theirs, which are orthogonal to one another, so that the element of
minimum norm weighs each by the inverse of its squared length.
"""

from __future__ import annotations

import math
from typing import Any

from unidiff.engine.extend import (
    BATCHERS,
    ArgumentError,
    Array,
    Namespace,
    composite,
    expand_reduced,
    is_complex,
    normalize_axes,
    rule,
)

Axis = int | tuple[int, ...] | None


def _inner(xp: Namespace, gradient: Array, t: Array, axis: Axis, keepdims: bool) -> Array:
    """Return the real inner products Re<gradient, t> along the axes."""
    product = xp.real(xp.conj(gradient) * t) if is_complex(xp, t) else gradient * t
    return xp.sum(product, axis=axis, dtype=product.dtype, keepdims=keepdims)


# --- extreme sums of magnitudes: the norms of order 1 and infinity of matrices, of order infinity of vectors


def _sums(xp: Namespace, x: Array, inner: tuple[int, ...]) -> Array:
    return xp.sum(xp.abs(x), axis=inner, keepdims=True) if inner else xp.abs(x)


def _extreme_sum(xp: Namespace, x: Array, /, *, inner: tuple[int, ...], outer: tuple[int, ...], smallest: bool) -> Array:
    """Return the extreme over the axes ``outer`` of the sums of magnitudes over the axes ``inner``, which all remain."""
    return (xp.min if smallest else xp.max)(_sums(xp, x, inner), axis=outer, keepdims=True)


def _extreme_gradient(xp: Namespace, ans: Array, x: Array, inner: tuple[int, ...], outer: tuple[int, ...]) -> Array:
    attained = _sums(xp, x, inner) == ans
    length = xp.astype(x != 0, ans.dtype)
    if inner:
        length = xp.sum(length, axis=inner, keepdims=True)
    vanishing = length == 0
    weight = xp.where(attained, 1 / xp.where(vanishing, 1.0, length), 0.0)
    total = xp.sum(weight, axis=outer, keepdims=True)  # 0 where the extreme is NaN, and so is the gradient
    kink = xp.any(xp.logical_and(attained, vanishing), axis=outer, keepdims=True)
    return xp.sign(x) * xp.astype(xp.where(kink, 0.0, weight / total), x.dtype)


rule(
    "linalg._extreme_sum",
    jvp=lambda xp, t, ans, x, /, *, inner, outer, smallest: _inner(
        xp, _extreme_gradient(xp, ans, x, inner, outer), t, inner + outer, True
    ),
    vjp=lambda xp, g, ans, x, /, *, inner, outer, smallest: xp.astype(g, x.dtype) * _extreme_gradient(xp, ans, x, inner, outer),
    keep=(-1, 0),
    implementation=_extreme_sum,
)
BATCHERS["linalg._extreme_sum"] = lambda xp, call, flags, x, **axes: call(x, **axes)  # the axes are negative

# --- vectors


def _vector_gradient(xp: Namespace, ans: Array, x: Array, axis: Axis, keepdims: bool, ord: float) -> Array:
    if ord == 0:
        return xp.zeros_like(x)  # a count
    if ord == 1:
        return xp.sign(x)
    ans = expand_reduced(xp, ans, x.ndim, axis, keepdims)
    if math.isinf(ord):
        return _extreme_gradient(xp, ans, x, (), normalize_axes(axis, x.ndim))
    origin = ans == 0
    unit = xp.where(origin, 0.0, x) / xp.astype(xp.where(origin, 1.0, ans), x.dtype)
    if ord == 2:
        return unit
    if ord > 0 and ord % 2 == 0:  # a polynomial in the elements, so that every derivative exists where one of them is 0
        return unit * (xp.conj(unit) * unit if is_complex(xp, x) else unit * unit) ** (ord // 2 - 1)
    powers = xp.astype(xp.abs(unit) ** (ord - 1), x.dtype)
    return xp.where(origin, 0.0, xp.sign(x) * powers)  # an element 0 and ord < 1: NaN, the one-sided limits differ


def _vector_push(
    xp: Namespace, t: Array, ans: Array, x: Array, /, *, axis: Axis = None, keepdims: bool = False, ord: float = 2
) -> Array:
    return _inner(xp, _vector_gradient(xp, ans, x, axis, keepdims, ord), t, axis, keepdims)


def _vector_pull(
    xp: Namespace, g: Array, ans: Array, x: Array, /, *, axis: Axis = None, keepdims: bool = False, ord: float = 2
) -> Array:
    gradient = _vector_gradient(xp, ans, x, axis, keepdims, ord)
    return xp.astype(expand_reduced(xp, g, x.ndim, axis, keepdims), x.dtype) * gradient


rule("linalg.vector_norm", jvp=_vector_push, vjp=_vector_pull, keep=(-1, 0))

# --- matrices


_OF_SINGULAR_VALUES = {"nuc": "sum", 2: "max", -2: "min"}


def _matrix_norm(xp: Namespace, x: Array, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """Return the norm by vector norms or singular values, whose derivatives are right where they vanish or coincide."""
    if ord is None or ord == "fro":
        return xp.linalg.vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord in (1, -1, math.inf, -math.inf):
        inner, outer = ((-2,), (-1,)) if abs(ord) == 1 else ((-1,), (-2,))
        norm = xp.linalg._extreme_sum(x, inner=inner, outer=outer, smallest=ord < 0)
        return norm if keepdims else norm[..., 0, 0]
    if ord not in _OF_SINGULAR_VALUES:
        raise ArgumentError(f"matrix_norm: ord must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, not {ord!r}")
    norm = getattr(xp, _OF_SINGULAR_VALUES[ord])(xp.linalg._smooth_svd(x)[1], axis=-1)
    return norm[..., None, None] if keepdims else norm


composite("linalg.matrix_norm", _matrix_norm)
