"""Functions that keep chunks, and stay lazy, where Dask's own do not."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any

import array_api_compat.dask.array as xp
import dask
import dask.array as da
import numpy as np
from dask.array.core import normalize_chunks

from unidiff.errors import UnsupportedOperationError
from unidiff_backends._dask.blocks import FFT, LINALG, take_along_axis
from unidiff_backends.scipy_special import special_functions


def known_shape(shape: Any) -> tuple[int, ...]:
    """Return a shape, or raise where a length is not known before the array is computed."""
    known: tuple[int, ...] = tuple(shape)
    if any(isinstance(n, float) and math.isnan(n) for n in known):
        raise UnsupportedOperationError(
            "a derivative needs the lengths of the chunks, which are not known for this array: call x.compute_chunk_sizes(), "
            "or select with xp.where instead of x[mask]."
        )
    return known


def broadcast_to(x: Any, /, shape: Any) -> Any:
    """Return ``x`` repeated along new axes, which get chunks of the usual size; Dask makes one chunk of each.

    Lengths that are not known are taken for equal, as Dask takes them in its operations of two arrays.
    """
    x = x if isinstance(x, da.Array) else da.asarray(x)
    if np.array_equal(x.shape, shape, equal_nan=True):
        return x
    shape = known_shape(shape)
    if 0 in shape:
        return da.broadcast_to(x, shape)
    known_shape(x.shape)
    kept = (None,) * (len(shape) - x.ndim) + tuple(
        chunks if n == length else None
        for chunks, n, length in zip(x.chunks, x.shape, shape[len(shape) - x.ndim :], strict=True)
    )
    chunks = normalize_chunks(tuple("auto" if c is None else c for c in kept), shape, dtype=x.dtype)
    return da.broadcast_to(x, shape, chunks=chunks)


def getitem(x: Any, key: Any) -> Any:
    """Return ``x[key]``; several index arrays, or one with several axes, need ``x`` as a whole."""
    parts = key if isinstance(key, tuple) else (key,)
    arrays = [part for part in parts if _is_array(part) and part.dtype != bool]
    if not arrays or (len(arrays) == 1 and arrays[0].ndim == 1):
        with warnings.catch_warnings():  # Dask makes an array of places of the dtype of x, and warns where that is complex
            warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
            return x[key]
    like = np.broadcast_to(np.zeros((), x.dtype), known_shape(x.shape))
    shape = like[_with(parts, [np.zeros(part.shape, part.dtype) for part in arrays])].shape
    return _of_whole(lambda x, *found: x[_with(parts, found)], shape, x.dtype, x, *arrays)


def scatter(values: Any, shape: tuple[int, ...], key: Any) -> Any:
    """Return zeros of the shape into which the values are added at ``key``: padding where that has slices and integers."""
    shape, key = known_shape(shape), key if isinstance(key, tuple) else (key,)
    if 0 in values.shape:
        return da.zeros(shape, dtype=values.dtype)
    arrays = [part for part in key if _is_array(part)]
    steps = [part.step for part in key if isinstance(part, slice)]
    if arrays or not {None, 1, -1}.issuperset(steps):
        return _of_whole(lambda g, *found: _add_at(g, shape, _with(key, found)), shape, values.dtype, values, *arrays)
    index: list[Any] = []
    widths = []
    lengths = iter(shape)
    for part in _spread_ellipsis(key, len(shape)):
        if part is None:
            index.append(0)
            continue
        n = next(lengths)
        if not isinstance(part, slice):
            place = int(part) % n
            widths.append((place, n - place - 1))
            index.append(None)
            continue
        start, stop, step = part.indices(n)
        count = len(range(start, stop, step))
        first = (start if step > 0 else start - count + 1) if count else 0
        widths.append((first, n - first - count))
        index.append(slice(None, None, step))
    part = values[tuple(index)] if index else values
    return da.pad(part, widths, mode="constant") if any(w != (0, 0) for w in widths) else part


def _spread_ellipsis(key: tuple[Any, ...], ndim: int) -> list[Any]:
    """Return an index with an entry for every axis."""
    at = next((k for k, part in enumerate(key) if part is Ellipsis), len(key))
    missing = ndim - sum(part is not None and part is not Ellipsis for part in key)
    return [*key[:at], *[slice(None)] * missing, *key[at + 1 :]]


def setitem(x: Any, value: Any, key: Any) -> Any:
    """Return a copy of ``x`` in which ``x[key]`` is replaced by the value."""
    parts = key if isinstance(key, tuple) else (key,)
    arrays = [part for part in parts if _is_array(part) and part.dtype != bool]
    if not arrays:
        out = x.copy()
        out[key] = value
        return out
    value = value if isinstance(value, da.Array) else da.asarray(value)

    def assigned(x: Any, value: Any, *found: Any) -> Any:
        out = x.copy()
        out[_with(parts, found)] = value
        return out

    return _of_whole(assigned, known_shape(x.shape), x.dtype, x, value, *arrays)


def gather(x: Any, *indices: Any) -> Any:
    """Return ``x[indices]``."""
    return getitem(x, indices)


def scatter_at(values: Any, *indices: Any, shape: tuple[int, ...]) -> Any:
    """Return zeros of the shape into which the values are added at ``indices``; repeated ones accumulate."""
    return scatter(values, shape, indices)


def assign_at(x: Any, values: Any, *indices: Any) -> Any:
    """Return a copy of ``x`` in which ``x[indices]`` is replaced by the values."""
    return setitem(x, values, indices)


def _is_array(part: Any) -> bool:
    return isinstance(part, (da.Array, np.ndarray))


def _with(key: tuple[Any, ...], parts: Any) -> tuple[Any, ...]:
    """Return a key with computed arrays in the place of lazy ones."""
    given = iter(parts)
    return tuple(next(given) if _is_array(part) and part.dtype != bool else part for part in key)


def _add_at(g: Any, shape: tuple[int, ...], key: Any) -> Any:
    out = np.zeros(shape, g.dtype)
    if any(part is None for part in key):
        key = tuple(part for part in key if part is not None)
        g = g.reshape(out[key].shape)
    np.add.at(out, key, g)
    return out


def _of_whole(function: Callable[..., Any], shape: tuple[int, ...], dtype: Any, *args: Any) -> Any:
    """Return a function of whole arrays as one task with one chunk, for what cannot be done chunk by chunk."""
    return da.from_delayed(dask.delayed(function, pure=False)(*args), shape, dtype=dtype)


def _by_element(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: da.core.elemwise(function, *args)


def repeat(x: Any, repeats: Any, /, *, axis: int | None = None) -> Any:
    """Return ``x`` with its elements repeated."""
    if not isinstance(repeats, int):
        return take(x, np.repeat(np.arange(x.shape[axis or 0]), np.asarray(repeats)), axis=axis or 0)
    return da.repeat(da.reshape(x, (-1,)), repeats, axis=0) if axis is None else da.repeat(x, repeats, axis=axis)


def _extreme(name: str) -> Callable[..., Any]:
    """Return ``max`` or ``min`` such that one of no rows is an array of no elements, as in NumPy; Dask looks for elements."""
    reduce = getattr(da, name)

    @wraps(reduce)
    def function(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
        if 0 in x.shape:
            like = getattr(np, name)(np.zeros(x.shape, x.dtype), axis=axis, keepdims=keepdims)
            return da.from_array(like)
        return reduce(x, axis=axis, keepdims=keepdims)

    return function


def _triangle(below: bool) -> Callable[..., Any]:
    """Return ``tril`` or ``triu`` in the chunks of the array; Dask's makes its mask in the dtype of the array, and warns."""

    def triangle(x: Any, /, *, k: int = 0) -> Any:
        rows, columns = (da.arange(n, chunks=(chunks,)) for n, chunks in zip(x.shape[-2:], x.chunks[-2:], strict=True))
        distance = columns - rows[:, None]
        return da.where(distance <= k if below else distance >= k, x, np.zeros((), x.dtype))

    return triangle


