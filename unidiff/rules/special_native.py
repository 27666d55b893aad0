"""Special functions that the array library has to bring, as `scipy.special` has them, with elementary derivatives.

Those here are what SciPy's functions over the array API look for in a namespace; the common ones are in
`unidiff.rules.special_supplied`. Where a parameter's derivative has no closed form, a traced parameter raises.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from unidiff.engine.extend import Array, Namespace, composite, zero
from unidiff.rules.special_supplied import absent_function, beta_density, gamma_density, native, unknown

_DEGREE = math.pi / 180

# --- exponentials and circular functions of degrees

native("cbrt", lambda xp, t, ans: t / (3 * ans * ans))
native("exp2", lambda xp, t, ans: t * (math.log(2) * ans))
native("exp10", lambda xp, t, ans: t * (math.log(10) * ans))
native("cosm1", lambda xp, t, x: -t * xp.sin(x))
native("sindg", lambda xp, t, x: t * (_DEGREE * xp.special.cosdg(x)))
native("cosdg", lambda xp, t, x: -t * (_DEGREE * xp.special.sindg(x)))
native("tandg", lambda xp, t, ans: t * (_DEGREE * (1 + ans * ans)))
native("cotdg", lambda xp, t, ans: -t * (_DEGREE * (1 + ans * ans)))
native("radian", lambda xp, t: t * _DEGREE, lambda xp, t: t * (_DEGREE / 60), lambda xp, t: t * (_DEGREE / 3600))

# --- exponential integrals, logarithm of gamma, zeta, Kummer's function

native("exp1", lambda xp, t, x: -t * (xp.exp(-x) / x))
native("expi", lambda xp, t, x: t * (xp.exp(x) / x))
native("expn", unknown("expn", "n"), lambda xp, t, x1, x2: -t * xp.special.expn(x1 - 1, x2))
native("loggamma", lambda xp, t, x: t * xp.special.digamma(x))
native("zeta", unknown("zeta", "x"), lambda xp, t, x1, x2: -t * (x1 * xp.special.zeta(x1 + 1, x2)))
native(
    "hyp1f1",
    unknown("hyp1f1", "a"),
    unknown("hyp1f1", "b"),
    lambda xp, t, x1, x2, x3: t * (x1 / x2 * xp.special.hyp1f1(x1 + 1, x2 + 1, x3)),
)
native("hyp0f1", unknown("hyp0f1", "v"), lambda xp, t, x1, x2: t * (xp.special.hyp0f1(x1 + 1, x2) / x1))
native("exprel", lambda xp, t, x: t * (xp.special.hyp1f1(2.0, 3.0, x) / 2))
native("erfi", lambda xp, t, x: t * (2 / math.sqrt(math.pi) * xp.exp(x * x)))
native("wrightomega", lambda xp, t, ans: t * (ans / (1 + ans)))


def _spence_push(xp: Namespace, t: Array, x: Array) -> Array:
    at_one = x == 1  # log(x) / (1 - x) is -1 there: removable
    return t * xp.where(at_one, -1.0, xp.log(x) / xp.where(at_one, 1.0, 1 - x))


def _rgamma_push(xp: Namespace, t: Array, x: Array, ans: Array) -> Array:
    pole = (x <= 0) & (x == xp.floor(x))  # of the gamma function, where its reciprocal is 0 with a slope of (-1)**n n!
    n = xp.where(pole, -x, 0.0)
    slope = (1 - 2 * (n % 2)) * xp.exp(xp.special.gammaln(n + 1))
    return t * xp.where(pole, slope, -ans * xp.special.digamma(xp.where(pole, 1.0, x)))


native("spence", _spence_push)
native("rgamma", _rgamma_push)
native(
    "huber",
    lambda xp, t, x1, x2: t * xp.where(xp.abs(x2) > x1, xp.abs(x2) - x1, 0.0),
    lambda xp, t, x1, x2: t * xp.clip(x2, -x1, x1),
)
zero("special.gammasgn", implementation=absent_function("gammasgn"))


def _multigammaln(xp: Namespace, a: Array, d: int, /) -> Array:
    total = xp.special.gammaln(a)
    for j in range(1, d):
        total = total + xp.special.gammaln(a - j / 2)
    return total + d * (d - 1) / 4 * math.log(math.pi)


composite("special.multigammaln", _multigammaln)

# --- Bessel functions

native("jv", unknown("jv", "v"), lambda xp, t, x1, x2: t * ((xp.special.jv(x1 - 1, x2) - xp.special.jv(x1 + 1, x2)) / 2))
native("j0", lambda xp, t, x: -t * xp.special.j1(x))
native("j1", lambda xp, t, x: t * ((xp.special.j0(x) - xp.special.jv(2, x)) / 2))
native("y0", lambda xp, t, x: -t * xp.special.y1(x))
native("y1", lambda xp, t, x, ans: t * (xp.special.y0(x) - ans / x))
native("k0", lambda xp, t, x: -t * xp.special.k1(x))
native("k1", lambda xp, t, x, ans: -t * (xp.special.k0(x) + ans / x))
native("k0e", lambda xp, t, x, ans: t * (ans - xp.special.k1e(x)))
native("k1e", lambda xp, t, x, ans: t * (ans - ans / x - xp.special.k0e(x)))

# --- power transformations and a robust loss

native("boxcox", lambda xp, t, x1, x2: t * x1 ** (x2 - 1), unknown("boxcox", "lmbda"))
native("boxcox1p", lambda xp, t, x1, x2: t * (1 + x1) ** (x2 - 1), unknown("boxcox1p", "lmbda"))
native("inv_boxcox", lambda xp, t, x1, x2, ans: t * (ans / (x2 * x1 + 1)), unknown("inv_boxcox", "lmbda"))
native("inv_boxcox1p", lambda xp, t, x1, x2, ans: t * ((1 + ans) / (x2 * x1 + 1)), unknown("inv_boxcox1p", "lmbda"))
native(
    "pseudo_huber",
    unknown("pseudo_huber", "delta"),
    lambda xp, t, x1, x2: t * (x2 / xp.sqrt(1 + (x2 / x1) ** 2)),
)

# --- distribution functions, by their densities, and their inverses


def _chi_square_density(xp: Namespace, v: Any, x: Any) -> Array:
    return gamma_density(xp, v / 2, x / 2) / 2


def _f_density(xp: Namespace, n: Any, d: Any, x: Any) -> Array:
    total = n * x + d
    return beta_density(xp, n / 2, d / 2, n * x / total) * (n * d / (total * total))


def _last(name: str, *parameters: str, derivative: Callable[..., Any]) -> None:
    """Declare a function whose derivative is known in its last argument only."""
    native(name, *(unknown(name, parameter) for parameter in parameters), derivative)


_last("chdtri", "v", derivative=lambda xp, t, x1, ans: -t / _chi_square_density(xp, x1, ans))
_last("gammaincinv", "a", derivative=lambda xp, t, x1, ans: t / gamma_density(xp, x1, ans))
_last("gammainccinv", "a", derivative=lambda xp, t, x1, ans: -t / gamma_density(xp, x1, ans))
_last("betaincinv", "a", "b", derivative=lambda xp, t, x1, x2, ans: t / beta_density(xp, x1, x2, ans))
_last("fdtr", "dfn", "dfd", derivative=lambda xp, t, x1, x2, x3: t * _f_density(xp, x1, x2, x3))
_last("fdtrc", "dfn", "dfd", derivative=lambda xp, t, x1, x2, x3: -t * _f_density(xp, x1, x2, x3))
_last("fdtri", "dfn", "dfd", derivative=lambda xp, t, x1, x2, ans: t / _f_density(xp, x1, x2, ans))
_last("gdtr", "a", "b", derivative=lambda xp, t, x1, x2, x3: t * (x1 * gamma_density(xp, x2, x1 * x3)))
_last("gdtrc", "a", "b", derivative=lambda xp, t, x1, x2, x3: -t * (x1 * gamma_density(xp, x2, x1 * x3)))
_last("pdtr", "k", derivative=lambda xp, t, x1, x2: -t * gamma_density(xp, x1 + 1, x2))
_last("pdtrc", "k", derivative=lambda xp, t, x1, x2: t * gamma_density(xp, x1 + 1, x2))
_last("pdtri", "k", derivative=lambda xp, t, x1, ans: -t / gamma_density(xp, x1 + 1, ans))
_last("nbdtr", "k", "n", derivative=lambda xp, t, x1, x2, x3: t * beta_density(xp, x2, x1 + 1, x3))
_last("nbdtrc", "k", "n", derivative=lambda xp, t, x1, x2, x3: -t * beta_density(xp, x2, x1 + 1, x3))
_last("nbdtri", "k", "n", derivative=lambda xp, t, x1, x2, ans: t / beta_density(xp, x2, x1 + 1, ans))
