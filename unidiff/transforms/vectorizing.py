"""The vectorizing map: a function of one slice becomes one of all slices at once."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from unidiff import registry, tree
from unidiff._typing import Array, Arrays, Tree
from unidiff.calls import not_an_output, own
from unidiff.dispatch import find_backend, scalar_dtype
from unidiff.errors import ArgumentError, NotAnArrayError, ShapeError, TreeError

__all__ = ["vmap"]

_of_type = registry.of_type
_SCALAR = registry.SCALAR


def vmap(
    f: Callable[..., Any],
    in_axes: Any = 0,
    out_axes: Any = 0,
    *,
    axis_size: int | None = None,
    backend: Any = None,
) -> Callable[..., Any]:
    """Return a function that maps a function over axes of its arguments, all slices at once.

    The result is that of a loop over the slices whose results are stacked, at the cost of a few operations on whole arrays.
    Maps nest, and go over and under all derivatives.

    Parameters
    ----------
    f : callable
        The function of one slice. Returns a pytree of arrays or Python numbers. It is called once (once for each slice where
        the backend has no batching of its own), so Python control flow in it cannot depend on values that differ between
        slices.
    in_axes : int, None, or tuple or list of pytrees of these
        The axis of the positional arguments to map over: one for all of them, or one entry for each, which may be a pytree
        that covers the argument from its root on (a prefix). Negative axes count from the end; None leaves an argument as it
        is, the same for all slices. Arguments passed by keyword are mapped over their first axis.
    out_axes : int, None, or pytree of these
        Where the mapped axis goes in the outputs, as a prefix of the output. None is for outputs that do not depend on mapped
        arguments, which are then returned once; with an axis they are repeated.
    axis_size : int, optional
        The length of the mapped axes, needed only where no argument has one.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.

    Returns
    -------
    callable
        Takes the arguments of `f` with the mapped axes and returns its output with a mapped axis in each array.

    Raises
    ------
    unidiff.errors.ShapeError
        If mapped axes differ in length, or an array has no such axis.
    unidiff.errors.ArgumentError
        If there is nothing to map over, an axis is no integer, or an output with ``out_axes=None`` differs between slices.
    unidiff.errors.TreeError
        If `in_axes` or `out_axes` does not fit the arguments or the output.
    unidiff.errors.NotAnArrayError
        If a mapped argument or an output is not an array.
    unidiff.errors.TracedConversionError
        If `f` needs the value of a slice: to branch on it, as a Python number, or for the shape of a result, as ``x[mask]``
        does.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.vmap(ud.grad(lambda x: (x**3).sum()))(np.asarray([[1.0, 2.0], [3.0, 4.0]]))
    array([[ 3., 12.],
           [27., 48.]])
    >>> ud.vmap(lambda x, a: a * x, in_axes=(1, None))(np.asarray([[1.0, 2.0], [3.0, 4.0]]), 10.0)
    array([[10., 30.],
           [20., 40.]])
    """
    if not callable(f):
        raise ArgumentError(f"The function to map must be callable, but it is {f!r:.200}.")
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)
    if not isinstance(in_axes, (int, tuple, type(None))):
        raise ArgumentError(
            "in_axes must be an integer, None, or a tuple with one entry for each positional argument, but it is "
            f"{in_axes!r:.200}; for one argument that is a dictionary write (in_axes,)."
        )
    _check_axes(in_axes, "in_axes")
    _check_axes(out_axes, "out_axes")
    if axis_size is not None and (not isinstance(axis_size, int) or isinstance(axis_size, bool) or axis_size < 0):
        raise ArgumentError(f"axis_size must be an integer of at least 0, but it is {axis_size!r:.200}.")

    @wraps(f)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        call = _Map(f, args, kwargs, in_axes, out_axes, backend)
        size = call.size(axis_size)
        b = call.backend
        outs, shared = b.vmap(call.slices, call.arrays, call.flags, size, has_aux=True)
        call.check_shared(shared)
        return call.join(own(b, (*outs, *shared), call.arrays), len(outs))

    return mapped


def _check_axes(axes: Any, name: str) -> None:
    for axis in tree.leaves(axes):
        if not isinstance(axis, int) or isinstance(axis, bool):
            raise ArgumentError(f"The axes in {name} must be integers or None, but one is {axis!r:.200}.")


class _Map:
    """One call of a mapped function, split into the arrays and the rest.

    Attributes
    ----------
    arrays : tuple of array
        The leaves of the arguments that are arrays, mapped axes first.
    flags : tuple of bool
        Which of them are mapped.
    """

    def __init__(
        self, f: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], in_axes: Any, out_axes: Any, backend: Any
    ) -> None:
        self.f, self.out_axes = f, out_axes
        self.backend, self.kind = find_backend(args, kwargs, backend)
        self.leaves, self.spec = tree.flatten((args, dict(kwargs)))
        if isinstance(in_axes, tuple) and len(in_axes) != len(args):
            raise TreeError(f"in_axes has {len(in_axes)} entries, but there are {len(args)} positional arguments.")
        axes = [*tree.spread(in_axes, args, "in_axes"), *[0] * len(tree.leaves(dict(kwargs)))]
        self.axes = [self._checked(k, x, axis) for k, (x, axis) in enumerate(zip(self.leaves, axes, strict=True))]
        self.places = [k for k, x in enumerate(self.leaves) if _of_type(x) is self.kind]
        self.flags = tuple(self.axes[k] is not None for k in self.places)
        self.arrays = tuple(self._front(self.leaves[k], self.axes[k]) for k in self.places)
        self.out_spec: Any = None
        self.stacked: list[int | None] = []

    def path(self, k: int, what: str = "argument") -> str:
        """Say where the k-th leaf of the arguments is, such as ``argument 0['w']``, or ``argument 'key'`` by keyword."""
        _, key, rest = tree.paths(self.spec)[k].split("]", 2)
        return f"{what} {key[1:]}{rest}"

    def _checked(self, k: int, x: Any, axis: int | None) -> int | None:
        """Return the axis of a leaf, not negative, or raise where the leaf has none."""
        if axis is None:
            return None
        if _of_type(x) is not self.kind:
            what = "a number" if _of_type(x) is _SCALAR else f"of type {type(x).__qualname__}"
            raise NotAnArrayError(
                f"{self.path(k, 'Argument')} is to be mapped over axis {axis}, but it is {what}: {x!r:.100}. Give it in_axes "
                "None, which hands it to every slice, or make it an array."
            )
        if not -x.ndim <= axis < x.ndim:
            raise ShapeError(
                f"{self.path(k, 'Argument')} is to be mapped over axis {axis}, but its shape is {tuple(x.shape)}. "
                "Name an axis that it has, or give it in_axes None, which hands it to every slice."
            )
        return axis % int(x.ndim)

    def _front(self, x: Array, axis: int | None) -> Array:
        return self.backend.namespace(x).moveaxis(x, axis, 0) if axis else x

    def size(self, given: int | None) -> int:
        """Return the number of slices."""
        sizes = {k: self.leaves[k].shape[axis] for k, axis in enumerate(self.axes) if axis is not None}
        found = {*sizes.values(), *(() if given is None else (given,))}
        if len(found) > 1:
            where = "; ".join(f"{self.path(k)} has {n} along axis {self.axes[k]}" for k, n in sizes.items())
            stated = "" if given is None else f"axis_size is {given}; "
            raise ShapeError(f"The mapped axes must be of one length, but {stated}{where}.")
        if not found:
            raise ArgumentError(
                "There is nothing to map over: every argument has in_axes None. Name an axis of at least one argument, or pass "
                "axis_size."
            )
        return found.pop()  # type: ignore[no-any-return]  # shapes are foreign

    def slices(self, *arrays: Array) -> tuple[Arrays, Arrays]:
        """Call the function with these arrays; return the outputs to stack, and those that are the same for all slices."""
        leaves = list(self.leaves)
        for k, x in zip(self.places, arrays, strict=True):
            leaves[k] = x
        args, kwargs = tree.unflatten(self.spec, leaves)
        result = self.f(*args, **kwargs)
        found, self.out_spec = tree.flatten(result)
        axes = tree.spread(self.out_axes, result, "out_axes")
        outs = [self._output(k, x) for k, x in enumerate(found)]
        self.stacked = [self._placed(k, x, axis) for k, (x, axis) in enumerate(zip(outs, axes, strict=True))]
        pairs = list(zip(outs, self.stacked, strict=True))
        return tuple(x for x, axis in pairs if axis is not None), tuple(x for x, axis in pairs if axis is None)

    def _output(self, k: int, x: Any) -> Array:
        b, kind = self.backend, _of_type(x)
        if kind is self.kind or kind is b:
            return x
        if kind is not _SCALAR:
            raise not_an_output(b, x, self._output_path(k))
        device = b.device(self.arrays[0]) if self.arrays else None
        return b.asarray(x, dtype=scalar_dtype(b, x, self.arrays), device=device)

    def _output_path(self, k: int) -> str:
        return tree.paths(self.out_spec, "output")[k]

    def _placed(self, k: int, x: Array, axis: int | None) -> int | None:
        """Return where the mapped axis goes in an output, not negative."""
        if axis is None:
            return None
        ndim = int(x.ndim) + 1
        if not -ndim <= axis < ndim:
            raise ShapeError(
                f"The mapped axis of {self._output_path(k)} is to be axis {axis} by out_axes, but with it the array has "
                f"{ndim} axes: a slice of it has the shape {tuple(x.shape)}."
            )
        return axis % ndim

    def check_shared(self, shared: Sequence[Array | None]) -> None:
        """Raise where an output that is to be returned once differs between slices, for which None stands."""
        for k, x in zip((k for k, axis in enumerate(self.stacked) if axis is None), shared, strict=True):
            if x is None:
                raise ArgumentError(
                    f"out_axes is None for the {self._output_path(k)}, but it depends on mapped arguments, so it differs from "
                    "slice to slice. Give it an axis, or reduce the stacked output afterwards."
                )

    def join(self, results: Sequence[Array], mapped: int) -> Tree:
        """Build the output from the stacked arrays, of which there are `mapped`, and those that are shared."""
        stacked, shared = iter(results[:mapped]), iter(results[mapped:])
        leaves = []
        for axis in self.stacked:
            x = next(shared) if axis is None else next(stacked)
            leaves.append(self.backend.namespace(x).moveaxis(x, 0, axis) if axis else x)
        return tree.unflatten(self.out_spec, leaves)
