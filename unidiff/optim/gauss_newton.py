"""Levenberg-Marquardt's and Gauss-Newton's methods for the sum of squares."""

from collections.abc import Iterator
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Namespace
from unidiff.errors import ArgumentError
from unidiff.optim.arguments import nonnegative, positive
from unidiff.optim.result import Iterate, Point, Status, Stop
from unidiff.optim.system import System
from unidiff.optim.vector import read

__all__ = ["backtrack", "gauss_newton", "levenberg_marquardt", "require_finite"]


def levenberg_marquardt(
    system: System,
    start: Array,
    *,
    tau: float = 1e-3,
    scaling: str = "columns",
    linear: str = "qr",
    ftol: float | None = None,
    xtol: float | None = None,
) -> Iterator[Iterate]:
    """Yield the iterates; rejected steps repeat the point."""
    if scaling not in {"columns", "none"} or linear not in {"qr", "cg"}:
        raise ArgumentError(
            f"scaling must be 'columns' or 'none' and linear 'qr' or 'cg', but they are {scaling!r} and {linear!r}."
        )
    if linear == "cg":
        scaling = "none"
    small, tau = 0.5 * system.layout.epsilon**0.5, positive(tau, "tau")
    ftol, xtol = (small if a is None else nonnegative(a, name) for a, name in ((ftol, "ftol"), (xtol, "xtol")))
    point = system(start)
    model = _Model(system, point, scaling, linear, None)
    mu, growth = tau * model.largest, 2.0
    while True:
        yield Iterate(point, model.size, {"jacobian": model.jacobian, "gradient": model.gradient, "damping": mu})
        require_finite(model.size)
        h = model.step(mu)
        new = system(point.x + h)
        predicted, change, length = model.judge(h, mu)
        actual = point.f - new.f if new.finite else -float("inf")
        accepted = predicted > 0 and actual > 0
        relative = max(abs(actual), predicted) / point.f if point.f else 0.0
        if accepted:
            ratio = actual / predicted
            mu, growth = mu * max(1 / 3, 1 - (2 * ratio - 1) ** 3), 2.0
            point = new
            model = _Model(system, point, scaling, linear, model)
        else:
            mu, growth = mu * growth, 2 * growth
        if change <= xtol * length or relative <= ftol:
            if model.size > 0 and accepted:
                yield Iterate(point, model.size, {"jacobian": model.jacobian, "gradient": model.gradient, "damping": mu})
            raise Stop(Status.SMALL_CHANGE)
        if not mu < float("inf"):
            raise Stop(Status.STALLED)


class _Model:
    """The linear model of the residuals at a point, with the scale of the unknowns."""

    def __init__(self, system: System, point: Point, scaling: str, linear: str, before: "_Model | None") -> None:
        layout = system.layout
        self.xp: Namespace = layout.backend.namespace(point.x)
        xp, self.point, self.linear, self.epsilon = self.xp, point, linear, layout.epsilon
        self.scale, self.identity = xp.ones_like(point.x), layout.identity()
        self.jacobian = None
        if linear == "cg":
            self.push, self.pull = system.products(point.x)
            self.gradient = self.pull(point.gradient)
            image = self.push(self.gradient)
            square, size, top = read(xp.sum(image * image), xp.max(xp.abs(self.gradient)), xp.sum(self.gradient**2))
            self.largest, self.size = (square / top if top else 1.0), size
            return
        j = self.jacobian = system.jacobian(point.x)
        self.push = lambda h: j @ h
        self.gradient = j.mT @ point.gradient
        squares = xp.sum(j * j, axis=0)
        if scaling == "columns":
            norms = xp.sqrt(squares)
            norms = xp.maximum(norms, before.scale) if before is not None else xp.where(norms > 0, norms, xp.ones_like(norms))
            self.scale = norms
        self.largest, self.size = read(xp.max(squares / self.scale**2), xp.max(xp.abs(self.gradient)))

    def step(self, mu: float) -> Array:
        """Return the step for a damping."""
        xp, root = self.xp, mu**0.5
        if self.linear == "cg":
            return -1.0 * ud.cg(lambda v: self.pull(self.push(v)) + mu * v, self.gradient, tol=self.epsilon**0.5).value
        eye = self.identity
        # The unknowns are the scaled ones, so that the triangle is as well conditioned as can be.
        matrix = xp.concat([self.jacobian / self.scale[None, :], root * eye])
        q, r = xp.linalg.qr(matrix)
        right = q.mT @ xp.concat([self.point.gradient, xp.zeros_like(self.scale)])
        return -1.0 * xp.linalg.solve(r, right[:, None])[:, 0] / self.scale

    def judge(self, h: Array, mu: float) -> tuple[float, float, float]:
        """Return the predicted decrease, and the lengths of the step and of the point, in the scale."""
        xp, image = self.xp, self.push(h)
        scaled = self.scale * h
        place = self.scale * self.point.x
        half, step, length = read(xp.sum(image * image), xp.sum(scaled * scaled), xp.sum(place * place))
        return 0.5 * half + mu * step, step**0.5, length**0.5


def gauss_newton(system: System, start: Array, *, ftol: float | None = None, xtol: float | None = None) -> Iterator[Iterate]:
    """Yield the iterates of ``x - alpha J^+ r`` with backtracking; J^+ is the pseudo-inverse."""
    layout = system.layout
    small = 0.5 * layout.epsilon**0.5
    ftol, xtol = (small if a is None else nonnegative(a, name) for a, name in ((ftol, "ftol"), (xtol, "xtol")))
    point = system(start)
    while True:
        j = system.jacobian(point.x)
        xp = layout.backend.namespace(point.x)
        gradient = j.mT @ point.gradient
        (size,) = read(xp.max(xp.abs(gradient)))
        yield Iterate(point, size, {"jacobian": j, "gradient": gradient})
        require_finite(size)
        h = -1.0 * (xp.linalg.pinv(j) @ point.gradient)
        slope, step, length = read(xp.sum(gradient * h), xp.sum(h * h), xp.sum(point.x * point.x))
        if not slope < 0:
            raise Stop(Status.NOT_DESCENT)
        new = backtrack(system, point, h, slope)
        relative = (point.f - new.f) / point.f
        point = new
        if step <= xtol * xtol * length or (relative <= ftol and -0.5 * slope <= ftol * point.f):
            yield Iterate(point, size, {"jacobian": j, "gradient": gradient})
            raise Stop(Status.SMALL_CHANGE)


def require_finite(number: Any) -> None:
    """End a method where a Jacobian has entries that are not finite."""
    if not abs(read(number)[0]) < float("inf"):
        raise Stop(Status.NOT_FINITE, "That is so of the Jacobian.")


def backtrack(system: System, point: Point, h: Array, slope: float) -> Point:
    """Return a point along a direction where the sum of squares is lower by Armijo's rule."""
    alpha = 1.0
    for _ in range(60):
        new = system(point.x + alpha * h)
        if new.finite and new.f <= point.f + 1e-4 * alpha * slope:
            return new
        alpha *= 0.5
    raise Stop(Status.LINE_SEARCH)
