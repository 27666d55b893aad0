r"""Proximal operators :math:`\mathrm{prox}_{s f}(x) = \arg\min_u f(u) + \|u - x\|^2 / 2s`.

For ``unidiff.minimize(..., prox=lambda x, step: unidiff.optim.proximal.l1(x, 0.1 * step))``. All take and return pytrees, and
differentiate. Formulas: N. Parikh and S. Boyd, Proximal Algorithms, 2014.
"""

from collections.abc import Callable
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.optim.projections import simplex
from unidiff.optim.projections.vectors import on_vectors

__all__ = [
    "conjugate",
    "elastic_net",
    "huber",
    "l1",
    "l2",
    "linf",
    "log_barrier",
    "nonnegative_l1",
    "nuclear",
    "squared_l2",
]


def l1(x: Tree, scale: Any = 1.0) -> Tree:
    r"""Return the proximal point of :math:`s \|x\|_1`: soft thresholding, of absolute values for complex arrays.

    Parameters
    ----------
    x : pytree of array
    scale : number or array
        s.

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
    >>> ud.optim.proximal.l1(np.asarray([3.0, 0.5, -2.0]))
    array([ 2.,  0., -1.])
    """

    def shrink(a: Array) -> Array:
        xp = ud.array_namespace(a)
        return xp.sign(a) * xp.clip(xp.abs(a) - scale, 0.0, None)

    return ud.tree.map(shrink, x)


def nonnegative_l1(x: Tree, scale: Any = 1.0) -> Tree:
    r"""Return the proximal point of :math:`s \|x\|_1` over :math:`x \ge 0`: ``max(x - s, 0)``.

    Parameters
    ----------
    x : pytree of array
    scale : number or array
        s.

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
    >>> ud.optim.proximal.nonnegative_l1(np.asarray([3.0, -2.0]))
    array([2., 0.])
    """
    return ud.tree.map(lambda a: ud.array_namespace(a).clip(a - scale, 0.0, None), x)


def squared_l2(x: Tree, scale: Any = 1.0) -> Tree:
    r"""Return the proximal point of :math:`s \|x\|_2^2 / 2`: ``x / (1 + s)``.

    Parameters
    ----------
    x : pytree of array
    scale : number or array
        s.

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
    >>> ud.optim.proximal.squared_l2(np.asarray([3.0, -2.0]))
    array([ 1.5, -1. ])
    """
    return ud.tree.map(lambda a: a * (1 / (1 + scale)), x)


def elastic_net(x: Tree, scale: Any = 1.0, ridge: Any = 1.0) -> Tree:
    r"""Return the proximal point of :math:`s (\|x\|_1 + \gamma \|x\|_2^2 / 2)`.

    Parameters
    ----------
    x : pytree of array
    scale : number or array
        s.
    ridge : number
        :math:`\gamma`.

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
    >>> ud.optim.proximal.elastic_net(np.asarray([3.0, -0.5]))
    array([ 1., -0.])
    """
    return squared_l2(l1(x, scale), scale * ridge)


@on_vectors
def l2(x: Tree, scale: Any = 1.0) -> Tree:
    r"""Return the proximal point of :math:`s \|x\|_2`, the group lasso: :math:`x \max(0, 1 - s / \|x\|)`.

    Parameters
    ----------
    x : pytree of array
        One group; apply it group by group with `unidiff.vmap`.
    scale : number or array
        s.

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
    >>> ud.optim.proximal.l2(np.asarray([3.0, 4.0]), 2.5)
    array([1.5, 2. ])
    """
    xp = ud.array_namespace(x)
    norm = xp.linalg.vector_norm(x)
    return x * xp.where(norm > scale, 1 - scale / xp.where(norm > 0, norm, xp.ones_like(norm)), xp.zeros_like(norm))


