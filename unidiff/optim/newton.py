"""Newton's method with the Hessian as a matrix, and with its products only."""

import math
from collections.abc import Iterator

import unidiff as ud
from unidiff._typing import Array
from unidiff.optim.descent import dot, line_search_for
from unidiff.optim.line_search import LineSearch, Ray
from unidiff.optim.objective import Objective
from unidiff.optim.result import Iterate, Point
from unidiff.optim.vector import read

__all__ = ["newton", "newton_cg"]


def newton(objective: Objective, start: Array, *, line_search: LineSearch | None = None) -> Iterator[Iterate]:
    """Yield the iterates of Newton's method.

    The eigenvalues of the Hessian enter by their absolute values, so that it need not be positive definite.
    Source: Nocedal & Wright, section 3.4; saddle points repel as in Y. Dauphin et al., NeurIPS 2014.
    """
    layout = objective.layout
    search = line_search_for(layout, line_search)
    point = objective(start)
    while True:
        yield Iterate(point, point.size)
        xp = layout.backend.namespace(point.x)
        values, vectors = xp.linalg.eigh(objective.hessian(point.x))
        magnitudes = xp.abs(values)
        floor = layout.epsilon**0.75 * xp.max(magnitudes)
        curvature = xp.maximum(magnitudes, xp.maximum(floor, layout.full(layout.epsilon)))
        d = -1.0 * (vectors @ ((vectors.mT @ point.gradient) / curvature))
        (slope,) = read(dot(d, point.gradient))
        point = search(Ray(objective, point, d, slope), 1.0)


def newton_cg(objective: Objective, start: Array, *, line_search: LineSearch | None = None) -> Iterator[Iterate]:
    """Yield the iterates of the line-search Newton-CG method (Nocedal & Wright, algorithm 7.1, but for negative curvature)."""
    layout = objective.layout
    search = line_search_for(layout, line_search)
    point = objective(start)
    while True:
        yield Iterate(point, point.size)
        d = _truncated(objective, point)
        (slope,) = read(dot(d, point.gradient))
        if not slope < 0:
            d = -1.0 * point.gradient
            (slope,) = read(dot(d, point.gradient))
        point = search(Ray(objective, point, d, slope), 1.0)


def _truncated(objective: Objective, point: Point) -> Array:
    """Return what conjugate gradients reach on ``H d = -g`` before the residual is small or the curvature is not positive.

    Along a direction of negative curvature the last step is that of its magnitude, as for the eigenvalues in `newton`: the
    steps before know little of it, and would leave a saddle point slowly.
    """
    product = objective.hvp(point.x)
    r = point.gradient
    z, d = ud.array_namespace(r).zeros_like(r), -1.0 * r
    (square,) = read(dot(r, r))
    target = min(0.25, math.sqrt(square)) * square  # the square of min(1/2, sqrt |g|) |g|
    highest = 0.0
    for _ in range(2 * objective.layout.dimension + 10):
        image = product(d)
        curvature, length = read(dot(d, image), dot(d, d))
        highest = max(highest, abs(curvature) / length) if length else highest
        if not curvature > objective.layout.epsilon * length:
            below = max(abs(curvature), 1e-3 * highest * length)
            return z + (square / below if below > 0 else 1.0) * d
        alpha = square / curvature
        z, r = z + alpha * d, r + alpha * image
        (fresh,) = read(dot(r, r))
        if fresh <= target or not math.isfinite(fresh):
            return z
        d, square = (fresh / square) * d - r, fresh
    return z
