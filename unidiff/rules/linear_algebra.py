"""Linear algebra functions of the main namespace, which the ``linalg`` extension repeats.

All of them are bilinear or linear, so tangents go through the function itself. Cotangents are contracted over everything that
the other argument has and this one lacks at once, batch axes included, rather than formed in full and summed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from unidiff.engine.extend import (
    BATCHERS,
    Array,
    Namespace,
    Unbatchable,
    batch_elementwise,
    is_complex,
    normalize_axes,
    rule,
    transposed,
)
from unidiff.rules.batching import Flags

Axes = int | tuple[Sequence[int], Sequence[int]]


def conjugate(xp: Namespace, x: Array) -> Array:
    """Return the conjugate; ``x`` itself where it is real."""
    return xp.conj(x) if is_complex(xp, x) else x


def adjoint(xp: Namespace, x: Array) -> Array:
    """Return the conjugate transpose of a stack of matrices."""
    return xp.conj(transposed(x)) if is_complex(xp, x) else transposed(x)


# --- matmul


def _matmul_left(xp: Namespace, g: Array, _ans: None, x1: Array, x2: Array) -> Array:
    """Return the cotangent g x2^H, summed over the batch axes where x1 is one matrix."""
    if x2.ndim == 1:
        x2 = conjugate(xp, x2)
        return g * x2 if x1.ndim == 1 else xp.expand_dims(g, axis=-1) * x2
    if x1.ndim == 1:
        x2 = conjugate(xp, x2)
        return xp.matmul(x2, g) if x2.ndim == 2 else xp.squeeze(xp.matmul(x2, xp.expand_dims(g, axis=-1)), axis=-1)
    if x1.ndim == 2 and x2.ndim > 2:
        others = (*range(x2.ndim - 2), x2.ndim - 1)
        return xp.tensordot(g, conjugate(xp, x2), axes=(others, others))
    return xp.matmul(g, adjoint(xp, x2))


def _matmul_right(xp: Namespace, g: Array, _ans: None, x1: Array, x2: Array) -> Array:
    """Return the cotangent x1^H g, summed over the batch axes where x2 is one matrix or vector."""
    if x1.ndim == 1:
        x1 = conjugate(xp, x1)
        return g * x1 if x2.ndim == 1 else xp.expand_dims(x1, axis=-1) * xp.expand_dims(g, axis=-2)
    if x2.ndim == 1 or (x2.ndim == 2 and x1.ndim > 2):
        others = tuple(range(x1.ndim - 1))
        if len(others) == 1:
            return xp.matmul(g, conjugate(xp, x1))
        return xp.tensordot(conjugate(xp, x1), g, axes=(others, others))
    return xp.matmul(adjoint(xp, x1), g)


# --- tensordot


def _contracted(axes: Axes, ndim1: int, ndim2: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the axes of both arguments that are summed over, as non-negative integers."""
    if isinstance(axes, int):
        return tuple(range(ndim1 - axes, ndim1)), tuple(range(axes))
    first, second = axes
    first, second = ((a,) if isinstance(a, int) else tuple(a) for a in (first, second))
    return normalize_axes(first, ndim1), normalize_axes(second, ndim2)


def _ordered(xp: Namespace, x: Array, axes: Sequence[int]) -> Array:
    """Bring axis ``i`` of ``x`` to position ``axes[i]``."""
    order = tuple(sorted(range(len(axes)), key=axes.__getitem__))
    return x if order == tuple(range(len(axes))) else xp.permute_dims(x, order)


def _tensordot_left(xp: Namespace, g: Array, _ans: None, x1: Array, x2: Array, /, *, axes: Axes = 2) -> Array:
    axes1, axes2 = _contracted(axes, x1.ndim, x2.ndim)
    free1 = [a for a in range(x1.ndim) if a not in axes1]
    free2 = [a for a in range(x2.ndim) if a not in axes2]
    part = xp.tensordot(g, conjugate(xp, x2), axes=(tuple(range(len(free1), g.ndim)), tuple(free2)))
    return _ordered(xp, part, free1 + [a for _, a in sorted(zip(axes2, axes1, strict=True))])


def _tensordot_right(xp: Namespace, g: Array, _ans: None, x1: Array, x2: Array, /, *, axes: Axes = 2) -> Array:
    axes1, axes2 = _contracted(axes, x1.ndim, x2.ndim)
    free1 = [a for a in range(x1.ndim) if a not in axes1]
    free2 = [a for a in range(x2.ndim) if a not in axes2]
    part = xp.tensordot(conjugate(xp, x1), g, axes=(tuple(free1), tuple(range(len(free1)))))
    return _ordered(xp, part, [a for _, a in sorted(zip(axes1, axes2, strict=True))] + free2)


