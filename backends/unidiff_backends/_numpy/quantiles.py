"""Order statistics: medians, quantiles and percentiles by every method of NumPy.

A quantile interpolates between two order statistics. An order statistic of tied elements has a kink; the element of minimum
norm of Clarke's generalized gradient there gives each of them an equal share, as for a maximum.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from unidiff.errors import MissingRuleError
from unidiff_backends._numpy.reductions import Axis
from unidiff_backends._numpy.table import MEANINGS, absent, means, missing

_SLOPES: dict[str, Any] = {
    "linear": lambda n: n - 1,
    "interpolated_inverted_cdf": lambda n: n,
    "hazen": lambda n: n,
    "weibull": lambda n: n + 1,
    "median_unbiased": lambda n: n + 1 / 3,
    "normal_unbiased": lambda n: n + 1 / 4,
}
"""How fast the place in the sorted elements moves with ``q``, for the methods that are continuous in it."""


def _of_order(xp: Any, x: Any, k: int) -> Any:
    """Return the element of order ``k`` along the last axis, which tied elements share."""
    attained = x == xp.sort(x, axis=-1)[..., k : k + 1]
    share = xp.astype(attained, x.dtype) / xp.sum(xp.astype(attained, x.dtype), axis=-1, keepdims=True)
    return xp.sum(xp.where(attained, x, xp.zeros_like(x)) * share, axis=-1)  # NaN, which equals nothing: 0 / 0


def _place(n: int, q: Any, method: str) -> np.ndarray[Any, Any]:
    """Return where the quantiles are among ``n`` sorted elements: NumPy's own quantiles of 0, 1, 2, ..."""
    return np.asarray(np.quantile(np.arange(float(n)), q, method=method))  # type: ignore[call-overload]  # checked by NumPy


def _between(xp: Any, x: Any, q: Any, method: str) -> list[Any]:
    """Return the quantiles along the last axis, one array for each element of ``q``."""
    n = x.shape[-1]
    if n == 0:
        return [xp.full_like(xp.sum(x, axis=-1), math.nan) for _ in range(q.shape[0])]
    places = _place(n, _value(xp, q), method)
    out = []
    for i in range(q.shape[0]):
        place = float(places[i])
        low = min(math.floor(place), n - 1)
        weight: Any = place - low
        if method in _SLOPES and _is_traced(q) and (0 < place < n - 1 or method == "linear"):
            low = min(low, max(n - 2, 0))
            weight = place - low + _SLOPES[method](n) * (q[i] - xp._constant(q[i]))
        if isinstance(weight, float) and not weight:
            out.append(_of_order(xp, x, low))
        else:
            below, above = _of_order(xp, x, low), _of_order(xp, x, min(low + 1, n - 1))
            out.append(below + (above - below) * weight)
    return out


def _levels(xp: Any, q: Any) -> Any:
    """Return the levels of quantiles as an array; plain ones stay plain, so that their values are known."""
    parts = np.atleast_1d(np.asarray(q, dtype=object)) if isinstance(q, (list, tuple)) else [q]
    is_plain = all(isinstance(x, (bool, int, float, np.ndarray, np.generic)) for x in parts)
    return np.asarray(q) if is_plain else xp.asarray(q)


def _is_traced(q: Any) -> bool:
    return not isinstance(q, np.ndarray)


def _value(xp: Any, q: Any) -> Any:
    return q if isinstance(q, np.ndarray) else np.asarray(xp._constant(q))


def _lanes(xp: Any, a: Any, axis: Axis) -> tuple[Any, tuple[int, ...]]:
    """Return the array with the elements that are reduced to one along a last axis, and the axes that they came from."""
    axes = tuple(range(a.ndim)) if axis is None else tuple(i % a.ndim for i in ((axis,) if np.ndim(axis) == 0 else axis))  # type: ignore[union-attr]  # a tuple here
    kept = [i for i in range(a.ndim) if i not in axes]
    moved = xp.permute_dims(a, (*kept, *axes))
    return xp.reshape(moved, (*(a.shape[i] for i in kept), math.prod(a.shape[i] for i in axes))), axes


@means(np.quantile)
def _quantile(
    xp: Any, a: Any, q: Any, axis: Axis = None, overwrite_input: bool = False, method: str = "linear",  # noqa: ARG001  # NumPy's
    keepdims: bool = False, *, weights: Any = None, each: Any = _between,
) -> Any:  # fmt: skip
    if weights is not None:
        raise MissingRuleError(missing("quantile with weights"))
    a, q = xp.asarray(a), _levels(xp, q)
    if np.dtype(a.dtype).kind == "c":
        raise TypeError("a must be an array of real numbers")
    if np.dtype(a.dtype).kind in "iub":
        a = xp.astype(a, xp.float64)
    x, axes = _lanes(xp, a, axis)
    flat = q.reshape(-1) if isinstance(q, np.ndarray) else xp.reshape(q, (-1,))
    values = _value(xp, flat)
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError("Quantiles must be in the range [0, 1]")
    out = xp.stack(each(xp, x, flat, method), axis=0)
    kept = tuple(1 if i in axes else n for i, n in enumerate(a.shape)) if keepdims and not absent(keepdims) else out.shape[1:]
    return xp.reshape(out, (*q.shape, *kept))


def _percentile(xp: Any, a: Any, q: Any, *args: Any, each: Any = _between, **options: Any) -> Any:
    return _quantile(xp, a, _levels(xp, q) / 100, *args, each=each, **options)


def median(
    xp: Any, a: Any, axis: Axis = None, overwrite_input: bool = False, keepdims: bool = False, *, each: Any = _between  # noqa: ARG001
) -> Any:  # fmt: skip
    """Return the median."""
    return _quantile(xp, a, 0.5, axis, keepdims=keepdims, each=each)


MEANINGS[np.percentile] = _percentile
MEANINGS[np.median] = median


def _without_nan(xp: Any, x: Any, q: Any, method: str) -> list[Any]:
    """Do as `_between` for lanes of different numbers of elements, those that are not NaN."""
    present = np.asarray(xp.logical_not(xp.isnan(x)))
    lanes = xp.reshape(x, (-1, x.shape[-1]))
    masks = present.reshape(-1, x.shape[-1])
    columns = [_between(xp, lanes[i][np.flatnonzero(mask)], q, method) for i, mask in enumerate(masks)]
    return [xp.reshape(xp.stack(list(row)), x.shape[:-1]) for row in zip(*columns, strict=True)]


for _nan, _meaning in ((np.nanquantile, _quantile), (np.nanpercentile, _percentile), (np.nanmedian, median)):
    MEANINGS[_nan] = partial(_meaning, each=_without_nan)
