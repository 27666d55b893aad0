"""Sums, products, extremes, moments, and their forms that leave NaN out or take a part of the elements only."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from unidiff.errors import MissingRuleError
from unidiff_backends._numpy.table import MEANINGS, absent, means, missing

Axis = int | tuple[int, ...] | None


def flattened(xp: Any, x: Any) -> Any:
    """Return the elements in one axis."""
    return xp.reshape(xp.asarray(x), (-1,))


def only(xp: Any, x: Any, where: Any, fill: Any) -> Any:
    """Return ``x`` with the elements outside of a mask replaced."""
    if absent(where) or where is True:
        return x
    mask = xp.broadcast_to(xp.asarray(where), x.shape)
    return xp.where(mask, x, xp.full_like(x, fill))


def count(xp: Any, x: Any, where: Any, axis: Axis, keepdims: bool) -> Any:
    """Return how many elements are reduced to one: a number, or an array of floats where a mask decides."""
    if absent(where) or where is True:
        axes: Any = range(x.ndim) if axis is None else (axis,) if np.ndim(axis) == 0 else axis
        return math.prod(x.shape[a] for a in axes)
    mask = xp.astype(xp.broadcast_to(xp.asarray(where), x.shape), _real_dtype(x))
    return xp.sum(mask, axis=axis, keepdims=keepdims)


def _real_dtype(x: Any) -> Any:
    return np.empty(0, x.dtype).real.dtype


# --- sums, products, extremes


def _sum(
    xp: Any, a: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    total = xp.sum(only(xp, a, where, 0), axis=axis, dtype=_dtype(dtype), keepdims=keepdims)
    return total if absent(initial) else total + initial


def _prod(
    xp: Any, a: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    product = xp.prod(only(xp, a, where, 1), axis=axis, dtype=_dtype(dtype), keepdims=keepdims)
    return product if absent(initial) else product * initial


def _dtype(dtype: Any) -> Any:
    return None if dtype is None else np.dtype(dtype)


def _extreme(
    name: str, xp: Any, a: Any, axis: Axis = None, *, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Reduce; an initial value is one more element, so that it shares in a tie with the others."""
    worst = -math.inf if name == "max" else math.inf
    chosen = only(xp, a, where, worst)
    if absent(initial):
        return getattr(xp, name)(chosen, axis=axis, keepdims=keepdims)
    if axis is None:
        moved = xp.reshape(chosen, (1, -1))
        axes: tuple[int, ...] = tuple(range(a.ndim))
    else:
        axes = tuple(i % a.ndim for i in ((axis,) if isinstance(axis, int) else axis))
        kept = tuple(n for i, n in enumerate(a.shape) if i not in axes)
        moved = xp.reshape(xp.moveaxis(chosen, axes, tuple(range(-len(axes), 0))), (*kept, -1))
    start = xp.broadcast_to(xp.asarray(initial), (*moved.shape[:-1], 1))
    out = getattr(xp, name)(xp.concat([moved, start], axis=-1), axis=-1)
    shape = tuple(1 if i in axes else n for i, n in enumerate(a.shape) if keepdims or i not in axes)
    return xp.reshape(out, shape)


means(np.sum)(_sum)
means(np.prod)(_prod)
for _name, _functions in {"max": (np.max, np.amax), "min": (np.min, np.amin)}.items():
    for _function in _functions:
        MEANINGS[_function] = partial(_extreme, _name)


def _test(name: str, xp: Any, a: Any, axis: Axis = None, *, keepdims: bool = False, where: Any = True) -> Any:
    mask = xp.logical_not(xp.logical_not(a))
    return getattr(xp, name)(only(xp, mask, where, name == "all"), axis=axis, keepdims=keepdims)


MEANINGS[np.any] = partial(_test, "any")
MEANINGS[np.all] = partial(_test, "all")
for _name in ("argmax", "argmin"):
    MEANINGS[getattr(np, _name)] = partial(
        lambda name, xp, a, axis=None, *, keepdims=False: getattr(xp, name)(a, axis=axis, keepdims=keepdims), _name
    )
means(np.ptp)(lambda xp, a, axis=None, *, keepdims=False: _range(xp, a, axis, keepdims))


