"""Statistical functions."""

from __future__ import annotations

from unidiff.engine.extend import expand_reduced_like, rule

rule(
    "sum",
    jvp=lambda xp, t, ans, x, **options: xp.sum(t, **options),
    vjp=lambda xp, g, ans, x, *, axis=None, dtype=None, keepdims=False: expand_reduced_like(xp, g, x, axis, keepdims),
)
