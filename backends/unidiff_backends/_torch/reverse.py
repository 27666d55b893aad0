"""Reverse mode: PyTorch's tape, or `torch.func` inside one of its transforms.

The tape costs half of what a functorch level costs per operation, so it is what runs unless a functorch level (`torch.func`,
and forward mode, which is built on it) is active. Levels nest without bookkeeping of ours: an inner level differentiates with
respect to fresh aliases of its primals, and it records its own backward pass exactly if something outside of it requires a
gradient, be that an outer level or a tensor with the user's own ``requires_grad``.
"""

from collections.abc import Callable, Iterable
from threading import get_ident
from typing import Any, TypeAlias

import torch
from torch.autograd import forward_ad
from torch.autograd.graph import _engine_run_backward, get_gradient_edge

from unidiff.errors import InPlaceError
from unidiff_backends._torch.memory import owned

Tensors: TypeAlias = tuple[torch.Tensor, ...]
TensorFunction: TypeAlias = Callable[..., Any]

_Leaf = type(get_gradient_edge(torch.zeros((), requires_grad=True)).node)
"""The type of the nodes where a graph ends."""

forward_thread: list[int | None] = [None]
"""The threads in which our forward mode is being evaluated, innermost last; None where it is not."""

_RECORDED = "_unidiff_recorded"
"""Attribute of a level's aliases once its function has returned: nothing outside can depend on them any more."""


def functorch_active() -> bool:
    """Tell whether a transform of `torch.func` is being evaluated in this thread, or forward mode by dual numbers.

    The stack of transforms is one per thread, but the level of dual numbers is one per process.
    """
    if torch._C._are_functorch_transforms_active():
        return True
    return forward_ad._current_level >= 0 and forward_thread[-1] in (None, get_ident())


def vjp(f: TensorFunction, primals: Tensors, *, has_aux: bool = False) -> Any:
    """Return ``(outs, pullback)`` or ``(outs, pullback, aux)``; see `unidiff.backend.Backend`."""
    if functorch_active():
        outs, pullback, aux = _functorch_vjp(f, primals, has_aux)
    else:
        tape = Tape(f, primals, has_aux)
        outs, pullback, aux = tape.release(tape.outs), tape.pullback, tape.release(tape.aux)
    return (outs, pullback, aux) if has_aux else (outs, pullback)


def value_and_grad(f: TensorFunction, primals: Tensors, *, has_aux: bool = False) -> Any:
    """Return ``(value, grads)`` or ``(value, grads, aux)`` of a function that returns a 1-tuple with a real 0-d tensor."""
    if functorch_active():
        (value,), pullback, aux = _functorch_vjp(f, primals, has_aux)
        grads = pullback(_ones((value,)))
    else:
        tape = Tape(f, primals, has_aux)
        grads = tape.pull(_ones(tape.outs), retain_graph=tape.nested)
        (value,), aux = tape.release(tape.outs), tape.release(tape.aux)
    return (value, grads, aux) if has_aux else (value, grads)


