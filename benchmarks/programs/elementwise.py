"""A chain of elementwise operations: five per link, so 150 for 30 links; and the smallest function there is."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks.program import Floats, Program


def chain(xp: Any, x: Any, *, links: int) -> Any:
    """Return the sum of y after ``links`` times y <- tanh(y x + sin y) - 0.1, from y = x."""
    y = x
    for _ in range(links):
        y = xp.tanh(y * x + xp.sin(y)) - 0.1
    return xp.sum(y)


def chain_by_hand(x: Floats, *, links: int) -> tuple[Floats]:
    """Return the gradient of `chain`."""
    y = x
    states, activations = [], []
    for _ in range(links):
        states.append(y)
        activation = np.tanh(y * x + np.sin(y))
        activations.append(activation)
        y = activation - 0.1
    y_bar = np.ones_like(x)
    x_bar = np.zeros_like(x)
    for y, activation in zip(reversed(states), reversed(activations), strict=True):
        y_bar = y_bar * (1.0 - activation * activation)
        x_bar += y_bar * y
        y_bar = y_bar * (x + np.cos(y))
    return (x_bar + y_bar,)


def single(xp: Any, x: Any) -> Any:
    """Return the sum of the elements: one operation, so that only the cost of the call itself remains."""
    return xp.sum(x)


def programs(*, small: bool) -> Iterator[Program]:
    """Yield the chain on 10, 1e5 and 1e6 elements, and the single operation."""
    random = np.random.default_rng(1)
    links = 3 if small else 30

    def program(name: str, group: str, size: int, links: int) -> Program:
        return Program(
            name=name,
            group=group,
            function=partial(chain, links=links),
            primals=(random.uniform(0.2, 0.8, size),),
            by_hand=partial(chain_by_hand, links=links),
        )

    yield program("elementwise", "overhead", 10, links)
    yield program("elementwise-1e5", "large", 10 if small else 100_000, links)
    yield program("elementwise-1e6", "dispatch", 10 if small else 1_000_000, min(links, 6))
    yield Program(
        name="single",
        group="dispatch",
        function=single,
        primals=(random.uniform(size=3),),
        by_hand=lambda x: (np.ones_like(x),),
    )
