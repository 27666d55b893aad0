"""Hyperplanes, halfspaces and affine sets."""

from typing import Any

import unidiff as ud
from unidiff._typing import Array, Namespace, Tree
from unidiff.errors import ShapeError
from unidiff.optim.projections.vectors import normal_to, on_real_vectors

__all__ = ["affine", "halfspace", "hyperplane"]


@on_real_vectors
def hyperplane(x: Tree, normal: Array, offset: Any) -> Tree:
    r"""Project onto :math:`a \cdot x = b`: :math:`x - a (a \cdot x - b) / \|a\|^2`; with a = 0, x itself.

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
    unidiff.errors.ShapeError
        If the normal vector does not have an entry for each of `x`.
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.projections.hyperplane(np.zeros(2), np.ones(2), 1.0)
    array([0.5, 0.5])
    """
    xp, normal = ud.array_namespace(x, normal), normal_to(x, normal)
    return x - normal * ((xp.sum(normal * x) - offset) / _square(xp, normal))


@on_real_vectors
def halfspace(x: Tree, normal: Array, offset: Any) -> Tree:
    r"""Project onto :math:`a \cdot x \le b`; with a = 0, x itself.

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
    unidiff.errors.ShapeError
        If the normal vector does not have an entry for each of `x`.
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.projections.halfspace(np.ones(2), np.ones(2), 1.0)
    array([0.5, 0.5])
    """
    xp, normal = ud.array_namespace(x, normal), normal_to(x, normal)
    return x - normal * (xp.clip(xp.sum(normal * x) - offset, 0.0, None) / _square(xp, normal))


def _square(xp: Namespace, normal: Array) -> Array:
    """Return the squared norm, 1 for a normal of zeros."""
    square = xp.sum(normal * normal)
    return xp.where(square > 0, square, xp.ones_like(square))


@on_real_vectors
def affine(x: Tree, matrix: Array, right: Array) -> Tree:
    r"""Project onto :math:`A x = b`: :math:`x - A^+ (A x - b)` with the pseudo-inverse.

    Rows may depend on each other; where no point satisfies all equations, these hold in the sense of least squares.

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
    unidiff.errors.ShapeError
        If the shapes do not fit.
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.projections.affine(np.zeros(2), np.asarray([[1.0, 1.0]]), np.asarray([1.0]))
    array([0.5, 0.5])
    """
    xp = ud.array_namespace(x, matrix)
    if len(matrix.shape) != 2 or matrix.shape[1] != x.shape[0] or tuple(right.shape) != tuple(matrix.shape[:1]):
        raise ShapeError(
            f"The matrix must be of shape (m, {x.shape[0]}) and the right side of shape (m,), but they are of shapes "
            f"{tuple(matrix.shape)} and {tuple(right.shape)}."
        )
    return x - xp.linalg.pinv(matrix) @ (matrix @ x - right)
