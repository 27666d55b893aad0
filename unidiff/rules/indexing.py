"""Indexing: parts of an array, replaced parts, and the sums into parts that pull parts back."""

from __future__ import annotations

from typing import Any

from unidiff.engine.extend import Array, Namespace, device_of, part_cotangent, plain_key, rule, varies

rule(
    "_getitem",
    jvp=lambda xp, t, ans, x, key: xp._getitem(t, key),
    vjp=lambda xp, g, _ans, x, key: part_cotangent(x.shape, key, g),
    keep=(1,),
)
rule(
    "_scatter",
    jvp=lambda xp, t, ans, values, shape, key: xp._scatter(t, shape, key),
    vjp=lambda xp, g, _ans, values, shape, key: xp._getitem(g, key),
    keep=(1, 2),
)

# --- item assignment


def _assigned_part(xp: Namespace, g: Array, shape: tuple[int, ...], value: Any, key: Any) -> Array:
    """Return the part of ``g`` at ``key``, with 0 for elements that a later one of the same place overwrote."""
    part = xp._getitem(g, key)
    indices = key if isinstance(key, tuple) else (key,)
    if not any(isinstance(index, list) or _has_dtype(xp, index, "integral") for index in indices):
        return part
    turns = xp.reshape(xp.arange(part.size, device=device_of(part)), part.shape)
    last = xp._setitem(xp.zeros(shape, dtype=turns.dtype, device=device_of(part)), turns, key)
    return xp.where(xp._getitem(last, key) == turns, part, xp.zeros_like(part))


def _with_leading_axes(xp: Namespace, part: Array, ndim: int) -> Array:
    """Give the part the axes of length 1 back that assignment drops from a value with more axes."""
    missing = ndim - len(part.shape)
    return xp.reshape(part, (1,) * missing + tuple(part.shape)) if missing > 0 else part


def _has_dtype(xp: Namespace, index: Any, kind: str) -> bool:
    return hasattr(index, "dtype") and bool(xp.isdtype(index.dtype, kind))


rule(
    "_setitem",
    jvp=(
        lambda xp, t, ans, x, value, key: xp._setitem(t, xp.zeros((), dtype=t.dtype, device=device_of(x)), key),
        lambda xp, t, ans, x, value, key: xp._setitem(xp.zeros_like(ans, dtype=t.dtype), t, key),
    ),
    vjp=(
        lambda xp, g, ans, x, value, key: xp._setitem(g, xp.zeros((), dtype=g.dtype, device=device_of(x)), key),
        lambda xp, g, ans, x, value, key: _with_leading_axes(xp, _assigned_part(xp, g, x.shape, value, key), value.ndim),
    ),
    keep=(2,),
)

# --- indices as arguments: arrays that differ between the slices of a batch, which no key can hold

_INDICES = range(1, 65)
"""The positions of index arrays after one array, of which there are as many as it has axes at most."""


def _assigned_values(xp: Namespace, g: Array, x: Any, values: Any, *indices: Array) -> Array:
    """Return the part of ``g`` at the indices, with 0 for elements that a later one of the same place overwrote."""
    part = xp._gather(g, *indices)
    turns = xp.reshape(xp.arange(part.size, device=device_of(part)), part.shape)
    last = xp._assign_at(xp.zeros(x.shape, dtype=turns.dtype, device=device_of(part)), turns, *indices)
    return xp.where(xp._gather(last, *indices) == turns, part, xp.zeros_like(part))


rule(
    "_gather",
    jvp=lambda xp, t, ans, x, *indices: xp._gather(t, *indices),
    vjp=lambda xp, g, ans, x, *indices: xp._scatter_at(g, *indices, shape=tuple(x.shape)),
    keep=_INDICES,
)
rule(
    "_scatter_at",
    jvp=lambda xp, t, ans, values, *indices, shape: xp._scatter_at(t, *indices, shape=shape),
    vjp=lambda xp, g, ans, values, *indices, shape: xp._gather(g, *indices),
    keep=_INDICES,
)
rule(
    "_assign_at",
    jvp=(
        lambda xp, t, ans, x, values, *indices: xp._assign_at(t, xp.zeros_like(values, dtype=t.dtype), *indices),
        lambda xp, t, ans, x, values, *indices: xp._assign_at(xp.zeros_like(ans, dtype=t.dtype), t, *indices),
    ),
    vjp=(
        lambda xp, g, ans, x, values, *indices: xp._assign_at(g, xp.zeros_like(values, dtype=g.dtype), *indices),
        lambda xp, g, ans, x, values, *indices: _assigned_values(xp, g, x, values, *indices),
    ),
    keep=_INDICES,
)


# --- indices as arrays
#
# Cotangents are parts, which the pull-back adds in place, unless the values of the indices are not known.


def _take_key(axis: int, indices: Array) -> tuple[Any, ...]:
    return (*(slice(None),) * axis, indices, Ellipsis)


def _take_pull(xp: Namespace, g: Array, ans: Any, x: Any, indices: Array, *, axis: int | None = None) -> Any:
    axis = 0 if axis is None else axis % x.ndim
    if not varies(indices):
        return part_cotangent(x.shape, plain_key(_take_key(axis, indices)), g)
    added, after = tuple(range(axis, axis + indices.ndim)), tuple(range(indices.ndim))
    shape = (x.shape[axis], *x.shape[:axis], *x.shape[axis + 1 :])
    return xp.moveaxis(xp._scatter_at(xp.moveaxis(g, added, after), indices, shape=shape), 0, axis)


rule(
    "take",
    jvp=(lambda xp, t, ans, x, indices, **options: xp.take(t, indices, **options), None),
    vjp=(_take_pull, None),
    keep=(1,),
)


def _along_axis_key(xp: Namespace, indices: Array, shape: tuple[int, ...], axis: int) -> tuple[Array, ...]:
    """Return the indices beside the coordinates along the other axes, which together name elements."""
    key: list[Array] = []
    for a, n in enumerate(shape):
        places = xp.arange(n, dtype=indices.dtype, device=device_of(indices))
        key.append(indices if a == axis else xp.reshape(places, tuple(n if b == a else 1 for b in range(len(shape)))))
    return tuple(key)


def _take_along_axis_pull(xp: Namespace, g: Array, ans: Any, x: Any, indices: Array, *, axis: int = -1) -> Any:
    key = _along_axis_key(xp, indices, x.shape, axis % x.ndim)
    if varies(indices):
        return xp._scatter_at(g, *key, shape=tuple(x.shape))
    return part_cotangent(x.shape, plain_key(key), g)


rule(
    "take_along_axis",
    jvp=(lambda xp, t, ans, x, indices, **options: xp.take_along_axis(t, indices, **options), None),
    vjp=(_take_along_axis_pull, None),
    keep=(1,),
)
