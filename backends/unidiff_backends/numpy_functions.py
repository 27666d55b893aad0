"""What NumPy's own functions are in terms of the differentiable namespace.

NumPy hands a call of its function on a traced array to ``__array_function__``; the tables here say which function of the
standard it is, and adapt what NumPy calls or orders otherwise. A function in no table raises, so that no derivative is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_letters
from typing import Any

import numpy as np

from unidiff.errors import InPlaceError, MissingRuleError

Function = Callable[..., Any]

SAME = (
    "all any argmax argmin argsort astype broadcast_arrays broadcast_to count_nonzero cumulative_prod cumulative_sum diff"
    " einsum expand_dims flip imag isdtype matrix_transpose max mean meshgrid min moveaxis nonzero prod real repeat reshape"
    " result_type roll round searchsorted sort squeeze stack sum take take_along_axis tensordot tile tril triu unstack vecdot"
    " where zeros_like ones_like full_like empty_like can_cast"
).split()
"""Functions that NumPy and the standard call the same, with arguments in the same order."""

RENAMED = {
    "amax": "max",
    "amin": "min",
    "concatenate": "concat",
    "transpose": "permute_dims",
    "absolute": "abs",
}

LINALG = (
    "cholesky cross det diagonal eig eigh eigvals eigvalsh inv matmul matrix_norm matrix_power matrix_rank matrix_transpose"
    " outer pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm"
).split()
FFT = "fft ifft fftn ifftn rfft irfft rfftn irfftn hfft ihfft fftshift ifftshift".split()


def _axes_first(xp: Any, x: Any, axes: Any = None) -> Any:
    return xp.permute_dims(x, tuple(reversed(range(x.ndim))) if axes is None else tuple(axes))


def _spread(xp: Any, name: str) -> Function:
    """Adapt standard deviation and variance, whose correction NumPy also calls ``ddof``."""

    def adapted(
        x: Any, axis: Any = None, dtype: Any = None, *, ddof: float = 0, correction: float | None = None, keepdims: bool = False
    ) -> Any:
        _plain(dtype, name)
        return getattr(xp, name)(x, axis=axis, correction=ddof if correction is None else correction, keepdims=keepdims)

    return adapted


def _plain(option: Any, name: str) -> None:
    if option is not None:
        raise MissingRuleError(f"numpy.{name} of a traced array does not take the option {option!r}")


def _flattened(xp: Any, x: Any) -> Any:
    return xp.reshape(xp.asarray(x), (-1,))


def _cumulative(xp: Any, name: str) -> Function:
    def adapted(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
        function = getattr(xp, name)
        return function(_flattened(xp, x), dtype=dtype) if axis is None else function(x, axis=axis, dtype=dtype)

    return adapted


def _norm(xp: Any) -> Function:
    def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
        if axis is None and x.ndim == 2 and ord is not None:
            return xp.linalg.matrix_norm(x, ord=ord, keepdims=keepdims)
        if isinstance(axis, tuple) and len(axis) == 2 and ord is not None:
            moved = xp.moveaxis(x, axis, (-2, -1))
            out = xp.linalg.matrix_norm(moved, ord=ord)
            return xp.expand_dims(out, axis=tuple(a % x.ndim for a in axis)) if keepdims else out
        return xp.linalg.vector_norm(x, ord=2 if ord in (None, "fro") else ord, axis=axis, keepdims=keepdims)

    return norm


def _dot(xp: Any) -> Function:
    def dot(a: Any, b: Any) -> Any:
        if np.ndim(a) == 0 or np.ndim(b) == 0:
            return xp.multiply(a, b)
        a, b = xp.asarray(a), xp.asarray(b)
        if b.ndim <= 2:
            return xp.matmul(a, b)
        return xp.tensordot(a, b, axes=((a.ndim - 1,), (b.ndim - 2,)))

    return dot


def _diag(xp: Any) -> Function:
    def diag(v: Any, k: int = 0) -> Any:
        if v.ndim == 2:
            return xp.linalg.diagonal(v, offset=k)
        n = v.shape[0] + abs(k)
        rows = xp.arange(v.shape[0]) + max(-k, 0)
        return xp._scatter(v, (n, n), (rows, rows + k))

    return diag


def _convolve(xp: Any) -> Function:
    def convolve(a: Any, v: Any, mode: str = "full") -> Any:
        a, v = xp.asarray(a), xp.asarray(v)
        n, m = a.shape[0], v.shape[0]
        places = xp.expand_dims(xp.arange(n), axis=1) + xp.expand_dims(xp.arange(m), axis=0)
        full = xp._scatter(_outer(xp)(a, v), (n + m - 1,), (places,))
        shorter, longer = sorted((n, m))
        keep = {"full": n + m - 1, "same": longer, "valid": longer - shorter + 1}[mode]
        start = (n + m - 1 - keep) // 2
        return full[start : start + keep]

    return convolve


def _outer(xp: Any) -> Function:
    def outer(a: Any, b: Any) -> Any:
        return xp.expand_dims(_flattened(xp, a), axis=1) * xp.expand_dims(_flattened(xp, b), axis=0)

    return outer


def _stacked(xp: Any, axis: int, least: int) -> Function:
    """Adapt ``hstack`` and its kin: bring the arrays to at least so many axes and join them."""

    def stacked(arrays: Any) -> Any:
        raised = []
        for array in map(xp.asarray, arrays):
            row = xp.reshape(array, (1,)) if array.ndim == 0 else array
            raised.append(row if row.ndim >= least else xp.expand_dims(row, axis=axis))
        return xp.concat(raised, axis=min(axis, raised[0].ndim - 1))

    return stacked


def _split() -> Function:
    def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
        length = x.shape[axis]
        if np.ndim(indices_or_sections) == 0:
            if length % indices_or_sections:
                raise ValueError("array split does not result in an equal division")
            step = length // indices_or_sections
            cuts = [step * i for i in range(1, indices_or_sections)]
        else:
            cuts = [int(i) for i in indices_or_sections]
        prefix = (slice(None),) * (axis % x.ndim)
        return [x[(*prefix, slice(start, stop))] for start, stop in zip([0, *cuts], [*cuts, length], strict=True)]

    return split


def _of_planes(xp: Any, function: Function) -> Function:
    """Adapt a function of matrices, which NumPy takes from the first two axes."""

    def adapted(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        return function(xp.moveaxis(a, (axis1, axis2), (-2, -1)) if a.ndim > 2 or axis1 % 2 else a, offset=offset)

    return adapted


def _diff(xp: Any) -> Function:
    def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
        def edge(value: Any) -> Any:
            if value is None or np.ndim(value):
                return value
            shape = list(a.shape)
            shape[axis] = 1
            return xp.broadcast_to(xp.asarray(value), tuple(shape))

        return xp.diff(a, n=n, axis=axis, prepend=edge(prepend), append=edge(append))

    return diff


def _dtype(dtype: Any) -> Any:
    return None if dtype is None else np.dtype(dtype)


def _like(function: Function) -> Function:
    return lambda a, dtype=None: function(a, dtype=_dtype(dtype))


def _reshape(xp: Any) -> Function:
    """Adapt ``reshape``; the order "F" counts the axes from the last, so it is the order "C" of the transpose."""

    def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Any:
        shape = (int(shape),) if np.ndim(shape) == 0 else tuple(map(int, shape))
        if order == "C":
            return xp.reshape(a, shape, copy=copy)
        if order != "F":
            raise MissingRuleError(f"numpy.reshape of a traced array takes the order 'C' or 'F', not {order!r}")
        return _axes_first(xp, xp.reshape(_axes_first(xp, a), shape[::-1], copy=copy))

    return reshape


def _svd(xp: Any) -> Function:
    def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
        return xp.linalg.svd(a, full_matrices=full_matrices) if compute_uv else xp.linalg.svdvals(a)

    return svd


def _tile(xp: Any) -> Function:
    def tile(A: Any, reps: Any) -> Any:  # noqa: N803  # NumPy's name
        return xp.tile(A, (int(reps),) if np.ndim(reps) == 0 else tuple(map(int, reps)))

    return tile


def _qr(xp: Any) -> Function:
    def qr(a: Any, mode: str = "reduced") -> Any:
        return xp.linalg.qr(a)[1] if mode == "r" else xp.linalg.qr(a, mode=mode)

    return qr


def _hermitian(xp: Any, function: Function) -> Function:
    """Adapt a function that reads one triangle of a Hermitian matrix, the lower one in the standard."""

    def adapted(a: Any, UPLO: str = "L") -> Any:  # noqa: N803  # NumPy's name
        return function(a if UPLO.upper() == "L" else xp.conj(xp.matrix_transpose(a)))

    return adapted


def _einsum(xp: Any) -> Function:
    """Adapt ``einsum``, which NumPy also takes with a list of axes after each array instead of subscripts."""

    def einsum(*operands: Any, optimize: Any = None) -> Any:  # noqa: ARG001  # any order of contraction has this value
        if not isinstance(operands[0], str):
            arrays, axes = operands[: len(operands) // 2 * 2 : 2], operands[1::2]
            terms = ["".join("..." if a is Ellipsis else ascii_letters[a] for a in term) for term in axes]
            out = "".join("..." if a is Ellipsis else ascii_letters[a] for a in operands[-1]) if len(operands) % 2 else None
            operands = (",".join(terms) + ("" if out is None else f"->{out}"), *arrays)
        return xp.einsum(*operands)

    return einsum


def _nan_to_num(xp: Any) -> Function:
    def nan_to_num(x: Any, *, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
        limits = np.finfo(x.dtype)
        highest, lowest = limits.max if posinf is None else posinf, limits.min if neginf is None else neginf
        for place, value in ((xp.isnan(x), nan), (x == np.inf, highest), (x == -np.inf, lowest)):
            x = xp.where(place, xp.full_like(x, value), x)
        return x

    return nan_to_num


def _ones_axes(x: Any) -> tuple[int, ...]:
    return tuple(i for i, n in enumerate(x.shape) if n == 1)


def _take(xp: Any) -> Function:
    def take(a: Any, indices: Any, axis: int | None = None) -> Any:
        x = _flattened(xp, a) if axis is None else a
        return xp.take(x, xp.asarray(indices), axis=0 if axis is None else axis)

    return take


def _select(xp: Any) -> Function:
    def where(condition: Any, *branches: Any) -> Any:
        return xp.where(condition, *branches) if branches else xp.nonzero(condition)

    return where


def _clip(xp: Any) -> Function:
    def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
        return xp.clip(a, a_min if min is None else min, a_max if max is None else max)

    return clip


def _reduced(xp: Any, name: str) -> Function:
    def reduced(x: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
        options = {} if dtype is None else {"dtype": dtype}
        return getattr(xp, name)(x, axis=axis, keepdims=keepdims, **options)

    return reduced


def _extreme(xp: Any, name: str) -> Function:
    def extreme(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        return getattr(xp, name)(x, axis=axis, keepdims=keepdims)

    return extreme


def _on_values(function: Function, unwrap: Callable[[Any], Any]) -> Function:
    """Evaluate on values a function whose result carries no derivative."""

    def evaluated(*args: Any, **kwargs: Any) -> Any:
        return function(*map(unwrap, args), **{key: unwrap(value) for key, value in kwargs.items()})

    return evaluated


VALUES = (np.allclose, np.array_equal, np.isclose, np.array_equiv, np.iscomplexobj, np.isrealobj, np.shape, np.ndim, np.size)


def _adapted_algebra(xp: Any) -> dict[Any, Function]:
    """Return the functions that compute with the elements."""
    return {
        np.cumsum: _cumulative(xp, "cumulative_sum"),
        np.cumprod: _cumulative(xp, "cumulative_prod"),
        np.linalg.norm: _norm(xp),
        np.dot: _dot(xp),
        np.vdot: lambda a, b: xp.vecdot(_flattened(xp, a), _flattened(xp, b)),
        np.inner: lambda a, b: xp.multiply(a, b) if 0 in (np.ndim(a), np.ndim(b)) else xp.tensordot(a, b, axes=((-1,), (-1,))),
        np.outer: _outer(xp),
        np.convolve: _convolve(xp),
        np.trace: _of_planes(xp, xp.linalg.trace),
        np.diagonal: _of_planes(xp, xp.linalg.diagonal),
        np.tril: lambda m, k=0: xp.tril(m, k=k),
        np.triu: lambda m, k=0: xp.triu(m, k=k),
        np.diff: _diff(xp),
        np.linalg.svd: _svd(xp),
        np.linalg.qr: _qr(xp),
        np.linalg.eigh: _hermitian(xp, xp.linalg.eigh),
        np.linalg.eigvalsh: _hermitian(xp, xp.linalg.eigvalsh),
        np.diag: _diag(xp),
        np.einsum: _einsum(xp),
        np.where: _select(xp),
        np.clip: _clip(xp),
        np.sort: lambda a, axis=-1: xp.sort(a, axis=axis) if axis is not None else xp.sort(_flattened(xp, a)),
        np.argsort: lambda a, axis=-1: xp.argsort(a, axis=axis),
        np.nan_to_num: _nan_to_num(xp),
        np.average: lambda a, axis=None: xp.mean(a, axis=axis),
        np.copy: xp.positive,
    }


def _adapted_shapes(xp: Any) -> dict[Any, Function]:
    """Return the functions that make, arrange and join arrays."""
    return {
        np.transpose: lambda a, axes=None: _axes_first(xp, a, axes),
        np.zeros_like: _like(xp.zeros_like),
        np.ones_like: _like(xp.ones_like),
        np.empty_like: _like(xp.empty_like),
        np.full_like: lambda a, fill_value, dtype=None: xp.full_like(a, fill_value, dtype=_dtype(dtype)),
        np.ravel: lambda a, order="C": _reshape(xp)(a, (-1,), order),
        np.reshape: _reshape(xp),
        np.swapaxes: lambda a, axis1, axis2: xp.moveaxis(a, (axis1, axis2), (axis2, axis1)),
        np.hstack: _stacked(xp, 1, 1),
        np.vstack: _stacked(xp, 0, 2),
        np.column_stack: _stacked(xp, 1, 2),
        np.split: _split(),
        np.flip: lambda m, axis=None: xp.flip(m, axis=axis),
        np.fliplr: lambda m: xp.flip(m, axis=1),
        np.flipud: lambda m: xp.flip(m, axis=0),
        np.squeeze: lambda a, axis=None: xp.squeeze(a, _ones_axes(a) if axis is None else axis),
        np.roll: lambda a, shift, axis=None: xp.roll(a, shift, axis=axis),
        np.repeat: lambda a, repeats, axis=None: xp.repeat(a, repeats, axis=axis),
        np.take: _take(xp),
        np.tile: _tile(xp),
        np.atleast_1d: lambda a: xp.reshape(a, (1,)) if a.ndim == 0 else a,
        np.expand_dims: lambda a, axis: xp.expand_dims(a, axis=axis),
        np.stack: lambda arrays, axis=0: xp.stack([xp.asarray(a) for a in arrays], axis=axis),
        np.concatenate: lambda arrays, axis=0: xp.concat([xp.asarray(a) for a in arrays], axis=axis),
    }


def function_table(xp: Any, unwrap: Callable[[Any], Any]) -> dict[Any, Function]:
    """Return the function to call for each function of NumPy that may be given a traced array of the namespace ``xp``."""
    table: dict[Any, Function] = {}
    for name in SAME:
        if hasattr(np, name) and hasattr(xp, name):
            table[getattr(np, name)] = getattr(xp, name)
    for name, standard in RENAMED.items():
        table[getattr(np, name)] = getattr(xp, standard)
    for module, source, names in ((np.linalg, xp.linalg, LINALG), (np.fft, xp.fft, FFT)):
        for name in names:
            if hasattr(source, name):
                table[getattr(module, name)] = getattr(source, name)
    for name in ("sum", "prod", "mean"):
        table[getattr(np, name)] = _reduced(xp, name)
    for name in ("max", "min", "argmax", "argmin", "all", "any"):
        table[getattr(np, name)] = _extreme(xp, name)
    for name in ("std", "var"):
        table[getattr(np, name)] = _spread(xp, name)
    table |= _adapted_shapes(xp) | _adapted_algebra(xp)
    for function in VALUES:
        table[function] = _on_values(function, unwrap)
    return table


def refuse_buffer(options: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the options without an ``out`` that says nothing; raise for one that names a buffer."""
    out = options.pop("out", None)
    if any(buffer is not None for buffer in (out if isinstance(out, tuple) else (out,))):
        raise InPlaceError(
            f"numpy.{name} cannot write a traced array into an out= buffer or into a plain array in place; use its return"
            " value, as in x = x + y"
        )
    return options
