"""Operations with derivative rules that are given where they are used, instead of in a rule file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Any

from unidiff._typing import Array, Arrays
from unidiff.engine.batching import BatchTrace
from unidiff.engine.custom import map_over, top_trace
from unidiff.engine.operation import Operation
from unidiff.engine.rule import Rule, general_pull
from unidiff.engine.tracing import TracedArray, dispatch
from unidiff.errors import CLOSED_OVER, LeakedTracerError, TracedConversionError


def with_rules(backend: Any, f: Callable[..., Arrays], push: Callable[..., Arrays], pull: Callable[..., Arrays]) -> Any:
    """Return a function of arrays that is evaluated by `f` and differentiated by the two rules.

    ``push(tangents, primals, outs)`` returns the tangents of the outputs and ``pull(cotangents, primals, outs)`` the
    cotangents of the primals. Both get arrays of the enclosing traces, so what they compute is differentiated again.
    """
    domain = backend.domain

    def called(function: Callable[..., Arrays], *groups: Sequence[Any]) -> tuple[Any, ...]:
        """Call a user's function with arrays as users see them; return what it gives as traces hold it."""
        return tuple(map(backend._lift, function(*(tuple(map(backend.shown, arrays)) for arrays in groups))))

    def filled(parts: Sequence[Any], like: Sequence[Any]) -> tuple[Any, ...]:
        zeros = domain.library.xp.zeros
        return tuple(
            zeros(tuple(x.shape), dtype=x.dtype, device=domain.device(x)) if part is None else part
            for part, x in zip(parts, like, strict=True)
        )

    def jvp(_xp: Any, tangents: Sequence[Any], ans: Any, arrays: Sequence[Array]) -> tuple[Any, ...]:
        return called(push, filled(tangents, arrays), arrays, ans)

    def vjp(_xp: Any, g: Any, place: Any, ans: Any, arrays: Sequence[Array]) -> Any:
        # All arguments share one evaluation of the rule, which is done for the first of them.
        position, latest = place
        cotangents, parts = latest[0]
        if cotangents is not g:
            parts = called(pull, filled(g, ans), arrays, ans)
            latest[0] = (g, parts)
        return parts[position]

    def places(arrays: Sequence[Array]) -> list[Any]:
        latest: list[Any] = [(None, None)]
        return [(k, latest) for k in range(len(arrays))]

    rule = Rule(
        name="with_rules",
        kind="general",
        jvps=(jvp,),
        vjps=(vjp,),
        pulls=(general_pull(vjp),),
        variadic=True,
        places=places,
        keep=frozenset({-1, 0}),
        outputs=0,
    )
    operation = Operation(domain, rule, lambda *arrays: called(lambda shown: f(*shown), arrays))

    def function(*arrays: Array) -> Any:
        trace, outs = top_trace(domain, arrays), None
        if isinstance(trace, BatchTrace) and trace.open:
            with suppress(TracedConversionError):  # a function that needs values is evaluated slice by slice
                outs = _batched(backend, trace, (f, push, pull), arrays)
        if outs is None:
            outs = dispatch(domain, operation, arrays, {})
        if trace is not None and any(isinstance(y, TracedArray) and _is_within(trace, y._value) for y in outs):
            raise LeakedTracerError(CLOSED_OVER)
        return outs

    operation.function = function
    return function


def _is_within(trace: Any, x: Any) -> bool:
    """Whether an array that a trace sees depends on the trace itself, as it does through the closure of a function."""
    while isinstance(x, TracedArray):
        if x._trace is trace:
            return True
        x = x._value
    return False


def _batched(backend: Any, trace: BatchTrace, functions: Sequence[Callable[..., Arrays]], arrays: Arrays) -> Arrays:
    """Return the results for whole batches, with both rules batched as ordinary functions."""
    f, push, pull = functions
    size, sums = trace.size, backend.domain.plain.sum
    flags = [isinstance(x, TracedArray) and x._trace is trace for x in arrays]

    def mapped(function: Callable[..., Arrays], groups: Sequence[Sequence[Array]], chosen: Sequence[bool]) -> Arrays:
        ends = list(accumulate(map(len, groups)))

        def slices(*xs: Array) -> Arrays:
            return function(*(xs[end - len(group) : end] for end, group in zip(ends, groups, strict=True)))

        return map_over(backend, size, slices, [x for group in groups for x in group], chosen)

    def call(*values: Array) -> Arrays:
        return mapped(lambda xs: f(*xs), (values,), flags)

    def pushed(tangents: Arrays, primals: Arrays, outs: Arrays) -> Arrays:
        return mapped(push, (tangents, primals, outs), (*flags, *flags, *(True for _ in outs)))

    def pulled(cotangents: Arrays, primals: Arrays, outs: Arrays) -> Arrays:
        found = mapped(pull, (cotangents, primals, outs), (*(True for _ in cotangents), *flags, *(True for _ in outs)))
        return tuple(g if flag else sums(g, axis=0) for g, flag in zip(found, flags, strict=True))

    outs = with_rules(backend, call, pushed, pulled)(*map(trace.lower, arrays))
    return tuple(map(trace.variable, outs))
