"""L-BFGS-B: limited memory BFGS within bounds.

R. Byrd, P. Lu, J. Nocedal and C. Zhu, SIAM J. Sci. Comput. 16 (1995); C. Zhu et al., ACM TOMS 23 (1997); J. Morales and
J. Nocedal, ACM TOMS 38 (2011). The Hessian is ``theta I - W M W^T``. All breakpoints of the search for the Cauchy point are
treated at once, by cumulative sums in their order, and the free variables are told by a mask: nothing is done element by
element. Where all variables turn out to be free, the minimum of the model is that of L-BFGS, which is computed first.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import unidiff as ud
from unidiff._typing import Array
from unidiff.optim.constraints import bound_vectors
from unidiff.optim.descent import dot
from unidiff.optim.limited_memory import Pairs, checked_memory
from unidiff.optim.line_search import LineSearch, Ray
from unidiff.optim.more_thuente import MoreThuente
from unidiff.optim.objective import Objective
from unidiff.optim.result import Iterate, Point, Status, Stop
from unidiff.optim.vector import Layout, read

__all__ = ["lbfgsb"]


class _Model(NamedTuple):
    """``theta I - W M W^T``; places without a pair are columns of zeros, so shapes stay."""

    theta: float
    w: Array
    m: Array
    pairs: int


class _Memory:
    """The last pairs, and both forms of the model: by its inverse, where iterations are not recorded, and by W and M."""

    def __init__(self, layout: Layout, memory: int, recorded: bool) -> None:
        self.layout, self.memory = layout, memory
        self.inverse = None if recorded else Pairs(layout, memory)
        self.pairs: list[tuple[Array, Array]] = []
        xp = layout.backend.namespace()
        self.unit = xp.eye(memory, dtype=layout.dtype, device=layout.device)
        self.below = xp.tril(layout.full(1.0, (memory, memory)), k=-1)
        self.theta = 1.0
        self._model: _Model | None = None

    def add(self, s: Array, y: Array, curvature: float, square: float) -> None:
        """Add a pair with the numbers ``s.y`` and ``y.y``."""
        self.pairs = [*self.pairs[1 - self.memory :], (s, y)] if self.memory > 1 else [(s, y)]
        self.theta, self._model = square / curvature, None
        if self.inverse is not None:
            self.inverse.add(s, y, curvature, square)

    def columns(self) -> tuple[Array, Array]:
        """Return the steps and the changes of the gradient as the columns of two matrices, oldest first."""
        none = [self.layout.full(0.0, (self.layout.dimension,))] * (self.memory - len(self.pairs))
        xp = self.layout.backend.namespace(*(y for _, y in self.pairs))
        s, y = (xp.stack([*none, *(pair[k] for pair in self.pairs)], axis=1) for k in range(2))
        return s, y

    def state(self) -> Mapping[str, Any]:
        """Return what the method knows."""
        return {"pairs": self.columns(), "theta": self.theta}

    @property
    def model(self) -> _Model:
        """The model, made when it is first asked for."""
        if self._model is None:
            self._model = _model(self) if self.pairs else _empty(self.layout, self.memory)
        return self._model


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
    known = _Memory(layout, memory, objective.recorded)
    least, greatest = read(xp.min(xp.minimum(-lower, upper)), xp.max(xp.maximum(-lower, upper)))
    box = _Box(lower, upper, least < math.inf, greatest < math.inf)
    initial = True
    while True:
        (size,) = read(xp.max(xp.abs(_clip(point.x - point.gradient, lower, upper) - point.x)))
        yield Iterate(point, size, known.state)
        new = _search(objective, search, point, known, box, initial)
        if new is None:
            if not known.pairs:
                raise Stop(Status.LINE_SEARCH)
            known = _Memory(layout, memory, objective.recorded)
            new = _search(objective, search, point, known, box, initial)
            if new is None:
                raise Stop(Status.LINE_SEARCH)
        s, y = new.x - point.x, new.gradient - point.gradient
        curvature, square, down = read(dot(s, y), dot(y, y), dot(s, point.gradient))
        if curvature > layout.epsilon * -down:
            known.add(s, y, curvature, square)
        point, initial = new, False


def _clip(x: Array, lower: Array, upper: Array) -> Array:
    xp = ud.array_namespace(x)
    return xp.minimum(xp.maximum(x, lower), upper)


def _empty(layout: Layout, memory: int) -> _Model:
    return _Model(1.0, layout.full(0.0, (layout.dimension, 2 * memory)), layout.full(0.0, (2 * memory, 2 * memory)), 0)


def _model(known: _Memory) -> _Model:
    s, y = known.columns()
    xp, theta, sy = known.layout.backend.namespace(s), known.theta, s.mT @ y
    lower, diagonal, ss = sy * known.below, sy * known.unit, theta * (s.mT @ s)
    if len(known.pairs) < known.memory:
        place = xp.arange(known.memory, device=known.layout.device)
        absent = known.unit * xp.astype(place < known.memory - len(known.pairs), sy.dtype)
        diagonal, ss = diagonal + absent, ss + absent
    middle = xp.concat([xp.concat([-1.0 * diagonal, lower.mT], axis=1), xp.concat([lower, ss], axis=1)])
    return _Model(theta, xp.concat([y, theta * s], axis=1), xp.linalg.inv(middle), len(known.pairs))


def _search(objective: Objective, search: LineSearch, point: Point, known: _Memory, box: _Box, initial: bool) -> Point | None:
    """Return what the line search finds on the way to the minimum of the model within the bounds."""
    d, slope, square, longest = _unhindered(point, known, box) or _hindered(point, known, box)
    if not slope < 0:
        return None
    # A step of length 1 is feasible, whatever rounding errors say.
    longest = (1.0 if initial else max(longest, 1.0)) if box.limited else math.inf
    trial = min(1 / math.sqrt(square), longest) if initial and not box.closed else 1.0
    ray = Ray(objective, point, d, slope, longest, lambda x: _clip(x, box.lower, box.upper))
    try:
        return (None if ray.drowned(trial) else search.search(ray, trial) or ray.best) or search(ray, trial)
    except Stop:
        return None


_Step = tuple[Array, float, float, float]
"""A step d, and the numbers ``d.g``, ``d.d`` and the largest multiple of d that is within the bounds."""


def _unhindered(point: Point, known: _Memory, box: _Box) -> _Step | None:
    """Return the step to the minimum of the model without bounds where it is that with them, None where it may not be.

    It is where it is feasible, and all variables are free at the Cauchy point. This one is at most ``g.Hg / g.g`` along -g, by
    the inequality of Cauchy and Schwarz.
    """
    if known.inverse is None:
        return None
    x, g = point.x, point.gradient
    d = known.inverse.direction(g)
    slope, square, steepest = read(dot(d, g), dot(d, d), dot(g, g))
    if not box.limited:
        return d, slope, square, math.inf
    if not slope < 0 or not _inside((x + (slope / steepest) * g, x + d), box):
        return None
    return d, slope, square, read(_room(x, d, box))[0]


def _hindered(point: Point, known: _Memory, box: _Box) -> _Step:
    """Return the step to the minimum of the model within the bounds."""
    model, bounds = known.model, (box.lower, box.upper)
    start = None if known.inverse is None else _before_breakpoints(point, model, box)
    d = _subspace(point, model, bounds, *(start or _cauchy(point, model, bounds))) - point.x
    slope, square, longest = read(dot(d, point.gradient), dot(d, d), _room(point.x, d, box))
    return d, slope, square, longest


def _inside(points: tuple[Array, Array], box: _Box) -> bool:
    """Tell whether two points are within the bounds."""
    xp = ud.array_namespace(*points)
    room = xp.minimum(xp.minimum(*points) - box.lower, box.upper - xp.maximum(*points))
    return read(xp.min(room))[0] >= 0


def _before_breakpoints(point: Point, model: _Model, box: _Box) -> tuple[Array, Array, Array] | None:
    """Return what `_cauchy` does where no variable meets a bound on the way, but for those that are at one; else None."""
    x, g = point.x, point.gradient
    xp = ud.array_namespace(x)
    held = ((g < 0) & (x >= box.upper)) | ((g > 0) & (x <= box.lower))
    moving = xp.where(held, 0.0, g)
    p = -1.0 * (model.w.mT @ moving)
    square, curve = read(dot(moving, moving), model.theta * dot(moving, moving) - dot(p, model.m @ p))
    length = square / curve if curve > 0 else math.inf
    z = x - length * moving
    return (z, length * p, xp.astype(~held, x.dtype)) if length < math.inf and _inside((z, z), box) else None


def _room(x: Array, d: Array, box: _Box) -> Array:
    """Return the largest multiple of a step that is within the bounds."""
    xp = ud.array_namespace(x, d)
    return xp.min(_ratio(xp.where(d > 0, box.upper - x, box.lower - x), d))


def _cauchy(point: Point, model: _Model, bounds: tuple[Array, Array]) -> tuple[Array, Array, Array]:
    """Return the first minimum of the model along the projected gradient, ``W^T (x_c - x)``, and the mask of free variables."""
    x, g = point.x, point.gradient
    xp = ud.array_namespace(x)
    inf, zero = xp.full_like(x, math.inf), xp.zeros_like(x)
    distance = xp.where(g < 0, x - bounds[1], xp.where(g > 0, x - bounds[0], inf))
    breaks = _ratio(distance, g)
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


def _ratio(distance: Array, speed: Array) -> Array:
    """Return when a distance is covered; infinite where it never is, without a part in derivatives."""
    xp = ud.array_namespace(distance, speed)
    covered = (speed != 0) & xp.isfinite(distance)
    return xp.where(covered, xp.where(covered, distance, 1.0) / xp.where(covered, speed, 1.0), math.inf)


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
    room = _ratio(xp.where(d > 0, bounds[1] - cauchy, bounds[0] - cauchy), d)
    shortened = cauchy + xp.minimum(xp.min(room), xp.ones_like(room[0])) * d
    # Morales and Nocedal: the projection, unless it does not lead downhill.
    return xp.where(dot(projected - point.x, point.gradient) < 0, projected, shortened)
