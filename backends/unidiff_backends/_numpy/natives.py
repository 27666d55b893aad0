"""Lean forms of NumPy functions that NumPy itself reaches through layers of Python.

Each has the meaning and the signature of the standard's function of the same name; on small arrays the layers of the original
cost several times what the work does, and every rule of the engine goes through them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import array_api_compat.numpy as xp
import numpy as np

from unidiff.rules import RULES
from unidiff.rules.einsum import checked

_ADD: Any = np.add  # the stubs know keepdims as a literal only
_MULTIPLY: Any = np.multiply


def _reduction(ufunc: Any) -> Callable[..., Any]:
    def reduce(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
        return ufunc.reduce(x, axis=axis, keepdims=keepdims)

    return reduce


def prod(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """Return the product."""
    return _MULTIPLY.reduce(x, axis=axis, dtype=dtype, keepdims=keepdims)


_total = _reduction(np.add)


def summation(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """Return the sum; along a short last axis, such as that of points, NumPy spends its time on going from row to row."""
    short = x.size > LARGE and axis in (-1, x.ndim - 1) and 1 < x.shape[-1] <= _SUMMED_IN_ORDER.get(x.dtype, 0)
    if not short or dtype not in (None, x.dtype):
        return _ADD.reduce(x, axis=axis, dtype=dtype, keepdims=keepdims)
    total = x[..., 0] + x[..., 1]
    for i in range(2, x.shape[-1]):
        total += x[..., i]
    return total[..., None] if keepdims else total


LARGE = 1 << 12
_SUMMED_IN_ORDER = {np.dtype(dtype): 3 if dtype in "FD" else 7 for dtype in "fdFD"}
"""Up to how many elements NumPy adds from the first to the last: of eight numbers, two to a complex one, it adds the halves."""


def mean(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the arithmetic mean; what NumPy sums or divides in a wider dtype, 0-d and empty arrays are left to it."""
    if not x.shape or x.dtype not in _AVERAGED_AS_THEY_ARE:
        return np.mean(x, axis=axis, keepdims=keepdims)
    total = _total(x, axis=axis, keepdims=keepdims)
    count = x.size if axis is None else math.prod(x.shape[a] for a in ((axis,) if isinstance(axis, int) else axis))
    return total / count if count else np.mean(x, axis=axis, keepdims=keepdims)


_AVERAGED_AS_THEY_ARE = frozenset(map(np.dtype, (np.float32, np.float64, np.complex128)))


def products_of_others(x: Any, axis: Any, /) -> Any:
    """Return for each element the product of all others along the axes: a quotient where no product can leave the range."""
    largest = np.finfo(x.dtype).maxexp - 2
    count = x.size if axis is None else math.prod(x.shape[a] for a in ((axis,) if isinstance(axis, int) else axis))
    magnitudes = np.abs(x)
    low, high = (f.reduce(magnitudes, axis=None, initial=1.0) for f in (np.minimum, np.maximum))
    if low > 0 and count * (math.log2(high) - math.log2(low)) < largest:
        return np.multiply.reduce(x, axis=axis, keepdims=True) / x
    implementation: Any = RULES["_products_of_others"].implementation
    return implementation(xp, x, axis)


def matmul(x1: Any, x2: Any, /) -> Any:
    """Return the matrix product; by ``dot``, which takes less time, where both ask the same of the BLAS."""
    if (
        type(x1) is np.ndarray is type(x2)
        and 1 <= x1.ndim <= 2
        and 1 <= x2.ndim <= 2
        and x1.dtype is x2.dtype
        and x1.dtype in PRODUCTS_BY_DOT
        and (flags := x1.flags).forc
        and flags.aligned
        and (flags := x2.flags).forc
        and flags.aligned
    ):
        return x1.dot(x2)
    return np.matmul(x1, x2)


PRODUCTS_BY_DOT = frozenset(map(np.dtype, (np.float32, np.float64)))
"""Dtypes of contiguous vectors and matrices whose ``dot`` has the bits of ``matmul``; that of complex ones has others."""


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Any:
    """Return an array of zeros."""
    return np.zeros(shape, np.float64 if dtype is None else dtype, device=device)


