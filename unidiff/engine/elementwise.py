"""The functions of the namespace that act element by element, and the operators that they are.

They are most of what a program does, and what happens around the library's own function is most of what a small operation
costs. So for a recording of reverse mode each is written out, from the templates below, as one Python function without further
calls: it evaluates the operation and puts its edges on the tape (`unidiff.engine.reverse` says what they are). Arguments of
any other trace take the way of all operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unidiff.engine.operation import Operation
from unidiff.engine.reverse import ReverseTrace
from unidiff.engine.tracing import TracedArray, dispatch

_UNARY = """\
def function(x, /):
    if type(x) is TracedArray:
        trace = x._trace
        if type(trace) is ReverseTrace:
            value = x._value
            ans = raw(value) if trace.base else op.function(value)
            tape = trace.tape
            result = new(TracedArray)
            result._value, result._trace, result._node = ans, trace, len(tape)
            tape.append((pull, x._node, {residuals}, None, None))
            return result
    return otherwise(x)
"""

_BINARY = """\
def function({parameters}, /):
    if type(x1) is TracedArray:
        trace = x1._trace
        if type(trace) is ReverseTrace:
            if type(x2) is TracedArray:
                if x2._trace is trace:
                    value1, value2 = x1._value, x2._value
                    ans = raw(value1, value2) if trace.base else op.function(value1, value2)
                    dtype, shape = ans.dtype, ans.shape
                    if value1.dtype is dtype and value1.shape == shape:
                        restoration1 = None
                    else:
                        restoration1 = trace.restoration(value1, ans)
                    if value2.dtype is dtype and value2.shape == shape:
                        restoration2 = None
                    else:
                        restoration2 = trace.restoration(value2, ans)
                    tape = trace.tape
                    result = new(TracedArray)
                    result._value, result._trace, result._node = ans, trace, len(tape)
                    edge = (pull2, x2._node, {residuals2}, restoration2, None)
                    tape.append((pull1, x1._node, {residuals1}, restoration1, edge))
                    return result
            elif type(x2) in operands:
                value1, value2 = x1._value, x2
                if type(x2) in numbers:
                    ans = raw(value1, value2) if trace.base else op.function(value1, value2)
                    restoration = None
                else:
                    {freeze2}
                    ans = raw(value1, value2) if trace.base else op.function(value1, value2)
                    restoration = trace.restoration(value1, ans)
                tape = trace.tape
                result = new(TracedArray)
                result._value, result._trace, result._node = ans, trace, len(tape)
                tape.append((pull1, x1._node, {residuals1}, restoration, None))
                return result
    elif type(x2) is TracedArray:
        trace = x2._trace
        if type(trace) is ReverseTrace and type(x1) in operands:
            value1, value2 = x1, x2._value
            if type(x1) in numbers:
                ans = raw(value1, value2) if trace.base else op.function(value1, value2)
                restoration = None
            else:
                {freeze1}
                ans = raw(value1, value2) if trace.base else op.function(value1, value2)
                restoration = trace.restoration(value2, ans)
            tape = trace.tape
            result = new(TracedArray)
            result._value, result._trace, result._node = ans, trace, len(tape)
            tape.append((pull2, x2._node, {residuals2}, restoration, None))
            return result
    return otherwise(x1, x2)
"""

_NUMBERS = frozenset({bool, int, float})
"""Python's numbers that change neither the shape nor the kind of an array."""


def unary(domain: Any, op: Operation) -> Callable[[Any], Any]:
    """Return the function of an elementwise rule with one argument."""
    raw = op.raw

    def otherwise(x: Any) -> Any:
        if type(x) is domain.array_class:
            return x._trace.unary(op, x)
        return dispatch(domain, op, (x,), {}) if isinstance(x, TracedArray) else raw(x)

    source = _UNARY.format(residuals=_residuals(op.rule.residuals[0], ("value",)))
    return _written(op, source, domain, {"pull": op.pulls[0], "otherwise": otherwise})


def binary(domain: Any, op: Operation, *, reflected: bool = False) -> Callable[[Any, Any], Any]:
    """Return the function of an elementwise rule with two arguments; reflected, it takes the second one first."""
    first, second = (_residuals(positions, ("value1", "value2")) for positions in op.rule.residuals)
    source = _BINARY.format(
        parameters="x2, x1" if reflected else "x1, x2",
        residuals1=first,
        residuals2=second,
        freeze1="value1 = trace.frozen(x1)" if "value1" in second else "pass",
        freeze2="value2 = trace.frozen(x2)" if "value2" in first else "pass",
    )
    names = {"pull1": op.pulls[0], "pull2": op.pulls[1], "numbers": _NUMBERS, "operands": domain.operands}
    return _written(op, source, domain, {**names, "otherwise": _general_binary(domain, op)})


def _general_binary(domain: Any, op: Operation) -> Callable[[Any, Any], Any]:
    raw, traced, operands = op.raw, domain.array_class, domain.operands

    def otherwise(x1: Any, x2: Any) -> Any:
        if type(x1) is traced:
            if type(x2) is traced:
                if x1._trace is x2._trace:
                    return x1._trace.both(op, x1, x2)
            elif type(x2) in operands:
                return x1._trace.process(op, (x1, x2), {})
        elif type(x2) is traced:
            if type(x1) in operands:
                return x2._trace.process(op, (x1, x2), {})
        elif not (isinstance(x1, TracedArray) or isinstance(x2, TracedArray)):
            return raw(x1, x2)
        return dispatch(domain, op, domain.with_arrays((x1, x2), (0, 1)), {})

    return otherwise


def _residuals(positions: tuple[int, ...], names: tuple[str, ...]) -> str:
    """Return the expression for what a map needs."""
    needed = ["ans" if position < 0 else names[position] for position in positions]
    return ("None", *needed)[len(needed)] if len(needed) < 2 else f"({', '.join(needed)})"


def _written(op: Operation, source: str, domain: Any, names: dict[str, Any]) -> Callable[..., Any]:
    """Return the function that a template says."""
    names |= {"op": op, "raw": op.raw, "new": object.__new__, "TracedArray": domain.array_class, "ReverseTrace": ReverseTrace}
    exec(compile(source, f"<unidiff: recording of {op.name}>", "exec"), names)  # noqa: S102  # the templates are ours
    function: Callable[..., Any] = names["function"]
    return function
