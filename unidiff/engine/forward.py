"""Forward mode: every traced array carries its tangent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unidiff._typing import Array
from unidiff.engine.shapes import match
from unidiff.engine.tracing import LEAKED, Trace, TracedArray, share_memory, wrap_constant
from unidiff.errors import LeakedTracerError, MissingRuleError


class ForwardTrace(Trace):
    """One forward pass; the node of a traced array is its tangent."""

    __slots__ = ("open",)

    def __init__(self, domain: Any, level: int, base: bool) -> None:
        super().__init__(domain, level, base)
        self.open = True

    def variable(self, primal: Array, tangent: Array) -> TracedArray:
        """Return an input of the pass."""
        self.domain.accepts(primal)
        tangent = self.lower(tangent)
        return self.domain.array_class(self.lower(primal), self, tangent)  # type: ignore[no-any-return]  # the domain's own class

    def close(self) -> None:
        """Refuse further operations on arrays of this pass."""
        self.open = False

    def process(self, op: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Evaluate the operation and push the tangents of its arguments forward."""
        if not self.open:
            raise LeakedTracerError(LEAKED)
        values, tangents = [], []
        for arg in args:
            own = isinstance(arg, TracedArray) and arg._trace is self
            values.append(self.lower(arg))
            tangents.append(arg._node if own else None)
        ans = self.evaluate(op, values, kwargs)
        if op.rule.kind == "zero":
            return wrap_constant(self.domain, ans)
        with self.domain.library.quiet():
            t_ans = self._push(op, values, tangents, ans, kwargs)
        if isinstance(ans, (tuple, list)):
            boxed = [self._output(y, t) for y, t in zip(ans, t_ans or [None] * len(ans), strict=True)]
            return type(ans)(*boxed) if hasattr(ans, "_fields") else type(ans)(boxed)
        result = self._output(ans, t_ans)
        if op.rule.view and not self.domain.is_scalar(ans):
            share_memory(args[0], result)
        return result

    def _push(self, op: Any, values: list[Any], tangents: list[Any], ans: Any, kwargs: Mapping[str, Any]) -> Any:
        """Return the tangent of the result, None where it has none."""
        if op.rule.variadic:
            return op.rule.jvps[0](self.xp, tuple(tangents), ans, tuple(values), **kwargs)
        total: Any = None
        for position, t in enumerate(tangents):
            if t is None:
                continue
            jvp = push_of(op, position)
            if jvp is not None:
                total = _plus(total, jvp(self.xp, t, ans, *values, **kwargs))
        return total

    def _output(self, value: Any, tangent: Any) -> Any:
        if tangent is None or self.domain.kind(value.dtype) == "exact":
            return wrap_constant(self.domain, value)
        return self.domain.array_class(value, self, match(self.xp, tangent, value))


def push_of(op: Any, position: int) -> Any:
    """Return the tangent map of one argument, None for an argument that carries no derivative."""
    jvps: Sequence[Any] = op.rule.jvps
    if position >= len(jvps):
        raise MissingRuleError(f"{op.name} has no forward rule for its argument {position}")
    return jvps[position]


def _plus(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return b if a is None else a
    if isinstance(a, (tuple, list)):
        return tuple(_plus(x, y) for x, y in zip(a, b, strict=True))
    return a + b
