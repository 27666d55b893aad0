"""How a function of ``jax.numpy`` gets derivatives other than its own."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

jit = partial(jax.jit, inline=True)
"""What ``jax.numpy`` does to its own functions: one dispatch for an eager call, no trace of it in a compiled program."""


def with_tangents(function: Callable[..., Any], *pushes: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of arrays of one floating dtype with a derivative of its own.

    Parameters
    ----------
    function : callable
        Computes the value from positional arrays.
    *pushes : callable
        One for each of the leading arguments: ``push(t, ans, *args)`` maps its tangent to that of the result, linearly in
        ``t``. They are not called for constants, and are differentiated themselves for higher orders; JAX transposes them
        for reverse mode. The result has derivative 0 with respect to arguments beyond them.

    Returns
    -------
    callable
    """
    wrapped: Callable[..., Any] = jax.custom_jvp(function)

    def jvp(primals: Any, tangents: Any) -> Any:
        ans = wrapped(*primals)
        parts = [push(t, ans, *primals) for push, t in zip(pushes, tangents, strict=False) if not isinstance(t, SymbolicZero)]
        return ans, sum(parts[1:], parts[0]) if parts else jnp.zeros_like(ans)

    wrapped.defjvp(jvp, symbolic_zeros=True)  # type: ignore[attr-defined]  # JAX is untyped here
    return wrapped


def with_push(function: Callable[..., Any], push: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of one floating array with a derivative of its own.

    Parameters
    ----------
    function : callable
        Computes the value, an array or a tuple of arrays, from an array.
    push : callable
        ``push(t, ans, x)`` maps the tangent to those of the result, linearly in ``t``.

    Returns
    -------
    callable
    """
    wrapped: Callable[..., Any] = jax.custom_jvp(function)

    def jvp(primals: Any, tangents: Any) -> Any:
        ans = wrapped(*primals)
        return ans, push(*tangents, ans, *primals)

    wrapped.defjvp(jvp)  # type: ignore[attr-defined]  # JAX is untyped here
    return wrapped


def promoted(*args: Any) -> list[Any]:
    """Return the arguments in their common dtype, which is floating."""
    dtype = jnp.result_type(*args)
    return [jnp.asarray(x, dtype=dtype) for x in args]


def is_floating(*args: Any) -> bool:
    """Say whether the common dtype of the arguments is real or complex floating, so that there is a derivative at all."""
    return jnp.issubdtype(jnp.result_type(*args), jnp.inexact)


def is_complex(*args: Any) -> bool:
    """Say whether the common dtype of the arguments is complex."""
    return jnp.issubdtype(jnp.result_type(*args), jnp.complexfloating)


def masked_divide(x: Any, y: Any) -> Any:
    """Return x / y, and 0 with derivatives 0 where y is 0."""
    origin = y == 0
    return jnp.where(origin, 0, x) / jnp.where(origin, 1, y)
