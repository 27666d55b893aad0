"""Elementwise functions whose derivatives ``jax.numpy`` takes differently.

Kinks name the rule of the derivative standard they follow: *minimum norm* (the element of least norm of Clarke's generalized
derivative, jointly over the arguments), *removable* (the derivative exists although the formula has a gap) or *NaN*.
"""

import operator
from typing import Any

import jax
import jax.numpy as jnp

from unidiff_backends._jax.rules import is_complex, is_floating, jit, masked_divide, promoted, with_tangents


def _across(t: Any, direction: Any, z: Any) -> Any:
    """Push through z / abs(z): the part of the tangent across ``z`` over its modulus; 0 at the jump at 0."""
    across = t - direction * jnp.real(jnp.conj(direction) * t)
    return masked_divide(across, abs(z).astype(z.dtype))


_sign_complex = with_tangents(jnp.sign, _across)


@jit
def sign(x: Any, /) -> Any:
    """Return the sign; JAX lacks the derivative of z / abs(z) for complex numbers."""
    return _sign_complex(x) if is_complex(x) else jnp.sign(x)


_abs = with_tangents(
    jnp.abs,  # at 0: minimum norm
    lambda t, ans, x: jnp.real(t * jnp.conj(sign(x))) if is_complex(x) else t * sign(x),
)


@jit
def abs(x: Any, /) -> Any:  # the array API's name
    """Return the absolute value; JAX takes 1 for the derivative at 0, where the minimum norm is 0."""
    return _abs(x) if is_floating(x) else jnp.abs(x)


_copysign = with_tangents(
    jnp.copysign,  # at x1 = 0: minimum norm; at a jump in x2: limit
    lambda t, ans, x1, x2: t * (sign(x1) * jnp.copysign(jnp.ones_like(x1), x2)),
)


@jit
def copysign(x1: Any, x2: Any, /) -> Any:
    """Return x1 with the sign of x2; JAX takes 1 for the derivative at x1 = 0, where the minimum norm is 0."""
    return _copysign(*promoted(x1, x2)) if is_floating(x1, x2) else jnp.copysign(x1, x2)


def _direction(x: Any, other: Any, radius: Any) -> Any:
    """Return x / radius, at infinities in the limit; at the origin: minimum norm."""
    infinite = jnp.isinf(x).astype(radius.dtype)
    count = infinite + jnp.isinf(other)
    beyond = count > 0
    return masked_divide(jnp.where(beyond, jnp.copysign(infinite, x), x), jnp.where(beyond, count, radius))


_hypot = with_tangents(
    jnp.hypot,
    lambda t, ans, x1, x2: t * _direction(x1, x2, ans),
    lambda t, ans, x1, x2: t * _direction(x2, x1, ans),
)


@jit
def hypot(x1: Any, x2: Any, /) -> Any:
    """Return sqrt(x1**2 + x2**2); JAX takes 1/2 for the derivatives at the origin, where the minimum norm is 0."""
    return _hypot(*promoted(x1, x2)) if is_floating(x1, x2) else jnp.hypot(x1, x2)


def _through_base(t: Any, ans: Any, x1: Any, x2: Any) -> Any:
    constant = x2 == 0  # x**0: removable
    slope = x2 * _pow(jnp.where(constant, 1, x1), jnp.where(constant, 1, x2 - 1))
    return t * jnp.where(constant, 0, slope)


def _through_exponent(t: Any, ans: Any, x1: Any, x2: Any) -> Any:
    vanishes = (x1 == 0) & (jnp.real(x2) > 0)  # 0**y is 0 for y > 0
    jumps = (x1 == 0) & (x2 == 0)  # 0**y at y = 0: NaN
    return t * jnp.where(jumps, jnp.nan, ans * jnp.log(jnp.where(vanishes, 1, x1)))


_pow = with_tangents(jnp.pow, _through_base, _through_exponent)


@jit
def _pow_of_arrays(x1: Any, x2: Any) -> Any:
    if not is_floating(x1, x2):
        return jnp.pow(x1, x2)
    return _pow(*promoted(x1, x2))


