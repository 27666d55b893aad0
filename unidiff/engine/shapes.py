"""Shapes, axes and dtypes: what every rule needs once and the engine does once."""

from __future__ import annotations

import math
from operator import itemgetter
from typing import Any

from unidiff._typing import Array, DType, Namespace
from unidiff.errors import ShapeError

Axis = int | tuple[int, ...] | None


class Aval(tuple[Any, ...]):  # a tuple is what costs least to make, and one is made for most operations
    """The abstract value of an array: what remains of an argument whose elements a cotangent map does not need.

    Made from a tuple of shape, dtype and device.
    """

    shape = property(itemgetter(0))
    dtype = property(itemgetter(1))
    device = property(itemgetter(2))

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def __repr__(self) -> str:
        return f"Aval(shape={self.shape}, dtype={self.dtype})"


def normalize_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the axes as non-negative integers in the given order; None means all of them."""
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    if ndim == 0 and axes in ((0,), (-1,)):  # libraries reduce 0-d arrays along one axis, too
        return ()
    for a in axes:
        if not -ndim <= a < ndim:
            raise ShapeError(f"axis {a} is out of range for an array with {ndim} axes")
    return tuple(a % ndim for a in axes)


def expand_reduced(xp: Namespace, g: Array, ndim: int, axis: Axis, keepdims: bool) -> Array:
    """Give the result of a reduction its reduced axes back, with length 1."""
    if keepdims or ndim == 0:
        return g
    axes = normalize_axes(axis, ndim)
    shape = list(g.shape)
    for a in sorted(axes):
        shape.insert(a, 1)
    return xp.reshape(g, tuple(shape))


def along(x: Array, axis: int, start: int | None, stop: int | None) -> Array:
    """Return ``x[start:stop]`` along the axis; bounds beyond the ends mean the ends, which the standard leaves open."""
    axis %= x.ndim
    start, stop, _ = slice(start, stop).indices(x.shape[axis])
    return x[(*(slice(None),) * axis, slice(start, stop), Ellipsis)]


def sum_to_shape(xp: Namespace, g: Array, shape: tuple[int, ...]) -> Array:
    """Sum over the axes along which an array of the shape was broadcast: the adjoint of broadcasting."""
    extra = len(g.shape) - len(shape)
    if extra and g.shape[extra:] == shape:
        return xp.sum(g, axis=tuple(range(extra)) if extra > 1 else 0, dtype=g.dtype)
    axes = tuple(range(extra)) + tuple(i + extra for i, length in enumerate(shape) if length == 1 and g.shape[i + extra] != 1)
    if len(axes) == extra and extra:
        return xp.sum(g, axis=axes, dtype=g.dtype)
    if axes:
        g = xp.sum(g, axis=axes, dtype=g.dtype, keepdims=True)
    return xp.reshape(g, shape) if tuple(g.shape) != tuple(shape) else g


def restore(xp: Namespace, g: Array, shape: tuple[int, ...], dtype: DType) -> Array:
    """Bring a cotangent to the shape and dtype of its primal: sum over broadcast axes, real part of a real primal's."""
    if g.shape != shape:
        g = sum_to_shape(xp, g, shape)
    if g.dtype != dtype:
        g = cast(xp, g, dtype)
    return g


def match(xp: Namespace, t: Array, ans: Array) -> Array:
    """Bring a tangent to the shape and dtype of the result it belongs to."""
    if t.shape != ans.shape:
        t = xp.broadcast_to(t, ans.shape)
    if t.dtype != ans.dtype:
        t = cast(xp, t, ans.dtype)
    return t


COMPLEX: dict[type, dict[DType, bool]] = {}
"""Which dtypes are complex, as far as that has been asked; by their class, since some dtypes compare with no other."""


def is_complex_dtype(xp: Namespace, dtype: DType) -> bool:
    """Whether the dtype is complex; remembered, because asking a library costs more than a small operation."""
    try:
        return COMPLEX[type(dtype)][dtype]
    except KeyError:
        return COMPLEX.setdefault(type(dtype), {}).setdefault(dtype, bool(xp.isdtype(dtype, "complex floating")))


def cast(xp: Namespace, x: Array, dtype: DType) -> Array:
    """Convert between floating dtypes; from complex to real by the real part, the projection in ``Re <u, v>``."""
    if is_complex_dtype(xp, x.dtype) and not is_complex_dtype(xp, dtype):
        x = xp.real(x)
    return x if x.dtype == dtype else xp.astype(x, dtype)
