"""Sums of exponentials and logistic functions."""

from unidiff._typing import Array
from unidiff.special._dispatch import special

__all__ = ["expit", "log_expit", "log_softmax", "logit", "logsumexp", "softmax"]


def logsumexp(x: Array, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """Return the logarithm of the sum of exponentials, without overflow.

    Parameters
    ----------
    x : array
        Real or complex.
    axis : int or tuple of int, optional
        The axes to sum over; all by default.
    keepdims : bool, optional
        Whether the result keeps those axes, with length 1.

    Returns
    -------
    array
        Of the shape that is left.

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If there is no array among the arguments.

    Notes
    -----
    ``log(sum(exp(x)))`` (SciPy, ``scipy.special.logsumexp``). The derivative is `softmax`. Where an infinity decides the sum,
    those equal to it share equally.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> float(ud.special.logsumexp(np.asarray([1000.0, 1000.0])))
    1000.6931471805599
    """
    result: Array = special("logsumexp", x)(x, axis=axis, keepdims=keepdims)
    return result


def softmax(x: Array, /, *, axis: int | tuple[int, ...] | None = None) -> Array:
    """Return the exponentials divided by their sum, without overflow.

    Parameters
    ----------
    x : array
        Real or complex.
    axis : int or tuple of int, optional
        The axes to sum over; all by default.

    Returns
    -------
    array
        Of the shape of `x`.

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If there is no array among the arguments.

    Notes
    -----
    ``exp(x) / sum(exp(x))`` (SciPy, ``scipy.special.softmax``).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.special.softmax(np.asarray([0.0, np.log(3.0)]))
    array([0.25, 0.75])
    """
    result: Array = special("softmax", x)(x, axis=axis)
    return result


def log_softmax(x: Array, /, *, axis: int | tuple[int, ...] | None = None) -> Array:
    """Return the logarithm of `softmax`, without loss of digits.

    Parameters
    ----------
    x : array
        Real or complex.
    axis : int or tuple of int, optional
        The axes to sum over; all by default.

    Returns
    -------
    array
        Of the shape of `x`.

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If there is no array among the arguments.

    Notes
    -----
    ``x - logsumexp(x)`` (SciPy, ``scipy.special.log_softmax``).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.special.log_softmax(np.asarray([0.0, np.log(3.0)]))
    array([-1.38629436, -0.28768207])
    """
    result: Array = special("log_softmax", x)(x, axis=axis)
    return result


def expit(x: Array, /) -> Array:
    """Return the logistic function.

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
    ``1 / (1 + exp(-x))`` (SciPy, ``scipy.special.expit``).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.expit(np.asarray(0.5))), 6)
    0.622459
    """
    result: Array = special("expit", x)(x)
    return result


def logit(x: Array, /) -> Array:
    """Return the logarithm of the odds, the inverse of `expit`.

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

    Notes
    -----
    ``log(x / (1 - x))`` (SciPy, ``scipy.special.logit``).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.logit(np.asarray(0.7))), 6)
    0.847298
    """
    result: Array = special("logit", x)(x)
    return result


def log_expit(x: Array, /) -> Array:
    """Return the logarithm of `expit`, without underflow.

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
    ``-log(1 + exp(-x))`` (SciPy, ``scipy.special.log_expit``).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> round(float(ud.special.log_expit(np.asarray(-800.0))), 6)
    -800.0
    """
    result: Array = special("log_expit", x)(x)
    return result
