"""A recurrent network: one small state pushed through 100 steps."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.program import Floats, Program


def loss(xp: Any, recurrence: Any, weight: Any, bias: Any, sequence: Any) -> Any:
    """Return the sum of h^2 after h <- tanh(recurrence h + weight x_t + bias) over the whole sequence."""
    h = xp.tanh(weight @ sequence[0, :] + bias)
    for step in range(1, sequence.shape[0]):
        h = xp.tanh(recurrence @ h + weight @ sequence[step, :] + bias)
    return xp.sum(h**2)


def loss_by_hand(recurrence: Floats, weight: Floats, bias: Floats, sequence: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the gradients of `loss`, by backpropagation through time."""
    states = [np.tanh(weight @ sequence[0] + bias)]
    for x in sequence[1:]:
        states.append(np.tanh(recurrence @ states[-1] + weight @ x + bias))
    recurrence_bar, weight_bar, bias_bar = np.zeros_like(recurrence), np.zeros_like(weight), np.zeros_like(bias)
    h_bar = 2.0 * states[-1]
    for step in reversed(range(len(states))):
        z_bar = h_bar * (1.0 - states[step] ** 2)
        weight_bar += z_bar[:, None] * sequence[step]
        bias_bar += z_bar
        if step:
            recurrence_bar += z_bar[:, None] * states[step - 1]
            h_bar = z_bar @ recurrence
    return recurrence_bar, weight_bar, bias_bar


def programs(*, small: bool) -> Iterator[Program]:
    """Yield the network with 16 states and 8 inputs."""
    random = np.random.default_rng(4)
    states, inputs, steps = 16, 8, 4 if small else 100
    yield Program(
        name="recurrent",
        group="overhead",
        function=loss,
        primals=(
            random.normal(size=(states, states)) * 1.2 / np.sqrt(states),
            random.normal(size=(states, inputs)) / np.sqrt(inputs),
            random.normal(size=states) * 0.1,
        ),
        data=(random.normal(size=(steps, inputs)),),
        by_hand=loss_by_hand,
    )
