"""Indexing on plain arrays, as functions: parts, replaced parts, and sums into parts.

These are the implementations behind ``x[key]``, ``x[key] = y`` and the cotangent of ``x[key]``; their rules are with those of
the standard's indexing functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unidiff._typing import Array, Device
from unidiff.engine.tracing import Library
from unidiff.errors import DeviceError


def repeats(library: Library, key: Any) -> bool:
    """Whether an index can name an element twice: only one with integer arrays in it can."""
    parts = key if isinstance(key, tuple) else (key,)
    return any(isinstance(part, (list, *library.array_types)) and not _is_mask(library, part) for part in parts)


def _is_mask(library: Library, part: Any) -> bool:
    return hasattr(part, "dtype") and bool(library.xp.isdtype(part.dtype, "bool"))


def add_at(library: Library, buffer: Array, key: Any, values: Array) -> None:
    """Add the values into a part of the buffer, in place; repeated indices accumulate."""
    if isinstance(key, tuple) and any(part is None for part in key):  # the standard assigns to no new axis
        key = tuple(part for part in key if part is not None)
        values = library.xp.reshape(values, buffer[key].shape)
    elif key is None:
        key, values = ..., library.xp.reshape(values, buffer.shape)
    if not repeats(library, key):
        buffer[key] += values
    elif library.scatter_add is not None:
        library.scatter_add(buffer, key, values)
    else:
        _add_each(library, buffer, key, values)


def _add_each(library: Library, buffer: Array, key: Any, values: Array) -> None:
    """Add slice by slice along the broadcast shape of the integer arrays, which the standard's functions suffice for."""
    xp = library.xp
    parts = key if isinstance(key, tuple) else (key,)
    places = [i for i, part in enumerate(parts) if isinstance(part, library.array_types)]
    indices = [xp.reshape(a, (-1,)) for a in xp.broadcast_arrays(*(parts[i] for i in places))]
    count = indices[0].shape[0]
    before = places[0]
    after = values.shape[before + len(xp.broadcast_arrays(*(parts[i] for i in places))[0].shape) :]
    flat = xp.reshape(values, (*values.shape[:before], count, *after))
    for k in range(count):
        single = list(parts)
        for place, index in zip(places, indices, strict=True):
            single[place] = int(index[k])
        buffer[tuple(single)] += flat[(slice(None),) * before + (k,)]


def getitem(_library: Library, x: Array, key: Any) -> Array:
    """Return ``x[key]``."""
    return x[key]


def setitem(library: Library, x: Array, value: Any, key: Any) -> Array:
    """Return a copy of ``x`` in which ``x[key]`` is replaced by ``value``."""
    out = library.xp.asarray(x, copy=True)
    out[key] = value
    return out


def scatter(library: Library, values: Array, shape: tuple[int, ...], key: Any) -> Array:
    """Return zeros of the shape into which the values are added at ``key``."""
    out = library.xp.zeros(shape, dtype=values.dtype, device=values.device)
    add_at(library, out, key, values)
    return out


def to_device(library: Library, x: Array, device: Device) -> Array:
    """Return ``x`` on the device."""
    if library.to_device is not None:
        return library.to_device(x, device)
    if device != x.device:
        raise DeviceError(f"the backend {library.name!r} has no device {device!r}, only {x.device!r}")
    return x


INDEXING: dict[str, Callable[..., Any]] = {"_getitem": getitem, "_setitem": setitem, "_scatter": scatter, "_to_device": to_device}
