"""One call of a function with a rule of its own: between the user's pytrees and the flat sequences that backends see."""

from collections.abc import Callable, Sequence
from typing import Any

from unidiff import registry, tree
from unidiff._typing import Array, Arrays, Tree
from unidiff.calls import not_an_output
from unidiff.dispatch import dtype_name, find_backend, scalar_dtype
from unidiff.errors import DTypeError, MixedBackendsError, MixedDevicesError, NotAnArrayError, ShapeError, TreeError

__all__ = ["Like", "RuleCall"]

_of_type = registry.of_type
_SCALAR = registry.SCALAR

_KINDS = 64
"""Of so many kinds of calls of a function it is known that its rule is linear."""


class Like:
    """Shape, dtype and device of an array, without the array."""

    __slots__ = ("backend", "device", "dtype", "shape")

    def __init__(self, backend: Any, x: Array) -> None:
        self.backend, self.shape, self.dtype, self.device = backend, tuple(x.shape), x.dtype, backend.device(x)

    def zeros(self) -> Array:
        """Return zeros of this kind."""
        return self.backend.namespace().zeros(self.shape, dtype=self.dtype, device=self.device)


class RuleCall:
    """One call of a function with a rule, between pytrees and the flat sequences of arrays that a backend sees.

    Attributes
    ----------
    fixed : tuple
        The arguments that are not differentiated.
    arrays : tuple of array
        The arrays in all others.
    out : object
        The structure of the output, once it is known.
    """

    __slots__ = (
        "args",
        "arrays",
        "backend",
        "custom",
        "fixed",
        "kind",
        "kinds",
        "leaves",
        "likes",
        "out",
        "places",
        "positions",
        "spec",
    )

    def __init__(self, custom: Any, args: tuple[Any, ...]) -> None:
        self.custom, self.args = custom, args
        fixed = custom.fixed(len(args)) if custom.nondiff_argnums or custom.nondiff_argnames else ()
        self.fixed = tuple(args[i] for i in fixed)
        self.positions = [i for i in range(len(args)) if i not in fixed]
        self.leaves, self.spec = tree.flatten(tuple(args[i] for i in self.positions))
        self.backend, self.kind = find_backend(self.leaves, {})
        for k, x in enumerate(self.leaves):
            if _of_type(x) is not self.kind and _of_type(x) is not _SCALAR:
                raise NotAnArrayError(
                    f"The {self.path(k)} of {custom.name} is {x!r:.200} of type {type(x).__qualname__}, which is not an "
                    "array: name the argument in nondiff_argnums."
                )
        self.places = [k for k, x in enumerate(self.leaves) if _of_type(x) is self.kind]
        self.arrays = tuple(self.leaves[k] for k in self.places)
        self.likes = [Like(self.backend, x) for x in self.arrays]
        self.leaves = [None if _of_type(x) is self.kind else x for x in self.leaves]
        self.out: Any = None
        self.kinds: Any = None

    def path(self, k: int, what: str = "argument") -> str:
        """Say where the k-th leaf of the differentiated arguments is, such as ``argument 0['w']``."""
        number, _, rest = tree.paths(self.spec)[k][1:].partition("]")
        return f"{what} {self.positions[int(number)]}{rest}"

    def dynamic(self, arrays: Sequence[Any], others: Callable[[Any], Any] = lambda x: x) -> tuple[Any, ...]:
        """Return the differentiated arguments with these arrays in them; `others` says what Python numbers become."""
        leaves = list(map(others, self.leaves))
        for k, x in zip(self.places, arrays, strict=True):
            leaves[k] = x
        return tuple(tree.unflatten(self.spec, leaves))

    def full(self, arrays: Arrays) -> tuple[Any, ...]:
        """Return all arguments with these arrays in them."""
        args = list(self.args)
        for i, x in zip(self.positions, self.dynamic(arrays), strict=True):
            args[i] = x
        return tuple(args)

    def flat(self) -> Callable[..., Arrays]:
        """Return the function as one of the arrays; what it uses beside them is in its closure, where backends may look."""
        fun, fixed = self.custom.fun, self.fixed

        def flat(*arrays: Array, _fixed: tuple[Any, ...] = fixed) -> Arrays:
            return self.outputs(fun(*self.full(arrays)), self.custom.name)

        flat.__name__ = self.custom.name  # which backends have for their messages
        flat.found_linear = self.found_linear  # type: ignore[attr-defined]  # for those to whom a look at the rule costs much
        return flat

    def found_linear(self) -> list[bool]:
        """Return where a backend may note that it has found the rule linear, for all calls of this kind."""
        kinds = tuple((like.shape, dtype_name(like.dtype)) for like in self.likes)
        kind = (self.backend.name, kinds, self.spec, tuple(self.leaves), self.fixed)
        try:
            hash(kind)
        except TypeError:
            return []
        known: dict[Any, list[bool]] = self.custom.linear
        if len(known) > _KINDS:
            known.clear()
        return known.setdefault(kind, [])

    def outputs(self, out: Tree, who: str) -> Arrays:
        """Return the leaves of an output as arrays; its structure is that of the output of all these functions."""
        leaves, spec = tree.flatten(out)
        if self.out is not None and self.out != spec:
            raise TreeError(f"{who} returned an output of the structure {spec}, but {self.custom.name} returned {self.out}.")
        self.out = spec
        arrays = tuple(self._array(k, x) for k, x in enumerate(leaves))
        found = [(tuple(x.shape), x.dtype) for x in arrays]
        if self.kinds not in (None, found):
            self._refuse(found, who)
        self.kinds = found
        return arrays

    def _refuse(self, found: list[Any], who: str) -> None:
        """Raise for an output of a rule that differs in shape or dtype from that of the function."""
        for (shape, dtype), (wanted, expected), path in zip(found, self.kinds, tree.paths(self.out, "output"), strict=True):
            if shape != wanted:
                raise ShapeError(f"{who} returned an {path} of the shape {shape}, but that of {self.custom.name} has {wanted}.")
            if dtype != expected:
                raise DTypeError(
                    f"{who} returned an {path} of the dtype {dtype_name(dtype)}, but that of {self.custom.name} has "
                    f"{dtype_name(expected)}."
                )

    def _array(self, k: int, x: Any) -> Array:
        if _of_type(x) is self.kind:
            return x
        if _of_type(x) is not _SCALAR:
            raise not_an_output(self.backend, x, tree.paths(self.out, "output")[k])
        dtype = scalar_dtype(self.backend, x, self.arrays)
        return self.backend.asarray(x, dtype=dtype, device=self.likes[0].device)

    def build(self, outs: Arrays) -> Tree:
        """Return the output that consists of these arrays."""
        return tree.unflatten(self.out, outs)

    def tangents(self, tangents: Sequence[Array | None]) -> tuple[Any, ...]:
        """Return the tangents of the differentiated arguments; those of integers and Python numbers are zero."""
        full = [like.zeros() if t is None else t for t, like in zip(tangents, self.likes, strict=True)]
        return self.dynamic(full, lambda x: x if x is None else type(x)(0))

    def aligned(self, values: Tree, like: Tree, name: str) -> list[Any]:
        """Return the leaves of what a rule returned beside those of a tree, None for what it left out."""
        entries = tree.spread(values, like, name)
        if len(tree.leaves(values)) != sum(x is not None for x in entries):
            raise TreeError(
                f"The {name} has the structure {tree.structure(values)}, but it must have that of {tree.structure(like)}."
            )
        return entries

    def cotangents(self, pulled: Any, who: str) -> list[Array | None]:
        """Return what a backward function returned, one for each array of the call."""
        if not isinstance(pulled, (tuple, list)) or len(pulled) != len(self.positions):
            found = f"{len(pulled)} entries" if isinstance(pulled, (tuple, list)) else f"{pulled!r:.200}"
            raise TreeError(
                f"{who} must return a tuple of {len(self.positions)}, one for each argument, but it returned {found}."
            )
        marks = self.dynamic(self.places, lambda _: -1)
        entries: list[Any] = []
        for i, value, mark in zip(self.positions, pulled, marks, strict=True):
            entries += self.aligned(value, mark, f"cotangent of argument {i}")
        found_at = dict(zip(tree.leaves(marks), entries, strict=True))
        return [
            self.fit(found_at[k], like, self.path(k, "cotangent of argument"))
            for k, like in zip(self.places, self.likes, strict=True)
        ]

    def fit(self, t: Any, like: Like, where: str, *, required: bool = False) -> Array | None:
        """Return a tangent or cotangent for an array, None for zero, or raise what is wrong with it."""
        b, rule = self.backend, f"the rule of {self.custom.name}"
        floating = b.kind(like.dtype).endswith("floating")
        if t is None:
            if required and floating:
                raise TreeError(
                    f"The {where} that {rule} returned is None, but the output is {dtype_name(like.dtype)}: return zeros."
                )
            return None
        if not floating and dtype_name(getattr(t, "dtype", "")) == "float0":
            return None
        if _of_type(t) is _SCALAR:
            if like.shape:
                raise ShapeError(f"The {where} that {rule} returned is a number, but it must have the shape {like.shape}.")
            t = b.asarray(t, dtype=like.dtype, device=like.device)
        if _of_type(t) is None:
            raise NotAnArrayError(
                f"The {where} that {rule} returned is {t!r:.200} of type {type(t).__qualname__}, not an array."
            )
        if _of_type(t) is not self.kind:
            raise MixedBackendsError(
                f"The {where} that {rule} returned is an array of {_of_type(t).name!r}, but the arguments are of {b.name!r}."
            )
        if tuple(t.shape) != like.shape:
            raise ShapeError(f"The {where} that {rule} returned has the shape {tuple(t.shape)}, but it must have {like.shape}.")
        if t.dtype != like.dtype:
            raise DTypeError(
                f"The {where} that {rule} returned has the dtype {dtype_name(t.dtype)}, but it must have "
                f"{dtype_name(like.dtype)}; convert it with xp.astype."
            )
        if None not in (b.device(t), like.device) and b.device(t) != like.device:
            raise MixedDevicesError(f"The {where} that {rule} returned is on {b.device(t)}, but it must be on {like.device}.")
        return t if floating else None
