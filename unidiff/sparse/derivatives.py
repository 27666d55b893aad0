"""Jacobians and Hessians of known pattern, computed with one tangent or cotangent for each color."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from unidiff._typing import Array, Arrays
from unidiff.calls import Call, Output
from unidiff.derive import CompleteBackend, size
from unidiff.errors import ArgumentError, ShapeError
from unidiff.first_order import _require_scalar, check_callable
from unidiff.matrix_free.vectors import one_of
from unidiff.sparse.coloring import column_coloring, require_symmetric, row_coloring, star_coloring
from unidiff.sparse.detection import hessian_pattern, jacobian_pattern, require_real
from unidiff.sparse.matrix import SparseMatrix, SparsityPattern, indices, require_pattern

__all__ = ["hessian", "jacobian"]

MODES = ("auto", "forward", "reverse")


def jacobian(
    f: Callable[..., Any],
    pattern: SparsityPattern | None = None,
    argnums: int = 0,
    *,
    mode: str = "auto",
    backend: Any = None,
) -> Callable[..., SparseMatrix]:
    """Return a function that computes a sparse Jacobian with one pass for each color of its pattern.

    Parameters
    ----------
    f : callable
        Returns a pytree of real floating arrays. It is called once where the backend linearizes, apart from the detection of
        the pattern.
    pattern : SparsityPattern, optional
        A superset of the places of its entries; entries outside of it give wrong results. By default it is detected by
        `jacobian_pattern` in every call; give it where there are many calls.
    argnums : int
        The argument that is differentiated, a pytree of real floating arrays.
    mode : {"auto", "forward", "reverse"}
        Whether columns are colored, and found by forward mode, or rows, and found by reverse mode; the one with fewer colors.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns a `SparseMatrix`; its ``passes`` are the number of colors.

    Raises
    ------
    unidiff.errors.ShapeError
        If the pattern is of another shape than the Jacobian.
    unidiff.errors.DTypeError
        If the argument or the output is not made of real floating arrays.
    unidiff.errors.ArgumentError
        If there is no such mode.

    Examples
    --------
    >>> import numpy as np
    >>> from unidiff import sparse
    >>> matrix = sparse.jacobian(lambda x: x[1:] * x[:-1])(np.arange(1.0, 9.0))
    >>> matrix.shape, matrix.passes, matrix.values[:4]
    ((7, 8), 2, array([2., 1., 3., 2.]))
    """
    check_callable(f)
    one_of(mode, MODES, "mode")
    if pattern is not None:
        require_pattern(pattern)

    @wraps(f)
    def sparse_jacobian(*args: Any, **kwargs: Any) -> SparseMatrix:
        call = Call(f, args, kwargs, _one(argnums), backend)
        b, output = call.backend, Output(call, has_aux=False)
        require_real(b, call.primals, "argument")
        places = pattern or jacobian_pattern(f, *args, argnums=argnums, backend=backend, **kwargs)

        def outputs(*leaves: Array) -> Arrays:
            outs, rest = output(*leaves)
            require_real(b, (*outs, *rest), "output")
            return outs

        by_column, by_row = _colorings(places, mode)
        if by_row is None or (by_column is not None and max(by_column, default=-1) <= max(by_row, default=-1)):
            assert by_column is not None
            outs, linear = b.linearize(outputs, call.primals)
            sources, results, colors = call.primals, outs, by_column
        else:
            outs, linear = b.vjp(outputs, call.primals)
            sources, results, colors = outs, call.primals, by_row
        _check_shape(places, outs, call.primals)
        compressed = _compress(b, linear, sources, results, colors)
        mine = places.columns if colors is by_column else places.rows
        others = places.rows if colors is by_column else places.columns
        width = sum(map(size, results))
        found = [colors[j] * width + i for j, i in zip(mine, others, strict=True)]
        return SparseMatrix(places, _gather(b, compressed, found), 1 + max(colors, default=-1))

    return sparse_jacobian


def _one(argnums: Any) -> int:
    if not isinstance(argnums, int) or isinstance(argnums, bool):
        raise ArgumentError(f"argnums must be one integer here, but it is {argnums!r:.200}; put the arguments into one pytree.")
    return argnums


def _check_shape(pattern: SparsityPattern, outs: Sequence[Array], primals: Sequence[Array]) -> None:
    shape = (sum(map(size, outs)), sum(map(size, primals)))
    if pattern.shape != shape:
        raise ShapeError(f"The pattern has the shape {pattern.shape}, but the matrix has the shape {shape}.")


def _colorings(pattern: SparsityPattern, mode: str) -> tuple[Any, Any]:
    known: dict[str, Any] = pattern.__dict__.setdefault("_colorings", {})  # as cached_property does on a frozen class
    for name, color in (("forward", column_coloring), ("reverse", row_coloring)):
        if mode in ("auto", name) and name not in known:
            known[name] = color(pattern)
    return tuple(known[name] if mode in ("auto", name) else None for name in ("forward", "reverse"))  # type: ignore[return-value]  # two


def _compress(
    b: CompleteBackend, linear: Callable[[Arrays], Arrays], sources: Arrays, results: Arrays, colors: Sequence[int]
) -> Array:
    """Return the images of the sums of the unit vectors of each color, one in each row; in one batch where the backend can."""
    count, seeds, start = 1 + max(colors, default=-1), [], 0
    for x in sources:
        n = size(x)
        xp, device = b.namespace(), b.device(x)
        mine = indices(b, colors[start : start + n], x)
        every = xp.arange(count, dtype=mine.dtype, device=device)
        seed = xp.astype(xp.reshape(every, (count, 1)) == xp.reshape(mine, (1, n)), x.dtype)
        seeds.append(xp.reshape(seed, (count, *x.shape)))
        start += n
    if not count:
        images: Sequence[Array] = [b.namespace().zeros((0, *y.shape), dtype=y.dtype, device=b.device(y)) for y in results]
    elif "vmap" in b.native:
        images = b.vmap(lambda *vs: tuple(linear(vs)), tuple(seeds), (True,) * len(seeds), count)
    else:
        rows = [linear(tuple(seed[k, ...] for seed in seeds)) for k in range(count)]
        images = [b.namespace(*column).stack(list(column)) for column in zip(*rows, strict=True)]
    flat = [b.namespace(y).reshape(y, (count, size(like))) for y, like in zip(images, results, strict=True)]
    return b.namespace(*flat).concat(flat, axis=1)


def _gather(b: CompleteBackend, compressed: Array, places: Sequence[int]) -> Array:
    xp = b.namespace(compressed)
    flat = xp.reshape(compressed, (compressed.shape[0] * compressed.shape[1],))
    return xp.take(flat, indices(b, places, compressed), axis=0)


def hessian(
    f: Callable[..., Any],
    pattern: SparsityPattern | None = None,
    argnums: int = 0,
    *,
    backend: Any = None,
) -> Callable[..., SparseMatrix]:
    """Return a function that computes a sparse Hessian with one Hessian-vector product for each color of its pattern.

    Parameters
    ----------
    f : callable
        Returns one real array of shape (). It is called once where the backend linearizes, apart from the detection of the
        pattern.
    pattern : SparsityPattern, optional
        A symmetric superset of the places of its entries. By default it is detected by `hessian_pattern` in every call.
    argnums : int
        The argument that is differentiated, a pytree of real floating arrays.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns a `SparseMatrix` with both triangles; its ``passes`` are the number of colors.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `jacobian` and `unidiff.grad`; `unidiff.errors.ShapeError` if the pattern is not symmetric.

    Notes
    -----
    The columns have a star coloring, which takes fewer colors than that of a Jacobian since each entry may be read at its
    own place or at its mirror image.

    Examples
    --------
    >>> import numpy as np
    >>> from unidiff import sparse
    >>> matrix = sparse.hessian(lambda x: ((x[1:] - x[:-1]) ** 2).sum())(np.zeros(4))
    >>> matrix.todense()
    array([[ 2., -2.,  0.,  0.],
           [-2.,  4., -2.,  0.],
           [ 0., -2.,  4., -2.],
           [ 0.,  0., -2.,  2.]])
    """
    check_callable(f)
    if pattern is not None:
        require_pattern(pattern)
        require_symmetric(pattern)

    @wraps(f)
    def sparse_hessian(*args: Any, **kwargs: Any) -> SparseMatrix:
        call = Call(f, args, kwargs, _one(argnums), backend)
        b, output = call.backend, Output(call, has_aux=False)
        require_real(b, call.primals, "argument")
        places = pattern or hessian_pattern(f, *args, argnums=argnums, backend=backend, **kwargs)
        _check_shape(places, call.primals, call.primals)

        def scalar(*leaves: Array) -> Arrays:
            outs, _ = output(*leaves)
            _require_scalar(call, output, outs)
            return outs

        _, product = b.linearize(lambda *xs: tuple(b.value_and_grad(scalar, xs)[1]), call.primals)
        known: dict[str, Any] = places.__dict__.setdefault("_colorings", {})
        colors = known["star"] = known.get("star") or star_coloring(places)
        compressed = _compress(b, product, call.primals, call.primals, colors)
        return SparseMatrix(places, _gather(b, compressed, _direct(places, colors)), 1 + max(colors, default=-1))

    return sparse_hessian


def _direct(pattern: SparsityPattern, colors: Sequence[int]) -> list[int]:
    """Return where each entry stands in the compressed Hessian: in the row of its column's color or of its mirror image's."""
    n = pattern.shape[0]
    counts: list[dict[int, int]] = []
    for columns in pattern.by_row:
        found: dict[int, int] = {}
        for j in columns:
            found[colors[j]] = found.get(colors[j], 0) + 1
        counts.append(found)
    return [
        colors[j] * n + i if counts[i][colors[j]] == 1 else colors[i] * n + j
        for i, j in zip(pattern.rows, pattern.columns, strict=True)
    ]
