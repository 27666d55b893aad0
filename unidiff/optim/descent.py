"""Gradient descent, nonlinear conjugate gradients, natural gradients, and the first-order optimizers as methods."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import unidiff as ud
from unidiff._typing import Array
from unidiff.errors import ArgumentError
from unidiff.optim.arguments import nonnegative, positive
from unidiff.optim.line_search import Armijo, HagerZhang, LineSearch, Ray
from unidiff.optim.more_thuente import MoreThuente
from unidiff.optim.objective import Objective
from unidiff.optim.optimizer import Optimizer
from unidiff.optim.result import Iterate, Point, Status, Stop
from unidiff.optim.vector import Layout, read

__all__ = ["conjugate_gradients", "first_order", "gradient_descent", "line_search_for", "natural_gradient"]


def line_search_for(layout: Layout, given: LineSearch | None, c2: float = 0.9) -> LineSearch:
    """Return the line search asked for, or the default of the precision."""
    if given is None:
        return MoreThuente(c2=c2) if layout.epsilon < 1e-10 else HagerZhang(sigma=c2)
    if not isinstance(given, LineSearch):
        raise ArgumentError(f"line_search must be a LineSearch such as unidiff.optim.StrongWolfe(), but it is {given!r:.200}.")
    return given


def dot(x: Array, y: Array) -> Array:
    """Return the inner product of vectors."""
    return x @ y


def first_trial(f: float, before: float, slope: float) -> float:
    """Return the step that would lower the objective as much as the last one did, at most 1 (Nocedal & Wright, 3.60)."""
    guess = 1.01 * 2 * (f - before) / slope if slope else 1.0
    return min(1.0, guess) if guess > 0 else 1.0


def gradient_descent(
    objective: Objective, start: Array, *, line_search: LineSearch | None = None, step: float | None = None
) -> Iterator[Iterate]:
    """Yield the iterates of ``x - alpha g``, with a line search or a fixed step."""
    search = Armijo() if line_search is None else line_search_for(objective.layout, line_search)
    step = None if step is None else positive(step, "step")
    point, alpha = objective(start), step
    while True:
        yield Iterate(point, point.size, {"step": alpha})
        if step is not None:
            point = objective(point.x - step * point.gradient)
            continue
        (square,) = read(dot(point.gradient, point.gradient))
        first = 2 * alpha if alpha else min(1.0, 1 / math.sqrt(square))
        new = search(Ray(objective, point, -1.0 * point.gradient, -square), first)
        (moved,) = read(dot(new.x - point.x, new.x - point.x))
        point, alpha = new, math.sqrt(moved / square)


def conjugate_gradients(
    objective: Objective, start: Array, *, line_search: LineSearch | None = None, beta: str = "pr+"
) -> Iterator[Iterate]:
    """Yield the iterates of nonlinear conjugate gradients with the beta of Polak and Ribière, or of Hager and Zhang.

    The direction is the negative gradient again where it would not be one of sufficient descent. To search on instead until the
    next direction is one, as SciPy does after J. Gilbert and J. Nocedal, SIAM J. Optim. 2 (1992), takes 5 % more evaluations on
    the problems of Moré, Garbow and Hillstrom, and may find no such step. W. Hager and H. Zhang, SIAM J. Optim. 16 (2005),
    bound their beta from below with eta = 0.01.
    """
    if beta not in {"pr+", "hz"}:
        raise ArgumentError(f"beta must be 'pr+' or 'hz', but it is {beta!r:.200}.")
    search = line_search_for(objective.layout, line_search, 0.4 if beta == "pr+" else 0.9)
    point = objective(start)
    d = -1.0 * point.gradient
    (square,) = read(dot(point.gradient, point.gradient))
    slope, before = -square, point.f + math.sqrt(square) / 2
    while True:
        yield Iterate(point, point.size, {"direction": d})
        new = search(Ray(objective, point, d, slope), first_trial(point.f, before, slope))
        g, y = new.gradient, new.gradient - point.gradient
        fresh, gy, dg, dy, yy, dd = read(*(dot(a, c) for a, c in ((g, g), (g, y), (d, g), (d, y), (y, y), (d, d))))
        weight = max(gy / square, 0.0)
        if beta == "hz":
            floor = -1 / math.sqrt(dd * min(1e-4, square))
            weight = max((gy - 2 * dg * yy / dy) / dy if dy else 0.0, floor)
        slope = weight * dg - fresh
        d = weight * d - g
        if not slope <= -0.01 * fresh:
            d, slope = -1.0 * g, -fresh
        square, before, point = fresh, point.f, new


def natural_gradient(
    objective: Objective,
    start: Array,
    *,
    metric: Callable[..., Callable[[Any], Any]] | None = None,
    damping: float = 1e-8,
    cg_tol: float = 1e-6,
    line_search: LineSearch | None = None,
) -> Iterator[Iterate]:
    """Yield the iterates of ``x - alpha F^{-1} g`` for a metric F given as a function that returns its product with vectors."""
    if not callable(metric):
        raise ArgumentError(
            "The natural gradient needs options={'metric': m} where m(x, *args) returns the product with the "
            f"Fisher matrix, such as unidiff.fisher_operator does; it is {metric!r:.200}."
        )
    layout, damping, cg_tol = objective.layout, nonnegative(damping, "damping"), positive(cg_tol, "cg_tol")
    search = Armijo() if line_search is None else line_search_for(layout, line_search)
    point = objective(start)
    while True:
        yield Iterate(point, point.size, {})
        product = metric(layout.unpack(point.x), *objective.args)

        def damped(v: Array, product: Callable[[Any], Any] = product) -> Array:
            return layout.pack(product(layout.unpack(v)), "product with the metric") + damping * v

        d = -1.0 * ud.cg(damped, point.gradient, tol=cg_tol).value
        (slope,) = read(dot(point.gradient, d))
        if not slope < 0:
            raise Stop(Status.NOT_DESCENT, "The metric is not positive definite.")
        point = search(Ray(objective, point, d, slope), 1.0)


def first_order(objective: Objective, start: Array, *, optimizer: Optimizer) -> Iterator[Iterate]:
    """Yield the iterates of an optimizer such as Adam, on the pytree itself."""
    layout = objective.layout
    point: Point = objective(start)
    state = optimizer.init(layout.unpack(start))
    while True:
        yield Iterate(point, point.size, state)
        x, state = optimizer.step(layout.unpack(point.x), layout.unpack(point.gradient), state, value=point.value)
        point = objective(layout.pack(x, "parameters"))
