"""Sorting functions.

Sorting is a permutation, so its derivative permutes too. It is stable in both directions: tied elements keep their order,
whatever the order in which they are sorted.
"""

from __future__ import annotations

from unidiff.engine.extend import Array, Namespace, composite, rule, zero


def _sort(xp: Namespace, x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    order = xp.argsort(x, axis=axis, descending=descending, stable=True)
    return xp._permute_along_axis(x, order, axis=axis)


composite("sort", _sort)
rule(
    "_permute_along_axis",
    jvp=(lambda xp, t, ans, x, order, *, axis: xp._permute_along_axis(t, order, axis=axis), None),
    vjp=(lambda xp, g, ans, x, order, *, axis: xp._permute_along_axis(g, xp.argsort(order, axis=axis), axis=axis), None),
    keep=(1,),
    implementation=lambda xp, x, order, *, axis: xp.take_along_axis(x, order, axis=axis),
)
zero("argsort")
