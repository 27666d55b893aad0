"""Linear systems with operators given as functions of pytrees: conjugate gradients, GMRES, and the dense way.

Complex entries count as pairs of real ones, so an operator need only be linear over the real numbers.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from unidiff._typing import Array, Tree
from unidiff.derive import CompleteBackend
from unidiff.matrix_free.vectors import Space, finite_or_zero, positive_integer, real_scalar, tolerance

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


def concrete(x: Any) -> bool | None:
    """Return the truth of a 0-d array, or None where it has none yet, as under compilation and batching."""
    try:
        return bool(x)
    except Exception:  # noqa: BLE001  # each library has its own
        return None


def loop(
    b: CompleteBackend, going: Callable[..., Array], step: Callable[..., Sequence[Array]], state: Sequence[Array]
) -> Sequence[Array]:
    """Repeat a step while a condition holds: by Python where the condition has a value, else by the backend's loop."""
    first = concrete(going(*state))
    if first is None:
        found: Sequence[Array] = b.while_loop(going, lambda *xs: tuple(step(*xs)), tuple(state))
        return found
    while first:
        state = step(*state)
        first = concrete(going(*state))
    return state


def _target(space: Space, rhs: Sequence[Array], tol: float | None, atol: float) -> Array:
    relative = space.epsilon() ** (2 / 3) if tol is None else tolerance(tol, "tol")
    norm = space.norm(rhs)
    xp = space.backend.namespace(norm)
    return xp.maximum(relative * norm, real_scalar(space.backend, tolerance(atol, "atol"), norm))


def _report(space: Space, a: Any, x: Sequence[Array], rhs: Sequence[Array], target: Array, count: Array) -> LinearSolution:
    residual = space.backend.asarray(space.norm(space.combine(1, rhs, -1, a(x))))
    converged = residual <= 2 * target
    known = concrete(converged)
    return LinearSolution(
        space.build(x), converged if known is None else known, count if known is None else int(count), residual
    )


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
    M. Hestenes and E. Stiefel, J. Res. NBS 49 (1952). Under compilation and batching the loop is `unidiff.while_loop`, through
    which there is forward mode only; for reverse mode there make it the solver of a `unidiff.custom_root`, which differentiates
    the equation instead of the iteration, or use `solve_dense`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> a = np.asarray([[4.0, 1.0], [1.0, 3.0]])
    >>> solution = ud.cg(lambda x: a @ x, np.asarray([1.0, 2.0]))
    >>> np.round(solution.value, 6), solution.converged
    (array([0.090909, 0.636364]), True)
    """
    space = Space(b, "b")
    a, rhs = space.operator(operator, "operator"), space.leaves
    m = list if preconditioner is None else space.operator(preconditioner, "preconditioner")
    limit = 2 * space.dimension + 10 if maxiter is None else positive_integer(maxiter, "maxiter")
    target, n = _target(space, rhs, tol, atol), len(rhs)
    x = space.zeros() if x0 is None else space.copy(space.check(x0, "x0"))
    r = space.copy(rhs) if x0 is None else space.combine(1, rhs, -1, a(x))
    z = m(r)
    zero, one = real_scalar(space.backend, 0.0, target), real_scalar(space.backend, 1.0, target)
    state = (*x, *r, *z, space.dot(r, z), zero, one)

    def going(*state: Array) -> Array:
        r, (_, count, positive) = state[n : 2 * n], state[3 * n :]
        return (space.norm(r) > target) & (count < limit) & (positive > 0)

    def step(*state: Array) -> Sequence[Array]:
        p, (rz, count, _) = state[2 * n : 3 * n], state[3 * n :]
        ap = a(p)
        curvature = space.dot(p, ap)
        xp = space.backend.namespace(curvature)
        positive = xp.where(curvature > 0, one, zero)
        alpha = positive * rz / xp.where(curvature > 0, curvature, one)
        x, r = space.combine(1, state[:n], alpha, p), space.combine(1, state[n : 2 * n], -alpha, ap)
        z = m(r)
        renewed = space.dot(r, z)
        onward = space.combine(1, z, renewed / xp.where(rz == 0, one, rz), p)
        return (*x, *r, *onward, *map(space.backend.asarray, (renewed, count + 1, positive)))

    state = tuple(loop(space.backend, going, step, state))
    return _report(space, a, state[:n], rhs, target, state[-2])


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
    Y. Saad and M. Schultz, SIAM J. Sci. Stat. Comput. 7 (1986); Arnoldi's vectors are orthogonalized twice. What `cg` says of
    reverse mode under compilation and batching holds here, too.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> a = np.asarray([[0.0, 2.0], [-1.0, 1.0]])
    >>> np.round(ud.gmres(lambda x: a @ x, np.asarray([2.0, 0.0])).value, 9)
    array([1., 1.])
    """
    space = Space(b, "b")
    a, rhs, n = space.operator(operator, "operator"), space.leaves, len(space.leaves)
    m = list if preconditioner is None else space.operator(preconditioner, "preconditioner")
    depth = min(positive_integer(restart, "restart"), space.dimension)
    cycles = (2 * space.dimension + 10) // max(depth, 1) + 1 if maxiter is None else positive_integer(maxiter, "maxiter")
    target = _target(space, rhs, tol, atol)
    x = space.zeros() if x0 is None else space.copy(space.check(x0, "x0"))
    r = space.combine(1, rhs, -1, a(x))

    def going(*state: Array) -> Array:
        return (space.norm(state[n : 2 * n]) > target) & (state[-1] < cycles * depth)

    def step(*state: Array) -> Sequence[Array]:
        r, count = state[n : 2 * n], state[-1]
        correction = m(_krylov_correction(space, lambda v: a(m(v)), r, depth))
        x = space.combine(1, state[:n], 1, correction)
        return (*x, *space.combine(1, rhs, -1, a(x)), space.backend.asarray(count + depth))

    state = tuple(loop(space.backend, going, step, (*x, *r, real_scalar(space.backend, 0.0, target))))
    return _report(space, a, state[:n], rhs, target, state[-1])


