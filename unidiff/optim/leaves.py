"""Turns the pytrees that an optimizer is called with into checked, flat lists of arrays."""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import (
    ArgumentError,
    DTypeError,
    MixedBackendsError,
    MixedDevicesError,
    NotAnArrayError,
    ShapeError,
    TreeError,
)

__all__ = ["Leaves", "collect", "constant", "slot_leaves"]

_shape, _dtype = attrgetter("shape"), attrgetter("dtype")


class Leaves(NamedTuple):
    """The leaves of parameters, and of gradients or updates of the same structure, shapes and dtypes.

    Attributes
    ----------
    backend : CompleteBackend or None
        The backend of the arrays; None where there is no leaf.
    params, grads : list of array
    spec : object
        The structure.
    """

    backend: Any
    params: list[Array]
    grads: list[Array]
    spec: Any

    def build(self, leaves: Sequence[Any]) -> Tree:
        """Build a tree of the structure of the parameters."""
        return ud.tree.unflatten(self.spec, leaves)

    def path(self, k: int, name: str = "params") -> str:
        """Say where the k-th leaf is, such as ``params['w']``."""
        return ud.tree.paths(self.spec, name)[k]

    def same_device(self) -> None:
        """Raise MixedDevicesError where the gradient of a parameter lives on another device than the parameter."""
        for k, (p, g) in enumerate(zip(self.params, self.grads, strict=True)):
            ours, other = self.backend.device(p), self.backend.device(g)
            if ours is not None and other is not None and ours != other:
                raise MixedDevicesError(
                    f"{self.path(k)} is on {ours}, but {self.path(k, 'grads')} is on {other}; move it with unidiff.to_device."
                )


def constant(backend: Any, x: Array) -> Array:
    """Return an array as a constant to every differentiation, where its backend can tell; of others it is read as it is."""
    stopped: Array = backend.stop_gradient(x) if "stop_gradient" in backend.native else x
    return stopped


_ABSENT = object()


def collect(params: Tree, grads: Tree = _ABSENT, name: str = "grads", of: str = "params") -> Leaves:
    """Flatten parameters and gradients, which messages call `of` and `name`, and check that they fit.

    Raises
    ------
    unidiff.errors.TreeError, unidiff.errors.ShapeError, unidiff.errors.DTypeError, unidiff.errors.MixedBackendsError
        If a gradient does not fit its parameter, or a parameter is not of a real or complex floating dtype; the message names
        the leaf.
    unidiff.errors.NotAnArrayError
        If a leaf is neither an array nor a Python number.
    """
    ps, spec = ud.tree.flatten(params)
    if grads is _ABSENT:
        gs = ps
    else:
        gs, other = ud.tree.flatten(grads)
        if other != spec:
            raise _other_structure(spec, other, name)
    samples = {type(x): x for x in ps}
    if gs is not ps:
        samples |= {type(x): x for x in gs}
    if any(isinstance(x, (int, float, complex)) for x in samples.values()) or len(samples) > 1:
        ps, gs = _one_kind(spec, ps, gs, name, of)
    if not ps:
        return Leaves(None, ps, gs, spec)
    leaves = Leaves(_backend(ps[0], spec, 0, of), ps, gs, spec)
    dtypes = list(map(_dtype, ps))
    if not all(leaves.backend.kind(dtype).endswith("floating") for dtype in set(dtypes)):
        k = next(k for k, p in enumerate(ps) if not leaves.backend.is_differentiable(p))
        raise DTypeError(
            f"{leaves.path(k, of)} has the dtype {dtypes[k]}, but parameters are of a real or complex floating dtype: "
            "convert it with xp.astype, or leave it out of the parameters."
        )
    if gs is not ps and (list(map(_shape, ps)) != list(map(_shape, gs)) or dtypes != list(map(_dtype, gs))):
        _raise_misfit(leaves, name)
    return leaves


def _backend(x: Any, spec: Any, k: int, name: str) -> Any:
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        raise NotAnArrayError(
            f"{ud.tree.paths(spec, name)[k]} is {x!r:.200} of type {type(x).__qualname__}, neither an array nor a Python float;"
            " if it is a container, make its type known with unidiff.tree.register_node."
        )
    return ud.get_backend(x)


def _one_kind(spec: Any, ps: list[Any], gs: list[Any], name: str, of: str) -> tuple[list[Array], list[Array]]:
    """Check that all leaves belong to one backend, and make arrays of Python floats."""
    named = [(k, x, what) for xs, what in ((ps, of), (gs, name)) for k, x in enumerate(xs)]
    found, where = None, ""
    for k, x, what in named:
        path = ud.tree.paths(spec, what)[k]
        if isinstance(x, int) and not hasattr(x, "dtype"):
            raise DTypeError(f"{path} is the {type(x).__name__} {x!r}, but parameters and gradients are floats or arrays.")
        if isinstance(x, (float, complex)) and not hasattr(x, "dtype"):
            continue
        backend = _backend(x, spec, k, what)
        if found is not None and backend is not found:
            raise MixedBackendsError(
                f"{where} is an array of {found.name!r}, but {path} is one of {backend.name!r}; convert it with "
                f"unidiff.to_backend(x, {found.name!r})."
            )
        found, where = backend, where if found is not None else path
    backend = ud.get_backend(0.0) if found is None else found

    def array(x: Any, other: Any) -> Array:
        if hasattr(x, "dtype"):
            return x
        return backend.asarray(x, dtype=other.dtype if hasattr(other, "dtype") else None)

    arrays = [array(p, g) for p, g in zip(ps, gs, strict=True)]
    if gs is ps:
        return arrays, arrays
    return arrays, [array(g, p) for p, g in zip(arrays, gs, strict=True)]


def _other_structure(spec: Any, other: Any, name: str) -> TreeError:
    ours, theirs = ud.tree.paths(spec), ud.tree.paths(other)
    missing = [path for path in ours if path not in set(theirs)]
    extra = [path for path in theirs if path not in set(ours)]
    what = (
        f"params{missing[0]} has no {name}"
        if missing
        else f"{name}{extra[0]} has no parameter"
        if extra
        else "the containers differ"
    )
    return TreeError(f"The {name} must have the structure of the parameters, but {what}: {spec} and {other}.")


def _raise_misfit(leaves: Leaves, name: str) -> None:
    for k, (p, g) in enumerate(zip(leaves.params, leaves.grads, strict=True)):
        if p.shape != g.shape:
            raise ShapeError(
                f"{leaves.path(k, name)} has the shape {tuple(g.shape)}, but {leaves.path(k)} has the shape {tuple(p.shape)}."
            )
        if p.dtype != g.dtype:
            raise DTypeError(
                f"{leaves.path(k, name)} has the dtype {g.dtype}, but {leaves.path(k)} has the dtype {p.dtype}; "
                "convert one of them with xp.astype."
            )


def slot_leaves(state: Any, names: Sequence[str], spec: Any, owner: str) -> dict[str, list[Array]]:
    """Return the leaves of the slots of a state, or raise what makes it no state of these parameters."""
    if not isinstance(state, Mapping) or not {"step", *names} <= state.keys():
        keys = sorted(state) if isinstance(state, Mapping) else type(state).__name__
        raise ArgumentError(
            f"The state of {owner} is a dict with the keys {['step', *names]}, as init(params) returns; this one has {keys}."
        )
    slots = {}
    for name in names:
        slots[name], other = ud.tree.flatten(state[name])
        if other != spec:
            raise TreeError(f"The state {name!r} of {owner} has the structure {other}, but the parameters have {spec}.")
    return slots
