"""Arrays by their coordinates: unit arrays, inner products, and linear functions on all unit arrays."""

from collections.abc import Callable, Iterator

from unidiff._typing import Array, Arrays
from unidiff.derive.complete import CompleteBackend


def size(x: Array) -> int:
    """Return the number of elements of an array from its shape, which is known also where ``x.size`` is not."""
    count = 1
    for n in x.shape:
        count *= n
    return count


def inner(backend: CompleteBackend, x: Array, y: Array) -> Array:
    """Return the real inner product Re <x, y> of two arrays of one shape, as a 0-d array."""
    xp = backend.namespace(x, y)
    return xp.sum(xp.real(xp.conj(x) * y) if backend.is_complex(x) else x * y)


def basis(backend: CompleteBackend, x: Array) -> Iterator[Array]:
    """Yield the unit arrays of the shape of `x`; for a complex `x` each along 1 and then along i."""
    xp, device = backend.namespace(), backend.device(x)
    index = xp.arange(size(x), device=device)
    for k in range(size(x)):
        unit = xp.reshape(xp.astype(index == k, x.dtype), x.shape)
        yield unit
        if backend.is_complex(x):
            yield 1j * unit


def from_parts(backend: CompleteBackend, parts: list[Array], like: Array) -> Array:
    """Return the array of the shape and dtype of `like` whose coordinates in `basis` are these 0-d arrays."""
    if not parts:
        return backend.zeros_like(like)
    xp = backend.namespace(*parts)
    flat = xp.astype(xp.stack(parts), like.dtype, copy=False)
    if backend.is_complex(like):
        flat = flat[0::2] + 1j * flat[1::2]
    return xp.reshape(flat, like.shape)


def inner_all(b: CompleteBackend, xs: Arrays, ys: Arrays, like: Array) -> Array:
    """Return the sum of the inner products of two sequences of arrays in the real dtype that goes with `like`."""
    dtype = b.real_dtype(like.dtype)
    total = b.namespace().zeros((), dtype=dtype, device=b.device(like))
    for x, y in zip(xs, ys, strict=True):
        product = inner(b, x, y)
        total = total + b.namespace(product).astype(product, dtype, copy=False)
    return total


def on_basis(b: CompleteBackend, linear: Callable[[Arrays], Arrays], inputs: Arrays, outs: Arrays, k: int) -> Arrays:
    """Apply a linear function to each unit array in place of its k-th input and zero elsewhere; stack along the first axis."""
    zeros = [b.zeros_like(x) for x in inputs]
    xp, device = b.namespace(), b.device(inputs[k])
    n = size(inputs[k])
    if n == 0:
        return tuple(xp.zeros((0, *out.shape), dtype=out.dtype, device=b.device(out)) for out in outs)

    def at(unit: Array) -> Arrays:
        return tuple(linear((*zeros[:k], unit, *zeros[k + 1 :])))

    if "vmap" not in b.native:
        results = [at(unit) for unit in basis(b, inputs[k])]
        return tuple(b.namespace(*row).stack(row) for row in zip(*results, strict=True))
    units = xp.eye(n, dtype=inputs[k].dtype, device=device)
    if b.is_complex(inputs[k]):
        units, n = xp.stack([units, 1j * units], axis=1), 2 * n
    mapped: Arrays = b.vmap(at, (xp.reshape(units, (n, *inputs[k].shape)),), (True,), n)
    return mapped
