"""Indexing: parts of an array, replaced parts, and the sums into parts that pull parts back."""

from __future__ import annotations

from typing import Any

from unidiff.engine.extend import Array, Namespace, part_cotangent, plain_key, rule

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

# --- item assignment


def _lasting(xp: Namespace, g: Array, shape: tuple[int, ...], key: Any) -> Array:
    """Return the part of ``g`` at ``key``, with 0 for elements that a later one of the same place overwrote."""
    part = xp._getitem(g, key)
    if not any(_is_integer_array(xp, index) for index in (key if isinstance(key, tuple) else (key,))):
        return part
    turns = xp.reshape(xp.arange(part.size, device=part.device), part.shape)
    last = xp._setitem(xp.zeros(shape, dtype=turns.dtype, device=part.device), turns, key)
    return xp.where(xp._getitem(last, key) == turns, part, xp.zeros_like(part))


def _is_integer_array(xp: Namespace, index: Any) -> bool:
    return hasattr(index, "dtype") and bool(xp.isdtype(index.dtype, "integral"))


rule(
    "_setitem",
    jvp=(
        lambda xp, t, ans, x, value, key: xp._setitem(t, xp.zeros((), dtype=t.dtype, device=x.device), key),
        lambda xp, t, ans, x, value, key: xp._setitem(xp.zeros_like(ans, dtype=t.dtype), t, key),
    ),
    vjp=(
        lambda xp, g, ans, x, value, key: xp._setitem(g, xp.zeros((), dtype=g.dtype, device=x.device), key),
        lambda xp, g, ans, x, value, key: _lasting(xp, g, x.shape, key),
    ),
    keep=(2,),
)

# --- indices as arrays


def _take_pull(xp: Namespace, g: Array, ans: Any, x: Any, indices: Array, *, axis: int | None = None) -> Any:
    axis = 0 if axis is None else axis % x.ndim
    return part_cotangent(x.shape, plain_key((*(slice(None),) * axis, indices, Ellipsis)), g)


rule(
    "take",
    jvp=(lambda xp, t, ans, x, indices, **options: xp.take(t, indices, **options), None),
    vjp=(_take_pull, None),
    keep=(1,),
)


def _take_along_axis_pull(xp: Namespace, g: Array, ans: Any, x: Any, indices: Array, *, axis: int = -1) -> Any:
    """Add to the places that the indices and the coordinates along the other axes name."""
    axis %= x.ndim
    key: list[Array] = []
    for a, n in enumerate(x.shape):
        places = xp.arange(n, dtype=indices.dtype, device=x.device)
        key.append(indices if a == axis else xp.reshape(places, tuple(n if b == a else 1 for b in range(x.ndim))))
    return part_cotangent(x.shape, plain_key(tuple(key)), g)


rule(
    "take_along_axis",
    jvp=(lambda xp, t, ans, x, indices, **options: xp.take_along_axis(t, indices, **options), None),
    vjp=(_take_along_axis_pull, None),
    keep=(1,),
)
