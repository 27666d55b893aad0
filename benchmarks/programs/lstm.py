"""ADBench's diagonal LSTM: all weights act elementwise, so the program is one long chain of tiny operations."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.program import Program

_EAGER = "90,000 operations at about 200 microseconds each"
_COMPILED = "the unrolled program takes many minutes to compile"
TOO_LONG = {"jax": _EAGER, "unidiff-jax": _EAGER, "jax-jit": _COMPILED, "unidiff-jax-jit": _COMPILED}


def sigmoid(xp: Any, x: Any) -> Any:
    """Return the logistic function."""
    return 1.0 / (1.0 + xp.exp(-x))


def cell(xp: Any, weight: Any, bias: Any, x: Any, hidden: Any, memory: Any) -> tuple[Any, Any]:
    """Return the next hidden and memory state of a layer with ``weight`` and ``bias`` of four gates each."""
    width = hidden.shape[0]
    forget = sigmoid(xp, x * weight[:width] + bias[:width])
    ingate = sigmoid(xp, hidden * weight[width : 2 * width] + bias[width : 2 * width])
    outgate = sigmoid(xp, x * weight[2 * width : 3 * width] + bias[2 * width : 3 * width])
    change = xp.tanh(hidden * weight[3 * width :] + bias[3 * width :])
    memory = memory * forget + ingate * change
    return outgate * xp.tanh(memory), memory


def loss(xp: Any, main: Any, extra: Any, state: Any, sequence: Any) -> Any:
    """Return the mean negative log-likelihood of the sequence (T, b).

    ``main`` (2L, 4b) alternates weights and biases of the layers, ``extra`` (3, b) scales the input, scales the output and
    shifts it, ``state`` (2L, b) alternates hidden and memory states.
    """
    layers = main.shape[0] // 2
    hidden = [state[2 * layer, :] for layer in range(layers)]
    memory = [state[2 * layer + 1, :] for layer in range(layers)]
    steps, width = sequence.shape
    total = 0.0
    for step in range(steps - 1):
        x = sequence[step, :] * extra[0, :]
        for layer in range(layers):
            hidden[layer], memory[layer] = cell(xp, main[2 * layer, :], main[2 * layer + 1, :], x, hidden[layer], memory[layer])
            x = hidden[layer]
        prediction = x * extra[1, :] + extra[2, :]
        # The 2 under the logarithm is part of ADBench's definition.
        normalized = prediction - xp.log(2.0 + xp.sum(xp.exp(prediction)))
        total = total + xp.sum(sequence[step + 1, :] * normalized)
    return -total / ((steps - 1) * width)


def programs(*, small: bool) -> Iterator[Program]:
    """Yield the dimensions of ADBench's ``lstm_l2_c1024``."""
    random = np.random.default_rng(9)
    layers, steps, width = (1, 4, 3) if small else (2, 1024, 14)
    yield Program(
        name="lstm-l2-c1024",
        group="adbench",
        function=loss,
        primals=(random.uniform(size=(2 * layers, 4 * width)), random.uniform(size=(3, width))),
        data=(random.uniform(size=(2 * layers, width)), random.integers(0, 2, (steps, width)).astype(np.float64)),
        skip={} if small else TOO_LONG,
    )
