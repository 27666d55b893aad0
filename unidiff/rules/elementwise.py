"""Elementwise functions.

One line per argument maps the tangent; see `unidiff.engine.extend`. Kinks name the rule of the derivative standard they follow:
*minimum norm* (the element of least norm of Clarke's generalized derivative, jointly over the arguments), *removable* (the
derivative exists although the formula has a gap), *limit* (the common one-sided limit) or *NaN* (there is none).
"""

from __future__ import annotations

import math
from typing import Any

from unidiff.engine.extend import Array, Namespace, elementwise, is_complex, negated, rule, unchanged, zero

# --- arithmetic

elementwise("positive", unchanged)
elementwise("negative", negated)
elementwise("add", unchanged, unchanged)
elementwise("subtract", unchanged, negated)
elementwise("multiply", lambda xp, t, x2: t * x2, lambda xp, t, x1: t * x1)
elementwise("divide", lambda xp, t, x2: t / x2, lambda xp, t, x2, ans: -t * ans / x2)
elementwise("reciprocal", lambda xp, t, ans: -t * ans * ans)
elementwise("square", lambda xp, t, x: (t + t) * x)
elementwise("remainder", unchanged, lambda xp, t, x1, x2: -t * xp.floor_divide(x1, x2))  # at a jump: limit in x1


def _pow_base(xp: Namespace, t: Array, x1: Array, x2: Any) -> Array:
    if isinstance(x2, (int, float, complex)):
        if x2 == 2:
            return (t + t) * x1
        return t * x2 * x1 ** (x2 - 1) if x2 else xp.zeros_like(t)  # x**0: removable
    constant = x2 == 0
    safe = xp.where(constant, xp.ones_like(x2), x2 - 1)
    return t * xp.where(constant, xp.zeros_like(x2), x2) * xp.pow(x1, safe)  # x**0: removable


def _pow_exponent(xp: Namespace, t: Array, x1: Any, x2: Array, ans: Array) -> Array:
    if isinstance(x1, (int, float, complex)):
        x1 = xp.full_like(ans, x1)
    vanishes = (x1 == 0) & (xp.real(x2) > 0 if is_complex(xp, x2) else x2 > 0)  # 0**y is 0 for y > 0
    jumps = (x1 == 0) & (x2 == 0)  # 0**y at y = 0: NaN
    logarithm = xp.log(xp.where(vanishes, xp.ones_like(x1), x1))
    return t * xp.where(jumps, xp.full_like(ans, math.nan), ans * logarithm)


elementwise("pow", _pow_base, _pow_exponent)

# --- exponentials, logarithms, roots

elementwise("exp", lambda xp, t, ans: t * ans)
elementwise("expm1", lambda xp, t, x: t * xp.exp(x))
elementwise("log", lambda xp, t, x: t / x)
elementwise("log1p", lambda xp, t, x: t / (1 + x))
elementwise("log2", lambda xp, t, x: t / (x * math.log(2)))
elementwise("log10", lambda xp, t, x: t / (x * math.log(10)))
elementwise("sqrt", lambda xp, t, ans: t / (2 * ans))  # +inf at 0: limit


def _logaddexp_weight(xp: Namespace, a: Any, b: Any, ans: Array) -> Array:
    """Return the share exp(a) / (exp(a) + exp(b)); 1/2 where both are the same infinity: minimum norm."""
    stuck = (a == ans) & xp.isinf(ans)
    zero = xp.zeros_like(ans)
    share = xp.exp(xp.where(stuck, zero, a) - xp.where(stuck, zero, ans))
    return xp.where(stuck & (b == ans), share / 2, share)


elementwise(
    "logaddexp",
    lambda xp, t, x1, x2, ans: t * _logaddexp_weight(xp, x1, x2, ans),
    lambda xp, t, x1, x2, ans: t * _logaddexp_weight(xp, x2, x1, ans),
)

# --- trigonometric and hyperbolic functions and their inverses

elementwise("sin", lambda xp, t, x: t * xp.cos(x))
elementwise("cos", lambda xp, t, x: -t * xp.sin(x))
elementwise("tan", lambda xp, t, ans: t * (1 + ans * ans))
elementwise("asin", lambda xp, t, x: t / xp.sqrt((1 - x) * (1 + x)))  # +inf at -1 and 1: limit
elementwise("acos", lambda xp, t, x: -t / xp.sqrt((1 - x) * (1 + x)))  # -inf at -1 and 1: limit
elementwise("atan", lambda xp, t, x: t / (1 + x * x))
elementwise("sinh", lambda xp, t, x: t * xp.cosh(x))
elementwise("cosh", lambda xp, t, x: t * xp.sinh(x))
elementwise("tanh", lambda xp, t, ans: t * (1 - ans * ans))
elementwise("asinh", lambda xp, t, x: t / xp.sqrt(1 + x * x))
elementwise("acosh", lambda xp, t, x: t / (xp.sqrt(x - 1) * xp.sqrt(x + 1)))  # +inf at 1: limit
elementwise("atanh", lambda xp, t, x: t / ((1 - x) * (1 + x)))  # +inf at -1 and 1: limit


def _polar(xp: Namespace, t: Array, along: Any, y: Array, x: Array, sign: int) -> Array:
    radius = xp.hypot(*(z if hasattr(z, "shape") else xp.asarray(z, dtype=t.dtype) for z in (y, x)))
    return sign * t * (along / radius) / radius


elementwise(
    "atan2",  # at the origin: NaN
    lambda xp, t, x1, x2: _polar(xp, t, x2, x1, x2, 1),
    lambda xp, t, x1, x2: _polar(xp, t, x1, x1, x2, -1),
)


