"""Reverse mode through loops that are parts of a recorded program.

The loop itself runs on the values beneath the recording of reverse mode, and keeps the carry before each step. Its pullback is
a loop in the other direction, in which each step runs once more from the carry that was kept and is pulled back, as under
`unidiff.checkpoint`. It takes over the cotangents that have been added up so far for what the steps use from outside, and adds
to them step by step, so cotangents are added up in the order in which one recording of all steps would.

That holds where the values beneath are of no other recording of reverse mode: such a one would also record the second run of
each step, and add up the cotangents of its values apart from those of the first. These loops are recorded step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from unidiff._typing import Arrays
from unidiff.engine.checkpointing import detached, reopened
from unidiff.engine.compiling import staging
from unidiff.engine.compiling.composition import (
    Leaf,
    Shape,
    Unstageable,
    all_apart,
    all_together,
    axes,
    brought,
    joined,
    shown,
)
from unidiff.engine.compiling.recording import Rows, current
from unidiff.engine.compiling.replay import StaleBranch
from unidiff.engine.compiling.staging import Unsettled, roll
from unidiff.engine.control_flow import same
from unidiff.engine.pullback import Spread, add_part, pull_back
from unidiff.engine.reverse import ReverseTrace, thaw_all
from unidiff.engine.tracing import TracedArray


def scan(backend: Any, f: Any, carry: Arrays, xs: Arrays, rows: list[Arrays], order: Sequence[int]) -> tuple[Arrays, Arrays]:
    """Return the last carry and the stacked results of a loop, of which the steps in `rows` have been done."""
    try:
        return staging.scan(backend, f, carry, xs, rows, order)
    except Unstageable as found:
        if not isinstance(found.trace, ReverseTrace):
            raise
        trace = found.trace
    return _Loop(backend, trace, f, order).run(carry, xs, rows)


class _Loop:
    """One loop under one recording, on arrays of its level and of those beneath.

    Attributes
    ----------
    shapes, x_shapes, y_shapes : list
        How carries, slices and rows are made of such arrays.
    joint : list
        How the rows of earlier steps are, which are stacked with them.
    active, x_own, y_own : list of bool
        Which parts of carries, slices and rows belong to the recording.
    start : int
        The first node of a step on the tape.
    outside : list of int
        The nodes from outside that the steps use.
    above : list of Trace
        The transforms that the steps run under beside the recording.
    """

    def __init__(self, backend: Any, trace: ReverseTrace, f: Any, order: Sequence[int]) -> None:
        self.backend, self.domain, self.library, self.trace = backend, backend.domain, backend.plain, trace
        self.f, self.order = f, order
        self.shapes: list[Shape] = []
        self.x_shapes: list[Shape] = []
        self.y_shapes: list[Shape] = []
        self.joint: list[Shape] = []
        self.active: list[bool] = []
        self.x_own: list[bool] = []
        self.y_own: list[bool] = []
        self.outside: list[int] = []
        self.start = len(trace.tape)
        opened: Any = self.domain.opened
        self.above = [other for other in opened if other.level > trace.level and getattr(other, "open", False)]

    def run(self, carry: Arrays, xs: Arrays, rows: list[Arrays]) -> tuple[Arrays, Arrays]:
        """Run the loop and put its pullback on the tape."""
        trace, level = self.trace, self.trace.level
        self.shapes, start = all_apart(self.library, carry, level)
        self.x_shapes, given = all_apart(self.library, xs, level)
        x_axes = [axis for shape in self.x_shapes for axis in axes(shape)]
        self.active, self.x_own = list(map(self._is_own, start)), list(map(self._is_own, given))
        x_values = list(zip(map(trace.lower, given), x_axes, strict=True))
        values = list(map(trace.lower, start))
        for row in rows:
            shapes, _ = all_apart(self.library, row, level)
            self.joint = list(map(joined, self.joint, shapes)) if self.joint else shapes
        while True:
            before = [[p for y, s in zip(row, self.joint, strict=True) for p in brought(self.domain, y, s)] for row in rows]
            lowered = [list(map(trace.lower, row)) for row in before]
            try:
                found = roll(self.backend, self._forward, values, x_values, self.order, before=lowered)
                break
            except _Joint:
                self.joint = self.y_shapes
        pullback = _Pullback(self, found, x_values)
        nodes = iter(pullback.on_tape(start, given, found, before))
        last = shown(self.domain, all_together(self.domain, self.shapes, nodes))
        return last, shown(self.domain, all_together(self.domain, self.y_shapes, nodes))

    def _is_own(self, x: Any) -> bool:
        return isinstance(x, TracedArray) and x._trace is self.trace

    def step(self, carry: Sequence[Any], slices: Sequence[Any]) -> tuple[list[Any], list[Any], int]:
        """Run one step on arrays of the level; return the parts of the carry and of the rows, and the first node after."""
        trace = self.trace
        given = zip((*carry, *slices), (*self.active, *self.x_own), strict=True)
        parts = iter([trace._node(trace.lower(x), None) if own else trace.lower(x) for x, own in given])
        before, sliced = (all_together(self.domain, shapes, parts) for shapes in (self.shapes, self.x_shapes))
        after_inputs = len(trace.tape)
        after, ys = self.f(shown(self.domain, before), shown(self.domain, sliced))
        self.y_shapes, _ = all_apart(self.library, ys, trace.level)
        if self.joint:
            self.y_shapes = list(map(joined, self.y_shapes, self.joint))
        rows = [p for y, shape in zip(ys, self.y_shapes, strict=True) for p in brought(self.domain, y, shape)]
        rows = list(map(self._new_node, rows))  # in the order of the nodes of a loop that is not compiled
        shapes, outs = all_apart(self.library, after, trace.level)
        if shapes != self.shapes:
            raise Unsettled
        return list(map(self._new_node, outs)), rows, after_inputs

    def _new_node(self, y: Any) -> Any:
        return self.trace._node(y._value, (same, y._node, None, None, None)) if self._is_own(y) else y

    def _forward(self, carry: list[Any], slices: list[Any], _: Any) -> Any:
        """Run one step on the values beneath the recording; keep the carry before it."""
        thaws: list[Callable[[], None]] = []
        with reopened(self.trace, self.above, self.start, thaws) as part:
            outs, rows, after_inputs = self.step(carry, slices)
        thaw_all(thaws)
        if self.joint and list(map(_traces, self.joint)) != list(map(_traces, self.y_shapes)):
            raise _Joint
        self.y_own = list(map(self._is_own, rows))
        nodes = [y._node for y in (*outs, *rows) if self._is_own(y)]
        _, found = detached(list(part)[after_inputs - self.start :], after_inputs, dict.fromkeys(nodes))
        self.outside = [n for n in found if n < self.start]
        y_axes = [axis for shape in self.y_shapes for axis in axes(shape)]
        lower = self.trace.lower
        return list(map(lower, outs)), list(zip(map(lower, rows), y_axes, strict=True)), carry


class _Pullback:
    """The pullback of a loop: a loop in the other direction.

    Its carry are the cotangents of the carry and of what comes from outside, None for those that are not there.
    """

    def __init__(self, loop: _Loop, forward: Any, x_values: list[tuple[Any, int]]) -> None:
        self.loop, self.x_values = loop, x_values
        self.kept, self.kept_shapes = forward.kept, forward.kept_shapes
        self.active = [k for k, own in enumerate(loop.active) if own]
        self.outside = loop.outside
        self.begins: list[int] = []
        self.slices = [x_values[k] for k, own in enumerate(loop.x_own) if own]
        self.y_places = [k for k, own in enumerate(loop.y_own) if own]
        self.y_axes = [axis for shape in loop.y_shapes for axis in axes(shape)]

    def on_tape(self, start: list[Any], given: list[Any], forward: Any, before: list[list[Any]]) -> list[Any]:
        """Put the loop on the tape; return the parts of its results."""
        loop, trace = self.loop, self.loop.trace
        results = [*forward.last, *forward.stacked]
        values, count = list(map(trace.lower, results)), len(start)
        chosen = [*self.active, *(count + k for k in self.y_places)]
        self.begins = [start[k]._node for k in self.active]
        slices = [given[k]._node for k, own in enumerate(loop.x_own) if own]
        outs = values
        if chosen:
            parents = (*self.outside, *self.begins, *slices)
            nodes = trace._several(tuple(values[k] for k in chosen), (None, parents, None, self, None))
            found = dict(zip(chosen, nodes, strict=True))
            outs = [found.get(k, y) for k, y in enumerate(values)]
        for place, axis in enumerate(self.y_axes):
            outs[count + place] = self._with_rows(outs[count + place], axis, [row[place] for row in before])
        return outs

    def _with_rows(self, y: Any, axis: int, rows: list[Any]) -> Any:
        """Return stacked rows, the first of which are of steps that are on the tape themselves."""
        loop, trace = self.loop, self.loop.trace
        places = [k for k in range(len(rows)) if loop._is_own(rows[k])]
        if not places:
            return y
        backwards, total = loop.order[0] > loop.order[-1], len(rows) + len(loop.order)
        edge: Any = trace.tape[y._node] if loop._is_own(y) else None
        for k in places:
            key = (*(slice(None),) * axis, total - 1 - k if backwards else k, Ellipsis)
            edge = _linked(edge, (_row, rows[k]._node, key, (rows[k]._value.shape, rows[k]._value.dtype)))
        if not loop._is_own(y):
            return trace._node(trace.lower(y), edge)
        trace.tape[y._node] = edge
        return y

    def __call__(
        self, xp: Any, cotangents: list[Any], owned: set[int], parents: Sequence[int], g: Arrays, in_place: bool
    ) -> None:
        """Pull the cotangents of the results back; take over those that have been added up so far."""
        split = len(self.outside), len(self.outside) + len(self.begins)
        outside, begins, slices = parents[: split[0]], parents[split[0] : split[1]], parents[split[1] :]
        totals = [ct.array() if type(ct) is Spread else ct for ct in (cotangents[n] for n in outside)]
        flags = [n in owned and ct is not None for n, ct in zip(outside, totals, strict=True)]
        run = _Run(self, xp, in_place, [*g[: len(self.active)], *totals], flags, g[len(self.active) :])

        def add(place: int, key: Any, part: Any) -> None:
            x, _ = self.slices[place]
            add_part(self.loop.domain, xp, cotangents, owned, slices[place], tuple(x.shape), key, part, in_place)

        run.through(add, [cotangents[n] is None for n in slices])
        for n, ct in zip((*begins, *outside), run.state, strict=True):
            cotangents[n] = ct if ct is None or xp is self.loop.domain.raw else self.loop.domain.beside_traced(ct)
        for n, mine in zip(outside, run.owned, strict=True):
            (owned.add if mine else owned.discard)(n)


class _Run:
    """One run of a pullback.

    Attributes
    ----------
    state : list of array or None
        The cotangents of the carry and of what comes from outside.
    owned : list of bool
        Which of the latter are buffers that may be added to in place.
    """

    def __init__(
        self, pullback: _Pullback, xp: Any, in_place: bool, state: Sequence[Any], owned: list[bool], rows: Sequence[Any]
    ) -> None:
        self.pullback, self.loop, self.xp, self.in_place = pullback, pullback.loop, xp, in_place
        lift = pullback.loop.backend._lift
        self.state = [None if ct is None else lift(ct) for ct in state]
        self.owned = owned
        self.live = [k for k, ct in zip(pullback.y_places, rows, strict=True) if ct is not None]
        y_axes = [pullback.y_axes[k] for k in self.live]
        self.xs = [*pullback.x_values, *zip((lift(ct) for ct in rows if ct is not None), y_axes, strict=True)]

    def through(self, add: Callable[[int, Any, Any], None], first: list[bool]) -> None:
        """Go through the steps backwards: one by one until the rest are alike, then those at once."""
        order, attempts = self.loop.order[::-1], staging.UNSETTLED
        for done, k in enumerate(order):
            if attempts and len(order) - done > 2:
                try:
                    self._rolled(order[done:], add, first)
                    return
                except Unsettled:
                    attempts -= 1
                except Unstageable:
                    attempts = 0
            if not attempts:
                staging.check_length(len(order) - done)
            self._single(k, add)
            first = [False] * len(first)

    def _single(self, k: int, add: Callable[[int, Any, Any], None]) -> None:
        recorder: Any = current.get()
        held = recorder.record("kept", Rows.__getitem__, (self.pullback.kept, k), {})
        values = all_together(self.loop.domain, self.pullback.kept_shapes, iter(held))
        slices = [x[_key(axis, k)] for x, axis in self.xs]
        self.state, self.owned, parts = self._step(self.state, slices, values)
        for place in reversed(range(len(parts))):
            if parts[place] is not None:
                add(place, _key(self.pullback.slices[place][1], k), parts[place])

    def _rolled(self, order: Sequence[int], add: Callable[[int, Any, Any], None], first: list[bool]) -> None:
        live: list[bool] = []

        def step(state: list[Any], slices: list[Any], held: list[Any]) -> Any:
            after, owned, parts = self._step(state, slices, held)
            if owned != self.owned:
                raise Unsettled
            live[:] = [part is not None for part in parts]
            axes_of_slices = (axis for _, axis in self.pullback.slices)
            return after, [(part, axis) for part, axis in zip(parts, axes_of_slices, strict=True) if part is not None], ()

        pullback = self.pullback
        found = roll(self.loop.backend, step, self.state, self.xs, order, held=pullback.kept, held_shapes=pullback.kept_shapes)
        self.state = found.last
        low, high, stacked = min(order), max(order) + 1, iter(reversed(found.stacked))
        for place in reversed(range(len(live))):
            if not live[place]:
                continue
            rows, axis = next(stacked), pullback.slices[place][1]
            if first[place]:  # which is not added to zeros
                add(place, _key(axis, order[0]), rows[_key(axis, order[0] - low)])
                own = slice(1, None) if order[0] == low else slice(None, -1)
                rows = rows[(*(slice(None),) * axis, own, Ellipsis)]
                add(place, _range(axis, low + (order[0] == low), high - (order[0] != low)), rows)
            else:
                add(place, _range(axis, low, high), rows)

    def _step(self, state: list[Any], slices: list[Any], kept: list[Any]) -> tuple[list[Any], list[bool], list[Any]]:
        """Run a step again and pull back along what it records; return the cotangents, and those of the slices."""
        pullback, loop, trace = self.pullback, self.loop, self.loop.trace
        active, outside, start = pullback.active, pullback.outside, loop.start
        width = len(pullback.x_values)
        thaws: list[Callable[[], None]] = []
        with reopened(trace, loop.above, start, thaws) as part:
            outs, rows, after_inputs = loop.step(kept, slices[:width])
        try:
            pairs = list(zip((outs[k] for k in active), state, strict=False))
            pairs += [(rows[k], ct) for k, ct in zip(self.live, slices[width:], strict=True)]
            nodes = dict.fromkeys(y._node for y in (*outs, *rows) if loop._is_own(y))
            tape, found = detached(list(part)[after_inputs - start :], after_inputs, nodes)
            if [n for n in found if n < start] != outside:
                raise StaleBranch  # this step branches in another way than the one that was recorded for all
            shift = len(found) - after_inputs
            seeds = [(y._node + shift, ct) for y, ct in pairs if ct is not None]
            totals = dict(zip(outside, state[len(active) :], strict=True))
            places = {n: place for place, n in enumerate(found)}
            seeds += [(places[n], ct) for n, ct in totals.items() if ct is not None]
            owned = {places[n] for n, mine in zip(outside, self.owned, strict=True) if mine}
            grads = self._pulled(tape, seeds, len(found), owned)
        finally:
            thaw_all(thaws)
        inputs = [None if n not in places else grads[places[n]] for n in range(start, after_inputs)]
        after = [*inputs[: len(active)], *(grads[places[n]] for n in outside)]
        return after, [places[n] in owned for n in outside], inputs[len(active) :]

    def _pulled(self, tape: list[Any], seeds: Any, inputs: int, owned: set[int]) -> list[Any]:
        domain, trace = self.loop.domain, self.loop.trace
        if self.xp is not domain.raw:
            seeds = [(node, domain.beside_traced(ct)) for node, ct in seeds]
        with domain.library.quiet():
            return pull_back(
                domain, tape, seeds, inputs, self.xp, in_place=self.in_place, has_complex=trace.has_complex, consume=True,
                owned=owned,
            )  # fmt: skip


class _Joint(Exception):  # noqa: N818  # a signal between the methods of a loop
    """A row is of more transforms than those of earlier steps."""


def _traces(shape: Shape) -> Any:
    """Return which traces an array is of, whatever it is made of."""
    return None if shape is None or type(shape) is Leaf else (shape[0], *map(_traces, shape[1:]))


def _linked(chain: Any, link: tuple[Any, int, Any, Any]) -> Any:
    """Return a chain of edges with one more at its end."""
    return (*link, None) if chain is None else (*chain[:4], _linked(chain[4], link))


def _row(_xp: Any, g: Any, key: Any) -> Any:
    return g[key]


def _key(axis: int, k: int) -> tuple[Any, ...]:
    return (*(slice(None),) * axis, k, ...)


def _range(axis: int, start: int, stop: int) -> tuple[Any, ...]:
    return (*(slice(None),) * axis, slice(start, stop), ...)
