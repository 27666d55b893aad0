"""The Jacobian and the Hessian of functions of 100 variables."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.program import Program


def layer(xp: Any, x: Any, matrix: Any) -> Any:
    """Return x tanh(matrix x), a map from R^n to R^n with a dense Jacobian."""
    return x * xp.tanh(matrix @ x)


def potential(xp: Any, x: Any, matrix: Any) -> Any:
    """Return log sum exp(matrix x) + |x|^2 / 2, with a dense Hessian."""
    return xp.log(xp.sum(xp.exp(matrix @ x))) + 0.5 * xp.sum(x**2)


def programs(*, small: bool) -> Iterator[Program]:
    """Yield both in 100 dimensions."""
    random = np.random.default_rng(10)
    size = 4 if small else 100
    x, matrix = random.normal(size=size), random.normal(size=(size, size)) / np.sqrt(size)
    yield Program(
        name="jacobian-100", group="higher", function=layer, primals=(x,), data=(matrix,), operator="jacrev"
    )
    yield Program(
        name="hessian-100", group="higher", function=potential, primals=(x,), data=(matrix,), operator="hessian"
    )
