"""Creation functions.

Most make constants. Those that take numbers also take traced 0-d arrays and are then linear functions of them. ``asarray`` is
part of the engine (`unidiff.engine.namespace`), because it takes nested sequences.
"""

from __future__ import annotations

import operator
from typing import Any

from unidiff.engine.extend import Array, Namespace, composite, creation, device_of, nondifferentiable, rule, zero

creation("empty", "eye", "ones", "zeros")
zero("empty_like", "ones_like", "zeros_like")
nondifferentiable("from_dlpack", "the other library would get a plain array without its derivative")


def _array_like(x: Any) -> bool:
    return hasattr(x, "shape")


def _filled(xp: Namespace, shape: tuple[int, ...], value: Array, dtype: Any, device: Any) -> Array:
    value = value if dtype is None else xp.astype(value, dtype)
    value = value if device is None else xp._to_device(value, device)
    return xp.broadcast_to(value, shape)


def _full(xp: Namespace, shape: int | tuple[int, ...], value: Array, /, *, dtype: Any = None, device: Any = None) -> Array:
    return _filled(xp, (shape,) if isinstance(shape, int) else tuple(shape), value, dtype, device)


def _full_like(xp: Namespace, x: Array, value: Any, /, *, dtype: Any = None, device: Any = None) -> Array:
    dtype = x.dtype if dtype is None else dtype
    device = device_of(x) if device is None else device
    if _array_like(value):
        return _filled(xp, tuple(x.shape), value, dtype, device)
    return xp.full(tuple(x.shape), value, dtype=dtype, device=device)


creation("full", implementation=_full, arguments=lambda shape, fill_value, **options: ((shape, fill_value), options))
creation("full_like", implementation=_full_like, arguments=lambda x, /, fill_value, **options: ((x, fill_value), options))


def _linspace(
    xp: Namespace, start: Any, stop: Any, num: int, /, *, dtype: Any = None, device: Any = None, endpoint: bool = True
) -> Array:
    """Interpolate: exact at both ends, and linear in them."""
    ends = [x for x in (start, stop) if _array_like(x)]
    dtype = xp.result_type(*ends) if dtype is None else dtype
    weights = xp.linspace(0.0, 1.0, num, dtype=_real(xp, dtype), device=device or device_of(ends[0]), endpoint=endpoint)
    return xp.astype(start * (1 - weights) + stop * weights, dtype)


def _real(xp: Namespace, dtype: Any) -> Any:
    return xp.float32 if dtype in (xp.float32, xp.complex64) else xp.float64


def _arange(xp: Namespace, start: Any, stop: Any, step: Any, /, *, dtype: Any = None, device: Any = None) -> Array:
    """Count the steps, a piecewise constant function of the three numbers, and walk them."""
    if stop is None:
        start, stop = 0, start
    numbers = [x for x in (start, stop, step) if _array_like(x)]
    dtype = xp.result_type(*numbers) if dtype is None else dtype
    count = max(0, operator.index(xp.astype(xp.ceil((stop - start) / step), xp.int64)))
    return xp.astype(start + step * xp.arange(count, dtype=dtype, device=device or device_of(numbers[0])), dtype)


creation(
    "linspace",
    implementation=_linspace,
    arguments=lambda start, stop, /, num, **options: ((start, stop, num), options),
)
creation(
    "arange",
    implementation=_arange,
    arguments=lambda start, /, stop=None, step=1, **options: ((start, stop, step), options),
)


def _meshgrid(xp: Namespace, *arrays: Array, indexing: str = "xy") -> tuple[Array, ...]:
    axes = list(range(len(arrays)))
    if indexing == "xy":
        axes[:2] = axes[:2][::-1]
    shape = [1] * len(arrays)
    for x, axis in zip(arrays, axes, strict=True):
        shape[axis] = x.size
    return tuple(
        xp.broadcast_to(xp.reshape(x, tuple(x.size if a == axis else 1 for a in range(len(arrays)))), tuple(shape))
        for x, axis in zip(arrays, axes, strict=True)
    )


composite("meshgrid", _meshgrid)

# --- parts of matrices

rule(
    "tril",
    jvp=lambda xp, t, ans, x, **options: xp.tril(t, **options),
    vjp=lambda xp, g, ans, x, **options: xp.tril(g, **options),
)
rule(
    "triu",
    jvp=lambda xp, t, ans, x, **options: xp.triu(t, **options),
    vjp=lambda xp, g, ans, x, **options: xp.triu(g, **options),
)
