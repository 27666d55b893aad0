"""Directions of search without branches, for many starts at once: each method keeps a tree of arrays from step to step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.optim.batched_search import Along, Found, armijo, strong_wolfe
from unidiff.optim.vector import Layout

__all__ = ["METHODS", "Method", "Problem", "Step"]


class Problem(NamedTuple):
    """The objective on vectors, and how many pairs L-BFGS keeps."""

    value: Callable[[Array], Array]
    layout: Layout
    memory: int


class Step(NamedTuple):
    """What the last step was, for the update of a method: changes of point and gradient, their inner products, its length."""

    s: Array
    y: Array
    curvature: Array
    square: Array
    trial: Array


@dataclass(frozen=True)
class Method:
    """A method: its first memory, its direction, its memory after a step, and its line search.

    Attributes
    ----------
    begin : callable
        ``begin(problem, x, g)`` returns the first memory.
    direct : callable
        ``direct(problem, memory, x, g)`` returns the direction.
    update : callable
        ``update(problem, memory, step)`` returns the memory after a step that was useful for it.
    first : callable
        ``first(problem, memory, d, drop, slope)`` returns the first trial, `drop` being the last decrease.
    search : callable
    always : bool
        Whether every step is useful for the memory, and not only one along which the objective curves upwards.
    """

    begin: Callable[[Problem, Array, Array], Tree]
    direct: Callable[[Problem, Any, Array, Array], Array]
    update: Callable[[Problem, Any, Step], Tree]
    first: Callable[[Problem, Any, Array, Array, Array], Array]
    search: Callable[[Along, Array], Found] = strong_wolfe
    always: bool = False


def _nothing(problem: Problem, x: Array, g: Array) -> Tree:
    del problem, x, g
    return ()


def _kept(problem: Problem, memory: Tree, step: Step) -> Tree:
    del problem, step
    return memory


def _whole(problem: Problem, memory: Tree, d: Array, drop: Array, slope: Array) -> Array:
    del problem, memory, d, drop
    return ud.array_namespace(slope).ones_like(slope)


# Gradient descent: the memory is the last step length, 0 before the first step.


def _no_step(problem: Problem, x: Array, g: Array) -> Tree:
    del problem, x
    return (0 * g[0],)


def _downhill(problem: Problem, memory: Tree, x: Array, g: Array) -> Array:
    del problem, memory, x
    return -1.0 * g


def _step_length(problem: Problem, memory: Tree, step: Step) -> Tree:
    del problem, memory
    return (step.trial,)


def _twice(problem: Problem, memory: Any, d: Array, drop: Array, slope: Array) -> Array:
    del problem, drop, slope
    xp = ud.array_namespace(d)
    (last,) = memory
    square = d @ d
    one = xp.ones_like(square)
    unit = 1 / xp.sqrt(xp.where(square > 0, square, one))
    return xp.where(last > 0, 2 * last, xp.minimum(one, unit))


# BFGS: the memory is the inverse Hessian.


def _unit(problem: Problem, x: Array, g: Array) -> Tree:
    del x
    return (problem.layout.identity() + 0 * g[:, None],)


def _by_inverse(problem: Problem, memory: Any, x: Array, g: Array) -> Array:
    del problem, x
    return -1.0 * (memory[0] @ g)


def _secant(problem: Problem, memory: Any, step: Step) -> Tree:
    del problem
    (h,) = memory
    rho, hy = 1 / step.curvature, h @ step.y
    outer = hy[:, None] * step.s[None, :]
    weight = rho * (1 + rho * (step.y @ hy))
    return (h - rho * (outer + outer.mT) + weight * (step.s[:, None] * step.s[None, :]),)


def _as_before(problem: Problem, memory: Tree, d: Array, drop: Array, slope: Array) -> Array:
    """Return the step that would lower the objective as much as the last one did, at most 1 (Nocedal & Wright, 3.60)."""
    del problem, memory, d
    xp = ud.array_namespace(slope)
    one = xp.ones_like(slope)
    guess = -2.02 * drop / xp.where(slope < 0, slope, -one)
    return xp.where(guess > 0, xp.minimum(one, guess), one)


# L-BFGS: the memory is the pairs, oldest first, 1 / s.y or 0 for those that are not there yet, and the factor of the identity.


def _no_pairs(problem: Problem, x: Array, g: Array) -> Tree:
    del x
    layout, m = problem.layout, problem.memory
    none = layout.full(0.0, (m, layout.dimension)) + 0 * g[None, :]
    return none, none, 0 * none[:, 0], 0 * g[0] + 1


def _two_loops(problem: Problem, memory: Any, x: Array, g: Array) -> Array:
    del x
    s, y, rho, gamma = memory
    weights = []
    for k in reversed(range(problem.memory)):
        weights.append(rho[k] * (s[k, :] @ g))
        g = g - weights[-1] * y[k, :]
    g = gamma * g
    for k, weight in enumerate(reversed(weights)):
        g = g + (weight - rho[k] * (y[k, :] @ g)) * s[k, :]
    return -1.0 * g


def _with_pair(problem: Problem, memory: Any, step: Step) -> Tree:
    del problem
    s, y, rho, _ = memory
    xp = ud.array_namespace(step.s)
    pairs = [xp.concat([old[1:, :], new[None, :]]) for old, new in ((s, step.s), (y, step.y))]
    one = xp.ones_like(step.curvature)
    return *pairs, xp.concat([rho[1:], xp.reshape(one / step.curvature, (1,))]), step.curvature / step.square


def _unit_length(problem: Problem, memory: Any, d: Array, drop: Array, slope: Array) -> Array:
    del problem, drop, slope
    xp = ud.array_namespace(d)
    square = d @ d
    one = xp.ones_like(square)
    fresh = memory[2][-1] == 0
    return xp.where(fresh, 1 / xp.sqrt(xp.where(fresh & (square > 0), square, one)), one)


# Newton's method: no memory.


def _by_eigenvalues(problem: Problem, memory: Tree, x: Array, g: Array) -> Array:
    del memory
    layout, xp = problem.layout, ud.array_namespace(x)
    values, vectors = xp.linalg.eigh(ud.hessian(problem.value)(x))
    magnitudes = xp.abs(values)
    floor = xp.maximum(layout.epsilon**0.75 * xp.max(magnitudes), layout.full(layout.epsilon))
    return -1.0 * (vectors @ ((vectors.mT @ g) / xp.maximum(magnitudes, floor)))


METHODS = {
    "gradient-descent": Method(_no_step, _downhill, _step_length, _twice, armijo, always=True),
    "bfgs": Method(_unit, _by_inverse, _secant, _as_before),
    "l-bfgs": Method(_no_pairs, _two_loops, _with_pair, _unit_length),
    "newton": Method(_nothing, _by_eigenvalues, _kept, _whole),
}
"""The methods of `unidiff.optim.minimize_batch`."""