# --- vecdot


def _spread(xp: Namespace, g: Array, x: Any, axis: int) -> Array:
    """Give the cotangent its summed axis back, with length 1."""
    return xp.expand_dims(g, axis=axis if axis < 0 else axis - x.ndim)


def _vecdot_left(xp: Namespace, g: Array, _ans: None, x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    return conjugate(xp, _spread(xp, g, x1, axis)) * x2


def _vecdot_right(xp: Namespace, g: Array, _ans: None, x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    return _spread(xp, g, x2, axis) * x1


def batch_negative_axis(xp: Namespace, call: Any, flags: Flags, x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """Batch a function of one axis, counted from the end, that broadcasts the others."""
    ndim1, ndim2 = (x.ndim - flag for x, flag in zip((x1, x2), flags, strict=True))
    if axis >= 0:
        if ndim1 != ndim2:
            raise Unbatchable  # the axis is another one of each
        axis -= ndim1
    return batch_elementwise(xp, call, flags, x1, x2, axis=axis)


def _batch_tensordot(xp: Namespace, call: Any, flags: Flags, x1: Array, x2: Array, /, *, axes: Axes = 2) -> Array:
    axes1, axes2 = _contracted(axes, x1.ndim - flags[0], x2.ndim - flags[1])
    axes1, axes2 = tuple(a + flags[0] for a in axes1), tuple(a + flags[1] for a in axes2)
    if not flags[1]:
        return call(x1, x2, axes=(axes1, axes2))
    if not flags[0]:
        return xp.moveaxis(call(x1, x2, axes=(axes1, axes2)), x1.ndim - len(axes1), 0)
    free1 = tuple(a for a in range(1, x1.ndim) if a not in axes1)
    free2 = tuple(a for a in range(1, x2.ndim) if a not in axes2)
    left, right = xp.permute_dims(x1, (0, *free1, *axes1)), xp.permute_dims(x2, (0, *axes2, *free2))
    size, shape1, shape2 = x1.shape[0], left.shape[1 : len(free1) + 1], right.shape[len(axes2) + 1 :]
    inner = math.prod(x1.shape[a] for a in axes1)
    left = xp.reshape(left, (size, math.prod(shape1), inner))
    right = xp.reshape(right, (size, inner, math.prod(shape2)))
    return xp.reshape(xp.matmul(left, right), (size, *shape1, *shape2))


for _prefix in ("", "linalg."):
    BATCHERS[_prefix + "tensordot"] = _batch_tensordot
    BATCHERS[_prefix + "matmul"] = BATCHERS["matmul"]
    BATCHERS[_prefix + "matrix_transpose"] = BATCHERS["matrix_transpose"]
    BATCHERS[_prefix + "vecdot"] = batch_negative_axis
    rule(
        _prefix + "matmul",
        jvp=(lambda xp, t, ans, x1, x2: xp.matmul(t, x2), lambda xp, t, ans, x1, x2: xp.matmul(x1, t)),
        vjp=(_matmul_left, _matmul_right),
        keep=(0, 1),
    )
    rule(
        _prefix + "matrix_transpose",
        jvp=lambda xp, t, ans, x: transposed(t),
        vjp=lambda xp, g, _ans, x: transposed(g),
        view=True,
    )
    rule(
        _prefix + "tensordot",
        jvp=(
            lambda xp, t, ans, x1, x2, /, *, axes=2: xp.tensordot(t, x2, axes=axes),
            lambda xp, t, ans, x1, x2, /, *, axes=2: xp.tensordot(x1, t, axes=axes),
        ),
        vjp=(_tensordot_left, _tensordot_right),
        keep=(0, 1),
        arguments=lambda x1, x2, /, axes=2: ((x1, x2), {"axes": axes}),
    )
    rule(
        _prefix + "vecdot",
        jvp=(
            lambda xp, t, ans, x1, x2, /, *, axis=-1: xp.vecdot(t, x2, axis=axis),
            lambda xp, t, ans, x1, x2, /, *, axis=-1: xp.vecdot(x1, t, axis=axis),
        ),
        vjp=(_vecdot_left, _vecdot_right),
        keep=(0, 1),
    )
