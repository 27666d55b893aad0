"""Batching rules: how an operation is evaluated once for all slices of a batch.

``flags`` tells which of the values have the batch as their first axis. What a rule does not cover it refuses with
`Unbatchable`, and the engine evaluates slice by slice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unidiff.engine.extend import (
    BATCHERS,
    Array,
    Namespace,
    Shared,
    Unbatchable,
    align,
    batch_elementwise,
    device_of,
    normalize_axes,
)

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
    ndim1, ndim2 = x1.ndim - flags[0], x2.ndim - flags[1]
    if ndim2 == 1 and not flags[0] and ndim1 == 2:
        return xp.matrix_transpose(call(x1, xp.matrix_transpose(x2)))  # one matrix, whose factors serve all vectors
    if ndim2 == 2 and not flags[0] and ndim1 == 2:
        columns = xp.moveaxis(x2, 0, 1)
        ans = call(x1, xp.reshape(columns, (columns.shape[0], -1)))
        return xp.moveaxis(xp.reshape(ans, columns.shape), 1, 0)
    if ndim2 == 1:  # a vector on the right is told from a matrix by its number of axes
        return xp.squeeze(_solve(xp, call, flags, x1, xp.expand_dims(x2, axis=-1)), axis=-1)
    ndim = max(ndim1, ndim2)
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


def _flat(xp: Namespace, x: Array) -> Array:
    """Return the array with each slice as a vector."""
    size = 1
    for length in x.shape[1:]:
        size *= length
    return xp.reshape(x, (x.shape[0], size))


def _one_axis(default: int) -> Callable[..., Any]:
    def batcher(xp: Namespace, call: Any, flags: Flags, x: Array, *, axis: int | None = default, **options: Any) -> Array:
        return call(x, axis=shifted(default if axis is None else axis, x.ndim - 1), **options)

    return batcher


def _position(xp: Namespace, call: Any, flags: Flags, x: Array, *, axis: int | None = None, keepdims: bool = False) -> Array:
    if axis is not None:
        return call(x, axis=shifted(axis, x.ndim - 1), keepdims=keepdims)
    found = call(_flat(xp, x), axis=1)
    return align(xp, found, x.ndim - 1) if keepdims else found


BATCHERS |= dict.fromkeys(("cumulative_sum", "cumulative_prod"), _one_axis(0))
BATCHERS |= dict.fromkeys(("sort", "argsort"), _one_axis(-1))
BATCHERS |= dict.fromkeys(("argmax", "argmin"), _position)


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
        return xp.reshape(call(_flat(xp, x), shift, axis=1), x.shape)
    return call(x, shift, axis=shifted(axis, x.ndim - 1))


def _repeat(xp: Namespace, call: Any, flags: Flags, x: Array, repeats: Any, /, *, axis: int | None = None) -> Array:
    if len(flags) > 1 and flags[1]:
        raise Unbatchable
    return call(_flat(xp, x), repeats, axis=1) if axis is None else call(x, repeats, axis=shifted(axis, x.ndim - 1))


def _tile(xp: Namespace, call: Any, flags: Flags, x: Array, repetitions: tuple[int, ...], /) -> Array:
    ndim = max(x.ndim - 1, len(repetitions))
    return call(align(xp, x, ndim), (1,) * (ndim + 1 - len(repetitions)) + tuple(repetitions))


def _unchanged(xp: Namespace, call: Any, flags: Flags, x: Array, *args: Any, **options: Any) -> Array:
    return call(x, *args, **options)


BATCHERS |= {
    "squeeze": _squeeze,
    "expand_dims": _expand_dims,
    "moveaxis": _moveaxis,
    "permute_dims": _permute_dims,
    "reshape": _reshape,
    "broadcast_to": _broadcast_to,
    "roll": _roll,
    "repeat": _repeat,
    "tile": _tile,
    "_to_device": _unchanged,
}

# --- functions of several arrays


def spread(xp: Namespace, flags: Flags, arrays: tuple[Any, ...], only: int | None = None) -> list[Any]:
    """Give every array the batch, or the first `only` ones."""
    size = next(x.shape[0] for x, flag in zip(arrays, flags, strict=True) if flag)
    pairs = list(zip(arrays, flags, strict=True))[:only]
    return [x if flag else xp.broadcast_to(x, (size, *x.shape)) for x, flag in pairs]


def _concat(xp: Namespace, call: Any, flags: Flags, *arrays: Array, axis: int | None = 0) -> Array:
    arrays = tuple(spread(xp, flags, arrays))
    if axis is None:
        return call(*(_flat(xp, x) for x in arrays), axis=1)
    return call(*arrays, axis=shifted(axis, arrays[0].ndim - 1))


def _stack(xp: Namespace, call: Any, flags: Flags, *arrays: Array, axis: int = 0) -> Array:
    arrays = tuple(spread(xp, flags, arrays))
    return call(*arrays, axis=shifted(axis, arrays[0].ndim))


def _linear_recurrence(xp: Namespace, call: Any, flags: Flags, a: Array, b: Array, *, axis: int) -> Array:
    a, b = spread(xp, flags, (a, b))
    return call(a, b, axis=shifted(axis, a.ndim - 1))


BATCHERS |= {"concat": _concat, "stack": _stack, "_linear_recurrence": _linear_recurrence}

# --- what depends on shapes and dtypes only


def _of_types(xp: Namespace, call: Any, flags: Flags, *args: Any, **options: Any) -> Shared:
    return Shared(call(*args, **options))


def _like(create: str) -> Callable[..., Any]:
    def batcher(xp: Namespace, call: Any, flags: Flags, x: Array, *, dtype: Any = None, device: Any = None) -> Shared:
        make = getattr(xp, create)
        return Shared(make(x.shape[1:], dtype=dtype or x.dtype, device=device_of(x) if device is None else device))

    return batcher


BATCHERS |= dict.fromkeys(("can_cast", "finfo", "iinfo", "isdtype", "result_type"), _of_types)
BATCHERS |= {f"{create}_like": _like(create) for create in ("empty", "ones", "zeros")}
