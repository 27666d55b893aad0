"""Cones."""

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.optim.projections.vectors import on_real_vectors

__all__ = ["positive_semidefinite", "second_order_cone"]


@on_real_vectors
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
    norm = ud.array_namespace(v).linalg.vector_norm(v)
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