@on_vectors
def linf(x: Tree, scale: Any = 1.0) -> Tree:
    r"""Return the proximal point of :math:`s \|x\|_\infty`: `x` less its projection onto the l1 ball of radius s.

    Parameters
    ----------
    x : pytree of array
        Real arrays.
    scale : number or array
        s.

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
    >>> ud.optim.proximal.linf(np.asarray([3.0, 1.0]))
    array([2., 1.])
    """
    xp = ud.array_namespace(x)
    outside = x - xp.sign(x) * simplex(xp.abs(x), scale)
    return xp.where(xp.sum(xp.abs(x)) > scale, outside, xp.zeros_like(x))


def nuclear(x: Tree, scale: Any = 1.0) -> Tree:
    r"""Return the proximal point of s times the nuclear norm: soft thresholding of the singular values.

    Parameters
    ----------
    x : pytree of array
        Matrices, of shapes (..., m, n).
    scale : number or array
        s.

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
    >>> ud.optim.proximal.nuclear(np.asarray([[3.0, 0.0], [0.0, 0.5]])).round(6) + 0.0
    array([[2., 0.],
           [0., 0.]])
    """

    def shrink(a: Array) -> Array:
        xp = ud.array_namespace(a)
        u, s, vh = xp.linalg.svd(a, full_matrices=False)
        return (u * xp.astype(xp.clip(s - scale, 0.0, None), a.dtype, copy=False)[..., None, :]) @ vh

    return ud.tree.map(shrink, x)


def huber(x: Tree, scale: Any = 1.0, width: Any = 1.0) -> Tree:
    r"""Return the proximal point of s times Huber's function: :math:`x^2/2` up to :math:`|x| = \delta`, then linear.

    Parameters
    ----------
    x : pytree of array
        Real arrays.
    scale : number or array
        s.
    width : number
        :math:`\delta`.

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
    >>> ud.optim.proximal.huber(np.asarray([1.0, 4.0]))
    array([0.5, 3. ])
    """

    def one(a: Array) -> Array:
        xp = ud.array_namespace(a)
        inside = xp.abs(a) <= width * (1 + scale)
        return xp.where(inside, a * (1 / (1 + scale)), a - scale * width * xp.sign(a))

    return ud.tree.map(one, x)


def log_barrier(x: Tree, scale: Any = 1.0) -> Tree:
    r"""Return the proximal point of :math:`-s \sum \log x`: :math:`(x + \sqrt{x^2 + 4 s}) / 2`.

    Parameters
    ----------
    x : pytree of array
        Real arrays.
    scale : number or array
        s.

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
    >>> ud.optim.proximal.log_barrier(np.asarray([0.0, 3.0]))
    array([1.        , 3.30277564])
    """

    def one(a: Array) -> Array:
        xp = ud.array_namespace(a)
        root = xp.sqrt(a * a + 4 * scale)
        # For negative entries the difference cancels; the product of both roots is -s.
        far = 2 * scale / xp.where(a < 0, root - a, xp.ones_like(a))
        return xp.where(a < 0, far, 0.5 * (a + root))

    return ud.tree.map(one, x)


def conjugate(prox: Callable[[Tree, Any], Tree]) -> Callable[[Tree, Any], Tree]:
    r"""Return the proximal operator of the convex conjugate, by Moreau's identity.

    Parameters
    ----------
    prox : callable
        ``prox(x, scale)``, the operator of a closed convex function f.

    Returns
    -------
    callable
        :math:`\mathrm{prox}_{s f^*}(x) = x - s\, \mathrm{prox}_{f / s}(x / s)`.

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ball = ud.optim.proximal.conjugate(ud.optim.proximal.l1)
    >>> ball(np.asarray([3.0, -0.5]), 1.0)
    array([ 1. , -0.5])
    """

    def operator(x: Tree, scale: Any) -> Tree:
        inner = prox(ud.tree.map(lambda a: a * (1 / scale), x), 1 / scale)
        return ud.tree.map(lambda a, p: a - scale * p, x, inner)

    return operator
