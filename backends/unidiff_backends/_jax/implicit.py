"""Functions with rules of their own and linear systems, by JAX's own means for both."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from unidiff_backends._jax.custom import linear, shown


def with_rules(f: Callable[..., Any], push: Callable[..., Any], _pull: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is evaluated by `f` and differentiated by `push`, which JAX transposes where it needs to."""
    ruled: Callable[..., Any] = jax.custom_jvp(lambda *primals: tuple(f(*primals)))

    def jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        outs = ruled(*primals)
        filled = [
            jnp.zeros_like(x) if t.dtype == jax.dtypes.float0 else shown(t) for x, t in zip(primals, tangents, strict=True)
        ]
        return outs, tuple(push(tuple(filled), tuple(map(shown, primals)), outs))

    ruled.defjvp(jvp)  # type: ignore[attr-defined]  # jax is Any to the type checker
    return ruled


def linear_solve(matvec: Callable[..., Any], constants: Sequence[Any], rhs: Any, solve: Callable[..., Any]) -> Any:
    """Return the solution of ``matvec(constants, x) == rhs``, found by ``solve(apply, rhs)``.

    JAX's own function for it traces the solver and compiles it in each call. Where the operator is known, as it is for a first
    derivative that is not compiled, the solver runs as it is instead, for the right side and for cotangents.
    """
    constants = tuple(constants)

    def apply(v: Any) -> Any:
        return matvec(constants, v)

    if any(isinstance(x, jax.core.Tracer) for x in constants):
        return jax.lax.custom_linear_solve(apply, rhs, solve, solve)

    def transposed(w: Any) -> Any:
        return jax.vjp(apply, jnp.zeros(rhs.shape, rhs.dtype))[1](w)[0]

    return linear(lambda r: solve(apply, r), lambda w: solve(transposed, w), rhs)
