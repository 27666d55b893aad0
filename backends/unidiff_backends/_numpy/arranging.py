"""Other shapes and orders, and arrays made of others: joined, split, repeated, padded, with parts put in or left out."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from unidiff.errors import MissingRuleError
from unidiff_backends._numpy.reductions import flattened
from unidiff_backends._numpy.table import MEANINGS, means, missing


def part(x: Any, axis: int, index: Any) -> Any:
    """Return the part of ``x`` that an index along one axis names."""
    return x[(*(slice(None),) * (axis % x.ndim), index)]


# --- other shape, other order


@means(np.transpose, np.permute_dims)
def _transpose(xp: Any, a: Any, axes: Any = None) -> Any:
    return xp.permute_dims(a, tuple(reversed(range(a.ndim))) if axes is None else tuple(axes))


@means(np.reshape)
def _reshape(xp: Any, a: Any, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Any:
    """Adapt ``reshape``; the order "F" counts the axes from the last, so it is the order "C" of the transpose."""
    shape = (int(shape),) if np.ndim(shape) == 0 else tuple(map(int, shape))
    if order in ("C", "K"):
        return xp.reshape(a, shape, copy=copy)
    if order != "F":
        raise MissingRuleError(f"numpy.reshape of a traced array takes the order 'C' or 'F', not {order!r}")
    return _transpose(xp, xp.reshape(_transpose(xp, a), shape[::-1], copy=copy))


means(np.ravel)(lambda xp, a, order="C": _reshape(xp, a, (-1,), order))
means(np.swapaxes)(lambda xp, a, axis1, axis2: xp.moveaxis(a, (axis1, axis2), (axis2, axis1)))
means(np.expand_dims)(lambda xp, a, axis: xp.expand_dims(a, axis=axis))
means(np.squeeze)(lambda xp, a, axis=None: xp.squeeze(a, _ones_axes(a) if axis is None else axis))
means(np.flip)(lambda xp, m, axis=None: xp.flip(m, axis=axis))
means(np.fliplr)(lambda xp, m: xp.flip(m, axis=1))
means(np.flipud)(lambda xp, m: xp.flip(m, axis=0))
means(np.roll)(lambda xp, a, shift, axis=None: xp.roll(a, _whole(shift), axis=axis))
means(np.copy)(lambda xp, a, order="K", subok=False: xp.positive(a))  # noqa: ARG005  # NumPy's names


def _ones_axes(x: Any) -> tuple[int, ...]:
    return tuple(i for i, n in enumerate(x.shape) if n == 1)


def _whole(number: Any) -> Any:
    return int(number) if np.ndim(number) == 0 else tuple(map(int, number))


@means(np.rollaxis)
def _rollaxis(xp: Any, a: Any, axis: int, start: int = 0) -> Any:
    axis %= a.ndim
    start = start + a.ndim if start < 0 else start
    return xp.moveaxis(a, axis, start - (axis < start))


@means(np.rot90)
def _rot90(xp: Any, m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    first, second = axes
    if k % 4 == 0:
        return xp.positive(m)
    if k % 4 == 2:
        return xp.flip(m, axis=(first, second))
    if k % 4 == 1:
        return _swapped(xp, xp.flip(m, axis=second), first, second)
    return xp.flip(_swapped(xp, m, first, second), axis=second)


def _swapped(xp: Any, x: Any, first: int, second: int) -> Any:
    return xp.moveaxis(x, (first, second), (second, first))


def _at_least(xp: Any, x: Any, ndim: int) -> Any:
    x = xp.asarray(x)
    if x.ndim >= ndim:
        return x
    if ndim == 3 and x.ndim:
        return xp.reshape(x, (1, x.shape[0], 1) if x.ndim == 1 else (*x.shape, 1))
    return xp.reshape(x, (1,) * (ndim - x.ndim) + x.shape)


def _all_at_least(ndim: int, xp: Any, *arys: Any) -> Any:
    out = [_at_least(xp, x, ndim) for x in arys]
    return out[0] if len(out) == 1 else tuple(out)


for _ndim, _function in enumerate((np.atleast_1d, np.atleast_2d, np.atleast_3d), 1):
    MEANINGS[_function] = partial(_all_at_least, _ndim)

# --- joined


def _converted(xp: Any, arrays: Any, dtype: Any) -> list[Any]:
    return [xp.asarray(x) if dtype is None else xp.astype(xp.asarray(x), np.dtype(dtype)) for x in arrays]


@means(np.concatenate)
def _concatenate(
    xp: Any, arrays: Any, /, axis: int | None = 0, *, dtype: Any = None, casting: str = "same_kind"  # noqa: ARG001  # NumPy's
) -> Any:  # fmt: skip
    return xp.concat(_converted(xp, arrays, dtype), axis=axis)


@means(np.stack)
def _stack(xp: Any, arrays: Any, axis: int = 0, *, dtype: Any = None, casting: str = "same_kind") -> Any:  # noqa: ARG001
    parts = _converted(xp, arrays, dtype)
    common = xp.result_type(*parts)
    return xp.stack([x if x.dtype == common else xp.astype(x, common) for x in parts], axis=axis)


@means(np.vstack)
def _vstack(xp: Any, tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:  # noqa: ARG001
    return xp.concat([_at_least(xp, x, 2) for x in _converted(xp, tup, dtype)], axis=0)


@means(np.hstack)
def _hstack(xp: Any, tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:  # noqa: ARG001
    raised = [_at_least(xp, x, 1) for x in _converted(xp, tup, dtype)]
    return xp.concat(raised, axis=min(1, raised[0].ndim - 1))


@means(np.column_stack)
def _column_stack(xp: Any, tup: Any) -> Any:
    return xp.concat([xp.reshape(x, (-1, 1)) if x.ndim < 2 else x for x in map(xp.asarray, tup)], axis=1)


means(np.dstack)(lambda xp, tup: xp.concat([_at_least(xp, x, 3) for x in tup], axis=2))


@means(np.append)
def _append(xp: Any, arr: Any, values: Any, axis: int | None = None) -> Any:
    pair = [xp.asarray(arr), xp.asarray(values)]
    return xp.concat([flattened(xp, x) for x in pair]) if axis is None else xp.concat(pair, axis=axis)


@means(np.block)
def _block(xp: Any, arrays: Any) -> Any:
    depth = _depth(arrays)
    ndim = max(depth, *(len(shape) for shape in _shapes(xp, arrays)))

    def joined(blocks: Any, level: int) -> Any:
        if not isinstance(blocks, list):
            return _raised(xp, blocks, ndim)
        return xp.concat([joined(b, level + 1) for b in blocks], axis=level - depth)

    return joined(arrays, 0)


def _depth(blocks: Any) -> int:
    if not isinstance(blocks, list):
        return 0
    if not blocks:
        raise ValueError("List at arrays[0] cannot be empty")
    depths = {_depth(b) for b in blocks}
    if len(depths) > 1:
        raise ValueError("List depths are mismatched.")
    return 1 + depths.pop()


def _shapes(xp: Any, blocks: Any) -> list[Any]:
    return [s for b in blocks for s in _shapes(xp, b)] if isinstance(blocks, list) else [xp.asarray(blocks).shape]


def _raised(xp: Any, x: Any, ndim: int) -> Any:
    x = xp.asarray(x)
    return xp.reshape(x, (1,) * (ndim - x.ndim) + x.shape)


# --- split


@means(np.array_split)
def _array_split(xp: Any, ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:  # noqa: ARG001  # as all meanings
    length = ary.shape[axis]
    if np.ndim(indices_or_sections) == 0:
        each, rest = divmod(length, int(indices_or_sections))
        sizes = [each + 1] * rest + [each] * (int(indices_or_sections) - rest)
        cuts = [int(c) for c in np.cumsum(sizes)[:-1]]
    else:
        cuts = [int(i) for i in indices_or_sections]
    return [part(ary, axis, slice(start, stop)) for start, stop in zip([0, *cuts], [*cuts, length], strict=True)]


@means(np.split)
def _split(xp: Any, ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    if np.ndim(indices_or_sections) == 0 and ary.shape[axis] % int(indices_or_sections):
        raise ValueError("array split does not result in an equal division")
    parts: list[Any] = _array_split(xp, ary, indices_or_sections, axis)
    return parts


means(np.vsplit)(lambda xp, ary, indices_or_sections: _split(xp, ary, indices_or_sections, 0))
means(np.hsplit)(lambda xp, ary, indices_or_sections: _split(xp, ary, indices_or_sections, 1 if ary.ndim > 1 else 0))
means(np.dsplit)(lambda xp, ary, indices_or_sections: _split(xp, ary, indices_or_sections, 2))

# --- repeated, resized

means(np.repeat)(lambda xp, a, repeats, axis=None: xp.repeat(a, _repeats(xp, repeats), axis=axis))


@means(np.tile)
def _tile(xp: Any, A: Any, reps: Any) -> Any:  # noqa: N803  # NumPy's name
    return xp.tile(A, (int(reps),) if np.ndim(reps) == 0 else tuple(map(int, reps)))


def _repeats(xp: Any, repeats: Any) -> Any:
    return int(repeats) if np.ndim(repeats) == 0 else xp.asarray(repeats)


@means(np.resize)
def _resize(xp: Any, a: Any, new_shape: Any) -> Any:
    shape = (int(new_shape),) if np.ndim(new_shape) == 0 else tuple(map(int, new_shape))
    flat, size = flattened(xp, a), math.prod(shape)
    if flat.shape[0] == 0 or size == 0:
        return xp.zeros(shape, dtype=flat.dtype)
    return xp.reshape(xp.take(flat, xp.asarray(np.arange(size) % flat.shape[0])), shape)


@means(np.trim_zeros)
def _trim_zeros(xp: Any, filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    if axis is not None:
        raise MissingRuleError(missing("trim_zeros with the option axis"))
    nonzero = np.argwhere(np.asarray(xp._constant(filt) != 0))
    if not nonzero.size:
        return filt[(slice(0, 0),) * filt.ndim]
    first, last = nonzero.min(axis=0), nonzero.max(axis=0) + 1
    trim = trim.lower()
    key = tuple(
        slice(int(first[i]) if "f" in trim else 0, int(last[i]) if "b" in trim else n) for i, n in enumerate(filt.shape)
    )
    return filt[key]


@means(np.lib.stride_tricks.sliding_window_view)
def _windows(
    xp: Any, x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False  # noqa: ARG001  # NumPy's
) -> Any:  # fmt: skip
    places = np.arange(x.size).reshape(x.shape)
    return flattened(xp, x)[np.lib.stride_tricks.sliding_window_view(places, window_shape, axis).copy()]
