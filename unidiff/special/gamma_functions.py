"""The gamma and beta functions and their logarithms and derivatives."""

from unidiff._typing import Array
from unidiff.special._dispatch import special

__all__ = ["beta", "betaln", "digamma", "gamma", "gammaln", "multigammaln", "polygamma"]


def gamma(x: Array, /) -> Array:
    """Return the gamma function.

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
    ``integral of t**(x - 1) * exp(-t) for t from 0 to infinity, and its continuation to x < 0`` (`DLMF 5.2.1
    <https://dlmf.nist.gov/5.2.E1>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.gamma(np.asarray(0.5))), 6)
    1.772454
    """
    result: Array = special("gamma", x)(x)
    return result


def gammaln(x: Array, /) -> Array:
    """Return the logarithm of the absolute value of the gamma function.

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
    ``log(abs(gamma(x)))`` (`DLMF 5.2.1 <https://dlmf.nist.gov/5.2.E1>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.gammaln(np.asarray(100.0))), 6)
    359.134205
    """
    result: Array = special("gammaln", x)(x)
    return result


def digamma(x: Array, /) -> Array:
    """Return the logarithmic derivative of the gamma function.

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
    ``d/dx log(gamma(x))`` (`DLMF 5.2.2 <https://dlmf.nist.gov/5.2.E2>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.digamma(np.asarray(1.0))), 6)
    -0.577216
    """
    result: Array = special("digamma", x)(x)
    return result


def polygamma(n: int | Array, x: Array, /) -> Array:
    """Return the derivative of the order n of `digamma`.

    Parameters
    ----------
    n : int or array
        The order, not negative; no derivative. A Python integer, on all backends.
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
        If a derivative with respect to `n` is asked for, of which no closed form is known.

    Notes
    -----
    ``d**n/dx**n digamma(x)`` (`DLMF 5.15.1 <https://dlmf.nist.gov/5.15.E1>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.polygamma(1, np.asarray(1.0))), 6)
    1.644934
    """
    result: Array = special("polygamma", n, x)(n, x)
    return result


def multigammaln(a: Array, d: int, /) -> Array:
    """Return the logarithm of the multivariate gamma function.

    Parameters
    ----------
    a : array
        Real, above (d - 1) / 2.
    d : int
        The dimension, a Python integer.

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
    ``d * (d - 1) / 4 * log(pi) + sum of gammaln(a - j / 2) for j from 0 to d - 1`` (`DLMF 35.3.1
    <https://dlmf.nist.gov/35.3.E1>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.multigammaln(np.asarray(3.0), 2)), 6)
    1.550195
    """
    result: Array = special("multigammaln", a, d)(a, d)
    return result


def beta(a: Array | float, b: Array | float, /) -> Array:
    """Return the beta function.

    Parameters
    ----------
    a : array or number
        Real.
    b : array or number
        Real; broadcasts against `a`.

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
    ``gamma(a) * gamma(b) / gamma(a + b)`` (`DLMF 5.12.1 <https://dlmf.nist.gov/5.12.E1>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.beta(2.0, np.asarray(3.0))), 6)
    0.083333
    """
    result: Array = special("beta", a, b)(a, b)
    return result


def betaln(a: Array | float, b: Array | float, /) -> Array:
    """Return the logarithm of the absolute value of the beta function.

    Parameters
    ----------
    a : array or number
        Real.
    b : array or number
        Real; broadcasts against `a`.

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
    ``log(abs(beta(a, b)))`` (`DLMF 5.12.1 <https://dlmf.nist.gov/5.12.E1>`_).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.betaln(2.0, np.asarray(3.0))), 6)
    -2.484907
    """
    result: Array = special("betaln", a, b)(a, b)
    return result
