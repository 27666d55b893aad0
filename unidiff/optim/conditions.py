"""The equations that minima satisfy: stationarity, fixed points of projected steps, and those of Karush, Kuhn and Tucker.

Derivatives of a solution follow from its equations by the implicit function theorem. Under inequalities these are those of the
constraints that are active there, which is right where every active one has a multiplier that is not zero; elsewhere the
solution has a kink, and no derivative.
"""

from functools import cached_property
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import NotDifferentiableError
from unidiff.optim.active_set import active_set
from unidiff.optim.constraints import bound_vectors
from unidiff.optim.differentiable import Conditions
from unidiff.optim.problem import Problem
from unidiff.optim.projections import simplex
from unidiff.optim.result import Result
from unidiff.optim.sharpening import sharpened
from unidiff.optim.vector import Layout, read

__all__ = ["Equation", "minimum"]


def minimum(problem: Problem, result: Result, *, exact: bool = True, on_simplex: bool = False) -> Conditions:
    """Return the conditions of a minimum.

    Parameters
    ----------
    problem : Problem
    result : Result
    exact : bool
        Whether entries at their bounds equal them.
    on_simplex : bool
        Whether the solution is without negative entries, and their sum is given.
    """
    if problem.constraints:
        return _Constrained(problem, result)
    if on_simplex:
        return _OnSimplex(result)
    if problem.bounds is not None:
        return _Bounded(problem, result, exact)
    if problem.restriction is not None:
        return _FixedPoint(result)
    return _Stationary(result)


class Equation:
    """The function of the problem is zero."""

    def __init__(self, result: Result) -> None:
        self.result = result

    @property
    def unknowns(self) -> Tree:
        """The solution."""
        return self.result.x

    def solution(self, unknowns: Tree) -> Tree:
        """Return the solution."""
        return unknowns

    def value(self, problem: Problem, x: Tree) -> Any:
        """Return the value of the function."""
        return problem.value(x)

    def gradient(self, problem: Problem, x: Tree) -> Tree:
        """Return nothing: equations are no objective."""
        del problem, x

    def residual(self, problem: Problem, unknowns: Tree) -> Tree:
        """Return the value."""
        return problem.value(unknowns)

    def sharpened(self, problem: Problem) -> Conditions:
        """Return the same: how close the solution is to the root is up to the tolerance."""
        del problem
        return self


def gradient(problem: Problem, x: Tree) -> Tree:
    """Return the gradient of the objective."""
    return ud.grad(problem.value)(x)


class _Minimum(Equation):
    """The function of the problem is least."""

    def gradient(self, problem: Problem, x: Tree) -> Tree:
        """Return the gradient of the function."""
        return gradient(problem, x)


class _Stationary(_Minimum):
    """The gradient is zero."""

    def residual(self, problem: Problem, unknowns: Tree) -> Tree:
        """Return the gradient."""
        return gradient(problem, unknowns)


class _FixedPoint(_Minimum):
    """A projected or proximal gradient step leads nowhere."""

    def residual(self, problem: Problem, unknowns: Tree) -> Tree:
        """Return the change by a step of length 1."""
        moved = ud.tree.map(lambda a, g: a - g, unknowns, gradient(problem, unknowns))
        return ud.tree.map(lambda a, c: a - c, self.feasible(problem, moved), unknowns)

    def feasible(self, problem: Problem, x: Tree) -> Tree:
        """Return where a step ends."""
        return problem.prox(x, 1.0) if problem.projection is None else problem.projection(x)


class _OnSimplex(_FixedPoint):
    """The same for the projection onto a simplex."""

    def __init__(self, result: Result) -> None:
        super().__init__(result)
        layout = Layout(result.x)
        z = layout.pack(result.x, "x")
        self.total = read(layout.backend.namespace(z).sum(z))[0]

    def feasible(self, problem: Problem, x: Tree) -> Tree:
        """Return where a step ends."""
        del problem
        return simplex(x, self.total)


