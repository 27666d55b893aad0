"""L-BFGS-B: limited memory BFGS within bounds.

R. Byrd, P. Lu, J. Nocedal and C. Zhu, SIAM J. Sci. Comput. 16 (1995); C. Zhu et al., ACM TOMS 23 (1997); J. Morales and
J. Nocedal, ACM TOMS 38 (2011). The Hessian is ``theta I - W M W^T``. All breakpoints of the search for the Cauchy point are
treated at once, by cumulative sums in their order, and the free variables are told by a mask: nothing is done element by
element.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import unidiff as ud
from unidiff._typing import Array
from unidiff.optim.constraints import bound_vectors
from unidiff.optim.descent import dot
from unidiff.optim.limited_memory import checked_memory
from unidiff.optim.line_search import LineSearch, Ray
from unidiff.optim.more_thuente import MoreThuente
from unidiff.optim.objective import Objective
from unidiff.optim.result import Iterate, Point, Status, Stop
from unidiff.optim.vector import Layout, read

__all__ = ["lbfgsb"]


class _Model(NamedTuple):
    """``theta I - W M W^T``, and the pairs that it is made of; places without a pair are columns of zeros, so shapes stay."""

    theta: float
    w: Array
    m: Array
    s: Array
    y: Array
    pairs: int


class _Box(NamedTuple):
    """The bounds; whether there are any, and whether every variable has two."""

    lower: Array
    upper: Array
    limited: bool
    closed: bool


def lbfgsb(
    objective: Objective,
    start: Array,
    *,
    bounds: Any = (None, None),
    memory: int = 10,
    line_search: LineSearch | None = None,
) -> Iterator[Iterate]:
    """Yield the iterates; optimality is ``max |P(x - g) - x|``, with the projection P onto the bounds."""
    memory, layout = checked_memory(memory), objective.layout
    lower, upper = bound_vectors(bounds, layout)
    search = line_search or MoreThuente(c1=1e-3, c2=0.9, xtol=0.1, maxiter=20)
    xp = layout.backend.namespace(start)
    point = objective(_clip(start, lower, upper))
    model = _empty(layout, memory)
    least, greatest = read(xp.min(xp.minimum(-lower, upper)), xp.max(xp.maximum(-lower, upper)))
    box = _Box(lower, upper, least < math.inf, greatest < math.inf)
    initial = True
    while True:
        (size,) = read(xp.max(xp.abs(_clip(point.x - point.gradient, lower, upper) - point.x)))
        yield Iterate(point, size, {"pairs": (model.s, model.y), "theta": model.theta})
        new = _search(objective, search, point, model, box, initial)
        if new is None:
            if not model.pairs:
                raise Stop(Status.LINE_SEARCH)
            model = _empty(layout, memory)
            new = _search(objective, search, point, model, box, initial)
            if new is None:
                raise Stop(Status.LINE_SEARCH)
        s, y = new.x - point.x, new.gradient - point.gradient
        curvature, square, down = read(dot(s, y), dot(y, y), dot(s, point.gradient))
        if curvature > layout.epsilon * -down:
            model = _with_pair(model, s, y, square / curvature, layout)
        point, initial = new, False


def _clip(x: Array, lower: Array, upper: Array) -> Array:
    xp = ud.array_namespace(x)
    return xp.minimum(xp.maximum(x, lower), upper)


def _empty(layout: Layout, memory: int) -> _Model:
    none = layout.full(0.0, (layout.dimension, memory))
    return _Model(
        1.0, layout.full(0.0, (layout.dimension, 2 * memory)), layout.full(0.0, (2 * memory, 2 * memory)), none, none, 0
    )


def _with_pair(model: _Model, s: Array, y: Array, theta: float, layout: Layout) -> _Model:
    xp = layout.backend.namespace(s)
    s, y = (xp.concat([old[:, 1:], new[:, None]], axis=1) for old, new in ((model.s, s), (model.y, y)))
    memory = s.shape[1]
    count = min(model.pairs + 1, memory)
    sy = s.mT @ y
    lower = xp.tril(sy, k=-1)
    place = xp.arange(memory, dtype=layout.dtype, device=layout.device)
    absent = xp.astype(place < memory - count, layout.dtype)
    eye = xp.eye(memory, dtype=layout.dtype, device=layout.device)
    diagonal = sy - lower - xp.triu(sy, k=1) + eye * absent
    top = xp.concat([-1.0 * diagonal, lower.mT], axis=1)
    middle = xp.concat([top, xp.concat([lower, theta * (s.mT @ s) + eye * absent], axis=1)])
    return _Model(theta, xp.concat([y, theta * s], axis=1), xp.linalg.inv(middle), s, y, count)


def _search(objective: Objective, search: LineSearch, point: Point, model: _Model, box: _Box, initial: bool) -> Point | None:
    """Return what the line search finds on the way to the minimum of the model within the bounds."""
    bounds = (box.lower, box.upper)
    cauchy, c, free = _cauchy(point, model, bounds)
    d = _subspace(point, model, bounds, cauchy, c, free) - point.x
    xp = ud.array_namespace(d)
    inf = xp.full_like(d, math.inf)
    room = xp.where(d > 0, bounds[1] - point.x, xp.where(d < 0, bounds[0] - point.x, inf)) / xp.where(
        d == 0, xp.ones_like(d), d
    )
    slope, square, longest = read(dot(d, point.gradient), dot(d, d), xp.min(room))
    if not slope < 0:
        return None
    # A step of length 1 is feasible, whatever rounding errors say.
    longest = (1.0 if initial else max(longest, 1.0)) if box.limited else math.inf
    trial = min(1 / math.sqrt(square), longest) if initial and not box.closed else 1.0
    ray = Ray(objective, point, d, slope, longest, lambda x: _clip(x, *bounds))
    try:
        return (None if ray.drowned(trial) else search.search(ray, trial) or ray.best) or search(ray, trial)
    except Stop:
        return None


def _cauchy(point: Point, model: _Model, bounds: tuple[Array, Array]) -> tuple[Array, Array, Array]:
    """Return the first minimum of the model along the projected gradient, ``W^T (x_c - x)``, and the mask of free variables."""
    x, g = point.x, point.gradient
    xp = ud.array_namespace(x)
    inf, zero = xp.full_like(x, math.inf), xp.zeros_like(x)
    distance = xp.where(g < 0, x - bounds[1], xp.where(g > 0, x - bounds[0], inf))
    breaks = xp.where(g == 0, inf, distance / xp.where(g == 0, xp.ones_like(g), g))
    order = xp.argsort(breaks)
    t, gs = xp.take(breaks, order), xp.take(g, order)
    moving = xp.where(t > 0, gs, zero)
    squares = moving * moving
    # Before the j-th breakpoint the variables from the j-th on still move: S_j is the sum of their squared gradients.
    remaining = xp.sum(squares) - (xp.cumulative_sum(squares) - squares)
    remaining = xp.maximum(remaining, zero)
    begin = xp.maximum(xp.concat([xp.zeros_like(t[:1]), t[:-1]]), zero)
    begin = xp.where(begin < math.inf, begin, zero)
    slope, curve = model.theta * begin * remaining - remaining, model.theta * remaining
    if model.pairs:
        rows = xp.take(model.w, order, axis=0) * moving[:, None]
        gone = xp.cumulative_sum(rows, axis=0) - rows
        p = gone - xp.sum(rows, axis=0)[None, :]  # W^T d in each segment
        stop = xp.where(t < math.inf, xp.maximum(t, zero), zero)
        reached = xp.cumulative_sum(rows * stop[:, None], axis=0) - rows * stop[:, None]
        c = begin[:, None] * p - reached  # W^T z at the begin of each segment
        pm = p @ model.m
        slope, curve = slope - xp.sum(pm * c, axis=1), curve - xp.sum(pm * p, axis=1)
    step = xp.where(curve > 0, -slope / xp.where(curve > 0, curve, xp.ones_like(curve)), inf)
    inside = (begin + step <= t) | (slope >= 0)
    inside = inside & ((t > 0) | (slope >= 0))
    best = xp.min(xp.where(inside, begin + xp.maximum(step, zero), inf))
    # The first segment that holds a minimum; without one all variables stop at their bounds.
    index = xp.argmax(xp.astype(inside, xp.int8))
    chosen = xp.take(begin + xp.where(slope >= 0, zero, step), xp.reshape(index, (1,)))[0]
    last = xp.max(xp.where(breaks < math.inf, breaks, zero))
    length = xp.where(xp.any(inside), xp.where(chosen < math.inf, chosen, best), last)
    steps = xp.minimum(xp.maximum(breaks, zero), xp.where(length < math.inf, length, xp.zeros_like(length)))
    bound = xp.where(g < 0, bounds[1], bounds[0])
    free = xp.astype(breaks > length, x.dtype)
    z = xp.where(breaks <= length, xp.where(g == 0, x, bound), x - steps * g)
    return z, model.w.mT @ (z - x), free


def _subspace(point: Point, model: _Model, bounds: tuple[Array, Array], cauchy: Array, c: Array, free: Array) -> Array:
    """Return the minimum of the model over the free variables, brought back into the box."""
    xp = ud.array_namespace(cauchy)
    if not model.pairs:
        return cauchy
    theta = model.theta
    r = free * (point.gradient + theta * (cauchy - point.x) - model.w @ (model.m @ c))
    wf = model.w * free[:, None]
    v = model.m @ (wf.mT @ r)
    inner = xp.eye(v.shape[0], dtype=v.dtype, device=ud.device(v)) - (1 / theta) * (model.m @ (wf.mT @ wf))
    v = xp.linalg.solve(inner, v[:, None])[:, 0]
    d = -1.0 * free * (r / theta + (wf @ v) * (1 / theta**2))
    projected = _clip(cauchy + d, *bounds)
    room = xp.where(d > 0, bounds[1] - cauchy, xp.where(d < 0, bounds[0] - cauchy, xp.full_like(d, math.inf)))
    room = room / xp.where(d == 0, xp.ones_like(d), d)
    shortened = cauchy + xp.minimum(xp.min(room), xp.ones_like(room[0])) * d
    # Morales and Nocedal: the projection, unless it does not lead downhill.
    return xp.where(dot(projected - point.x, point.gradient) < 0, projected, shortened)
