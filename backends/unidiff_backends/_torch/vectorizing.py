"""The vectorizing map by `torch.func.vmap`."""

from collections.abc import Sequence
from typing import Any

import torch

from unidiff.errors import VALUE_OF_A_SLICE, TracedConversionError
from unidiff_backends._torch.memory import owned
from unidiff_backends._torch.reverse import TensorFunction, Tensors, functorch_active

_NEEDS_VALUES = (
    "data-dependent control flow",
    "calling .item() on a Tensor",
    "can output dynamic shape",
    "can support dynamic shape",
    "Batching rule not implemented for aten::nonzero",
    "Cannot access data pointer of Tensor that doesn't have storage",
)
"""What PyTorch says where a function needs the value of a slice."""


def vmap(f: TensorFunction, args: Tensors, batched: Sequence[bool], size: int, *, has_aux: bool = False) -> Any:
    """Return the outputs stacked along a first axis; with `has_aux` also what does not depend on the batch.

    Auxiliary outputs are returned as they are, None in the place of one that has the batch.
    """
    varying: list[bool] = []
    inside = functorch_active()

    def slices(*tensors: torch.Tensor) -> tuple[Tensors, Tensors]:
        result = f(*tensors)
        outs, aux = result if has_aux else (result, ())
        varying[:] = [_has_batch(x) for x in aux]
        return tuple(outs), tuple([x for x, varies in zip(aux, varying, strict=True) if not varies])

    # PyTorch maps over at least one argument, of at least one slice; what is written to a slice would reach the caller.
    counter = torch.arange(max(size, 1), device=args[0].device if args else None)
    given = [x if inside else x.clone() for x in args]
    if not size:
        given = [x.new_ones((1, *x.shape[1:])) if flag else x for x, flag in zip(given, batched, strict=True)]
    in_dims = (0, *[0 if flag else None for flag in batched])
    mapped = torch.func.vmap(lambda _, *xs: slices(*xs), in_dims, (0, None), randomness="different")
    outs, shared = _with_remedy(mapped, counter, *given)
    if not inside:
        owned_results = owned([*outs, *shared], args)
        outs, shared = owned_results[: len(outs)], owned_results[len(outs) :]
    outs = tuple([x[:size] for x in outs]) if not size else tuple(outs)
    if not has_aux:
        return outs
    found = iter(shared)
    return outs, tuple([None if varies else next(found) for varies in varying])


def _has_batch(x: torch.Tensor) -> bool:
    """Tell whether a tensor has the batch of the map that is being evaluated."""
    functorch = torch._C._functorch
    return bool(functorch.is_batchedtensor(x) and functorch.maybe_get_level(x) == functorch.maybe_current_level())


def _with_remedy(mapped: Any, *args: torch.Tensor) -> Any:
    try:
        return mapped(*args)
    except RuntimeError as error:
        if not any(text in str(error) for text in _NEEDS_VALUES):
            raise
        raise TracedConversionError(VALUE_OF_A_SLICE) from error