class _Bounded(_Minimum):
    """Entries at a bound stay there, and the gradient by the others is zero."""

    def __init__(self, problem: Problem, result: Result, exact: bool) -> None:
        super().__init__(result)
        self.problem, self.exact = problem, exact

    @cached_property
    def active(self) -> tuple[Array, Array]:
        """Where the lower and the upper bounds hold."""
        layout, x = Layout(self.result.x), self.result.x
        z, g = layout.pack(x, "x"), layout.pack(gradient(self.problem, x), "gradient")
        lower, upper = bound_vectors(self.problem.bounds, layout)
        xp = layout.backend.namespace(z)
        at_lower, at_upper = g > z - lower, -1.0 * g > upper - z
        residual = xp.where(at_lower, z - lower, xp.where(at_upper, upper - z, xp.abs(g)))
        noise, size = read(xp.max(residual), xp.max(xp.abs(g)))
        noise = max(noise, layout.epsilon**0.5 * max(1.0, size))
        near = xp.minimum(z - lower, upper - z) <= (0.0 if self.exact else noise)
        fixed = lower == upper
        (weak,) = read(xp.sum(xp.astype(near & (xp.abs(g) <= noise) & ~fixed, layout.dtype)))
        if weak:
            raise _kink(f"{int(weak)} of the bounds")
        return at_lower | fixed, at_upper & ~fixed

    def sharpened(self, problem: Problem) -> Conditions:
        """Return the conditions at their root where the solver stays within the bounds."""
        return self if self.exact else sharpened(self, problem)

    def residual(self, problem: Problem, unknowns: Tree) -> Tree:
        """Return the distances from the active bounds, and the gradient elsewhere."""
        at_lower, at_upper = self.active
        layout = Layout(unknowns)
        z, g = layout.pack(unknowns, "x"), layout.pack(gradient(problem, unknowns), "gradient")
        return _held(z, g, at_lower, at_upper, bound_vectors(problem.bounds, layout, check=False))


def _held(z: Array, g: Array, at_lower: Array, at_upper: Array, bounds: tuple[Array, Array]) -> Array:
    """Return ``z - bound`` where a bound is active and `g` elsewhere; inactive bounds may be infinite."""
    xp, (lower, upper) = ud.array_namespace(z, g, *bounds), bounds
    zero = xp.zeros_like(z)
    target = xp.where(at_lower, lower, xp.where(at_upper, upper, zero))
    return xp.where(at_lower | at_upper, z - target, g)


def _kink(what: str) -> NotDifferentiableError:
    return NotDifferentiableError(
        f"The solution has a kink: {what} hold there with a multiplier of zero, or the solver was not exact enough to tell. "
        "A smaller tol may tell; at a true kink there is no derivative."
    )


class _Constrained(_Minimum):
    """Karush, Kuhn and Tucker: with the multipliers of the active constraints, the Lagrangian is stationary."""

    def __init__(self, problem: Problem, result: Result) -> None:
        super().__init__(result)
        self.active = active_set(problem, result.x)

    @property
    def unknowns(self) -> Tree:
        """The solution and the multipliers."""
        return (self.result.x, self.active.multipliers)

    def solution(self, unknowns: Tree) -> Tree:
        """Return the solution."""
        return unknowns[0]

    def sharpened(self, problem: Problem) -> Conditions:
        """Return the conditions at their root."""
        return self if self.active.weak else sharpened(self, problem)

    def residual(self, problem: Problem, unknowns: Tree) -> Tree:
        """Return the gradient of the Lagrangian, and how far the active constraints are from holding."""
        active, (x, multipliers) = self.active, unknowns
        if active.weak:
            raise _kink(f"{active.weak} of the inequalities")
        layout = Layout(x)

        def lagrangian(y: Tree) -> Array:
            value, c = problem.value(y), active.violation(problem.constraints, y, layout)
            return value if c is None else value - ud.array_namespace(c, multipliers).sum(multipliers * c)

        g = layout.pack(ud.grad(lagrangian)(x), "gradient")
        c = active.violation(problem.constraints, x, layout)
        if problem.bounds is not None:
            bounds = bound_vectors(problem.bounds, layout, check=False)
            g = _held(layout.pack(x, "x"), g, *active.bounds, bounds)
        return [g] if c is None else [g, c]
