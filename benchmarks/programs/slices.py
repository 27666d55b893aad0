"""Programs that live on slices of large arrays, whose adjoints must not cost an array of zeros each."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks.program import Program


def heat(xp: Any, u: Any, *, steps: int) -> Any:
    """Return the energy after explicit steps of the heat equation with fixed ends."""
    for _ in range(steps):
        interior = u[1:-1] + 0.2 * (u[2:] - 2.0 * u[1:-1] + u[:-2])
        u = xp.concat([u[:1], interior, u[-1:]])
    return xp.sum(u**2)


def blocks(xp: Any, x: Any, *, count: int) -> Any:
    """Return a sum over ``count`` disjoint blocks of one array, each with an operation of its own."""
    width = x.shape[0] // count
    total = 0.0
    for block in range(count):
        part = x[block * width : (block + 1) * width]
        total = total + xp.sum(xp.sin(part) * (0.1 * block + 1.0))
    return total


def programs(*, small: bool) -> Iterator[Program]:
    """Yield both on arrays of 1e5 elements."""
    random = np.random.default_rng(6)
    size = 100 if small else 100_000
    count = 5 if small else 100
    yield Program(
        name="heat-1e5",
        group="large",
        function=partial(heat, steps=2 if small else 10),
        primals=(random.normal(size=size),),
    )
    yield Program(
        name="blocks-1e5",
        group="large",
        function=partial(blocks, count=count),
        primals=(random.normal(size=size),),
        by_hand=lambda x: (np.cos(x) * np.repeat(0.1 * np.arange(count) + 1.0, size // count),),
    )
