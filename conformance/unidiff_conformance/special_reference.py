"""Special functions in extended precision for oracles: mpmath, element by element."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from unidiff_conformance.reference import REAL

DIGITS = 30


def _regularized_beta(a: Any, b: Any, low: Any, high: Any) -> Any:
    return mpmath.betainc(a, b, low, high, regularized=True)


_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "beta": mpmath.beta,
    "betainc": lambda a, b, x: _regularized_beta(a, b, 0, x),
    "betaincc": lambda a, b, x: _regularized_beta(a, b, x, 1),
    "betaln": lambda a, b: mpmath.log(mpmath.beta(a, b)),
    "digamma": mpmath.digamma,
    "entr": lambda x: -x * mpmath.log(x) if x else mpmath.mpf(0),
    "erf": mpmath.erf,
    "erfc": mpmath.erfc,
    "erfcinv": lambda x: mpmath.erfinv(1 - x),
    "erfcx": lambda x: mpmath.exp(x * x) * mpmath.erfc(x),
    "erfinv": lambda x: mpmath.erfinv(x) if abs(x) < 1 else x * mpmath.inf,
    "expit": lambda x: 1 / (1 + mpmath.exp(-x)),
    "gamma": mpmath.gamma,
    "gammainc": lambda a, x: mpmath.gammainc(a, 0, x, regularized=True),
    "gammaincc": lambda a, x: mpmath.gammainc(a, x, mpmath.inf, regularized=True),
    "gammaln": lambda x: mpmath.re(mpmath.loggamma(x)) if x > 0 or x != mpmath.floor(x) else mpmath.inf,
    "i0": lambda x: mpmath.besseli(0, x),
    "i0e": lambda x: mpmath.besseli(0, x) * mpmath.exp(-abs(x)),
    "i1": lambda x: mpmath.besseli(1, x),
    "i1e": lambda x: mpmath.besseli(1, x) * mpmath.exp(-abs(x)),
    "iv": mpmath.besseli,
    "ive": lambda v, x: mpmath.besseli(v, x) * mpmath.exp(-abs(x)),
    "kl_div": lambda x, y: x * mpmath.log(x / y) - x + y,
    "log_expit": lambda x: -mpmath.log1p(mpmath.exp(-x)),
    "log_ndtr": lambda x: mpmath.log(mpmath.ncdf(x)),
    "logit": lambda x: mpmath.log(x / (1 - x)) if 0 < x < 1 else mpmath.inf * (2 * x - 1),
    "ndtr": mpmath.ncdf,
    "ndtri": lambda p: mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1),
    "polygamma": lambda n, x: mpmath.polygamma(int(n), x),
    "rel_entr": lambda x, y: x * mpmath.log(x / y),
    "sinc": mpmath.sincpi,
    "xlog1py": lambda x, y: x * mpmath.log1p(y) if x else mpmath.mpf(0),
    "xlogy": lambda x, y: x * mpmath.log(y) if x else mpmath.mpf(0),
}


def _exact(x: Any) -> Any:
    return mpmath.mpf(np.format_float_scientific(x, unique=True)) if np.isfinite(x) else mpmath.mpf(str(float(x)))


def special(name: str) -> Callable[..., Any]:
    """Return a special function of numbers and arrays of extended precision."""
    if name == "multigammaln":
        return lambda a, d: d * (d - 1) / 4 * np.log(REAL(np.pi)) + sum(special("gammaln")(a - REAL(j) / 2) for j in range(d))
    function = _ELEMENTWISE[name]

    def evaluate(*args: Any) -> Any:
        with mpmath.workdps(DIGITS):
            return REAL(mpmath.nstr(function(*map(_exact, args)), 25))

    return lambda *args: np.asarray(np.vectorize(evaluate, otypes=[REAL])(*(np.asarray(a, REAL) for a in args)))
