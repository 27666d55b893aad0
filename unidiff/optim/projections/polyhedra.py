"""Polyhedra: the points that satisfy finitely many linear inequalities."""

from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ShapeError
from unidiff.optim.projections.vectors import on_real_vectors, repeated

__all__ = ["polyhedron"]

SPLITTING, ACTIVE = 2000, 10


@on_real_vectors
def polyhedron(x: Tree, matrix: Array, lower: Any = None, upper: Any = None) -> Tree:
    r"""Project onto :math:`l \le A x \le u`, which must not be empty.

    Parameters
    ----------
    x : pytree of array
    matrix : array
        A, of shape (m, n) for n entries of `x`.
    lower, upper : number, array of shape (m,) or None
        l and u; where they are equal there is an equation.

    Returns
    -------
    pytree of array
        NaN where no closest point was found.

    Raises
    ------
    unidiff.errors.ShapeError
        If A does not have a column for each entry, or a side does not have an entry for each row.
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Notes
    -----
    Which rows hold as equations is found by the splitting of B. Stellato et al., "OSQP", Math. Program. Comput. 12 (2020), and
    Newton's method on the active set (M. Hintermüller et al., SIAM J. Optim. 13, 2002). The point is then computed, and
    differentiates, as the projection onto these equations.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> a = np.asarray([[1.0, 1.0], [1.0, 0.0]])
    >>> ud.optim.projections.polyhedron(np.asarray([2.0, 2.0]), a, None, np.asarray([2.0, 0.5])).round(9)
    array([0.5, 1.5])
    """
    xp = ud.array_namespace(x, matrix)
    if len(matrix.shape) != 2 or matrix.shape[1] != x.shape[0]:
        raise ShapeError(f"The matrix must be of shape (m, {x.shape[0]}), but it is of shape {tuple(matrix.shape)}.")
    lengths = xp.linalg.vector_norm(matrix, axis=1)
    unit = 1 / xp.where(lengths > 0, lengths, xp.ones_like(lengths))
    a = matrix * unit[:, None]
    sides = [_side(side, unit, none) for side, none in ((lower, -float("inf")), (upper, float("inf")))]
    low, high, found = _active(*ud.stop_gradient((x, a, *sides)))
    right = xp.where(low > 0, sides[0], xp.where(high > 0, sides[1], xp.zeros_like(unit)))
    rows = a * (low + high)[:, None]
    return found * (x - rows.mT @ (xp.linalg.pinv(rows @ rows.mT) @ (rows @ x - right)))


def _side(side: Any, unit: Array, none: float) -> Array:
    """Return the right sides of inequalities whose rows have length 1."""
    xp = ud.array_namespace(unit)
    side = none if side is None else side
    if not hasattr(side, "shape"):
        side = xp.full_like(unit, side)
    if tuple(side.shape) != tuple(unit.shape):
        raise ShapeError(f"The sides must be of shape {tuple(unit.shape)}, one for each row, but one is of shape {side.shape}.")
    return side * unit


def _active(x: Array, a: Array, lower: Array, upper: Array) -> tuple[Array, Array, Array]:
    """Return which rows hold with their lower and upper sides, as ones, and one, or NaN where that was not found."""
    xp = ud.array_namespace(x, a)
    n = a.shape[1]
    inverse = xp.linalg.inv(xp.eye(n, dtype=a.dtype, device=ud.device(a)) + a.mT @ a)

    def split(pair: Array) -> Array:
        w, y = pair[0, :], pair[1, :]
        v = 1.6 * (a @ (inverse @ (x + a.mT @ (w - y)))) - 0.6 * w
        new = xp.minimum(xp.maximum(v + y, lower), upper)
        return xp.stack([new, y + v - new])

    def change(pair: Array) -> Array:
        return xp.max(xp.abs(split(pair) - pair))

    zero, epsilon = 0.0 * (a @ x), float(xp.finfo(a.dtype).eps)
    tolerance = epsilon**0.6 * (1 + xp.max(xp.abs(x)))
    start = xp.stack([xp.minimum(xp.maximum(zero, lower), upper), zero])
    w, y = xp.unstack(repeated(split, change, 0.1 * tolerance, start, SPLITTING))

    def sides(v: Array, y: Array) -> tuple[Array, Array]:
        equal = lower == upper
        return xp.astype((v + y < lower) | equal, a.dtype), xp.astype((v + y > upper) & ~equal, a.dtype)

    def solve(low: Array, high: Array) -> tuple[Array, Array]:
        rows = a * (low + high)[:, None]
        right = xp.where(low > 0, lower, xp.where(high > 0, upper, zero))
        y = xp.linalg.pinv(rows @ rows.mT) @ (rows @ x - right)
        return a @ (x - rows.mT @ y), y

    def newton(_: Any, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        return solve(*sides(*carry))

    v, y = ud.fori_loop(0, ACTIVE, newton, (w, y))
    low, high = sides(v, y)
    v, y = solve(low, high)
    residual = xp.max(xp.abs(v - xp.minimum(xp.maximum(v + y, lower), upper)))
    exact = residual <= tolerance
    one = xp.ones_like(residual)
    return low, high, xp.where(exact, one, float("nan") * one)