class Tape:
    """One evaluation of a function on fresh aliases of its primals, recorded by `torch.autograd`.

    Attributes
    ----------
    outs, aux : tuple of Tensor
        What the function returned, attached to the graph.
    nested : bool
        Whether a derivative of what this level returns may be asked for from outside.
    """

    __slots__ = ("_aliases", "aux", "nested", "outs")

    def __init__(self, f: TensorFunction, primals: Tensors, has_aux: bool) -> None:
        outer_grad = torch.is_grad_enabled()
        if torch.is_inference_mode_enabled():
            with torch.inference_mode(False):
                self._record(f, primals, has_aux)
        else:
            self._record(f, primals, has_aux)
        self.nested = outer_grad and (any(x.requires_grad for x in primals) or _depends_on_others(self.outs + self.aux))

    def _record(self, f: TensorFunction, primals: Tensors, has_aux: bool) -> None:
        # Aliases are made in the caller's grad mode: under `no_grad` they are cut from what is outside.
        self._aliases = tuple([_alias(x) for x in primals])
        if torch.is_grad_enabled():
            result = f(*self._aliases)
        else:
            with torch.enable_grad():
                result = f(*self._aliases)
        outs, aux = result if has_aux else (result, ())
        self.outs, self.aux = tuple(outs), tuple(aux)
        for alias in self._aliases:
            setattr(alias, _RECORDED, True)

    def release(self, tensors: Tensors) -> Tensors:
        """Return tensors that the function returned as the caller's own: off this level's graph, in memory of their own."""
        released: list[torch.Tensor] = []
        seen: set[int] = set()
        for x in tensors:
            # A leaf is an alias of an input or a constant; both may be shared, as may whatever a view looks at.
            shared = x.is_leaf or x._is_view() or id(x) in seen
            seen.add(id(x))
            own = x if self.nested else x.detach()
            released.append(own.clone() if shared else own)
        return tuple(released)

    def pullback(self, cotangents: Iterable[torch.Tensor]) -> Tensors:
        """Map cotangents of the outputs to cotangents of the primals; callable any number of times."""
        return self.pull(tuple(cotangents), retain_graph=True)

    def pull(self, cotangents: Tensors, *, retain_graph: bool) -> Tensors:
        """Run the backward pass."""
        create_graph = torch.is_grad_enabled() and (self.nested or any(ct.requires_grad for ct in cotangents))
        pairs = [(y, ct) for y, ct in zip(self.outs, cotangents, strict=True) if y.requires_grad]
        if not pairs:
            return tuple([_zeros(x) for x in self._aliases])
        try:
            # `torch.autograd.grad` without the checks of its arguments, which take longer than a small backward pass.
            grads = _engine_run_backward(
                tuple([y for y, _ in pairs]),
                tuple([ct for _, ct in pairs]),
                retain_graph,
                create_graph,
                self._aliases,
                allow_unreachable=True,
                accumulate_grad=False,
            )
        except RuntimeError as error:
            if "modified by an inplace operation" not in str(error):
                raise
            raise InPlaceError(
                "a tensor that the derivative needs was changed in place since the function was evaluated; change a copy"
            ) from error
        grads = tuple([_zeros(x) if g is None else g for g, x in zip(grads, self._aliases, strict=True)])
        return grads if functorch_active() else owned(grads, self._aliases + cotangents)


def _alias(x: torch.Tensor) -> torch.Tensor:
    """Return a new tensor object on the memory of ``x`` that requires a gradient, connected to the graph of ``x`` if any."""
    if x.requires_grad and torch.is_grad_enabled():
        return x.view_as(x)
    # A tensor made in inference mode can never be saved for a backward pass; a copy made outside of it can.
    return (x.clone() if x.is_inference() else x.detach()).requires_grad_()


def _zeros(x: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(x, requires_grad=False)


def _ones(tensors: Tensors) -> Tensors:
    return tuple([torch.ones_like(x, requires_grad=False) for x in tensors])


def _depends_on_others(tensors: Tensors) -> bool:
    """Tell whether the graph of ``tensors`` reaches a leaf that is not private to a level that has been recorded."""
    if any(x.grad_fn is None and x.requires_grad and not hasattr(x, _RECORDED) for x in tensors):
        return True
    # The walk is what a gradient costs beyond PyTorch's own, so the loop does nothing that it need not.
    leaf, stack = _Leaf, [x.grad_fn for x in tensors if x.grad_fn is not None]
    seen: set[Any] = {None, *stack}
    pop, push, see = stack.pop, stack.append, seen.add
    while stack:
        for node, _ in pop().next_functions:
            if node not in seen:
                see(node)
                if type(node) is not leaf:
                    push(node)
                elif not hasattr(node.variable, _RECORDED):
                    return True
    return False


def _functorch_vjp(f: TensorFunction, primals: Tensors, has_aux: bool) -> tuple[Tensors, Callable[..., Tensors], Tensors]:
    """Return ``(outs, pullback, aux)`` by `torch.func.vjp`, which differentiates inexact outputs only."""
    inexact: list[bool] = []

    def differentiable(*args: torch.Tensor) -> Any:
        result = f(*args)
        outs, aux = result if has_aux else (result, ())
        inexact.extend(_is_inexact(y) for y in outs)
        # `torch.func.vjp` refuses functions without outputs; one more output does no harm.
        differentiated = (args[0], *(y for y, d in zip(outs, inexact, strict=True) if d))
        return differentiated, (tuple(y for y, d in zip(outs, inexact, strict=True) if not d), tuple(aux))

    (pad, *values), pull, (constants, aux) = torch.func.vjp(differentiable, *primals, has_aux=True)
    remaining, others = iter(values), iter(constants)
    outs = tuple([next(remaining) if d else next(others) for d in inexact])

    def pullback(cotangents: Iterable[torch.Tensor]) -> Tensors:
        cts = [ct for ct, d in zip(tuple(cotangents), inexact, strict=True) if d]
        return tuple(pull((torch.zeros_like(pad), *cts)))

    return outs, pullback, aux


def _is_inexact(x: torch.Tensor) -> bool:
    return bool(x.is_floating_point() or x.is_complex())
