"""Sums of products, beyond the standard's ``tensordot`` and ``vecdot``."""

from unidiff._typing import Array
from unidiff.arrays import array_namespace
from unidiff.errors import UnsupportedOperationError

__all__ = ["einsum"]


def einsum(subscripts: str, /, *operands: Array) -> Array:
    r"""Return the sum of products of arrays that the subscripts name, after Einstein's convention.

    Parameters
    ----------
    subscripts : str
        The labels of the axes of every operand, separated by commas, and after ``->`` those of the result. A label is a letter.
        One that occurs twice in an operand takes its diagonal; ``...`` stands for further axes, which broadcast. Without ``->``
        the result has the axes of ``...`` and then the labels that occur once, in alphabetical order.
    *operands : array
        Arrays of one library, plain or traced, at least one.

    Returns
    -------
    array
        Of the common dtype of the operands.

    Raises
    ------
    unidiff.errors.ArgumentError
        If the subscripts are malformed or do not fit the operands.
    unidiff.errors.NotAnArrayError, unidiff.errors.MixedBackendsError
        If there is no array, or there are arrays of several libraries.

    Notes
    -----
    ``einsum("ij,jk->ik", a, b)`` is :math:`c_{ik} = \sum_j a_{ij} b_{jk}`: the sum runs over the labels that the result does
    not have [1]_. It is linear in every operand, so that its derivatives are sums of products of the same kind.

    References
    ----------
    .. [1] A. Einstein, "Die Grundlage der allgemeinen Relativitätstheorie", Annalen der Physik 49 (1916), section 5.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> a, b = np.asarray([[1.0, 2.0], [3.0, 4.0]]), np.asarray([1.0, 10.0])
    >>> ud.einsum("ij,j->i", a, b)
    array([21., 43.])
    >>> ud.grad(lambda b: ud.einsum("i,ij,j->", b, a, b))(b)
    array([52., 85.])
    """
    xp = array_namespace(*operands)
    function = getattr(xp, "einsum", None)
    if function is None:
        raise UnsupportedOperationError(
            f"The array namespace {xp.__name__!r} has no einsum. Write the sum with tensordot, vecdot or matmul, or convert "
            "the arrays to another library, for example with unidiff.to_backend(x, 'numpy')."
        )
    result: Array = function(subscripts, *operands)
    return result
