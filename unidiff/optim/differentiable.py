"""Solutions as differentiable functions of the arguments, by the equation they satisfy."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import unidiff as ud
from unidiff._typing import Tree
from unidiff.optim.result import Result

__all__ = ["implicit"]


def implicit(solve: Callable[..., Result], optimality: Callable[..., Tree], x0: Tree, args: Sequence[Any]) -> Result:
    """Run a solver; the ``x`` of its result is differentiable in the arguments by ``optimality(x, *args) = 0``."""
    found: list[Result] = []

    @ud.custom_root(optimality)
    def solution(start: Tree, *parameters: Any) -> Tree:
        found.append(solve(start, *parameters))
        return found[-1].x

    x = solution(x0, *args)
    return replace(found[-1], x=x)