def _range(xp: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    return xp.max(a, axis=axis, keepdims=keepdims) - xp.min(a, axis=axis, keepdims=keepdims)


# --- moments


@means(np.mean)
def _mean(xp: Any, a: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False, where: Any = True) -> Any:
    a = a if dtype is None else xp.astype(a, _dtype(dtype))
    if where is True or absent(where):
        return xp.mean(a, axis=axis, keepdims=keepdims)
    return xp.sum(only(xp, a, where, 0), axis=axis, keepdims=keepdims) / count(xp, a, where, axis, keepdims)


def _deviations(xp: Any, a: Any, axis: Axis, dtype: Any, where: Any, mean: Any) -> Any:
    """Return the differences from the mean, 0 outside of the mask."""
    a = a if dtype is None else xp.astype(a, _dtype(dtype))
    center = _mean(xp, a, axis, keepdims=True, where=where) if absent(mean) else mean
    return only(xp, a - center, where, 0)


def _freedom(xp: Any, a: Any, axis: Axis, keepdims: bool, where: Any, ddof: float, correction: Any) -> Any:
    degrees = count(xp, a, where, axis, keepdims) - (ddof if absent(correction) else correction)
    return max(degrees, 0) if isinstance(degrees, (int, float)) else xp.maximum(degrees, xp.zeros_like(degrees))


@means(np.var)
def _var(
    xp: Any, a: Any, axis: Axis = None, dtype: Any = None, *, ddof: float = 0, keepdims: bool = False, where: Any = True,
    mean: Any = None, correction: Any = None,
) -> Any:  # fmt: skip
    if dtype is None and (where is True or absent(where)) and absent(mean) and not _is_complex(a):
        return xp.var(a, axis=axis, correction=ddof if absent(correction) else correction, keepdims=keepdims)
    off = _deviations(xp, a, axis, dtype, where, mean)
    squares = xp.real(xp.conj(off) * off) if _is_complex(off) else off * off
    total = xp.sum(squares, axis=axis, keepdims=keepdims)
    return _divided(xp, total, _freedom(xp, a, axis, keepdims, where, ddof, correction))


@means(np.std)
def _std(
    xp: Any, a: Any, axis: Axis = None, dtype: Any = None, *, ddof: float = 0, keepdims: bool = False, where: Any = True,
    mean: Any = None, correction: Any = None,
) -> Any:  # fmt: skip
    if dtype is None and (where is True or absent(where)) and absent(mean) and not _is_complex(a):
        return xp.std(a, axis=axis, correction=ddof if absent(correction) else correction, keepdims=keepdims)
    off = _deviations(xp, a, axis, dtype, where, mean)
    length = xp.linalg.vector_norm(off, axis=axis, keepdims=keepdims)  # right where all deviations are 0
    degrees = _freedom(xp, a, axis, keepdims, where, ddof, correction)
    return _divided(xp, length, math.sqrt(degrees) if isinstance(degrees, (int, float)) else xp.sqrt(degrees))


def _divided(xp: Any, total: Any, degrees: Any) -> Any:
    return xp.divide(total, xp.asarray(degrees, dtype=total.dtype))


def _is_complex(x: Any) -> bool:
    return bool(np.dtype(x.dtype).kind == "c")


@means(np.average)
def _average(xp: Any, a: Any, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    a = xp.asarray(a)
    if weights is None:
        mean = xp.mean(a, axis=axis, keepdims=keepdims)
        total: Any = float(count(xp, a, True, axis, keepdims))
    else:
        weights = xp.asarray(weights)
        if weights.shape != a.shape:
            weights = _laid_along(xp, a, weights, axis)
        total = xp.sum(weights, axis=axis, keepdims=keepdims)
        if bool(xp.any(total == 0)):
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        mean = xp.sum(a * weights, axis=axis, keepdims=keepdims) / total
    return (mean, xp.broadcast_to(xp.asarray(total, dtype=mean.dtype), mean.shape)) if returned else mean


def _laid_along(xp: Any, a: Any, weights: Any, axis: Axis) -> Any:
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    axes = [i % a.ndim for i in ((axis,) if isinstance(axis, int) else axis)]
    if weights.shape != tuple(a.shape[i] for i in axes):
        raise ValueError("Shape of weights must be consistent with shape of a along specified axis.")
    order = sorted(range(len(axes)), key=axes.__getitem__)
    shape = tuple(n if i in axes else 1 for i, n in enumerate(a.shape))
    return xp.broadcast_to(xp.reshape(xp.permute_dims(weights, tuple(order)), shape), a.shape)


# --- without NaN


def _not_nan(xp: Any, a: Any, where: Any) -> Any:
    present = xp.logical_not(xp.isnan(a))
    return present if where is True or absent(where) else xp.logical_and(present, xp.asarray(where))


def _leaves_nan_out(meaning: Any, xp: Any, a: Any, *args: Any, where: Any = True, **options: Any) -> Any:
    return meaning(xp, a, *args, where=_not_nan(xp, a, where), **options)


for _nan, _meaning in ((np.nansum, _sum), (np.nanprod, _prod), (np.nanmean, _mean), (np.nanvar, _var), (np.nanstd, _std)):
    MEANINGS[_nan] = partial(_leaves_nan_out, _meaning)


def _nan_extreme(name: str, xp: Any, a: Any, axis: Axis = None, *, keepdims: bool = False, **options: Any) -> Any:
    present = _not_nan(xp, a, options.pop("where", True))
    extreme = _extreme(name, xp, a, axis, keepdims=keepdims, where=present, **options)
    empty = xp.logical_not(xp.any(present, axis=axis, keepdims=keepdims))
    return xp.where(empty, xp.full_like(extreme, math.nan), extreme) if absent(options.get("initial")) else extreme


MEANINGS[np.nanmax] = partial(_nan_extreme, "max")
MEANINGS[np.nanmin] = partial(_nan_extreme, "min")


# --- cumulative


def _cumulative(name: str, xp: Any, a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    x = flattened(xp, a) if axis is None else a
    return getattr(xp, name)(x, axis=0 if axis is None else axis, dtype=_dtype(dtype))


def _nan_cumulative(name: str, xp: Any, a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    neutral = 0 if name == "cumulative_sum" else 1
    return _cumulative(name, xp, only(xp, a, _not_nan(xp, a, True), neutral), axis, dtype)


MEANINGS[np.cumsum] = partial(_cumulative, "cumulative_sum")
MEANINGS[np.cumprod] = partial(_cumulative, "cumulative_prod")
MEANINGS[np.nancumsum] = partial(_nan_cumulative, "cumulative_sum")
MEANINGS[np.nancumprod] = partial(_nan_cumulative, "cumulative_prod")


# --- covariance


@means(np.cov)
def _cov(
    xp: Any, m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: float | None = None, fweights: Any = None,
    aweights: Any = None, *, dtype: Any = None,
) -> Any:  # fmt: skip
    x = _variables(xp, m, rowvar)
    if y is not None:
        x = xp.concat([x, _variables(xp, y, rowvar)], axis=0)
    x = x if dtype is None else xp.astype(x, _dtype(dtype))
    ddof = (0 if bias else 1) if ddof is None else ddof
    if fweights is None and aweights is None:
        off, factor = x - xp.mean(x, axis=1, keepdims=True), max(x.shape[1] - ddof, 0)
        return xp.squeeze(xp.matmul(off, _adjoint(xp, off)) / factor if factor else _infinite(xp, off), axis=_ones(x.shape[0]))
    w: Any = 1.0
    for given in (fweights, aweights):
        w = w if given is None else w * xp.asarray(given)
    total = xp.sum(w)
    off = x - xp.expand_dims(xp.sum(x * w, axis=1) / total, axis=1)
    factor = total - ddof * (1.0 if aweights is None else xp.sum(w * xp.asarray(aweights)) / total) if ddof else total
    return xp.squeeze(xp.matmul(off, _adjoint(xp, off * w)) / factor, axis=_ones(x.shape[0]))


def _infinite(xp: Any, off: Any) -> Any:
    return xp.matmul(off, _adjoint(xp, off)) / xp.zeros((), dtype=off.dtype)


def _variables(xp: Any, m: Any, rowvar: bool) -> Any:
    m = xp.asarray(m)
    if m.ndim > 2:
        raise ValueError("m has more than 2 dimensions")
    if m.ndim < 2:
        return xp.reshape(m, (1, -1))
    return m if rowvar or m.shape[0] == 1 else xp.matrix_transpose(m)


def _ones(variables: int) -> tuple[int, ...]:
    return (0, 1) if variables == 1 else ()


def _adjoint(xp: Any, x: Any) -> Any:
    return xp.matrix_transpose(xp.conj(x) if _is_complex(x) else x)


@means(np.corrcoef)
def _corrcoef(xp: Any, x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    c = _cov(xp, x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    deviation = xp.sqrt(xp.real(xp.linalg.diagonal(c)))
    c = c / xp.expand_dims(deviation, axis=1) / xp.expand_dims(deviation, axis=0)
    if _is_complex(c):
        return xp.clip(xp.real(c), -1, 1) + 1j * xp.clip(xp.imag(c), -1, 1)
    return xp.clip(c, -1, 1)


# --- histograms: counts are piecewise constant, weights are summed, edges between given bounds are linear in them


@means(np.histogram_bin_edges)
def _edges(xp: Any, a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:  # noqa: ARG001  # NumPy's names
    if np.ndim(bins) == 1:
        return xp.asarray(bins)
    if isinstance(bins, str):
        raise MissingRuleError(missing(f"histogram_bin_edges with bins={bins!r}"))
    a = xp.asarray(a)
    low, high = (xp.min(a), xp.max(a)) if range is None else range
    if bool(low == high):
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, int(bins) + 1)


@means(np.histogram)
def _histogram(
    xp: Any, a: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None  # NumPy's
) -> Any:  # fmt: skip
    edges, a = _edges(xp, a, bins, range), flattened(xp, a)
    n = edges.shape[0] - 1
    place = xp.searchsorted(edges, a, side="right") - 1
    place = xp.where(a == edges[-1], xp.full_like(place, n - 1), place)
    inside = xp.logical_and(place >= 0, place < n)
    unit = xp.ones(a.shape, dtype=xp.int64) if weights is None else flattened(xp, weights)
    kept = xp.where(inside, unit, xp.zeros_like(unit))
    counts = _added(xp, kept, xp.clip(place, 0, n - 1), n)
    return (counts / xp.diff(edges) / xp.sum(counts), edges) if density else (counts, edges)


def _added(xp: Any, values: Any, places: Any, n: int) -> Any:
    return xp._scatter(values, (n,), (places,))


@means(np.bincount)
def _bincount(xp: Any, x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    places = np.asarray(x)
    if weights is None:
        return np.bincount(places, minlength=minlength)
    n = max(int(np.max(places, initial=-1)) + 1, minlength)
    weights = xp.astype(xp.asarray(weights), xp.float64)
    return _added(xp, weights, places, n)
