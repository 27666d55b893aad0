"""Manipulation functions."""

from __future__ import annotations

from unidiff.engine.extend import rule, sum_to_shape

rule(
    "reshape",
    jvp=lambda xp, t, ans, x, /, shape, *, copy=None: xp.reshape(t, shape),
    vjp=lambda xp, g, ans, x, /, shape, *, copy=None: xp.reshape(g, x.shape),
    view=True,
)
rule(
    "broadcast_to",
    jvp=lambda xp, t, ans, x, /, shape: xp.broadcast_to(t, shape),
    vjp=lambda xp, g, ans, x, /, shape: sum_to_shape(xp, g, x.shape),
    view=True,
)
rule(
    "astype",
    jvp=lambda xp, t, ans, x, /, dtype, **options: xp.astype(t, dtype),
    vjp=lambda xp, g, ans, x, /, dtype, **options: g,
    view=True,
)
