"""Finds the sparsity pattern of a Jacobian or Hessian: by the structure of the program, or by probing."""

from collections.abc import Callable
from typing import Any

from unidiff import tree
from unidiff._typing import Array, Arrays, Tree
from unidiff.arrays import stop_gradient, to_backend
from unidiff.calls import Call, Output
from unidiff.derive import CompleteBackend, size
from unidiff.errors import DTypeError, TracedConversionError
from unidiff.first_order import check_callable, grad
from unidiff.jacobians import jacobian
from unidiff.matrix_free.vectors import Space, one_of
from unidiff.registry import DEFAULT
from unidiff.sparse.matrix import SparsityPattern

__all__ = ["hessian_pattern", "jacobian_pattern"]

METHODS = ("auto", "trace", "probe")
PROBES = 3
"""At how many points a probe looks for entries, the given one included."""


def jacobian_pattern(
    f: Callable[..., Any], *primals: Tree, method: str = "auto", argnums: int = 0, backend: Any = None, **kwargs: Any
) -> SparsityPattern:
    """Find where the Jacobian of a function may have entries.

    Parameters
    ----------
    f : callable
        Returns a pytree of real floating arrays.
    *primals : pytree
        The positional arguments.
    method : {"auto", "trace", "probe"}
        "trace" follows the dependence of every element through the program: sound for all values that take the same Python
        branches and integer indices, and a superset of the true pattern where functions mix elements in ways that are not
        known in detail. It runs on NumPy and other arrays that unidiff's own engine differentiates; with arrays of another
        library the program runs on NumPy copies of them, so it must be written against the array API. "probe" takes dense
        Jacobians at three points near the given one and unites their entries: it works for every function, but it misses
        what is zero at all of them. "auto" traces where the engine differentiates the arrays given, and probes elsewhere.
    argnums : int
        The argument that is differentiated.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.
    **kwargs
        Keyword arguments of `f`.

    Returns
    -------
    SparsityPattern
        Of shape (elements of the output, elements of the argument).

    Raises
    ------
    unidiff.errors.ArgumentError
        If there is no such method.
    unidiff.errors.DTypeError
        If the argument or the output is not made of real floating arrays.
    unidiff.errors.TracedConversionError
        If a pattern is to be probed while the function is compiled or mapped over.
    unidiff.errors.UnidiffError
        As `unidiff.jacobian`.

    Examples
    --------
    >>> import numpy as np
    >>> from unidiff import sparse
    >>> sparse.jacobian_pattern(lambda x: x[1:] * x[:-1], np.zeros(3)).columns
    (0, 1, 1, 2)
    """
    check_callable(f)
    one_of(method, METHODS, "method")
    call = Call(f, primals, kwargs, argnums, backend)
    require_real(call.backend, call.primals, "argument")
    native = "dependence" in call.backend.native
    if method == "probe" or (method == "auto" and not native):
        return _probe(f, call, primals, kwargs, argnums, backend)
    if not native:
        primals, kwargs = _plain((primals, kwargs))
        call = Call(f, primals, kwargs, argnums, None)
    return _trace(call)


def require_real(b: CompleteBackend, arrays: Arrays, what: str) -> None:
    """Raise DTypeError unless all arrays are real floating ones."""
    for x in arrays:
        if not b.is_real(x):
            raise DTypeError(f"The {what} has an array of dtype {x.dtype}; sparse derivatives are of real floating arrays.")


def _plain(values: Tree) -> Tree:
    return tree.map(lambda x: to_backend(x, DEFAULT) if hasattr(x, "dtype") else x, values)


def _trace(call: Call) -> SparsityPattern:
    b, output = call.backend, Output(call, has_aux=False)

    def outputs(*leaves: Array) -> Arrays:
        outs, rest = output(*leaves)
        require_real(b, (*outs, *rest), "output")
        return outs

    stacked = b.dependence(outputs, call.primals)
    rows: list[int] = []
    columns: list[int] = []
    start = 0
    for x in stacked:
        count = size(x) // x.shape[0] if x.shape[0] else 0
        found = b.to_numpy(x).reshape(x.shape[0], count)
        inputs, outs = (found != 0).nonzero()
        rows += [start + i for i in outs.tolist()]
        columns += inputs.tolist()
        start += count
    return SparsityPattern.from_coo(rows, columns, (start, sum(map(size, call.primals))))


def _probe(f: Any, call: Call, primals: Any, kwargs: Any, argnums: int, backend: Any) -> SparsityPattern:
    from random import Random  # not needed by `import unidiff`

    gauss = Random(0).gauss  # noqa: S311  # reproducible, not secret
    b, position = call.backend, call.positions[0]
    places: set[tuple[int, int]] = set()
    shape = (0, 0)
    for k in range(PROBES):
        args = list(primals)
        if k:
            space = Space(primals[position], "argument")
            moved = [
                b.asarray(x + 0.1 * (1 + b.namespace(x).abs(x)) * v)
                for x, v in zip(space.leaves, space.normal(gauss), strict=True)
            ]
            args[position] = space.build(moved)
        blocks = _dense(b, jacobian(f, argnums, backend=backend)(*args, **kwargs), call)
        try:
            pattern = SparsityPattern.from_dense(stop_gradient(blocks))
        except TracedConversionError as error:
            raise TracedConversionError(
                "A pattern is probed at values, which there are none of while the function is compiled or mapped over: find it "
                "outside with unidiff.sparse.jacobian_pattern or hessian_pattern, and pass it as pattern."
            ) from error
        places |= set(zip(pattern.rows, pattern.columns, strict=True))
        shape = pattern.shape
    return SparsityPattern.from_coo([i for i, _ in places], [j for _, j in places], shape)


def _dense(b: CompleteBackend, jac: Tree, call: Call) -> Array:
    """Return the blocks of a Jacobian as one matrix."""
    blocks, count = tree.leaves(jac), len(call.primals)
    rows = []
    for i in range(0, len(blocks), count):
        row = []
        for block, x in zip(blocks[i : i + count], call.primals, strict=True):
            require_real(b, (block,), "output")
            n = size(x)
            m = 1
            for length in block.shape[: len(block.shape) - len(x.shape)]:
                m *= length
            row.append(b.namespace(block).reshape(block, (m, n)))
        rows.append(b.namespace(*row).concat(row, axis=1))
    return b.namespace(*rows).concat(rows, axis=0)


def hessian_pattern(
    f: Callable[..., Any], *primals: Tree, method: str = "auto", argnums: int = 0, backend: Any = None, **kwargs: Any
) -> SparsityPattern:
    """Find where the Hessian of a function may have entries.

    Parameters
    ----------
    f : callable
        Returns one real array of shape ().
    *primals, method, argnums, backend, **kwargs
        As for `jacobian_pattern`, which is applied to the gradient.

    Returns
    -------
    SparsityPattern
        Symmetric.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `jacobian_pattern` and `unidiff.grad`.

    Examples
    --------
    >>> import numpy as np
    >>> from unidiff import sparse
    >>> sparse.hessian_pattern(lambda x: (x[0] * x[1] + x[2] ** 3), np.zeros(3)).rows
    (0, 1, 2)
    """
    gradient = grad(f, argnums, backend=backend)
    found = jacobian_pattern(gradient, *primals, method=method, argnums=argnums, backend=backend, **kwargs)
    return SparsityPattern.from_coo((*found.rows, *found.columns), (*found.columns, *found.rows), found.shape)
