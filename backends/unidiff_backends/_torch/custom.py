"""Functions with derivatives of our own, by `torch.autograd.Function`, that work in every nesting of transforms.

What PyTorch leaves to do, beside the derivatives themselves: forward mode within forward mode, which it takes for zero, and
batching, for which the derivatives are batched as ordinary functions.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch._C._functorch import TransformType, _unwrap_for_grad, _wrap_for_grad, unwrap_if_dead
from torch._functorch.pyfunctorch import retrieve_current_functorch_interpreter
from torch.autograd import forward_ad

from unidiff_backends._torch.reverse import Tensors, functorch_active

Partial = Sequence[torch.Tensor | None]
"""Tangents or cotangents; None where there is none, which is zero."""


@dataclass(frozen=True, eq=False)
class Operation:
    """A function of tensors with its derivatives.

    Parameters
    ----------
    call : callable
        ``call(*primals) -> outs``, a tuple.
    push : callable
        ``push(tangents, primals, outs) -> tangents_out``.
    pull : callable
        ``pull(needs, cotangents, primals, outs) -> cotangents_in``, with None where ``needs``, one flag for each primal, is
        false.
    pointwise : bool
        Whether it acts element by element on its only argument, so that a batch is just more elements.
    """

    call: Callable[..., Tensors]
    push: Callable[[Partial, Tensors, Tensors], Tensors]
    pull: Callable[[Sequence[bool], Partial, Tensors, Tensors], Partial]
    pointwise: bool = False

    def __call__(self, *primals: torch.Tensor) -> Tensors:
        """Evaluate the function such that it is differentiated by these derivatives."""
        function = _Custom if functorch_active() else _Taped
        outs: Tensors = function.apply(self, *primals)
        return outs

    def batched(self, in_dims: Sequence[int | None]) -> "Operation":
        """Return the operation on batches, whose results are stacked along the first axis."""
        dims = tuple(in_dims)

        def call(*primals: torch.Tensor) -> Tensors:
            outs: Tensors = torch.func.vmap(self.call, dims)(*primals)
            return outs

        def push(tangents: Partial, primals: Tensors, outs: Tensors) -> Tensors:
            t_dims = tuple([None if t is None else d for t, d in zip(tangents, dims, strict=True)])
            tangents_out: Tensors = torch.func.vmap(self.push, (t_dims, dims, (0,) * len(outs)))(tuple(tangents), primals, outs)
            return tangents_out

        def pull(needs: Sequence[bool], cotangents: Partial, primals: Tensors, outs: Tensors) -> Partial:
            g_dims = tuple([None if g is None else 0 for g in cotangents])

            def wanted(cotangents: Partial, primals: Tensors, outs: Tensors) -> Partial:
                return tuple([x for x in self.pull(needs, cotangents, primals, outs) if x is not None])

            pulled = torch.func.vmap(wanted, (g_dims, dims, (0,) * len(outs)))(tuple(cotangents), primals, outs)
            found = iter(pulled)
            return [_unstacked(next(found), d) if need else None for need, d in zip(needs, dims, strict=True)]

        return Operation(call, push, pull)


def _unstacked(g: torch.Tensor, dim: int | None) -> torch.Tensor:
    return g.sum(0) if dim is None else g.movedim(0, dim)


def differentiating(args: Iterable[Any]) -> bool:
    """Tell whether a derivative through any tensor among these arguments may be asked for."""
    if functorch_active():
        return True
    return torch.is_grad_enabled() and any(isinstance(x, torch.Tensor) and x.requires_grad for x in args)


class _Taped(torch.autograd.Function):  # type: ignore[misc]  # torch is Any to the type checker
    """On PyTorch's tape alone: the form of a function that `torch.func` takes, too, costs as much again with each call."""

    @staticmethod
    def forward(ctx: Any, operation: Operation, *primals: torch.Tensor) -> Tensors:
        outs = _apart(operation.call(*primals), primals)
        ctx.operation, ctx.count = operation, len(primals)
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*_exact(outs))
        ctx.save_for_backward(*primals, *outs)
        return outs

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor | None) -> tuple[Any, ...]:
        return _pulled(ctx, cotangents, ctx.saved_tensors)


