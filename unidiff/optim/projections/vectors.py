"""Functions of pytrees from functions of vectors, and checks of what sets are made of."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError, DTypeError, ShapeError, TreeError

__all__ = ["normal_to", "on_real_vectors", "on_vectors", "ordered", "repeated", "size"]


def on_vectors(f: Callable[..., Array], kinds: tuple[str, ...] = ("real floating", "complex floating")) -> Callable[..., Tree]:
    """Return a function of pytrees from one of vectors: all entries are joined, and cut again."""

    @wraps(f)
    def on_trees(x: Tree, *args: Any, **kwargs: Any) -> Tree:
        leaves, spec = ud.tree.flatten(x)
        if not leaves:
            raise TreeError(f"{f.__name__} needs a pytree with arrays, but there are none.")
        xp = ud.array_namespace(*leaves)
        for leaf, path in zip(leaves, ud.tree.paths(spec, "x"), strict=True):
            if not xp.isdtype(leaf.dtype, kinds):
                raise DTypeError(
                    f"{path} has the dtype {leaf.dtype}, but {f.__name__} is for arrays of {' or '.join(kinds)} dtypes."
                )
        parts = [xp.reshape(leaf, (-1,)) for leaf in leaves]
        z = f(xp.concat(parts) if len(parts) > 1 else parts[0], *args, **kwargs)
        found, start = [], 0
        for leaf, part in zip(leaves, parts, strict=True):
            stop = start + part.shape[0]
            found.append(xp.reshape(xp.astype(z[start:stop], leaf.dtype, copy=False), leaf.shape))
            start = stop
        return ud.tree.unflatten(spec, found)

    return on_trees


def on_real_vectors(f: Callable[..., Array]) -> Callable[..., Tree]:
    """Do the same for a function of real vectors alone."""
    return on_vectors(f, ("real floating",))


def ordered(lower: Any, upper: Any) -> None:
    """Raise that no number is between two bounds; arrays are not looked at."""
    if isinstance(lower, (int, float)) and isinstance(upper, (int, float)) and not lower <= upper:
        raise ArgumentError(f"lower must not be above upper, but they are {lower} and {upper}: the set is empty.")


def normal_to(x: Array, normal: Array) -> Array:
    """Return a normal vector, or raise that it does not have one entry for each of `x`."""
    if not hasattr(normal, "shape") or tuple(normal.shape) != tuple(x.shape):
        shape = tuple(normal.shape) if hasattr(normal, "shape") else normal
        raise ShapeError(f"The normal vector must be of shape {tuple(x.shape)}, as x has entries, but it is of shape {shape}.")
    return normal


def size(value: Any, name: str) -> Any:
    """Return a radius or a sum, or raise that it is negative; an array is not looked at."""
    if isinstance(value, (int, float)) and not value >= 0:
        raise ArgumentError(f"{name} must not be negative, but it is {value}: the set is empty.")
    return value


def repeated(step: Callable[[Array], Array], error: Callable[[Array], Array], tolerance: Any, z: Array, limit: int) -> Array:
    """Repeat a step until its result is exact enough, or up to a number of times; in compiled programs too."""

    def goes_on(carry: tuple[Any, Array]) -> Any:
        k, state = carry
        return (error(state) > tolerance) & (k < limit)

    def body(carry: tuple[Any, Array]) -> tuple[Any, Array]:
        return carry[0] + 1, step(carry[1])

    xp = ud.array_namespace(z)
    zero = xp.zeros((), dtype=xp.int64, device=ud.device(z))
    return ud.while_loop(goes_on, body, (zero, z))[1]
