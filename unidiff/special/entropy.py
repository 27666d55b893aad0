"""Entropies, where 0 log(0) is 0, and the products they are made of."""

from unidiff._typing import Array
from unidiff.special._dispatch import special

__all__ = ["entr", "kl_div", "rel_entr", "xlog1py", "xlogy"]


def xlogy(x: Array | float, y: Array | float, /) -> Array:
    """Return the product of x and the logarithm of y, which is 0 where x is.

    Parameters
    ----------
    x : array or number
        Real.
    y : array or number
        Real; broadcasts against the other one. One of the two may be a Python number.

    Returns
    -------
    array
        Element by element, in the floating dtype of the arguments.

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If there is no array among the arguments.

    Notes
    -----
    ``x * log(y)`` (SciPy, ``scipy.special.xlogy``). The derivative with respect to y is ``x / y``, and 0 where x is 0: there
    the function is 0 for every y.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.xlogy(0.0, np.asarray(0.0))), 6)
    0.0
    """
    result: Array = special("xlogy", x, y)(x, y)
    return result


def xlog1py(x: Array | float, y: Array | float, /) -> Array:
    """Return the product of x and the logarithm of 1 + y, which is 0 where x is.

    Parameters
    ----------
    x : array or number
        Real.
    y : array or number
        Real; broadcasts against the other one. One of the two may be a Python number.

    Returns
    -------
    array
        Element by element, in the floating dtype of the arguments.

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If there is no array among the arguments.

    Notes
    -----
    ``x * log(1 + y)`` (SciPy, ``scipy.special.xlog1py``). The derivative with respect to y is ``x / (1 + y)``, and 0 where x
    is 0.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.xlog1py(2.0, np.asarray(1e-9))), 6)
    0.0
    """
    result: Array = special("xlog1py", x, y)(x, y)
    return result


def entr(x: Array, /) -> Array:
    """Return the entropy of a probability: minus infinity below 0.

    Parameters
    ----------
    x : array
        Real.

    Returns
    -------
    array
        Element by element, in the floating dtype of the arguments.

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If there is no array among the arguments.

    Notes
    -----
    ``-x * log(x)`` (SciPy, ``scipy.special.entr``). At 0 the derivative is +inf, the limit.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.entr(np.asarray(0.5))), 6)
    0.346574
    """
    result: Array = special("entr", x)(x)
    return result


def rel_entr(x: Array | float, y: Array | float, /) -> Array:
    """Return the relative entropy of two probabilities: infinity where one is negative, or the second alone is 0.

    Parameters
    ----------
    x : array or number
        Real.
    y : array or number
        Real; broadcasts against the other one. One of the two may be a Python number.

    Returns
    -------
    array
        Element by element, in the floating dtype of the arguments.

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If there is no array among the arguments.

    Notes
    -----
    ``x * log(x / y)`` (SciPy, ``scipy.special.rel_entr``).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.rel_entr(0.5, np.asarray(0.25))), 6)
    0.346574
    """
    result: Array = special("rel_entr", x, y)(x, y)
    return result


def kl_div(x: Array | float, y: Array | float, /) -> Array:
    """Return the Kullback-Leibler divergence of two positive numbers.

    It is infinity where one is negative, or the second alone is 0.

    Parameters
    ----------
    x : array or number
        Real.
    y : array or number
        Real; broadcasts against the other one. One of the two may be a Python number.

    Returns
    -------
    array
        Element by element, in the floating dtype of the arguments.

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If there is no array among the arguments.

    Notes
    -----
    ``x * log(x / y) - x + y`` (SciPy, ``scipy.special.kl_div``).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.kl_div(0.5, np.asarray(0.25))), 6)
    0.096574
    """
    result: Array = special("kl_div", x, y)(x, y)
    return result
