"""The classical Runge-Kutta method on the predator-prey equations: sensitivities of a trajectory."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks.program import Program

STEP = 0.05
_COMPILED = "the unrolled program takes minutes to compile"
TOO_LONG = {"jax-jit": _COMPILED, "unidiff-jax-jit": _COMPILED}


def distance(xp: Any, state: Any, rates: Any, target: Any, *, steps: int) -> Any:
    """Return the squared distance to ``target`` after ``steps`` steps from ``state`` (prey, predators)."""

    def slope(u: Any) -> Any:
        prey, predators = u[0], u[1]
        return xp.stack([prey * (rates[0] - rates[1] * predators), predators * (rates[2] * prey - rates[3])])

    u = state
    for _ in range(steps):
        k1 = slope(u)
        k2 = slope(u + 0.5 * STEP * k1)
        k3 = slope(u + 0.5 * STEP * k2)
        k4 = slope(u + STEP * k3)
        u = u + (STEP / 6.0) * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    return xp.sum((u - target) ** 2)


def programs(*, small: bool) -> Iterator[Program]:
    """Yield 50 steps."""
    yield Program(
        name="runge-kutta",
        group="overhead",
        function=partial(distance, steps=1 if small else 50),
        primals=(np.asarray([1.0, 0.8]), np.asarray([1.1, 0.4, 0.1, 0.4])),
        data=(np.asarray([2.0, 1.0]),),
        skip={} if small else TOO_LONG,
    )
