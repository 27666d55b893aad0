"""Indexing with integer arrays that are arguments, as they are where each slice of a batch has its own.

``x[key]`` and ``x[key] = value`` with such an array anywhere in the key are taken apart into slicing, transposition, and
three functions of the namespace that index the leading axes with one array each::

    _gather(x, *indices) -> x[indices]
    _scatter_at(values, *indices, shape=...) -> zeros of the shape into which the values are added at indices
    _assign_at(x, values, *indices) -> x in which x[indices] is replaced by the values

Their rules are with those of the standard's indexing functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from unidiff._typing import Array, Namespace
from unidiff.engine.indexing import add_at, plain_key, varies
from unidiff.engine.tracing import Library, TracedArray, device_of
from unidiff.errors import TracedConversionError

MASK = (
    "x[mask] with a mask whose values are not known, as inside vmap, has a shape that depends on them. Use"
    " xp.where(mask, x, 0), or unidiff.special.apply_where for functions that are not defined everywhere."
)


def has_varying(key: Any) -> bool:
    """Whether an index is, or has in it, an array whose values are not known."""
    return varies(key) or (type(key) is tuple and any(map(varies, key)))


def is_mask(x: Any) -> bool:
    """Whether an array is one of booleans."""
    return bool(x._domain.library.xp.isdtype(x.dtype, "bool"))


class _Parts:
    """A key taken apart: what slicing does, then which axes the arrays index."""

    def __init__(self, xp: Namespace, shape: Sequence[int], key: Any) -> None:
        parts = [part if varies(part) else plain_key(part) for part in (key if isinstance(key, tuple) else (key,))]
        if any(varies(part) and is_mask(part) for part in parts):
            raise TracedConversionError(MASK)
        parts = [array for part in parts for array in _as_integers(xp, part)]
        missing = len(shape) - sum(part is not None and part is not Ellipsis for part in parts)
        where = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
        parts[where : where + 1] = [slice(None)] * missing
        self.indices = [part for part in parts if _is_array(part)]
        self.basic = tuple(slice(None) if _is_array(part) else part for part in parts)
        self.slices = any(part is None or part != slice(None) for part in self.basic)
        self.axes = [i for i, part in enumerate(parts) if _is_array(part)]
        self.shape = xp.broadcast_shapes(*(getattr(index, "shape", ()) for index in self.indices))
        # Arrays side by side put their axes where they are; arrays that stand apart put them first.
        first, last = self.axes[0], self.axes[-1]
        self.place = first if last - first == len(self.axes) - 1 else 0

    def front(self, xp: Namespace, x: Array) -> Array:
        """Bring the indexed axes to the front."""
        order = (*self.axes, *(a for a in range(x.ndim) if a not in self.axes))
        return x if order == tuple(range(x.ndim)) else xp.permute_dims(x, order)

    def back(self, xp: Namespace, x: Array) -> Array:
        """Undo `front`."""
        order = (*self.axes, *(a for a in range(x.ndim) if a not in self.axes))
        return x if order == tuple(range(x.ndim)) else xp.permute_dims(x, tuple(map(order.index, range(x.ndim))))

    def moved(self, xp: Namespace, part: Array, *, inward: bool) -> Array:
        """Bring the axes of the index arrays from the front to their place in the part, or from there to the front."""
        ndim = len(self.shape)
        front, there = tuple(range(ndim)), tuple(range(self.place, self.place + ndim))
        if front == there:
            return part
        return xp.moveaxis(part, front, there) if inward else xp.moveaxis(part, there, front)


def _is_array(part: Any) -> bool:
    return not isinstance(part, slice) and part is not None and part is not Ellipsis


def _as_integers(xp: Namespace, part: Any) -> Sequence[Any]:
    """Return a part of a key, a list as an array and a mask as the integer arrays that mean the same."""
    if isinstance(part, list):
        part = xp.asarray(part)
    if not isinstance(part, TracedArray) and hasattr(part, "dtype") and xp.isdtype(part.dtype, "bool"):
        return list(xp.nonzero(part))
    return (part,)


def varying_part(xp: Namespace, x: Array, key: Any) -> Array:
    """Return ``x[key]``."""
    parts = _Parts(xp, x.shape, key)
    whole = x[parts.basic] if parts.slices else x
    return parts.moved(xp, xp._gather(parts.front(xp, whole), *parts.indices), inward=True)


def with_varying_part(xp: Namespace, x: Array, value: Any, key: Any) -> Array:
    """Return a copy of ``x`` in which ``x[key]`` is replaced by the value."""
    mask = key[0] if isinstance(key, tuple) and len(key) == 1 else key
    value = value if hasattr(value, "shape") else xp.asarray(value, dtype=x.dtype, device=device_of(x))
    if varies(mask) and is_mask(mask):
        return _where(xp, x, value, mask)
    parts = _Parts(xp, x.shape, key)
    whole = x[parts.basic] if parts.slices else x
    rest = parts.front(xp, whole).shape[len(parts.indices) :]
    shape = (*rest[: parts.place], *parts.shape, *rest[parts.place :])
    value = xp.broadcast_to(xp.reshape(value, value.shape[max(value.ndim - len(shape), 0) :]), shape)
    value = value if value.dtype == x.dtype else xp.astype(value, x.dtype)
    changed = xp._assign_at(parts.front(xp, whole), parts.moved(xp, value, inward=False), *parts.indices)
    changed = parts.back(xp, changed)
    return xp._setitem(x, changed, parts.basic) if parts.slices else changed


def _where(xp: Namespace, x: Array, value: Array, mask: Array) -> Array:
    """Replace the masked elements by a value that is not a list of as many: that number is not known."""
    free = x.ndim - mask.ndim
    if value.ndim > free:
        raise TracedConversionError(
            "x[mask] = value with a mask whose values are not known, as inside vmap, takes a value for every element, not as"
            " many as the mask has true elements. Use x = xp.where(mask, value, x)."
        )
    chosen = xp.where(xp.reshape(mask, (*mask.shape, *(1,) * free)), value, x)
    return chosen if chosen.dtype == x.dtype else xp.astype(chosen, x.dtype)


# --- on plain arrays


def _numbered(library: Library, shape: Sequence[int], indices: Sequence[Any]) -> Array:
    """Return the numbers, in row-major order, of the elements that indices of all axes of an array name."""
    number: Any = 0
    for length, index in zip(shape, indices, strict=True):
        number = number * length + library.xp.where(index < 0, index + length, index)
    return number


def gather(library: Library, x: Array, *indices: Any) -> Array:
    """Return ``x[indices]``; libraries that are held to the standard get it as ``take``."""
    if library.scatter_add is not None:
        return x[indices]
    xp, count = library.xp, len(indices)
    number = _numbered(library, x.shape[:count], [_whole(xp, index, x) for index in indices])
    flat = xp.take(xp.reshape(x, (-1, *x.shape[count:])), xp.reshape(number, (-1,)), axis=0)
    return xp.reshape(flat, (*number.shape, *x.shape[count:]))


def _whole(xp: Namespace, index: Any, x: Array) -> Array:
    return index if hasattr(index, "shape") else xp.asarray(index, dtype=xp.int64, device=device_of(x))


def scatter_at(library: Library, values: Array, *indices: Any, shape: tuple[int, ...]) -> Array:
    """Return zeros of the shape into which the values are added at ``indices``; repeated ones accumulate."""
    out = library.xp.zeros(shape, dtype=values.dtype, device=device_of(values))
    add_at(library, out, indices, values)
    return out


def assign_at(library: Library, x: Array, values: Array, *indices: Any) -> Array:
    """Return a copy of ``x`` in which ``x[indices]`` is replaced by the values."""
    out = library.xp.asarray(x, copy=True)
    out[indices] = values
    return out


GATHERING: dict[str, Callable[..., Any]] = {"_gather": gather, "_scatter_at": scatter_at, "_assign_at": assign_at}
