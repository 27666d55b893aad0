"""Loops and branches as parts of a recorded program: recorded once as programs of their own, and run by Python in each replay.

An array that forward mode or a vectorizing map works on is, beneath its traces, a few arrays that are recorded: its value, its
tangent, a whole batch. A loop is recorded over these. Its body is run once on new symbols, put together to arrays of the same
traces, so the program of the body computes all derivatives too, and what the body has from outside becomes an argument of it.

A part stands for steps that are all alike, so what a step returns must be made as what it was given: of the same traces, shapes
and orders of elements. The first steps of a loop often are not, as where a carry has no tangent yet. Such a loop is not
settled; it goes on step by step, as it would without compiling, until it is. Nothing is ever filled with zeros, so a loop
computes what it computes when it is not compiled, in every bit. Reverse mode is `unidiff.engine.compiling.reversing`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from unidiff._typing import Array, Arrays
from unidiff.engine.compiling.composition import (
    Shape,
    Unstageable,
    all_apart,
    all_together,
    apart,
    axes,
    brought,
    joined,
    shown,
)
from unidiff.engine.compiling.optimize_program import optimize
from unidiff.engine.compiling.recording import Recorder, Rows, current
from unidiff.engine.compiling.replay import Compiled, StaleBranch
from unidiff.engine.control_flow import choose, innermost

LONGEST = 128
"""Loops of a known length up to this one are recorded step by step, which lets all steps be made smaller together."""

UNSETTLED = 32
"""So many steps are recorded one by one at the most in the hope that those that follow are alike."""

UNROLLED = 4096
"""Longer loops are never recorded step by step; where they cannot be parts, the function runs as it is."""


class Unsettled(Exception):  # noqa: N818  # a signal within the engine, never seen by users
    """A step returned arrays that are not made as those it was given."""


def check_length(steps: int) -> None:
    """Raise where so many steps would have to be recorded one by one that the function had better run as it is."""
    if steps > UNROLLED:
        raise StaleBranch


class _Scalars(Exception):  # noqa: N818  # a signal within the engine, never seen by users
    """A step was given 0-d arrays and returned scalars of the library: these are the places."""

    def __init__(self, places: list[int]) -> None:
        super().__init__()
        self.places = places


# --- programs within a program


class Part:
    """A program within the one that is being recorded.

    Attributes
    ----------
    run : callable
        Takes the arrays from outside, then the inputs; returns the outputs.
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
        self.run = Compiled(optimize(inner.program, backend.plain), backend.plain).run


def _recorded(start: Sequence[Any], others: Sequence[Any], part: Callable[[list[Any]], Any]) -> Any:
    """Record a part for the first arrays of a loop; where a step makes scalars of 0-d arrays, it is recorded for scalars.

    NumPy's functions do that. What is recorded for scalars asks for no array, so the first step may have one.
    """
    recorder: Any = current.get()
    examples = [recorder.example(x) for x in start]
    while True:
        try:
            return part([*examples, *others])
        except _Scalars as found:
            for place in found.places:
                examples[place] = examples[place][()]


def _check_settled(backend: Any, before: Sequence[Any], after: Sequence[Any], shapes: list[Shape], now: list[Shape]) -> None:
    """Raise where a part does not stand for all steps of a loop."""
    if shapes != now:
        raise Unsettled
    scalars, recorder = backend.plain.scalar_types, current.get()
    pairs = zip(map(recorder.example, before), map(recorder.example, after), strict=True)  # type: ignore[union-attr]  # recording
    places = [k for k, (x, y) in enumerate(pairs) if isinstance(y, scalars) and not isinstance(x, scalars)]
    if places:
        raise _Scalars(places)


# --- loops and branches

Step = Callable[[list[Any], list[Any], list[Any]], tuple[Sequence[Any], Sequence[tuple[Any, int]], Sequence[Any]]]
"""``step(carry, slices, held) -> (carry, [(row, the axis that rows are stacked along)], what is kept of the step)``."""


