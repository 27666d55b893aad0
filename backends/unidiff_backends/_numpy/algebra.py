"""Products, linear algebra and Fourier transforms."""

from __future__ import annotations

import math
from functools import partial
from string import ascii_letters
from typing import Any

import numpy as np

from unidiff.errors import MissingRuleError
from unidiff_backends._numpy.reductions import flattened
from unidiff_backends._numpy.table import MEANINGS, absent, means, missing

# --- products


@means(np.dot)
def _dot(xp: Any, a: Any, b: Any) -> Any:
    a, b = xp.asarray(a), xp.asarray(b)
    if a.ndim == 0 or b.ndim == 0:
        return xp.multiply(a, b)
    if b.ndim <= 2:
        return xp.matmul(a, b)
    return xp.tensordot(a, b, axes=((a.ndim - 1,), (b.ndim - 2,)))


@means(np.inner)
def _inner(xp: Any, a: Any, b: Any, /) -> Any:
    a, b = xp.asarray(a), xp.asarray(b)
    return xp.multiply(a, b) if 0 in (a.ndim, b.ndim) else xp.tensordot(a, b, axes=((-1,), (-1,)))


@means(np.outer)
def outer(xp: Any, a: Any, b: Any) -> Any:
    """Return the products of each element of one array with each of the other."""
    return xp.expand_dims(flattened(xp, a), axis=1) * xp.expand_dims(flattened(xp, b), axis=0)


means(np.vdot)(lambda xp, a, b, /: xp.vecdot(flattened(xp, a), flattened(xp, b)))


@means(np.kron)
def _kron(xp: Any, a: Any, b: Any) -> Any:
    a, b = xp.asarray(a), xp.asarray(b)
    ndim = max(a.ndim, b.ndim)
    rows, columns = ((1,) * (ndim - x.ndim) + x.shape for x in (a, b))
    apart = xp.reshape(a, tuple(k for n in rows for k in (n, 1))) * xp.reshape(b, tuple(k for n in columns for k in (1, n)))
    return xp.reshape(apart, tuple(n * m for n, m in zip(rows, columns, strict=True)))


