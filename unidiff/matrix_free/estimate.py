"""What is known up to an error."""

from typing import Any, NamedTuple

__all__ = ["Estimate"]


class Estimate(NamedTuple):
    """A value that is known up to an error.

    Parameters
    ----------
    value : pytree of array
        The best value.
    error : pytree of array
        An estimate of the error of each entry, real and not negative: the standard error of a mean of samples, or what an
        extrapolation changed last.

    Examples
    --------
    >>> import unidiff as ud
    >>> value, error = ud.Estimate(1.5, 0.25)
    """

    value: Any
    error: Any
