"""Utility functions."""

from __future__ import annotations

from typing import Any

from unidiff.engine.extend import ArgumentError, Array, Namespace, along, composite, zero


def _diff(xp: Namespace, x: Array, prepend: Any, append: Any, /, *, axis: int = -1, n: int = 1) -> Array:
    if n < 0:
        raise ArgumentError(f"diff needs an order n >= 0, got {n}")
    if n == 0:
        return x
    parts = [part for part in (prepend, x, append) if part is not None]
    if len(parts) > 1:
        x = xp.concat(parts, axis=axis)
    for _ in range(min(n, x.shape[axis])):
        x = along(x, axis, 1, None) - along(x, axis, None, -1)
    return x


composite(
    "diff",
    _diff,
    arguments=lambda x, /, *, axis=-1, n=1, prepend=None, append=None: ((x, prepend, append), {"axis": axis, "n": n}),
)
zero("all", "any")
