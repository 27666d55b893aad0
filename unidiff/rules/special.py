"""Special functions, which are beyond the standard; the names and meanings are those of ``scipy.special``.

Values come from the array library where it has the function (`Library.natives`), else from functions of the standard where
those suffice; derivatives are the same everywhere. Kinks and gaps are marked as in `unidiff.rules.elementwise`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from unidiff.engine.extend import (
    BATCHERS,
    Array,
    Namespace,
    TracedConversionError,
    composite,
    device_of,
    elementwise,
    expand_reduced,
    is_complex,
    rule,
    varies,
)
from unidiff.rules import special_compositions as compositions
from unidiff.rules.batching import shifted
from unidiff.rules.linear_algebra import conjugate
from unidiff.rules.special_compositions import both

Axis = int | tuple[int, ...] | None

# --- sums of exponentials


def _inexact(xp: Namespace, x: Array) -> Array:
    """Return integers as floating-point numbers of the default precision."""
    if xp.isdtype(x.dtype, ("real floating", "complex floating")):
        return x
    return xp.astype(x, xp.__array_namespace_info__().default_dtypes()["real floating"])


def _finite(xp: Namespace, x: Array) -> Array:
    return xp.where(xp.isfinite(x), x, 0.0)


def _real_max(xp: Namespace, x: Array, axis: Axis) -> Array:
    return xp.max(xp.real(x) if is_complex(xp, x) else x, axis=axis, keepdims=True)


def _logsumexp(xp: Namespace, x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    x = _inexact(xp, x)
    if 0 in x.shape:
        total = xp.sum(x, axis=axis, dtype=x.dtype, keepdims=keepdims)
        return total - math.inf
    shift = _finite(xp, _real_max(xp, x, axis))
    total = xp.sum(xp.exp(x - shift), axis=axis, dtype=x.dtype, keepdims=True)
    empty = total == 0
    ans = xp.where(empty, -math.inf, xp.log(xp.where(empty, 1.0, total)) + shift)
    return ans if keepdims else xp.sum(ans, axis=axis, dtype=x.dtype)


def _weights(xp: Namespace, x: Array, axis: Axis) -> Array:
    """Return exp(x) over its sum; equal shares among infinities that decide the sum: minimum norm."""
    if 0 in x.shape:
        return x
    shift = _real_max(xp, xp._constant(x), axis)
    decisive = xp.logical_and(xp.isinf(shift), x == shift)
    powers = xp.exp(xp.where(decisive, 0.0, x) - xp.where(decisive, 0.0, shift))
    return powers / xp.sum(powers, axis=axis, dtype=x.dtype, keepdims=True)


def _logsumexp_push(xp: Namespace, t: Array, ans: Any, x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    return xp.sum(t * _weights(xp, x, axis), axis=axis, dtype=t.dtype, keepdims=keepdims)


def _logsumexp_pull(xp: Namespace, g: Array, ans: Any, x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    return expand_reduced(xp, g, x.ndim, axis, keepdims) * conjugate(xp, _weights(xp, x, axis))


def _softmax(xp: Namespace, x: Array, /, *, axis: Axis = None) -> Array:
    x = _inexact(xp, x)
    if 0 in x.shape:
        return x + 0.0
    powers = xp.exp(x - _real_max(xp, x, axis))
    return powers / xp.sum(powers, axis=axis, dtype=x.dtype, keepdims=True)


def _log_softmax(xp: Namespace, x: Array, /, *, axis: Axis = None) -> Array:
    x = _inexact(xp, x)
    if 0 in x.shape:
        return x + 0.0
    x = x - _finite(xp, _real_max(xp, x, axis))
    return x - xp.log(xp.sum(xp.exp(x), axis=axis, dtype=x.dtype, keepdims=True))


def _centred(xp: Namespace, weights: Array, t: Array, axis: Axis) -> Array:
    return t - xp.sum(weights * t, axis=axis, dtype=t.dtype, keepdims=True)


def _log_softmax_pull(xp: Namespace, g: Array, ans: Array, x: Any, /, *, axis: Axis = None) -> Array:
    return g - conjugate(xp, xp.exp(ans)) * xp.sum(g, axis=axis, dtype=g.dtype, keepdims=True)


def _axis_keyword(x: Array, /, axis: Axis = None, **options: Any) -> tuple[tuple[Array], dict[str, Any]]:
    return (x,), {"axis": axis, **options}


rule(
    "special.logsumexp",
    jvp=_logsumexp_push,
    vjp=_logsumexp_pull,
    keep=(0,),
    implementation=_logsumexp,
    arguments=_axis_keyword,
)
rule(
    "special.softmax",
    jvp=lambda xp, t, ans, x, /, *, axis=None: ans * _centred(xp, ans, t, axis),
    vjp=lambda xp, g, ans, x, /, *, axis=None: conjugate(xp, ans) * _centred(xp, conjugate(xp, ans), g, axis),
    keep=(-1,),
    implementation=_softmax,
    arguments=_axis_keyword,
)
rule(
    "special.log_softmax",
    jvp=lambda xp, t, ans, x, /, *, axis=None: _centred(xp, xp.exp(ans), t, axis),
    vjp=_log_softmax_pull,
    keep=(-1,),
    implementation=_log_softmax,
    arguments=_axis_keyword,
)


def _batch(xp: Namespace, call: Any, flags: Any, x: Array, *, axis: Axis = None, **options: Any) -> Array:
    return call(x, axis=shifted(axis, x.ndim - 1), **options)


BATCHERS |= dict.fromkeys(("special.logsumexp", "special.softmax", "special.log_softmax"), _batch)

# --- logistic functions


def _expit(xp: Namespace, x: Array, /) -> Array:
    decay = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1.0, decay) / (1 + decay)


elementwise("special.expit", lambda xp, t, x, ans: t * (ans * xp.special.expit(-x)), implementation=_expit)
elementwise(
    "special.logit",
    lambda xp, t, x: t / (x * (1 - x)),
    implementation=lambda xp, x: xp.log(x) - xp.log1p(-x),
)
elementwise(
    "special.log_expit",
    lambda xp, t, x: t * xp.special.expit(-x),
    implementation=lambda xp, x: xp.where(x < 0, x, 0.0) - xp.log1p(xp.exp(-xp.abs(x))),
)

# --- entropies: x log(y) is 0 where x is, whatever y


def _xlogy(xp: Namespace, x: Any, y: Any, /) -> Array:
    x, y = both(xp, x, y)
    vanishes = xp.logical_and(x == 0, xp.logical_not(xp.isnan(y)))
    return xp.where(vanishes, 0.0, x * xp.log(xp.where(vanishes, 1.0, y)))


def _xlog1py(xp: Namespace, x: Any, y: Any, /) -> Array:
    x, y = both(xp, x, y)
    vanishes = xp.logical_and(x == 0, xp.logical_not(xp.isnan(y)))
    return xp.where(vanishes, 0.0, x * xp.log1p(xp.where(vanishes, 0.0, y)))


def _entr(xp: Namespace, x: Array, /) -> Array:
    return xp.where(x < 0, -math.inf, -_xlogy(xp, x, xp.where(x < 0, 1.0, x)))


def _rel_entr(xp: Namespace, x: Any, y: Any, /) -> Array:
    x, y = both(xp, x, y)
    outside = xp.logical_or(xp.logical_or(x < 0, y < 0), xp.logical_and(x > 0, y == 0))
    quotient = xp.where(outside, 1.0, x) / xp.where(xp.logical_or(outside, y == 0), 1.0, y)
    return xp.where(outside, math.inf, _xlogy(xp, x, quotient))


def _kl_div(xp: Namespace, x: Any, y: Any, /) -> Array:
    x, y = both(xp, x, y)
    ans = _rel_entr(xp, x, y)
    return xp.where(xp.isinf(ans), ans, ans - x + y)


def _quotient(xp: Namespace, x: Any, y: Any) -> Array:
    """Return x / y, and 0 where x is 0: removable, since there the functions vanish for all y."""
    x, y = both(xp, x, y)
    vanishes = xp.logical_and(x == 0, xp.logical_not(xp.isnan(y)))
    return xp.where(vanishes, 0.0, x) / xp.where(vanishes, 1.0, y)


elementwise(
    "special.xlogy",
    lambda xp, t, x2: xp.special.xlogy(t, x2),
    lambda xp, t, x1, x2: t * _quotient(xp, x1, x2),
    implementation=_xlogy,
)
elementwise(
    "special.xlog1py",
    lambda xp, t, x2: xp.special.xlog1py(t, x2),
    lambda xp, t, x1, x2: t * _quotient(xp, x1, 1 + x2),
    implementation=_xlog1py,
)
elementwise("special.entr", lambda xp, t, x: -t - xp.special.xlogy(t, x), implementation=_entr)  # +inf at 0: limit
elementwise(
    "special.rel_entr",
    lambda xp, t, x1, x2: t + xp.special.xlogy(t, x1 / x2),
    lambda xp, t, x1, x2: -t * _quotient(xp, x1, x2),
    implementation=_rel_entr,
)
elementwise(
    "special.kl_div",
    lambda xp, t, x1, x2: xp.special.xlogy(t, x1 / x2),
    lambda xp, t, x1, x2: t - t * _quotient(xp, x1, x2),
    implementation=_kl_div,
)

# --- sinc


def _sinc(xp: Namespace, x: Array, order: int, /) -> Array:
    """Return the derivative of the order of sin(x) / x, by Taylor's series near 0 and by recurrence elsewhere.

    The order-fold derivative of x S(x) = sin(x) is x S_k + k S_(k-1) = sin(x + k pi / 2).
    """
    radius = order + 1.0
    near = xp.abs(x) < radius
    inside, outside = xp.where(near, x, 0.0), xp.where(near, radius, x)
    coefficients, power = [], order % 2
    while radius**power > 1e-18 * math.factorial(power):
        sign = -1 if (power + order) % 4 else 1
        coefficients.append(sign / ((power + order + 1) * math.factorial(power)))
        power += 2
    squared, series = inside * inside, xp.zeros_like(x)
    for coefficient in reversed(coefficients):
        series = series * squared + coefficient
    if order % 2:
        series = series * inside
    sine, cosine = xp.sin(outside), xp.cos(outside)
    closed = sine / outside
    for k in range(1, order + 1):
        closed = ((sine, cosine, -sine, -cosine)[k % 4] - k * closed) / outside
    return xp.where(near, series, closed)


rule(
    "special._sinc",
    jvp=lambda xp, t, ans, x, order: t * xp.special._sinc(x, order + 1),
    vjp=lambda xp, g, ans, x, order: g * conjugate(xp, xp.special._sinc(x, order + 1)),
    keep=(0,),
    implementation=_sinc,
)
BATCHERS["special._sinc"] = lambda xp, call, flags, x, order: call(x, order)
elementwise(
    "special.sinc",  # at 0: removable, to every order
    lambda xp, t, x: t * (math.pi * xp.special._sinc(math.pi * x, 1)),
    implementation=lambda xp, x: _sinc(xp, math.pi * x, 0),
)

# --- two functions on two parts of their arguments


def _namespace(xp: Namespace, *arrays: Array) -> Namespace:
    return next((x.__array_namespace__() for x in arrays if hasattr(type(x), "__unidiff_backend__")), xp)


def _apply_where(
    xp: Namespace, cond: Array, args: Any, f1: Callable[..., Array], f2: Callable[..., Array] | None = None, /, *,
    fill_value: float = 0.0,
) -> Array:  # fmt: skip
    """Return ``f1(*args)`` where the condition holds and ``f2(*args)``, or the fill value, elsewhere.

    Each function sees only the elements that are its own, so that one that is not defined on the others spoils neither values
    nor derivatives, as ``where(cond, f1(x), f2(x))`` may.
    """
    if varies(cond):
        return compositions.apply_where(xp, cond, args, f1, f2, fill_value=fill_value)
    try:
        return _apply_to_parts(xp, cond, args if isinstance(args, tuple) else (args,), f1, f2, fill_value)
    except TracedConversionError:  # of a function that is recorded, or of a lazy library, no number of elements is known
        return compositions.apply_where(xp, cond, args, f1, f2, fill_value=fill_value)


def _apply_to_parts(
    xp: Namespace, cond: Array, arrays: tuple[Any, ...], f1: Callable[..., Array], f2: Callable[..., Array] | None,
    fill_value: float,
) -> Array:  # fmt: skip
    xp = _namespace(xp, cond, *arrays)
    cond, *arrays = xp.broadcast_arrays(cond, *arrays)
    rest = xp.logical_not(cond)
    own = [x[cond] for x in arrays]
    if any(part.shape[0] is None or math.isnan(part.shape[0]) for part in own):
        raise TracedConversionError("how many elements fulfil the condition is not known before it is computed")
    parts = [(cond, f1(*own))]
    if f2 is not None:
        parts.append((rest, f2(*(x[rest] for x in arrays))))
    values = [part for _, part in parts]
    xp = _namespace(xp, *values)
    out = xp.full(cond.shape, fill_value, dtype=xp.result_type(*values), device=device_of(cond))
    for mask, part in parts:
        out[mask] = part
    return out


composite("special.apply_where", _apply_where)
