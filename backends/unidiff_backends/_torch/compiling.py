"""Programs of PyTorch: `make_fx` records one with all derivatives taken, `torch.compile` compiles it where that is asked for.

`torch.compile` by itself reads Python code, and gives up on what takes derivatives. It is therefore given a recording, a
function of tensors that calls ATen's operations one after the other.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from unidiff.backend import Lowered
from unidiff.errors import ArgumentError, TracedConversionError


class FlatProgram:
    """A flat function that is recorded once per signature and compiled by a backend of ``torch.compile``.

    Where compiling fails, for want of a C++ compiler for example, the function runs as it is from then on, and a warning says
    so once. Inside a derivative it runs as it is, too: what is recorded are the operations, not the rules by which they are
    differentiated. Without a compiler it always does, and only its program is recorded, to be shown.
    """

    def __init__(self, f: Callable[..., Any], has_aux: bool, compiler: str | None) -> None:
        if compiler is not None and compiler not in (known := torch.compiler.list_backends(exclude_tags=())):
            raise ArgumentError(f"torch.compile has no backend {compiler!r}; these exist: {', '.join(map(str, known))}.")
        self.f, self.has_aux, self.compiler = f, has_aux, compiler
        self.programs: dict[Any, tuple[Callable[..., Any], Any]] = {}
        self.failed = False

    def __call__(self, *tensors: torch.Tensor) -> Any:
        """Call the program for tensors of this kind."""
        if self.compiler is None or self.failed or _is_differentiated(tensors):
            return self.f(*tensors)
        key = tuple((x.shape, x.stride(), x.dtype, x.device) for x in tensors)
        try:
            if key not in self.programs:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # what the compiler says about itself
                    graph, aux = self._recorded(tensors)
                    self.programs[key] = torch.compile(graph, backend=self.compiler), aux
                    self.programs[key][0](*tensors)
            compiled, aux = self.programs[key]
            outs = tuple(compiled(*tensors))
        except TracedConversionError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever a compiler raises
            result = self.f(*tensors)  # an exception of the function itself passes through
            self.failed = True
            reason = str(error).strip().partition("\n")[0]
            warnings.warn(
                f"torch.compile(..., backend={self.compiler!r}) failed, so the function runs without it: {reason}",
                RuntimeWarning,
                stacklevel=4,
            )
            return result
        return (outs, aux) if self.has_aux else outs

    def lower(self, *tensors: torch.Tensor) -> Lowered:
        """Return the recorded program."""
        graph, _ = self._recorded(tensors)
        calls = sum(node.op.startswith("call") for node in graph.graph.nodes)
        return Lowered(text=graph.code.strip(), source=graph.code, recorded=calls, calls=calls)

    def _recorded(self, tensors: tuple[torch.Tensor, ...]) -> tuple[Any, Any]:
        found: list[Any] = []

        def outputs(*arguments: torch.Tensor) -> Any:
            result = self.f(*arguments)
            found[:] = [result[1] if self.has_aux else None]
            return list(result[0] if self.has_aux else result)

        try:
            graph = make_fx(outputs, tracing_mode="fake", _allow_non_fake_inputs=True)(*tensors)
        except _NEEDS_VALUES as error:
            raise _unknown_value(error) from error
        return graph, found[0]


_NEEDS_VALUES = (
    torch._subclasses.fake_tensor.DataDependentOutputException,
    torch._subclasses.fake_tensor.DynamicOutputShapeException,
    GuardOnDataDependentSymNode,
)


def _unknown_value(error: Exception) -> TracedConversionError:
    reason = str(error).strip().partition("\n")[0]
    return TracedConversionError(
        f"a value, or a shape that depends on one, was needed ({reason}) that a tensor inside unidiff.jit does not have yet:"
        " the function is recorded once and then run with other values. Use unidiff.cond, unidiff.while_loop or"
        " xp.where(condition, a, b) instead of a Python branch, and pass what Python has to know through static_argnums or"
        " static_argnames."
    )


def _is_differentiated(tensors: tuple[torch.Tensor, ...]) -> bool:
    """Whether a derivative or a vectorizing map is being taken of the call."""
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return True
    return torch.is_grad_enabled() and any(x.requires_grad for x in tensors)
