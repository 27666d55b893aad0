"""The vectorizing map by `jax.vmap`."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from unidiff.errors import VALUE_OF_A_SLICE, TracedConversionError

_NEEDS_VALUES = (
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


def vmap(f: Callable[..., Any], args: Sequence[Any], batched: Sequence[bool], size: int, *, has_aux: bool = False) -> Any:
    """Return the outputs stacked along a first axis; with `has_aux` also what does not depend on the batch.

    Auxiliary outputs are returned as they are, None in the place of one that has the batch.
    """
    varying: list[bool] = []

    def slices(counter: Any, *arrays: Any) -> Any:
        result = f(*arrays)
        outs, aux = result if has_aux else (result, ())
        varying[:] = [_has_batch(x, counter) for x in aux]
        return tuple(outs), tuple(x for x, varies in zip(aux, varying, strict=True) if not varies)

    in_axes = (0, *(0 if flag else None for flag in batched))
    try:
        outs, shared = jax.vmap(slices, in_axes, (0, None))(jax.numpy.arange(size), *args)
    except _NEEDS_VALUES as error:
        raise TracedConversionError(VALUE_OF_A_SLICE) from error
    if not has_aux:
        return outs
    found = iter(shared)
    return outs, tuple(None if varies else next(found) for varies in varying)


def _has_batch(x: Any, counter: Any) -> bool:
    """Say whether an array has the batch that the counter of the slices has."""
    return isinstance(x, jax.core.Tracer) and x._trace is counter._trace and getattr(x, "batch_dim", None) is not None
