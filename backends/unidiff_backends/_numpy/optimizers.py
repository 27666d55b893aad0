"""Optimizer steps on NumPy arrays: the reference kernel on blocks that fit the cache, in place where the caller allows it.

A kernel makes a dozen passes over its arrays. On blocks of some ten thousand elements all but the first find them in the cache,
and temporary arrays cost no fresh memory; small leaves are joined into one block, which spares the overhead of a call for each.
The arithmetic is that of the kernel, element by element, so the results are those of the reference to the last bit.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import array_api_compat.numpy as xp
import numpy as np

__all__ = ["step"]

_BLOCK = 1 << 15
"""The number of elements of a block: large beside the overhead of a call, and small enough for the cache."""
_SMALL = 1 << 12
"""Leaves of fewer elements are joined."""

Arrays = Sequence[Any]


def step(
    method: Any, params: Arrays, grads: Arrays, slots: Mapping[str, Arrays], scalars: Mapping[str, float], *, donate: bool
) -> Any:
    """Return ``(params, slots)`` after a step, or NotImplemented; see `unidiff.backend.Backend`."""
    columns = [params, grads, *slots.values()]
    if not method.elementwise or any(set(map(type, column)) - {np.ndarray} for column in columns):
        return NotImplemented
    names = list(slots)
    new: list[list[Any]] = [list(params), *map(list, slots.values())]
    with np.errstate(all="ignore"):
        for group in _groups(params):
            rows = [[column[k] for k in group] for column in columns]
            if len(group) > 1:
                flat = [np.concatenate(row, axis=None) for row in rows]
                results = [_split(x, rows[0]) for x in _apply(method, flat, names, scalars)]
            else:
                results = [[x] for x in _large(method, [row[0] for row in rows], names, scalars, donate)]
            for made, result in zip(new, results, strict=True):
                for k, x in zip(group, result, strict=True):
                    made[k] = x
    return new[0], dict(zip(names, new[1:], strict=True))


def _groups(params: Arrays) -> Iterator[list[int]]:
    """Yield the indices of leaves that are treated together: small ones of one dtype, up to the size of a block."""
    pending: dict[Any, list[int]] = {}
    sizes: dict[Any, int] = {}
    for k, p in enumerate(params):
        if p.size >= _SMALL:
            yield [k]
            continue
        dtype = p.dtype
        if sizes.get(dtype, 0) + p.size > _BLOCK:
            yield pending.pop(dtype)
            sizes[dtype] = 0
        pending.setdefault(dtype, []).append(k)
        sizes[dtype] = sizes.get(dtype, 0) + p.size
    yield from pending.values()


def _apply(method: Any, block: Arrays, names: Sequence[str], scalars: Mapping[str, float]) -> list[Any]:
    """Return the new parameters and slots of a block of parameters, gradients and slots."""
    p, g, *held = block
    update, new = method.kernel(xp, g, p, dict(zip(names, held, strict=True)), scalars)
    return [np.add(p, update), *(new[name] for name in names)]


def _split(x: Any, like: Arrays) -> list[Any]:
    """Cut a flat array into arrays of these shapes."""
    shape = like[0].shape
    if all(y.shape == shape for y in like):
        return list(x.reshape(len(like), *shape)) if shape else [x[k, ...] for k in range(len(like))]
    ends = list(accumulate(y.size for y in like))
    return [x[end - y.size : end].reshape(y.shape) for end, y in zip(ends, like, strict=True)]


def _large(method: Any, leaf: Arrays, names: Sequence[str], scalars: Mapping[str, float], donate: bool) -> list[Any]:
    """Return the new parameter and slots of one leaf, block by block."""
    p, g, *held = (np.ascontiguousarray(x) if x.ndim else x for x in leaf)
    outs = [_target(x, original, donate) for x, original in zip((p, *held), (leaf[0], *leaf[2:]), strict=True)]
    flat_outs = [x.reshape(-1) for x in outs]
    flat = [x.reshape(-1) for x in (p, g, *held)]
    for begin in range(0, p.size, _BLOCK):
        block = slice(begin, begin + _BLOCK)
        for out, x in zip(flat_outs, _apply(method, [x[block] for x in flat], names, scalars), strict=True):
            out[block] = x
    return outs


def _target(x: Any, original: Any, donate: bool) -> Any:
    """Return the array that a result is written to: the one it replaces, where that was given up and can be written to."""
    return x if donate and x is original and x.flags.writeable else np.empty(x.shape, x.dtype)
