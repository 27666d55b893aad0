"""Pytrees as one real vector, the form in which the solvers compute; a complex entry is two coordinates."""

from collections.abc import Sequence
from numbers import Number, Real
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import MixedDevicesError, ShapeError, TracedConversionError, TreeError
from unidiff.optim.leaves import collect, constant

__all__ = ["Layout", "flat", "read"]


class Layout:
    """The vectors of the structure, shapes and dtypes of a pytree.

    Parameters
    ----------
    like : pytree of array
        Real or complex floating arrays of one backend and device, or Python floats.
    name : str
        What it is called, for messages.

    Attributes
    ----------
    backend : CompleteBackend
    dtype : dtype
        The widest real dtype among the leaves.
    dimension : int
    """

    def __init__(self, like: Tree, name: str = "x0") -> None:
        found = collect(like, of=name)
        if not found.params:
            raise TreeError(f"{name} has no arrays.")
        self.backend, self.leaves, self.spec, self.name = found.backend, found.params, found.spec, name
        b, first = self.backend, self.leaves[0]
        self.device = b.device(first)
        for k, x in enumerate(self.leaves):
            if b.device(x) != self.device:
                paths = ud.tree.paths(self.spec, name)
                raise MixedDevicesError(
                    f"{paths[0]} is on {self.device}, but {paths[k]} is on {b.device(x)}; move it with unidiff.to_device."
                )
        xp = b.namespace()
        self.dtype = b.real_dtype(first.dtype)
        for x in self.leaves[1:]:
            self.dtype = xp.result_type(self.dtype, b.real_dtype(x.dtype))
        self.sizes = [_count(x) * (1 + b.is_complex(x)) for x in self.leaves]
        self.dimension = sum(self.sizes)
        self.epsilon = max(float(xp.finfo(x.dtype).eps) for x in self.leaves)
        self._flat = len(self.leaves) == 1 and len(first.shape) == 1 and not b.is_complex(first)
        self._bare = self._flat and self.spec == ud.tree.structure(0)
        self._shape = (self.dimension,)

    def start(self) -> Array:
        """Return the vector of the pytree itself, in memory of its own."""
        return self.backend.copy(self._join(self.leaves))

    def pack(self, tree: Tree, what: str) -> Array:
        """Return a pytree of this structure as a vector, or raise what is wrong with it."""
        if self._bare and getattr(tree, "shape", None) == self._shape:  # the common case at the least cost
            return tree if tree.dtype == self.dtype else self._join([tree])
        leaves, spec = ud.tree.flatten(tree)
        if spec != self.spec:
            raise TreeError(f"The {what} has the structure {spec}, but {self.name} has the structure {self.spec}.")
        plain = [k for k, x in enumerate(leaves) if type(x) in {int, float} and not self.leaves[k].shape]  # constants
        for k in plain:
            leaves[k] = self.backend.asarray(leaves[k], dtype=self.leaves[k].dtype, device=self.device)
        for k, (x, like) in enumerate(zip(leaves, self.leaves, strict=True)):
            if not hasattr(x, "shape") or tuple(x.shape) != tuple(like.shape):
                shape = tuple(x.shape) if hasattr(x, "shape") else x
                path = ud.tree.paths(spec, what)[k]
                raise ShapeError(f"{path} is of shape {shape}, but it must be of shape {tuple(like.shape)}.")
        return self._join(leaves)

    def _join(self, leaves: Sequence[Array]) -> Array:
        if self._flat and leaves[0].dtype == self.dtype:
            return leaves[0]
        b, parts = self.backend, []
        for x in leaves:
            xp = b.namespace(x)
            real = xp.stack([xp.real(x), xp.imag(x)], axis=-1) if b.is_complex(x) else x
            parts.append(xp.astype(xp.reshape(real, (-1,)), self.dtype, copy=False))
        return b.namespace(*parts).concat(parts) if len(parts) > 1 else parts[0]

    def unpack(self, z: Array) -> Tree:
        """Return the pytree of a vector."""
        if self._bare:
            return z
        if self._flat:
            return ud.tree.unflatten(self.spec, [z])
        b, start, leaves = self.backend, 0, []
        xp = b.namespace(z)
        for like, size in zip(self.leaves, self.sizes, strict=True):
            part = z[start : start + size]
            start += size
            if b.is_complex(like):
                pairs = xp.reshape(part, (size // 2, 2))
                part = pairs[:, 0] + 1j * pairs[:, 1]
            leaves.append(b.asarray(xp.reshape(xp.astype(part, like.dtype, copy=False), tuple(like.shape))))
        return ud.tree.unflatten(self.spec, leaves)

    def copied(self, z: Array) -> Tree:
        """Return the pytree of a vector in memory of its own."""
        return self.unpack(self.backend.copy(z))

    def full(self, value: float, shape: tuple[int, ...] = ()) -> Array:
        """Return an array filled with a number, of the dtype and device of the vectors."""
        return self.backend.namespace().full(shape, value, dtype=self.dtype, device=self.device)

    def vector(self, values: Sequence[float]) -> Array:
        """Return numbers of the host as an array of the dtype and device of the vectors."""
        return self.backend.namespace().asarray(values, dtype=self.dtype, device=self.device, copy=True)

    def identity(self) -> Array:
        """Return the unit matrix."""
        return self.backend.namespace().eye(self.dimension, dtype=self.dtype, device=self.device)


def _count(x: Array) -> int:
    n = 1
    for extent in x.shape:
        n *= extent
    return n


def read(*scalars: Any) -> list[float]:
    """Return the values of 0-d arrays on the host: one by one where they live there, else with one transfer."""
    plain = [x if _is_number[type(x)] else constant(ud.get_backend(x), x) for x in scalars]
    arrays = [x for x in plain if not _is_number[type(x)]]
    try:
        if not arrays or _on_host(arrays[0]):
            return [float(x) for x in plain]
        values = iter(ud.to_numpy(ud.array_namespace(*arrays).stack(arrays)))
    except TracedConversionError as error:
        raise TracedConversionError(NO_VALUES) from error
    return [float(x if _is_number[type(x)] else next(values)) for x in plain]


class _Numbers(dict[type, bool]):
    """Which types are those of real numbers, as far as that has been asked."""

    def __missing__(self, kind: type) -> bool:
        return self.setdefault(kind, issubclass(kind, Real))


_is_number = _Numbers()

NO_VALUES = (
    "solvers decide by values, which arrays inside unidiff.jit and unidiff.vmap do not have. Call the solver outside of them;"
    " unidiff.optim.minimize_batch takes many starts at once."
)


def _on_host(x: Array) -> bool:
    """Tell whether an array is in the memory of the host, computed already."""
    try:
        return bool(x.__dlpack_device__()[0] == _CPU)
    except (AttributeError, BufferError, RuntimeError, TypeError):  # the latter two where it is part of a transform
        return False


_CPU = 1
"""The number of the host's memory in DLPack."""


def flat(tree: Any, layout: Layout) -> Array:
    """Return all real coordinates of a pytree of arrays, traced ones too, as one vector of the dtype of a layout."""
    leaves, b = ud.tree.leaves(tree), layout.backend
    if not leaves:
        raise TreeError("The function returned no arrays.")
    parts = []
    for x in leaves:
        if isinstance(x, Number):  # arithmetic on 0-d arrays of NumPy gives scalars, which are numbers
            real = [x] if isinstance(x, Real) else [x.real, x.imag]  # type: ignore[attr-defined]  # of complex numbers
            parts.append(b.asarray(real, dtype=layout.dtype, device=layout.device))
            continue
        array, xp = x, ud.array_namespace(x)
        if xp.isdtype(array.dtype, "complex floating"):
            array = xp.stack([xp.real(array), xp.imag(array)], axis=-1)
        parts.append(xp.astype(xp.reshape(array, (-1,)), layout.dtype, copy=False))
    return ud.array_namespace(*parts).concat(parts) if len(parts) > 1 else parts[0]
