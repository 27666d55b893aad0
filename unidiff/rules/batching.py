"""Batching rules: how an operation is evaluated once for all slices of a batch.

``flags`` tells which of the values have the batch as their first axis. What a rule does not cover it refuses with
`Unbatchable`, and the engine evaluates slice by slice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unidiff.engine.extend import BATCHERS, Array, Namespace, Unbatchable, align, batch_elementwise, normalize_axes

Flags = tuple[bool, ...]

# --- functions that broadcast

_BROADCASTING = (
    "abs astype ceil conj copysign floor floor_divide imag isfinite isinf isnan real round sign signbit trunc where"
    " equal not_equal less less_equal greater greater_equal logical_and logical_not logical_or logical_xor"
    " bitwise_and bitwise_or bitwise_xor bitwise_invert bitwise_left_shift bitwise_right_shift"
)
BATCHERS |= dict.fromkeys(_BROADCASTING.split(), batch_elementwise)


def _clip(xp: Namespace, call: Any, flags: Flags, x: Array, lower: Any, upper: Any) -> Array:
    ndim = max(v.ndim - flag for v, flag in zip((x, lower, upper), flags, strict=True) if hasattr(v, "shape"))
    return call(*(align(xp, v, ndim) if flag else v for v, flag in zip((x, lower, upper), flags, strict=True)))


BATCHERS["clip"] = _clip

# --- functions of the trailing axes, which take leading ones by themselves


def _leading(least: int) -> Callable[..., Any]:
    def batcher(xp: Namespace, call: Any, flags: Flags, x: Array, *args: Any, **options: Any) -> Any:
        if any(flags[1:]) or x.ndim < least + 1:
            raise Unbatchable
        return call(x, *args, **options)

    return batcher


BATCHERS |= dict.fromkeys(
    (
        "matrix_transpose", "tril", "triu", "linalg.cholesky", "linalg.det", "linalg.diagonal", "linalg.eig", "linalg.eigh",
        "linalg.eigvals", "linalg.eigvalsh", "linalg.inv", "linalg.matrix_power", "linalg.matrix_rank", "linalg.pinv",
        "linalg.qr", "linalg.slogdet", "linalg.svd", "linalg.svdvals", "linalg.trace",
    ),
    _leading(2),
)  # fmt: skip


def _matmul(xp: Namespace, call: Any, flags: Flags, x1: Array, x2: Array) -> Array:
    """Multiply with the slices of vectors as matrices of one row or column."""
    ndim1, ndim2 = x1.ndim - flags[0], x2.ndim - flags[1]
    if ndim1 == 1 and flags[0]:
        x1 = xp.expand_dims(x1, axis=-2)
    if ndim2 == 1 and flags[1]:
        x2 = xp.expand_dims(x2, axis=-1)
    ndim = max(ndim1, ndim2, 2)
    ans = call(*(align(xp, x, ndim) if flag else x for x, flag in ((x1, flags[0]), (x2, flags[1]))))
    if ndim1 == 1 and flags[0]:
        ans = xp.squeeze(ans, axis=-2 if not (ndim2 == 1 and not flags[1]) else -1)
    if ndim2 == 1 and flags[1]:
        ans = xp.squeeze(ans, axis=-1)
    return ans


BATCHERS["matmul"] = _matmul


def _solve(xp: Namespace, call: Any, flags: Flags, x1: Array, x2: Array) -> Array:
    if x2.ndim - flags[1] < 2 or x1.ndim - flags[0] < 2:
        raise Unbatchable  # a vector on the right is told from a matrix by its number of axes
    ndim = max(x1.ndim - flags[0], x2.ndim - flags[1])
    return call(*(align(xp, x, ndim) if flag else x for x, flag in ((x1, flags[0]), (x2, flags[1]))))


BATCHERS["linalg.solve"] = _solve

# --- functions of named axes


def shifted(axis: int | tuple[int, ...] | None, ndim: int) -> int | tuple[int, ...]:
    """Return the axis or axes of a slice with ``ndim`` axes as axes of the batched array; None means all of the slice's."""
    axes = tuple(a + 1 for a in normalize_axes(axis, ndim))
    return axes[0] if isinstance(axis, int) and axes else axes


def _reduction(xp: Namespace, call: Any, flags: Flags, x: Array, *, axis: Any = None, **options: Any) -> Array:
    return call(x, axis=shifted(axis, x.ndim - 1), **options)


BATCHERS |= dict.fromkeys(
    ("sum", "prod", "mean", "var", "std", "max", "min", "all", "any", "count_nonzero", "flip", "linalg.vector_norm"), _reduction
)


def _one_axis(default: int | None) -> Callable[..., Any]:
    def batcher(xp: Namespace, call: Any, flags: Flags, x: Array, *, axis: int | None = default, **options: Any) -> Array:
        if any(flags[1:]) or (axis is None and x.ndim != 2):
            raise Unbatchable
        return call(x, axis=shifted(0 if axis is None else axis, x.ndim - 1), **options)

    return batcher


BATCHERS |= dict.fromkeys(("cumulative_sum", "cumulative_prod", "argmax", "argmin"), _one_axis(None))
BATCHERS |= dict.fromkeys(("sort", "argsort"), _one_axis(-1))


