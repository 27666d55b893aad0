"""Hessian-vector products, Hessians as operators, their diagonals, and products with their inverses."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from unidiff import tree
from unidiff._typing import Array, Arrays, Tree
from unidiff.calls import Call, Output, checked_argnums, own
from unidiff.derive import CompleteBackend, derived, inner, on_basis
from unidiff.errors import ArgumentError, DTypeError, TreeError
from unidiff.first_order import _require_scalar, check_callable, grad, linearize, sequence
from unidiff.matrix_free.linear_solvers import LinearSolution, Operator, cg
from unidiff.matrix_free.vectors import Space, one_of, tolerance

__all__ = ["hessian_diagonal", "hessian_operator", "hvp", "inverse_hvp"]


def hvp(
    f: Callable[..., Any],
    primals: Sequence[Tree],
    tangents: Sequence[Tree],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    mode: str = "forward-over-reverse",
    backend: Any = None,
    **kwargs: Any,
) -> Any:
    """Compute a Hessian-vector product without the Hessian: the derivative of the gradient along the tangents.

    Parameters
    ----------
    f : callable
        Returns one real array of shape (), or ``(out, aux)`` with `has_aux`. It is called once.
    primals : tuple or list of pytree
        The positional arguments.
    tangents : tuple or list of pytree
        The direction, one entry for each primal, of the same structures, shapes and dtypes.
    argnums : int or sequence of int
        The arguments whose gradient is taken.
    has_aux : bool
        Whether `f` returns a pair whose second member is returned as it is.
    mode : {"forward-over-reverse", "reverse-over-forward", "reverse-over-reverse", "forward-over-forward"}
        How the two derivatives are taken. All agree where the second derivatives are continuous. The first costs a small
        multiple of `f` and little more memory than a gradient; the last costs a forward pass for each element.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.
    **kwargs
        Keyword arguments of `f`, not differentiated.

    Returns
    -------
    pytree
        ``jvp(grad(f, argnums), primals, tangents)[1]``, like the gradient; with `has_aux` the pair ``(product, aux)``.

    Raises
    ------
    unidiff.errors.ArgumentError
        If there is no such mode.
    unidiff.errors.UnidiffError
        As `unidiff.grad` and `unidiff.jvp`.

    Notes
    -----
    B. Pearlmutter, Neural Computation 6 (1994), for forward over reverse mode.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.hvp(lambda x: x[0] ** 2 * x[1], (np.asarray([1.0, 3.0]),), (np.asarray([1.0, 0.0]),))
    array([6., 2.])
    """
    check_callable(f)
    derive = _MODES[one_of(mode, _MODES, "mode")]
    primals, tangents = sequence(primals, "primals"), sequence(tangents, "tangents")
    if len(primals) != len(tangents):
        raise TreeError(f"There are {len(primals)} primals, but {len(tangents)} tangents.")
    wanted = Call(f, primals, kwargs, checked_argnums(argnums), backend)
    call = Call(f, primals, kwargs, tuple(range(len(primals))), backend)
    output = Output(call, has_aux)

    def scalar(*leaves: Array) -> tuple[Arrays, Arrays]:
        outs, rest = output(*leaves)
        _require_scalar(call, output, outs)
        return outs, rest

    flat_tangents = call.tangents(tangents)
    product, rest = derive(call.backend, scalar, call.primals, flat_tangents, _places(call, wanted))
    result = wanted.build(own(call.backend, product, call.primals, flat_tangents))
    return (result, output.join((0,), rest)[1]) if has_aux else result


def _places(call: Call, wanted: Call) -> list[int]:
    """Return which leaves of all arguments belong to those whose gradient is wanted."""
    counts = [len(tree.leaves(x)) for x in call.args]
    starts = [sum(counts[:i]) for i in range(len(counts))]
    return [starts[i] + k for i in wanted.positions for k in range(counts[i])]


def _at(f: Callable[..., Any], xs: Arrays, places: Sequence[int]) -> Callable[..., Any]:
    """Return `f` as a function of the leaves at some places."""

    def chosen(*ys: Array) -> Any:
        full = list(xs)
        for i, y in zip(places, ys, strict=True):
            full[i] = y
        return f(*full)

    return chosen


def _forward_over_reverse(b: CompleteBackend, f: Any, xs: Arrays, vs: Arrays, places: Sequence[int]) -> tuple[Any, Any]:
    def gradient(*xs: Array) -> tuple[Arrays, Arrays]:
        _, grads, rest = b.value_and_grad(_at(f, xs, places), [xs[i] for i in places], has_aux=True)
        return tuple(grads), rest

    _, product, rest = b.jvp(gradient, xs, vs, has_aux=True)
    return product, rest


def _reverse_over_forward(b: CompleteBackend, f: Any, xs: Arrays, vs: Arrays, places: Sequence[int]) -> tuple[Any, Any]:
    def slope(*xs: Array) -> tuple[Arrays, Arrays]:
        _, pushed, rest = b.jvp(f, xs, vs, has_aux=True)
        return tuple(pushed), rest

    _, product, rest = b.value_and_grad(_at(slope, xs, places), tuple(xs[i] for i in places), has_aux=True)
    return product, rest


def _reverse_over_reverse(b: CompleteBackend, f: Any, xs: Arrays, vs: Arrays, places: Sequence[int]) -> tuple[Any, Any]:
    def slope(*xs: Array) -> tuple[Arrays, Arrays]:
        (value,), grads, rest = _one(b.value_and_grad(f, xs, has_aux=True))
        total = sum((_cast(b, inner(b, v, g), value) for v, g in zip(vs, grads, strict=True)), start=0 * value)
        return (b.asarray(total),), rest

    _, product, rest = b.value_and_grad(_at(slope, xs, places), tuple(xs[i] for i in places), has_aux=True)
    return product, rest


def _one(result: Any) -> Any:
    value, grads, rest = result
    return (value,), grads, rest


def _cast(b: CompleteBackend, x: Array, like: Array) -> Array:
    return x if x.dtype == like.dtype else b.namespace(x).astype(x, like.dtype)


def _forward_over_forward(b: CompleteBackend, f: Any, xs: Arrays, vs: Arrays, places: Sequence[int]) -> tuple[Any, Any]:
    def slope(*xs: Array) -> tuple[Arrays, Arrays]:
        _, pushed, rest = b.jvp(f, xs, vs, has_aux=True)
        return tuple(pushed), rest

    primals = tuple(xs[i] for i in places)
    jacfwd = derived("jacfwd") if any(map(b.is_complex, primals)) else None
    g = _at(slope, xs, places)
    _, (row,), rest = b.jacfwd(g, primals, has_aux=True) if jacfwd is None else jacfwd(b, g, primals, has_aux=True)
    product = []
    for block, x in zip(row, primals, strict=True):
        entry = block[0] + 1j * block[1] if b.is_complex(x) else block
        product.append(_cast(b, b.asarray(entry), x))
    return product, rest


_MODES = {
    "forward-over-reverse": _forward_over_reverse,
    "reverse-over-forward": _reverse_over_forward,
    "reverse-over-reverse": _reverse_over_reverse,
    "forward-over-forward": _forward_over_forward,
}


def argument(argnums: Any, primals: Sequence[Tree]) -> int:
    """Return the position of the one argument that `argnums` names, or raise ArgumentError."""
    number = checked_argnums(argnums)
    if not isinstance(number, int):
        raise ArgumentError(f"argnums must be one integer here, but it is {argnums!r}; put the arguments into one pytree.")
    if not -len(primals) <= number < len(primals):
        raise ArgumentError(f"argnums={argnums} is out of range: there are {len(primals)} positional arguments.")
    return number % len(primals)


def as_function_of(f: Callable[..., Any], primals: Sequence[Tree], position: int, kwargs: Any) -> Callable[[Tree], Any]:
    """Return `f` as a function of one argument, the others fixed."""
    check_callable(f)
    return lambda x: f(*primals[:position], x, *primals[position + 1 :], **kwargs)


def hessian_operator(f: Callable[..., Any], *primals: Tree, argnums: int = 0, backend: Any = None, **kwargs: Any) -> Operator:
    """Evaluate the gradient of a function and return its Hessian at that point as a linear function.

    Parameters
    ----------
    f : callable
        Returns one real array of shape (). It is called once, however often the operator is applied.
    *primals : pytree
        The positional arguments.
    argnums : int
        The argument by which the Hessian is taken.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.
    **kwargs
        Keyword arguments of `f`.

    Returns
    -------
    callable
        ``operator(v)`` is the Hessian times `v`, both pytrees like the argument.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `unidiff.grad` and `unidiff.linearize`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> h = ud.hessian_operator(lambda x: x[0] ** 2 * x[1], np.asarray([1.0, 3.0]))
    >>> h(np.asarray([1.0, 0.0])), h(np.asarray([0.0, 1.0]))
    (array([6., 2.]), array([2., 0.]))
    """
    position = argument(argnums, primals)
    gradient = grad(as_function_of(f, primals, position, kwargs), backend=backend)
    _, push = linearize(gradient, primals[position], backend=backend)
    operator: Operator = push
    return operator


def inverse_hvp(
    f: Callable[..., Any],
    primals: Sequence[Tree],
    vector: Tree,
    argnums: int = 0,
    *,
    damping: float = 0.0,
    tol: float | None = None,
    maxiter: int | None = None,
    preconditioner: Operator | None = None,
    backend: Any = None,
    **kwargs: Any,
) -> LinearSolution:
    """Compute the product of a vector with the inverse of a Hessian by conjugate gradients, without the Hessian.

    Parameters
    ----------
    f : callable
        Returns one real array of shape (). It is called once.
    primals : tuple or list of pytree
        The positional arguments.
    vector : pytree
        Like the argument of `argnums`.
    argnums : int
        The argument by which the Hessian H is taken.
    damping : float
        Solves ``(H + damping I) x = vector``; makes an indefinite or singular Hessian definite.
    tol, maxiter, preconditioner
        As for `unidiff.cg`.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.
    **kwargs
        Keyword arguments of `f`.

    Returns
    -------
    LinearSolution
        Not converged where the damped Hessian is not positive definite along a direction that was met.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `hessian_operator` and `unidiff.cg`, whose derivatives it has: by the vector, and by all that the Hessian depends on.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> solution = ud.inverse_hvp(lambda x: x[0] ** 2 + 2 * x[1] ** 2, (np.zeros(2),), np.ones(2))
    >>> solution.value, solution.converged
    (array([0.5 , 0.25]), True)
    """
    damping = tolerance(damping, "damping")
    primals = sequence(primals, "primals")
    h = hessian_operator(f, *primals, argnums=argnums, backend=backend, **kwargs)
    Space(primals[argument(argnums, primals)], "primal").check(vector, "vector")

    def damped(v: Tree) -> Tree:
        return tree.map(lambda hv, x: hv + damping * x, h(v), v) if damping else h(v)

    return cg(damped, vector, tol=tol, maxiter=maxiter, preconditioner=preconditioner)


def hessian_diagonal(f: Callable[..., Any], argnums: int | Sequence[int] = 0, *, backend: Any = None) -> Callable[..., Tree]:
    """Return a function that computes the diagonal of the Hessian of a function.

    Parameters
    ----------
    f : callable
        Returns one real array of shape (). It is called once where the backend linearizes.
    argnums : int or sequence of int
        The positional arguments: pytrees of real floating arrays.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns the second derivatives by each element: a pytree like the argument, or a tuple
        of such for a sequence of `argnums`.

    Raises
    ------
    unidiff.errors.DTypeError
        If an argument is complex, where an element has four second derivatives; see `unidiff.hessian`.
    unidiff.errors.UnidiffError
        As `unidiff.grad`.

    Notes
    -----
    Costs a Hessian-vector product for each element, in one batch where the backend can; `estimate_diagonal` of the
    `hessian_operator` is the way for many elements.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.hessian_diagonal(lambda x: x[0] ** 2 * x[1])(np.asarray([1.0, 3.0]))
    array([6., 0.])
    """
    check_callable(f)
    numbers = checked_argnums(argnums)

    @wraps(f)
    def diagonal(*args: Any, **kwargs: Any) -> Tree:
        call = Call(f, args, kwargs, numbers, backend)
        b, output = call.backend, Output(call, has_aux=False)
        for k, x in enumerate(call.primals):
            if b.is_complex(x):
                raise DTypeError(f"{call.path(k, 'Argument')} is complex: its elements have four second derivatives each.")

        def gradient(*xs: Array) -> Arrays:
            def scalar(*leaves: Array) -> Arrays:
                outs, _ = output(*leaves)
                _require_scalar(call, output, outs)
                return outs

            return tuple(b.value_and_grad(scalar, xs)[1])

        _, push = b.linearize(gradient, call.primals)
        entries = []
        for k, x in enumerate(call.primals):
            (column,) = on_basis(b, _own_product(b, push, k), call.primals, (_zero(b, x),), k)
            entries.append(b.namespace(column).reshape(column, tuple(x.shape)))
        return call.build(own(b, entries, call.primals))

    return diagonal


def _own_product(b: CompleteBackend, push: Callable[[Arrays], Arrays], k: int) -> Callable[[Arrays], Arrays]:
    return lambda vs: (b.asarray(inner(b, vs[k], push(vs)[k])),)


def _zero(b: CompleteBackend, like: Array) -> Array:
    return b.namespace().zeros((), dtype=like.dtype, device=b.device(like))
