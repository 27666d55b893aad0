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
    MissingRuleError,
    Namespace,
    UnsupportedOperationError,
    elementwise,
    is_complex,
    rule,
)
from unidiff.rules.batching import shifted

Axis = int | tuple[int, ...] | None

# --- sums of exponentials


def _finite(xp: Namespace, x: Array) -> Array:
    return xp.where(xp.isfinite(x), x, 0.0)


def _real_max(xp: Namespace, x: Array, axis: Axis) -> Array:
    return xp.max(xp.real(x) if is_complex(xp, x) else x, axis=axis, keepdims=True)


def _logsumexp(xp: Namespace, x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    if x.size == 0:
        total = xp.sum(x, axis=axis, dtype=x.dtype, keepdims=keepdims)
        return total - math.inf
    shift = _finite(xp, _real_max(xp, x, axis))
    total = xp.sum(xp.exp(x - shift), axis=axis, dtype=x.dtype, keepdims=True)
    empty = total == 0
    ans = xp.where(empty, -math.inf, xp.log(xp.where(empty, 1.0, total)) + shift)
    return ans if keepdims else xp.sum(ans, axis=axis, dtype=x.dtype)


def _weights(xp: Namespace, x: Array, axis: Axis) -> Array:
    """Return exp(x) over its sum; equal shares among infinities that decide the sum: minimum norm."""
    if x.size == 0:
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
    if x.size == 0:
        return x + 0.0
    powers = xp.exp(x - _real_max(xp, x, axis))
    return powers / xp.sum(powers, axis=axis, dtype=x.dtype, keepdims=True)


def _log_softmax(xp: Namespace, x: Array, /, *, axis: Axis = None) -> Array:
    if x.size == 0:
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


def _times_log(xp: Namespace, x: Array, y: Array, logarithm: Callable[[Array], Array], shift: float) -> Array:
    vanishes = x == 0
    safe = xp.where(vanishes, xp.ones_like(y) - shift, y) if hasattr(y, "shape") else xp.where(vanishes, 1.0 - shift, y * xp.ones_like(x))
    return xp.where(vanishes, xp.zeros_like(safe), x * logarithm(safe))


def _xlogy(xp: Namespace, x: Any, y: Any, /) -> Array:
    return _times_log(xp, x, y, xp.log, 0.0)


def _xlog1py(xp: Namespace, x: Any, y: Any, /) -> Array:
    return _times_log(xp, x, y, xp.log1p, 1.0)
