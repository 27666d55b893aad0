"""Intersections of sets, each with its projection."""

from collections.abc import Callable

import unidiff as ud
from unidiff._typing import Tree
from unidiff.errors import ArgumentError

__all__ = ["intersection"]


def intersection(*projections: Callable[[Tree], Tree], iterations: int = 200) -> Callable[[Tree], Tree]:
    """Return the projection onto the intersection of convex sets, by Dykstra's algorithm.

    Parameters
    ----------
    *projections : callable
        The projections onto the sets.
    iterations : int, default 200
        How often all of them are applied.

    Returns
    -------
    callable

    Raises
    ------
    unidiff.errors.ArgumentError
        If there is no projection.

    Notes
    -----
    J. Boyle and R. Dykstra, 1986. The result is approximate; it is not a projection where the sets are not convex.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> p = ud.optim.projections
    >>> onto = p.intersection(p.nonnegative, lambda x: p.hyperplane(x, np.ones(2), 1.0))
    >>> onto(np.asarray([2.0, 0.0])).round(6)
    array([1., 0.])
    """
    if not projections or not all(map(callable, projections)):
        raise ArgumentError("intersection needs the projections onto the sets, as functions.")

    def project(x: Tree) -> Tree:
        corrections = [ud.tree.map(lambda a: a * 0, x) for _ in projections]
        for _ in range(iterations):
            for k, onto in enumerate(projections):
                moved = ud.tree.map(lambda a, c: a + c, x, corrections[k])
                x = onto(moved)
                corrections[k] = ud.tree.map(lambda a, c: a - c, moved, x)
        return x

    return project
