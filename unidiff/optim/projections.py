"""Projections onto closed sets: the closest point, for ``unidiff.minimize(..., projection=...)``.

All take and return pytrees. Sets that are no products, such as balls and the simplex, are sets of all entries of the pytree
together. Every projection differentiates. Formulas: N. Parikh and S. Boyd, Proximal Algorithms, 2014, chapter 6.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError

__all__ = [
    "affine",
    "box",
    "box_section",
    "halfspace",
    "hyperplane",
    "intersection",
    "l1_ball",
    "l2_ball",
    "l2_sphere",
    "linf_ball",
    "nonnegative",
    "positive_semidefinite",
    "second_order_cone",
    "simplex",
]


def on_vectors(f: Callable[..., Array]) -> Callable[..., Tree]:
    """Return a function of pytrees from one of vectors: all entries are joined, and cut again."""

    @wraps(f)
    def on_trees(x: Tree, *args: Any, **kwargs: Any) -> Tree:
        leaves, spec = ud.tree.flatten(x)
        xp = ud.array_namespace(*leaves)
        parts = [xp.reshape(leaf, (-1,)) for leaf in leaves]
        z = f(xp.concat(parts) if len(parts) > 1 else parts[0], *args, **kwargs)
        found, start = [], 0
        for leaf, part in zip(leaves, parts, strict=True):
            stop = start + part.shape[0]
            found.append(xp.reshape(xp.astype(z[start:stop], leaf.dtype, copy=False), leaf.shape))
            start = stop
        return ud.tree.unflatten(spec, found)

    return on_trees


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
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.projections.box(np.asarray([-1.0, 2.0]), 0.0, 1.0)
    array([0., 1.])
    """
    return ud.tree.map(lambda a: ud.array_namespace(a).clip(a, lower, upper), x)


