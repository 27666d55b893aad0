"""The recording of reverse mode: a flat tape of edges, along which `unidiff.engine.pullback` pulls cotangents back.

The node of a traced array is its index on the tape. An entry of the tape is a chain of *edges*, one for each traced argument
of the operation::

    (pull, parent, residuals, restoration, next_edge)

``pull(xp, g, *residuals)`` is the cotangent that flows to the node ``parent``, or None where the node is an indexed part of it
and the residuals are the shape of the whole and the key; the restoration is the shape and dtype the parent has where
broadcasting or promotion may have changed them, else None. Tuples and a list instead of node objects and closures keep an
operation cheap and spare the garbage collector. An operation with several results is an entry whose
cotangent is a `unidiff.engine.pullback.Slots`, followed by one entry for each result that fills its slot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from unidiff._typing import Array
from unidiff.engine.pullback import fill_slot
from unidiff.engine.shapes import Aval
from unidiff.engine.tracing import LEAKED, Trace, TracedArray, share_memory, wrap_constant
from unidiff.errors import LeakedTracerError, MissingRuleError

new = object.__new__

Edge = tuple[Any, int, tuple[Any, ...], Any, Any]


class ReverseTrace(Trace):
    """One recording for reverse mode."""

    __slots__ = ("has_complex", "lasting", "new", "tape", "thaws")

    def __init__(self, domain: Any, level: int, base: bool) -> None:
        super().__init__(domain, level, base)
        self.tape: Any = []
        self.new = domain.array_class
        self.has_complex = False
        self.lasting = False
        self.thaws: list[Callable[[], None]] = []

    def variable(self, primal: Array) -> TracedArray:
        """Return an input of the recording."""
        self.domain.accepts(primal)
        if self.domain.kind(primal.dtype) == "complex":
            self.has_complex = True
        return self._node(self.lower(primal), None)

    def close(self) -> list[Any]:
        """Refuse further operations and return the tape."""
        tape, self.tape = self.tape, _Closed()
        return tape  # type: ignore[no-any-return]  # a list until here

    def release(self) -> None:
        """Give constants that were frozen for the recording back to their owners."""
        for thaw in self.thaws:
            thaw()
        self.thaws.clear()

    def _node(self, value: Any, edge: Edge | None) -> TracedArray:
        tape = self.tape
        tape.append(edge)
        return self.new(value, self, len(tape) - 1)  # type: ignore[no-any-return]  # the domain's own class

    # The four elementwise forms are most of what a program does, so each is written out: a call saved here is a tenth of it.

    def unary(self, op: Any, x: TracedArray) -> Any:
        """Record an elementwise function of one argument."""
        value = x._value
        ans = op.raw(value) if self.base else op.function(value)
        tape = self.tape
        result = new(self.new)
        result._value, result._trace, result._node = ans, self, len(tape)
        tape.append((op.pushes[0], x._node, op.needs[0](value, None, ans), None, None))
        return result

    def left(self, op: Any, x1: TracedArray, x2: Any) -> Any:
        """Record an elementwise function of a traced array and a constant."""
        value = x1._value
        if type(x2) in _REAL_SCALARS:
            ans = op.raw(value, x2) if self.base else op.function(value, x2)
            restoration = None
        else:
            x2 = self._frozen(x2) if op.crosses else x2
            ans = op.raw(value, x2) if self.base else op.function(value, x2)
            restoration = self._restoration(value, ans)
        tape = self.tape
        result = new(self.new)
        result._value, result._trace, result._node = ans, self, len(tape)
        tape.append((op.pushes[0], x1._node, op.needs[0](value, x2, ans), restoration, None))
        return result

    def right(self, op: Any, x1: Any, x2: TracedArray) -> Any:
        """Record an elementwise function of a constant and a traced array."""
        value = x2._value
        if type(x1) in _REAL_SCALARS:
            ans = op.raw(x1, value) if self.base else op.function(x1, value)
            restoration = None
        else:
            x1 = self._frozen(x1) if op.crosses else x1
            ans = op.raw(x1, value) if self.base else op.function(x1, value)
            restoration = self._restoration(value, ans)
        tape = self.tape
        result = new(self.new)
        result._value, result._trace, result._node = ans, self, len(tape)
        tape.append((op.pushes[1], x2._node, op.needs[1](x1, value, ans), restoration, None))
        return result

    def both(self, op: Any, x1: TracedArray, x2: TracedArray) -> Any:
        """Record an elementwise function of two traced arrays."""
        value1, value2 = x1._value, x2._value
        ans = op.raw(value1, value2) if self.base else op.function(value1, value2)
        dtype, shape = ans.dtype, ans.shape
        restore1 = None if value1.dtype is dtype and value1.shape == shape else self._restoration(value1, ans)
        restore2 = None if value2.dtype is dtype and value2.shape == shape else self._restoration(value2, ans)
        push1, push2 = op.pushes
        needs1, needs2 = op.needs
        tape = self.tape
        result = new(self.new)
        result._value, result._trace, result._node = ans, self, len(tape)
        edge = (push2, x2._node, needs2(value1, value2, ans), restore2, None)
        tape.append((push1, x1._node, needs1(value1, value2, ans), restore1, edge))
        return result

    def first(self, op: Any, x: TracedArray, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Record a function of one traced array with one result."""
        if not op.simple:
            return self.process(op, (x, *args), kwargs)
        value = x._value
        if not self.domain.changeable.isdisjoint(map(type, args)):
            args = tuple(map(self._frozen, args))
        ans = op.raw(value, *args, **kwargs) if self.base else op.function(value, *args, **kwargs)
        shape, dtype = value.shape, value.dtype
        if ans.dtype is dtype:
            restoration = (shape, dtype) if args else None  # another array may have broadcast this one
        elif self._exact(ans):
            return wrap_constant(self.domain, ans)
        else:
            restoration = (shape, dtype)
        pull = op.rule.vjps[0]
        if pull is None:
            return wrap_constant(self.domain, ans)
        kept_ans = ans if op.keeps_ans else Aval((ans.shape, ans.dtype, ans.device))
        kept = value if op.keeps_first else Aval((shape, dtype, value.device))
        tape = self.tape
        result = new(self.new)
        result._value, result._trace, result._node = ans, self, len(tape)
        tape.append((partial(pull, **kwargs) if kwargs else pull, x._node, (kept_ans, kept, *args), restoration, None))
        if op.rule.view and not self.domain.is_scalar(ans):
            share_memory(x, result)
        return result

    def pair(self, op: Any, x1: TracedArray, x2: TracedArray) -> Any:
        """Record a function of two traced arrays with one result."""
        if not op.simple or len(op.rule.vjps) != 2:
            return self.process(op, (x1, x2), {})
        value1, value2 = x1._value, x2._value
        ans = op.raw(value1, value2) if self.base else op.function(value1, value2)
        if ans.dtype is not value1.dtype and self._exact(ans):
            return wrap_constant(self.domain, ans)
        residuals = self._residuals(op.rule, (value1, value2), ans)
        pull1, pull2 = op.rule.vjps
        edge: Edge | None = None if pull2 is None else (pull2, x2._node, residuals, (value2.shape, value2.dtype), None)
        edge = edge if pull1 is None else (pull1, x1._node, residuals, (value1.shape, value1.dtype), edge)
        return wrap_constant(self.domain, ans) if edge is None else self._node(ans, edge)

    def part(self, op: Any, x: TracedArray, key: Any) -> Any:
        """Record an indexed part, by integers and slices; its cotangent is added into that of the whole in place."""
        if not self.base:
            return self.first(op, x, (key,), {})
        value = x._value
        ans = value[key]
        tape = self.tape
        result = new(self.new)
        result._value, result._trace, result._node = ans, self, len(tape)
        tape.append((None, x._node, (value.shape, key), None, None))
        return result

    def _restoration(self, value: Any, ans: Any) -> Any:
        """Return the shape and dtype to bring a cotangent back to, None where broadcasting and promotion changed nothing."""
        dtype = value.dtype
        if dtype is ans.dtype:
            shape = value.shape
            return None if shape == ans.shape else (shape, dtype)
        if self.domain.kind(ans.dtype) == "complex":
            self.has_complex = True
        return value.shape, dtype

    def _frozen(self, x: Any) -> Any:
        """Return a constant operand, or an index or list of them, in a form that the tape may keep."""
        freeze = self.domain.library.freeze
        if type(x) is list or (type(x) is tuple and not self.domain.changeable.isdisjoint(map(type, x))):
            return type(x)(map(self._frozen, x))
        if freeze is None or not isinstance(x, self.domain.array_types):
            return x
        kept, thaw = freeze(x, self.lasting)
        if thaw is not None:
            self.thaws.append(thaw)
        return kept

    def process(self, op: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Evaluate the operation and record an edge for each traced argument."""
        if op.rule.kind == "zero":
            return wrap_constant(self.domain, self.evaluate(op, [self.lower(arg) for arg in args], kwargs))
        values, own = [], []
        for position, arg in enumerate(args):
            if type(arg) is self.new and arg._trace is self:
                own.append(position)
                values.append(arg._value)
            else:
                values.append(self._frozen(self.lower(arg)))
        ans = self.evaluate(op, values, kwargs)
        if isinstance(ans, (tuple, list)):
            edge = self._edges(op, args, values, ans, kwargs, own)
            return wrap_constant(self.domain, ans) if edge is None else self._several(ans, edge)
        edge = None if self._exact(ans) else self._edges(op, args, values, ans, kwargs, own)
        if edge is None:
            return wrap_constant(self.domain, ans)
        node = self._node(ans, edge)
        if op.rule.view and not self.domain.is_scalar(ans):
            share_memory(args[0], node)
        return node

    def _exact(self, ans: Any) -> bool:
        kind = self.domain.kind(ans.dtype)
        if kind == "complex":
            self.has_complex = True
        return bool(kind == "exact")

    def _edges(self, op: Any, args: Any, values: list[Any], ans: Any, kwargs: Mapping[str, Any], own: list[int]) -> Edge | None:
        rule = op.rule
        elementwise, variadic, vjps = rule.kind == "elementwise", rule.variadic, rule.vjps
        residuals = () if elementwise else self._residuals(rule, values, ans)
        places = range(len(values)) if rule.places is None else rule.places(values, **kwargs)
        edge: Edge | None = None
        needed: tuple[Any, ...]
        for position in reversed(own):
            if position >= len(vjps) and not variadic:
                raise MissingRuleError(f"{op.name} has no reverse rule for its argument {position}")
            pull = vjps[0] if variadic else vjps[position]
            if pull is None:
                continue
            if elementwise:
                needed = tuple(ans if i < 0 else values[i] for i in rule.residuals[position])
            else:
                needed = (places[position], *residuals) if variadic else residuals
            if kwargs:
                pull = partial(pull, **kwargs)
            value = values[position]
            edge = (pull, args[position]._node, needed, (value.shape, value.dtype), edge)
        return edge

    def _residuals(self, rule: Any, values: Sequence[Any], ans: Any) -> tuple[Any, ...]:
        """Return the result and the arguments for the cotangent maps, as abstract values where those suffice."""
        keep = rule.keep
        kept = ans if -1 in keep else self._abstract(ans)
        if rule.variadic:
            return kept, tuple(values if 0 in keep else map(self._abstract, values))
        if len(keep) >= len(values):
            return (kept, *values)
        return (kept, *[value if i in keep else self._abstract(value) for i, value in enumerate(values)])

    def _abstract(self, value: Any) -> Any:
        if isinstance(value, (TracedArray, *self.domain.array_types)):
            array: Any = value
            return Aval((array.shape, array.dtype, self.domain.device(array)))
        if isinstance(value, (tuple, list)) and value and isinstance(value[0], (TracedArray, *self.domain.array_types)):
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
                outputs.append(self._node(value, (fill_slot, join, (slot, len(ans)), None, None)))
        return type(ans)(*outputs) if hasattr(ans, "_fields") else type(ans)(outputs)


_REAL_SCALARS = frozenset({bool, int, float})


class _Closed:
    def append(self, _edge: Any) -> None:
        raise LeakedTracerError(LEAKED)

    def __len__(self) -> int:
        return 0
