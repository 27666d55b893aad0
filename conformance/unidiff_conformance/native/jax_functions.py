"""JAX: ``jax.numpy`` and JAX's transforms, evaluated without compilation."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unidiff_conformance.native.adapter import Arrays, Function, Native


class Jax(Native):
    """JAX's own derivatives."""

    name = distribution = "jax"
    conjugates = True

    def namespace(self, *_arrays: Any) -> Any:
        """Return ``jax.numpy``."""
        return jnp

    def asarray(self, obj: Any, *, dtype: str) -> Any:
        """Return a NumPy array as one of JAX."""
        return jnp.asarray(obj, dtype=dtype)

    def to_numpy(self, x: Any) -> Any:
        """Return an array as one of NumPy."""
        return np.asarray(x)

    def vjp(self, f: Function, primals: Arrays) -> tuple[tuple[Any, ...], Callable[[Arrays], tuple[Any, ...]]]:
        """Return what ``jax.vjp`` does."""
        outs, pullback = jax.vjp(f, *primals)
        return outs, lambda cotangents: tuple(pullback(tuple(cotangents)))

    def jvp(self, f: Function, primals: Arrays, tangents: Arrays) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return what ``jax.jvp`` does."""
        outs, pushed = jax.jvp(f, tuple(primals), tuple(tangents))
        return tuple(outs), tuple(pushed)
