"""Least squares within bounds: the trust-region reflective method.

The variables are scaled by their distances from the bounds that the gradient leads to, and steps are reflected there, so that
all iterates are inside. The algorithm and its constants are those of SciPy. M. Branch, T. Coleman and Y. Li, SIAM J. Sci.
Comput. 21 (1999).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Namespace
from unidiff.optim.arguments import nonnegative
from unidiff.optim.constraints import bound_leaves, bound_vectors
from unidiff.optim.descent import dot
from unidiff.optim.losses import Loss
from unidiff.optim.result import Iterate, Point, Status, Stop
from unidiff.optim.system import System
from unidiff.optim.vector import Layout, read

__all__ = ["trust_region_reflective"]


def trust_region_reflective(
    system: System,
    start: Array,
    *,
    bounds: Any = None,
    loss: Loss | None = None,
    x_scale: Any = 1.0,
    ftol: float = 1e-8,
    xtol: float = 1e-8,
) -> Iterator[Iterate]:
    """Yield the iterates; rejected steps belong to the iteration that tries them."""
    layout, ftol, xtol = system.layout, nonnegative(ftol, "ftol"), nonnegative(xtol, "xtol")
    loss = Loss("linear", 1.0) if loss is None else loss
    box = _Box(layout, bounds)
    fit = _Fit(system, loss)
    point = fit(box.inside(start, 1e-10))
    model = _Model(fit, box, point, x_scale, None)
    radius, damping = model.first_radius(start), 0.0
    while True:
        state = {"jacobian": model.true_jacobian, "gradient": model.gradient, "radius": radius}
        yield Iterate(point, model.optimality, state)
        if not model.optimality < math.inf:
            raise Stop(Status.NOT_FINITE, "That is so of the Jacobian.")
        model.decompose()
        end = None
        while True:
            h, damping = model.trust_region(radius, damping)
            step, size, predicted = model.select(h, radius)
            new = fit(box.inside(point.x + step, 0.0))
            if not new.finite:
                radius = 0.25 * size
                if not radius > 0:
                    raise Stop(Status.STALLED)
                continue
            actual = point.f - new.f
            ratio = actual / predicted if predicted > 0 else float(predicted == actual == 0)
            changed = 0.25 * size if ratio < 0.25 else 2 * radius if ratio > 0.75 and size > 0.95 * radius else radius
            xp = ud.array_namespace(step)
            moved, *squares = read(xp.max(xp.abs(new.x - point.x)), dot(step, step), dot(point.x, point.x))
            length, norm = (math.sqrt(a) for a in squares)
            if (actual < ftol * point.f and ratio > 0.25) or length < xtol * (xtol + norm):
                end = Status.SMALL_CHANGE
                break
            damping, radius = damping * (radius / changed if changed else 1.0), changed
            if actual > 0:
                break
            if not moved or not radius**4 > 0:  # beyond that the lengths below have no squares
                raise Stop(Status.STALLED)
        if actual > 0:
            point = new
            model = _Model(fit, box, point, x_scale, model)
        if end is not None:
            if actual > 0:
                yield Iterate(point, model.optimality, {"jacobian": model.true_jacobian, "gradient": model.gradient})
            raise Stop(end)


@dataclass(frozen=True)
class _Fit:
    """The residuals with the cost as their value."""

    system: System
    loss: Loss

    def __call__(self, z: Array) -> Point:
        point = self.system(z)
        if self.loss.rho is None or not point.finite:
            return point
        cost = self.loss.cost(point.gradient)
        return point._replace(value=cost, f=read(cost)[0])


class _Box:
    """Bounds as vectors."""

    def __init__(self, layout: Layout, bounds: Any) -> None:
        xp = layout.backend.namespace()
        self.free = bounds is None
        if self.free:
            infinite = xp.full((layout.dimension,), math.inf, dtype=layout.dtype, device=layout.device)
            self.lower, self.upper = -infinite, infinite
        else:
            self.lower, self.upper = bound_vectors(bounds, layout)
        self.epsilon = layout.epsilon

    def inside(self, z: Array, margin: float) -> Array:
        """Return the closest point that is off the bounds by a relative margin, or by one rounding error."""
        if self.free:
            return z
        xp = ud.array_namespace(z)
        margin = max(margin, self.epsilon)
        one = xp.ones_like(z)
        finite = xp.isfinite(self.lower), xp.isfinite(self.upper)
        low = self.lower + margin * xp.where(finite[0], xp.maximum(one, xp.abs(self.lower)), 0 * one)
        high = self.upper - margin * xp.where(finite[1], xp.maximum(one, xp.abs(self.upper)), 0 * one)
        tight = low > high
        middle = xp.where(tight, 0.5 * (xp.where(tight, self.lower, 0 * one) + xp.where(tight, self.upper, 0 * one)), 0 * one)
        return xp.where(tight, middle, xp.minimum(xp.maximum(z, low), high))

    def room(self, x: Array, s: Array) -> tuple[float, Array]:
        """Return the length of a step along s to the bounds, and which entries reach them."""
        xp = ud.array_namespace(x)
        moving = s != 0
        safe = xp.where(moving, s, xp.ones_like(s))
        lengths = xp.maximum((self.lower - x) / safe, (self.upper - x) / safe)
        lengths = xp.where(moving, lengths, xp.full_like(s, math.inf))
        least = xp.min(lengths)
        return read(least)[0], (lengths == least) & moving

    def contains(self, x: Array) -> bool:
        xp = ud.array_namespace(x)
        return self.free or not read(xp.sum(xp.astype((x < self.lower) | (x > self.upper), x.dtype)))[0]


class _Model:
    """The quadratic model of the cost in scaled variables at a point."""

    def __init__(self, fit: _Fit, box: _Box, point: Point, x_scale: Any, before: "_Model | None") -> None:
        layout = fit.system.layout
        self.layout, self.box, self.x = layout, box, point.x
        xp: Namespace = layout.backend.namespace(point.x)
        self.xp = xp
        self.true_jacobian = fit.system.jacobian(point.x)
        r, j = fit.loss.scaled(point.gradient, self.true_jacobian)
        g = self.gradient = j.mT @ r
        self.inverse_scale = self._scale(j, x_scale, before)
        # Coleman's and Li's scaling: the distance from the bound that the gradient leads to.
        one = xp.ones_like(g)
        up, down = (g < 0) & xp.isfinite(box.upper), (g > 0) & xp.isfinite(box.lower)
        v = xp.where(up, box.upper - point.x, xp.where(down, point.x - box.lower, one))
        self.optimality = read(xp.max(xp.abs(g * v)))[0]
        self.v = xp.where(up | down, v * self.inverse_scale, v)
        self.d = xp.sqrt(self.v) / self.inverse_scale
        slope = xp.where(up, -one, xp.where(down, one, 0 * one))
        self.diagonal = g * slope / self.inverse_scale
        self.g_h = self.d * g
        self.j_h, self.residual = j * self.d[None, :], r
        self.s: list[float] = []
        self.uf: list[float] = []
        self.full_rank = False

    def decompose(self) -> None:
        """Compute the singular values, by which steps of all lengths are found."""
        xp, layout, (m, n) = self.xp, self.layout, self.j_h.shape
        stacked = xp.concat([self.j_h, xp.sqrt(self.diagonal)[:, None] * layout.identity()])
        u, s, self.vh = xp.linalg.svd(stacked, full_matrices=False)
        uf = u.mT @ xp.concat([self.residual, xp.zeros_like(self.gradient)])
        self.s, self.uf = ud.to_numpy(s).tolist(), ud.to_numpy(uf).tolist()
        self.full_rank = m >= n and self.s[-1] > layout.epsilon * m * self.s[0]

    def _scale(self, j: Array, x_scale: Any, before: "_Model | None") -> Array:
        """Return the reciprocals of the units of the variables."""
        xp = self.xp
        if isinstance(x_scale, str):
            norms = xp.sqrt(xp.sum(j * j, axis=0))
            one = xp.ones_like(norms)
            return xp.where(norms > 0, norms, one) if before is None else xp.maximum(norms, before.inverse_scale)
        if before is not None:
            return before.inverse_scale
        scale = bound_leaves((x_scale, None), self.layout.leaves, self.layout.spec)[0]
        return 1 / self.layout._join(scale)

    def first_radius(self, start: Array) -> float:
        """Return the norm of the scaled start as it was given: from a bound at 0 it was moved by less than a step can be."""
        xp = self.xp
        safe = xp.where(self.v > 0, self.v, xp.ones_like(self.v))
        z = start * self.inverse_scale / xp.sqrt(safe)
        return math.sqrt(read(dot(z, z))[0]) or 1.0

    def trust_region(self, radius: float, damping: float) -> tuple[Array, float]:
        """Return the step of least model value within a radius, in scaled variables, and its damping."""
        s, uf = self.s, self.uf
        if self.full_rank:
            weights = [-b / a for a, b in zip(s, uf, strict=True)]
            if _norm(weights) <= radius:
                return self._combined(weights), 0.0
        suf = [a * b for a, b in zip(s, uf, strict=True)]

        def excess(alpha: float) -> tuple[float, float]:
            """Return the excess of the length over the radius, and its derivative."""
            shifted = [a * a + alpha for a in s]
            length = _norm([b / c for b, c in zip(suf, shifted, strict=True)])
            return length - radius, -sum((b / c) ** 2 / c for b, c in zip(suf, shifted, strict=True)) / length

        top, bottom = _norm(suf) / radius, 0.0
        if top == 0:
            return self._combined([0.0] * len(s)), 0.0
        if self.full_rank:
            value, slope = excess(0.0)
            bottom = -value / slope
        alpha = damping or max(0.001 * top, math.sqrt(bottom * top))
        for _ in range(10):
            if not bottom <= alpha <= top:
                alpha = max(0.001 * top, math.sqrt(bottom * top))
            value, slope = excess(alpha)
            if value < 0:
                top = alpha
            bottom = max(bottom, alpha - value / slope)
            alpha -= (value + radius) * (value / slope) / radius
            if abs(value) < 0.01 * radius:
                break
        weights = [-b / (a * a + alpha) for a, b in zip(s, suf, strict=True)]
        length = _norm(weights)
        return self._combined([w * radius / length for w in weights]), alpha

    def _combined(self, weights: list[float]) -> Array:
        b = self.layout.backend
        return self.vh.mT @ b.asarray(weights, dtype=self.layout.dtype, device=self.layout.device)

    def value(self, h: Array) -> float:
        """Return the model's value."""
        image = self.j_h @ h
        return read(0.5 * (dot(image, image) + dot(h, self.diagonal * h)) + dot(self.g_h, h))[0]

    def along(self, s: Array, low: float, high: float, base: Array | None = None) -> tuple[float, float]:
        """Return the least value on ``base + t s`` for t within limits, as t and value."""
        image = self.j_h @ s
        a, b, c = 0.5 * (dot(image, image) + dot(s, self.diagonal * s)), dot(self.g_h, s), 0.0 * dot(s, s)
        if base is not None:
            there = self.j_h @ base
            b = b + dot(there, image) + dot(base, self.diagonal * s)
            c = 0.5 * (dot(there, there) + dot(base, self.diagonal * base)) + dot(self.g_h, base)
        a, b, c = read(a, b, c)
        places = [low, high]
        if a and low < -0.5 * b / a < high:
            places.append(-0.5 * b / a)
        value, place = min((t * (a * t + b) + c, t) for t in places)
        return place, value

    def select(self, h: Array, radius: float) -> tuple[Array, float, float]:
        """Return the best of the step, its reflection and a gradient step: with its scaled length and decrease."""
        p = self.d * h
        if self.box.contains(self.x + p):
            return p, _length(h), -self.value(h)
        theta = max(0.995, 1 - self.optimality)
        xp = self.xp
        stride, hits = self.box.room(self.x, p)
        candidates = []
        mirrored = xp.where(hits, -h, h)
        r, on_bound = self.d * mirrored, stride * h
        to_bound, to_radius = self.box.room(self.x + stride * p, r)[0], _to_sphere(on_bound, mirrored, radius)
        reach = min(to_bound, to_radius)
        if reach > 0:
            low, high = (1 - theta) * stride / reach, theta * to_bound if reach == to_bound else to_radius
            if low <= high:
                t, value = self.along(mirrored, low, high, on_bound)
                candidates.append((value, 0, on_bound + t * mirrored))
        shortened = theta * stride * h
        candidates.append((self.value(shortened), 1, shortened))
        descent = -self.g_h
        to_bound, to_radius = self.box.room(self.x, self.d * descent)[0], radius / _length(descent)
        t, value = self.along(descent, 0.0, theta * to_bound if to_bound < to_radius else to_radius)
        candidates.append((value, 2, t * descent))
        value, _, best = min(candidates, key=lambda c: c[:2])
        return self.d * best, _length(best), -value


def _norm(values: list[float]) -> float:
    return math.sqrt(sum(a * a for a in values))


def _length(z: Array) -> float:
    return math.sqrt(read(dot(z, z))[0])


def _to_sphere(x: Array, s: Array, radius: float) -> float:
    """Return how far it is from x along s to the sphere around 0."""
    a, b, c = read(dot(s, s), dot(x, s), dot(x, x))
    if not a:
        return 0.0
    root = math.sqrt(max(b * b - a * (c - radius * radius), 0.0))
    q = -(b + math.copysign(root, b))
    return max(q / a, (c - radius * radius) / q) if q else root / a
