"""Slices along one axis, for rules."""

from __future__ import annotations

from unidiff.engine.extend import Array


def along(x: Array, axis: int, start: int | None, stop: int | None) -> Array:
    """Return ``x[start:stop]`` along the axis; bounds beyond the ends mean the ends, also where the standard leaves that open."""
    axis %= x.ndim
    start, stop, _ = slice(start, stop).indices(x.shape[axis])
    return x[(*(slice(None),) * axis, slice(start, stop), Ellipsis)]


def length(x: Array, axis: int) -> int:
    """Return the number of elements along the axis."""
    return x.shape[axis]  # type: ignore[no-any-return]  # arrays are foreign types
