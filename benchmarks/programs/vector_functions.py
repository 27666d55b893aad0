"""The Jacobian and the Hessian of functions of 100 variables."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.program import Floats, Operator, Program


def layer(xp: Any, x: Any, matrix: Any) -> Any:
    """Return x tanh(matrix x), a map from R^n to R^n with a dense Jacobian."""
    return x * xp.tanh(matrix @ x)


def layer_by_hand(x: Floats, matrix: Floats) -> tuple[Floats]:
    """Return the Jacobian of `layer`."""
    activation = np.tanh(matrix @ x)
    return (np.diag(activation) + (x * (1.0 - activation**2))[:, None] * matrix,)


def potential(xp: Any, x: Any, matrix: Any) -> Any:
    """Return log sum exp(matrix x) + |x|^2 / 2, with a dense Hessian."""
    return xp.log(xp.sum(xp.exp(matrix @ x))) + 0.5 * xp.sum(x**2)


def potential_by_hand(x: Floats, matrix: Floats) -> tuple[Floats]:
    """Return the Hessian of `potential`."""
    weights = np.exp(matrix @ x)
    weights /= np.sum(weights)
    mean = weights @ matrix
    return ((matrix.T * weights) @ matrix - np.outer(mean, mean) + np.eye(x.size),)


def programs(*, small: bool) -> Iterator[Program]:
    """Yield both in 100 dimensions."""
    random = np.random.default_rng(10)
    size = 4 if small else 100
    x, matrix = random.normal(size=size), random.normal(size=(size, size)) / np.sqrt(size)
    cases: tuple[tuple[str, Operator, Callable[..., Any], Callable[..., tuple[Floats, ...]]], ...] = (
        ("jacobian-100", "jacrev", layer, layer_by_hand),
        ("hessian-100", "hessian", potential, potential_by_hand),
    )
    for name, operator, function, by_hand in cases:
        yield Program(
            name=name,
            group="higher",
            function=function,
            primals=(x,),
            data=(matrix,),
            operator=operator,
            by_hand=by_hand,
        )