def power(x1: Any, x2: Any, /) -> Any:
    """Raise to a power; for real arrays by the operator, which takes less time over products and roots."""
    return x1**x2 if type(x1) is np.ndarray and x1.dtype in POWERS_BY_OPERATOR else np.power(x1, x2)


POWERS_BY_OPERATOR = frozenset(map(np.dtype, "fdbhilqBHILQ"))
"""Dtypes of arrays whose operator has the bits of the function; that of complex ones squares and takes roots differently."""


def reshape(x: Any, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Any:
    """Give the elements another shape."""
    return x.reshape(shape) if copy is None else np.reshape(x, shape, copy=copy)


def broadcast_to(x: Any, /, shape: tuple[int, ...]) -> Any:
    """Repeat along new axes; small results are filled, since making a view costs more than their elements."""
    if x.shape == () and math.prod(shape) <= 1024:
        out = np.empty(shape, x.dtype)
        out.fill(x)
        return out
    return np.broadcast_to(x, shape)


def matrix_transpose(x: Any, /) -> Any:
    """Swap the last two axes."""
    return x.mT if type(x) is np.ndarray else np.matrix_transpose(x)


def permute_dims(x: Any, /, axes: tuple[int, ...]) -> Any:
    """Reorder the axes."""
    return x.transpose(axes)


def expand_dims(x: Any, /, axis: Any = 0) -> Any:
    """Insert axes of length 1."""
    if axis == -1:
        return x[..., None]
    if not isinstance(axis, int) or not -x.ndim - 1 <= axis <= x.ndim:
        return np.expand_dims(x, axis)
    shape = x.shape
    axis += (x.ndim + 1) if axis < 0 else 0
    return x.reshape((*shape[:axis], 1, *shape[axis:]))


def stack(arrays: Any, /, *, axis: int = 0) -> Any:
    """Join arrays of one shape along a new axis."""
    arrays = tuple(arrays)
    if len({x.shape for x in arrays}) != 1 or not -arrays[0].ndim - 1 <= axis <= arrays[0].ndim:
        return np.stack(arrays, axis=axis)  # which raises what is to be raised
    axis %= arrays[0].ndim + 1
    key = (*(slice(None),) * axis, None)
    return np.concatenate([x[key] for x in arrays], axis)


def zeros_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Any:
    """Return zeros of the shape and, unless said otherwise, the dtype of ``x``."""
    return np.zeros(x.shape, x.dtype if dtype is None else dtype, device=device)


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Any:
    """Return an array filled with one value."""
    if dtype is None:
        return np.full(shape, fill_value, device=device)
    out = np.empty(shape, dtype, device=device)
    out.fill(fill_value)
    return out


def full_like(x: Any, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Any:
    """Return an array like ``x`` filled with one value."""
    return full(x.shape, fill_value, dtype=x.dtype if dtype is None else dtype, device=device)


def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Any:
    """Return an array of ones."""
    return full(shape, 1, dtype=np.float64 if dtype is None else dtype, device=device)


def ones_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Any:
    """Return ones of the shape and, unless said otherwise, the dtype of ``x``."""
    return full(x.shape, 1, dtype=x.dtype if dtype is None else dtype, device=device)


def einsum(subscripts: str, /, *operands: Any) -> Any:
    """Return the Einstein summation; more than two operands are contracted pair by pair."""
    checked(subscripts, [np.shape(x) for x in operands])
    return np.einsum(subscripts, *operands, optimize=len(operands) > 2)


NATIVES: dict[str, Callable[..., Any]] = {
    "_products_of_others": products_of_others,
    "all": _reduction(np.logical_and),
    "any": _reduction(np.logical_or),
    "broadcast_to": broadcast_to,
    "einsum": einsum,
    "expand_dims": expand_dims,
    "full": full,
    "full_like": full_like,
    "matmul": matmul,
    "matrix_transpose": matrix_transpose,
    "max": _reduction(np.maximum),
    "mean": mean,
    "min": _reduction(np.minimum),
    "ones": ones,
    "ones_like": ones_like,
    "permute_dims": permute_dims,
    "pow": power,
    "prod": prod,
    "reshape": reshape,
    "sign": np.sign,  # the standard's for complex numbers, too, where array_api_compat divides 0 by 0
    "stack": stack,
    "sum": summation,
    "zeros": zeros,
    "zeros_like": zeros_like,
}
