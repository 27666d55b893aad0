"""How systems of linear equations are solved, on the leaves of vectors.

Each solver is ``solver(space, operator, preconditioner, rhs, start, target, limit)`` and returns the solution and the number of
iterations, as an array. The norm of the residual is not above `target`, unless `limit` was reached. The preconditioner and the
start may be None.
"""

from collections.abc import Callable, Sequence
from typing import Any

from unidiff._typing import Array
from unidiff.derive import CompleteBackend
from unidiff.matrix_free.vectors import Space, finite_or_zero, real_scalar

__all__ = ["concrete", "conjugate_gradients", "dense_solution", "loop", "restarted_gmres"]


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
    while goes_on := concrete(going(*state)):
        state = step(*state)
    if goes_on is None:  # at the start, or as soon as a step brings in what has no single value
        state = b.while_loop(going, lambda *xs: tuple(step(*xs)), tuple(state))
    return state


def conjugate_gradients(
    space: Space, a: Any, m: Any, rhs: Sequence[Array], start: Sequence[Array] | None, target: Array, limit: int
) -> tuple[Sequence[Array], Array]:
    """Solve a symmetric positive definite system by preconditioned conjugate gradients."""
    n, m = len(rhs), list if m is None else m
    x = space.zeros() if start is None else space.copy(start)
    r = space.copy(rhs) if start is None else space.combine(1, rhs, -1, a(x))
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
    return state[:n], state[-2]


def restarted_gmres(
    depth: int, space: Space, a: Any, m: Any, rhs: Sequence[Array], start: Sequence[Array] | None, target: Array, cycles: int
) -> tuple[Sequence[Array], Array]:
    """Solve a system by GMRES that is restarted after as many steps as `depth` says."""
    n, m = len(rhs), list if m is None else m
    x = space.zeros() if start is None else space.copy(start)
    r = space.combine(1, rhs, -1, a(x))

    def going(*state: Array) -> Array:
        return (space.norm(state[n : 2 * n]) > target) & (state[-1] < cycles * depth)

    def step(*state: Array) -> Sequence[Array]:
        r, count = state[n : 2 * n], state[-1]
        correction = m(_krylov_correction(space, lambda v: a(m(v)), r, depth))
        x = space.combine(1, state[:n], 1, correction)
        return (*x, *space.combine(1, rhs, -1, a(x)), space.backend.asarray(count + depth))

    state = tuple(loop(space.backend, going, step, (*x, *r, real_scalar(space.backend, 0.0, target))))
    return state[:n], state[-1]


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


def dense_solution(
    space: Space, a: Any, _m: Any, rhs: Sequence[Array], _start: Sequence[Array] | None, target: Array, _limit: int
) -> tuple[Sequence[Array], Array]:
    """Solve a system by the matrix of the operator."""
    x = space.from_coordinates(_pseudo_solve(space, space.matrix(a), space.coordinates(rhs)))
    return x, real_scalar(space.backend, float(space.dimension), target)


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
