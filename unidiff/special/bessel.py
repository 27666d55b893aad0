"""Modified Bessel functions of the first kind, and sinc."""

from unidiff._typing import Array
from unidiff.special._dispatch import special

__all__ = ["i0", "i0e", "i1", "i1e", "iv", "ive", "sinc"]


def i0(x: Array, /) -> Array:
    """Return the modified Bessel function of the first kind of order 0.

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
    ``sum of (x / 2)**(2 * k) / k!**2 for k from 0`` (`DLMF 10.25.2 <https://dlmf.nist.gov/10.25.E2>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.i0(np.asarray(1.0))), 6)
    1.266066
    """
    result: Array = special("i0", x)(x)
    return result


def i1(x: Array, /) -> Array:
    """Return the modified Bessel function of the first kind of order 1.

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
    ``sum of (x / 2)**(2 * k + 1) / (k! * (k + 1)!) for k from 0`` (`DLMF 10.25.2 <https://dlmf.nist.gov/10.25.E2>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.i1(np.asarray(1.0))), 6)
    0.565159
    """
    result: Array = special("i1", x)(x)
    return result


def i0e(x: Array, /) -> Array:
    """Return the exponentially scaled `i0`.

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
    ``exp(-abs(x)) * i0(x)`` (`DLMF 10.25.2 <https://dlmf.nist.gov/10.25.E2>`_). At 0, where the factor has a kink, the
    derivative is 0: minimum norm.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.i0e(np.asarray(1000.0))), 6)
    0.012617
    """
    result: Array = special("i0e", x)(x)
    return result


def i1e(x: Array, /) -> Array:
    """Return the exponentially scaled `i1`.

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
    ``exp(-abs(x)) * i1(x)`` (`DLMF 10.25.2 <https://dlmf.nist.gov/10.25.E2>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.i1e(np.asarray(1000.0))), 6)
    0.012611
    """
    result: Array = special("i1e", x)(x)
    return result


def iv(v: float | Array, x: Array, /) -> Array:
    """Return the modified Bessel function of the first kind of real order.

    Parameters
    ----------
    v : int, float or array
        The order; no derivative. A Python integer, on all backends.
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
    unidiff.errors.MissingRuleError
        If a derivative with respect to `v` is asked for, of which no closed form is known.

    Notes
    -----
    ``sum of (x / 2)**(2 * k + v) / (k! * gamma(v + k + 1)) for k from 0`` (`DLMF 10.25.2 <https://dlmf.nist.gov/10.25.E2>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.iv(2, np.asarray(1.0))), 6)
    0.135748
    """
    result: Array = special("iv", v, x)(v, x)
    return result


def ive(v: float | Array, x: Array, /) -> Array:
    """Return the exponentially scaled `iv`.

    Parameters
    ----------
    v : int, float or array
        The order; no derivative. A Python integer, on all backends.
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
    unidiff.errors.MissingRuleError
        If a derivative with respect to `v` is asked for, of which no closed form is known.

    Notes
    -----
    ``exp(-abs(x)) * iv(v, x)`` (`DLMF 10.25.2 <https://dlmf.nist.gov/10.25.E2>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.ive(2, np.asarray(1000.0))), 6)
    0.012592
    """
    result: Array = special("ive", v, x)(v, x)
    return result


def sinc(x: Array, /) -> Array:
    """Return the normalized cardinal sine, 1 at 0.

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
    ``sin(pi * x) / (pi * x)`` (NumPy, ``numpy.sinc``). It has derivatives of every order also at 0.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.sinc(np.asarray(0.5))), 6)
    0.63662
    """
    result: Array = special("sinc", x)(x)
    return result
