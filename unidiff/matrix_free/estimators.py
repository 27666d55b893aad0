"""Traces and diagonals of operators, estimated from products with random vectors."""

from typing import Any

from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError, DTypeError
from unidiff.matrix_free.estimate import Estimate
from unidiff.matrix_free.linear_solvers import Operator
from unidiff.matrix_free.vectors import Space, positive_integer, random_numbers

__all__ = ["estimate_diagonal", "estimate_trace"]


def _probes(space: Space, samples: int, seed: int) -> Any:
    if positive_integer(samples, "samples") < 2:
        raise ArgumentError("samples must be at least 2: one sample has no standard error.")
    bits = random_numbers(seed).getrandbits
    return (space.signs(bits) for _ in range(samples))


def _mean(space: Space, values: list[Array]) -> tuple[Array, Array]:
    """Return the mean of samples along a new first axis and its standard error."""
    xp, n = space.backend.namespace(*values), len(values)
    stacked = xp.stack(values)
    mean = xp.sum(stacked, axis=0) / n
    variance = xp.sum((stacked - mean) ** 2, axis=0) / (n - 1)
    return space.backend.asarray(mean), space.backend.asarray(xp.sqrt(variance / n))


def estimate_trace(operator: Operator, like: Tree, *, samples: int = 32, seed: int = 0) -> Estimate:
    """Estimate the trace of an operator from products with random signs (Hutchinson's estimator).

    Parameters
    ----------
    operator : callable
        Linear; takes and returns a pytree like `like`.
    like : pytree of array
        Any vector, for structure, shapes, dtypes and device.
    samples : int
        How many products to take, at least 2.
    seed : int
        Seed of the signs, which are the same on every backend.

    Returns
    -------
    unidiff.Estimate
        The mean of ``z . A z`` over the probes z and its standard error, arrays of shape ().

    Raises
    ------
    unidiff.errors.UnidiffError
        As `unidiff.cg`.

    Notes
    -----
    M. Hutchinson, Commun. Stat. 18 (1989). Unbiased; the variance of a sample of a symmetric operator is twice the sum of the
    squares of the entries off the diagonal, so a diagonal operator has no error at all.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> h = ud.hessian_operator(lambda x: (x**3).sum(), np.asarray([1.0, 2.0]))
    >>> value, error = ud.estimate_trace(h, np.zeros(2))
    >>> float(value), float(error)
    (18.0, 0.0)
    """
    space = Space(like, "like")
    a = space.operator(operator, "operator")
    return Estimate(*_mean(space, [space.dot(z, a(z)) for z in _probes(space, samples, seed)]))


def estimate_diagonal(operator: Operator, like: Tree, *, samples: int = 32, seed: int = 0) -> Estimate:
    """Estimate the diagonal of an operator from products with random signs.

    Parameters
    ----------
    operator, samples, seed
        As for `estimate_trace`.
    like : pytree of array
        Any vector of real dtypes, for structure, shapes, dtypes and device.

    Returns
    -------
    unidiff.Estimate
        The mean of ``z * A z`` over the probes z and its standard error, two pytrees like `like`.

    Raises
    ------
    unidiff.errors.DTypeError
        If a leaf is complex.
    unidiff.errors.UnidiffError
        As `unidiff.cg`.

    Notes
    -----
    C. Bekas, E. Kokiopoulou and Y. Saad, Appl. Numer. Math. 57 (2007). Unbiased; the variance of an entry is the sum of the
    squares of the other entries of its row.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> h = ud.hessian_operator(lambda x: (x**3).sum(), np.asarray([1.0, 2.0]))
    >>> ud.estimate_diagonal(h, np.zeros(2)).value
    array([ 6., 12.])
    """
    space = Space(like, "like")
    if any(map(space.backend.is_complex, space.leaves)):
        raise DTypeError("The diagonal is estimated for real vectors; pass the real and the imaginary part as two leaves.")
    a = space.operator(operator, "operator")
    columns = [[z * az for z, az in zip(probe, a(probe), strict=True)] for probe in _probes(space, samples, seed)]
    pairs = [_mean(space, list(leaf)) for leaf in zip(*columns, strict=True)]
    return Estimate(space.build([mean for mean, _ in pairs]), space.build([error for _, error in pairs]))
