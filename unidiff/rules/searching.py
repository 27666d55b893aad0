"""Searching functions; ``where`` acts element by element and is with the elementwise ones."""

from __future__ import annotations

from typing import Any

from unidiff.engine.extend import Array, varies, zero

zero("argmax", "argmin", "count_nonzero", "nonzero")


def _searched(
    x1: Array, x2: Array, /, *, side: str = "left", sorter: Array | None = None
) -> tuple[tuple[Array, Array], dict[str, Any]]:
    """Sort beforehand by a sorter that differs between the slices of a batch; others are the library's to apply."""
    if sorter is not None and varies(sorter):
        x1, sorter = sorter.__array_namespace__().take(x1, sorter), None
    return (x1, x2), {"side": side, "sorter": sorter}


zero("searchsorted", arguments=_searched)