def pow(x1: Any, x2: Any, /) -> Any:  # the array API's name
    """Return x1 to the power x2; JAX takes NaN for the derivatives of x**0.0, x**1.0, ... at 0, where they exist."""
    return jnp.pow(x1, x2) if isinstance(x2, int) else _pow_of_arrays(x1, x2)


def _share(a: Any, b: Any) -> Any:
    """Return exp(a) / (exp(a) + exp(b)); 1/2 where both are the same infinity: minimum norm."""
    same = (a == b) & jnp.isinf(a)
    return jax.nn.sigmoid(jnp.where(same, 0, a) - jnp.where(same, 0, b))


_logaddexp = with_tangents(
    jnp.logaddexp,
    lambda t, ans, x1, x2: t * _share(x1, x2),
    lambda t, ans, x1, x2: t * _share(x2, x1),
)


@jit
def logaddexp(x1: Any, x2: Any, /) -> Any:
    """Return log(exp(x1) + exp(x2)); JAX takes NaN or 1 for the derivatives at equal infinities."""
    if not is_floating(x1, x2) or is_complex(x1, x2):
        return jnp.logaddexp(x1, x2)
    return _logaddexp(*promoted(x1, x2))


def _extreme(function: Any, prefers: Any) -> Any:
    """Return an elementwise maximum or minimum with equal shares for equal arguments: minimum norm."""

    def share(t: Any, x: Any, other: Any) -> Any:
        wins = jnp.where(prefers(x, other), 1, jnp.where(prefers(other, x), 0, jnp.where(x == other, 0.5, jnp.nan)))
        return t * wins.astype(t.dtype)

    mended = with_tangents(function, lambda t, ans, x1, x2: share(t, x1, x2), lambda t, ans, x1, x2: share(t, x2, x1))

    def extreme(x1: Any, x2: Any, /) -> Any:
        if not is_floating(x1, x2) or is_complex(x1, x2):
            return function(x1, x2)
        return mended(*promoted(x1, x2))

    extreme.__name__ = extreme.__qualname__ = function.__name__
    extreme.__doc__ = f"Return the elementwise {function.__name__}; JAX takes 0 for the derivatives at NaN, here they are NaN."
    return jit(extreme)


maximum = _extreme(jnp.maximum, operator.gt)
minimum = _extreme(jnp.minimum, operator.lt)

_nextafter = with_tangents(
    jnp.nextafter,  # a step of fixed size beside x1
    lambda t, ans, x1, x2: jnp.broadcast_to(t, ans.shape),
)


@jit
def nextafter(x1: Any, x2: Any, /) -> Any:
    """Return the number next to x1 towards x2; JAX has no derivative."""
    return _nextafter(*promoted(x1, x2)) if is_floating(x1, x2) else jnp.nextafter(x1, x2)


def _active(x: Any, low: Any, high: Any) -> list[Any]:
    """Say of each argument of min(max(x, low), high) where it is attained as the result."""
    inner = jnp.maximum(x, low)
    return [(x >= low) & (x <= high), (low >= x) & (low <= high), high <= inner]


def _through_clip(position: int) -> Any:
    def push(t: Any, ans: Any, *args: Any) -> Any:
        active = _active(*args)
        count = sum(a.astype(ans.dtype) for a in active)
        return t * jnp.where(count == 0, jnp.nan, active[position] / count)  # ties: minimum norm; NaN arguments: NaN

    return push


_clip = with_tangents(jnp.clip, *map(_through_clip, range(3)))


@jit
def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    """Return min(max(x, low), high); JAX gives 1/4 where the array and both bounds coincide, minimum norm is 1/3 each."""
    bounds = [bound for bound in (min, max) if bound is not None]
    if not bounds or not is_floating(x, *bounds):
        return jnp.clip(x, min, max)
    x, *bounds = promoted(x, *bounds)
    low = bounds[0] if min is not None else jnp.asarray(-jnp.inf, dtype=x.dtype)
    high = bounds[-1] if max is not None else jnp.asarray(jnp.inf, dtype=x.dtype)
    return _clip(x, low, high)
