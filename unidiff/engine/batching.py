"""Batching: one call computes what a loop over the slices of its arguments would.

The value of a batched array has the batch as its first axis; its shape does not show that axis. A batching rule calls the
operation once for the whole batch; an operation without one, or one that raises `Unbatchable`, is evaluated slice by slice and
stacked, which is always right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from unidiff._typing import Array, Namespace
from unidiff.engine.tracing import LEAKED, Trace, TracedArray, device_of, share_memory, wrap_constant
from unidiff.errors import LeakedTracerError, TracedConversionError

Batcher = Callable[..., Any]
"""``batcher(xp, call, flags, *values, **kwargs)``: ``flags`` tells which values carry the batch as their first axis."""

BATCHERS: dict[str, Batcher] = {}
"""Batching rules by name of the function; filled by the rule files."""


class Unbatchable(Exception):  # noqa: N818  # a signal between rule and trace, never seen by users
    """A batching rule does not cover this form of the call."""


class Shared:
    """What a batching rule returns for a result that is the same for all slices."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class BatchTrace(Trace):
    """One vectorizing map; the node of a traced array is the number of slices."""

    __slots__ = ("open", "size")

    knows_values = False

    def __init__(self, domain: Any, level: int, base: bool) -> None:
        super().__init__(domain, level, base)
        self.open = True
        self.size = 0

    def variable(self, value: Array) -> TracedArray:
        """Return an argument whose first axis is the batch."""
        return self.domain.array_class(value, self, self.size)  # type: ignore[no-any-return]  # the domain's own class

    def close(self) -> None:
        """Refuse further operations on arrays of this map."""
        self.open = False

    def shape_of(self, x: TracedArray) -> tuple[int, ...]:
        """Return the shape of one slice."""
        return x._value.shape[1:]  # type: ignore[no-any-return]  # arrays are foreign types

    def concrete(self, _x: TracedArray, purpose: str) -> Any:
        """Refuse: there is one value for each slice."""
        raise TracedConversionError(
            f"{purpose} of an array inside vmap has one value per slice, so Python cannot branch on it. Use"
            " xp.where(condition, a, b), unidiff.cond or unidiff.while_loop, or loop over the slices. A plain array is indexed"
            " by such an array with xp.take."
        )

    def unary(self, op: Any, x: TracedArray) -> Any:
        """Evaluate an elementwise function of one argument."""
        if not self.open:
            raise LeakedTracerError(LEAKED)
        return self.variable(op.raw(x._value) if self.base else op.function(x._value))

    def both(self, op: Any, x1: TracedArray, x2: TracedArray) -> Any:
        """Evaluate an elementwise function of two batched arguments."""
        value1, value2 = x1._value, x2._value
        if not self.open or value1.ndim != value2.ndim:
            return self.process(op, (x1, x2), {})
        return self.variable(op.raw(value1, value2) if self.base else op.function(value1, value2))

    def process(self, op: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Evaluate the operation on all slices."""
        if not self.open:
            raise LeakedTracerError(LEAKED)
        values = [self.lower(arg) for arg in args]
        flags = tuple(isinstance(arg, TracedArray) and arg._trace is self for arg in args)
        call = op.raw if self.base else op.function
        batcher = elementwise if op.rule.kind == "elementwise" else BATCHERS.get(op.name)
        try:
            if batcher is None:
                raise Unbatchable
            ans = batcher(self.xp, call, flags, *values, **kwargs)
        except Unbatchable:
            ans = self._slice_by_slice(call, flags, values, kwargs)
        if type(ans) is Shared:
            return wrap_constant(self.domain, ans.value)
        if isinstance(ans, (tuple, list)):
            boxed = [self._output(value) for value in ans]
            return type(ans)(*boxed) if hasattr(ans, "_fields") else type(ans)(boxed)
        result = self._output(ans)
        if op.rule.view:
            share_memory(args[0], result)
        return result

    def _output(self, value: Any) -> Any:
        return self.variable(value) if isinstance(value, (TracedArray, *self.domain.array_types)) else value

    def _slice_by_slice(self, call: Any, flags: Sequence[bool], values: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        def evaluate(pick: Callable[[Any], Any]) -> Any:
            return call(*(pick(v) if flag else v for v, flag in zip(values, flags, strict=True)), **kwargs)

        xp = self.xp
        # An empty batch has no slice to learn the shape of the result from, so one of ones stands in and is cut off again.
        slices = [evaluate(partial(_slice, i)) for i in range(self.size)] or [evaluate(partial(_ones_slice, xp))]
        if isinstance(slices[0], (tuple, list)):
            parts = [self._stacked(list(column)) for column in zip(*slices, strict=True)]
            return type(slices[0])(*parts) if hasattr(slices[0], "_fields") else tuple(parts)
        return self._stacked(slices)

    def _stacked(self, slices: list[Any]) -> Any:
        if any(x.shape != slices[0].shape for x in slices):
            shapes = ", ".join(sorted({str(tuple(x.shape)) for x in slices}))
            raise TracedConversionError(
                f"inside vmap a result whose shape depends on values has another one for each slice, {shapes}: loop over them."
            )
        return self.xp.stack(slices)[: self.size, ...]


def _slice(i: int, value: Any) -> Any:
    return value[i, ...]


def _ones_slice(xp: Namespace, value: Any) -> Any:
    return xp.ones(value.shape[1:], dtype=value.dtype, device=device_of(value))


def elementwise(xp: Namespace, call: Any, flags: Sequence[bool], *values: Any, **kwargs: Any) -> Any:
    """Batch a function that broadcasts: give all slices one number of axes."""
    ndim = max((v.ndim - flag for v, flag in zip(values, flags, strict=True) if _has_axes(v)), default=0)
    return call(*(align(xp, v, ndim) if flag else v for v, flag in zip(values, flags, strict=True)), **kwargs)


def _has_axes(value: Any) -> bool:
    return hasattr(value, "shape") and not isinstance(value, type)  # dtypes may be classes that describe a shape


def align(xp: Namespace, value: Array, ndim: int) -> Array:
    """Insert axes of length 1 behind the batch, so that the slices have ``ndim`` axes."""
    missing = ndim - (len(value.shape) - 1)
    if missing <= 0:
        return value
    return xp.reshape(value, (value.shape[0], *(1,) * missing, *value.shape[1:]))
