"""BFGS and L-BFGS."""

import math
from collections.abc import Iterator

from unidiff._typing import Array
from unidiff.optim.descent import dot, first_trial, line_search_for
from unidiff.optim.limited_memory import Pairs, RecordedPairs, checked_memory
from unidiff.optim.line_search import LineSearch, Ray
from unidiff.optim.objective import Objective
from unidiff.optim.result import Iterate, Point, Status, Stop
from unidiff.optim.vector import read

__all__ = ["bfgs", "lbfgs"]


def bfgs(
    objective: Objective, start: Array, *, line_search: LineSearch | None = None, scale_first: bool = False
) -> Iterator[Iterate]:
    """Yield the iterates of BFGS with the inverse Hessian as a matrix (Nocedal & Wright, algorithm 6.1)."""
    layout = objective.layout
    search = line_search_for(layout, line_search)
    point, inverse, fresh = objective(start), layout.identity(), True
    before = point.f + math.sqrt(read(dot(point.gradient, point.gradient))[0]) / 2
    while True:
        yield Iterate(point, point.size, {"inverse_hessian": inverse})
        new = _searched(search, objective, point, -1.0 * (inverse @ point.gradient), before)
        if new is None:
            if fresh:
                raise Stop(Status.LINE_SEARCH)
            inverse, fresh = layout.identity(), True
            new = _searched(search, objective, point, -1.0 * point.gradient, before)
            if new is None:
                raise Stop(Status.LINE_SEARCH)
        s, y = new.x - point.x, new.gradient - point.gradient
        curvature, square = read(dot(s, y), dot(y, y))
        if curvature > layout.epsilon * square:
            if fresh and scale_first:
                inverse = inverse * (curvature / square)
            inverse, fresh = _updated(inverse, s, y, curvature), False
        before, point = point.f, new


def _searched(search: LineSearch, objective: Objective, point: Point, d: Array, before: float | None) -> Point | None:
    """Return what the line search finds along a direction, or None; the first trial is 1 / |d| where no past is given."""
    if before is None:
        slope, square = read(dot(d, point.gradient), dot(d, d))
        first = 1 / math.sqrt(square) if square else 1.0
    else:
        (slope,) = read(dot(d, point.gradient))
        first = first_trial(point.f, before, slope)
    try:
        return search(Ray(objective, point, d, slope), first)
    except Stop:
        return None


def _updated(inverse: Array, s: Array, y: Array, curvature: float) -> Array:
    """Return ``(I - rho s y^T) H (I - rho y s^T) + rho s s^T`` with ``rho = 1 / y^T s``, multiplied out."""
    rho = 1 / curvature
    hy = inverse @ y
    outer = hy[:, None] * s[None, :]
    weight = rho * (1 + rho * dot(y, hy))
    return inverse - rho * (outer + outer.mT) + weight * (s[:, None] * s[None, :])


def lbfgs(objective: Objective, start: Array, *, memory: int = 10, line_search: LineSearch | None = None) -> Iterator[Iterate]:
    """Yield the iterates of L-BFGS (Nocedal & Wright, algorithm 7.5)."""
    layout = objective.layout
    pairs = (RecordedPairs if objective.recorded else Pairs)(layout, checked_memory(memory))
    search = line_search_for(layout, line_search)
    point = objective(start)
    while True:
        yield Iterate(point, point.size, pairs.state)
        new = _searched(search, objective, point, pairs.direction(point.gradient), math.inf if pairs else None)
        if new is None:
            if not pairs:
                raise Stop(Status.LINE_SEARCH)
            pairs.clear()
            new = _searched(search, objective, point, -1.0 * point.gradient, None)
            if new is None:
                raise Stop(Status.LINE_SEARCH)
        s, y = new.x - point.x, new.gradient - point.gradient
        curvature, square = read(dot(s, y), dot(y, y))
        if curvature > layout.epsilon * square:
            pairs.add(s, y, curvature, square)
        point = new