@dataclass(slots=True, eq=False)
class Rolled:
    """The results of steps that are a part of the program.

    Attributes
    ----------
    last : list of array
        The last carry.
    stacked : list of array
        The rows.
    kept : Symbol
        What was kept of each step: a `Rows`.
    kept_shapes : list
        How that is made of arrays.
    """

    last: list[Any]
    stacked: list[Any]
    kept: Any
    kept_shapes: list[Shape]


def roll(
    backend: Any, step: Step, carry: Sequence[Any], xs: Sequence[tuple[Any, int]], order: Sequence[int], *,
    before: Sequence[Sequence[Any]] = (), held: Any = None, held_shapes: Sequence[Shape] = (),
) -> Rolled:  # fmt: skip
    """Do steps of a loop as a part of the program.

    Parameters
    ----------
    backend : RecordingBackend
    step : callable
        See `Step`.
    carry : sequence of array or None
        What the first of the steps is given.
    xs : sequence of (array, int)
        What is sliced, and along which axis.
    order : sequence of int
        The numbers of the steps, which are those of the slices.
    before : sequence of sequence of array
        The rows of the steps that came before.
    held, held_shapes : Symbol, sequence
        What was kept of these steps by an earlier loop.
    """
    recorder: Any = current.get()
    domain, library = backend.domain, backend.plain
    shapes, start = all_apart(library, carry)
    x_shapes, given = all_apart(library, [x for x, _ in xs])
    x_axes = [axis for shape, (_, first) in zip(x_shapes, xs, strict=True) for axis in axes(shape, first)]
    slices = [recorder.example(x)[_key(axis, order[0])] for x, axis in zip(given, x_axes, strict=True)]
    examples = [] if held is None else list(held.example[order[0]])

    def body(*symbols: Any) -> tuple[list[Any], Any]:
        parts = iter(symbols)
        state = all_together(domain, shapes, parts)
        after, ys, kept = step(state, all_together(domain, x_shapes, parts), all_together(domain, held_shapes, parts))
        now, outs = all_apart(library, after)
        _check_settled(backend, symbols[: len(start)], outs, shapes, now)
        y_shapes, rows = [], []
        for place, (y, _) in enumerate(ys):
            others = [apart(library, row[place], []) for row in before]
            y_shapes.append(reduce(joined, others, apart(library, y, [])))
            rows += brought(domain, y, y_shapes[-1])
        kept_shapes, parts_kept = all_apart(library, kept)
        y_axes = [axis for shape, (_, first) in zip(y_shapes, ys, strict=True) for axis in axes(shape, first)]
        return [*outs, *rows, *parts_kept], (y_shapes, y_axes, kept_shapes)

    part = _recorded(start, [*slices, *examples], lambda inputs: Part(backend, body, inputs))
    y_shapes, y_axes, kept_shapes = part.rest
    earlier = [[p for y, shape in zip(row, y_shapes, strict=True) for p in brought(domain, y, shape)] for row in before]
    count, end, run, stack = len(start), len(start) + len(y_axes), part.run, library.xp.stack

    def loop(outside: list[Any], values: Any, xs: list[Any], earlier: list[Any], held: Any) -> tuple[Any, ...]:
        rows, kept = list(earlier), Rows()
        for k in order:
            sliced = [x[_key(axis, k)] for x, axis in zip(xs, x_axes, strict=True)]
            outs = run(*outside, *values, *sliced, *(() if held is None else held[k]))
            values = outs[:count]
            rows.append(outs[count:end])
            kept[k] = outs[end:]
        if order[0] > order[-1]:
            rows.reverse()
        stacked = [stack(list(column), axis=axis) for column, axis in zip(zip(*rows, strict=True), y_axes, strict=True)]
        return (*values, *stacked, kept)

    *results, kept = recorder.record("scan", loop, (part.outside, start, given, earlier, held), {})
    found = iter(results)
    return Rolled(all_together(domain, shapes, found), all_together(domain, y_shapes, found), kept, kept_shapes)


