"""States of optimizers to and from those of optax."""

from collections.abc import Iterator, Mapping
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError
from unidiff.optim.optimizer import Optimizer, State
from unidiff.optim.presets.exchange import fitted, method_of

__all__ = ["from_state", "to_state"]

_MOMENTS = {"mu": "m", "nu": "v"}
NAMES: Mapping[str, Mapping[str, str]] = {
    "SGD": {"trace": "momentum"},
    "Adam": _MOMENTS,
    "AdamW": _MOMENTS,
    "AMSGrad": {**_MOMENTS, "nu_max": "v_max"},
    "Adamax": {"mu": "m", "nu": "u"},
    "NAdam": _MOMENTS,
    "RAdam": _MOMENTS,
    "RMSprop": {"nu": "v", "mu": "mean", "trace": "momentum"},
    "Adagrad": {"sum_of_squares": "sum"},
    "Adadelta": {"e_g": "v", "e_x": "u"},
    "Lion": {"mu": "momentum"},
    "Adafactor": {"v_row": "row", "v_col": "column", "v": "v", "ema": "momentum"},
}
"""What the fields there are called here."""


def to_state(optimizer: Optimizer, state: State, like: Any) -> Any:
    """Return a state as one of the optimizer of optax that was made with the same arguments.

    Parameters
    ----------
    optimizer : Optimizer
        One of this module's, but for ``muon`` and ``rprop``.
    state : dict
        Its state, on any library.
    like : pytree
        What ``init(params)`` of optax's returns, whose fields are filled.

    Returns
    -------
    pytree

    Raises
    ------
    unidiff.errors.ArgumentError
        If the optimizer is none of these, or the state there has no place for a part of its memory.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> from typing import NamedTuple
    >>> class TraceState(NamedTuple):  # as in optax
    ...     trace: object
    >>> optax, x = ud.optim.presets.optax, np.ones(2)
    >>> optimizer = optax.sgd(0.1, momentum=0.9)
    >>> _, state = optimizer.step(x, x, optimizer.init(x))
    >>> optax.to_state(optimizer, state, (TraceState(np.zeros(2)),))
    (TraceState(trace=array([1., 1.])),)
    """
    method = method_of(optimizer, NAMES, "optax")
    names = NAMES[type(method).__name__]
    left = set(method.slots())

    def filled(node: Any) -> Any:
        if not isinstance(node, tuple):
            return node
        if not hasattr(node, "_fields"):
            return tuple(map(filled, node))
        new = {}
        for field, held in zip(node._fields, node, strict=True):
            if field == "count":
                new[field] = ud.get_backend(held).asarray(int(state["step"]), dtype=held.dtype)
            elif names.get(field) in method.slots():
                left.discard(names[field])
                new[field] = _converted(state[names[field]], held, field)
            else:
                new[field] = filled(held)
        return node._replace(**new)  # type: ignore[attr-defined]  # of named tuples

    result = filled(like)
    if left:
        raise ArgumentError(f"The state of optax has no place for {sorted(left)} of {type(method).__name__}: {like!r:.200}.")
    return result


def from_state(optimizer: Optimizer, params: Tree, state: Any, *, step: int = 0) -> State:
    """Return the state of an optimizer from that of the optimizer of optax that was made with the same arguments.

    Parameters
    ----------
    optimizer : Optimizer
        One of this module's, but for ``muon`` and ``rprop``.
    params : pytree of array
        The parameters, on any library.
    state : pytree
        The state of optax's.
    step : int, default 0
        The number of steps made, where optax does not count them, and does not need it.

    Returns
    -------
    dict

    Raises
    ------
    unidiff.errors.ArgumentError
        If the optimizer is none of these, or a part of its memory is not in the state.
    unidiff.errors.ShapeError, unidiff.errors.DTypeError
        If memory does not fit its parameter.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> from typing import NamedTuple
    >>> class TraceState(NamedTuple):  # as in optax
    ...     trace: object
    >>> optax = ud.optim.presets.optax
    >>> optax.from_state(optax.sgd(0.1, momentum=0.9), np.ones(1), (TraceState(np.asarray([2.0])),), step=3)
    {'step': 3, 'momentum': array([2.])}
    """
    method = method_of(optimizer, NAMES, "optax")
    names, fresh = NAMES[type(method).__name__], method.init(params)
    found = dict(_fields(state))
    new: State = {**fresh, "step": int(found["count"]) if "count" in found else step}
    if "product" in fresh:
        new["product"] = float(vars(method)["b1"] ** new["step"])  # its momentum has no schedule there
    for theirs, ours in names.items():
        if ours not in method.slots():
            continue
        if theirs not in found:
            raise ArgumentError(f"The state of optax has no {theirs!r}, but {sorted(found)}.")
        new[ours] = _converted(found[theirs], fresh[ours], theirs)
    return new


def _fields(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield all fields of named tuples in a state, the counts of schedules among them."""
    if isinstance(node, tuple):
        for field, held in zip(getattr(node, "_fields", map(str, range(len(node)))), node, strict=True):
            yield field, held
            yield from _fields(held)


def _converted(slot: Tree, like: Tree, field: str) -> Tree:
    """Return memory in the shapes, the dtypes and the library of other memory."""
    xs, (likes, spec) = ud.tree.leaves(slot), ud.tree.flatten(like)
    if len(xs) != len(likes):
        raise ArgumentError(f"{field!r} has {len(xs)} arrays, but it belongs to {len(likes)}.")
    return ud.tree.unflatten(spec, [_one(x, y, field) for x, y in zip(xs, likes, strict=True)])


def _one(x: Array, like: Array, field: str) -> Array:
    # Adafactor's means of rows and columns keep the axis here, its means of steps have the other sign, and what a leaf does not
    # need is of one element there.
    if _size(x) != _size(like) and {0, 1} == {_size(x), _size(like)}:
        return like
    xp = ud.array_namespace(x)
    if _size(x) == _size(like):
        x = xp.reshape(x, tuple(like.shape))
    if field == "ema":
        return fitted(xp.astype(x * -1.0, getattr(xp, str(like.dtype).rpartition(".")[2])), like, field)
    return fitted(x, like, field)


def _size(x: Array) -> int:
    size = 1
    for n in x.shape:
        size *= int(n)
    return size
