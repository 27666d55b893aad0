"""NumPy's functions of whole blocks as lazy functions of Dask's arrays: the axes that a function needs whole are one chunk.

Memory: a task holds the blocks that it works on, so the axes named in a signature have to fit into the memory of a worker; all
other axes stay chunked.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import partial, wraps
from typing import Any

import array_api_compat.dask.array as xda
import array_api_compat.numpy as xnp
import dask.array as da
import numpy as np


def of_blocks(function: Callable[..., Any], signature: str, wrap: Callable[..., Any] = tuple) -> Callable[..., Any]:
    """Return a function of NumPy arrays as one of Dask's arrays.

    Parameters
    ----------
    function : callable
        It takes arrays with any number of axes before those of the signature, and options by keyword.
    signature : str
        The axes that it needs whole, as in ``"(m,n),(n)->(m)"``; see ``dask.array.apply_gufunc``.
    wrap : callable
        Makes what is returned of several results.
    """

    def lazy(*args: Any, **options: Any) -> Any:
        arrays = [x if isinstance(x, da.Array) else da.asarray(x) for x in args]
        if any(0 in x.shape for x in arrays):  # no block has an element, and Dask divides by their lengths
            empty = function(*(np.broadcast_to(np.zeros((), x.dtype), x.shape) for x in arrays), **options)
            return wrap(map(da.from_array, empty)) if isinstance(empty, tuple) else da.from_array(empty)
        like = function(*((np.zeros if x.dtype.kind in "iu" else np.ones)((1,) * x.ndim, x.dtype) for x in arrays), **options)
        several = isinstance(like, tuple)
        dtypes = [np.asarray(y).dtype for y in like] if several else np.asarray(like).dtype
        found = _gufunc(function, signature, *arrays, output_dtypes=dtypes, **options)
        return wrap(found) if several else found

    return lazy


def _gufunc(*args: Any, **options: Any) -> Any:
    with warnings.catch_warnings():  # Dask casts an array without elements to the dtype of each result, from complex ones too
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        return da.apply_gufunc(*args, allow_rechunk=True, **options)


def _tuple_of(name: str) -> Callable[..., Any]:
    function = getattr(xnp.linalg, name)

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        return tuple(function(*args, **options))

    return call


def solve(a: Any, b: Any) -> Any:
    """Return the solution of ``a @ x = b`` for a vector, or for a stack of matrices."""
    return _solve_vector(a, b) if b.ndim == 1 else _solve_matrix(a, b)


def qr(x: Any, *, mode: str = "reduced") -> Any:
    """Return the factors of a QR decomposition; the shapes of complete ones are not those of reduced ones."""
    m, n = x.shape[-2:]
    signature = "(m,n)->(m,m),(m,n)" if mode == "complete" or m < n else "(m,n)->(m,n),(n,n)"
    return of_blocks(_tuple_of("qr"), signature, _result("qr"))(x, mode=mode)


def svd(x: Any, *, full_matrices: bool = True) -> Any:
    """Return the factors of a singular value decomposition."""
    m, n = x.shape[-2:]
    k = "m" if m < n else "n"
    signature = f"(m,n)->(m,m),({k}),(n,n)" if full_matrices else f"(m,n)->(m,{k}),({k}),({k},n)"
    return of_blocks(_tuple_of("svd"), signature, _result("svd"))(x, full_matrices=full_matrices)


def svdvals(x: Any) -> Any:
    """Return the singular values."""
    m, n = x.shape[-2:]
    return of_blocks(xnp.linalg.svdvals, f"(m,n)->({'m' if m < n else 'n'})")(x)


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """Return the norms of matrices."""
    norms = of_blocks(partial(xnp.linalg.matrix_norm, ord=ord), "(m,n)->()")(x)
    return norms[..., None, None] if keepdims else norms


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Return the vector products along an axis of length three."""
    moved = da.moveaxis(x1, axis, -1), da.moveaxis(x2, axis, -1)
    dtype = np.result_type(x1.dtype, x2.dtype)
    found = _gufunc(np.linalg.cross, "(n),(n)->(n)", *moved, output_dtypes=dtype)
    return da.moveaxis(found, -1, axis)


def _transform(name: str, axes_of: Callable[[Any, dict[str, Any]], Iterable[int]]) -> Callable[..., Any]:
    """Return a Fourier transform for which the axes that it acts on are made one chunk each."""
    function = getattr(xda.fft, name)

    @wraps(function)
    def transform(x: Any, /, **options: Any) -> Any:
        return function(x.rechunk(dict.fromkeys(axes_of(x, options), -1)), **options)

    return transform


def _one_axis(_x: Any, options: dict[str, Any]) -> Iterable[int]:
    return (options.get("axis", -1),)


def _several_axes(x: Any, options: dict[str, Any]) -> Iterable[int]:
    axes, lengths = options.get("axes"), options.get("s")
    return axes if axes is not None else range(-(x.ndim if lengths is None else len(lengths)), 0)


def take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> Any:
    """Return the elements that the indices name along an axis, which becomes one chunk."""
    moved = da.moveaxis(x, axis, -1), da.moveaxis(da.asarray(indices), axis, -1)
    return da.moveaxis(of_blocks(_take_last, "(n),(m)->(m)")(*moved), -1, axis)


def _take_last(x: Any, indices: Any) -> Any:
    return np.take_along_axis(x, indices, axis=-1)


def _result(name: str) -> Callable[..., Any]:
    """Return what makes the named tuple of a decomposition."""
    kind: Any = type(getattr(np.linalg, name)(np.eye(1)))
    return lambda found: kind(*found)


_solve_vector = of_blocks(lambda a, b: np.linalg.solve(a, b[..., None])[..., 0], "(n,n),(n)->(n)")
_solve_matrix = of_blocks(np.linalg.solve, "(n,n),(n,k)->(n,k)")

FFT: dict[str, Callable[..., Any]] = {
    **{f"fft.{name}": _transform(name, _one_axis) for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")},
    **{f"fft.{name}": _transform(name, _several_axes) for name in ("fftn", "ifftn", "rfftn", "irfftn")},
}
LINALG: dict[str, Callable[..., Any]] = {
    "linalg.cholesky": of_blocks(xnp.linalg.cholesky, "(n,n)->(n,n)"),
    "linalg.cross": cross,
    "linalg.det": of_blocks(np.linalg.det, "(n,n)->()"),
    "linalg.eig": of_blocks(_tuple_of("eig"), "(n,n)->(n),(n,n)", _result("eig")),
    "linalg.eigh": of_blocks(_tuple_of("eigh"), "(n,n)->(n),(n,n)", _result("eigh")),
    "linalg.eigvals": of_blocks(xnp.linalg.eigvals, "(n,n)->(n)"),
    "linalg.eigvalsh": of_blocks(np.linalg.eigvalsh, "(n,n)->(n)"),
    "linalg.inv": of_blocks(np.linalg.inv, "(n,n)->(n,n)"),
    "linalg.matrix_norm": matrix_norm,
    "linalg.matrix_power": lambda x, n: of_blocks(np.linalg.matrix_power, "(n,n)->(n,n)")(x, n=n),
    "linalg.matrix_rank": of_blocks(xnp.linalg.matrix_rank, "(m,n)->()"),
    "linalg.pinv": of_blocks(xnp.linalg.pinv, "(m,n)->(n,m)"),
    "linalg.qr": qr,
    "linalg.slogdet": of_blocks(_tuple_of("slogdet"), "(n,n)->(),()", _result("slogdet")),
    "linalg.solve": solve,
    "linalg.svd": svd,
    "linalg.svdvals": svdvals,
}