@on_vectors
def simplex(x: Tree, total: Any = 1.0) -> Tree:
    r"""Project onto :math:`\{x \ge 0, \sum x = s\}`.

    Parameters
    ----------
    x : pytree of array
    total : number
        s.

    Returns
    -------
    pytree of array

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Notes
    -----
    With the entries u sorted in descending order, :math:`x - \tau` is cut at 0, where
    :math:`\tau = (\sum_{i \le k} u_i - s) / k` for the last k with :math:`u_k > \tau`. M. Held et al., 1974;
    J. Duchi et al., 2008.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.projections.simplex(np.asarray([1.0, 0.5, -3.0]))
    array([0.75, 0.25, 0.  ])
    """
    xp = ud.array_namespace(x)
    u = xp.sort(x, descending=True)
    count = xp.cumulative_sum(xp.ones_like(u))
    thresholds = (xp.cumulative_sum(u) - total) / count
    above = xp.astype(ud.stop_gradient(u) > ud.stop_gradient(thresholds), x.dtype)
    last = above * (count == xp.sum(above))
    return xp.clip(x - xp.sum(xp.where(last > 0, thresholds, xp.zeros_like(thresholds))), 0.0, None)


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
    xp = ud.array_namespace(x)
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
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.projections.l2_ball(np.asarray([3.0, 4.0]))
    array([0.6, 0.8])
    """
    norm = _norm(x)
    xp = ud.array_namespace(norm)
    return x * xp.where(norm > radius, radius / xp.where(norm > radius, norm, xp.ones_like(norm)), xp.ones_like(norm))


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
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.projections.linf_ball(np.asarray([3.0, -0.5]))
    array([ 1. , -0.5])
    """
    return box(x, -radius, radius)


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
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.projections.l2_sphere(np.asarray([0.3, 0.4]))
    array([0.6, 0.8])
    """
    norm = _norm(x)
    xp = ud.array_namespace(norm)
    first = xp.concat([xp.ones_like(x[:1]), xp.zeros_like(x[1:])])
    return radius * xp.where(norm > 0, x / xp.where(norm > 0, norm, xp.ones_like(norm)), first)


@on_vectors
def hyperplane(x: Tree, normal: Array, offset: Any) -> Tree:
    r"""Project onto :math:`a \cdot x = b`: :math:`x - a (a \cdot x - b) / \|a\|^2`.

    Parameters
    ----------
    x : pytree of array
    normal : array
        a, with as many entries as `x`.
    offset : number
        b.

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
    >>> ud.optim.projections.hyperplane(np.zeros(2), np.ones(2), 1.0)
    array([0.5, 0.5])
    """
    xp = ud.array_namespace(x, normal)
    return x - normal * ((xp.sum(normal * x) - offset) / xp.sum(normal * normal))


@on_vectors
def halfspace(x: Tree, normal: Array, offset: Any) -> Tree:
    r"""Project onto :math:`a \cdot x \le b`.

    Parameters
    ----------
    x : pytree of array
    normal : array
        a, with as many entries as `x`.
    offset : number
        b.

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
    >>> ud.optim.projections.halfspace(np.ones(2), np.ones(2), 1.0)
    array([0.5, 0.5])
    """
    xp = ud.array_namespace(x, normal)
    return x - normal * (xp.clip(xp.sum(normal * x) - offset, 0.0, None) / xp.sum(normal * normal))


@on_vectors
def affine(x: Tree, matrix: Array, right: Array) -> Tree:
    r"""Project onto :math:`A x = b` for A of full row rank: :math:`x - A^\top (A A^\top)^{-1} (A x - b)`.

    Parameters
    ----------
    x : pytree of array
    matrix : array
        A, of shape (m, n) for n entries of `x`.
    right : array
        b, of shape (m,).

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
    >>> ud.optim.projections.affine(np.zeros(2), np.asarray([[1.0, 1.0]]), np.asarray([1.0]))
    array([0.5, 0.5])
    """
    xp = ud.array_namespace(x, matrix)
    return x - matrix.mT @ xp.linalg.solve(matrix @ matrix.mT, (matrix @ x - right)[:, None])[:, 0]


@on_vectors
def box_section(x: Tree, lower: Any, upper: Any, normal: Array, offset: Any) -> Tree:
    r"""Project onto :math:`\{l \le x \le u, a \cdot x = b\}`, which must not be empty.

    Parameters
    ----------
    x : pytree of array
    lower, upper : number or array
        l and u, finite.
    normal : array
        a, with as many entries as `x`.
    offset : number
        b.

    Returns
    -------
    pytree of array

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Notes
    -----
    The solution is :math:`\mathrm{clip}(x - \tau a, l, u)`; the multiplier is found by bisection, and then exactly from the
    entries that are not at a bound, through which it differentiates.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.projections.box_section(np.asarray([2.0, 0.0]), 0.0, 0.75, np.ones(2), 1.0)
    array([0.75, 0.25])
    """
    xp = ud.array_namespace(x, normal)
    z, a, b = ud.stop_gradient(x), ud.stop_gradient(normal), ud.stop_gradient(offset)
    plain = ud.array_namespace(z, a)
    squares = plain.sum(a * a)
    span = plain.max(plain.abs(z)) + plain.max(plain.abs(plain.clip(z, lower, upper) - z)) + plain.max(plain.abs(a))
    smallest = plain.min(plain.where(a != 0, plain.abs(a), plain.full_like(a, float("inf"))))
    high = 2 * span * (1 + plain.sqrt(squares)) / smallest
    low = -1.0 * high
    for _ in range(80):
        middle = 0.5 * (low + high)
        beyond = plain.sum(a * plain.clip(z - middle * a, lower, upper)) > b
        low, high = plain.where(beyond, middle, low), plain.where(beyond, high, middle)
    tentative = z - 0.5 * (low + high) * a
    free = plain.astype((tentative > lower) & (tentative < upper), z.dtype)
    fixed = plain.clip(tentative, lower, upper) * (1 - free)
    weight = plain.sum(free * a * a)
    tau = (xp.sum(normal * (free * x + fixed)) - offset) / xp.where(
        weight > 0, xp.sum(free * normal * normal), xp.ones_like(weight)
    )
    return free * (x - tau * normal) + fixed


@on_vectors
def second_order_cone(x: Tree) -> Tree:
    r"""Project onto :math:`\{(t, v): \|v\|_2 \le t\}`, where t is the first entry.

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
    >>> ud.optim.projections.second_order_cone(np.asarray([0.0, 3.0, 4.0]))
    array([2.5, 1.5, 2. ])
    """
    xp = ud.array_namespace(x)
    t, v = x[0], x[1:]
    norm = _norm(v)
    safe = xp.where(norm > 0, norm, xp.ones_like(norm))
    middle = 0.5 * (1 + t / safe) * xp.concat([xp.reshape(norm, (1,)), v])
    return xp.where(norm <= t, x, xp.where(norm <= -t, xp.zeros_like(x), middle))


def positive_semidefinite(x: Tree) -> Tree:
    """Project symmetric or Hermitian matrices onto those without negative eigenvalues.

    Parameters
    ----------
    x : pytree of array
        Of shapes (..., n, n); the symmetric part is projected.

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
    >>> ud.optim.projections.positive_semidefinite(np.asarray([[2.0, 0.0], [0.0, -1.0]]))
    array([[2., 0.],
           [0., 0.]])
    """

    def project(a: Array) -> Array:
        xp = ud.array_namespace(a)
        adjoint = xp.conj(a.mT) if xp.isdtype(a.dtype, "complex floating") else a.mT
        values, vectors = xp.linalg.eigh(0.5 * (a + adjoint))
        back = xp.conj(vectors.mT) if xp.isdtype(a.dtype, "complex floating") else vectors.mT
        return (vectors * xp.astype(xp.clip(values, 0.0, None), a.dtype, copy=False)[..., None, :]) @ back

    return ud.tree.map(project, x)


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


def _norm(x: Array) -> Array:
    xp = ud.array_namespace(x)
    return xp.linalg.vector_norm(x)
