"""Functions with derivatives of the user's own, checkpoints, and calls out of a batched program.

They are operations of `unidiff_backends._torch.custom`, which PyTorch's tape and `torch.func` differentiate in any nesting. The
mode that a user has not given is the transpose of the other one, taken by reverse mode of the rule itself.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from types import FunctionType, MethodType
from typing import Any

import torch
import torch.utils.checkpoint

from unidiff.errors import CLOSED_OVER, LeakedTracerError
from unidiff_backends._torch import reverse
from unidiff_backends._torch.convert import in_memory
from unidiff_backends._torch.custom import Operation, Partial
from unidiff_backends._torch.linearity import require_linear
from unidiff_backends._torch.reverse import Tensors, functorch_active

_functorch = torch._C._functorch


def _is_floating(x: torch.Tensor) -> bool:
    return bool(x.is_floating_point() or x.is_complex())


def _completed(given: Partial, like: Sequence[torch.Tensor]) -> tuple[torch.Tensor | None, ...]:
    """Return tangents or cotangents with zeros for what is absent, and None for tensors that are not floating."""
    return tuple(
        [
            None if not _is_floating(x) else torch.zeros_like(x) if t is None else in_memory(t)
            for t, x in zip(given, like, strict=True)
        ]
    )


def _evaluated(f: Callable[..., Any], primals: Tensors) -> Any:
    """Call a user's function outside of any derivative, and refuse what depends on a tensor that is being differentiated."""
    level = _functorch.maybe_current_level() or 0
    with torch.enable_grad():
        result = f(*[in_memory(x.detach()) for x in primals])
    for y in _tensors(result):
        if y.requires_grad or (_functorch.is_functorch_wrapped_tensor(y) and _functorch.maybe_get_level(y) > level):
            raise LeakedTracerError(CLOSED_OVER)
    return result


def _check_captured(*functions: Callable[..., Any]) -> None:
    """Refuse functions that hold a tensor of a transform of `torch.func`: within an operation it would pass for a constant."""
    pending: list[Any] = list(functions)
    seen: set[int] = set()
    while pending:
        x = pending.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        if isinstance(x, torch.Tensor):
            if _functorch.is_functorch_wrapped_tensor(x):
                raise LeakedTracerError(CLOSED_OVER)
        elif isinstance(x, FunctionType):
            pending += [*_contents(x), *(x.__defaults__ or ()), *(x.__kwdefaults__ or {}).values()]
        elif isinstance(x, MethodType):
            pending.append(x.__func__)
        elif isinstance(x, partial):
            pending += [x.func, *x.args, *x.keywords.values()]
        elif isinstance(x, (tuple, list)):
            pending += x
        elif isinstance(x, dict):
            pending += x.values()


def _contents(f: FunctionType) -> list[Any]:
    found = []
    for cell in f.__closure__ or ():
        with suppress(ValueError):  # an empty cell
            found.append(cell.cell_contents)
    return found


def _tensors(x: Any) -> list[torch.Tensor]:
    if isinstance(x, torch.Tensor):
        return [x]
    return [y for item in x for y in _tensors(item)] if isinstance(x, (tuple, list)) else []


def _transposed(
    linear: Callable[[Partial], Partial], domain: Sequence[torch.Tensor], given: Partial, codomain: Any, what: str
) -> Partial:
    """Return the transpose of a linear map, at cotangents of its results; both ends have None for tensors not floating."""
    floating = [_is_floating(x) for x in domain]
    present: list[bool] = []

    def flat(*tensors: torch.Tensor) -> Tensors:
        found = iter(tensors)
        results = linear(tuple([next(found) if yes else None for yes in floating]))
        present[:] = [y is not None for y in results]
        return tuple([y for y in results if y is not None])

    zeros = tuple([torch.zeros_like(x) for x, yes in zip(domain, floating, strict=True) if yes])
    if not zeros:
        return [None] * len(floating)
    _, pullback = reverse.vjp(flat, zeros)
    cotangents = [ct for ct, yes in zip(_completed(given, codomain), present, strict=True) if yes]
    results = tuple(pullback(cotangents))
    require_linear(flat, zeros, cotangents, results, what)
    pulled = iter(results)
    return [next(pulled) if yes else None for yes in floating]


