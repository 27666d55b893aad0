"""Bounds in the form in which the solvers take them."""

from collections.abc import Sequence
from typing import Any

import unidiff as ud
from unidiff._typing import Array
from unidiff.errors import ArgumentError, DTypeError, ShapeError
from unidiff.optim.vector import Layout, read

__all__ = ["bound_vectors"]


def bound_vectors(bounds: Any, layout: Layout, check: bool = True) -> tuple[Array, Array]:
    """Return lower and upper bounds as vectors, or raise what is wrong with them."""
    lower, upper = (layout._join(leaves) for leaves in bound_leaves(bounds, layout.leaves, layout.spec))
    if not check:
        return lower, upper
    xp = layout.backend.namespace(lower)
    (wrong,) = read(xp.sum(xp.astype(~(lower <= upper), layout.dtype)))
    if wrong:
        raise ArgumentError(
            f"The bounds are infeasible: in {int(wrong)} of {layout.dimension} places the lower bound is not at most "
            "the upper one."
        )
    return lower, upper


def bound_leaves(bounds: Any, leaves: Sequence[Array], spec: Any, what: str = "bounds") -> tuple[list[Array], list[Array]]:
    """Return lower and upper bounds as arrays of the shapes of the leaves."""
    if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
        raise ArgumentError(
            f"bounds must be a pair (lower, upper), each a number, None or a pytree like x0, but they are {bounds!r:.200}."
        )
    found = []
    for side, name, none in zip(
        bounds, (f"lower {what}" if what == "bounds" else what, f"upper {what}"), (-float("inf"), float("inf")), strict=True
    ):
        given = [side] * len(leaves) if side is None or isinstance(side, (int, float)) else _side(side, name, len(leaves), spec)
        found.append([_like(none if value is None else value, x, name) for value, x in zip(given, leaves, strict=True)])
    return found[0], found[1]


def _side(side: Any, name: str, count: int, spec: Any) -> list[Any]:
    values, other = ud.tree.flatten(side)
    if count == 1 and len(values) == 1:
        return values
    if count == 1 and isinstance(side, (list, tuple)) and all(isinstance(v, (int, float)) for v in values):
        return [side]  # as SciPy takes them
    if other != spec:
        raise ShapeError(f"The {name} have the structure {other}, but x0 has the structure {spec}.")
    return values


def _like(value: Any, x: Array, name: str) -> Array:
    b = ud.get_backend(x)
    if b.is_complex(x):
        raise DTypeError(f"Complex parameters of the dtype {x.dtype} have no order, so they take no bounds.")
    if not hasattr(value, "dtype") and not isinstance(value, (int, float, list, tuple)):
        raise ArgumentError(f"The {name} are numbers, arrays or None, but there is {value!r:.200}.")
    xp = b.namespace(x)
    array = b.asarray(value, dtype=x.dtype, device=b.device(x)) if not hasattr(value, "dtype") else xp.astype(value, x.dtype)
    try:
        return xp.broadcast_to(array, x.shape)
    except Exception as error:
        raise ShapeError(f"The {name} of shape {tuple(array.shape)} do not fit x0 of shape {tuple(x.shape)}.") from error
