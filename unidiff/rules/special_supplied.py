"""Special functions that the standard's cannot express, named as in ``scipy.special``: the array library has to supply them.

Where it does not, the function raises; what can be composed of others is in `unidiff.rules.special_compositions`. Kinks and
gaps are marked as in `unidiff.rules.elementwise`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from unidiff.engine.extend import Array, MissingRuleError, Namespace, UnsupportedOperationError, elementwise
from unidiff.rules import special_compositions as compositions
from unidiff.rules.special_compositions import both


def absent_function(name: str) -> Callable[..., Any]:
    def absent(xp: Namespace, *args: Any) -> Any:
        raise UnsupportedOperationError(
            f"the array library of the backend {xp.__name__.rpartition('.')[2]!r} has no special function {name!r}, and the"
            " array API standard cannot express it. NumPy arrays have it where SciPy is installed (pip install scipy);"
            " unidiff.bridge runs a function on another backend."
        )

    return absent


def unknown(name: str, argument: str) -> Callable[..., Any]:
    """Return the map of a parameter in which no closed form of the derivative is known."""

    def missing(xp: Namespace, t: Any) -> Any:
        raise MissingRuleError(
            f"special.{name} has no derivative with respect to its parameter {argument}; hold it constant with"
            " unidiff.stop_gradient, or give the function a rule with unidiff.custom_jvp."
        )

    return missing


def native(name: str, *pushes: Callable[..., Any]) -> None:
    elementwise(f"special.{name}", *pushes, implementation=getattr(compositions, name, None) or absent_function(name))


_ROOT_PI = math.sqrt(math.pi)
_ROOT_2PI = math.sqrt(2 * math.pi)

native("erf", lambda xp, t, x: t * (2 / _ROOT_PI * xp.exp(-x * x)))
native("erfc", lambda xp, t, x: t * (-2 / _ROOT_PI * xp.exp(-x * x)))
native("erfcx", lambda xp, t, x, ans: t * (2 * x * ans - 2 / _ROOT_PI))
native("erfinv", lambda xp, t, ans: t * (_ROOT_PI / 2 * xp.exp(ans * ans)))
native("erfcinv", lambda xp, t, ans: t * (-_ROOT_PI / 2 * xp.exp(ans * ans)))
native("ndtr", lambda xp, t, x: t * (xp.exp(-x * x / 2) / _ROOT_2PI))
native("ndtri", lambda xp, t, ans: t * (_ROOT_2PI * xp.exp(ans * ans / 2)))
native("log_ndtr", lambda xp, t, x: t * (math.sqrt(2 / math.pi) / xp.special.erfcx(-x / math.sqrt(2))))

native("gamma", lambda xp, t, x, ans: t * (ans * xp.special.digamma(x)))
native("gammaln", lambda xp, t, x: t * xp.special.digamma(x))
native("digamma", lambda xp, t, x: t * xp.special.polygamma(1, x))
native("psi", lambda xp, t, x: t * xp.special.polygamma(1, x))
native("polygamma", unknown("polygamma", "n"), lambda xp, t, x1, x2: t * xp.special.polygamma(x1 + 1, x2))
native(
    "beta",
    lambda xp, t, x1, x2, ans: t * (ans * (xp.special.digamma(x1) - xp.special.digamma(x1 + x2))),
    lambda xp, t, x1, x2, ans: t * (ans * (xp.special.digamma(x2) - xp.special.digamma(x1 + x2))),
)
native(
    "betaln",
    lambda xp, t, x1, x2: t * (xp.special.digamma(x1) - xp.special.digamma(x1 + x2)),
    lambda xp, t, x1, x2: t * (xp.special.digamma(x2) - xp.special.digamma(x1 + x2)),
)


def gamma_density(xp: Namespace, a: Any, x: Any) -> Array:
    return xp.exp(xp.special.xlogy(a - 1, x) - x - xp.special.gammaln(a))


def beta_density(xp: Namespace, a: Any, b: Any, x: Any) -> Array:
    (_, a), (_, b) = both(xp, x, a), both(xp, x, b)
    return xp.exp(xp.special.xlogy(a - 1, x) + xp.special.xlog1py(b - 1, -x) - xp.special.betaln(a, b))


native("gammainc", unknown("gammainc", "a"), lambda xp, t, x1, x2: t * gamma_density(xp, x1, x2))
native("gammaincc", unknown("gammaincc", "a"), lambda xp, t, x1, x2: -t * gamma_density(xp, x1, x2))
native(
    "betainc",
    unknown("betainc", "a"),
    unknown("betainc", "b"),
    lambda xp, t, x1, x2, x3: t * beta_density(xp, x1, x2, x3),
)
native(
    "betaincc",
    unknown("betaincc", "a"),
    unknown("betaincc", "b"),
    lambda xp, t, x1, x2, x3: -t * beta_density(xp, x1, x2, x3),
)

# Modified Bessel functions; the sum of neighbours has no division, so that every derivative exists at 0.


def _neighbours(xp: Namespace, function: str, v: Any, x: Array) -> Array:
    bessel = getattr(xp.special, function)
    return (bessel(v - 1, x) + bessel(v + 1, x)) / 2


native("iv", unknown("iv", "v"), lambda xp, t, x1, x2: t * _neighbours(xp, "iv", x1, x2))
native(
    "ive",  # exp(-abs(x)) has a kink at 0: minimum norm
    unknown("ive", "v"),
    lambda xp, t, x1, x2, ans: t * (_neighbours(xp, "ive", x1, x2) - xp.sign(x2) * ans),
)
native("i0", lambda xp, t, x: t * xp.special.i1(x))
native("i1", lambda xp, t, x: t * _neighbours(xp, "iv", 1, x))
native("i0e", lambda xp, t, x, ans: t * (xp.special.i1e(x) - xp.sign(x) * ans))  # at 0: minimum norm
native("i1e", lambda xp, t, x, ans: t * (_neighbours(xp, "ive", 1, x) - xp.sign(x) * ans))
