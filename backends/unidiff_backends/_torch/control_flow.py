"""Branches and loops whose course depends on values; under `torch.func.vmap` every slice has its own course.

There both branches are evaluated and each slice chooses, and a loop goes round until every slice is done, those that are done
keeping their values.
"""

from collections.abc import Callable
from typing import Any

import torch

from unidiff.errors import IRREVERSIBLE_LOOP, UnsupportedOperationError
from unidiff_backends._torch.custom import Operation, Partial, differentiating
from unidiff_backends._torch.mended import where
from unidiff_backends._torch.reverse import Tensors

_functorch = torch._C._functorch


def cond(
    predicate: torch.Tensor, if_true: Callable[..., Tensors], if_false: Callable[..., Tensors], operands: Tensors
) -> Tensors:
    """Return what one of two functions gives for the operands."""
    value, batch = _innermost(predicate)
    if batch is None or bool(torch.all(value)):
        return (if_true if bool(torch.all(value)) else if_false)(*operands)
    if not bool(torch.any(value)):
        return if_false(*operands)
    otherwise = torch.logical_not(predicate)
    chosen = if_true(*[_where_own(batch, predicate, x) for x in operands])
    other = if_false(*[_where_own(batch, otherwise, x) for x in operands])
    return tuple([where(predicate, x, y) for x, y in zip(chosen, other, strict=True)])


def while_loop(condition: Callable[..., torch.Tensor], body: Callable[..., Tensors], init: Tensors) -> Tensors:
    """Return the last values of a loop; there is no reverse mode through them."""
    values = init
    while True:
        going = condition(*values)
        value, batch = _innermost(going)
        if not bool(torch.any(value)):
            break
        after = body(*values)
        values = after if batch is None else tuple([where(going, x, y) for x, y in zip(after, values, strict=True)])
    return tuple([_irreversible(x) for x in values])


def _innermost(x: torch.Tensor) -> tuple[torch.Tensor, int | None]:
    """Return the plain tensor beneath all transforms, and the level of the innermost vectorizing map among those."""
    batch = None
    while _functorch.is_functorch_wrapped_tensor(x):
        if batch is None and _functorch.is_batchedtensor(x):
            batch = _functorch.maybe_get_level(x)
        x = _functorch.get_unwrapped(x)
    return x, batch


def _at_level(x: torch.Tensor, level: int) -> torch.Tensor | None:
    """Return the batch that a tensor is of at the level of a vectorizing map, its first axis; None where it has none."""
    while _functorch.is_functorch_wrapped_tensor(x) and _functorch.maybe_get_level(x) > level:
        x = _functorch.get_unwrapped(x)
    if not (_functorch.is_batchedtensor(x) and _functorch.maybe_get_level(x) == level):
        return None
    batch: torch.Tensor = torch.movedim(_functorch.get_unwrapped(x), _functorch.maybe_get_bdim(x), 0)
    return batch


def _where_own(level: int, own: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return an operand of a branch with that of a slice that takes it in the place of those of all slices that do not.

    A function that is not defined for these would otherwise turn the zeros of their derivatives into NaN.
    """
    batch, flags = _at_level(x, level), _at_level(own, level)
    if batch is None or flags is None:
        return x
    first = torch.argmax(flags.to(torch.int8))
    spare = torch.index_select(batch.detach(), 0, first.reshape(1))[0]
    return torch.where(own, x, spare)


def _irreversible(x: torch.Tensor) -> torch.Tensor:
    if not (x.is_floating_point() or x.is_complex()) or not differentiating((x,)):
        return x
    (result,) = Operation(lambda x: (x.clone(),), _push, _refuse)(x)
    return result


def _push(tangents: Partial, primals: Tensors, _outs: Tensors) -> Tensors:
    return tuple([torch.zeros_like(x) if t is None else _irreversible(t) for t, x in zip(tangents, primals, strict=True)])


def _refuse(*_args: Any) -> Partial:
    raise UnsupportedOperationError(IRREVERSIBLE_LOOP)
