"""Rosenbrock's function: overlapping slices of one argument."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.program import Floats, Program


def rosenbrock(xp: Any, x: Any) -> Any:
    """Return sum 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2."""
    head, tail = x[:-1], x[1:]
    return xp.sum(100.0 * (tail - head**2) ** 2 + (1.0 - head) ** 2)


def rosenbrock_by_hand(x: Floats) -> tuple[Floats]:
    """Return the gradient of `rosenbrock`."""
    head, tail = x[:-1], x[1:]
    gap = tail - head**2
    out = np.zeros_like(x)
    out[:-1] = -400.0 * head * gap - 2.0 * (1.0 - head)
    out[1:] += 200.0 * gap
    return (out,)


def programs(*, small: bool) -> Iterator[Program]:
    """Yield the function in 10 and in 1e5 dimensions."""
    random = np.random.default_rng(2)
    for name, group, size in (("rosenbrock", "overhead", 10), ("rosenbrock-1e5", "large", 10 if small else 100_000)):
        yield Program(
            name=name,
            group=group,
            function=rosenbrock,
            primals=(random.uniform(-1.5, 1.5, size),),
            by_hand=rosenbrock_by_hand,
        )