def _direction(xp: Namespace, x: Any, other: Any, radius: Array) -> Array:
    """Return x / radius; where the radius is 0, minimum norm; where an argument is infinite, the limit, or minimum norm."""
    x, other = (z if hasattr(z, "shape") else xp.asarray(z, dtype=radius.dtype) for z in (x, other))
    infinite = xp.astype(xp.isinf(x), radius.dtype)
    count = infinite + xp.astype(xp.isinf(other), radius.dtype)
    origin, beyond = radius == 0, count > 0
    x = xp.where(origin, xp.zeros_like(radius), xp.where(beyond, xp.copysign(infinite, x), x))
    return x / xp.where(origin, xp.ones_like(radius), xp.where(beyond, count, radius))


elementwise(
    "hypot",
    lambda xp, t, x1, x2, ans: t * _direction(xp, x1, x2, ans),
    lambda xp, t, x1, x2, ans: t * _direction(xp, x2, x1, ans),
)

# --- kinks


def _share(xp: Namespace, t: Array, x: Any, ans: Array, others: tuple[Any, ...]) -> Array:
    """Return the tangent's part of the argument ``x`` in a selection: equal shares among those that attain the result."""
    attains = xp.astype(x == ans, t.dtype)
    count = sum((xp.astype(y == ans, t.dtype) for y in others), start=attains)
    return t * (attains / count)  # ties: minimum norm; NaN arguments, which nothing equals: NaN


for _name in ("maximum", "minimum"):
    elementwise(
        _name,
        lambda xp, t, x1, x2, ans: _share(xp, t, x1, ans, (x2,)),
        lambda xp, t, x1, x2, ans: _share(xp, t, x2, ans, (x1,)),
    )


def _clip_pass(position: int) -> Any:
    def passes(xp: Namespace, t: Array, ans: Array, *args: Any) -> Array:
        others = tuple(x for i, x in enumerate(args) if i != position and x is not None)
        return _share(xp, t, args[position], ans, others)

    return passes


_CLIP = tuple(map(_clip_pass, range(3)))
rule("clip", jvp=_CLIP, vjp=_CLIP, keep=(-1, 0, 1, 2), arguments=lambda x, /, min=None, max=None: ((x, min, max), {}))

rule(
    "abs",  # at 0, real or complex: minimum norm
    jvp=lambda xp, t, ans, x: xp.real(t * xp.conj(xp.sign(x))) if is_complex(xp, x) else t * xp.sign(x),
    vjp=lambda xp, g, _ans, x: g * xp.sign(x),
    keep=(0,),
)
rule(
    "copysign",  # at x1 = 0: minimum norm; at a jump in x2: limit
    jvp=(lambda xp, t, ans, x1, x2: t * _flip(xp, x1, x2), lambda xp, t, ans, x1, x2: xp.zeros_like(t)),
    vjp=(lambda xp, g, ans, x1, x2: g * _flip(xp, x1, x2), lambda xp, g, ans, x1, x2: xp.zeros_like(g)),
    keep=(0, 1),
)


def _flip(xp: Namespace, x1: Array, x2: Array) -> Array:
    if not hasattr(x1, "shape"):
        x1 = xp.asarray(x1, dtype=x2.dtype)
    return xp.sign(x1) * xp.copysign(xp.ones_like(x1), x2)


def _sign_push(xp: Namespace, t: Array, ans: Array, x: Array) -> Array:
    """Push through z / abs(z), whose tangent is the part of ``t`` across ``z``; a real sign is piecewise constant."""
    if not is_complex(xp, x):
        return xp.zeros_like(t)
    origin = x == 0
    radius = xp.astype(xp.where(origin, xp.ones_like(xp.real(x)), xp.abs(x)), x.dtype)
    across = t - ans * xp.astype(xp.real(xp.conj(ans) * t), t.dtype)
    return xp.where(origin, xp.zeros_like(across), across / radius)  # a jump at 0: minimum norm


rule("sign", jvp=_sign_push, vjp=_sign_push, keep=(-1, 0))  # the complex map is symmetric, so its own adjoint
elementwise("nextafter", unchanged, lambda xp, t: 0 * t)  # a step of fixed size beside x1

# --- complex numbers

rule("conj", jvp=lambda xp, t, ans, x: xp.conj(t), vjp=lambda xp, g, _ans, x: xp.conj(g))
rule("real", jvp=lambda xp, t, ans, x: xp.real(t), vjp=lambda xp, g, _ans, x: xp.astype(g, x.dtype), view=True)
rule("imag", jvp=lambda xp, t, ans, x: xp.imag(t), vjp=lambda xp, g, _ans, x: xp.astype(g, x.dtype) * 1j, view=True)

# --- selection

rule(
    "where",
    jvp=(
        None,
        lambda xp, t, ans, condition, x1, x2: xp.where(condition, t, xp.zeros_like(t)),
        lambda xp, t, ans, condition, x1, x2: xp.where(condition, xp.zeros_like(t), t),
    ),
    vjp=(
        None,
        lambda xp, g, _ans, condition, x1, x2: xp.where(condition, g, xp.zeros_like(g)),
        lambda xp, g, _ans, condition, x1, x2: xp.where(condition, xp.zeros_like(g), g),
    ),
    keep=(0,),
)

# --- piecewise constant

zero("ceil", "floor", "floor_divide", "round", "trunc", "signbit")
zero("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isfinite", "isinf", "isnan")
zero("logical_and", "logical_not", "logical_or", "logical_xor")
zero("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_invert", "bitwise_left_shift", "bitwise_right_shift")
