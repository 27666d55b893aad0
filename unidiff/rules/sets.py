"""Set functions: the distinct values are elements of the array, the rest is integers."""

from __future__ import annotations

from typing import Any, NamedTuple

from unidiff.engine.extend import Array, Namespace, composite, rule, zero


class UniqueCounts(NamedTuple):
    """What ``unique_counts`` returns."""

    values: Array
    counts: Array


class UniqueInverse(NamedTuple):
    """What ``unique_inverse`` returns."""

    values: Array
    inverse_indices: Array


def _unique_all_push(xp: Namespace, t: Array, ans: Any, x: Array) -> tuple[Any, ...]:
    return xp.take(xp.reshape(t, (-1,)), ans[1]), None, None, None


def _unique_all_pull(xp: Namespace, g: Any, ans: Any, x: Any) -> Array:
    flat = xp._scatter(g[0], (x.size,), ans[1])
    return xp.reshape(flat, x.shape)


rule("unique_all", jvp=_unique_all_push, vjp=_unique_all_pull, keep=(-1,), outputs=4)


def _unique_counts(xp: Namespace, x: Array, /) -> UniqueCounts:
    values, _, _, counts = xp.unique_all(x)
    return UniqueCounts(values, counts)


def _unique_inverse(xp: Namespace, x: Array, /) -> UniqueInverse:
    values, _, inverse, _ = xp.unique_all(x)
    return UniqueInverse(values, inverse)


composite("unique_counts", _unique_counts)
composite("unique_inverse", _unique_inverse)
composite("unique_values", lambda xp, x, /: xp.unique_all(x)[0])
zero("isin")
