"""Polyhedra: the points that satisfy finitely many linear inequalities."""

from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ShapeError
from unidiff.optim.projections.vectors import on_real_vectors, repeated

__all__ = ["polyhedron"]

SPLITTING = 1000


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
    Which rows hold as equations is guessed by the splitting of B. Stellato et al., "OSQP", Math. Program. Comput. 12 (2020),
    and from there found by the active sets of C. Lawson and R. Hanson, Solving Least Squares Problems, 1974, chapter 23: these
    end after finitely many changes whatever rows depend on each other. The point is then computed, and differentiates, as the
    projection onto these equations.

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
    inverse = xp.linalg.pinv(rows, rtol=100 * float(xp.finfo(rows.dtype).eps))
    return found * (x - inverse @ (rows @ x - right))


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
    xp, m = ud.array_namespace(x, a), a.shape[0]
    x = xp.where(xp.isfinite(x), x, xp.zeros_like(x))  # decompositions fail on what is not; the point will not be found
    size, epsilon = 1 + xp.max(xp.abs(x)), float(xp.finfo(a.dtype).eps)
    tolerance, rounding = epsilon**0.6 * size, 100 * epsilon * size
    v, y = a @ x, _split(x, a, lower, upper, 0.1 * tolerance)
    # Rows g . d <= -excess for a change d of x, first those of the lower sides; lengths are counted in a unit.
    excess = xp.concat([lower - v, v - upper])
    there = xp.isfinite(excess)
    excess = xp.where(there & (xp.abs(excess) > rounding), excess, xp.zeros_like(excess))
    unit = xp.maximum(xp.max(excess), size)
    e = xp.concat([xp.concat([-a, a]).mT, excess[None, :] / unit]) * xp.astype(there, a.dtype)
    start = xp.concat([xp.clip(-y, 0.0, None), xp.clip(y, 0.0, None)]) * xp.astype(there, a.dtype) / unit
    held, done = _least_squares(e, start / (1 + xp.clip(xp.sum(e[-1, :] * start), 0.0, None)))
    equal = lower == upper
    low, high = held[:m] | equal, held[m:] & ~equal
    rows = a * xp.astype(low | high, a.dtype)[:, None]
    right = xp.where(low, lower, xp.where(high, upper, xp.zeros_like(v)))
    z = x - xp.linalg.pinv(rows, rtol=100 * epsilon) @ (rows @ x - right)
    reached = a @ z
    missed = xp.max(xp.abs(reached - xp.minimum(xp.maximum(reached, lower), upper)))
    one = xp.ones_like(missed)
    found = xp.where(done & (missed <= tolerance), one, float("nan") * one)
    return xp.astype(low, a.dtype), xp.astype(high, a.dtype), found


def _split(x: Array, a: Array, lower: Array, upper: Array, tolerance: Array) -> Array:
    """Return multipliers of the rows, positive where the upper sides hold, as exact as a method of first order makes them."""
    xp = ud.array_namespace(x, a)
    inverse = xp.linalg.inv(xp.eye(a.shape[1], dtype=a.dtype, device=ud.device(a)) + a.mT @ a)

    def split(pair: Array) -> Array:
        w, y = pair[0, :], pair[1, :]
        v = 1.6 * (a @ (inverse @ (x + a.mT @ (w - y)))) - 0.6 * w
        new = xp.minimum(xp.maximum(v + y, lower), upper)
        return xp.stack([new, y + v - new])

    def change(pair: Array) -> Array:
        return xp.max(xp.abs(split(pair) - pair))

    zero = 0.0 * (a @ x)
    start = xp.stack([xp.minimum(xp.maximum(zero, lower), upper), zero])
    return repeated(split, change, tolerance, start, SPLITTING)[1, :]


def _least_squares(e: Array, start: Array) -> tuple[Array, Array]:
    """Return which entries of u >= 0 are positive where ``|e u - (0, ..., 0, 1)|`` is least, and whether that was found."""
    xp = ud.array_namespace(e)
    count, epsilon = e.shape[1], float(xp.finfo(e.dtype).eps)
    target = xp.concat([0.0 * e[:-1, 0], 0.0 * e[-1:, 0] + 1])
    noise = 30 * epsilon * xp.linalg.vector_norm(e, axis=0)
    places = xp.arange(count, device=ud.device(e))

    def body(carry: Any) -> Any:
        k, u, passive, refused, _ = carry
        s = xp.linalg.pinv(e * xp.astype(passive, e.dtype), rtol=100 * epsilon) @ target
        s = xp.where(passive, s, xp.zeros_like(s))
        below = passive & (s <= 0)
        within = ~xp.any(below)
        # Towards s as far as no entry becomes negative. Those that become zero leave; one that never rose is not asked again.
        ways = xp.where(below, u / xp.where(below, u - s, xp.ones_like(u)), xp.ones_like(u))
        way = xp.min(ways)
        leaving = below & (ways <= way)
        moved = xp.max(xp.abs(s - u)) * way > 100 * epsilon * xp.max(xp.abs(s))
        refused = (refused & ~moved) | (leaving & (u <= 0))
        u = xp.where(leaving, xp.zeros_like(u), xp.maximum(u + way * (s - u), xp.zeros_like(u)))
        gain = xp.where(passive | refused, xp.zeros_like(u), e.mT @ (target - e @ u) - noise)
        enters = within & (places == xp.argmax(gain)) & (gain > 0)
        done = within & ~xp.any(enters)
        return k + 1, u, (passive & ~leaving) | enters, refused, done

    zero = xp.zeros((), dtype=xp.int64, device=ud.device(e))
    none = start < 0
    carry = (zero, start, start > 0, none, xp.any(none))
    _, _, passive, _, done = ud.while_loop(lambda c: ~c[4] & (c[0] < 4 * count + 50), body, carry)
    return passive, done
