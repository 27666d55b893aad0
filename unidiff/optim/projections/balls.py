"""Balls and spheres."""

import unidiff as ud
from unidiff._typing import Tree
from unidiff.optim.projections.simplices import simplex
from unidiff.optim.projections.vectors import on_vectors, size

__all__ = ["l1_ball", "l2_ball", "l2_sphere"]


@on_vectors
def l1_ball(x: Tree, radius: float = 1.0) -> Tree:
    r"""Project onto :math:`\sum |x| \le r`.

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

    Notes
    -----
    Outside the ball the absolute values are projected onto the simplex and keep their signs.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.projections.l1_ball(np.asarray([1.5, -1.0]))
    array([ 0.75, -0.25])
    """
    xp, radius = ud.array_namespace(x), size(radius, "radius")
    outside = xp.sign(x) * simplex(xp.abs(x), radius)
    return xp.where(xp.sum(xp.abs(x)) > radius, outside, x)


@on_vectors
def l2_ball(x: Tree, radius: float = 1.0) -> Tree:
    r"""Project onto :math:`\|x\|_2 \le r`: ``x * min(1, r / |x|)``.

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
    >>> ud.optim.projections.l2_ball(np.asarray([3.0, 4.0]))
    array([0.6, 0.8])
    """
    radius = size(radius, "radius")
    norm = ud.array_namespace(x).linalg.vector_norm(x)
    xp = ud.array_namespace(norm)
    return x * xp.where(norm > radius, radius / xp.where(norm > radius, norm, xp.ones_like(norm)), xp.ones_like(norm))


@on_vectors
def l2_sphere(x: Tree, radius: float = 1.0) -> Tree:
    """Project onto ``|x| = r``; not convex, and of 0 the first unit vector is a closest point.

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
    >>> ud.optim.projections.l2_sphere(np.asarray([0.3, 0.4]))
    array([0.6, 0.8])
    """
    radius = size(radius, "radius")
    norm = ud.array_namespace(x).linalg.vector_norm(x)
    xp = ud.array_namespace(norm)
    first = xp.concat([xp.ones_like(x[:1]), xp.zeros_like(x[1:])])
    return radius * xp.where(norm > 0, x / xp.where(norm > 0, norm, xp.ones_like(norm)), first)