def custom_jvp(f: Callable[..., Tensors], rule: Callable[..., Any]) -> Callable[..., Tensors]:
    """Return the function with a forward rule ``rule(primals, tangents) -> (outs, tangents_out)`` of its own."""
    what = f"The tangent map of {f.__name__}"

    def call(*primals: torch.Tensor) -> Tensors:
        return tuple(_evaluated(f, primals))

    def push(tangents: Partial, primals: Tensors, outs: Tensors) -> Tensors:
        return _filled(rule(primals, _completed(tangents, primals))[1], outs)

    def pull(needs: Sequence[bool], cotangents: Partial, primals: Tensors, outs: Tensors) -> Partial:
        pulled = _transposed(lambda tangents: rule(primals, tangents)[1], primals, cotangents, outs, what)
        return _wanted(needs, pulled, primals)

    operation = Operation(call, push, pull)

    def operate(*args: torch.Tensor) -> Tensors:
        if functorch_active():
            _check_captured(f, rule)
        return operation(*args)

    return operate


def _filled(tangents: Partial, outs: Tensors) -> Tensors:
    return tuple([torch.zeros_like(y) if t is None else t for t, y in zip(tangents, outs, strict=True)])


def _wanted(needs: Sequence[bool], pulled: Partial, primals: Tensors) -> Partial:
    return [
        (torch.zeros_like(x) if g is None else g) if need else None for need, g, x in zip(needs, pulled, primals, strict=True)
    ]


def custom_vjp(
    f: Callable[..., Tensors],
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    push: Callable[..., Any] | None = None,
) -> Callable[..., Tensors]:
    """Return the function with a reverse rule of its own; `push` is a forward rule beside it.

    What the forward pass keeps is used where the derivative is not differentiated itself; elsewhere it is computed again, as a
    function of the primals.
    """
    what = f"The cotangent map of {f.__name__}"

    def operate(*args: torch.Tensor) -> Tensors:
        if not _is_differentiated(args):
            return tuple(_evaluated(f, args))
        if functorch_active():
            _check_captured(f, forward, backward)
        kept: list[Any] = []

        def call(*primals: torch.Tensor) -> Tensors:
            if functorch_active():
                return tuple(_evaluated(f, primals))
            outs, residuals = _evaluated(forward, primals)
            kept[:] = [residuals]
            return tuple(outs)

        def pull(needs: Sequence[bool], cotangents: Partial, primals: Tensors, outs: Tensors) -> Partial:
            is_last = not torch.is_grad_enabled() and not functorch_active()
            residuals = kept[0] if kept and is_last else forward(*primals)[1]
            return _wanted(needs, backward(residuals, _completed(cotangents, outs)), primals)

        def pushed(tangents: Partial, primals: Tensors, outs: Tensors) -> Tensors:
            given = _completed(tangents, primals)
            if push is not None:
                return _filled(push(primals, given)[1], outs)
            residuals = forward(*primals)[1]
            return _filled(_transposed(lambda cts: backward(residuals, cts), outs, given, primals, what), outs)

        return Operation(call, pushed, pull)(*args)

    return operate


def _is_differentiated(args: Sequence[torch.Tensor]) -> bool:
    return functorch_active() or (torch.is_grad_enabled() and any(x.requires_grad for x in args))


def checkpoint(f: Callable[..., Tensors]) -> Callable[..., Tensors]:
    """Return the function such that PyTorch's tape keeps its arguments and computes the rest again.

    The transforms of `torch.func` do not allow for that; within them the function is evaluated as it is.
    """

    def call(*args: torch.Tensor) -> Tensors:
        if functorch_active() or not torch.is_grad_enabled():
            return f(*args)
        results: Tensors = torch.utils.checkpoint.checkpoint(f, *args, use_reentrant=False)
        return results

    return call


def host_callback(f: Callable[..., Tensors], args: Tensors) -> Tensors:
    """Return what a function of plain tensors gives, slice by slice under a vectorizing map; it has no derivative."""
    results: Tensors = _Host.apply(f, *args)
    return results


class _Host(torch.autograd.Function):  # type: ignore[misc]  # torch is Any to the type checker
    @staticmethod
    def forward(f: Callable[..., Tensors], *args: torch.Tensor) -> Tensors:
        return tuple(f(*map(in_memory, args)))

    @staticmethod
    def setup_context(ctx: Any, _inputs: Any, output: Tensors) -> None:
        ctx.mark_non_differentiable(*output)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], f: Callable[..., Tensors], *args: torch.Tensor) -> tuple[Any, Any]:
        size = info.batch_size
        slices = [
            host_callback(f, tuple([x if d is None else x.select(d, k) for x, d in zip(args, in_dims[1:], strict=True)]))
            for k in range(size)
        ]
        return tuple(torch.stack(column) for column in zip(*slices, strict=True)), (0,) * len(slices[0])
