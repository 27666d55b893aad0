"""Error functions and the normal distribution."""

from unidiff._typing import Array
from unidiff.special._dispatch import special

__all__ = ["erf", "erfc", "erfcinv", "erfcx", "erfinv", "log_ndtr", "ndtr", "ndtri"]


def erf(x: Array, /) -> Array:
    """Return the error function.

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
    unidiff.errors.UnsupportedOperationError
        If the array library cannot compute it.

    Notes
    -----
    ``2 / sqrt(pi) * integral of exp(-t**2) for t from 0 to x`` (`DLMF 7.2.1 <https://dlmf.nist.gov/7.2.E1>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.erf(np.asarray(0.5))), 6)
    0.5205
    """
    result: Array = special("erf", x)(x)
    return result


def erfc(x: Array, /) -> Array:
    """Return the complement of the error function, with all digits of small values.

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
    unidiff.errors.UnsupportedOperationError
        If the array library cannot compute it.

    Notes
    -----
    ``1 - erf(x)`` (`DLMF 7.2.2 <https://dlmf.nist.gov/7.2.E2>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.erfc(np.asarray(3.0))), 6)
    2.2e-05
    """
    result: Array = special("erfc", x)(x)
    return result


def erfcx(x: Array, /) -> Array:
    """Return the scaled complement of the error function.

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
    unidiff.errors.UnsupportedOperationError
        If the array library cannot compute it.

    Notes
    -----
    ``exp(x**2) * erfc(x)`` (`DLMF 7.2.3 <https://dlmf.nist.gov/7.2.E3>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.erfcx(np.asarray(30.0))), 6)
    0.018796
    """
    result: Array = special("erfcx", x)(x)
    return result


def erfinv(x: Array, /) -> Array:
    """Return the inverse of the error function.

    Parameters
    ----------
    x : array
        Real, between -1 and 1.

    Returns
    -------
    array
        Element by element, in the floating dtype of the arguments.

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If there is no array among the arguments.
    unidiff.errors.UnsupportedOperationError
        If the array library cannot compute it.

    Notes
    -----
    ``y with erf(y) = x`` (`DLMF 7.17.1 <https://dlmf.nist.gov/7.17.E1>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.erfinv(np.asarray(0.5))), 6)
    0.476936
    """
    result: Array = special("erfinv", x)(x)
    return result


def erfcinv(x: Array, /) -> Array:
    """Return the inverse of the complement of the error function.

    Parameters
    ----------
    x : array
        Real, between 0 and 2.

    Returns
    -------
    array
        Element by element, in the floating dtype of the arguments.

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If there is no array among the arguments.
    unidiff.errors.UnsupportedOperationError
        If the array library cannot compute it.

    Notes
    -----
    ``y with erfc(y) = x`` (`DLMF 7.17.1 <https://dlmf.nist.gov/7.17.E1>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.erfcinv(np.asarray(0.5))), 6)
    0.476936
    """
    result: Array = special("erfcinv", x)(x)
    return result


def ndtr(x: Array, /) -> Array:
    """Return the distribution function of the standard normal distribution.

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
    unidiff.errors.UnsupportedOperationError
        If the array library cannot compute it.

    Notes
    -----
    ``erfc(-x / sqrt(2)) / 2`` (`DLMF 7.2.2 <https://dlmf.nist.gov/7.2.E2>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.ndtr(np.asarray(1.0))), 6)
    0.841345
    """
    result: Array = special("ndtr", x)(x)
    return result


def ndtri(x: Array, /) -> Array:
    """Return the quantile function of the standard normal distribution, the inverse of `ndtr`.

    Parameters
    ----------
    x : array
        Real, between 0 and 1.

    Returns
    -------
    array
        Element by element, in the floating dtype of the arguments.

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If there is no array among the arguments.
    unidiff.errors.UnsupportedOperationError
        If the array library cannot compute it.

    Notes
    -----
    ``y with ndtr(y) = x`` (`DLMF 7.17.1 <https://dlmf.nist.gov/7.17.E1>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.ndtri(np.asarray(0.975))), 6)
    1.959964
    """
    result: Array = special("ndtri", x)(x)
    return result


def log_ndtr(x: Array, /) -> Array:
    """Return the logarithm of `ndtr`, without underflow.

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
    unidiff.errors.UnsupportedOperationError
        If the array library cannot compute it.

    Notes
    -----
    ``log(erfc(-x / sqrt(2)) / 2)`` (`DLMF 7.2.2 <https://dlmf.nist.gov/7.2.E2>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.log_ndtr(np.asarray(-40.0))), 6)
    -804.608442
    """
    result: Array = special("log_ndtr", x)(x)
    return result