@means(np.cross)
def _cross(xp: Any, a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = xp.moveaxis(xp.asarray(a), axisa, -1), xp.moveaxis(xp.asarray(b), axisb, -1)
    if (a.shape[-1], b.shape[-1]) == (3, 3):
        return xp.moveaxis(xp.linalg.cross(a, b), -1, axisc)
    if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
        raise ValueError("incompatible dimensions for cross product\n(dimension must be 2 or 3)")
    raise MissingRuleError(missing("cross of vectors with two elements"))


@means(np.tensordot)
def _tensordot(xp: Any, a: Any, b: Any, axes: Any = 2) -> Any:
    if np.ndim(axes) == 0:
        return xp.tensordot(xp.asarray(a), xp.asarray(b), axes=int(axes))
    first, second = (tuple(int(i) for i in np.atleast_1d(part)) for part in axes)
    return xp.tensordot(xp.asarray(a), xp.asarray(b), axes=(first, second))


@means(np.einsum)
def _einsum(xp: Any, *operands: Any, optimize: Any = None) -> Any:  # noqa: ARG001  # any order of contraction has this value
    """Adapt ``einsum``, which NumPy also takes with a list of axes after each array instead of subscripts."""
    if not isinstance(operands[0], str):
        arrays, axes = operands[: len(operands) // 2 * 2 : 2], operands[1::2]
        terms = ["".join("..." if a is Ellipsis else ascii_letters[a] for a in term) for term in axes]
        out = "".join("..." if a is Ellipsis else ascii_letters[a] for a in operands[-1]) if len(operands) % 2 else None
        operands = (",".join(terms) + ("" if out is None else f"->{out}"), *arrays)
    return xp.einsum(operands[0], *map(xp.asarray, operands[1:]))


# --- matrices


def _of_planes(function: str, xp: Any, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, **options: Any) -> Any:
    """Adapt a function of matrices, which NumPy takes from the first two axes."""
    moved = xp.moveaxis(a, (axis1, axis2), (-2, -1)) if a.ndim > 2 or axis1 % 2 else a
    return getattr(xp.linalg, function)(moved, offset=offset, **options)


MEANINGS[np.trace] = lambda xp, a, offset=0, axis1=0, axis2=1, dtype=None: _of_planes(
    "trace", xp, a, offset, axis1, axis2, dtype=None if dtype is None else np.dtype(dtype)
)
MEANINGS[np.diagonal] = lambda xp, a, offset=0, axis1=0, axis2=1: _of_planes("diagonal", xp, a, offset, axis1, axis2)
means(np.tril)(lambda xp, m, k=0: xp.tril(m, k=k))
means(np.triu)(lambda xp, m, k=0: xp.triu(m, k=k))


@means(np.diag)
def _diag(xp: Any, v: Any, k: int = 0) -> Any:
    if v.ndim == 2:
        return xp.linalg.diagonal(v, offset=k)
    n = v.shape[0] + abs(k)
    rows = xp.arange(v.shape[0]) + max(-k, 0)
    return xp._scatter(v, (n, n), (rows, rows + k))


means(np.diagflat)(lambda xp, v, k=0: _diag(xp, flattened(xp, v), k))


@means(np.linalg.norm)
def _norm(xp: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:  # NumPy's name
    axes = tuple(range(x.ndim)) if axis is None and ord is not None else axis
    if isinstance(axes, tuple) and len(axes) == 2 and ord is not None:
        moved = xp.moveaxis(x, axes, (-2, -1))
        out = xp.linalg.matrix_norm(moved, ord=ord)
        return xp.expand_dims(out, axis=tuple(sorted(a % x.ndim for a in axes))) if keepdims else out
    if ord is not None and not isinstance(ord, (int, float)):
        raise ValueError(f"Invalid norm order '{ord}' for vectors")
    if axis is None and ord is not None and x.ndim > 2:
        raise ValueError("Improper number of dimensions to norm.")
    return xp.linalg.vector_norm(x, ord=2 if ord is None else ord, axis=axis, keepdims=keepdims)


@means(np.linalg.svd)
def _svd(xp: Any, a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    if hermitian:
        a = _lower(xp, a)
    return xp.linalg.svd(a, full_matrices=full_matrices) if compute_uv else xp.linalg.svdvals(a)


def _lower(xp: Any, a: Any) -> Any:
    """Return the Hermitian matrix of a lower triangle, which is all that NumPy reads of it."""
    below = xp.tril(a, k=-1)
    across = xp.matrix_transpose(below)
    diagonal = xp.tril(xp.triu(a))
    if np.dtype(a.dtype).kind == "c":
        across, diagonal = xp.conj(across), xp.astype(xp.real(diagonal), a.dtype)
    return below + across + diagonal


@means(np.linalg.qr)
def _qr(xp: Any, a: Any, mode: str = "reduced") -> Any:
    if mode not in ("reduced", "complete", "r"):
        raise MissingRuleError(missing(f"linalg.qr with mode={mode!r}"))
    return xp.linalg.qr(a)[1] if mode == "r" else xp.linalg.qr(a, mode=mode)


def _hermitian(function: str, xp: Any, a: Any, UPLO: str = "L") -> Any:  # noqa: N803  # NumPy's name
    """Adapt a function that reads one triangle of a Hermitian matrix, the lower one in the standard."""
    return getattr(xp.linalg, function)(a if UPLO.upper() == "L" else xp.conj(xp.matrix_transpose(a)))


MEANINGS[np.linalg.eigh] = partial(_hermitian, "eigh")
MEANINGS[np.linalg.eigvalsh] = partial(_hermitian, "eigvalsh")


@means(np.linalg.eigvals)
def _eigvals(xp: Any, a: Any) -> Any:
    return _real_where_exact(xp, a, xp.linalg.eigvals(a))[0]


@means(np.linalg.eig)
def _eig(xp: Any, a: Any) -> Any:
    found = xp.linalg.eig(a)
    return type(found)(*_real_where_exact(xp, a, *found))


def _real_where_exact(xp: Any, a: Any, values: Any, *vectors: Any) -> tuple[Any, ...]:
    """Return eigenvalues and vectors of a real matrix as real arrays where no eigenvalue is complex, as NumPy does."""
    real = np.dtype(a.dtype).kind != "c" and not np.any(np.imag(np.asarray(xp._constant(values))))
    return tuple(map(xp.real, (values, *vectors))) if real else (values, *vectors)


@means(np.linalg.pinv)
def _pinv(xp: Any, a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    given = rcond if absent(rtol) else rtol
    return xp.linalg.pinv(_lower(xp, a) if hermitian else a, **({} if given is None else {"rtol": given}))


@means(np.linalg.cond)
def _cond(xp: Any, x: Any, p: Any = None) -> Any:
    if p in (None, 2, -2):
        s = xp.linalg.svdvals(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return xp.linalg.matrix_norm(x, ord=p) * xp.linalg.matrix_norm(xp.linalg.inv(x), ord=p)


@means(np.linalg.lstsq)
def _lstsq(xp: Any, a: Any, b: Any, rcond: float | None = None) -> Any:
    a, b = xp.asarray(a), xp.asarray(b)
    rows, columns = a.shape
    rtol = np.finfo(a.dtype).eps * max(rows, columns) if rcond is None else max(rcond, np.finfo(a.dtype).eps)
    s = xp.linalg.svdvals(a)
    rank = int(np.count_nonzero(np.asarray(xp._constant(s) > rtol * xp._constant(s)[0])))
    x = xp.matmul(xp.linalg.pinv(a, rtol=rtol), b)
    if rank < columns or rows <= columns:
        return x, np.zeros(0, b.dtype), rank, s
    off = b - xp.matmul(a, x)
    residuals = xp.sum(xp.real(xp.conj(off) * off) if np.dtype(off.dtype).kind == "c" else off * off, axis=0)
    return x, xp.reshape(residuals, (-1,)), rank, s


@means(np.linalg.multi_dot)
def _multi_dot(xp: Any, arrays: Any) -> Any:
    """Multiply in the order of the smallest number of operations, as NumPy does."""
    arrays = [xp.asarray(x) for x in arrays]
    if len(arrays) < 2:
        raise ValueError("Expecting at least two arrays.")
    first, last = arrays[0].ndim == 1, arrays[-1].ndim == 1
    arrays[0] = xp.expand_dims(arrays[0], axis=0) if first else arrays[0]
    arrays[-1] = xp.expand_dims(arrays[-1], axis=1) if last else arrays[-1]
    product = _chain(xp, arrays)
    return xp.reshape(product, tuple(n for n, drop in zip(product.shape, (first, last), strict=True) if not drop))


def _chain(xp: Any, arrays: list[Any]) -> Any:
    n = len(arrays)
    size = [*(x.shape[0] for x in arrays), arrays[-1].shape[1]]
    cost = [[0.0] * n for _ in range(n)]
    cut = [[0] * n for _ in range(n)]
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            costs = {k: cost[i][k] + cost[k + 1][j] + size[i] * size[k + 1] * size[j + 1] for k in range(i, j)}
            cut[i][j] = min(costs, key=costs.__getitem__)
            cost[i][j] = costs[cut[i][j]]

    def multiplied(i: int, j: int) -> Any:
        k = cut[i][j]
        return arrays[i] if i == j else xp.matmul(multiplied(i, k), multiplied(k + 1, j))

    return multiplied(0, n - 1)


@means(np.linalg.tensorinv)
def _tensorinv(xp: Any, a: Any, ind: int = 2) -> Any:
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    rows = math.prod(a.shape[ind:])
    inverse = xp.linalg.inv(xp.reshape(a, (-1, rows)))
    return xp.reshape(inverse, (*a.shape[ind:], *a.shape[:ind]))


@means(np.linalg.tensorsolve)
def _tensorsolve(xp: Any, a: Any, b: Any, axes: Any = None) -> Any:
    a, b = xp.asarray(a), xp.asarray(b)
    if axes is not None:
        a = xp.permute_dims(a, (*(i for i in range(a.ndim) if i not in axes), *axes))
    shape = a.shape[-(a.ndim - b.ndim) :]
    rows = math.prod(shape)
    return xp.reshape(xp.linalg.solve(xp.reshape(a, (-1, rows)), flattened(xp, b)), shape)


# --- Fourier transforms


def _transform(function: str, xp: Any, a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    return getattr(xp.fft, function)(xp.asarray(a), n=n, axis=axis, norm=norm or "backward")


def _transforms(function: str, planes: bool, xp: Any, a: Any, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
    a = xp.asarray(a)
    if axes is None and planes:
        axes = (-2, -1)
    elif axes is None and s is not None:
        axes = tuple(range(-len(s), 0))
    lengths = None if s is None else tuple(_length(function, a, s, axes))
    return getattr(xp.fft, function)(a, s=lengths, axes=None if axes is None else tuple(axes), norm=norm or "backward")


def _length(function: str, a: Any, s: Any, axes: Any) -> Any:
    """Return the lengths of a transform, where -1 is that of the array."""
    for i, (n, axis) in enumerate(zip(s, axes, strict=True)):
        whole = 2 * (a.shape[axis] - 1) if function == "irfftn" and i == len(axes) - 1 else a.shape[axis]
        yield whole if n in (None, -1) else int(n)


for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    MEANINGS[getattr(np.fft, _name)] = partial(_transform, _name)
for _name in ("fft", "ifft", "rfft", "irfft"):
    MEANINGS[getattr(np.fft, _name + "n")] = partial(_transforms, _name + "n", False)
    MEANINGS[getattr(np.fft, _name + "2")] = partial(_transforms, _name + "n", True)
for _name in ("fftshift", "ifftshift"):
    MEANINGS[getattr(np.fft, _name)] = partial(lambda name, xp, x, axes=None: getattr(xp.fft, name)(x, axes=axes), _name)
