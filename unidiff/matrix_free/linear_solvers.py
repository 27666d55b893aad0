"""Linear systems with operators given as functions of pytrees: conjugate gradients, GMRES, and the dense way.

Complex entries count as pairs of real ones, so an operator need only be linear over the real numbers.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from unidiff import registry
from unidiff._typing import Array, Tree
from unidiff.matrix_free.implicit_solutions import implicit_solution
from unidiff.matrix_free.iterations import concrete, conjugate_gradients, dense_solution, restarted_gmres
from unidiff.matrix_free.vectors import Space, positive_integer, real_scalar, tolerance

__all__ = ["LinearSolution", "cg", "gmres", "solve_dense"]

Operator = Callable[[Tree], Tree]
"""A linear function of a pytree that returns one of the same structure, shapes and dtypes."""


class LinearSolution(NamedTuple):
    """What a linear solver found.

    Parameters
    ----------
    value : pytree of array
        The solution, or the best approximation of it.
    converged : bool or array
        Whether the residual is as small as was asked for; an array where the solver was traced.
    iterations : int or array
        How often the operator was applied by the iteration.
    residual : array
        The norm of ``b - A x``, computed anew at the end.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.cg(lambda x: 2 * x, np.asarray([2.0, 4.0])).converged
    True
    """

    value: Any
    converged: Any
    iterations: Any
    residual: Any


def _target(space: Space, rhs: Sequence[Array], tol: float | None, atol: float) -> Array:
    relative = space.epsilon() ** (2 / 3) if tol is None else tolerance(tol, "tol")
    norm = space.norm(rhs)
    xp = space.backend.namespace(norm)
    return xp.maximum(relative * norm, real_scalar(space.backend, tolerance(atol, "atol"), norm))


class _Method(NamedTuple):
    """A linear solver with its options; the systems of derivatives are solved by it, too.

    Parameters
    ----------
    run : callable
        One of `unidiff.matrix_free.iterations`.
    limit, again : int
        The largest number of iterations, and the least that systems of derivatives are granted, which start at zero.
    tol, atol : float
        As for `cg`. The right sides of derivatives may be of any size, so `atol` says nothing of them.
    """

    run: Callable[..., tuple[Sequence[Array], Array]]
    limit: int
    again: int
    tol: float | None = None
    atol: float = 0.0

    def solve(
        self, space: Space, a: Any, m: Any, rhs: Sequence[Array], start: Sequence[Array] | None
    ) -> tuple[Sequence[Array], Array, Array]:
        """Return the solution of a system on leaves, the iterations and the residual."""
        x, count = self.run(space, a, m, rhs, start, _target(space, rhs, self.tol, self.atol), self.limit)
        return x, count, space.backend.asarray(space.norm(space.combine(1, rhs, -1, a(x))))

    def report(self, space: Space, a: Any, m: Any = None, start: Sequence[Array] | None = None) -> LinearSolution:
        """Return what is found for the leaves of the space."""
        found = self.solve(space, a, m, space.leaves, start)
        return self.solution(space, found, space.leaves)

    def solution(self, space: Space, found: tuple[Sequence[Array], Array, Array], rhs: Sequence[Array]) -> LinearSolution:
        """Return what was found with whether that is a solution."""
        x, count, residual = found
        converged = residual <= 2 * _target(space, rhs, self.tol, self.atol)
        known = concrete(converged)
        return LinearSolution(
            space.build(x), converged if known is None else known, count if known is None else int(count), residual
        )

    def differentiable(self, space: Space, a: Any, m: Any = None, start: Sequence[Array] | None = None) -> LinearSolution:
        """Return what is found for the leaves of the space, with the derivatives of the exact solution."""
        if start is not None and "stop_gradient" in space.backend.native:
            start = list(map(space.backend.stop_gradient, start))
        found = implicit_solution(space, a, m, start, self)
        if found is None:
            return self.report(space, a, m, start)
        return self.solution(space, found, list(map(space.backend.stop_gradient, space.leaves)))

    def solve_again(self, epsilon: float, apply: Callable[[Array], Array], rhs: Array, preconditioner: Any = None) -> Array:
        """Return the solution of a system for derivatives, of arrays of shape (n,); NaN where there is none."""
        space = Space(rhs, "right side")
        m = None if preconditioner is None else lambda xs: [preconditioner(xs[0])]
        again = self._replace(limit=max(self.limit, self.again), tol=self.tol or epsilon ** (2 / 3), atol=0.0)
        return or_nan(again.report(space, lambda xs: [apply(xs[0])], m))


def or_nan(solution: LinearSolution) -> Array:
    """Return the value of a solution that is one array, NaN where it is none."""
    x, converged = solution.value, solution.converged
    if converged is True:
        return x
    b = registry.get_backend(x)
    xp = b.namespace(x)
    nan = xp.full_like(x, float("nan"))
    return nan if converged is False else b.asarray(xp.where(converged, x, nan))


def cg(
    operator: Operator,
    b: Tree,
    x0: Tree | None = None,
    *,
    tol: float | None = None,
    atol: float = 0.0,
    maxiter: int | None = None,
    preconditioner: Operator | None = None,
) -> LinearSolution:
    """Solve ``A x = b`` by preconditioned conjugate gradients, for a symmetric positive definite operator.

    Parameters
    ----------
    operator : callable
        ``A``: takes and returns a pytree like `b`.
    b : pytree of array
        The right side, of real or complex floating dtypes.
    x0 : pytree of array, optional
        Where to start; zero by default.
    tol, atol : float
        The iteration stops at ``|b - A x| <= max(tol |b|, atol)``; `tol` is ``eps**(2/3)`` by default.
    maxiter : int, optional
        The largest number of iterations; twice the dimension plus ten by default.
    preconditioner : callable, optional
        An approximation of the inverse of ``A``, symmetric and positive definite.

    Returns
    -------
    LinearSolution
        Not converged where `maxiter` was reached, or where a direction of no positive curvature was met: the operator is not
        positive definite then, and the value is the approximation that was reached before.

    Raises
    ------
    unidiff.errors.ArgumentError
        If an option makes no sense.
    unidiff.errors.TreeError, unidiff.errors.ShapeError, unidiff.errors.DTypeError, unidiff.errors.MixedBackendsError
        If the operator returns another kind of vector.

    Notes
    -----
    M. Hestenes and E. Stiefel, J. Res. NBS 49 (1952).

    The derivative is that of the exact solution, in any mode and to any order: tangents solve ``A dx = db - dA x`` by the same
    method, cotangents the system with the adjoint, and the iteration itself is not differentiated. It is NaN where such a
    system has no solution, or where it takes more iterations than `maxiter` and the default.

    Arrays that the operator uses have derivatives as the right side has; `x0` and what the preconditioner uses have none, and
    `converged`, `iterations` and `residual` are constants. For that the operator must apply the same operations to all vectors.
    JAX records it without values; PyTorch finds what it uses in closures, globals, attributes and containers, and applies it to
    all unit vectors where there is more.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> a = np.asarray([[4.0, 1.0], [1.0, 3.0]])
    >>> solution = ud.cg(lambda x: a @ x, np.asarray([1.0, 2.0]))
    >>> np.round(solution.value, 6), solution.converged
    (array([0.090909, 0.636364]), True)
    """
    space = Space(b, "b")
    a, m, start = _checked(space, operator, preconditioner, x0)
    enough = 2 * space.dimension + 10
    limit = enough if maxiter is None else positive_integer(maxiter, "maxiter")
    return _Method(conjugate_gradients, limit, enough, _relative(tol), tolerance(atol, "atol")).differentiable(
        space, a, m, start
    )


def _relative(tol: float | None) -> float | None:
    return None if tol is None else tolerance(tol, "tol")


def _checked(space: Space, operator: Any, preconditioner: Any, x0: Tree | None) -> tuple[Any, Any, Sequence[Array] | None]:
    """Return the operator, the preconditioner and the start as functions of leaves and as leaves."""
    a = space.operator(operator, "operator")
    m = None if preconditioner is None else space.operator(preconditioner, "preconditioner")
    return a, m, None if x0 is None else space.check(x0, "x0")


def gmres(
    operator: Operator,
    b: Tree,
    x0: Tree | None = None,
    *,
    tol: float | None = None,
    atol: float = 0.0,
    maxiter: int | None = None,
    restart: int = 20,
    preconditioner: Operator | None = None,
) -> LinearSolution:
    """Solve ``A x = b`` by restarted GMRES, for any operator.

    Parameters
    ----------
    operator, b, x0, tol, atol
        As for `cg`.
    maxiter : int, optional
        The largest number of restarts; by default as many as let twice the dimension plus ten steps be made.
    restart : int
        The dimension of the Krylov space; all its vectors are held.
    preconditioner : callable, optional
        An approximation of the inverse of ``A``, applied on the right.

    Returns
    -------
    LinearSolution
        ``iterations`` counts the steps of all restarts.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `cg`.

    Notes
    -----
    Y. Saad and M. Schultz, SIAM J. Sci. Stat. Comput. 7 (1986); Arnoldi's vectors are orthogonalized twice. Derivatives are as
    those of `cg`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> a = np.asarray([[0.0, 2.0], [-1.0, 1.0]])
    >>> np.round(ud.gmres(lambda x: a @ x, np.asarray([2.0, 0.0])).value, 9)
    array([1., 1.])
    """
    space = Space(b, "b")
    a, m, start = _checked(space, operator, preconditioner, x0)
    depth = min(positive_integer(restart, "restart"), space.dimension)
    enough = (2 * space.dimension + 10) // max(depth, 1) + 1
    cycles = enough if maxiter is None else positive_integer(maxiter, "maxiter")
    run = partial(restarted_gmres, depth)
    return _Method(run, cycles, enough, _relative(tol), tolerance(atol, "atol")).differentiable(space, a, m, start)


def solve_dense(operator: Operator, b: Tree) -> LinearSolution:
    """Solve ``A x = b`` by the matrix of the operator, for any operator of a few hundred dimensions.

    Parameters
    ----------
    operator, b
        As for `cg`. The operator is applied to every unit vector, in one batch where the backend can.

    Returns
    -------
    LinearSolution
        NaN where the matrix is singular to working precision, or not finite.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `cg`.

    Notes
    -----
    Derivatives are as those of `cg`, NaN where the matrix is singular.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.solve_dense(lambda x: {"u": 2 * x["u"]}, {"u": np.asarray([2.0, 4.0])}).value
    {'u': array([1., 2.])}
    """
    space = Space(b, "b")
    return _DENSE.differentiable(space, space.operator(operator, "operator"))


_DENSE = _Method(dense_solution, 1, 1)


def _plain(make: Callable[[Space], _Method], operator: Operator, b: Tree) -> LinearSolution:
    """Solve by one of the methods, without derivatives."""
    space = Space(b, "b")
    return make(space).report(space, space.operator(operator, "operator"))


def _normal_cg(operator: Operator, b: Tree) -> LinearSolution:
    """Solve ``A* A x = A* b`` by conjugate gradients; the adjoint is the pullback of the operator."""
    space = Space(b, "b")
    a, backend = space.operator(operator, "operator"), space.backend
    _, pull = backend.vjp(lambda *xs: tuple(a(xs)), tuple(space.zeros()))
    limit = 2 * space.dimension + 10
    normal = Space(space.build(pull(tuple(space.leaves))), "right side")
    method = _Method(conjugate_gradients, limit, limit, space.epsilon() ** 0.8)
    x, count, _ = method.solve(normal, lambda x: list(pull(tuple(a(x)))), None, normal.leaves, None)
    residual = backend.asarray(space.norm(space.combine(1, space.leaves, -1, a(x))))
    return _Method(conjugate_gradients, limit, limit).solution(space, (x, count, residual), space.leaves)


def _cg_method(space: Space) -> _Method:
    limit = 2 * space.dimension + 10
    return _Method(conjugate_gradients, limit, limit)


def _gmres_method(space: Space) -> _Method:
    depth = min(50, space.dimension)
    cycles = (2 * space.dimension + 10) // max(depth, 1) + 1
    return _Method(partial(restarted_gmres, depth), cycles, cycles)


SOLVERS: dict[str, Callable[[Operator, Tree], LinearSolution]] = {
    "cg": partial(_plain, _cg_method),
    "normal_cg": _normal_cg,
    "gmres": partial(_plain, _gmres_method),
    "dense": partial(_plain, lambda _: _DENSE),
}
"""Solvers by the names that functions with an inner linear system take; their systems have no derivatives."""