def _krylov_correction(space: Space, a: Callable[..., Any], r: Sequence[Array], depth: int) -> list[Array]:
    """Return the vector of the Krylov space of `r` whose image is closest to `r`."""
    start = space.coordinates(r)
    xp = space.backend.namespace(start)
    beta = space.norm(r)
    vectors, columns = [_unit(space, start, beta, beta)], []
    for _ in range(depth):
        w = space.coordinates(a(space.from_coordinates(vectors[-1])))
        basis = xp.stack(vectors)
        column = basis @ w
        w = w - column @ basis
        again = basis @ w
        w = w - again @ basis
        norm = xp.sqrt(xp.sum(w * w))
        rest = xp.zeros((depth - len(vectors),), dtype=start.dtype, device=space.backend.device(start))
        columns.append(xp.concat([column + again, xp.reshape(norm, (1,)), rest]))
        vectors.append(_unit(space, w, norm, beta))
    projected, _ = finite_or_zero(space.backend, xp.stack(columns, axis=1))
    weights = beta * xp.linalg.pinv(projected)[:, 0]
    return space.from_coordinates(weights @ xp.stack(vectors[:-1]))


def _unit(space: Space, w: Array, norm: Array, scale: Array) -> Array:
    """Return the unit vector, or zero where the norm is rounding error: the Krylov space is invariant then."""
    xp = space.backend.namespace(norm)
    significant = norm > 4 * space.epsilon() * xp.minimum(scale, xp.ones_like(scale))
    return w * xp.where(significant, 1 / xp.where(significant, norm, xp.ones_like(norm)), xp.zeros_like(norm))


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

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.solve_dense(lambda x: {"u": 2 * x["u"]}, {"u": np.asarray([2.0, 4.0])}).value
    {'u': array([1., 2.])}
    """
    space = Space(b, "b")
    a, rhs = space.operator(operator, "operator"), space.leaves
    matrix = space.matrix(a)
    x = space.from_coordinates(_pseudo_solve(space, matrix, space.coordinates(rhs)))
    target = _target(space, rhs, None, 0.0)
    return _report(space, a, x, rhs, target, real_scalar(space.backend, float(space.dimension), target))


def _pseudo_solve(space: Space, matrix: Array, rhs: Array) -> Array:
    """Solve by the singular values, which tell a singular matrix on every backend and under every transform."""
    xp = space.backend.namespace(matrix, rhs)
    if space.dimension == 0:
        return rhs
    matrix, _ = finite_or_zero(space.backend, xp.astype(matrix, rhs.dtype, copy=False))
    u, s, vh = xp.linalg.svd(matrix, full_matrices=False)
    floor = space.dimension * space.epsilon() * xp.max(s)
    inverse = xp.where(s > floor, 1 / xp.where(s > floor, s, xp.ones_like(s)), xp.full_like(s, float("nan")))
    return vh.mT @ (inverse * (u.mT @ rhs))


def _normal_cg(operator: Operator, b: Tree) -> LinearSolution:
    """Solve ``A* A x = A* b`` by conjugate gradients; the adjoint is the pullback of the operator."""
    space = Space(b, "b")
    a, backend = space.operator(operator, "operator"), space.backend
    _, pull = backend.vjp(lambda *xs: tuple(a(xs)), tuple(space.zeros()))

    def normal(x: Tree) -> Tree:
        return space.build(pull(tuple(a(space.check(x, "vector")))))

    solution = cg(normal, space.build(pull(tuple(space.leaves))), tol=space.epsilon() ** 0.8)
    target = _target(space, space.leaves, None, 0.0)
    return _report(space, a, space.check(solution.value, "solution"), space.leaves, target, solution.iterations)


SOLVERS: dict[str, Callable[[Operator, Tree], LinearSolution]] = {
    "cg": cg,
    "normal_cg": _normal_cg,
    "gmres": partial(gmres, restart=50),
    "dense": solve_dense,
}
"""Solvers by the names that functions with an inner linear system take."""