def _key(axis: int, k: int) -> tuple[Any, ...]:
    return (*(slice(None),) * axis, k, ...)


def scan(backend: Any, f: Any, carry: Arrays, xs: Arrays, rows: list[Arrays], order: Sequence[int]) -> tuple[Arrays, Arrays]:
    """Return the last carry and the stacked results of a loop of which the steps in `rows` have been done."""
    domain = backend.domain

    def step(state: list[Any], slices: list[Any], _: Any) -> Any:
        after, ys = f(shown(domain, state), shown(domain, slices))
        return after, [(y, 0) for y in ys], ()

    found = roll(backend, step, carry, [(x, 0) for x in xs], order, before=rows)
    return shown(domain, found.last), shown(domain, found.stacked)


def while_loop(backend: Any, condition: Callable[..., Array], body: Callable[..., Arrays], init: Arrays) -> Arrays:
    """Return the last values of a loop whose condition and body are programs of their own."""
    recorder: Any = current.get()
    domain, library = backend.domain, backend.plain
    shapes, start = all_apart(library, init)

    def parts(inputs: list[Any]) -> tuple[Part, Part]:
        def going(*symbols: Any) -> tuple[list[Any], bool]:
            value, batch = innermost(condition(*shown(domain, all_together(domain, shapes, iter(symbols)))))
            return [value if batch is None else domain.library.xp.any(value)], batch is not None

        check = Part(backend, going, inputs)

        def step(*symbols: Any) -> tuple[list[Any], None]:
            values = shown(domain, all_together(domain, shapes, iter(symbols)))
            after = body(*values)
            if check.rest:  # slices that are done keep their values
                chosen = condition(*values)
                after = tuple(domain.plain.where(chosen, x, y) for x, y in zip(after, values, strict=True))
            now, outs = all_apart(library, after)
            _check_settled(backend, symbols, outs, shapes, now)
            return outs, None

        return check, Part(backend, step, inputs)

    check, step = _recorded(start, (), parts)

    def loop(of_check: list[Any], of_step: list[Any], carry: list[Any]) -> Arrays:
        values: Any = carry
        while bool(check.run(*of_check, *values)[0]):
            values = step.run(*of_step, *values)
        return tuple(values)

    results = iter(recorder.record("while_loop", loop, (check.outside, step.outside, start), {}))
    return shown(domain, all_together(domain, shapes, results))


def cond(backend: Any, predicate: Array, if_true: Any, if_false: Any, operands: Arrays) -> Arrays:
    """Return what one of two branches gives, which are both programs of their own and give arrays that are made alike.

    With a predicate for each slice of a batch there is a third one, for slices that go both ways.
    """
    recorder: Any = current.get()
    domain, library = backend.domain, backend.plain
    value, batch = innermost(predicate)
    ways = [lambda: if_true(*operands), lambda: if_false(*operands)]
    if batch is not None:
        ways.append(lambda: choose(domain, batch, predicate, if_true, if_false, operands))

    def part(way: Any) -> Part:
        def taken() -> tuple[list[Any], list[Shape]]:
            shapes, found = all_apart(library, way())
            return found, shapes

        return Part(backend, taken, [])

    parts = [part(way) for way in ways]
    if any(other.rest != parts[0].rest for other in parts):
        raise Unstageable
    every, some = library.xp.all, library.xp.any

    def choice(holds: Any, *outside: list[Any]) -> Arrays:
        both = batch is not None and not bool(every(holds)) and bool(some(holds))
        way = 2 if both else 0 if bool(holds if batch is None else every(holds)) else 1
        result: Arrays = parts[way].run(*outside[way])
        return result

    results = iter(recorder.record("cond", choice, (value, *(each.outside for each in parts)), {}))
    return shown(domain, all_together(domain, parts[0].rest, results))
