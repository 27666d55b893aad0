"""Incomplete gamma and beta functions."""

from unidiff._typing import Array
from unidiff.special._dispatch import special

__all__ = ["betainc", "betaincc", "gammainc", "gammaincc"]


def gammainc(a: Array | float, x: Array | float, /) -> Array:
    """Return the regularized lower incomplete gamma function.

    Parameters
    ----------
    a : array or number
        Positive; no derivative.
    x : array or number
        Real, not negative; broadcasts against `a`.

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
        If a derivative with respect to `a` is asked for, of which no closed form is known.

    Notes
    -----
    ``1 / gamma(a) * integral of t**(a - 1) * exp(-t) for t from 0 to x`` (`DLMF 8.2.4 <https://dlmf.nist.gov/8.2.E4>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.gammainc(2.0, np.asarray(1.0))), 6)
    0.264241
    """
    result: Array = special("gammainc", a, x)(a, x)
    return result


def gammaincc(a: Array | float, x: Array | float, /) -> Array:
    """Return the regularized upper incomplete gamma function.

    Parameters
    ----------
    a : array or number
        Positive; no derivative.
    x : array or number
        Real, not negative; broadcasts against `a`.

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
        If a derivative with respect to `a` is asked for, of which no closed form is known.

    Notes
    -----
    ``1 - gammainc(a, x)`` (`DLMF 8.2.4 <https://dlmf.nist.gov/8.2.E4>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.gammaincc(2.0, np.asarray(1.0))), 6)
    0.735759
    """
    result: Array = special("gammaincc", a, x)(a, x)
    return result


def betainc(a: Array | float, b: Array | float, x: Array | float, /) -> Array:
    """Return the regularized incomplete beta function.

    Parameters
    ----------
    a : array or number
        Positive; no derivative.
    b : array or number
        Positive; no derivative.
    x : array or number
        Real, from 0 to 1; broadcasts against `a` and `b`.

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
        If a derivative with respect to `a` or `b` is asked for, of which no closed form is known.

    Notes
    -----
    ``1 / beta(a, b) * integral of t**(a - 1) * (1 - t)**(b - 1) for t from 0 to x`` (`DLMF 8.17.2
    <https://dlmf.nist.gov/8.17.E2>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.betainc(2.0, 3.0, np.asarray(0.5))), 6)
    0.6875
    """
    result: Array = special("betainc", a, b, x)(a, b, x)
    return result


def betaincc(a: Array | float, b: Array | float, x: Array | float, /) -> Array:
    """Return the complement of the regularized incomplete beta function.

    Parameters
    ----------
    a : array or number
        Positive; no derivative.
    b : array or number
        Positive; no derivative.
    x : array or number
        Real, from 0 to 1; broadcasts against `a` and `b`.

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
        If a derivative with respect to `a` or `b` is asked for, of which no closed form is known.

    Notes
    -----
    ``1 - betainc(a, b, x)`` (`DLMF 8.17.4 <https://dlmf.nist.gov/8.17.E4>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.betaincc(2.0, 3.0, np.asarray(0.5))), 6)
    0.3125
    """
    result: Array = special("betaincc", a, b, x)(a, b, x)
    return result