def _squeeze(xp: Namespace, call: Any, flags: Flags, x: Array, /, axis: Any) -> Array:
    return call(x, axis=shifted(axis, x.ndim - 1))


def _expand_dims(xp: Namespace, call: Any, flags: Flags, x: Array, /, axis: Any = 0) -> Array:
    added = 1 if isinstance(axis, int) else len(axis)
    return call(x, axis=shifted(axis, x.ndim - 1 + added))


def _moveaxis(xp: Namespace, call: Any, flags: Flags, x: Array, source: Any, destination: Any) -> Array:
    return call(x, shifted(source, x.ndim - 1), shifted(destination, x.ndim - 1))


def _permute_dims(xp: Namespace, call: Any, flags: Flags, x: Array, /, axes: tuple[int, ...]) -> Array:
    return call(x, (0, *(a + 1 for a in normalize_axes(axes, x.ndim - 1))))


def _reshape(xp: Namespace, call: Any, flags: Flags, x: Array, /, shape: tuple[int, ...], **options: Any) -> Array:
    size = 1
    for length in x.shape[1:]:
        size *= length
    known = 1
    for length in shape:
        known *= 1 if length == -1 else length
    return call(x, (x.shape[0], *(size // max(known, 1) if length == -1 else length for length in shape)), **options)


def _broadcast_to(xp: Namespace, call: Any, flags: Flags, x: Array, /, shape: tuple[int, ...]) -> Array:
    return call(align(xp, x, len(shape)), (x.shape[0], *shape))


def _roll(xp: Namespace, call: Any, flags: Flags, x: Array, /, shift: Any, *, axis: Any = None) -> Array:
    if axis is None:
        raise Unbatchable
    return call(x, shift, axis=shifted(axis, x.ndim - 1))


def _take(xp: Namespace, call: Any, flags: Flags, x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    if flags[1] or (axis is None and x.ndim != 2):
        raise Unbatchable
    return call(x, indices, axis=shifted(0 if axis is None else axis, x.ndim - 1))


BATCHERS |= {
    "squeeze": _squeeze,
    "expand_dims": _expand_dims,
    "moveaxis": _moveaxis,
    "permute_dims": _permute_dims,
    "reshape": _reshape,
    "broadcast_to": _broadcast_to,
    "roll": _roll,
    "take": _take,
}

# --- functions of several arrays


def _spread(xp: Namespace, flags: Flags, arrays: tuple[Array, ...]) -> list[Array]:
    """Give every array the batch."""
    size = next(x.shape[0] for x, flag in zip(arrays, flags, strict=True) if flag)
    return [x if flag else xp.broadcast_to(x, (size, *x.shape)) for x, flag in zip(arrays, flags, strict=True)]


def _concat(xp: Namespace, call: Any, flags: Flags, *arrays: Array, axis: int | None = 0) -> Array:
    if axis is None:
        raise Unbatchable
    spread = _spread(xp, flags, arrays)
    return call(*spread, axis=shifted(axis, spread[0].ndim - 1))


def _stack(xp: Namespace, call: Any, flags: Flags, *arrays: Array, axis: int = 0) -> Array:
    spread = _spread(xp, flags, arrays)
    return call(*spread, axis=shifted(axis, spread[0].ndim))


BATCHERS |= {"concat": _concat, "stack": _stack}

# --- indexing


def _batched_key(key: Any) -> tuple[Any, ...]:
    """Return the index with the batch in front; arrays and integers that stand apart would move their axes before it."""
    parts = key if isinstance(key, tuple) else (key,)
    arrays = [i for i, part in enumerate(parts) if isinstance(part, (list, bool)) or hasattr(part, "shape")]
    places = [i for i, part in enumerate(parts) if isinstance(part, int) or i in arrays]
    if arrays and places[-1] - places[0] >= len(places):
        raise Unbatchable
    return (slice(None), *parts)


def _refusable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Evaluate slice by slice where a library does not take a slice beside an integer array, which the standard leaves open."""

    def batcher(*args: Any) -> Any:
        try:
            return function(*args)
        except (IndexError, TypeError) as error:
            raise Unbatchable from error

    return batcher


def _getitem(xp: Namespace, call: Any, flags: Flags, x: Array, key: Any) -> Array:
    if flags[1]:
        raise Unbatchable
    return call(x, _batched_key(key))


def _setitem(xp: Namespace, call: Any, flags: Flags, x: Array, value: Any, key: Any) -> Array:
    if flags[2]:
        raise Unbatchable
    ndim = xp._getitem(x[0, ...] if flags[0] else x, key).ndim
    if not flags[0]:
        x = xp.broadcast_to(x, (value.shape[0], *x.shape))
    if flags[1]:
        value = xp.reshape(value, (value.shape[0], *value.shape[max(value.ndim - ndim, 1) :]))  # assignment drops leading ones
        value = align(xp, value, ndim)
    return call(x, value, _batched_key(key))


def _scatter(xp: Namespace, call: Any, flags: Flags, values: Array, shape: tuple[int, ...], key: Any) -> Array:
    if flags[2]:
        raise Unbatchable
    return call(values, (values.shape[0], *shape), _batched_key(key))


BATCHERS |= {name: _refusable(f) for name, f in (("_getitem", _getitem), ("_setitem", _setitem), ("_scatter", _scatter))}
