"""Functions with rules of their own and linear systems, by JAX's own means for both."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import jaxpr_as_fun

from unidiff.errors import TracedConversionError
from unidiff_backends._jax.compiling import CONCRETE
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


def closure_convert(f: Callable[..., Any], args: Sequence[Any]) -> tuple[Callable[..., Any], tuple[Any, ...]] | None:
    """Return ``f`` as a function of the arrays that it holds and of its arguments, and these; None where none is traced."""
    try:
        program: Any = jax.make_jaxpr(lambda *xs: tuple(f(*xs)))(*args)
    except CONCRETE as error:
        raise TracedConversionError(_NO_VALUES) from error
    places = [k for k, x in enumerate(program.consts) if isinstance(x, jax.core.Tracer)]
    if not places and not any(isinstance(x, jax.core.Tracer) for x in args):
        return None
    count, jaxpr, constants = len(places), program.jaxpr, list(program.consts)

    def converted(*arrays: Any) -> tuple[Any, ...]:
        full = constants.copy()
        for k, x in zip(places, arrays, strict=False):
            full[k] = x
        return tuple(jaxpr_as_fun(type(program)(jaxpr, full))(*arrays[count:]))

    return converted, tuple(constants[k] for k in places)


_NO_VALUES = (
    "JAX records the operator of a linear system without values to differentiate its solution, so Python cannot branch on an"
    " array in it, nor take it for a number. Use unidiff.cond, unidiff.while_loop or xp.where(condition, a, b)."
)


def linear_solve(
    matvec: Callable[..., Any],
    constants: Sequence[Any],
    rhs: Any,
    solve: Callable[..., Any],
    preconditioner: Callable[..., Any] | None = None,
) -> Any:
    """Return the solution of ``matvec(constants, x) == rhs``, found by ``solve(apply, rhs)``.

    JAX's own function for it traces the solver and compiles it in each call. Where the operator is known, as it is for a first
    derivative that is not compiled, the solver runs as it is instead, for the right side and for cotangents.
    """
    constants = tuple(constants)

    def at_constants(function: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """Return a linear function of a vector and its transpose."""
        return (
            lambda v: function(constants, v),
            lambda w: jax.vjp(lambda v: function(constants, v), jnp.zeros(rhs.shape, rhs.dtype))[1](w)[0],
        )

    apply, transposed = at_constants(matvec)
    pair: tuple[Any, ...] = () if preconditioner is None else at_constants(preconditioner)
    if any(isinstance(x, jax.core.Tracer) for x in constants):
        # JAX transposes this operator as it is; its tangent map is the same one with all rules of functions in it applied.
        tangent_map = partial(lambda zero, v: jax.jvp(apply, (zero,), (v,))[1], jnp.zeros(rhs.shape, rhs.dtype))
        return jax.lax.custom_linear_solve(
            tangent_map, rhs, lambda a, r: solve(a, r, *pair[:1]), lambda a, r: solve(a, r, *pair[1:])
        )
    return linear(lambda r: solve(apply, r, *pair[:1]), lambda w: solve(transposed, w, *pair[1:]), rhs)
