"""Boxes: products of intervals, entry by entry."""

from typing import Any

import unidiff as ud
from unidiff._typing import Tree
from unidiff.optim.projections.vectors import ordered, size

__all__ = ["box", "linf_ball", "nonnegative"]


def nonnegative(x: Tree) -> Tree:
    """Project onto the arrays without negative entries: ``max(x, 0)``.

    Parameters
    ----------
    x : pytree of array

    Returns
    -------
    pytree of array

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.projections.nonnegative(np.asarray([-1.0, 2.0]))
    array([0., 2.])
    """
    return ud.tree.map(lambda a: ud.array_namespace(a).clip(a, 0.0, None), x)


def box(x: Tree, lower: Any = None, upper: Any = None) -> Tree:
    """Project onto ``lower <= x <= upper``.

    Parameters
    ----------
    x : pytree of array
    lower, upper : number, array or None
        Applied to every leaf.

    Returns
    -------
    pytree of array

    Raises
    ------
    unidiff.errors.ArgumentError
        If the lower bound is above the upper one.
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.projections.box(np.asarray([-1.0, 2.0]), 0.0, 1.0)
    array([0., 1.])
    """
    ordered(lower, upper)
    return ud.tree.map(lambda a: ud.array_namespace(a).clip(a, lower, upper), x)


def linf_ball(x: Tree, radius: float = 1.0) -> Tree:
    """Project onto ``max |x| <= r``, for real arrays.

    Parameters
    ----------
    x : pytree of array
    radius : number
        r.

    Returns
    -------
    pytree of array

    Raises
    ------
    unidiff.errors.ArgumentError
        If the radius is negative.
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.projections.linf_ball(np.asarray([3.0, -0.5]))
    array([ 1. , -0.5])
    """
    radius = size(radius, "radius")
    return box(x, -radius, radius)
