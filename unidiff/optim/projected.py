"""Projected gradients, proximal gradients with and without acceleration, and mirror descent."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError
from unidiff.optim.arguments import positive, positive_integer
from unidiff.optim.descent import dot
from unidiff.optim.objective import Objective
from unidiff.optim.result import Iterate, Point, Status, Stop
from unidiff.optim.vector import Layout, read

__all__ = ["fista", "mirror_descent", "projected_gradient", "proximal_gradient"]

TRIALS = 60


def projected_gradient(
    objective: Objective,
    start: Array,
    *,
    projection: Callable[[Tree], Tree],
    step: float | None = None,
    memory: int = 10,
) -> Iterator[Iterate]:
    """Yield the iterates of the spectral projected gradient method, or those with a fixed step.

    The step is that of Barzilai and Borwein; the search along the feasible direction asks for a decrease below the largest of
    the last `memory` values. E. Birgin, J. Martínez and M. Raydan, SIAM J. Optim. 10 (2000).
    """
    layout, memory = objective.layout, positive_integer(memory, "memory")
    step = None if step is None else positive(step, "step")

    def onto(z: Array) -> Array:
        return layout.pack(projection(layout.unpack(z)), "projection")

    point = objective(onto(start))
    alpha, values = math.nan, [point.f]
    while True:
        xp = ud.array_namespace(point.x)
        one = onto(point.x - point.gradient) - point.x
        size, gg = read(xp.max(xp.abs(one)), dot(point.gradient, point.gradient))
        yield Iterate(point, size, {"step": alpha})
        if step is not None:
            point = objective(onto(point.x - step * point.gradient))
            continue
        if not alpha > 0:
            alpha = min(1.0, 1 / math.sqrt(gg)) if gg else 1.0
        d = onto(point.x - alpha * point.gradient) - point.x
        (slope,) = read(dot(d, point.gradient))
        if not slope < 0:
            raise Stop(
                Status.NOT_DESCENT, "The projection does not return the closest feasible point, or the step is rounding error."
            )
        new = _nonmonotone(objective, point, d, slope, max(values))
        s = new.x - point.x
        ss, sy = read(dot(s, s), dot(s, new.gradient - point.gradient))
        alpha = min(max(ss / sy, 1e-10), 1e10) if sy > 0 else 1e10 if ss > 0 else 1.0
        point, values = new, [*values[1 - memory :], new.f] if memory > 1 else [new.f]


def _nonmonotone(objective: Objective, point: Point, d: Array, slope: float, reference: float) -> Point:
    t = 1.0
    for _ in range(TRIALS):
        new = objective(point.x + t * d, d)
        if new.finite and new.f <= reference + 1e-4 * t * slope:
            return new
        curve = new.f - point.f - t * slope
        guess = -0.5 * t * t * slope / curve if new.finite and curve > 0 else 0.0
        t = guess if 0.1 * t <= guess <= 0.9 * t else 0.5 * t
    raise Stop(Status.LINE_SEARCH)


def proximal_gradient(
    objective: Objective, start: Array, *, prox: Callable[[Tree, Any], Tree], step: float | None = None
) -> Iterator[Iterate]:
    """Yield the iterates of ``x = prox(x - s g, s)``, with backtracking or a fixed step.

    Optimality is ``max |x_k - x_{k+1}| / s``. A. Beck and M. Teboulle, SIAM J. Imaging Sci. 2 (2009).
    """
    move = _Proximal(objective, prox, step)
    point = objective(start)
    optimality = math.inf
    while True:
        yield Iterate(point, optimality, {"step": move.step}, monotone=False)
        point, optimality = move(point)


def fista(
    objective: Objective,
    start: Array,
    *,
    prox: Callable[[Tree, Any], Tree],
    step: float | None = None,
    restart: bool = True,
) -> Iterator[Iterate]:
    """Yield the iterates of the accelerated method, by default with the restarts of O'Donoghue and Candès (2015).

    A. Beck and M. Teboulle, SIAM J. Imaging Sci. 2 (2009): ``f(x_k) - f* <= 2 L |x_0 - x*|^2 / (k + 1)^2`` without restarts.
    """
    move = _Proximal(objective, prox, step)
    point = ahead = objective(start)
    t, optimality = 1.0, math.inf
    while True:
        yield Iterate(point, optimality, {"step": move.step}, monotone=False)
        new, optimality = move(ahead)
        change = new.x - point.x
        if restart and read(dot(ahead.x - new.x, change))[0] > 0:
            t = 1.0
        t_next = 0.5 * (1 + math.sqrt(1 + 4 * t * t))
        weight = (t - 1) / t_next
        ahead = objective(new.x + weight * change) if weight else new
        if not ahead.finite:  # beyond the domain: on from where it is
            ahead, t_next = new, 1.0
        point, t = new, t_next


class _Proximal:
    """A proximal gradient step; with backtracking it begins with a slightly longer step than the last one."""

    def __init__(self, objective: Objective, prox: Callable[[Tree, Any], Tree], fixed: float | None) -> None:
        self.objective, self.prox = objective, prox
        self.fixed = None if fixed is None else positive(fixed, "step")
        self.step = 1.0 if self.fixed is None else self.fixed

    def __call__(self, point: Point) -> tuple[Point, float]:
        layout, first = self.objective.layout, self.step
        xp = ud.array_namespace(point.x)
        for k in range(TRIALS):
            step = first * 0.5**k
            moved = self.prox(layout.unpack(point.x - step * point.gradient), step)
            x = layout.pack(moved, "proximal point")
            new, d = self.objective(x), x - point.x
            slope, square, size = read(dot(point.gradient, d), dot(d, d), xp.max(xp.abs(d)))
            rounding = 10 * layout.epsilon * max(abs(point.f), abs(new.f))
            if self.fixed is not None or (new.finite and new.f <= point.f + slope + square / (2 * step) + rounding):
                self.step = step if self.fixed is not None or k else 1.1 * step
                return new, size / step
        raise Stop(Status.LINE_SEARCH)


def mirror_descent(
    objective: Objective, start: Array, *, step: float | Callable[[int], float] | None = None
) -> Iterator[Iterate]:
    r"""Yield the iterates of entropic mirror descent on the simplex: ``x_i exp(-s g_i)``, normalized to the sum of the start.

    Optimality is the gap :math:`g \cdot x - s \min g`, which bounds ``f - f*`` for convex f. Without a step there is
    backtracking relative to the Kullback-Leibler divergence. A. Beck and M. Teboulle, Oper. Res. Lett. 31 (2003);
    H. Lu et al., 2018.
    """
    layout = objective.layout
    if step is not None and not callable(step):
        step = positive(step, "step")
    xp = ud.array_namespace(start)
    total, least = read(xp.sum(start), xp.min(start))
    if not (least > 0 and total > 0):
        raise ArgumentError(f"Mirror descent starts in the interior of the simplex, but the least entry of x0 is {least}.")
    point, length = objective(start), 1.0
    k = 0
    while True:
        gx, lowest = read(dot(point.gradient, point.x), xp.min(point.gradient))
        yield Iterate(point, gx - total * lowest, {"step": length}, monotone=step is None)
        if step is not None:
            length = positive(step(k), "step") if callable(step) else step
            point = objective(_exponential(layout, point, length, total))
        else:
            point, length = _relative(objective, point, length, total)
        k += 1


def _exponential(layout: Layout, point: Point, step: float, total: float) -> Array:
    xp = ud.array_namespace(point.x)
    shifted = point.gradient - xp.min(point.gradient)
    weights = point.x * xp.exp(-step * shifted)
    # An entry that underflowed to zero could not come back.
    weights = xp.maximum(weights, layout.full(float(xp.finfo(layout.dtype).smallest_normal)))
    return weights * (total / xp.sum(weights))


def _relative(objective: Objective, point: Point, step: float, total: float) -> tuple[Point, float]:
    xp = ud.array_namespace(point.x)
    for k in range(TRIALS):
        new = objective(_exponential(objective.layout, point, step, total))
        divergence = xp.sum(new.x * xp.log(new.x / point.x))
        slope, distance = read(dot(point.gradient, new.x - point.x), divergence)
        rounding = 10 * objective.layout.epsilon * max(abs(point.f), abs(new.f))
        if new.finite and new.f <= point.f + slope + distance / step + rounding:
            return new, step * 2 if k == 0 else step
        step *= 0.5
    raise Stop(Status.LINE_SEARCH)
