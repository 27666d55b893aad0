"""Statistical functions.

Products have no division in their derivatives, so zeros among the factors are nothing special, whatever the order: the
derivative of a product is the product of the other factors, and that of a cumulative product is a linear recurrence.
"""

from __future__ import annotations

import math
from typing import Any

from unidiff.engine.extend import (
    Array,
    Namespace,
    along,
    composite,
    expand_reduced,
    is_complex,
    normalize_axes,
    rule,
    spread_cotangent,
)

Axis = int | tuple[int, ...] | None


def _count(x: Any, axis: Axis) -> int:
    """Return the number of elements that are reduced to one."""
    if axis is None:
        return math.prod(x.shape)
    return math.prod(x.shape[a] for a in normalize_axes(axis, x.ndim))


# --- sums

rule(
    "sum",
    jvp=lambda xp, t, ans, x, **options: xp.sum(t, **options),
    vjp=lambda xp, g, _ans, x, *, axis=None, dtype=None, keepdims=False: spread_cotangent(xp, g, x, axis, keepdims),
)
rule(
    "mean",
    jvp=lambda xp, t, ans, x, **options: xp.mean(t, **options),
    vjp=lambda xp, g, _ans, x, *, axis=None, keepdims=False: spread_cotangent(
        xp, g / max(_count(x, axis), 1), x, axis, keepdims
    ),
)


