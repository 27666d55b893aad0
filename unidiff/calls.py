"""Turns a call with pytrees, several arguments, keywords and auxiliary output into the flat functions that backends see."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import index
from typing import Any

from unidiff import registry, tree
from unidiff._typing import Array, Arrays, FlatFunction, Tree
from unidiff.derive import CompleteBackend
from unidiff.dispatch import dtype_name, find_backend, not_differentiable, on_one_device, scalar_dtype
from unidiff.errors import (
    ArgumentError,
    DTypeError,
    MixedBackendsError,
    MixedDevicesError,
    NotAnArrayError,
    ShapeError,
    TreeError,
)

__all__ = ["Call", "Output", "checked_argnums", "own"]

_of_type = registry.of_type
_SCALAR = registry.SCALAR


def checked_argnums(argnums: int | Sequence[int]) -> int | tuple[int, ...]:
    """Return argnums as an int or a tuple of ints, or raise ArgumentError."""
    try:
        return index(argnums)  # type: ignore[arg-type]  # whatever is no integer raises, which is the point
    except TypeError:
        pass
    try:
        numbers = tuple(index(n) for n in argnums)  # type: ignore[union-attr]  # as above
    except TypeError:
        raise ArgumentError(f"argnums must be an integer or a tuple of integers, but it is {argnums!r}.") from None
    if not numbers:
        raise ArgumentError("argnums is empty; name at least one argument.")
    return numbers


@lru_cache(maxsize=256)
def _positions(argnums: int | tuple[int, ...], count: int) -> tuple[int, ...]:
    numbers = (argnums,) if isinstance(argnums, int) else argnums
    for n in numbers:
        if not -count <= n < count:
            raise ArgumentError(
                f"argnums={argnums} is out of range: the function was called with {count} positional argument"
                f"{'' if count == 1 else 's'}. Arguments passed by keyword are not differentiated; pass them by position."
            )
    positions = tuple(n % count for n in numbers)
    if len(set(positions)) < len(positions):
        raise ArgumentError(f"argnums={argnums} names an argument twice.")
    return positions


@lru_cache(maxsize=64)
def _every(count: int) -> tuple[int, ...]:
    return tuple(range(count))


class Call:
    """One call of a function, split into what is differentiated and the rest.

    Parameters
    ----------
    f : callable
        The user's function.
    args, kwargs : tuple, dict
        What it is called with.
    argnums : int or tuple of int
        The positional arguments to differentiate.
    backend : str or Backend or None
        The backend where no array tells it.

    Attributes
    ----------
    backend : CompleteBackend
    primals : tuple of array
        The leaves of the differentiated arguments.
    flat : callable
        `f` as a function of the leaves.
    """

    __slots__ = ("argnums", "args", "backend", "f", "flat", "kind", "kwargs", "positions", "primals", "spec")

    def __init__(
        self, f: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], argnums: Any, backend: Any
    ) -> None:
        self.f, self.args, self.kwargs, self.argnums = f, args, kwargs, argnums
        self.backend, self.kind = b, kind = find_backend(args, kwargs, backend)
        self.positions = positions = _positions(argnums, len(args))
        every = positions == _every(len(args))
        chosen = args if every else tuple([args[i] for i in positions])
        kinds = {*map(_of_type, chosen)}
        if kinds == {kind}:  # the common case, bare arrays, at the least cost
            self.primals, self.spec = chosen, None
        elif kinds <= {kind, _SCALAR}:
            self.primals, self.spec = chosen, None
            self.primals = tuple([self._array(k, x) for k, x in enumerate(chosen)])
        else:
            leaves, self.spec = tree.flatten(chosen)
            self.primals = tuple(leaves)
            self.primals = tuple([self._array(k, x) for k, x in enumerate(leaves)])
        self.flat: FlatFunction = f if every and self.spec is None and not kwargs else self._call
        known = b.differentiable
        for k, x in enumerate(self.primals):
            if not known.get(x.dtype) and not b.is_differentiable(x):
                raise not_differentiable(x, self.path(k))

    def _call(self, *leaves: Array) -> Any:
        args = list(self.args)
        values = leaves if self.spec is None else tree.unflatten(self.spec, leaves)
        for i, value in zip(self.positions, values, strict=True):
            args[i] = value
        return self.f(*args, **self.kwargs)

    def path(self, k: int, what: str = "argument") -> str:
        """Say where the k-th leaf of the differentiated arguments is, such as ``argument 0['w']``."""
        if self.spec is None:
            return f"{what} {self.positions[k]}"
        number, _, rest = tree.paths(self.spec)[k][1:].partition("]")
        return f"{what} {self.positions[int(number)]}{rest}"

    def _array(self, k: int, x: Any) -> Array:
        """Return a leaf as an array: Python numbers take the dtype and the device of the arrays in the call."""
        kind = _of_type(x)
        if kind is self.kind:
            return x
        if kind is _SCALAR:
            if isinstance(x, int):
                raise DTypeError(
                    f"{self.path(k, 'Argument')} is the {type(x).__name__} {x!r}, which cannot be differentiated: "
                    f"pass a float such as {float(x)!r}, or leave it out of argnums."
                )
            b = self.backend
            arrays = self._arrays()
            return b.asarray(x, dtype=scalar_dtype(b, x, arrays), device=b.device(arrays[0]) if arrays else None)
        if kind is None and not hasattr(x, "__array_namespace__"):
            raise NotAnArrayError(
                f"{self.path(k, 'Argument')} is {x!r:.200} of type {type(x).__qualname__}, which is neither an array nor a "
                "Python float; leave it out of argnums, pass it by keyword, or make it an array."
            )
        if kind is None:
            raise registry.unknown_type(type(x))
        return x

    def _arrays(self) -> list[Array]:
        """Return all arrays of the call, whether differentiated or not."""
        if self.spec is None and not self.kwargs and all(_of_type(x) is not None for x in self.args):
            leaves: Sequence[Any] = self.args
        else:
            leaves = tree.leaves((self.args, dict(self.kwargs)))
        return [x for x in leaves if _of_type(x) is self.kind]

    def build(self, leaves: Sequence[Any]) -> Tree:
        """Build what has one entry for each differentiated argument, in the form that argnums has."""
        values = tuple(leaves) if self.spec is None else tree.unflatten(self.spec, leaves)
        return values[0] if isinstance(self.argnums, int) else tuple(values)

    def tangents(self, tangents: Sequence[Tree], what: str = "tangent") -> Arrays:
        """Flatten tangents, one for each differentiated argument, and check them against the primals."""
        if self.spec is None:
            leaves: Sequence[Any] = tuple(tangents)
            for k, t in enumerate(leaves):
                if _of_type(t) is None and (spec := tree.structure(t)) != tree.structure(0):
                    raise TreeError(f"The {self.path(k, what)} has the structure {spec}, but the primal is an array.")
        else:
            leaves, spec = tree.flatten(tuple(tangents))
            if spec != self.spec:
                raise TreeError(f"The {what}s have the structure {spec}, but the primals have the structure {self.spec}.")
        return tuple(
            t
            if _of_type(t) is self.kind and t.shape == x.shape and t.dtype == x.dtype and on_one_device(self.backend, t, x)
            else matching(self, t, x, lambda k=k: self.path(k, what))  # type: ignore[misc]  # k is bound early
            for k, (t, x) in enumerate(zip(leaves, self.primals, strict=True))
        )


def matching(call: Call, t: Any, x: Array, where: Callable[[], str]) -> Array:
    """Return a tangent or cotangent for `x` as an array, or raise what is wrong with its shape, dtype or library."""
    b, kind = call.backend, _of_type(t)
    if kind is _SCALAR and x.shape == ():
        t = b.asarray(t, dtype=x.dtype, device=b.device(x))
    elif kind is _SCALAR:
        raise ShapeError(f"The {where()} is a number, but it must have the shape {tuple(x.shape)}.")
    elif kind is None:
        raise NotAnArrayError(f"The {where()} is {t!r:.200} of type {type(t).__qualname__}, which is not an array.")
    elif kind is not call.kind and kind is not b:
        raise MixedBackendsError(
            f"The {where()} is an array of {kind.name!r}, but the function is differentiated by {b.name!r}; "
            f"convert it with unidiff.to_backend(x, {b.name!r})."
        )
    if t.shape != x.shape:
        raise ShapeError(f"The {where()} has the shape {tuple(t.shape)}, but it must have the shape {tuple(x.shape)}.")
    if t.dtype != x.dtype:
        raise DTypeError(
            f"The {where()} has the dtype {dtype_name(t.dtype)}, but it must have the dtype {dtype_name(x.dtype)}; "
            "convert it with xp.astype."
        )
    if not on_one_device(b, t, x):
        raise MixedDevicesError(
            f"The {where()} is on {b.device(t)}, but it must be on {b.device(x)}; move it with unidiff.to_device."
        )
    return t


def own(b: CompleteBackend, results: Sequence[Array], *inputs: Sequence[Array]) -> Arrays:
    """Return the results with a copy in place of each array that is also an input or an earlier result.

    A backend sees to it that a result is no view of another array; what it may return is an array itself, handed through.
    """
    if not b.info.capabilities.mutation:
        return results
    different, count = {*map(id, results)}, len(results)
    for xs in inputs:
        different.update(map(id, xs))
        count += len(xs)
    if len(different) == count:
        return results
    seen = {id(x) for xs in inputs for x in xs}
    owned = []
    for x in results:
        y = b.copy(x) if id(x) in seen else x
        seen.add(id(y))
        owned.append(y)
    return tuple(owned)


class Output:
    """Splits what a function returns into the outputs to differentiate and the rest, and joins results again.

    Arrays of an integer or boolean dtype have derivative zero; they travel with the auxiliary arrays, so that a backend is
    only asked to differentiate floating outputs. Where there is none at all, a constant stands in.

    Parameters
    ----------
    call : Call
        The call whose function this is.
    has_aux : bool
        Whether the function returns a pair ``(out, aux)``.
    """

    __slots__ = ("aux", "aux_spec", "call", "differentiable", "has_aux", "leaves", "spec")

    def __init__(self, call: Call, has_aux: bool) -> None:
        self.call, self.has_aux = call, has_aux
        self.spec: Any = None
        self.aux_spec: Any = None
        self.aux: list[Any] = []
        self.differentiable: list[bool] = []
        self.leaves: list[Any] = []

    def __call__(self, *leaves: Array) -> tuple[Arrays, Arrays]:
        """Call the function with these leaves and split what it returns."""
        return self.split(self.call.flat(*leaves))

    def split(self, result: Any) -> tuple[Arrays, Arrays]:
        """Return the floating outputs and all other arrays of what the function returned."""
        aux: Arrays = ()
        if self.has_aux:
            result, auxiliary = pair(result)
            aux = self._split_aux(auxiliary)
        b, kind = self.call.backend, self.call.kind
        if _of_type(result) is kind and b.is_differentiable(result):
            self.spec, self.differentiable = None, [True]
            return (result,), aux
        found, self.spec = tree.flatten(result)
        arrays = [self._array(k, x) for k, x in enumerate(found)]
        self.differentiable = [b.is_differentiable(x) for x in arrays]
        outs = tuple(x for x, yes in zip(arrays, self.differentiable, strict=True) if yes)
        rest = tuple(x for x, yes in zip(arrays, self.differentiable, strict=True) if not yes)
        return outs or (self._constant(),), (*rest, *aux)

    def _split_aux(self, aux: Tree) -> Arrays:
        own = (self.call.kind, self.call.backend)  # traced arrays may be of a kind of their own where the backend was named
        leaves, self.aux_spec = tree.flatten(aux)
        arrays = tuple(x for x in leaves if _of_type(x) in own)
        self.aux = [None if _of_type(x) in own else (x,) for x in leaves]
        return arrays

    def _constant(self) -> Array:
        return self.call.backend.asarray(0.0, device=self._device())

    def _device(self) -> Any:
        primals = self.call.primals
        return self.call.backend.device(primals[0]) if primals else None

    def _array(self, k: int, x: Any) -> Array:
        b, kind = self.call.backend, _of_type(x)
        if kind is self.call.kind or kind is b:
            if b.kind(x.dtype) == "other":
                raise DTypeError(
                    f"The {tree.paths(self.spec, 'output')[k]} has the dtype {dtype_name(x.dtype)}, which is not made of "
                    "numbers: return it as auxiliary with has_aux=True."
                )
            return x
        if kind is _SCALAR:
            return b.asarray(x, dtype=scalar_dtype(b, x, self.call.primals), device=self._device())
        raise not_an_output(b, x, tree.paths(self.spec, "output")[k])

    def join(self, outs: Arrays, rest: Arrays) -> tuple[Tree, Tree]:
        """Build the output and the auxiliary output from what a backend returned."""
        values, others = iter(outs), iter(rest)
        self.leaves = [next(values) if yes else next(others) for yes in self.differentiable]
        out = self.build(self.leaves)
        if not self.has_aux:
            return out, None
        return out, tree.unflatten(self.aux_spec, [next(others) if x is None else x[0] for x in self.aux])

    def build(self, leaves: Sequence[Any]) -> Tree:
        """Build what has one entry for each leaf of the output."""
        return leaves[0] if self.spec is None else tree.unflatten(self.spec, leaves)

    def join_tangents(self, tangents: Arrays) -> Tree:
        """Build the tangent of the output; integer and boolean leaves have zeros of their own dtype."""
        values, zeros = iter(tangents), self.call.backend.zeros_like
        pairs = zip(self.leaves, self.differentiable, strict=True)
        return self.build([next(values) if yes else zeros(x) for x, yes in pairs])

    def cotangents(self, cotangent: Tree) -> Arrays:
        """Flatten a cotangent of the output and check it; what belongs to integer and boolean leaves has no effect."""
        if self.spec is None and _of_type(cotangent) is not None:
            return (matching(self.call, cotangent, self.leaves[0], lambda: "cotangent"),)
        leaves, spec = tree.flatten(cotangent)
        wanted = tree.structure(0) if self.spec is None else self.spec
        if spec != wanted:
            raise TreeError(f"The cotangent has the structure {spec}, but the output has the structure {wanted}.")
        cotangents = []
        for k, (t, out, yes) in enumerate(zip(leaves, self.leaves, self.differentiable, strict=True)):
            checked = matching(self.call, t, out, lambda k=k: tree.paths(wanted, "cotangent")[k])  # type: ignore[misc]  # bound early
            if yes:
                cotangents.append(checked)
        return tuple(cotangents) or (self._constant(),)


def pair(result: Any) -> tuple[Any, Any]:
    """Return what a function with auxiliary output returned, or raise ArgumentError if it is not a pair."""
    if not (isinstance(result, tuple) and len(result) == 2):
        raise ArgumentError(f"With has_aux=True the function must return a tuple (out, aux), but it returned {result!r:.200}.")
    return result


def not_an_output(b: CompleteBackend, x: Any, where: str) -> Exception:
    """Return the error for an output that is not an array of the backend."""
    kind = _of_type(x)
    if isinstance(kind, CompleteBackend):
        return MixedBackendsError(
            f"The {where} is an array of {kind.name!r}, but the function was called with arrays of {b.name!r}: the derivative "
            "is lost on the way. Use unidiff.array_namespace(x) inside the function instead of a fixed library."
        )
    return NotAnArrayError(f"The {where} is {x!r:.200} of type {type(x).__qualname__}, neither an array nor a Python number.")
