"""Functions with rules of their own and linear systems, by JAX's own means for both."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp


def with_rules(f: Callable[..., Any], push: Callable[..., Any], _pull: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is evaluated by `f` and differentiated by `push`, which JAX transposes where it needs to."""
    ruled: Callable[..., Any] = jax.custom_jvp(lambda *primals: tuple(f(*primals)))

    def jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        outs = ruled(*primals)
        filled = [jnp.zeros_like(x) if t.dtype == jax.dtypes.float0 else t for x, t in zip(primals, tangents, strict=True)]
        return outs, tuple(push(tuple(filled), tuple(primals), outs))

    ruled.defjvp(jvp)  # type: ignore[attr-defined]  # jax is Any to the type checker
    return ruled


def linear_solve(matvec: Callable[..., Any], constants: Sequence[Any], rhs: Any, solve: Callable[..., Any]) -> Any:
    """Return the solution of ``matvec(constants, x) == rhs``, found by ``solve(apply, rhs)``."""
    constants = tuple(constants)
    return jax.lax.custom_linear_solve(lambda v: matvec(constants, v), rhs, solve, solve)
