"""States of optimizers to and from the ``"state"`` of the ``state_dict`` of ``torch.optim``."""

from collections.abc import Mapping
from typing import Any

import unidiff as ud
from unidiff._typing import Tree
from unidiff.errors import ArgumentError
from unidiff.optim.optimizer import Optimizer, State
from unidiff.optim.presets.exchange import assembled, copies, fitted, inner, method_of

__all__ = ["from_state", "to_state"]

_MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq"}
NAMES: Mapping[str, Mapping[str, str]] = {
    "SGD": {"momentum": "momentum_buffer"},
    "ASGD": {"average": "ax"},
    "Adam": _MOMENTS,
    "AdamW": _MOMENTS,
    "AMSGrad": {**_MOMENTS, "v_max": "max_exp_avg_sq"},
    "Adamax": {"m": "exp_avg", "u": "exp_inf"},
    "NAdam": _MOMENTS,
    "RAdam": _MOMENTS,
    "RMSprop": {"v": "square_avg", "momentum": "momentum_buffer", "mean": "grad_avg"},
    "Adagrad": {"sum": "sum"},
    "Adadelta": {"v": "square_avg", "u": "acc_delta"},
    "Rprop": {"gradient": "prev", "size": "step_size"},
    "Adafactor": {"row": "row_var", "column": "col_var", "v": "variance"},
    "Muon": {"momentum": "momentum_buffer"},
}
"""What the slots are called there."""
_UNCOUNTED = {"SGD", "Muon"}
"""Those that count no steps there."""
_SCALARS: Mapping[str, str] = {"product": "mu_product", "eta": "eta", "mu": "mu"}
"""What scalars of memory are called there."""


def to_state(optimizer: Optimizer, state: State) -> dict[int, dict[str, Any]]:
    """Return a state as the ``"state"`` entry of the ``state_dict`` of an optimizer of PyTorch with the same arguments.

    Parameters
    ----------
    optimizer : Optimizer
        One of this module's.
    state : dict
        Its state, on any library.

    Returns
    -------
    dict of int to dict
        For each parameter, in the order of `unidiff.tree.leaves`, which must be that of the parameters there, its memory, in
        arrays of the library of the state: `unidiff.to_backend` makes them tensors. Before the first step there is none.

    Raises
    ------
    unidiff.errors.ArgumentError
        If the optimizer is none of this module.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> torch = ud.optim.presets.torch
    >>> optimizer, x = torch.SGD(0.1, momentum=0.9), np.ones(2)
    >>> _, state = optimizer.step(x, x, optimizer.init(x))
    >>> torch.to_state(optimizer, state)
    {0: {'momentum_buffer': array([1., 1.])}}
    """
    method = method_of(optimizer, NAMES, "PyTorch")
    state = inner(optimizer, state)
    names = NAMES[type(method).__name__]
    slots = {names[name]: copies(state[name]) for name in method.slots()}
    if int(state["step"]) == 0 or not slots:
        return {}
    columns = list(slots.values())
    scalars = {} if type(method).__name__ in _UNCOUNTED else {"step": float(state["step"])}
    scalars |= {_SCALARS[name]: float(state[name]) for name in method.memory}
    moved: dict[int, dict[str, Any]] = {}
    for k, first in enumerate(columns[0]):
        asarray = ud.get_backend(first).asarray
        moved[k] = {name: asarray(x, dtype="float32" if name == "step" else None) for name, x in scalars.items()}
        moved[k] |= {name: xs[k] for name, xs in slots.items() if xs[k].shape != (0,) or "row_var" not in slots}
    return moved


def from_state(optimizer: Optimizer, params: Tree, state: Mapping[int, Mapping[str, Any]], *, step: int | None = None) -> State:
    """Return the state of an optimizer from the ``"state"`` entry of the ``state_dict`` of an optimizer of PyTorch.

    Parameters
    ----------
    optimizer : Optimizer
        One of this module's, made with the same arguments.
    params : pytree of array
        The parameters, on any library, whose leaves are in the order of the parameters there.
    state : mapping of int to mapping
        What ``state_dict()["state"]`` is.
    step : int, optional
        The number of steps made, which a schedule needs, for ``SGD`` and ``Muon``, which do not count them.

    Returns
    -------
    dict

    Raises
    ------
    unidiff.errors.ArgumentError
        If the optimizer is none of this module, or the state not that of its parameters, or these have made different numbers
        of steps.
    unidiff.errors.ShapeError, unidiff.errors.DTypeError
        If memory does not fit its parameter, as that of complex parameters, which is of pairs there.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> torch = ud.optim.presets.torch
    >>> state = {0: {"step": 3, "sum": np.asarray([2.0])}}
    >>> torch.from_state(torch.Adagrad(), np.ones(1), state)
    {'step': 3, 'sum': array([2.])}
    """
    method = method_of(optimizer, NAMES, "PyTorch")
    fresh = method.init(params)
    paths = ud.tree.paths(ud.tree.structure(params), "params")
    if not state or all(not any(x is not None for x in held.values()) for held in state.values()):
        return assembled(optimizer, {**fresh, "step": step or 0})
    if sorted(state) != list(range(len(paths))):
        raise ArgumentError(f"There is a state for the parameters {sorted(state)}, but there are {len(paths)} parameters.")
    uncounted = type(method).__name__ in _UNCOUNTED
    counts = {1 if step is None else step} if uncounted else {int(held["step"]) for held in state.values()}
    if len(counts) > 1:
        raise ArgumentError(f"The parameters have made different numbers of steps, {sorted(counts)}: give them to a partition.")
    new: State = {**fresh, "step": counts.pop()}
    new |= {name: float(state[0][_SCALARS[name]]) for name in method.memory}
    for name in method.slots():
        theirs = NAMES[type(method).__name__][name]
        likes, spec = ud.tree.flatten(fresh[name])
        arrays = []
        for k, like in enumerate(likes):
            given = state[k].get(theirs)
            if given is None and 0 not in like.shape:
                raise ArgumentError(f"The state of {paths[k]} has no {theirs!r}, but {sorted(state[k])}.")
            arrays.append(like if given is None else fitted(given, like, f"{theirs} of {paths[k]}"))
        new[name] = ud.tree.unflatten(spec, arrays)
    return assembled(optimizer, new)