def _cumulative_sum_pull(
    xp: Namespace, g: Array, ans: Any, x: Any, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    axis = _single_axis(axis, ans)
    if include_initial:
        g = along(g, axis, 1, None)
    return xp.flip(xp.cumulative_sum(xp.flip(g, axis=axis), axis=axis, dtype=g.dtype), axis=axis)


def _single_axis(axis: int | None, ans: Any) -> int:
    """Return the axis of a cumulative function as a non-negative integer; None is for vectors."""
    return 0 if axis is None else axis % ans.ndim


rule("cumulative_sum", jvp=lambda xp, t, ans, x, **options: xp.cumulative_sum(t, **options), vjp=_cumulative_sum_pull)

# --- spread about the mean


def _spread(xp: Namespace, x: Array, axis: Axis, correction: float) -> tuple[Array, float]:
    """Return the deviations from the mean, and the factor that makes their sum of squares a variance."""
    degrees = _count(x, axis) - correction
    return x - xp.mean(x, axis=axis, keepdims=True), 1 / degrees if degrees > 0 else math.nan


def _inner(xp: Namespace, x: Array, t: Array, axis: Axis, keepdims: bool) -> Array:
    """Return the real inner products Re<x, t> along the axes."""
    product = xp.real(xp.conj(x) * t) if is_complex(xp, x) else x * t
    return xp.sum(product, axis=axis, dtype=product.dtype, keepdims=keepdims)


def _var_push(
    xp: Namespace, t: Array, ans: Array, x: Array, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    deviations, factor = _spread(xp, x, axis, correction)
    return 2 * factor * _inner(xp, deviations, t, axis, keepdims)


def _var_pull(
    xp: Namespace, g: Array, ans: Any, x: Array, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    deviations, factor = _spread(xp, x, axis, correction)
    return expand_reduced(xp, 2 * factor * g, x.ndim, axis, keepdims) * deviations


rule("var", jvp=_var_push, vjp=_var_pull, keep=(0,))


def _direction(xp: Namespace, ans: Array, x: Array, axis: Axis, correction: float, keepdims: bool) -> tuple[Array, Array]:
    """Return the deviations, and what to multiply them by for the gradient; 0 where all elements are equal: minimum norm.

    Equality is tested on the elements: the computed deviation of a constant may be a rounding error instead of 0.
    """
    deviations, factor = _spread(xp, x, axis, correction)
    first = x
    for a in normalize_axes(axis, x.ndim):
        first = along(first, a, 0, 1)
    ans = expand_reduced(xp, ans, x.ndim, axis, keepdims)
    constant = xp.logical_and(xp.all(x == first, axis=axis, keepdims=True), xp.isfinite(ans))
    inverse = xp.where(constant, xp.zeros_like(ans), factor / xp.where(constant, xp.ones_like(ans), ans))
    return deviations, inverse


def _std_push(
    xp: Namespace, t: Array, ans: Array, x: Array, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    deviations, inverse = _direction(xp, ans, x, axis, correction, keepdims)
    return xp.reshape(_inner(xp, deviations, t, axis, True) * inverse, ans.shape)


def _std_pull(
    xp: Namespace, g: Array, ans: Array, x: Array, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    deviations, inverse = _direction(xp, ans, x, axis, correction, keepdims)
    return expand_reduced(xp, g, x.ndim, axis, keepdims) * inverse * deviations


rule("std", jvp=_std_push, vjp=_std_pull, keep=(-1, 0))

# --- extrema: minimum norm, which is an equal share for all that attain them


def _ties(xp: Namespace, ans: Array, x: Array, dtype: Any, axis: Axis, keepdims: bool) -> tuple[Array, Array, Array]:
    """Return which elements attain the extremum, how many do, and 0, or NaN where the extremum is NaN."""
    ans = expand_reduced(xp, ans, x.ndim, axis, keepdims)
    attained = x == ans
    count = xp.astype(xp.count_nonzero(attained, axis=axis, keepdims=True), dtype)
    count = xp.where(count == 0, xp.ones_like(count), count)
    rest = xp.where(xp.isnan(ans), xp.full_like(ans, math.nan), xp.zeros_like(ans))
    return attained, count, rest


def _extremum_push(xp: Namespace, t: Array, ans: Array, x: Array, *, axis: Axis = None, keepdims: bool = False) -> Array:
    attained, count, rest = _ties(xp, ans, x, t.dtype, axis, keepdims)
    total = xp.sum(xp.where(attained, t, rest), axis=axis, dtype=t.dtype, keepdims=True)
    return xp.reshape(total / count, ans.shape)


def _extremum_pull(xp: Namespace, g: Array, ans: Array, x: Array, *, axis: Axis = None, keepdims: bool = False) -> Array:
    attained, count, rest = _ties(xp, ans, x, g.dtype, axis, keepdims)
    g = expand_reduced(xp, g, x.ndim, axis, keepdims)
    return xp.where(attained, g / count, rest)


rule("max", jvp=_extremum_push, vjp=_extremum_pull, keep=(-1, 0))
rule("min", jvp=_extremum_push, vjp=_extremum_pull, keep=(-1, 0))

# --- products


def _before(xp: Namespace, x: Array, axis: int) -> Array:
    """Return for each element the product of those before it along the axis."""
    if x.shape[axis] == 0:
        return xp.ones_like(x)
    return xp.cumulative_prod(along(x, axis, None, -1), axis=axis, dtype=x.dtype, include_initial=True)


def _products_of_others(xp: Namespace, x: Array, axis: Axis) -> Array:
    """Return for each element the product of all others along the axes."""
    axes = normalize_axes(axis, x.ndim)
    if not axes:
        return xp.ones_like(x)
    if len(axes) == 1:
        return _others_along(xp, x, axes[0])
    order = tuple(a for a in range(x.ndim) if a not in axes) + axes
    rows = xp.permute_dims(x, order)
    others = _others_along(xp, xp.reshape(rows, (*rows.shape[: x.ndim - len(axes)], _count(x, axes))), x.ndim - len(axes))
    return xp.permute_dims(xp.reshape(others, rows.shape), tuple(order.index(a) for a in range(x.ndim)))


def _others_along(xp: Namespace, x: Array, axis: int) -> Array:
    """Do so along one axis by the tree of products of neighbours, in a number of operations proportional to n."""
    n = x.shape[axis]
    if n < 2:
        return xp.ones_like(x)
    even, odd, rest = _pairs(x, axis)
    others = _others_along(xp, xp.concat([even * odd, rest], axis=axis) if n % 2 else even * odd, axis)
    pairs = along(others, axis, None, n // 2)
    return _interleave(xp, pairs * odd, pairs * even, along(others, axis, n // 2, None), axis)


def _pairs(x: Array, axis: int) -> tuple[Array, Array, Array]:
    """Return the elements at even places, their right neighbours, and the last one if it has none."""
    end = x.shape[axis] // 2 * 2
    before = (slice(None),) * axis
    even, odd = (x[(*before, slice(start, end, 2), Ellipsis)] for start in (0, 1))
    return even, odd, along(x, axis, end, None)


def _interleave(xp: Namespace, even: Array, odd: Array, rest: Array, axis: int) -> Array:
    """Undo `_pairs`."""
    shape = (*even.shape[:axis], 2 * even.shape[axis], *even.shape[axis + 1 :])
    together = xp.reshape(xp.stack([even, odd], axis=axis + 1), shape)
    return xp.concat([together, rest], axis=axis) if rest.shape[axis] else together


composite("_products_of_others", _products_of_others)


def _prod_push(
    xp: Namespace, t: Array, ans: Array, x: Array, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False
) -> Array:
    share = t * xp._products_of_others(_converted(xp, x, dtype), axis)
    return xp.sum(share, axis=axis, dtype=share.dtype, keepdims=keepdims)


def _prod_pull(
    xp: Namespace, g: Array, ans: Any, x: Array, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False
) -> Array:
    others = xp._products_of_others(_converted(xp, x, dtype), axis)
    return expand_reduced(xp, g, x.ndim, axis, keepdims) * _conj(xp, others)


def _converted(xp: Namespace, x: Array, dtype: Any) -> Array:
    return x if dtype is None or x.dtype == dtype else xp.astype(x, dtype)


def _conj(xp: Namespace, x: Array) -> Array:
    return xp.conj(x) if is_complex(xp, x) else x


rule("prod", jvp=_prod_push, vjp=_prod_pull, keep=(0,))


def _cumulative_prod_push(
    xp: Namespace, t: Array, ans: Array, x: Array, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    axis = _single_axis(axis, ans)
    x = xp.reshape(_converted(xp, x, dtype), (1,)) if x.ndim == 0 else _converted(xp, x, dtype)
    out = xp._linear_recurrence(x, t * _before(xp, x, axis), axis=axis)
    if not include_initial:
        return out
    first = along(ans, axis, 0, 1)
    return xp.concat([xp.zeros_like(first, dtype=out.dtype), out], axis=axis)


def _cumulative_prod_pull(
    xp: Namespace, g: Array, ans: Any, x: Array, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    axis = _single_axis(axis, ans)
    if include_initial:
        g = along(g, axis, 1, None)
    x = xp.reshape(_converted(xp, x, dtype), (1,)) if x.ndim == 0 else _converted(xp, x, dtype)
    return _reversed_recurrence(xp, _conj(xp, x), g, axis) * _conj(xp, _before(xp, x, axis))


rule("cumulative_prod", jvp=_cumulative_prod_push, vjp=_cumulative_prod_pull, keep=(0,))


def _linear_recurrence(xp: Namespace, a: Array, b: Array, *, axis: int) -> Array:
    """Return y with y[0] = b[0] and y[i] = a[i] y[i-1] + b[i] along the axis.

    Two steps at a time are a recurrence of half the length, which gives the odd places; one step from each gives the even ones.
    """
    n = b.shape[axis]
    if n < 2:
        return b
    (a_even, a_odd, a_rest), (b_even, b_odd, b_rest) = _pairs(a, axis), _pairs(b, axis)
    odd = xp._linear_recurrence(a_odd * a_even, b_odd + a_odd * b_even, axis=axis)
    later = along(b_even, axis, 1, None) + along(a_even, axis, 1, None) * along(odd, axis, None, -1)
    even = xp.concat([along(b_even, axis, 0, 1), later], axis=axis)
    rest = b_rest + a_rest * along(odd, axis, -1, None) if n % 2 else b_rest
    return _interleave(xp, even, odd, rest, axis)


def _reversed_recurrence(xp: Namespace, a: Array, g: Array, axis: int) -> Array:
    """Return the transpose of `_linear_recurrence` as a map of ``b``: y[i] = g[i] + a[i+1] y[i+1]."""
    n = g.shape[axis]
    if n == 0:
        return g
    shifted = xp.concat([along(a, axis, 0, 1), xp.flip(along(a, axis, 1, None), axis=axis)], axis=axis)
    return xp.flip(xp._linear_recurrence(shifted, xp.flip(g, axis=axis), axis=axis), axis=axis)


def _previous(xp: Namespace, y: Array, axis: int) -> Array:
    """Return y shifted by one along the axis, with 0 in front."""
    return xp.concat([xp.zeros_like(along(y, axis, 0, 1)), along(y, axis, None, -1)], axis=axis)


rule(
    "_linear_recurrence",
    jvp=(
        lambda xp, t, ans, a, b, *, axis: xp._linear_recurrence(a, t * _previous(xp, ans, axis), axis=axis),
        lambda xp, t, ans, a, b, *, axis: xp._linear_recurrence(a, t, axis=axis),
    ),
    vjp=(
        lambda xp, g, ans, a, b, *, axis: _reversed_recurrence(xp, _conj(xp, a), g, axis) * _conj(xp, _previous(xp, ans, axis)),
        lambda xp, g, ans, a, b, *, axis: _reversed_recurrence(xp, _conj(xp, a), g, axis),
    ),
    keep=(-1, 0),
    implementation=_linear_recurrence,
)
