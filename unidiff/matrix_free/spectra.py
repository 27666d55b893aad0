"""Extreme eigenvalues of symmetric operators given as functions of pytrees, with bounds on their errors."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from unidiff._typing import Array, Namespace, Tree
from unidiff.errors import ArgumentError
from unidiff.matrix_free.iterations import concrete, loop
from unidiff.matrix_free.linear_solvers import Operator
from unidiff.matrix_free.vectors import (
    Space,
    finite_or_zero,
    one_of,
    positive_integer,
    random_numbers,
    real_scalar,
    tolerance,
)

__all__ = ["Eigenpairs", "lanczos", "power_iteration"]


class Eigenpairs(NamedTuple):
    """Eigenvalues and eigenvectors of a symmetric operator.

    Parameters
    ----------
    values : array
        The eigenvalues, of shape () from `power_iteration` and (k,) from `lanczos`.
    vectors : pytree of array
        The eigenvectors, of norm 1; from `lanczos` stacked along a first axis of every leaf.
    residuals : array
        ``|A v - value v|``: for a symmetric operator an eigenvalue lies within this distance of each value.
    converged : bool or array
        Whether all residuals are as small as was asked for; an array where the call was traced.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> pairs = ud.lanczos(lambda x: np.asarray([1.0, 5.0]) * x, np.zeros(2))
    >>> np.round(pairs.values, 9)
    array([5.])
    """

    values: Any
    vectors: Any
    residuals: Any
    converged: Any


def _start(space: Space, seed: int) -> list[Array]:
    start = space.normal(random_numbers(seed).gauss)
    return space.combine(1 / space.norm(start), start)


def power_iteration(
    operator: Operator, like: Tree, *, tol: float | None = None, maxiter: int = 1000, seed: int = 0
) -> Eigenpairs:
    """Find the eigenvalue of largest magnitude of a symmetric operator by power iteration.

    Parameters
    ----------
    operator : callable
        Takes and returns a pytree like `like`; symmetric.
    like : pytree of array
        Any vector, for structure, shapes, dtypes and device.
    tol : float, optional
        The iteration stops when the residual is at most `tol` times the magnitude of the eigenvalue; ``eps**0.5`` by default.
    maxiter : int
        The largest number of applications of the operator.
    seed : int
        Seed of the start, which is the same on every backend.

    Returns
    -------
    Eigenpairs

    Raises
    ------
    unidiff.errors.UnidiffError
        As `unidiff.cg`.

    Notes
    -----
    Convergence is linear with the ratio of the two largest magnitudes; `lanczos` needs far fewer applications, and has reverse
    mode under compilation and batching, too, where the loop of the power iteration is a `unidiff.while_loop`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> pair = ud.power_iteration(lambda x: np.asarray([-3.0, 1.0]) * x, np.zeros(2))
    >>> round(float(pair.values), 9)
    -3.0
    """
    space = Space(like, "like")
    if space.dimension == 0:
        raise ArgumentError("The vector has no elements, so the operator has no eigenvalues.")
    a, n = space.operator(operator, "operator"), len(space.leaves)
    relative = space.epsilon() ** 0.5 if tol is None else tolerance(tol, "tol")
    limit = positive_integer(maxiter, "maxiter")
    v = _start(space, seed)
    av = a(v)

    def judge(v: Sequence[Array], av: Sequence[Array]) -> tuple[Array, Array]:
        value = space.dot(v, av)
        return value, space.norm(space.combine(1, av, -value, v))

    def going(*state: Array) -> Array:
        value, residual = judge(state[:n], state[n : 2 * n])
        xp = space.backend.namespace(value)
        return (residual > relative * xp.abs(value)) & (state[-1] < limit)

    def step(*state: Array) -> Sequence[Array]:
        av, count = state[n : 2 * n], state[-1]
        v = space.combine(1 / space.norm(av), av)
        return (*v, *a(v), space.backend.asarray(count + 1))

    state = loop(space.backend, going, step, (*v, *av, real_scalar(space.backend, 1.0, space.norm(v))))
    value, residual = map(space.backend.asarray, judge(state[:n], state[n : 2 * n]))
    converged = residual <= relative * space.backend.namespace(value).abs(value)
    known = concrete(converged)
    return Eigenpairs(value, space.build(space.copy(state[:n])), residual, converged if known is None else known)


_ORDERS: dict[str, Callable[[Namespace, Array], Array]] = {
    "largest": lambda _xp, t: -t,
    "smallest": lambda _xp, t: t,
    "magnitude": lambda xp, t: -xp.abs(t),
}


def lanczos(
    operator: Operator,
    like: Tree,
    k: int = 1,
    which: str = "largest",
    *,
    steps: int | None = None,
    tol: float | None = None,
    seed: int = 0,
) -> Eigenpairs:
    """Find extreme eigenvalues of a symmetric operator by Lanczos' method with full orthogonalization.

    Parameters
    ----------
    operator, like, seed
        As for `power_iteration`.
    k : int
        How many eigenvalues.
    which : {"largest", "smallest", "magnitude"}
        Which ones, and in which order: the largest first, the smallest first, or the largest magnitude first.
    steps : int, optional
        The dimension of the Krylov space, whose vectors are all held; ``min(dimension, 4 k + 40)`` by default.
    tol : float, optional
        Converged means residuals of at most `tol` times the largest magnitude among the eigenvalues; ``eps**0.5`` by default.

    Returns
    -------
    Eigenpairs

    Raises
    ------
    unidiff.errors.ArgumentError
        If `k` exceeds the dimension, or `which` is not known.
    unidiff.errors.UnidiffError
        As `unidiff.cg`.

    Notes
    -----
    C. Lanczos, J. Res. NBS 45 (1950). One start vector shows one direction of each eigenspace, so the copies of a repeated
    eigenvalue are not all found: where the Krylov space is exhausted before `k`, a new random direction goes on.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> pairs = ud.lanczos(lambda x: np.arange(1.0, 9.0) * x, np.zeros(8), k=2)
    >>> np.round(pairs.values, 9)
    array([8., 7.])
    """
    space, order_of = Space(like, "like"), _ORDERS[one_of(which, _ORDERS, "which")]
    if positive_integer(k, "k") > space.dimension:
        raise ArgumentError(f"k={k} eigenvalues were asked for, but the operator has {space.dimension}.")
    size = min(space.dimension, 4 * k + 40 if steps is None else positive_integer(steps, "steps"))
    if size < k:
        raise ArgumentError(f"steps={steps} is less than k={k}.")
    a, b = space.operator(operator, "operator"), space.backend
    basis = [_start(space, seed)]
    gauss = random_numbers(seed + 1).gauss
    images = [a(basis[0])]
    while len(basis) < size:
        basis.append(_next(space, basis, images[-1], space.normal(gauss)))
        images.append(a(basis[-1]))
    vectors, actions = ([space.coordinates(v) for v in vs] for vs in (basis, images))
    xp = b.namespace(*actions)
    q, aq = xp.stack(vectors, axis=1), xp.stack(actions, axis=1)
    projected, finite = finite_or_zero(b, q.mT @ aq)
    found, weights = xp.linalg.eigh((projected + projected.mT) / 2)
    found = b.asarray(xp.where(finite, found, xp.full_like(found, float("nan"))))
    order = xp.argsort(order_of(xp, found))[:k]
    values, weights = xp.take(found, order, axis=0), xp.take(weights, order, axis=1)
    ritz, remainder = q @ weights, aq @ weights - values * (q @ weights)
    residuals = xp.sqrt(xp.sum(remainder * remainder, axis=0))
    relative = space.epsilon() ** 0.5 if tol is None else tolerance(tol, "tol")
    converged = xp.all(residuals <= relative * xp.max(xp.abs(found)))
    known = concrete(converged)
    columns = [space.from_coordinates(ritz[:, i]) for i in range(k)]
    stacked = [xp.stack(list(leaf)) for leaf in zip(*columns, strict=True)]
    return Eigenpairs(values, space.build(stacked), residuals, converged if known is None else known)


def _next(space: Space, basis: Sequence[Sequence[Array]], image: Sequence[Array], fresh: Sequence[Array]) -> list[Array]:
    """Return the part of the image that is orthogonal to the basis, normed; where there is none, that of a fresh vector."""
    scale = space.norm(image)
    w = _orthogonal(space, basis, image)
    norm = space.norm(w)
    xp = space.backend.namespace(norm)
    exhausted = norm <= 8 * space.epsilon() * scale * space.dimension**0.5
    chosen = space.select(exhausted, _orthogonal(space, basis, fresh), w)
    return space.combine(1 / xp.maximum(space.norm(chosen), xp.full_like(norm, 1e-30)), _orthogonal(space, basis, chosen))


def _orthogonal(space: Space, basis: Sequence[Sequence[Array]], w: Sequence[Array]) -> list[Array]:
    for _ in (0, 1):
        for v in basis:
            w = space.combine(1, w, -space.dot(v, w), v)
    return list(w)
