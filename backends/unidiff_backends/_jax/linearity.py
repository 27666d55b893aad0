"""Maps that are to be transposed, as the rule of `unidiff.custom_jvp` is, must be linear.

JAX finds most of those that are not while it transposes them, and says so by assertions. Here results of a rule go through the
identity, whose transpose, which is asked for first, tries that with arrays without values.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from unidiff.errors import NONLINEAR, NonlinearRuleError
from unidiff_backends._jax.compiling import CONCRETE


def require_linear(linear: Callable[..., Sequence[Any]], constants: Sequence[Any], like: Sequence[Any], what: str) -> None:
    """Raise where ``linear(constants, vectors)`` is not linear in vectors of these kinds."""
    kinds = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in like]

    def transposed(constants: Sequence[Any]) -> Any:
        at_constants = lambda *xs: tuple(linear(constants, xs))  # noqa: E731
        outs = jax.eval_shape(at_constants, *kinds)
        return jax.linear_transpose(at_constants, *kinds)(tuple(jnp.zeros(y.shape, y.dtype) for y in outs))

    try:
        jax.eval_shape(transposed, [jax.ShapeDtypeStruct(jnp.shape(x), x.dtype) for x in constants])
    except CONCRETE:
        return  # a rule that needs values: JAX transposes what it has recorded of it
    except (NotImplementedError, AssertionError) as error:
        operation = str(error).partition("for '")[2].partition("'")[0]
        raise NonlinearRuleError(NONLINEAR.format(what=what, found=f"it takes {operation or 'a product'} of them")) from error
    with jax.ensure_compile_time_eval():
        known = [_some_value(x) if isinstance(x, jax.core.Tracer) else x for x in constants]
        at_zero = linear(known, [jnp.zeros(x.shape, x.dtype) for x in kinds])
        if any(not isinstance(y, jax.core.Tracer) and bool(jnp.any((y != 0) & jnp.isfinite(y))) for y in at_zero):
            raise NonlinearRuleError(NONLINEAR.format(what=what, found="it is not zero where they are"))


def _some_value(x: Any) -> Any:
    """Return an array of the kind of a traced one: what a rule adds to zero shows for it, too."""
    return jnp.full(x.shape, 0.7 if jnp.issubdtype(x.dtype, jnp.inexact) else 0, x.dtype)


def require_linear_for_reverse(
    linear: Callable[..., Sequence[Any]],
    constants: Sequence[Any],
    like: Sequence[Any],
    results: Sequence[Any],
    what: str,
    found_linear: list[bool],
) -> Sequence[Any]:
    """Return the results of such a map of vectors, which is looked at where cotangents come to them.

    The vectors take part, so that this is also so for results that do not depend on them, as those of a map that is not linear.
    """
    count = len(results)

    def check() -> None:
        if not found_linear:
            require_linear(linear, constants, like, what)
            found_linear.append(True)

    return _transposable_p.bind(*results, *like, count=count, check=check)  # type: ignore[no-any-return]  # of JAX


_transposable_p = Primitive("transposable")
_transposable_p.multiple_results = True


def _first(*xs: Any, count: int, check: Any) -> list[Any]:
    return list(xs[:count])


def _transpose(cotangents: Any, *operands: Any, count: int, check: Any) -> list[Any]:
    if all(type(ct) is ad.Zero for ct in cotangents):
        return [None] * len(operands)
    check()
    pulled = [ct if ad.is_undefined_primal(x) else None for ct, x in zip(cotangents, operands, strict=False)]
    return pulled + [None] * (len(operands) - count)


def _jvp(primals: Any, tangents: Any, *, count: int, check: Any) -> Any:
    full = [ad.instantiate_zeros(t) for t in tangents]
    return tuple(_transposable_p.bind(*xs, count=count, check=check) for xs in (primals, full))


def _batch(operands: Any, dims: Any, *, count: int, check: Any) -> Any:
    return _transposable_p.bind(*operands, count=count, check=check), dims[:count]


_transposable_p.def_impl(_first)
_transposable_p.def_abstract_eval(_first)
ad.primitive_jvps[_transposable_p] = _jvp
ad.primitive_transposes[_transposable_p] = _transpose
batching.primitive_batchers[_transposable_p] = _batch
mlir.register_lowering(_transposable_p, lambda _context, *xs, count, check: list(xs[:count]))
