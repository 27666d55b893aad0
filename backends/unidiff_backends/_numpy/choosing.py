"""Elements chosen by conditions and indices, sorted, made distinct, and put in their places."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from unidiff.errors import InPlaceError
from unidiff_backends._numpy.arranging import part
from unidiff_backends._numpy.reductions import flattened
from unidiff_backends._numpy.table import MEANINGS, absent, means

# --- by conditions


@means(np.where)
def _where(xp: Any, condition: Any, *branches: Any) -> Any:
    if not branches:
        return xp.nonzero(condition)
    x, y = branches
    mask = xp.asarray(condition)
    mask = mask if mask.dtype == xp.bool else mask != 0
    x, y = (b if np.ndim(b) == 0 and not hasattr(b, "dtype") else xp.asarray(b) for b in (x, y))
    return xp.where(mask, x, y)


@means(np.clip)
def _clip(xp: Any, a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = (None if absent(bound) else bound for bound in (a_min if absent(min) else min, a_max if absent(max) else max))
    return xp.clip(a, low, high)


@means(np.select)
def _select(xp: Any, condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    choices = [xp.asarray(x) for x in (*choicelist, default)]
    dtype = xp.result_type(*choices[:-1], default if np.ndim(default) == 0 and not hasattr(default, "dtype") else choices[-1])
    out = xp.astype(choices.pop(), dtype)
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        out = xp.where(xp.asarray(condition), xp.astype(choice, dtype), out)
    return out


@means(np.choose)
def _choose(xp: Any, a: Any, choices: Any, mode: str = "raise") -> Any:
    parts = [xp.asarray(c) for c in choices]
    index = np.asarray(a)
    if mode == "raise" and index.size and not 0 <= index.min() <= index.max() < len(parts):
        raise ValueError("invalid entry in choice array")
    index = index % len(parts) if mode == "wrap" else np.clip(index, 0, len(parts) - 1)
    out = parts[0]
    for i, choice in enumerate(parts):
        out = xp.where(xp.asarray(index == i), choice, out)
    return out


@means(np.piecewise)
def _piecewise(xp: Any, x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    x = xp.asarray(x)
    conditions = condlist if (isinstance(condlist, (list, tuple)) and np.ndim(condlist[0])) or (x.ndim == 0 and isinstance(
        condlist, (list, tuple))) else [condlist]  # fmt: skip
    masks = [np.broadcast_to(np.asarray(c), x.shape).astype(bool) for c in conditions]
    if len(funclist) == len(masks) + 1:
        masks.append(~np.any(masks, axis=0))
    if len(funclist) != len(masks):
        raise ValueError(f"with {len(masks)} condition(s), either {len(masks)} or {len(masks) + 1} functions are expected")
    flat = flattened(xp, x)
    out = xp.zeros_like(flat)
    for mask, function in zip(masks, funclist, strict=True):
        key = np.flatnonzero(mask)
        if not key.size:
            continue
        out = xp._setitem(out, function(flat[key], *args, **kw) if callable(function) else function, key)
    return xp.reshape(out, x.shape)


means(np.extract)(lambda xp, condition, arr: flattened(xp, arr)[np.flatnonzero(np.asarray(condition))])


@means(np.compress)
def _compress(xp: Any, condition: Any, a: Any, axis: int | None = None) -> Any:
    x = flattened(xp, a) if axis is None else xp.asarray(a)
    return part(x, 0 if axis is None else axis, np.flatnonzero(np.asarray(condition)))


# --- by indices


@means(np.take)
def _take(xp: Any, a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    x = flattened(xp, a) if axis is None else xp.asarray(a)
    axis = 0 if axis is None else axis
    places = xp.asarray(indices)
    if mode != "raise":
        n = x.shape[axis]
        places = places % n if mode == "wrap" else xp.clip(places, 0, n - 1)
    if places.ndim == 1:
        return xp.take(x, places, axis=axis)
    return part(x, axis, places)


@means(np.take_along_axis)
def _take_along_axis(xp: Any, arr: Any, indices: Any, axis: int | None = -1) -> Any:
    x = flattened(xp, arr) if axis is None else xp.asarray(arr)
    return xp.take_along_axis(x, xp.asarray(indices), axis=0 if axis is None else axis)


@means(np.delete)
def _delete(xp: Any, arr: Any, obj: Any, axis: int | None = None) -> Any:
    x = flattened(xp, arr) if axis is None else arr
    axis = 0 if axis is None else axis
    return part(x, axis, np.delete(np.arange(x.shape[axis]), obj))


@means(np.insert)
def _insert(xp: Any, arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    x = flattened(xp, arr) if axis is None else xp.asarray(arr)
    axis = 0 if axis is None else axis % x.ndim
    values = xp.astype(xp.asarray(values), x.dtype)
    scalar = np.ndim(obj) == 0 and not isinstance(obj, slice)
    if scalar:
        values = xp.reshape(values, (1,) * (x.ndim - values.ndim) + values.shape)
        values = xp.moveaxis(values, 0, axis)
    n = x.shape[axis]
    number = values.shape[axis] if scalar else len(np.arange(n)[obj]) if isinstance(obj, slice) else _count(obj)
    values = xp.broadcast_to(values, (*x.shape[:axis], number, *x.shape[axis + 1 :]))
    order = np.insert(np.arange(n), obj, n + np.arange(number))
    return part(xp.concat([x, values], axis=axis), axis, order)


def _count(obj: Any) -> int:
    index = np.asarray(obj)
    return int(index.sum()) if index.dtype == bool else index.size


# --- sorted


@means(np.sort)
def _sort(xp: Any, a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:  # noqa: ARG001  # any kind has these values
    return xp.sort(flattened(xp, a) if axis is None else a, axis=-1 if axis is None else axis)


@means(np.argsort)
def _argsort(xp: Any, a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:  # noqa: ARG001
    return xp.argsort(flattened(xp, a) if axis is None else a, axis=-1 if axis is None else axis)


@means(np.sort_complex)
def _sort_complex(xp: Any, a: Any) -> Any:
    order = np.argsort(np.asarray(xp._constant(a)), axis=-1, kind="stable")
    return xp.astype(xp.take_along_axis(a, xp.asarray(order), axis=-1), np.result_type(a.dtype, np.complex64))


@means(np.partition)
def _partition(xp: Any, a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Any:  # noqa: ARG001
    x, axis = (flattened(xp, a), -1) if axis is None else (a, axis)
    places = np.argpartition(np.asarray(xp._constant(x)), kth, axis=axis)
    return xp.take_along_axis(x, xp.asarray(places), axis=axis)


# --- distinct elements


@means(np.unique)
def _unique(
    xp: Any, ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None, **options: Any,
) -> Any:  # fmt: skip
    value = np.asarray(xp._constant(ar))
    unique: Any = np.unique  # whose overloads know literal flags only
    found = unique(value, True, return_inverse, return_counts, axis, **options)
    distinct = part(flattened(xp, ar) if axis is None else ar, axis or 0, found[1])
    out = (distinct, *found[1 if return_index else 2 :])
    return out if len(out) > 1 else distinct


means(np.union1d)(lambda xp, ar1, ar2: _unique(xp, _append(xp, ar1, ar2)))


def _append(xp: Any, *arrays: Any) -> Any:
    return xp.concat([flattened(xp, x) for x in arrays])


def _set_operation(operation: Any, xp: Any, ar1: Any, ar2: Any, assume_unique: bool = False, **options: Any) -> Any:
    """Find the result among the elements of the first array and then those of the second."""
    first, second = (np.asarray(xp._constant(xp.asarray(x))) for x in (ar1, ar2))
    found = operation(first, second, assume_unique, **options)
    values, *rest = found if isinstance(found, tuple) else (found,)
    both = np.concatenate([first.ravel(), second.ravel()])
    order = np.argsort(both, kind="stable")
    places = order[np.searchsorted(both, values, sorter=order)]
    chosen = _append(xp, ar1, ar2)[places]
    return (chosen, *rest) if rest else chosen


for _function in (np.intersect1d, np.setdiff1d, np.setxor1d):
    MEANINGS[_function] = partial(_set_operation, _function)

# --- put in place


def _assigns(meaning: Callable[..., None]) -> Callable[..., None]:
    """Let a function that changes its first argument do so where that is traced, and raise where it is a plain array."""

    def assign(xp: Any, a: Any, *args: Any, **options: Any) -> None:
        if isinstance(a, (np.ndarray, np.generic)):
            raise InPlaceError(
                "numpy cannot put traced values into a plain array in place. Make the array inside the differentiated function"
                " with functions of unidiff.array_namespace(x), or use where, concat or stack."
            )
        meaning(xp, a, *args, **options)

    return assign


@means(np.copyto)
@_assigns
def _copyto(xp: Any, dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:  # noqa: ARG001
    src = xp.broadcast_to(xp.astype(xp.asarray(src), dst.dtype), dst.shape)
    dst[...] = src if where is True else xp.where(xp.broadcast_to(xp.asarray(where), dst.shape), src, dst)


@means(np.fill_diagonal)
@_assigns
def _fill_diagonal(xp: Any, a: Any, val: Any, wrap: bool = False) -> None:
    places = np.zeros(a.shape, bool)
    np.fill_diagonal(places, True, wrap=wrap)
    key = np.flatnonzero(places)
    values = flattened(xp, xp.asarray(val))
    _put_flat(xp, a, key, values)


def _put_flat(xp: Any, a: Any, key: Any, values: Any) -> None:
    """Assign to elements by their numbers in row-major order; the values repeat."""
    values = xp.take(xp.astype(values, a.dtype), xp.asarray(np.arange(key.size) % values.shape[0]))
    a[...] = xp.reshape(xp._setitem(flattened(xp, a), values, key), a.shape)


@means(np.put)
@_assigns
def _put(xp: Any, a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    key = np.ravel(np.asarray(ind))
    if mode != "raise":
        key = key % a.size if mode == "wrap" else np.clip(key, 0, a.size - 1)
    _put_flat(xp, a, key, flattened(xp, v))


@means(np.put_along_axis)
@_assigns
def _put_along(xp: Any, arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    places = np.arange(arr.size).reshape(arr.shape)
    where = np.take_along_axis(places.ravel() if axis is None else places, np.asarray(indices), axis or 0)
    values = xp.broadcast_to(xp.asarray(values), where.shape)
    _put_flat(xp, arr, where.ravel(), flattened(xp, values))


@means(np.putmask)
@_assigns
def _putmask(xp: Any, a: Any, /, mask: Any, values: Any) -> None:
    values = xp.astype(flattened(xp, values), a.dtype)
    whole = xp.reshape(xp.take(values, xp.asarray(np.arange(a.size) % values.shape[0])), a.shape)
    a[...] = xp.where(xp.broadcast_to(xp.asarray(mask), a.shape), whole, a)


@means(np.place)
@_assigns
def _place(xp: Any, arr: Any, mask: Any, vals: Any) -> None:
    key = np.flatnonzero(np.broadcast_to(np.asarray(mask), arr.shape))
    if key.size:
        _put_flat(xp, arr, key, flattened(xp, vals))


# --- by functions of parts


@means(np.apply_along_axis)
def _apply_along_axis(xp: Any, func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    axis %= arr.ndim
    shape = (*arr.shape[:axis], *arr.shape[axis + 1 :])
    lanes = xp.reshape(xp.moveaxis(arr, axis, -1), (-1, arr.shape[axis]))
    if not lanes.shape[0]:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    results = [xp.asarray(func1d(lanes[i, :], *args, **kwargs)) for i in range(lanes.shape[0])]
    out = xp.reshape(_joined(xp, results), (*shape, *results[0].shape))
    for i in range(results[0].ndim):  # the axes of a result stand where the one that it came from did
        out = xp.moveaxis(out, len(shape) + i, axis + i)
    return out


def _joined(xp: Any, results: list[Any]) -> Any:
    common = xp.result_type(*results)
    return xp.stack([x if x.dtype == common else xp.astype(x, common) for x in results])


@means(np.apply_over_axes)
def _apply_over_axes(xp: Any, func: Any, a: Any, axes: Any) -> Any:
    for axis in (axes,) if np.ndim(axes) == 0 else axes:
        result = func(a, int(axis))
        a = result if result.ndim == a.ndim else xp.expand_dims(result, axis=int(axis))
        if a.ndim != result.ndim and a.ndim != result.ndim + 1:
            raise ValueError("function is not returning an array of the correct shape")
    return a
