"""One call of a function of PyTorch, joined with a rule of `unidiff.rules`, as an operation with derivatives of its own."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from unidiff._typing import Namespace
from unidiff_backends._torch.custom import Operation, Partial
from unidiff_backends._torch.reverse import Tensors


class Call:
    """A call of a function with a rule.

    Parameters
    ----------
    rule : unidiff.engine.rule.Rule
        How the function is differentiated.
    namespace : Namespace
        The functions that the rule computes with.
    native : callable
        The function.
    args, kwargs
        What it is called with.
    """

    def __init__(
        self, rule: Any, namespace: Namespace, native: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        self._rule, self._namespace, self._native = rule, namespace, native
        self._positions = [i for i, x in enumerate(args[: len(rule.jvps)]) if isinstance(x, torch.Tensor)]
        self._tensors: Tensors = tuple([args[i] for i in self._positions])
        self._args = [None if i in self._positions else x for i, x in enumerate(args)]
        self._kwargs = kwargs
        self._kind: Any = tuple

    def result(self) -> Any:
        """Return the result, which is differentiated by the rule."""
        tensors, self._tensors = self._tensors, ()  # what derivatives need of them is the graph's to hold, and to free
        pointwise = self._rule.kind == "elementwise" and len(tensors) == 1
        outs = Operation(self._evaluate, self._push, self._pull, pointwise)(*tensors)
        if self._rule.outputs is None:
            return outs[0]
        # PyTorch's own structures are made from one sequence, unlike named tuples.
        return getattr(self._kind, "_make", self._kind)(outs)

    def _filled(self, tensors: Tensors) -> list[Any]:
        args = self._args.copy()
        for i, x in zip(self._positions, tensors, strict=True):
            args[i] = x
        return args

    def _evaluate(self, *primals: torch.Tensor) -> Tensors:
        result = self._native(*self._filled(primals), **self._kwargs)
        if self._rule.outputs is None:
            return (result,)
        self._kind = type(result)
        return tuple(result)

    def _push(self, tangents: Partial, primals: Tensors, outs: Tensors) -> Tensors:
        single = self._rule.outputs is None
        args = (outs[0] if single else outs, *self._filled(primals))
        total: list[Any] = [None] * len(outs)
        for i, t in zip(self._positions, tangents, strict=True):
            if t is None or self._rule.jvps[i] is None:
                continue
            pushed = self._rule.jvps[i](self._namespace, t, *args, **self._kwargs)
            for k, part in enumerate((pushed,) if single else pushed):
                if part is not None:
                    moved = self._where_moving(part, t)
                    total[k] = moved if total[k] is None else total[k] + moved
        return tuple([_fitted(t, y) for t, y in zip(total, outs, strict=True)])

    def _where_moving(self, part: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Let an argument that does not move contribute nothing, even where the function has no derivative by it."""
        if self._rule.kind != "elementwise" or len(self._positions) == 1:
            return part
        return torch.where((t == 0) & torch.isnan(part), 0, part)

    def _pull(self, needs: Sequence[bool], cotangents: Partial, primals: Tensors, outs: Tensors) -> Partial:
        single = self._rule.outputs is None
        g, ans = (cotangents[0], outs[0]) if single else (cotangents, outs)
        args = (ans, *self._filled(primals))
        pulled: list[torch.Tensor | None] = []
        for i, x, need in zip(self._positions, primals, needs, strict=True):
            pass_back = self._rule.vjps[i]
            if self._rule.kind == "elementwise":
                pass_back = partial(_multiplied_by_conjugate, self._rule.jvps[i])
            pulled.append(_fitted(pass_back(self._namespace, g, *args, **self._kwargs), x) if need else None)
        return pulled


def _multiplied_by_conjugate(
    push: Callable[..., torch.Tensor], namespace: Namespace, g: torch.Tensor, *args: Any
) -> torch.Tensor:
    """Return the adjoint of an elementwise map of tangents, which multiplies by a number."""
    return push(namespace, g.conj(), *args).conj()


def _fitted(t: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor:
    """Return a tangent or cotangent in the shape and dtype of what it belongs to."""
    if t is None:
        return torch.zeros_like(like)
    if t.is_complex() and not like.is_complex():
        t = torch.real(t)
    t = t.sum_to_size(like.shape) if t.ndim > like.ndim or t.numel() > like.numel() else t.broadcast_to(like.shape)
    return t.to(like.dtype)
