"""Indexing: parts of an array, replaced parts, and the sums into parts that pull parts back."""

from __future__ import annotations

from unidiff.engine.extend import part_cotangent, rule

rule(
    "_getitem",
    jvp=lambda xp, t, ans, x, key: xp._getitem(t, key),
    vjp=lambda xp, g, ans, x, key: part_cotangent(x.shape, key, g),
    keep=(1,),
    view=True,
)
rule(
    "_scatter",
    jvp=lambda xp, t, ans, values, shape, key: xp._scatter(t, shape, key),
    vjp=lambda xp, g, ans, values, shape, key: xp._getitem(g, key),
    keep=(1, 2),
)
rule(
    "_setitem",
    jvp=(
        lambda xp, t, ans, x, value, key: xp._setitem(t, xp.zeros((), dtype=t.dtype, device=x.device), key),
        lambda xp, t, ans, x, value, key: xp._setitem(xp.zeros_like(ans, dtype=t.dtype), t, key),
    ),
    vjp=(
        lambda xp, g, ans, x, value, key: xp._setitem(g, xp.zeros((), dtype=g.dtype, device=g.device), key),
        lambda xp, g, ans, x, value, key: xp._getitem(g, key),
    ),
    keep=(2,),
)
