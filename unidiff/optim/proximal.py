r"""Proximal operators :math:`\mathrm{prox}_{s f}(x) = \arg\min_u f(u) + \|u - x\|^2 / 2s`.

For ``unidiff.minimize(..., prox=lambda x, step: unidiff.optim.proximal.l1(x, 0.1 * step))``. All take and return pytrees, and
differentiate. Formulas: N. Parikh and S. Boyd, Proximal Algorithms, 2014.
"""

from collections.abc import Callable
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Namespace, Tree
from unidiff.errors import ArgumentError, DTypeError, ShapeError
from unidiff.optim.projections import simplex
from unidiff.optim.projections.vectors import on_real_vectors, on_vectors
from unidiff.optim.singular_values import soft_threshold

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


def _checked(scale: Any) -> Any:
    """Return a scale, or raise that it is negative; an array is not looked at."""
    if isinstance(scale, (int, float)) and not scale >= 0:
        raise ArgumentError(f"scale must not be negative, but it is {scale}.")
    return scale


def _of_reals(a: Array, name: str) -> Namespace:
    """Return the namespace of a real array, or raise that it is none."""
    if ud.get_backend(a).is_complex(a):
        raise DTypeError(f"{name} is for real arrays, but there is one of the dtype {a.dtype}.")
    return ud.array_namespace(a)


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
    unidiff.errors.ArgumentError
        If the scale is a negative number.
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.proximal.l1(np.asarray([3.0, 0.5, -2.0]))
    array([ 2.,  0., -1.])
    """
    _checked(scale)

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
    unidiff.errors.ArgumentError
        If the scale is a negative number.
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.proximal.nonnegative_l1(np.asarray([3.0, -2.0]))
    array([2., 0.])
    """
    _checked(scale)
    return ud.tree.map(lambda a: _of_reals(a, "nonnegative_l1").clip(a - scale, 0.0, None), x)


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
    unidiff.errors.ArgumentError
        If the scale is a negative number.
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.proximal.squared_l2(np.asarray([3.0, -2.0]))
    array([ 1.5, -1. ])
    """
    _checked(scale)
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
    unidiff.errors.ArgumentError
        If the scale is a negative number.
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
    unidiff.errors.ArgumentError
        If the scale is a negative number.
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
    inside = (norm <= _checked(scale)) & (scale > 0)
    return x * xp.where(inside, xp.zeros_like(norm), 1 - scale / xp.where(norm == 0, xp.ones_like(norm), norm))


@on_real_vectors
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
    unidiff.errors.ArgumentError
        If the scale is a negative number.
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.proximal.linf(np.asarray([3.0, 1.0]))
    array([2., 1.])
    """
    xp = ud.array_namespace(x)
    outside = x - xp.sign(x) * simplex(xp.abs(x), _checked(scale))
    return xp.where((xp.sum(xp.abs(x)) <= scale) & (scale > 0), xp.zeros_like(x), outside)


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
    unidiff.errors.ArgumentError
        If the scale is a negative number.
    unidiff.errors.ShapeError
        If an array has less than two dimensions.
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.proximal.nuclear(np.asarray([[3.0, 0.0], [0.0, 0.5]])).round(6) + 0.0
    array([[2., 0.],
           [0., 0.]])
    """
    _checked(scale)

    def shrink(a: Array) -> Array:
        if len(a.shape) < 2:
            raise ShapeError(
                f"nuclear is for matrices, of shapes (..., m, n), but there is an array of shape {tuple(a.shape)}."
            )
        backend = ud.get_backend(a)
        real = backend.real_dtype(a.dtype)
        s = scale if hasattr(scale, "dtype") else backend.asarray(scale, dtype=real, device=backend.device(a))
        return soft_threshold(a, s)

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
    unidiff.errors.ArgumentError
        If the scale is a negative number.
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.proximal.huber(np.asarray([1.0, 4.0]))
    array([0.5, 3. ])
    """
    _checked(scale)

    def one(a: Array) -> Array:
        xp = _of_reals(a, "huber")
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
    unidiff.errors.ArgumentError
        If the scale is a negative number.
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.proximal.log_barrier(np.asarray([0.0, 3.0]))
    array([1.        , 3.30277564])
    """
    _checked(scale)

    def one(a: Array) -> Array:
        xp = _of_reals(a, "log_barrier")
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
    unidiff.errors.ArgumentError
        If the scale is a number that is not positive.
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
        if isinstance(scale, (int, float)) and not scale > 0:
            raise ArgumentError(f"scale must be positive, but it is {scale}.")
        inner = prox(ud.tree.map(lambda a: a * (1 / scale), x), 1 / scale)
        return ud.tree.map(lambda a, p: a - scale * p, x, inner)

    return operator
