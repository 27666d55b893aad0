"""Manipulation functions: all are linear, so tangents go through the function itself and cotangents through its transpose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from unidiff.engine.extend import (
    Array,
    Namespace,
    along,
    composite,
    device_of,
    normalize_axes,
    part_cotangent,
    plain_key,
    rule,
    sum_to_shape,
    varies,
    zero,
)

# --- other shape, same elements

rule(
    "reshape",
    jvp=lambda xp, t, ans, x, shape, **options: xp.reshape(t, shape, **options),
    vjp=lambda xp, g, _ans, x, shape, **options: xp.reshape(g, x.shape),
    view=True,
    arguments=lambda x, /, shape, *, copy=None: ((x, shape), {} if copy is None else {"copy": copy}),
)
rule(
    "expand_dims",
    jvp=lambda xp, t, ans, x, axis: xp.expand_dims(t, axis),
    vjp=lambda xp, g, _ans, x, axis: xp.reshape(g, x.shape),
    view=True,
    arguments=lambda x, /, axis=0: ((x, axis), {}),
)
rule(
    "squeeze",
    jvp=lambda xp, t, ans, x, axis: xp.squeeze(t, axis),
    vjp=lambda xp, g, _ans, x, axis: xp.reshape(g, x.shape),
    view=True,
    arguments=lambda x, /, axis: ((x, axis), {}),
)

# --- other order


def _inverse(axes: Sequence[int]) -> tuple[int, ...]:
    axes = normalize_axes(tuple(axes), len(axes))
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


rule(
    "permute_dims",
    jvp=lambda xp, t, ans, x, axes: xp.permute_dims(t, axes),
    vjp=lambda xp, g, _ans, x, axes: xp.permute_dims(g, _inverse(axes)),
    view=True,
    arguments=lambda x, /, axes: ((x, axes), {}),
)
rule(
    "moveaxis",
    jvp=lambda xp, t, ans, x, source, destination: xp.moveaxis(t, source, destination),
    vjp=lambda xp, g, _ans, x, source, destination: xp.moveaxis(g, destination, source),
    view=True,
)
rule(
    "flip",
    jvp=lambda xp, t, ans, x, **options: xp.flip(t, **options),
    vjp=lambda xp, g, _ans, x, **options: xp.flip(g, **options),
    view=True,
)
rule(
    "roll",
    jvp=lambda xp, t, ans, x, shift, **options: xp.roll(t, shift, **options),
    vjp=lambda xp, g, _ans, x, shift, **options: xp.roll(g, _negated(shift), **options),
    arguments=lambda x, /, shift, **options: ((x, shift), options),
)


def _negated(shift: int | tuple[int, ...]) -> int | tuple[int, ...]:
    return -shift if isinstance(shift, int) else tuple(-s for s in shift)


# --- copies of elements

rule(
    "broadcast_to",
    jvp=lambda xp, t, ans, x, shape: xp.broadcast_to(t, shape),
    vjp=lambda xp, g, _ans, x, shape: sum_to_shape(xp, g, x.shape),
    view=True,
    arguments=lambda x, /, shape: ((x, shape), {}),
)


def _broadcast_arrays(xp: Namespace, *arrays: Array) -> tuple[Array, ...]:
    shape = xp.broadcast_shapes(*(x.shape for x in arrays))
    return tuple(xp.broadcast_to(x, shape) for x in arrays)


composite("broadcast_arrays", _broadcast_arrays)
zero("broadcast_shapes")


def _repeat_pull(xp: Namespace, g: Array, ans: Any, x: Any, repeats: int | Array, *, axis: int | None = None) -> Array:
    """Sum the copies; copies of different numbers are summed as the parts of ``x`` that they are."""
    if isinstance(repeats, int):
        shape = x.shape if axis is not None else (x.size,)
        axis = 0 if axis is None else axis % x.ndim
        apart = xp.reshape(g, (*shape[: axis + 1], repeats, *shape[axis + 1 :]))
        return xp.reshape(xp.sum(apart, axis=axis + 1, dtype=g.dtype), x.shape)
    if axis is None:
        shape, axis = (x.size,), 0
    else:
        shape, axis = tuple(x.shape), axis % x.ndim
    index = xp.repeat(xp.arange(shape[axis], device=device_of(x)), repeats)
    if not varies(index):
        key = plain_key((*(slice(None),) * axis, index, Ellipsis))
        return part_cotangent(shape, key, g) if shape == x.shape else xp.reshape(xp._scatter(g, shape, key), x.shape)
    rest = (*shape[:axis], *shape[axis + 1 :])
    summed = xp._scatter_at(xp.moveaxis(g, axis, 0), index, shape=(shape[axis], *rest))
    return xp.reshape(xp.moveaxis(summed, 0, axis), x.shape)


rule(
    "repeat",
    jvp=(lambda xp, t, ans, x, repeats, **options: xp.repeat(t, repeats, **options), None),
    vjp=(_repeat_pull, None),
    keep=(1,),
)


def _tile_pull(xp: Namespace, g: Array, ans: Any, x: Any, repetitions: tuple[int, ...]) -> Array:
    ndim = max(x.ndim, len(repetitions))
    shape = (1,) * (ndim - x.ndim) + tuple(x.shape)
    repetitions = (1,) * (ndim - len(repetitions)) + tuple(repetitions)
    apart = xp.reshape(g, tuple(n for pair in zip(repetitions, shape, strict=True) for n in pair))
    return xp.reshape(xp.sum(apart, axis=tuple(range(0, 2 * ndim, 2)), dtype=g.dtype), x.shape)


rule(
    "tile",
    jvp=lambda xp, t, ans, x, repetitions: xp.tile(t, repetitions),
    vjp=_tile_pull,
)

# --- several arrays


def _joined(name: str) -> Any:
    """Return the push of a function that joins arrays; zeros stand in for those that have no tangent."""

    def push(xp: Namespace, tangents: Sequence[Any], ans: Array, arrays: Sequence[Array], **options: Any) -> Array:
        pairs = zip(tangents, arrays, strict=True)
        return getattr(xp, name)([xp.zeros_like(x, dtype=ans.dtype) if t is None else t for t, x in pairs], **options)

    return push


def _concat_places(arrays: Sequence[Any], *, axis: int | None = 0) -> list[tuple[int, int, tuple[int, ...]]]:
    """Return where each array begins and ends in the result, and its shape."""
    lengths = [math.prod(x.shape) if axis is None else x.shape[axis] for x in arrays]
    stops = accumulate(lengths)
    return [(stop - length, stop, x.shape) for stop, length, x in zip(stops, lengths, arrays, strict=True)]


def _concat_pull(
    xp: Namespace, g: Array, place: tuple[int, int, tuple[int, ...]], _ans: Any, _arrays: Any, *, axis: int | None = 0
) -> Array:
    start, stop, shape = place
    part = along(g, 0 if axis is None else axis, start, stop)
    return xp.reshape(part, shape) if axis is None else part


def _stack_pull(xp: Namespace, g: Array, position: int, _ans: Any, _arrays: Any, *, axis: int = 0) -> Array:
    return g[(*(slice(None),) * (axis % g.ndim), position, Ellipsis)]


def _arrays(arrays: Sequence[Array], /, **options: Any) -> tuple[tuple[Array, ...], dict[str, Any]]:
    return tuple(arrays), options


rule("concat", jvp=_joined("concat"), vjp=_concat_pull, variadic=True, places=_concat_places, packed=True, arguments=_arrays)
rule("stack", jvp=_joined("stack"), vjp=_stack_pull, variadic=True, packed=True, arguments=_arrays)


def _unstack(xp: Namespace, x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    x = xp.moveaxis(x, axis, 0)  # parts along the first axis are pulled back at the least cost
    return tuple(x[i, ...] for i in range(x.shape[0]))


composite("unstack", _unstack)
