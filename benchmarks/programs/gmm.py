"""ADBench's Gaussian mixture model: the log-likelihood with a Wishart prior, in order (alphas, means, icf).

Srajer, Kukelova, Fitzgibbon, "A benchmark of selected algorithmic differentiation tools on some problems in computer vision
and machine learning", 2018.
"""

from collections.abc import Iterator
from functools import partial
from math import lgamma, log, pi
from typing import Any

import numpy as np

from benchmarks.program import Program


def log_multigamma(a: float, dimension: int) -> float:
    """Return the logarithm of the multivariate gamma function."""
    return 0.25 * dimension * (dimension - 1) * log(pi) + sum(lgamma(a - 0.5 * i) for i in range(dimension))


def logsumexp(xp: Any, x: Any) -> Any:
    """Return log sum exp over the first axis, shifted by the maximum."""
    largest = xp.max(x, axis=0)
    return xp.log(xp.sum(xp.exp(x - largest), axis=0)) + largest


def lower_triangles(xp: Any, packed: Any, zeros: Any) -> Any:
    """Return the strictly lower triangular matrices (K, D, D) that ``packed`` (K, D(D-1)/2) holds column by column."""
    dimension = zeros.shape[1]
    columns, start = [], 0
    for column in range(dimension):
        stop = start + dimension - column - 1
        columns.append(xp.concat([zeros[:, : column + 1], packed[:, start:stop]], axis=1))
        start = stop
    return xp.stack(columns, axis=-1)


def log_likelihood(
    xp: Any, alphas: Any, means: Any, icf: Any, points: Any, zeros: Any, *, gamma: float = 1.0, m: int = 0
) -> Any:
    """Return the objective; ``icf`` (K, D(D+1)/2) holds log-diagonals and lower triangles, ``zeros`` is zero (K, D)."""
    count, dimension = points.shape
    components = zeros.shape[0]
    log_diagonal, packed = icf[:, :dimension], icf[:, dimension:]
    diagonal = xp.exp(log_diagonal)
    log_determinant = xp.sum(log_diagonal, axis=1)
    centered = points[None, :, :] - means[:, None, :]
    lower = lower_triangles(xp, packed, zeros)
    scaled = diagonal[:, None, :] * centered + centered @ xp.matrix_transpose(lower)
    inner = (alphas + log_determinant)[:, None] - 0.5 * xp.sum(scaled**2, axis=2)
    freedom = dimension + m + 1
    constant = freedom * dimension * (log(gamma) - 0.5 * log(2.0)) - log_multigamma(0.5 * freedom, dimension)
    prior = 0.5 * gamma**2 * (xp.sum(diagonal**2) + xp.sum(packed**2)) - m * xp.sum(log_determinant)
    likelihood = xp.sum(logsumexp(xp, inner)) - count * logsumexp(xp, alphas)
    return likelihood + prior - components * constant - 0.5 * count * dimension * log(2.0 * pi)


def programs(*, small: bool) -> Iterator[Program]:
    """Yield three sizes of ADBench's set of 1,000 points."""
    random = np.random.default_rng(7)
    count = 5 if small else 1_000
    for dimension, components in ((2, 5), (10, 25), (20, 50)):
        name = f"gmm-d{dimension}-k{components}"
        if small:
            dimension, components = min(dimension, 3), 3
        yield Program(
            name=name,
            group="adbench",
            function=partial(log_likelihood, gamma=1.0, m=0),
            primals=(
                random.normal(size=components),
                random.uniform(size=(components, dimension)),
                random.normal(size=(components, dimension * (dimension + 1) // 2)),
            ),
            data=(random.normal(size=(count, dimension)), np.zeros((components, dimension))),
        )
