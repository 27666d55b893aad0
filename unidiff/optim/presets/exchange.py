"""What the states of optimizers have in common when they are exchanged with another library."""

from collections.abc import Mapping
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError, DTypeError, ShapeError
from unidiff.optim.chaining import Chain
from unidiff.optim.optimizer import Method, Optimizer, State
from unidiff.optim.transformations import Negation

__all__ = ["assembled", "copies", "fitted", "inner", "method_of"]


def method_of(optimizer: Optimizer, names: Mapping[str, Any], library: str) -> Method:
    """Return the method, which may be turned around by `maximize`, or raise that its state is not one of the library."""
    method = optimizer.parts[1] if _is_turned(optimizer) else optimizer  # type: ignore[attr-defined]  # a chain, as is seen
    if not isinstance(method, Method) or type(method).__name__ not in names:
        raise ArgumentError(
            f"The state of {type(optimizer).__name__} is not that of an optimizer of {library}; those of these are: "
            f"{', '.join(sorted(names))}."
        )
    return method


def _is_turned(optimizer: Any) -> bool:
    return isinstance(optimizer, Chain) and len(optimizer.parts) == 2 and optimizer.parts[0] == Negation()


def inner(optimizer: Optimizer, state: State) -> State:
    """Return the state of the method."""
    found: State = state["parts"][1] if _is_turned(optimizer) else state
    return found


def assembled(optimizer: Optimizer, state: State) -> State:
    """Return the state of the optimizer from that of its method."""
    return {"parts": ({}, state)} if _is_turned(optimizer) else state


def fitted(x: Any, like: Array, what: str) -> Array:
    """Return an array of another library as one that belongs in the place of another."""
    backend = ud.get_backend(like)
    if tuple(x.shape) != tuple(like.shape):
        raise ShapeError(
            f"{what} has the shape {tuple(x.shape)}, but it belongs to a leaf for which it is {tuple(like.shape)}."
        )
    found: Array = backend.copy(ud.to_backend(x, backend.name))
    if found.dtype != like.dtype:
        raise DTypeError(f"{what} has the dtype {found.dtype}, but {like.dtype} belongs there.")
    return backend.to_device(found, backend.device(like))


def copies(tree: Tree) -> list[Array]:
    """Return the leaves of a slot with memory of their own."""
    return [ud.get_backend(x).copy(x) for x in ud.tree.leaves(tree)]
