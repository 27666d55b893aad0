"""What branches and loops take and return: pytrees for the user, flat sequences of arrays for a backend."""

from collections.abc import Callable, Sequence
from typing import Any

from unidiff import registry, tree
from unidiff._typing import Array, Arrays, Tree
from unidiff.calls import not_an_output
from unidiff.derive import CompleteBackend
from unidiff.dispatch import dtype_name, scalar_dtype
from unidiff.errors import DTypeError, NotAnArrayError, ShapeError, TreeError

__all__ = ["Flow", "Leaves"]

_of_type = registry.of_type
_SCALAR = registry.SCALAR


class Leaves:
    """The leaves of a pytree that are given to a branch or a loop.

    Attributes
    ----------
    arrays : tuple of array
        The leaves as arrays, for the caller to do with what he likes.
    given : tuple of array
        The leaves that the arrays were made from.
    """

    __slots__ = ("arrays", "given", "name", "spec")

    def __init__(self, name: str, spec: Any, arrays: Arrays, given: Arrays) -> None:
        self.name, self.spec, self.arrays, self.given = name, spec, arrays, given

    def path(self, k: int) -> str:
        """Say where the k-th leaf is, such as ``init['w']``."""
        return tree.paths(self.spec, self.name)[k]


class Flow:
    """What a branch or a loop takes and returns, between pytrees and the flat sequences of arrays that a backend sees."""

    __slots__ = ("arrays", "backend", "kinds", "out")

    def __init__(self, backend: CompleteBackend, kind: Any, leaves: Sequence[Any]) -> None:
        self.backend = backend
        self.kinds = (kind, backend)  # traced arrays may be of a kind of their own where the backend was named
        self.arrays = [x for x in leaves if _of_type(x) in self.kinds]
        self.out: Any = None

    def array(self, x: Any, where: Callable[[], str], like: Array | None = None) -> Array:
        """Return a leaf as an array; Python numbers take the dtype of `like`, or that of the arrays in the call."""
        b, kind = self.backend, _of_type(x)
        if kind in self.kinds:
            return x
        if kind is not _SCALAR:
            raise not_an_output(b, x, where())
        device = b.device(self.arrays[0]) if self.arrays else None
        dtype = scalar_dtype(b, x, self.arrays)
        if like is not None and (isinstance(x, int) or b.kind(like.dtype) != "integral"):
            dtype = like.dtype
        return b.asarray(x, dtype=dtype, device=device)

    def flatten(self, values: Tree, name: str, *, convert: bool = True) -> Leaves:
        """Return the leaves of what the caller gave."""
        found, spec = tree.flatten(values)
        for k, x in enumerate(found):
            if _of_type(x) not in self.kinds and not (convert and _of_type(x) is _SCALAR):
                raise NotAnArrayError(
                    f"The {tree.paths(spec, name)[k]} is {x!r:.200} of type {type(x).__qualname__}, which is not an array."
                )
        arrays = tuple(self.array(x, lambda: name) for x in found)
        return Leaves(name, spec, arrays, arrays)

    def carry(self, init: Tree) -> Leaves:
        """Return the leaves of a first carry, copied where the steps could change them in place."""
        leaves = self.flatten(init, "carry")
        if self.backend.info.capabilities.mutation:
            leaves.arrays = tuple(map(self.backend.copy, leaves.arrays))
        return leaves

    def next(self, value: Tree, carry: Leaves) -> Arrays:
        """Return the leaves of the carry after a step, checked against those before it."""
        found, spec = tree.flatten(value)
        if spec != carry.spec:
            raise TreeError(f"A step must keep the structure of the carry, {carry.spec}, but it returned {spec}.")
        pairs = zip(found, carry.arrays, strict=True)
        kinds = self.kinds
        return tuple(
            x if _of_type(x) in kinds and x.shape == like.shape and x.dtype == like.dtype else self._kept(k, x, like, carry)
            for k, (x, like) in enumerate(pairs)
        )

    def _kept(self, k: int, x: Any, like: Array, carry: Leaves) -> Array:
        x = self.array(x, lambda: carry.path(k), like)
        if tuple(x.shape) != tuple(like.shape):
            raise ShapeError(
                f"A step must keep the shapes of the carry, but the {carry.path(k)} has the shape {tuple(like.shape)} before "
                f"and {tuple(x.shape)} after it."
            )
        if x.dtype != like.dtype:
            raise DTypeError(
                f"A step must keep the dtypes of the carry, but the {carry.path(k)} is {dtype_name(like.dtype)} before and "
                f"{dtype_name(x.dtype)} after it; convert the first value or the result with xp.astype."
            )
        return x

    def branch(self, f: Callable[..., Any], spec: Any) -> Callable[..., Arrays]:
        """Return a branch as a function of the flat operands, whose results must agree with those of the other branch."""

        def flat(*arrays: Array) -> Arrays:
            first = self.out
            outs = self.output(f(*tree.unflatten(spec, arrays)))
            shapes = [(tuple(x.shape), x.dtype) for x in outs]
            if first is not None and first[0] != self.out:
                raise TreeError(f"Both branches must return one structure, but one returns {first[0]} and one {self.out}.")
            for k, (one, other) in enumerate(zip(first[1] if first else shapes, shapes, strict=True)):
                if one[0] != other[0]:
                    raise ShapeError(f"The branches return {one[0]} and {other[0]} as the shape of the {self._path(k)}.")
                if one[1] != other[1]:
                    names = f"{dtype_name(one[1])} and {dtype_name(other[1])}"
                    raise DTypeError(f"The branches return {names} as the dtype of the {self._path(k)}.")
            self.out = self.out, shapes
            return outs

        return flat

    def _path(self, k: int) -> str:
        return tree.paths(self.out, "output")[k]

    def output(self, value: Tree) -> Arrays:
        """Return the leaves of a result as arrays, and keep its structure for `build`."""
        found, self.out = tree.flatten(value)
        return tuple(self.array(x, lambda k=k: self._path(k)) for k, x in enumerate(found))  # type: ignore[misc]  # bound early

    def build(self, leaves: Arrays) -> Tree:
        """Return the result that consists of these leaves."""
        return tree.unflatten(self.out[0] if isinstance(self.out, tuple) else self.out, leaves)

    def truth(self, x: Any, what: str) -> Array:
        """Return a condition as a boolean array of shape ()."""
        b = self.backend
        if _of_type(x) not in self.kinds:
            if _of_type(x) is not _SCALAR:
                raise NotAnArrayError(f"The {what} is {x!r:.200} of type {type(x).__qualname__}, not a boolean.")
            return b.asarray(bool(x), device=b.device(self.arrays[0]) if self.arrays else None)
        if tuple(x.shape) != ():
            raise ShapeError(
                f"The {what} must be one boolean, of shape (), but its shape is {tuple(x.shape)}. Reduce it with xp.all or "
                "xp.any, or use xp.where to choose element by element."
            )
        return x if b.kind(x.dtype) == "bool" else x != 0
