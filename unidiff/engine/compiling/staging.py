"""Loops and branches as parts of a recorded program: recorded once as programs of their own, and run by Python in each replay.

An array that forward mode or a vectorizing map works on is, beneath its traces, a few arrays that are recorded: its value, its
tangent, a whole batch. A loop is recorded over these. Its body is run once on new symbols, put together to arrays of the same
traces, so the program of the body computes all derivatives too, and what the body has from outside becomes an argument of it.
Which carries have a tangent or a batch is found by going round again until no step adds one. Reverse mode is
`unidiff.engine.compiling.reversing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from unidiff._typing import Array, Arrays
from unidiff.engine.batching import BatchTrace
from unidiff.engine.compiling.optimize_program import optimize
from unidiff.engine.compiling.recording import Recorder, current
from unidiff.engine.compiling.replay import Compiled
from unidiff.engine.control_flow import choose, innermost
from unidiff.engine.forward import ForwardTrace
from unidiff.engine.tracing import Trace, TracedArray, wrap_constant

LONGEST = 128
"""Loops of a known length up to this one are recorded step by step, which lets all steps be made smaller together."""

Shape = Any
"""How an array is made of recorded ones: None for such a one, else ``(trace, shape of the value, shape of the tangent)``."""


class Unstageable(Exception):  # noqa: N818  # a signal within the engine, never seen by users
    """An array belongs to a transform that records what it sees; the loop is recorded step by step."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace


class More(Exception):  # noqa: N818  # a signal within the engine, never seen by users
    """A step returned more than what was assumed before it, in some loop that is being recorded."""

    def __init__(self, before: list[Any], after: list[Any]) -> None:
        super().__init__()
        self.before, self.after = before, after


# --- arrays and what they are made of


def apart(x: Any, found: list[Any], floor: int = 0) -> Shape:
    """Append what an array is made of, arrays of the level `floor` and of those beneath; return how."""
    if not isinstance(x, TracedArray):
        found.append(x)
        return None
    trace = x._trace
    if not trace.level:
        return apart(x._value, found)
    if trace.level <= floor:
        found.append(x)
        return None
    if type(trace) is ForwardTrace:
        return trace, apart(x._value, found, floor), apart(x._node, found, floor)
    if type(trace) is BatchTrace:
        return trace, apart(x._value, found, floor)
    raise Unstageable(trace)


def together(domain: Any, shape: Shape, parts: Iterator[Any]) -> Any:
    """Return the array that is made so of the next parts."""
    if shape is None:
        return next(parts)
    trace = shape[0]
    value = trace.lower(together(domain, shape[1], parts))
    node = trace.lower(together(domain, shape[2], parts)) if len(shape) > 2 else trace.size
    return domain.array_class(value, trace, node)


def _joined(a: Shape, b: Shape) -> Shape:
    """Return the shape that an array of either shape can be brought to."""
    if a is None or b is None:
        return b if a is None else a
    if a[0] is b[0]:
        return (a[0], *(_joined(x, y) for x, y in zip(a[1:], b[1:], strict=True)))
    if a[0].level < b[0].level:
        a, b = b, a
    return (a[0], _joined(a[1], b), *a[2:])


def _brought(domain: Any, x: Any, shape: Shape) -> list[Any]:
    """Return what an array is made of once it has that shape."""
    if isinstance(x, TracedArray) and not x._trace.level:
        x = x._value
    if shape is None:
        return [x]
    trace, own = shape[0], isinstance(x, TracedArray) and x._trace is shape[0]
    if len(shape) > 2:
        zeros = domain.plain.zeros
        tangent = x._node if own else zeros(tuple(x.shape), dtype=x.dtype, device=domain.device(x))
        return _brought(domain, x._value if own else x, shape[1]) + _brought(domain, tangent, shape[2])
    value = x._value if own else domain.plain.broadcast_to(x, (trace.size, *x.shape))
    return _brought(domain, value, shape[1])


def axes(shape: Shape, batches: int = 0) -> list[int]:
    """Return for each part of an array how many axes of batches come first in it."""
    if shape is None:
        return [batches]
    inner = batches + (len(shape) == 2)
    return [axis for part in shape[1:] for axis in axes(part, inner)]


