"""Special functions of SciPy for NumPy arrays; SciPy is imported when one is first called."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from unidiff.errors import UnsupportedOperationError

_NAMES = (
    "beta", "betainc", "betaincc", "betaln", "digamma", "erf", "erfc", "erfcinv", "erfcx", "erfinv", "gamma", "gammainc",
    "gammaincc", "gammaln", "i0", "i0e", "i1", "i1e", "iv", "ive", "log_ndtr", "ndtr", "ndtri", "psi",
)  # fmt: skip


@cache
def _load(name: str) -> Callable[..., Any]:
    try:
        import scipy.special
    except ImportError as error:
        raise UnsupportedOperationError(
            f"the backend 'numpy' takes the special function {name!r} from SciPy, which is not installed: pip install scipy"
        ) from error
    function: Callable[..., Any] = getattr(scipy.special, name)
    return function


def _deferred(name: str) -> Callable[..., Any]:
    def function(*args: Any) -> Any:
        return _load(name)(*args)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"``scipy.special.{name}``."
    return function


def _polygamma(n: Any, x: Any) -> Any:
    """``scipy.special.polygamma`` in the dtype of ``x``."""  # SciPy computes in double precision whatever the dtype
    y = _load("polygamma")(n, x)
    return y.astype(x.dtype) if hasattr(x, "dtype") and x.dtype.kind == "f" else y


SPECIAL: dict[str, Callable[..., Any]] = {
    **{f"special.{name}": _deferred(name) for name in _NAMES},
    "special.polygamma": _polygamma,
}
"""Functions that the array API standard cannot express, by their name in unidiff's namespace."""
