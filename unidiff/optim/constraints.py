"""Bounds in the form in which the solvers take them."""

from collections.abc import Sequence
from typing import Any

import unidiff as ud
from unidiff._typing import Array
from unidiff.errors import ArgumentError, DTypeError, ShapeError
from unidiff.optim.vector import Layout, read

__all__ = ["bound_vectors", "sides"]

INFINITY, PAIR = float("inf"), 2


def sides(bounds: Any, layout: Layout) -> Any:
    """Return bounds as lower and upper ones, where they are in a form of SciPy: a `Bounds`, or a list of pairs for a vector."""
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        return _scipy_side(bounds.lb, layout), _scipy_side(bounds.ub, layout)
    shape = tuple(layout.leaves[0].shape)
    if not isinstance(bounds, list) or not bounds or len(layout.leaves) != 1 or len(shape) != 1:
        return bounds
    if all(isinstance(pair, tuple) and len(pair) == PAIR for pair in bounds):
        if len(bounds) != shape[0]:
            raise ArgumentError(f"There are {len(bounds)} pairs of bounds, but x0 has {shape[0]} entries.")
        lower, upper = zip(*bounds, strict=True)
        return [-INFINITY if a is None else a for a in lower], [INFINITY if a is None else a for a in upper]
    if len(bounds) == shape[0] == PAIR and all(isinstance(side, (tuple, list)) and len(side) == PAIR for side in bounds):
        raise ArgumentError("These bounds are two pairs or two sides: a list of tuples or a tuple (lower, upper) says which.")
    return bounds


def _scipy_side(side: Any, layout: Layout) -> Any:
    """Return a side of SciPy's bounds, an array of NumPy, for parameters of any library."""
    if side.size == 1:
        return side.item()
    return side if ud.get_backend(side) is layout.backend else side.tolist()


def bound_vectors(bounds: Any, layout: Layout, check: bool = True) -> tuple[Array, Array]:
    """Return lower and upper bounds as vectors, or raise what is wrong with them."""
    lower, upper = (layout._join(leaves) for leaves in bound_leaves(bounds, layout.leaves, layout.spec))
    if not check:
        return lower, upper
    xp = layout.backend.namespace(lower)
    between = (lower <= upper) & (lower < INFINITY) & (upper > -INFINITY)
    (wrong,) = read(xp.sum(xp.astype(~between, layout.dtype)))
    if wrong:
        raise ArgumentError(
            f"The bounds are infeasible: in {int(wrong)} of {layout.dimension} places the lower bound is not at most "
            "the upper one, or there is no number between them."
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
        numbers = side is None or isinstance(side, (int, float))
        given = [side] * len(leaves) if numbers else _side(side, name, none, len(leaves), spec)
        found.append([_like(none if value is None else value, x, name) for value, x in zip(given, leaves, strict=True)])
    return found[0], found[1]


def _side(side: Any, name: str, none: float, count: int, spec: Any) -> list[Any]:
    values, other = ud.tree.flatten(side)
    if count == 1 and len(values) == 1:
        return values
    if count == 1 and isinstance(side, (list, tuple)) and all(isinstance(v, (int, float)) for v in values):
        return [side]  # as SciPy takes them
    if other != spec:
        values, other = ud.tree.flatten(_filled(side, none))
    if other != spec:
        raise ShapeError(f"The {name} have the structure {other}, but x0 has the structure {spec}.")
    return values


def _filled(side: Any, none: float) -> Any:
    """Return bounds with a number for every None, which is no leaf."""
    if isinstance(side, dict):
        return type(side)((key, _filled(value, none)) for key, value in side.items())
    if isinstance(side, (list, tuple)):
        values = [_filled(value, none) for value in side]
        return type(side)(*values) if hasattr(side, "_fields") else type(side)(values)
    return none if side is None else side


def _like(value: Any, x: Array, name: str) -> Array:
    b = ud.get_backend(x)
    if b.is_complex(x):
        raise DTypeError(f"Complex parameters of the dtype {x.dtype} have no order, so they take no bounds.")
    if not hasattr(value, "dtype") and not isinstance(value, (int, float, list, tuple)):
        raise ArgumentError(f"The {name} are numbers, arrays or None, but there is {value!r:.200}.")
    if hasattr(value, "dtype") and ud.get_backend(value).is_complex(value):
        raise DTypeError(f"The {name} are real, but there are some of the dtype {value.dtype}.")
    xp = b.namespace(x)
    array = b.asarray(value, dtype=x.dtype, device=b.device(x)) if not hasattr(value, "dtype") else xp.astype(value, x.dtype)
    try:
        return xp.broadcast_to(array, x.shape)
    except Exception as error:
        raise ShapeError(f"The {name} of shape {tuple(array.shape)} do not fit x0 of shape {tuple(x.shape)}.") from error