def reshape(x: Any, /, shape: Any, *, copy: bool | None = None) -> Any:
    """Return ``x`` in another shape; Dask looks for the blocks of what has no element."""
    if 0 in x.shape:
        return da.zeros(np.empty(x.shape).reshape(shape).shape, dtype=x.dtype)
    return xp.reshape(x, shape, copy=copy)


def take(x: Any, indices: Any, /, *, axis: int | None = None) -> Any:
    """Return the parts of ``x`` that the indices name along an axis."""
    axis = 0 if axis is None else axis % x.ndim
    return getitem(x, (slice(None),) * axis + (indices,))


def from_dlpack(x: Any, /, **_options: Any) -> Any:
    """Return another library's array as one of Dask."""
    return x if isinstance(x, da.Array) else da.from_array(np.from_dlpack(x))


NATIVES: dict[str, Callable[..., Any]] = {
    "broadcast_shapes": np.broadcast_shapes,
    "from_dlpack": from_dlpack,
    "repeat": repeat,
    "reshape": reshape,
    "take": take,
    "broadcast_to": broadcast_to,
    "take_along_axis": take_along_axis,
    "tril": _triangle(below=True),
    "triu": _triangle(below=False),
    "_assign_at": assign_at,
    "_gather": gather,
    "_getitem": getitem,
    "_scatter": scatter,
    "_scatter_at": scatter_at,
    "_setitem": setitem,
    **{name: _by_element(function) for name, function in special_functions().items()},
    **{name: _extreme(name) for name in ("max", "min")},
    **LINALG,
    **FFT,
}
