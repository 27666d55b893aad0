"""Which inequalities hold as equations at a solution, by the sizes of their multipliers and slacks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.optim.constraints import bound_vectors
from unidiff.optim.problem import Constraint, Problem
from unidiff.optim.vector import Layout, flat, read

__all__ = ["ActiveSet", "active_set"]

INFINITY = float("inf")


@dataclass(frozen=True, eq=False)
class ActiveSet:
    """The active constraints at a solution.

    Parameters
    ----------
    places : list of (list of int, list of int)
        For each constraint the places of the values that are at their lower, and at their upper limits.
    bounds : (array, array)
        Where lower and upper bounds hold.
    multipliers : array or None
        Those of the active constraints; None where there are none.
    weak : int
        How many inequalities hold with a multiplier of zero.
    """

    places: Sequence[tuple[list[int], list[int]]]
    bounds: tuple[Array, Array]
    multipliers: Array | None
    weak: int

    def violation(self, constraints: Sequence[Constraint], x: Tree, layout: Layout) -> Array | None:
        """Return the values of the active constraints less their limits."""
        parts = []
        for c, (low, high) in zip(constraints, self.places, strict=True):
            if low or high:
                v, lower, upper = _values(c, x, layout)
                parts += [v[k : k + 1] - lower[k : k + 1] for k in low] + [v[k : k + 1] - upper[k : k + 1] for k in high]
        return ud.array_namespace(*parts).concat(parts) if parts else None


@dataclass(frozen=True, eq=False)
class _Row:
    """An inequality ``gradient . d >= -slack`` for changes d of the solution, or an equation; the gradient is of length 1."""

    gradient: Array
    slack: Array
    equality: bool
    side: int
    place: int
    constraint: int | None
    length: Array


def active_set(problem: Problem, x: Tree) -> ActiveSet:
    """Return the active constraints at a solution.

    The multipliers are those of T. Glad and E. Polak, Math. Program. 17 (1979): of least ``|g - J^T l|^2 + |s l|^2`` for the
    gradients J and the slacks s. Near a solution with independent gradients, the multiplier of an active inequality is larger
    than its slack, and that of any other one smaller.
    """
    layout = Layout(x)
    z = layout.pack(x, "x")
    g = layout.pack(ud.grad(problem.value)(x), "gradient")
    xp = layout.backend.namespace(z)
    rows = [*_constraint_rows(problem, layout, z), *_bound_rows(problem, layout, z)]
    if not rows:
        return ActiveSet([([], []) for _ in problem.constraints], _masks(layout, rows), None, 0)
    j, s = xp.stack([row.gradient for row in rows]), xp.stack([row.slack for row in rows])
    matrix = j @ j.mT + s[:, None] * s[None, :] * xp.eye(len(rows), dtype=s.dtype, device=layout.device)
    if not all(abs(a) < INFINITY for a in read(xp.sum(matrix), xp.sum(g))):
        return ActiveSet([([], []) for _ in problem.constraints], _masks(layout, []), None, 0)
    multipliers = xp.linalg.pinv(matrix) @ (j @ g)
    stationary, scale = read(xp.max(xp.abs(g - j.mT @ multipliers)), xp.max(xp.abs(g)))
    pairs = list(zip(ud.to_numpy(multipliers).tolist(), ud.to_numpy(s).tolist(), rows, strict=True))
    noise = max(stationary, layout.epsilon**0.5 * max(1.0, scale))
    noise = max([noise, *(abs(min(a, b)) for a, b, row in pairs if not row.equality)])
    weak = sum(max(abs(a), abs(b)) <= 10 * noise for a, b, row in pairs if not row.equality)
    active = [(row, multipliers[k] / row.length) for k, (a, b, row) in enumerate(pairs) if row.equality or a > b]
    places: list[tuple[list[int], list[int]]] = [([], []) for _ in problem.constraints]
    for row, _ in active:
        if row.constraint is not None:
            places[row.constraint][row.side].append(row.place)
    # In the order in which `violation` returns the values.
    own = [(row.constraint, row.side, row.place, a) for row, a in active if row.constraint is not None]
    values = [-1.0 * a if side else a for _, side, _, a in sorted(own, key=lambda entry: entry[:3])]
    return ActiveSet(places, _masks(layout, [row for row, _ in active]), xp.stack(values) if values else None, weak)


def _masks(layout: Layout, active: Sequence[_Row]) -> tuple[Array, Array]:
    masks = []
    for side in (0, 1):
        held = {row.place for row in active if row.constraint is None and row.side == side}
        masks.append(layout.backend.asarray([k in held for k in range(layout.dimension)], device=layout.device))
    return masks[0], masks[1]


def _values(c: Constraint, x: Tree, layout: Layout) -> tuple[Array, Array, Array]:
    """Return the values of a constraint and their limits as vectors."""
    v = flat(c.fun(x, *c.args), layout)
    limits = []
    for limit in (c.lower, c.upper):
        a = layout.backend.asarray(limit, dtype=layout.dtype, device=layout.device) if _foreign(limit, layout) else limit
        xp = ud.array_namespace(a)
        limits.append(xp.broadcast_to(xp.astype(xp.reshape(a, (-1,)), layout.dtype, copy=False), v.shape))
    return v, limits[0], limits[1]


def _foreign(x: Any, layout: Layout) -> bool:
    return not hasattr(x, "dtype") or ud.get_backend(x).name != layout.backend.name


def _constraint_rows(problem: Problem, layout: Layout, z: Array) -> Iterator[_Row]:
    for k, c in enumerate(problem.constraints):
        v, lower, upper = _values(c, layout.unpack(z), layout)
        jacobian = ud.jacobian(lambda y, c=c: flat(c.fun(layout.unpack(y), *c.args), layout))(z)
        yield from _rows(jacobian, v, lower, upper, k, layout)


def _bound_rows(problem: Problem, layout: Layout, z: Array) -> Iterator[_Row]:
    if problem.bounds is not None:
        yield from _rows(layout.identity(), z, *bound_vectors(problem.bounds, layout), None, layout)


def _rows(jacobian: Array, v: Array, lower: Array, upper: Array, constraint: int | None, layout: Layout) -> Iterator[_Row]:
    xp = layout.backend.namespace(v)
    limits = zip(ud.to_numpy(lower).tolist(), ud.to_numpy(upper).tolist(), strict=True)
    lengths = xp.sqrt(xp.sum(jacobian * jacobian, axis=1))
    lengths = xp.where(lengths > 0, lengths, xp.ones_like(lengths))
    for i, (low, high) in enumerate(limits):
        for side, limit, distance in ((0, low, v[i] - lower[i]), (1, high, upper[i] - v[i])):
            if abs(limit) < INFINITY and not (side and low == high):
                slack = 0.0 * v[i] if low == high else distance / lengths[i]
                sign = -1.0 if side else 1.0
                yield _Row(sign * jacobian[i, :] / lengths[i], slack, low == high, side, i, constraint, lengths[i])
