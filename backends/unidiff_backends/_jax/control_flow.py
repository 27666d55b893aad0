"""Branches and loops by `jax.lax`."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import jax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from unidiff.errors import IRREVERSIBLE_LOOP, UnsupportedOperationError


def cond(predicate: Any, if_true: Callable[..., Any], if_false: Callable[..., Any], operands: Sequence[Any]) -> Any:
    """Return what one of two functions gives for the operands."""
    return jax.lax.cond(predicate, if_true, if_false, *operands)


def scan(
    f: Callable[..., Any], init: Sequence[Any], xs: Sequence[Any], length: int, reverse: bool
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the last carry and the stacked results of a loop over slices."""
    carry, ys = jax.lax.scan(f, tuple(init), tuple(xs), length=length, reverse=reverse)
    return carry, ys


def while_loop(condition: Callable[..., Any], body: Callable[..., Any], init: Sequence[Any]) -> tuple[Any, ...]:
    """Return the last values of a loop; there is no reverse mode through them."""
    values = jax.lax.while_loop(lambda values: condition(*values), lambda values: body(*values), tuple(init))
    return tuple(_irreversible_p.bind(x) if jax.numpy.issubdtype(x.dtype, jax.numpy.inexact) else x for x in values)


def _refuse(*_args: Any) -> NoReturn:
    raise UnsupportedOperationError(IRREVERSIBLE_LOOP)


# The identity, whose transpose is asked for before that of the loop.
_irreversible_p = Primitive("irreversible")
_irreversible_p.def_impl(lambda x: x)
_irreversible_p.def_abstract_eval(lambda x: x)
ad.deflinear2(_irreversible_p, _refuse)
batching.primitive_batchers[_irreversible_p] = lambda args, dims: (_irreversible_p.bind(*args), *dims)
mlir.register_lowering(_irreversible_p, lambda _context, x: [x])
