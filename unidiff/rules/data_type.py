"""Data type functions, and the move between devices."""

from __future__ import annotations

from typing import Any

from unidiff.engine.extend import Array, Namespace, device_of, rule, zero


def _astype_pull(xp: Namespace, g: Array, ans: Any, x: Any, dtype: Any, **options: Any) -> Array:
    return g if options.get("device") is None else xp._to_device(g, device_of(x))


rule(
    "astype",
    jvp=lambda xp, t, ans, x, dtype, **options: xp.astype(t, dtype, **options),
    vjp=_astype_pull,
    arguments=lambda x, dtype, /, **options: ((x, dtype), options),
)
rule(
    "_to_device",
    jvp=lambda xp, t, ans, x, device: xp._to_device(t, device),
    vjp=lambda xp, g, ans, x, device: xp._to_device(g, device_of(x)),
)
zero("can_cast", "finfo", "iinfo", "isdtype", "result_type")
