"""Calls out of a compiled program.

`jax.pure_callback` puts the operands onto a device of JAX before the function sees them, an asynchronous copy in the very
thread pool that runs the program: with few cores and large operands both wait for each other forever (JAX's issue 24255). On
the CPU the buffers of the program are therefore read and written directly, which JAX takes no part in.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from unidiff.errors import DTypeError, ImpureFunctionError

try:
    from jax.experimental.buffer_callback import buffer_callback
except ImportError:  # earlier versions of JAX
    buffer_callback = None


def host_callback(
    f: Callable[..., Any], like: Callable[[], Sequence[tuple[tuple[int, ...], str]]], args: Sequence[Any]
) -> tuple[Any, ...]:
    """Return what a function of plain arrays gives, by a callback with NumPy's arrays where there are no values yet."""
    if not any(isinstance(x, jax.core.Tracer) for x in args):
        return tuple(f(*args))
    shapes = tuple(_declared(shape, dtype) for shape, dtype in like())

    def results(arrays: Sequence[Any]) -> tuple[Any, ...]:
        ys = tuple(f(*arrays))
        _check(ys, shapes)
        return ys

    def write(_context: Any, outs: Sequence[Any], *buffers: Any) -> None:
        # The memory is XLA's, which uses it again: the function gets copies. Within a callback nothing may be asked of JAX.
        ys = results([np.array(np.asarray(x)) for x in buffers])
        for out, y in zip(outs, ys, strict=True):
            np.asarray(out)[...] = y

    def on_cpu(*operands: Any) -> tuple[Any, ...]:
        return tuple(buffer_callback(write, shapes, vmap_method="sequential")(*operands))

    def elsewhere(*operands: Any) -> tuple[Any, ...]:
        def call(*arrays: Any) -> tuple[Any, ...]:
            return results([np.array(x) for x in arrays])

        return tuple(jax.pure_callback(call, shapes, *operands, vmap_method="sequential"))

    if buffer_callback is None:
        return elsewhere(*args)
    found: tuple[Any, ...] = jax.lax.platform_dependent(*args, cpu=on_cpu, default=elsewhere)
    return found


def _declared(shape: tuple[int, ...], dtype: str) -> Any:
    if jax.dtypes.canonicalize_dtype(dtype) != dtype:
        raise DTypeError(f"a function called from JAX returns {dtype}, which JAX does not have unless it runs with 64 bits")
    return jax.ShapeDtypeStruct(shape, dtype)


def _check(ys: Sequence[Any], shapes: Sequence[Any]) -> None:
    """Refuse results of other shapes or dtypes than the program was compiled for."""
    found = [f"{y.dtype}{list(y.shape)}" for y in ys]
    expected = [f"{y.dtype}{list(y.shape)}" for y in shapes]
    if found != expected:
        raise ImpureFunctionError(
            f"A function that is called from a compiled program of JAX returned {', '.join(found) or 'nothing'}, but when the "
            f"program was compiled, with ones for the values, {', '.join(expected) or 'nothing'}: shapes and dtypes must not "
            "depend on values."
        )