# --- programs within a program


class _Part:
    """A program within the one that is being recorded.

    Attributes
    ----------
    run : callable
        Takes the arrays from outside, then the inputs; returns arrays, never scalars.
    outside : list of array
        Symbols and plain arrays that are not inputs.
    rest : object
        What the function returned beside its outputs.
    """

    def __init__(self, backend: Any, f: Callable[..., tuple[Arrays, Any]], inputs: Sequence[Any]) -> None:
        outer: Any = current.get()
        inner = Recorder(backend.plain, outer)
        inner.quiet_depth = outer.quiet_depth
        token = current.set(inner)
        try:
            outs, self.rest = f(*map(inner.input, inputs))
            inner.program.outputs = [inner.encode(y) for y in outs]
        finally:
            inner.open = False
            current.reset(token)
        self.outside = list(inner.adopted.values())
        inner.program.inputs = [*inner.adopted_numbers(), *inner.program.inputs]
        run, scalars, asarray = (
            Compiled(optimize(inner.program, backend.plain), backend.plain).run,
            backend.plain.scalar_types,
            backend.plain.xp.asarray,
        )

        def arrays(*args: Array) -> Arrays:
            return tuple([asarray(y) if isinstance(y, scalars) else y for y in run(*args)])

        self.run = arrays if scalars else run


def user_arrays(backend: Any, shapes: Sequence[Shape], parts: Iterator[Any]) -> Arrays:
    """Return arrays of these shapes, made of the next parts, as users' functions see them."""
    return tuple(wrap_constant(backend.domain, together(backend.domain, shape, parts)) for shape in shapes)


def all_brought(backend: Any, arrays: Sequence[Any], shapes: Sequence[Shape]) -> list[Any]:
    """Return what several arrays are made of once they have these shapes."""
    return [part for x, shape in zip(arrays, shapes, strict=True) for part in _brought(backend.domain, x, shape)]


def check_grown(arrays: Sequence[Any], shapes: list[Shape], floor: int = 0) -> None:
    """Raise where arrays after a step have more traces than before it."""
    joined = [_joined(shape, apart(x, [], floor)) for x, shape in zip(arrays, shapes, strict=True)]
    if joined != shapes:
        raise More(shapes, joined)


def _settled(backend: Any, init: Arrays, record: Callable[[list[Shape], list[Any]], Any]) -> tuple[list[Shape], list[Any], Any]:
    """Record a loop such that its carries have the same traces before and after a step."""
    recorder: Any = current.get()
    shapes = [apart(x, []) for x in init]
    while True:
        start = [_array(backend, x) for x in all_brought(backend, init, shapes)]
        try:
            return shapes, start, record(shapes, [recorder.example(x) for x in start])
        except More as more:
            if more.before is not shapes:
                raise
            shapes = more.after


def _array(backend: Any, x: Any) -> Any:
    recorder: Any = current.get()
    example = recorder.example(x)
    if not isinstance(example, backend.plain.scalar_types):
        return x
    asarray = backend.plain.xp.asarray
    return recorder.record("as_array", asarray, (x,), {})


# --- loops and branches


