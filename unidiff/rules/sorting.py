"""Sorting functions.

Sorting gathers elements, so its derivative does too. It is stable in both directions: tied elements keep their order, whatever
the order in which they are sorted.
"""

from __future__ import annotations

from unidiff.engine.extend import Array, Namespace, composite, zero


def _sort(xp: Namespace, x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    order = xp.argsort(x, axis=axis, descending=descending, stable=True)
    return xp.take_along_axis(x, order, axis=axis)


composite("sort", _sort)
zero("argsort")
