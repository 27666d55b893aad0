"""Derivatives at the exact solution where a solver stops short of it, as barrier methods and those without gradients do."""

from typing import Any

import unidiff as ud
from unidiff._typing import Tree
from unidiff.optim.differentiable import Conditions
from unidiff.optim.problem import Problem
from unidiff.optim.system import System
from unidiff.optim.vector import Layout, read

__all__ = ["sharpened"]

STEPS, LARGEST = 10, 128
"""How many steps Newton's method makes, and the largest number of unknowns it makes them with."""


def sharpened(conditions: Conditions, problem: Problem) -> Conditions:
    """Return the conditions linearized at their root, to which Newton's method goes from the solution where it gets closer.

    The solution stays what the solver returned. Its derivatives are those of the equations as of the root.
    """
    layout = Layout(conditions.unknowns)
    if layout.dimension > LARGEST:
        return conditions
    system = System(lambda unknowns: conditions.residual(problem, unknowns), layout, (), square=True)
    start = layout.start()
    point = system(start)
    if point.size <= layout.epsilon**0.75:
        return conditions
    j = system.jacobian(start)
    xp = layout.backend.namespace(j)
    if not read(xp.sum(xp.abs(j)))[0] < float("inf"):
        return conditions
    inverse = xp.linalg.pinv(j)  # of the start for all steps, which is near: each of them gains the digits that are right there
    for _ in range(STEPS):
        new = system(point.x - inverse @ point.gradient)
        if not new.f < 0.25 * point.f:
            break
        point = new
    return _Shifted(conditions, layout.unpack(point.x - start))


class _Shifted:
    """The conditions at unknowns that differ by a constant."""

    def __init__(self, inner: Conditions, shift: Tree) -> None:
        self.inner, self.shift = inner, shift

    @property
    def unknowns(self) -> Tree:
        return self.inner.unknowns

    def solution(self, unknowns: Tree) -> Tree:
        return self.inner.solution(unknowns)

    def value(self, problem: Problem, x: Tree) -> Any:
        return self.inner.value(problem, x)

    def gradient(self, problem: Problem, x: Tree) -> Tree:
        return self.inner.gradient(problem, x)

    def sharpened(self, problem: Problem) -> Conditions:
        del problem
        return self

    def residual(self, problem: Problem, unknowns: Tree) -> Tree:
        return self.inner.residual(problem, ud.tree.map(lambda a, b: a + b, unknowns, self.shift))
