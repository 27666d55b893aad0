"""Values of special functions from other ones, for libraries that lack them.

They are implementations in the sense of `unidiff.engine.extend.rule`; the derivatives are those of the rules.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from unidiff.engine.extend import Array, Namespace, UnsupportedOperationError


def both(xp: Namespace, x: Any, y: Any) -> tuple[Array, Array]:
    """Return both arguments as arrays; a Python number takes the dtype of the other."""
    if not hasattr(x, "shape") and not hasattr(y, "shape"):
        return xp.asarray(float(x)), xp.asarray(float(y))
    return (
        x if hasattr(x, "shape") else xp.asarray(x, dtype=y.dtype),
        y if hasattr(y, "shape") else xp.asarray(y, dtype=x.dtype),
    )


# --- the beta and gamma functions, from the logarithm of gamma

_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
_LARGE = 10.0  # from here on the terms above give the rest of Stirling's formula to double precision


def _stirling_rest(z: Array) -> Array:
    """Return gammaln(z) - (z - 1/2) log(z) + z - log(2 pi) / 2, for large z."""
    inverse = 1 / (z * z)
    total = inverse * 0
    for coefficient in reversed(_STIRLING):
        total = total * inverse + coefficient
    return total / z


def betaln(xp: Namespace, a: Any, b: Any, /) -> Array:
    """Evaluate log(abs(B(a, b))); for large arguments without the cancellation in gammaln(b) - gammaln(a + b)."""
    a, b = both(xp, a, b)
    a, b = xp.minimum(a, b), xp.maximum(a, b)
    tail, bulk = b >= _LARGE, a >= _LARGE
    direct = xp.special.gammaln(a) + xp.special.gammaln(b) - xp.special.gammaln(a + b)
    large = xp.where(tail, b, _LARGE)  # beside an argument that is negative and large, nothing cancels
    tail = xp.logical_and(tail, a > 0)
    small = xp.where(tail, a, 1.0)
    rest = _stirling_rest(large) - _stirling_rest(small + large)
    mixed = xp.special.gammaln(small) - (large - 0.5) * xp.log1p(small / large) - small * (xp.log(small + large) - 1) + rest
    middle = xp.where(bulk, a, _LARGE)
    ratio = xp.log1p(large / middle)
    both_large = (
        (math.log(2 * math.pi) - xp.log(middle)) / 2
        - (large - 0.5) * xp.log1p(middle / large)
        - middle * ratio
        + (_stirling_rest(middle) + _stirling_rest(large) - _stirling_rest(middle + large))
    )
    return xp.where(bulk, both_large, xp.where(tail, mixed, direct))


def _sign_of_gamma(xp: Namespace, x: Array) -> Array:
    """Return the sign of the gamma function, and NaN at its poles but 0, where it is that of the zero."""
    below = xp.floor(x)
    odd = below - 2 * xp.floor(below / 2) == 1
    sign = xp.where(xp.logical_and(x < 0, odd), -1.0, 1.0)
    sign = xp.where(x == 0, xp.copysign(xp.ones_like(x), x), sign)
    return xp.astype(xp.where(xp.logical_and(x < 0, below == x), math.nan, sign), x.dtype)


def gamma(xp: Namespace, x: Array, /) -> Array:
    """Evaluate the gamma function, by its recurrence where the exponential of its logarithm would lose digits."""
    steps = 8
    near = xp.logical_and(x > -steps, x < steps)
    z = xp.where(near, x - xp.floor(x) + 1, 1.5)
    value = xp.exp(xp.special.gammaln(z))
    inner = xp.where(near, x, 1.5)
    for k in range(steps + 1):
        factor = inner + k
        value = value / xp.where(z > inner + k + 0.5, factor, 1.0)
    for k in range(1, steps):
        factor = inner - k
        value = value * xp.where(factor > z - 0.5, factor, 1.0)
    far = _sign_of_gamma(xp, x) * xp.exp(xp.special.gammaln(xp.where(near, 1.5, x)))
    pole = xp.logical_and(x <= 0, xp.floor(x) == x)
    return xp.where(pole, _sign_of_gamma(xp, x) * math.inf, xp.where(near, value, far))


def beta(xp: Namespace, a: Any, b: Any, /) -> Array:
    """Evaluate the beta function."""
    a, b = both(xp, a, b)
    sign = _sign_of_gamma(xp, a) * _sign_of_gamma(xp, b) * _sign_of_gamma(xp, a + b)
    return sign * xp.exp(xp.special.betaln(a, b))


def betaincc(xp: Namespace, a: Any, b: Any, x: Any, /) -> Array:
    """Evaluate the complement of the regularized incomplete beta function by its symmetry."""
    return xp.special.betainc(b, a, 1 - x)


def erfcinv(xp: Namespace, x: Array, /) -> Array:
    """Evaluate the inverse of erfc by that of the normal distribution, which keeps the digits of small arguments."""
    return -xp.special.ndtri(x / 2) / math.sqrt(2)


def polygamma(xp: Namespace, n: Any, x: Array, /) -> Array:
    """Evaluate the n-fold derivative of digamma by the zeta function of Hurwitz."""
    if not hasattr(n, "shape"):
        if n == 0:
            return xp.special.digamma(x)
        return (-1) ** (n + 1) * math.factorial(n) * xp.special.zeta(n + 1, x)
    odd = n - 2 * xp.floor(n / 2)
    value = (2 * odd - 1) * xp.exp(xp.special.gammaln(n + 1)) * xp.special.zeta(n + 1, x)
    return xp.where(n == 0, xp.special.digamma(x), value)


# --- modified Bessel functions of integer order, from those of order 0 and 1


def _bessel_ratio(xp: Namespace, x: Array, order: int) -> Array:
    """Return I_order(x) / I_0(x): small arguments by the continued fraction of the ratios, large ones by recurrence."""
    radius = 20.0 + order * order
    size = xp.abs(x)
    inside, outside = xp.where(size < radius, x, 1.0), xp.where(size < radius, radius, x)
    quotient, near = inside * 0, inside * 0 + 1
    for k in range(order + 12 + math.ceil(7 * math.sqrt(radius)), 0, -1):
        quotient = inside / (2 * k + inside * quotient)  # I_k / I_(k - 1)
        if k <= order:
            near = near * quotient
    before, far = inside * 0 + 1, xp.special.i1e(outside) / xp.special.i0e(outside)
    for k in range(1, order):
        before, far = far, before - 2 * k / outside * far
    return xp.where(size < radius, near, far)


def _bessel(name: str, of_order_0: str) -> Callable[..., Any]:
    def implementation(xp: Namespace, v: Any, x: Array, /) -> Array:
        order = abs(int(v)) if isinstance(v, (int, float)) and v == int(v) else None
        if order is None:
            raise UnsupportedOperationError(
                f"the array library of the backend {xp.__name__.rpartition('.')[2]!r} has no Bessel function special.{name},"
                " which is computed from others for orders that are integers and Python numbers only. NumPy arrays have it"
                " where SciPy is installed; unidiff.bridge runs a function on another backend."
            )
        if order < 2:
            return getattr(xp.special, f"i{order}{of_order_0[2:]}")(x)
        return getattr(xp.special, of_order_0)(x) * _bessel_ratio(xp, x, order)

    return implementation


iv = _bessel("iv", "i0")
ive = _bessel("ive", "i0e")


# --- two functions on two parts of their arguments


def apply_where(
    xp: Namespace, cond: Array, args: Any, f1: Callable[..., Array], f2: Callable[..., Array] | None = None, /, *,
    fill_value: float = 0.0,
) -> Array:  # fmt: skip
    """Evaluate `apply_where` where the shapes of results must not depend on values, as in compiled and batched functions.

    An element that is not a function's own is replaced by one that is, or stays, where it has none, without a derivative.
    """
    cond, *arrays = xp.broadcast_arrays(cond, *(args if isinstance(args, tuple) else (args,)))

    def applied(f: Callable[..., Array], own: Array) -> Array:
        if 0 in cond.shape:
            return f(*arrays)
        first = xp.argmax(xp.astype(xp.reshape(own, (-1,)), xp.int8))
        spare = (xp.take(xp.reshape(xp._constant(x), (-1,)), xp.reshape(first, (1,)), axis=0) for x in arrays)
        return f(*(xp.where(own, x, xp.reshape(y, ())) for x, y in zip(arrays, spare, strict=True)))

    value = applied(f1, cond)
    return xp.where(cond, value, fill_value if f2 is None else applied(f2, xp.logical_not(cond)))
