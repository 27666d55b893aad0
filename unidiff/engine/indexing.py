"""Indexing on plain arrays, as functions: parts, replaced parts, and sums into parts.

These are the implementations behind ``x[key]``, ``x[key] = y`` and the cotangent of ``x[key]``; their rules are with those of
the standard's indexing functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unidiff._typing import Array, Device
from unidiff.engine.tracing import Library, TracedArray, device_of
from unidiff.errors import DeviceError


def plain_key(key: Any) -> Any:
    """Return an index with the constants in it unwrapped."""
    if isinstance(key, TracedArray):
        array: Any = key  # of the domain's own class, which has the method
        return array._constant("indexing with a traced array x[i]")
    if isinstance(key, tuple):
        return tuple(map(plain_key, key))
    return key


def varies(index: Any) -> bool:
    """Whether an index is an array of integers or booleans whose values are not known, as each slice of a batch has its own."""
    return isinstance(index, TracedArray) and index._trace.level > 0 and index._domain.kind(index.dtype) == "exact"


def is_basic(key: Any) -> bool:
    """Whether an index has only integers, slices and ellipses of Python's own in it, so that it names no element twice."""
    return _BASIC.issuperset(map(type, key)) if type(key) is tuple else type(key) in _BASIC


_BASIC = frozenset({int, slice, type(Ellipsis)})


def makes_copy(key: Any) -> bool:
    """Whether ``x[key]`` is a copy, as it is for masks and integer arrays, and not a view."""
    return any(
        getattr(part, "shape", ()) or isinstance(part, (bool, list)) for part in (key if isinstance(key, tuple) else (key,))
    )


def repeats(library: Library, key: Any) -> bool:
    """Whether an index can name an element twice: only one with integer arrays in it can."""
    parts = key if isinstance(key, tuple) else (key,)
    return any(_is_integer_array(library, part) for part in parts)


def _is_integer_array(library: Library, part: Any) -> bool:
    if _is_array(library, part):
        return part.ndim > 0 and _is_integral(library, part)
    return isinstance(part, list) and not _is_mask(part)


def _is_array(library: Library, x: Any) -> bool:
    return isinstance(x, library.array_types)


def _is_integral(library: Library, x: Array) -> bool:
    return bool(library.xp.isdtype(x.dtype, "integral"))


def _is_mask(part: Any) -> bool:
    """Whether a nested list is a mask."""
    while isinstance(part, list) and part:
        part = part[0]
    return isinstance(part, bool)


def add_at(library: Library, buffer: Array, key: Any, values: Array) -> None:
    """Add the values into a part of the buffer, in place; repeated indices accumulate."""
    if isinstance(key, tuple) and any(part is None for part in key):  # the standard assigns to no new axis
        key = tuple(part for part in key if part is not None)
        values = library.xp.reshape(values, buffer[key].shape)
    elif key is None:
        key, values = ..., library.xp.reshape(values, buffer.shape)
    if library.scatter_add is None:
        key = _numbers(library, key)
    if not repeats(library, key):
        buffer[key] += values
    elif library.scatter_add is not None:
        whole = isinstance(key, tuple) and key[-1] is Ellipsis  # says nothing, and slows libraries down
        library.scatter_add(buffer, key[:-1] if whole else key, values)
    else:
        _add_each(library, buffer, key, values)


def _numbers(library: Library, key: Any) -> Any:
    """Return an index with 0-d integer arrays as Python numbers, since the standard assigns to no others."""
    if isinstance(key, tuple):
        return tuple(_numbers(library, part) for part in key)
    return int(key) if _is_array(library, key) and key.ndim == 0 and _is_integral(library, key) else key


def _add_each(library: Library, buffer: Array, key: Any, values: Array) -> None:
    """Add slice by slice along the broadcast shape of the integer arrays, which the standard's functions suffice for."""
    xp = library.xp
    parts = list(key if isinstance(key, tuple) else (key,))
    places = [i for i, part in enumerate(parts) if isinstance(part, library.array_types)]
    together = xp.broadcast_arrays(*(parts[i] for i in places))
    indices = [xp.reshape(a, (-1,)) for a in together]
    before = sum(isinstance(part, slice) for part in parts[: places[0]])
    after = before + together[0].ndim
    flat = xp.reshape(values, (*values.shape[:before], together[0].size, *values.shape[after:]))
    for k in range(together[0].size):
        for place, index in zip(places, indices, strict=True):
            parts[place] = int(index[k])
        buffer[tuple(parts)] += flat[(*(slice(None),) * before, k, Ellipsis)]


def getitem(library: Library, x: Array, key: Any) -> Array:
    """Return ``x[key]``.

    The standard has integer arrays in an index beside integers only. Rules also put one behind full slices, which ``take``
    means too; libraries that are held to the standard get it as ``take``.
    """
    if library.scatter_add is None and isinstance(key, tuple) and key and key[-1] is Ellipsis:
        places = [i for i, part in enumerate(key) if isinstance(part, library.array_types)]
        if places == [len(key) - 2] and all(isinstance(part, slice) and part == slice(None) for part in key[:-2]):
            return library.xp.take(x, key[-2], axis=places[0])
    return x[key]


def setitem(library: Library, x: Array, value: Any, key: Any) -> Array:
    """Return a copy of ``x`` in which ``x[key]`` is replaced by ``value``."""
    out = library.xp.asarray(x, copy=True)
    out[key] = value
    return out


def scatter(library: Library, values: Array, shape: tuple[int, ...], key: Any) -> Array:
    """Return zeros of the shape into which the values are added at ``key``."""
    out = library.xp.zeros(shape, dtype=values.dtype, device=device_of(values))
    add_at(library, out, plain_key(key), values)
    return out


def to_device(library: Library, x: Array, device: Device) -> Array:
    """Return ``x`` on the device."""
    if library.to_device is not None:
        return library.to_device(x, device)
    if device != library.device_of(x):
        raise DeviceError(f"the backend {library.name!r} has no device {device!r}, only {library.device_of(x)!r}")
    return x


INDEXING: dict[str, Callable[..., Any]] = {
    "_getitem": getitem,
    "_setitem": setitem,
    "_scatter": scatter,
    "_to_device": to_device,
}
