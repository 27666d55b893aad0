"""Manipulation functions that ``jax.numpy`` has in the form of an earlier version of the standard."""

from typing import Any

import jax.numpy as jnp


def broadcast_arrays(*arrays: Any) -> tuple[Any, ...]:
    """Return the arrays broadcast against one another, as a tuple."""
    return tuple(jnp.broadcast_arrays(*arrays))


def meshgrid(*arrays: Any, indexing: str = "xy") -> tuple[Any, ...]:
    """Return coordinate arrays, as a tuple."""
    return tuple(jnp.meshgrid(*arrays, indexing=indexing))


def permute_dims(x: Any, /, axes: tuple[int, ...]) -> Any:
    """Permute the axes, negative ones counted from the end."""
    return jnp.permute_dims(x, tuple(axis % x.ndim for axis in axes))
