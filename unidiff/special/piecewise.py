"""Functions made of two."""

from collections.abc import Callable

from unidiff._typing import Array
from unidiff.special._dispatch import special

__all__ = ["apply_where"]


def apply_where(
    cond: Array,
    args: Array | tuple[Array, ...],
    f1: Callable[..., Array],
    f2: Callable[..., Array] | None = None,
    /,
    *,
    fill_value: float = 0.0,
) -> Array:
    """Return one function of the arguments where a condition holds and another one elsewhere.

    Each function sees only elements that are its own, so that one that is not defined on the others spoils neither values nor
    derivatives, as ``where(cond, f1(x), f2(x))`` would.

    Parameters
    ----------
    cond : array
        Boolean.
    args : array or tuple of array
        What the functions are called with; condition and arguments broadcast against one another.
    f1, f2 : callable
        Functions that act element by element; what shapes they are called with differs between backends.
    fill_value : float, optional
        The result where the condition does not hold, if there is no `f2`.

    Returns
    -------
    array

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If there is no array among the arguments.

    Notes
    -----
    ``f1(*args)`` where ``cond`` holds, else ``f2(*args)`` (array-api-extra, ``array_api_extra.apply_where``). A function
    that has no element of its own may be called with others; what it makes of them is not used.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> x = np.asarray([0.0, 4.0])
    >>> ud.grad(lambda x: np.sum(ud.special.apply_where(x > 0, x, np.sqrt)))(x)
    array([0.  , 0.25])
    """
    arrays = args if isinstance(args, tuple) else (args,)
    result: Array = special("apply_where", cond, *arrays)(cond, args, f1, f2, fill_value=fill_value)
    return result