def scan(backend: Any, f: Any, init: Arrays, xs: Arrays, length: int, reverse: bool) -> tuple[Arrays, Arrays]:
    """Return the last carry and the stacked results of a loop whose body is a program of its own."""
    recorder: Any = current.get()
    given: list[Any] = []
    x_shapes = [apart(x, given) for x in xs]
    x_axes = [axis for shape in x_shapes for axis in axes(shape)]
    slices = [recorder.example(x)[_key(axis, 0)] for x, axis in zip(given, x_axes, strict=True)]

    def record(shapes: list[Shape], start: list[Any]) -> _Part:
        def body(*symbols: Any) -> tuple[list[Any], list[Shape]]:
            parts = iter(symbols)
            carry = user_arrays(backend, shapes, parts)
            after, ys = f(carry, user_arrays(backend, x_shapes, parts))
            check_grown(after, shapes)
            found: list[Any] = []
            y_shapes = [apart(y, found) for y in ys]
            return all_brought(backend, after, shapes) + found, y_shapes

        return _Part(backend, body, [*start, *slices])

    shapes, start, part = _settled(backend, init, record)
    y_shapes, count, run, stack = part.rest, len(start), part.run, backend.plain.xp.stack
    y_axes = [axis for shape in y_shapes for axis in axes(shape)]
    order = range(length - 1, -1, -1) if reverse else range(length)

    def loop(outside: list[Any], carry: list[Any], xs: list[Any]) -> Arrays:
        rows = []
        values: Sequence[Any] = carry
        for k in order:
            outs = run(*outside, *values, *[x[_key(axis, k)] for x, axis in zip(xs, x_axes, strict=True)])
            values = outs[:count]
            rows.append(outs[count:])
        if reverse:
            rows.reverse()
        stacked = [stack(list(column), axis=axis) for column, axis in zip(zip(*rows, strict=True), y_axes, strict=True)]
        return (*values, *stacked)

    results = iter(recorder.record("scan", loop, (part.outside, start, given), {}))
    return user_arrays(backend, shapes, results), user_arrays(backend, y_shapes, results)


def _key(axis: int, k: int) -> tuple[Any, ...]:
    return (*(slice(None),) * axis, k, ...)


def while_loop(backend: Any, condition: Callable[..., Array], body: Callable[..., Arrays], init: Arrays) -> Arrays:
    """Return the last values of a loop whose condition and body are programs of their own."""
    recorder: Any = current.get()
    domain = backend.domain

    def record(shapes: list[Shape], start: list[Any]) -> tuple[_Part, _Part]:
        def going(*symbols: Any) -> tuple[list[Any], bool]:
            value, batch = innermost(condition(*user_arrays(backend, shapes, iter(symbols))))
            return [value if batch is None else domain.library.xp.any(value)], batch is not None

        check = _Part(backend, going, start)

        def step(*symbols: Any) -> tuple[list[Any], None]:
            values = user_arrays(backend, shapes, iter(symbols))
            after = body(*values)
            if check.rest:  # slices that are done keep their values
                chosen = condition(*values)
                after = tuple(domain.plain.where(chosen, x, y) for x, y in zip(after, values, strict=True))
            check_grown(after, shapes)
            return all_brought(backend, after, shapes), None

        return check, _Part(backend, step, start)

    shapes, start, (check, step) = _settled(backend, init, record)

    def loop(of_check: list[Any], of_step: list[Any], carry: list[Any]) -> Arrays:
        values: Any = carry
        while bool(check.run(*of_check, *values)[0]):
            values = step.run(*of_step, *values)
        return tuple(values)

    results = iter(recorder.record("while_loop", loop, (check.outside, step.outside, start), {}))
    return user_arrays(backend, shapes, results)


def cond(backend: Any, predicate: Array, if_true: Any, if_false: Any, operands: Arrays) -> Arrays:
    """Return what one of two branches gives, which are both programs of their own."""
    recorder: Any = current.get()
    value, batch = innermost(predicate)
    if batch is not None:
        return choose(backend.domain, batch, predicate, if_true, if_false, operands)

    def part(branch: Any, shapes: list[Shape] | None) -> _Part:
        def taken() -> tuple[list[Any], list[Shape]]:
            outs = branch(*operands)
            found: list[Any] = []
            own = [apart(y, found) for y in outs]
            return (found, own) if shapes is None else (all_brought(backend, outs, shapes), shapes)

        return _Part(backend, taken, [])

    parts = [part(branch, None) for branch in (if_true, if_false)]
    shapes = [_joined(x, y) for x, y in zip(parts[0].rest, parts[1].rest, strict=True)]
    first, second = (
        found if found.rest == shapes else part(branch, shapes)
        for found, branch in zip(parts, (if_true, if_false), strict=True)
    )

    def choice(holds: Any, of_first: list[Any], of_second: list[Any]) -> Arrays:
        return first.run(*of_first) if bool(holds) else second.run(*of_second)

    results = iter(recorder.record("cond", choice, (value, first.outside, second.outside), {}))
    return user_arrays(backend, shapes, results)
