"""Batching rules of indexing, sorting and searching: keys, and indices that differ from slice to slice.

The latter name elements beside the number of their slice: what is gathered by batched indices is gathered from the whole batch
by one more index.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unidiff.engine.extend import BATCHERS, Array, Namespace, TracedConversionError, Unbatchable, align
from unidiff.rules.batching import Flags, shifted, spread

# --- keys


def _batched_key(key: Any) -> tuple[Any, ...]:
    """Return the index with the batch in front; arrays and integers that stand apart would move their axes before it."""
    parts = key if isinstance(key, tuple) else (key,)
    arrays = [i for i, part in enumerate(parts) if isinstance(part, (list, bool)) or hasattr(part, "shape")]
    places = [i for i, part in enumerate(parts) if isinstance(part, int) or i in arrays]
    if arrays and places[-1] - places[0] >= len(places):
        raise Unbatchable
    return (slice(None), *parts)


def _refusable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Evaluate slice by slice where a library does not take a slice beside an integer array, which the standard leaves open."""

    def batcher(*args: Any) -> Any:
        try:
            return function(*args)
        except (IndexError, TypeError) as error:
            raise Unbatchable from error

    return batcher


def _getitem(xp: Namespace, call: Any, flags: Flags, x: Array, key: Any) -> Array:
    if flags[1]:
        raise Unbatchable
    return call(x, _batched_key(key))


def _setitem(xp: Namespace, call: Any, flags: Flags, x: Array, value: Any, key: Any) -> Array:
    if flags[2]:
        raise Unbatchable
    ndim = xp._getitem(x[0, ...] if flags[0] else x, key).ndim
    if not flags[0]:
        x = xp.broadcast_to(x, (value.shape[0], *x.shape))
    if flags[1]:
        value = xp.reshape(value, (value.shape[0], *value.shape[max(value.ndim - ndim, 1) :]))  # assignment drops leading ones
        value = align(xp, value, ndim)
    return call(x, value, _batched_key(key))


def _scatter(xp: Namespace, call: Any, flags: Flags, values: Array, shape: tuple[int, ...], key: Any) -> Array:
    if flags[2]:
        raise Unbatchable
    return call(values, (values.shape[0], *shape), _batched_key(key))


BATCHERS |= {name: _refusable(f) for name, f in (("_getitem", _getitem), ("_setitem", _setitem), ("_scatter", _scatter))}


# --- indices as arguments


def _beside_slices(xp: Namespace, flags: Flags, indices: tuple[Any, ...], size: int) -> tuple[Any, ...]:
    """Return the indices with the number of the slice in front; the batch is the first axis of all that have it."""
    ndim = max(getattr(index, "ndim", 0) - flag for index, flag in zip(indices, flags, strict=True))
    number = xp.reshape(xp.arange(size), (size, *(1,) * ndim))
    return number, *(align(xp, index, ndim) if flag else index for index, flag in zip(indices, flags, strict=True))


def _gather(xp: Namespace, call: Any, flags: Flags, x: Array, *indices: Any) -> Array:
    if flags[0]:
        return call(x, *_beside_slices(xp, flags[1:], indices, x.shape[0]))
    ndim = max(getattr(index, "ndim", 0) - flag for index, flag in zip(indices, flags[1:], strict=True))
    return call(x, *(align(xp, index, ndim) if flag else index for index, flag in zip(indices, flags[1:], strict=True)))


def _scatter_at(xp: Namespace, call: Any, flags: Flags, values: Array, *indices: Any, shape: tuple[int, ...]) -> Array:
    (values, *_) = spread(xp, flags, (values, *indices), only=1)
    size = values.shape[0]
    return call(values, *_beside_slices(xp, flags[1:], indices, size), shape=(size, *shape))


def _assign_at(xp: Namespace, call: Any, flags: Flags, x: Array, values: Array, *indices: Any) -> Array:
    x, values, *_ = spread(xp, flags, (x, values, *indices), only=2)
    return call(x, values, *_beside_slices(xp, flags[2:], indices, x.shape[0]))


