"""Optimizer steps on JAX arrays: one compiled program for all leaves, which takes over the memory that the caller gives up."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any

import jax
import jax.numpy as jnp

from unidiff_backends._jax.namespace import numpy as namespace

__all__ = ["step"]

_Array = type(jnp.zeros(()))
"""The type of arrays that are not traced."""

Arrays = Sequence[Any]
_dtype = attrgetter("dtype")


def step(
    method: Any, params: Arrays, grads: Arrays, slots: Mapping[str, Arrays], scalars: Mapping[str, float], *, donate: bool
) -> Any:
    """Return ``(params, slots)`` after a step, or NotImplemented; see `unidiff.backend.Backend`."""
    columns = [params, grads, *slots.values()]
    if any(set(map(type, column)) - {_Array} for column in columns):
        return NotImplemented
    if donate and len(set(map(id, chain(params, *slots.values())))) < len(params) * (1 + len(slots)):
        donate = False  # an array that occurs twice cannot be given up twice
    cast = [_cast(scalars, dtype) for dtype in dict.fromkeys(map(_dtype, params))]
    return _program(method.fixed, donate)(params, dict(slots), grads, cast)


@lru_cache(maxsize=128)
def _program(method: Any, donate: bool) -> Callable[..., Any]:
    """Return the compiled step of a method; what changes from step to step comes as arguments.

    The arrays that are given up come first: XLA's program for the CPU is a tenth slower when others lie between them.
    """

    def run(params: Arrays, slots: Mapping[str, Arrays], grads: Arrays, scalars: Sequence[Mapping[str, Any]]) -> Any:
        cast = dict(zip(dict.fromkeys(map(_dtype, params)), scalars, strict=True))
        moved: list[Any] = []
        new: dict[str, list[Any]] = {name: [] for name in slots}
        for k, (p, g) in enumerate(zip(params, grads, strict=True)):
            update, held = method.kernel(namespace, g, p, {name: xs[k] for name, xs in slots.items()}, cast[p.dtype])
            moved.append(p + update)
            for name, x in held.items():
                new[name].append(x)
        return moved, new

    compiled: Callable[..., Any] = jax.jit(run, donate_argnums=(0, 1) if donate else ())
    return compiled


def _cast(scalars: Mapping[str, float], dtype: Any) -> dict[str, Any]:
    """Return the scalars in the real dtype of a precision: on the host, so that no conversion is within the program."""
    real = jnp.finfo(dtype).dtype.type
    return {name: real(x) for name, x in scalars.items()}
