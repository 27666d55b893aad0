"""`jax.jit` behind unidiff's contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax

from unidiff.errors import ArgumentError, TracedConversionError

CONCRETE = (
    jax.errors.ConcretizationTypeError,  # of which the errors of bool(), int() and indices are subclasses
    jax.errors.TracerArrayConversionError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.TracerBoolConversionError,
)


def jit(f: Callable[..., Any], *, has_aux: bool = False, compiler: Any = None) -> Callable[..., Any]:
    """Return the flat function compiled; what it returns beside arrays is that of the call in which JAX traced it."""
    _check(compiler)
    if not has_aux:
        compiled: Callable[..., Any] = jax.jit(f)
        return compiled
    beside: dict[Any, Any] = {}

    def arrays_only(*arrays: Any) -> Any:
        outs, aux = f(*arrays)
        beside[_signature(arrays)] = aux
        return outs

    jitted = jax.jit(arrays_only)

    def call(*arrays: Any) -> Any:
        return jitted(*arrays), beside[_signature(arrays)]

    return call


def _signature(arrays: Sequence[Any]) -> Any:
    return tuple((x.shape, x.dtype) for x in arrays)


def jit_of_trees(f: Callable[..., Any], numbers: Sequence[int], names: Sequence[str], compiler: Any) -> Any:
    """Return ``jax.jit(f)``."""
    _check(compiler)
    return jax.jit(f, static_argnums=tuple(numbers), static_argnames=tuple(names))


def _check(compiler: Any) -> None:
    if compiler is not None:
        raise ArgumentError(f"JAX has one compiler, its own; leave compiler={compiler!r} out.")


def translated(error: Exception) -> Exception | None:
    """Return unidiff's error for one of JAX's about values that are not known yet, None for any other."""
    if not isinstance(error, CONCRETE):
        return None
    return TracedConversionError(
        "a value was needed that an array inside unidiff.jit does not have yet: the function is traced once and then run with"
        " other values. Use unidiff.cond, unidiff.while_loop or xp.where(condition, a, b) instead of a Python branch, and pass"
        " what Python has to know (an axis, a size, a flag) through static_argnums or static_argnames. JAX says: "
        + str(error).partition("\n")[0]
    )