BATCHERS |= {"_gather": _gather, "_scatter_at": _scatter_at, "_assign_at": _assign_at}

# --- indices along an axis


def _take(xp: Namespace, call: Any, flags: Flags, x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    axis = 0 if axis is None else axis % (x.ndim - flags[0])
    if not flags[1]:
        return call(x, indices, axis=axis + 1)
    first = xp.moveaxis(x, axis + flags[0], flags[0])
    taken = xp._gather(first, *_beside_slices(xp, (True,), (indices,), x.shape[0])) if flags[0] else xp._gather(first, indices)
    added = tuple(range(1, indices.ndim))
    return xp.moveaxis(taken, added, tuple(a + axis for a in added))


def _take_along_axis(xp: Namespace, call: Any, flags: Flags, x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    x, indices = spread(xp, flags, (x, indices))
    return call(x, indices, axis=shifted(axis, x.ndim - 1))


BATCHERS |= {"take": _take, "take_along_axis": _take_along_axis}

# --- searching


def _precedes(xp: Namespace, a: Array, b: Array) -> Array:
    """Whether a comes before b in sorted order, in which NaN is last."""
    if not xp.isdtype(a.dtype, "real floating"):
        return a < b
    return xp.logical_or(a < b, xp.logical_and(xp.isnan(b), xp.logical_not(xp.isnan(a))))


def _searchsorted(
    xp: Namespace, call: Any, flags: Flags, x1: Array, x2: Array, /, *, side: str = "left", sorter: Any = None
) -> Array:
    """Search all slices at once, by halving the interval where the place of each element is."""
    if not flags[0]:
        return call(x1, x2, side=side, sorter=sorter)
    x1, x2 = spread(xp, flags, (x1, x2))
    if sorter is not None:
        x1 = xp.take_along_axis(x1, xp.broadcast_to(sorter, x1.shape), axis=1)
    size, n = x1.shape
    values = xp.reshape(x2, (size, -1))
    low = xp.zeros_like(values, dtype=xp.__array_namespace_info__().default_dtypes()["indexing"])
    high = low + n
    for _ in range(n.bit_length()):
        middle = (low + high) // 2
        element = xp.take_along_axis(x1, xp.clip(middle, 0, n - 1), axis=1)
        before = _precedes(xp, element, values) if side == "left" else xp.logical_not(_precedes(xp, values, element))
        before = xp.logical_and(before, low < high)
        low, high = xp.where(before, middle + 1, low), xp.where(before, high, middle)
    return xp.reshape(low, x2.shape)


def _isin(xp: Namespace, call: Any, flags: Flags, x1: Any, x2: Array, /, *, invert: bool = False) -> Array:
    if not flags[1]:
        return call(x1, x2, invert=invert)
    x1 = x1 if hasattr(x1, "shape") else xp.asarray(x1, dtype=x2.dtype)
    x1, x2 = spread(xp, flags, (x1, x2))
    choices = xp.sort(xp.reshape(x2, (x2.shape[0], -1)), axis=1)
    values = xp.reshape(x1, (x1.shape[0], -1))
    if choices.shape[1]:
        places = _searchsorted(xp, None, (True, True), choices, values)
        found = xp.take_along_axis(choices, xp.clip(places, 0, choices.shape[1] - 1), axis=1) == values
    else:
        found = xp.zeros_like(values, dtype=xp.bool)
    found = xp.reshape(found, x1.shape)
    return xp.logical_not(found) if invert else found


BATCHERS |= {"searchsorted": _searchsorted, "isin": _isin}


# --- results whose shape depends on values


def _data_dependent(name: str) -> Callable[..., Any]:
    def batcher(*_args: Any, **_options: Any) -> Any:
        raise TracedConversionError(
            f"{name} of an array inside vmap has a shape that depends on values, hence another one for each slice. Use xp.where"
            " or xp.sort, whose shapes do not, or loop over the slices."
        )

    return batcher


BATCHERS |= {name: _data_dependent(name) for name in ("nonzero", "unique_all")}
