"""Special functions of SciPy for NumPy arrays; SciPy is imported when one is first called."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

from unidiff.errors import UnsupportedOperationError

_ONLY_SCIPY = (
    "beta", "betainc", "betaincc", "digamma", "erf", "erfc", "erfcinv", "erfcx", "erfinv", "gamma", "gammainc",
    "gammaincc", "gammaln", "i0", "i0e", "i1", "i1e", "iv", "ive", "log_ndtr", "ndtr", "ndtri", "polygamma", "psi",
    "betaincinv", "boxcox", "boxcox1p", "cbrt", "chdtri", "cosdg", "cosm1", "cotdg", "exp1", "exp10",
    "exp2", "expi", "expn", "fdtr", "fdtrc", "fdtri", "gammainccinv", "gammaincinv", "gammasgn", "gdtr", "gdtrc", "hyp1f1",
    "inv_boxcox", "inv_boxcox1p", "j0", "j1", "jv", "k0", "k0e", "k1", "k1e", "loggamma", "nbdtr", "nbdtrc", "nbdtri", "pdtr",
    "erfi", "exprel", "huber", "hyp0f1", "pdtrc", "pdtri", "pseudo_huber", "radian", "rgamma", "sindg", "spence", "tandg",
    "wrightomega", "y0", "y1", "zeta",
)  # fmt: skip
_FASTER_IN_SCIPY = ("entr", "expit", "kl_div", "log_expit", "logit", "rel_entr", "xlog1py", "xlogy")
NAMES = _ONLY_SCIPY + _FASTER_IN_SCIPY
"""Functions that are better, or only to be had, from the library."""


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
        return _narrowed(_load(name)(*args), args)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"``scipy.special.{name}``."
    return function


def _narrowed(y: Any, args: tuple[Any, ...]) -> Any:
    """Return the result in the dtype of the arguments, of numbers as a number: SciPy may compute in double precision only."""
    if y.dtype.char != "d":
        return y
    dtypes = {x.dtype.char for x in args if hasattr(x, "dtype")}
    if not dtypes:
        return y.item()
    return y.astype("f") if "f" in dtypes and "d" not in dtypes else y


def special_functions() -> dict[str, Callable[..., Any]]:
    """Return SciPy's functions by their name in unidiff's namespace.

    Those are the ones that the standard cannot express and, where SciPy is installed, the ones that it computes faster.
    """
    names = _ONLY_SCIPY + (_FASTER_IN_SCIPY if find_spec("scipy") else ())
    return {f"special.{name}": _deferred(name) for name in names}
