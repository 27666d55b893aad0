"""Sorting, searching and set functions that ``jax.numpy`` has otherwise, or without a derivative."""

from typing import Any

import jax
import jax.numpy as jnp


def sort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """Return the sorted array; JAX reverses the order of equal elements when descending, here they keep it."""
    if not descending:
        return jnp.sort(x, axis=axis, stable=stable)
    order = jnp.argsort(jax.lax.stop_gradient(x), axis=axis, descending=True, stable=True)
    return jnp.take_along_axis(x, order, axis=axis)


def searchsorted(x1: Any, x2: Any, /, *, side: str = "left", sorter: Any = None) -> Any:
    """Return where to insert; JAX gives indices of 32 bits, the standard asks for the default dtype of indices."""
    return jnp.searchsorted(x1, x2, side=side, sorter=sorter).astype(jax.dtypes.canonicalize_dtype(int))


def _unique(x: Any) -> tuple[Any, Any]:
    """Return the distinct values, gathered so that they differentiate, and everything JAX says of them."""
    found = jnp.unique_all(jax.lax.stop_gradient(x))
    return jnp.take(jnp.ravel(x), found.indices), found


def unique_all(x: Any, /) -> Any:
    """Return distinct values, first indices, inverse and counts; JAX takes 0 for the derivative of the values."""
    values, found = _unique(x)
    return found._replace(values=values)


def unique_counts(x: Any, /) -> Any:
    """Return distinct values and their counts; JAX takes 0 for the derivative of the values."""
    return jnp.unique_counts(jax.lax.stop_gradient(x))._replace(values=_unique(x)[0])


def unique_inverse(x: Any, /) -> Any:
    """Return distinct values and the inverse; JAX takes 0 for the derivative of the values."""
    return jnp.unique_inverse(jax.lax.stop_gradient(x))._replace(values=_unique(x)[0])


def unique_values(x: Any, /) -> Any:
    """Return the distinct values; JAX takes 0 for their derivative."""
    return _unique(x)[0]
