"""A perceptron of four layers with tanh between them and the mean squared error of its output."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.program import Floats, Program

LAYERS = 4


def loss(xp: Any, *arrays: Any) -> Any:
    """Return the mean squared error; ``arrays`` are weight, bias, weight, bias, ..., inputs, targets."""
    *parameters, activation, targets = arrays
    for layer in range(LAYERS):
        activation = activation @ parameters[2 * layer] + parameters[2 * layer + 1]
        if layer < LAYERS - 1:
            activation = xp.tanh(activation)
    return xp.mean((activation - targets) ** 2)


def loss_by_hand(*arrays: Floats) -> tuple[Floats, ...]:
    """Return the gradients of `loss` with respect to weights and biases, by backpropagation written out."""
    *parameters, inputs, targets = arrays
    activations = [inputs]
    for layer in range(LAYERS):
        z = activations[-1] @ parameters[2 * layer] + parameters[2 * layer + 1]
        activations.append(np.tanh(z) if layer < LAYERS - 1 else z)
    bar = (activations[-1] - targets) * (2.0 / targets.size)
    gradients: list[Floats] = []
    for layer in reversed(range(LAYERS)):
        gradients += [np.sum(bar, axis=0), activations[layer].T @ bar]
        if layer:
            bar = (bar @ parameters[2 * layer].T) * (1.0 - activations[layer] ** 2)
    return tuple(reversed(gradients))


def programs(*, small: bool) -> Iterator[Program]:
    """Yield the overhead-bound network of width 32 and the size-bound one of width 512."""
    random = np.random.default_rng(3)
    sizes = (("mlp-4x32", "overhead", 32, 16), ("mlp-4x512", "size", 512, 256))
    for name, group, width, batch in sizes:
        if small:
            width, batch = 4, 3
        parameters: list[Floats] = []
        for _ in range(LAYERS):
            parameters += [random.normal(size=(width, width)) / np.sqrt(width), random.normal(size=width) * 0.1]
        data = (random.normal(size=(batch, width)), random.normal(size=(batch, width)))
        yield Program(name=name, group=group, function=loss, primals=tuple(parameters), data=data, by_hand=loss_by_hand)
