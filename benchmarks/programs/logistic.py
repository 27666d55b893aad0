"""Logistic regression on 20 samples of 5 features."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.program import Floats, Program

RIDGE = 0.01


def loss(xp: Any, weight: Any, bias: Any, features: Any, labels: Any) -> Any:
    """Return the mean logistic loss of labels in {-1, 1} with a ridge penalty."""
    margin = labels * (features @ weight + bias)
    return xp.mean(xp.log1p(xp.exp(-margin))) + RIDGE * xp.sum(weight**2)


def loss_by_hand(weight: Floats, bias: Floats, features: Floats, labels: Floats) -> tuple[Floats, Floats]:
    """Return the gradients of `loss`."""
    margin = labels * (features @ weight + bias)
    bar = -labels / (1.0 + np.exp(margin)) / labels.size
    return bar @ features + 2.0 * RIDGE * weight, np.asarray(np.sum(bar))


def programs(*, small: bool) -> Iterator[Program]:
    """Yield the regression; it is small already."""
    del small
    random = np.random.default_rng(5)
    yield Program(
        name="logistic",
        group="overhead",
        function=loss,
        primals=(random.normal(size=5), np.asarray(0.3)),
        data=(random.normal(size=(20, 5)), np.sign(random.normal(size=20))),
        by_hand=loss_by_hand,
    )
