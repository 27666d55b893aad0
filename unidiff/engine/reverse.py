"""The recording of reverse mode: a flat tape of edges, along which `unidiff.engine.pullback` pulls cotangents back.

The node of a traced array is its index on the tape. An entry of the tape is a chain of *edges*, one for each traced argument
of the operation::

    (pull, parent, residuals, restoration, next_edge)

``pull(xp, g, residuals)`` is the cotangent that flows to the node ``parent``, or None where the node is an indexed part of it
and the residuals are the shape of the whole and the key; `unidiff.engine.rule.Rule.pulls` says what they are otherwise. The
restoration is the shape and dtype of the parent. It is None for elementwise maps where neither broadcasting nor promotion
changed them, and then the cotangent is an array. Tuples and a list instead of node objects and closures keep an operation cheap
and spare the garbage collector. An operation with several results is an entry whose cotangent is a
`unidiff.engine.pullback.Slots`, followed by one entry for each result that fills its slot.

A loop may be one entry, too. Then the pull and the residuals are None, the parents are a tuple, and what stands for the
restoration is called to go on adding to their cotangents.

Elementwise operations, most of what a program does, write their edges themselves: see `unidiff.engine.elementwise`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from unidiff._typing import Array
from unidiff.engine.pullback import SLOT, fill_slot
from unidiff.engine.shapes import Aval
from unidiff.engine.tracing import LEAKED, Trace, TracedArray, share_memory, wrap_constant
from unidiff.errors import InPlaceError, LeakedTracerError, MissingRuleError

new = object.__new__

Edge = tuple[Any, Any, Any, Any, Any]


class ReverseTrace(Trace):
    """One recording for reverse mode."""

    __slots__ = ("has_complex", "lasting", "new", "tape", "thaws")

    def __init__(self, domain: Any, level: int, base: bool) -> None:
        self.domain, self.level, self.base = domain, level, base  # as the base class does, without a call of it
        self.xp = domain.raw if base else domain.nested
        self.tape: Any = []
        self.new: Any = domain.array_class
        self.has_complex = False
        self.lasting = False
        self.thaws: list[Callable[[], None]] = []

    def variable(self, primal: Array) -> TracedArray:
        """Return an input of the recording."""
        domain = self.domain
        if type(primal) not in domain.operands:
            domain.accepts(primal)
        if domain.kind(primal.dtype) == "complex":
            self.has_complex = True
        return self._node(primal if self.base else self.lower(primal), None)

    def close(self) -> list[Any]:
        """Refuse further operations and return the tape."""
        tape, self.tape = self.tape, _Closed()
        return tape  # type: ignore[no-any-return]  # a list until here

    def release(self) -> None:
        """Give arrays that were frozen for the recording back to their owners."""
        thaw_all(self.thaws)

    def _node(self, value: Any, edge: Edge | None) -> TracedArray:
        tape = self.tape
        tape.append(edge)
        return self.new(value, self, len(tape) - 1)  # type: ignore[no-any-return]  # the domain's own class

    def first(self, op: Any, x: TracedArray, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Record a function of one traced array with one result."""
        if not op.simple:
            return self.process(op, (x, *args), kwargs)
        domain, value = self.domain, x._value
        if args and not domain.changeable.isdisjoint(map(type, args)):
            args = tuple(map(self.frozen, args))
        ans = op.raw(value, *args, **kwargs) if self.base else op.function(value, *args, **kwargs)
        shape, dtype = value.shape, value.dtype
        pull = op.pulls[0]
        if pull is None or (ans.dtype is not dtype and self._exact(ans)):
            return wrap_constant(domain, ans)
        kept_ans = None if op.drops_ans else ans if op.keeps_ans else Aval((ans.shape, ans.dtype, domain.device(ans)))
        kept = value if op.keeps_first else Aval((shape, dtype, domain.device(value)))
        tape = self.tape
        result = new(self.new)
        result._value, result._trace, result._node = ans, self, len(tape)
        tape.append((pull, x._node, ((kept_ans, kept, *args), kwargs), (shape, dtype), None))
        if op.rule.view and not domain.is_scalar(ans):
            share_memory(x, result)
        return result

    def pair(self, op: Any, x1: Any, x2: Any) -> Any:
        """Record a function of two arrays with one result; at least one of them belongs to the recording."""
        if not op.simple or len(op.pulls) != 2 or None in op.pulls:
            return self.process(op, (x1, x2), {})
        own1, own2 = type(x1) is self.new and x1._trace is self, type(x2) is self.new and x2._trace is self
        value1, value2 = x1._value if own1 else self.constant(x1), x2._value if own2 else self.constant(x2)
        ans = op.raw(value1, value2) if self.base else op.function(value1, value2)
        if ans.dtype is not (value1 if own1 else value2).dtype and self._exact(ans):
            return wrap_constant(self.domain, ans)
        kept_ans = None if op.drops_ans else ans if op.keeps_ans else self._abstract(ans)
        kept1 = value1 if op.keeps_first else self._abstract(value1)
        kept2 = value2 if op.keeps_second else self._abstract(value2)
        residuals = (kept_ans, kept1, kept2), _NO_OPTIONS
        edge: Any = (op.pulls[1], x2._node, residuals, (value2.shape, value2.dtype), None) if own2 else None
        edge = (op.pulls[0], x1._node, residuals, (value1.shape, value1.dtype), edge) if own1 else edge
        tape = self.tape
        result = new(self.new)
        result._value, result._trace, result._node = ans, self, len(tape)
        tape.append(edge)
        return result

    def part(self, op: Any, x: TracedArray, key: Any) -> Any:
        """Record an indexed part, by integers and slices; its cotangent is added into that of the whole in place."""
        if not self.base:
            return self.first(op, x, (key,), _NO_OPTIONS)
        value = x._value
        tape = self.tape
        result = new(self.new)
        result._value, result._trace, result._node = value[key], self, len(tape)
        tape.append((None, x._node, (value.shape, key), None, None))
        return result

    def restoration(self, value: Any, ans: Any) -> Any:
        """Return the shape and dtype to bring a cotangent back to, None where broadcasting and promotion changed nothing."""
        dtype = value.dtype
        if dtype is ans.dtype:
            shape = value.shape
            return None if shape == ans.shape else (shape, dtype)
        if self.domain.kind(ans.dtype) == "complex":
            self.has_complex = True
        return value.shape, dtype

    def constant(self, x: Any) -> Any:
        """Return an operand that does not belong to the recording as the operation sees it and the tape may keep it."""
        value = x if self.base and type(x) is not self.new else self.lower(x)
        return self.frozen(value) if type(value) in self.domain.changeable else value

    def frozen(self, x: Any) -> Any:
        """Return a constant operand, or an index or list of them, in a form that the tape may keep."""
        kind = type(x)
        if kind is list or (kind is tuple and not self.domain.changeable.isdisjoint(map(type, x))):
            return kind(map(self.frozen, x))
        freeze = self.domain.library.freeze
        if freeze is None or not isinstance(x, self.domain.array_types):
            return x
        kept, thaw = freeze(x, self.lasting)
        if thaw is not None:
            self.thaws.append(thaw)
        return kept

    def process(self, op: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Evaluate the operation and record an edge for each traced argument."""
        domain = self.domain
        if op.rule.kind == "zero":
            return wrap_constant(domain, self.evaluate(op, [self.lower(arg) for arg in args], kwargs))
        values, own = [], []
        for position, arg in enumerate(args):
            if type(arg) is self.new and arg._trace is self:
                own.append(position)
                values.append(arg._value)
            else:
                values.append(self.constant(arg))
        ans = (op.raw if self.base else op.function)(*values, **kwargs)
        if isinstance(ans, (tuple, list)):
            edge = self._edges(op, args, values, ans, kwargs, own)
            return wrap_constant(domain, ans) if edge is None else self._several(ans, edge)
        edge = None if self._exact(ans) else self._edges(op, args, values, ans, kwargs, own)
        if edge is None:
            return wrap_constant(domain, ans)
        node = self._node(ans, edge)
        if op.rule.view and not domain.is_scalar(ans):
            share_memory(args[0], node)
        return node

    def _exact(self, ans: Any) -> bool:
        kind = self.domain.kind(ans.dtype)
        if kind == "complex":
            self.has_complex = True
        return bool(kind == "exact")

    def _edges(self, op: Any, args: Any, values: list[Any], ans: Any, kwargs: Mapping[str, Any], own: list[int]) -> Edge | None:
        rule, pulls = op.rule, op.pulls
        elementwise, variadic = rule.kind == "elementwise", rule.variadic
        residuals = () if elementwise else self._residuals(op, values, ans)
        places = range(len(values)) if rule.places is None else rule.places(values, **kwargs)
        edge: Edge | None = None
        for position in reversed(own):
            if position >= len(pulls) and not variadic:
                raise MissingRuleError(f"{op.name} has no reverse rule for its argument {position}")
            pull = pulls[0] if variadic else pulls[position]
            if pull is None:
                continue
            needed: Any
            if elementwise:
                found = tuple(ans if i < 0 else values[i] for i in rule.residuals[position])
                needed = found if len(found) > 1 else found[0] if found else None
            else:
                needed = ((places[position], *residuals) if variadic else residuals), kwargs
            value = values[position]
            edge = (pull, args[position]._node, needed, (value.shape, value.dtype), edge)
        return edge

    def _residuals(self, op: Any, values: Sequence[Any], ans: Any) -> tuple[Any, ...]:
        """Return the result and the arguments for the cotangent maps, as abstract values where those suffice."""
        kept = None if op.drops_ans else ans if op.keeps_ans else self._abstract(ans)
        if op.rule.variadic:
            return kept, None if op.drops_arrays else tuple(values if op.keeps_first else map(self._abstract, values))
        keep = op.rule.keep
        if len(keep) - op.keeps_ans >= len(values):
            return (kept, *values)
        return (kept, *[value if i in keep else self._abstract(value) for i, value in enumerate(values)])

    def _abstract(self, value: Any) -> Any:
        if isinstance(value, self.domain.arrays):
            return Aval((value.shape, value.dtype, self.domain.device(value)))
        if isinstance(value, (tuple, list)) and value and isinstance(value[0], self.domain.arrays):
            return tuple(map(self._abstract, value))
        return value

    def _several(self, ans: Any, edge: Edge) -> Any:
        self.tape.append(edge)
        join = len(self.tape) - 1
        outputs = []
        for slot, value in enumerate(ans):
            if self._exact(value):
                outputs.append(wrap_constant(self.domain, value))
            else:
                outputs.append(self._node(value, (fill_slot, join, (slot, len(ans)), SLOT, None)))
        return type(ans)(*outputs) if hasattr(ans, "_fields") else type(ans)(outputs)


def thaw_all(thaws: list[Callable[[], None]]) -> None:
    """Make frozen arrays writable again, all of them, then raise for one that was changed all the same."""
    changed: InPlaceError | None = None
    while thaws:
        try:
            thaws.pop()()
        except InPlaceError as error:
            changed = error
    if changed is not None:
        raise changed


_NO_OPTIONS: dict[str, Any] = {}


class _Closed:
    def append(self, _edge: Any) -> None:
        raise LeakedTracerError(LEAKED)

    def __len__(self) -> int:
        return 0
