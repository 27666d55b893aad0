"""Which results depend on which arrays, however they do: arrays of a marking trace mark all that is computed from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from unidiff._typing import Array
from unidiff.engine.tracing import LEAKED, Trace, TracedArray, share_memory
from unidiff.errors import LeakedTracerError


class MarkTrace(Trace):
    """One run of a function on marked arrays; it evaluates everything one level below."""

    __slots__ = ("open",)

    def __init__(self, domain: Any, level: int) -> None:
        super().__init__(domain, level, base=False)
        self.open = True

    def mark(self, x: Any) -> Any:
        """Return an array, or arrays in a tuple, marked; anything else as it is."""
        if isinstance(x, (tuple, list)):
            items = map(self.mark, x)
            return type(x)(*items) if hasattr(x, "_fields") else type(x)(items)
        return self.domain.array_class(self.lower(x), self, None) if isinstance(x, self.domain.arrays) else x

    def process(self, op: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Evaluate the operation one level below."""
        result = self.call(op.function, args, kwargs)
        if op.rule.view and isinstance(result, TracedArray) and not self.domain.is_scalar(result):
            share_memory(args[0], result)
        return result

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call a function of arrays, such as an operation with a rule of its own, one level below."""
        if not self.open:
            raise LeakedTracerError(LEAKED)
        return self.result(function, args, kwargs, function(*map(self._lowered, args), **kwargs))

    def result(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], value: Any) -> Any:  # noqa: ARG002  # of use to those that note the call
        """Return what a call gave as this trace holds it."""
        return self.mark(value)

    def is_marked(self, x: Any) -> bool:
        """Whether an array, or what holds one as a cotangent on its way does, depends on a marked one."""
        if isinstance(x, (tuple, list)):
            return any(map(self.is_marked, x))
        while isinstance(x, TracedArray):
            if x._trace is self or self.is_marked(x._node if isinstance(x._node, TracedArray) else None):
                return True
            x = x._value
        return x is not None and any(self.is_marked(getattr(x, name, None)) for name in ("items", "value") if _holds(x))

    def _lowered(self, x: Any) -> Any:
        return type(x)(map(self._lowered, x)) if type(x) in SEQUENCES else self.lower(x)


SEQUENCES = frozenset({tuple, list})


def _holds(x: Array) -> bool:
    """Whether an object is a cotangent on its way, as `unidiff.engine.pullback` has them."""
    return type(x).__module__ == "unidiff.engine.pullback"
