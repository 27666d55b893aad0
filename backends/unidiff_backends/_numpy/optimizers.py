"""Optimizer steps on NumPy arrays: the reference kernel on blocks that fit the cache, in place where the caller allows it.

A kernel makes a dozen passes over its arrays. On blocks of some ten thousand elements all but the first find them in the cache;
temporary results go to buffers that are used again. Small leaves are joined into one block, which spares the overhead of a call
for each.
The arithmetic is that of the kernel, element by element, so the results are those of the reference to the last bit.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Any

import numpy as np

from unidiff_backends._numpy.kernel_program import Program, UnknownOperationError, namespace, record

__all__ = ["step"]

_BLOCK_BYTES = 1 << 18
"""The size of a block: large beside the overhead of a call, and small enough for the cache."""
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
    order = [params, *slots.values(), grads]
    new: list[list[Any]] = [list(params), *map(list, slots.values())]
    runs: dict[Any, _Run] = {}
    with np.errstate(all="ignore"):
        for group in _groups(params):
            rows = [[column[k] for k in group] for column in order]
            first = [row[0] for row in rows]
            dtype = first[0].dtype
            run = runs.get(dtype) or runs.setdefault(dtype, _Run(method, list(slots), scalars, first))
            if len(group) > 1:
                flat = [np.concatenate(row, axis=None) for row in rows]
                results = [_split(x, rows[0]) for x in run(flat, True)]
            else:
                results = [[x] for x in run(first, donate)]
            for made, result in zip(new, results, strict=True):
                for k, x in zip(group, result, strict=True):
                    made[k] = x
    return new[0], dict(zip(slots, new[1:], strict=True))


def _groups(params: Arrays) -> Iterator[list[int]]:
    """Yield the indices of leaves that are treated together: small ones of one dtype, up to the size of a block."""
    pending: dict[Any, list[int]] = {}
    sizes: dict[Any, int] = {}
    for k, p in enumerate(params):
        if p.size >= _SMALL:
            yield [k]
            continue
        dtype = p.dtype
        if sizes.get(dtype, 0) + p.nbytes > _BLOCK_BYTES:
            yield pending.pop(dtype)
            sizes[dtype] = 0
        pending.setdefault(dtype, []).append(k)
        sizes[dtype] = sizes.get(dtype, 0) + p.nbytes
    yield from pending.values()


def _split(x: Any, like: Arrays) -> list[Any]:
    """Cut a flat array into arrays of these shapes."""
    shape = like[0].shape
    if all(y.shape == shape for y in like):
        return list(x.reshape(len(like), *shape)) if shape else [x[k, ...] for k in range(len(like))]
    ends = list(accumulate(y.size for y in like))
    return [x[end - y.size : end].reshape(y.shape) for end, y in zip(ends, like, strict=True)]


class _Run:
    """The kernel for leaves of one dtype: as a list of functions, or as it is where it cannot be made one."""

    def __init__(self, method: Any, names: Sequence[str], scalars: Mapping[str, float], leaf: Arrays) -> None:
        self.method, self.names, self.scalars, self.dtype = method, names, scalars, leaf[0].dtype
        self.program: Program | None = None
        if self.dtype.kind == "f" and all(x.dtype == self.dtype for x in leaf):
            with suppress(UnknownOperationError, TypeError):
                self.program = record(method, names, scalars, self.dtype)
        self.length = _BLOCK_BYTES // self.dtype.itemsize
        self.buffers: dict[tuple[int, ...], list[Any]] = {}

    def __call__(self, leaf: Arrays, donate: bool) -> list[Any]:
        """Return the new parameter and slots of a parameter, slots and a gradient."""
        given = [x if x.flags.c_contiguous else np.ascontiguousarray(x) for x in leaf]
        # what is written to: the array that is replaced, where it was given up and can be written to
        outs = [
            x if donate and x is original and x.flags.writeable else np.empty(x.shape, x.dtype)
            for x, original in zip(given[:-1], leaf, strict=False)
        ]
        if given[0].size <= self.length:
            self._block(given, outs)
            return outs
        flat, flat_outs = [x.reshape(-1) for x in given], [x.reshape(-1) for x in outs]
        for begin in range(0, given[0].size, self.length):
            block = slice(begin, begin + self.length)
            self._block([x[block] for x in flat], [x[block] for x in flat_outs])
        return outs

    def _block(self, given: Arrays, outs: Arrays) -> None:
        """Write the results for arrays of one block."""
        if self.program is not None:
            shape = given[0].shape
            buffers = self.buffers.get(shape)
            if buffers is None:
                buffers = self.buffers[shape] = [np.empty(shape, self.dtype) for _ in range(self.program.buffers)]
            self.program.run(given, outs, buffers)
            return
        p, *held, g = given
        update, new = self.method.kernel(namespace, g, p, dict(zip(self.names, held, strict=True)), self.scalars)
        results = [np.add(p, update), *(new[name] for name in self.names)]
        # What is an input may be overwritten before it is read.
        results = [x.copy() if any(np.may_share_memory(x, y) for y in given) else x for x in results]
        for out, x in zip(outs, results, strict=True):
            out[...] = x