def _apart(outs: Tensors, primals: Tensors) -> Tensors:
    """Return the results such that none of them is an argument; a view of one may be a result."""
    return tuple([y.view_as(y) if any(y is x for x in primals) else y for y in outs])


def _exact(outs: Tensors) -> list[torch.Tensor]:
    return [y for y in outs if not (y.is_floating_point() or y.is_complex())]


def _pulled(ctx: Any, cotangents: Partial, saved: Tensors) -> tuple[Any, ...]:
    count = int(ctx.count)
    if all(g is None for g in cotangents):
        return (None,) * (1 + count)
    pulled: Partial = ctx.operation.pull(ctx.needs_input_grad[1:], cotangents, saved[:count], saved[count:])
    return (None, *pulled)


class _Custom(torch.autograd.Function):  # type: ignore[misc]  # torch is Any to the type checker
    @staticmethod
    def forward(operation: Operation, *primals: torch.Tensor) -> Tensors:
        return _apart(operation.call(*primals), primals)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensors) -> None:
        ctx.operation, *primals = inputs
        ctx.count = len(primals)
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*_exact(output))
        ctx.save_for_backward(*primals, *output)
        ctx.save_for_forward(*primals, *output)

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor | None) -> tuple[Any, ...]:
        # The level that saved them is over, and PyTorch fails where one that the rule opens takes its number.
        living = [None if g is None else unwrap_if_dead(g) for g in cotangents]
        return _pulled(ctx, living, tuple(map(unwrap_if_dead, ctx.saved_tensors)))

    @staticmethod
    def jvp(ctx: Any, _: None, *tangents: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        saved = ctx.saved_tensors
        outs = saved[ctx.count :]
        pushed: Partial = _one_level_below(ctx.operation.push, tangents, saved[: ctx.count], outs)
        return tuple([t if y.is_floating_point() or y.is_complex() else None for t, y in zip(pushed, outs, strict=True)])

    @staticmethod
    def vmap(_: Any, in_dims: tuple[int | None, ...], operation: Operation, *primals: torch.Tensor) -> tuple[Any, Any]:
        outs = operation(primals[0].movedim(in_dims[1], 0)) if operation.pointwise else operation.batched(in_dims[1:])(*primals)
        return outs, (0,) * len(outs)


def _one_level_below(push: Callable[..., Tensors], *arguments: Partial) -> Tensors:
    """Return ``push(*arguments)``, evaluated outside of the level of forward mode that asks for it.

    PyTorch switches forward mode off while it asks for a tangent, on that level, but also on all those outside of it.
    """
    if torch._C._functorch.peek_interpreter_stack() is None:
        return push(*arguments)
    interpreter = retrieve_current_functorch_interpreter()
    if interpreter.key() != TransformType.Jvp:
        return push(*arguments)
    level = interpreter.level()
    lowered = [tuple([None if x is None else _unwrap_for_grad(x, level) for x in part]) for part in arguments]
    with forward_ad._set_fwd_grad_enabled(True), interpreter.lower():
        tangents_out = push(*lowered)
    return tuple([t if t is None else _wrap_for_grad(t, level) for t in tangents_out])


def with_rules(call: Callable[..., Any], push: Callable[..., Any], pull: Callable[..., Any]) -> Operation:
    """Return an operation from rules that know no missing tangents and cotangents: zeros stand for them."""

    def filled(parts: Partial, like: Tensors) -> Tensors:
        return tuple([torch.zeros_like(x) if part is None else part for part, x in zip(parts, like, strict=True)])

    def pushed(tangents: Partial, primals: Tensors, outs: Tensors) -> Tensors:
        return tuple(push(filled(tangents, primals), primals, outs))

    def pulled(needs: Sequence[bool], cotangents: Partial, primals: Tensors, outs: Tensors) -> Partial:
        parts = pull(filled(cotangents, outs), primals, outs)
        return [part if need else None for need, part in zip(needs, parts, strict=True)]

    # The function runs on values: what is beneath all levels may still be part of a graph, which the rules replace.
    return Operation(lambda *primals: tuple(call(*[x.detach() for x in primals])), pushed, pulled)
