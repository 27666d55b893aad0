"""Reverse mode through loops that are parts of a recorded program.

The loop itself runs on the values beneath the recording of reverse mode, and keeps the carry before each step. Its pullback is
a loop in the other direction, in which each step runs once more from the carry that was kept and is pulled back, as under
`unidiff.checkpoint`. What a step uses from outside of it has its cotangent added up step by step, in the order in which one
recording of all steps would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from unidiff._typing import Arrays
from unidiff.engine.checkpointing import detached, reopened
from unidiff.engine.compiling import staging
from unidiff.engine.compiling.staging import More, Shape, Unstageable, all_brought, apart, axes, check_grown, user_arrays
from unidiff.engine.pullback import SLOT, Slots, pull_back
from unidiff.engine.reverse import ReverseTrace, thaw_all
from unidiff.engine.tracing import Trace, TracedArray


def scan(backend: Any, f: Any, init: Arrays, xs: Arrays, length: int, reverse: bool) -> tuple[Arrays, Arrays]:
    """Return the last carry and the stacked results of a loop under any transforms."""
    try:
        return staging.scan(backend, f, init, xs, length, reverse)
    except Unstageable as found:
        trace = found.trace
    while isinstance(trace, ReverseTrace):
        try:
            return _Loop(backend, trace, f, length, reverse).run(init, xs)
        except Unstageable as found:
            if found.trace.level <= trace.level:
                raise
            trace = found.trace
    raise Unstageable(trace)


class _Loop:
    """One loop under one recording, on arrays of its level and of those beneath.

    Attributes
    ----------
    shapes, x_shapes, y_shapes : list
        How carries, slices and results are made of such arrays.
    active, x_own : list of bool
        Which parts of carries and slices belong to the recording.
    start : int
        The first node of a step on the tape.
    outside : list of int
        The nodes from outside that the steps use.
    """

    def __init__(self, backend: Any, trace: ReverseTrace, f: Any, length: int, reverse: bool) -> None:
        self.backend, self.domain, self.trace = backend, backend.domain, trace
        self.f, self.length, self.reverse = f, length, reverse
        self.shapes: list[Shape] = []
        self.x_shapes: list[Shape] = []
        self.y_shapes: list[Shape] = []
        self.active: list[bool] = []
        self.x_own: list[bool] = []
        self.out_own: list[bool] = []
        self.outside: list[int] = []
        self.start = len(trace.tape)

    def run(self, init: Arrays, xs: Arrays) -> tuple[Arrays, Arrays]:
        """Run the loop and put its pullback on the tape."""
        moveaxis, level = self.domain.plain.moveaxis, self.trace.level
        given: list[Any] = []
        self.x_shapes = [apart(x, given, level) for x in xs]
        x_axes = [axis for shape in self.x_shapes for axis in axes(shape)]
        given = [moveaxis(x, axis, 0) if axis else x for x, axis in zip(given, x_axes, strict=True)]
        self.x_own = list(map(self._is_own, given))
        x_values = tuple(map(self._beneath, given))
        self.shapes, self.active = [apart(x, [], level) for x in init], []
        while True:
            start = all_brought(self.backend, init, self.shapes)
            self.active = [self._is_own(x) or was for x, was in zip(start, self.active or [False] * len(start), strict=True)]
            try:
                values = tuple(map(self._beneath, start))
                last, stacked = scan(self.backend, self._forward, values, x_values, self.length, self.reverse)
                break
            except More as more:
                if more.before is self.shapes:
                    self.shapes, self.active = more.after, []
                elif more.before is self.active:
                    self.active = more.after
                else:
                    raise
        count = len(stacked) - len(start)
        results, kept = [*last, *stacked[:count]], stacked[count:]
        nodes = self._on_tape(start, given, results, kept, x_values)
        parts = iter(nodes)
        carry = user_arrays(self.backend, self.shapes, parts)
        y_axes = [axis for shape in self.y_shapes for axis in axes(shape)]
        moved = (moveaxis(y, 0, axis) if axis else y for y, axis in zip(parts, y_axes, strict=True))
        return carry, user_arrays(self.backend, self.y_shapes, moved)

    def above(self) -> list[Any]:
        """Return the traces that a step works on beside the recording."""
        return list({trace for shape in (*self.shapes, *self.x_shapes, *self.y_shapes) for trace in _traces(shape)})

    def _is_own(self, x: Any) -> bool:
        return isinstance(x, TracedArray) and x._trace is self.trace

    def _beneath(self, x: Any) -> Any:
        return self.trace.lower(x)

    def _step(self, carry: Sequence[Any], slices: Sequence[Any]) -> tuple[list[Any], int]:
        """Run one step on arrays of the level; return the parts of the carry and of the results, and the first node after."""
        trace = self.trace
        inputs = [
            trace._node(self._beneath(x), None) if own else self._beneath(x)
            for x, own in zip((*carry, *slices), (*self.active, *self.x_own), strict=True)
        ]
        after_inputs = len(trace.tape)
        parts = iter(inputs)
        before = user_arrays(self.backend, self.shapes, parts)
        after, ys = self.f(before, user_arrays(self.backend, self.x_shapes, parts))
        check_grown(after, self.shapes, trace.level)
        found: list[Any] = []
        self.y_shapes = [apart(y, found, trace.level) for y in ys]
        outs = [*all_brought(self.backend, after, self.shapes), *found]
        return [self._new_node(y) if self._is_own(y) else y for y in outs], after_inputs

    def _new_node(self, y: TracedArray) -> TracedArray:
        return self.trace._node(y._value, (_same, y._node, None, None, None))

    def _forward(self, carry: Arrays, slices: Arrays) -> tuple[Arrays, Arrays]:
        """Run one step on the values beneath the recording; keep the carry before it."""
        thaws: list[Callable[[], None]] = []
        with reopened(self.trace, self.above(), self.start, thaws) as part:
            outs, after_inputs = self._step(carry, slices)
        thaw_all(thaws)
        self.out_own = list(map(self._is_own, outs))
        grown = [own or was for own, was in zip(self.out_own, self.active, strict=False)]
        if grown != self.active:
            raise More(self.active, grown)
        nodes = [y._node for y in outs if self._is_own(y)]
        _, found = detached(list(part)[after_inputs - self.start :], after_inputs, dict.fromkeys(nodes))
        self.outside = [n for n in found if n < self.start]
        values = list(map(self._beneath, outs))
        return tuple(values[: len(carry)]), (*values[len(carry) :], *carry)

    def _on_tape(self, start: list[Any], given: list[Any], results: list[Any], kept: Any, x_values: Any) -> list[Any]:
        """Return the results as arrays of the recording."""
        trace, count = self.trace, len(start)
        own = [*self.active, *self.out_own[count:]]
        values = [trace.lower(y) for y in results]
        chosen = [k for k, yes in enumerate(own) if yes]
        if not chosen:
            return values
        begins = [k for k in range(count) if self.active[k] and self._is_own(start[k])]
        slices = [k for k, yes in enumerate(self.x_own) if yes]
        parents = [*(start[k]._node for k in begins), *(given[k]._node for k in slices), *self.outside]
        edge: Any = None
        for slot in reversed(range(len(parents))):
            edge = (_pick, parents[slot], slot, None, edge)
        trace.tape.append(edge)
        pull = _Pullback(self, self.above(), kept, x_values, chosen, begins, slices)
        nodes = iter(trace._several(tuple(values[k] for k in chosen), (pull, len(trace.tape) - 1, None, SLOT, None)))
        return [next(nodes) if yes else y for y, yes in zip(values, own, strict=True)]


class _Pullback:
    """The pullback of a loop: a loop in the other direction.

    It carries the cotangents of the carry and of what comes from outside, those that are there; ``live`` says which.
    """

    def __init__(
        self, loop: _Loop, above: list[Any], kept: Arrays, x_values: Arrays,
        chosen: list[int], begins: list[int], slices: list[int],
    ) -> None:  # fmt: skip
        self.loop, self.above, self.kept, self.x_values = loop, above, tuple(kept), tuple(x_values)
        self.chosen, self.begins, self.slices = chosen, begins, slices
        self.outside, self.active, self.start = loop.outside, loop.active, loop.start
        self.live: list[bool] = []
        self.of_results: list[int] = []
        self.of_slices: list[bool] = []
        self.like_outside: dict[int, Any] = {}

    def __call__(self, xp: Any, g: Arrays, _: None) -> Slots:
        """Pull the cotangents of the results back to the first carry, the slices, and what comes from outside."""
        loop, count = self.loop, len(self.active)
        cotangents = dict(zip(self.chosen, g, strict=True))
        places = [k for k in range(count) if self.active[k]]
        given = [cotangents.get(k) for k in places] + [None] * len(self.outside)
        self.of_results = [k for k in self.chosen if k >= count and cotangents[k] is not None]
        like = [self.kept[k] for k in places] + [None] * len(self.outside)
        self.live = [ct is not None for ct in given]
        xs = (*self.kept, *self.x_values, *(cotangents[k] for k in self.of_results))
        while True:
            try:
                state = tuple(
                    self._zeros(place, like[place]) if ct is None else ct for place, ct in enumerate(given) if self.live[place]
                )
                found, of_slices = scan(loop.backend, self._step, state, xs, loop.length, not loop.reverse)
                break
            except More as more:
                if more.before is not self.live:
                    raise
                self.live = more.after
        results = iter(found)
        of_state = [next(results) if live else None for live in self.live]
        results = iter(of_slices)
        of_slices_all = [next(results) if live else None for live in self.of_slices]
        of_init = [of_state[places.index(k)] for k in self.begins]
        lift = loop.backend._lift if xp is loop.domain.raw else loop.domain.beside_traced
        pulled = (*of_init, *of_slices_all, *of_state[len(places) :])
        return Slots([None if ct is None else lift(loop.backend._lift(ct)) for ct in pulled])

    def _zeros(self, place: int, kept: Any) -> Any:
        """Return the zero that a cotangent is added to."""
        zeros, count = self.loop.domain.library.xp.zeros, sum(self.active)
        if place < count:
            return zeros(tuple(kept.shape[1:]), dtype=kept.dtype, device=self.loop.domain.device(kept))
        shape, dtype, device = self.like_outside[place - count]
        return zeros(shape, dtype=dtype, device=device)

    def _step(self, state: Arrays, slices: Arrays) -> tuple[Arrays, Arrays]:
        """Run a step again and pull back along what it records."""
        loop, trace = self.loop, self.loop.trace
        count, width = len(self.active), len(self.active) + len(self.x_values)
        thaws: list[Callable[[], None]] = []
        with reopened(trace, self.above, self.start, thaws) as part:
            outs, after_inputs = loop._step(slices[:count], slices[count:width])
        try:
            nodes = {k: y._node for k, y in enumerate(outs) if loop._is_own(y)}
            tape, found = detached(list(part)[after_inputs - self.start :], after_inputs, dict.fromkeys(nodes.values()))
            shift = len(found) - after_inputs
            places = [k for k in range(count) if self.active[k]]
            cts = dict(zip([p for p, live in enumerate(self.live) if live], state, strict=True))
            seeds = [(nodes[k] + shift, cts[p]) for p, k in enumerate(places) if p in cts and k in nodes]
            seeds += [(nodes[k] + shift, ct) for k, ct in zip(self.of_results, slices[width:], strict=True) if k in nodes]
            after = len(places)
            seeds += [(found.index(n), cts[after + j]) for j, n in enumerate(self.outside) if after + j in cts and n in found]
            grads = dict(zip(found, self._pulled(tape, seeds, len(found)), strict=True))
        finally:
            thaw_all(thaws)
        input_nodes = iter(range(self.start, after_inputs))
        of_carry = [grads.get(next(input_nodes)) for _ in places]
        of_slices = [grads.get(next(input_nodes)) for _ in self.slices]
        pulled = [*of_carry, *(grads.get(n, cts.get(after + j)) for j, n in enumerate(self.outside))]
        grown = [live or ct is not None for live, ct in zip(self.live, pulled, strict=True)]
        if grown != self.live:
            device = loop.domain.device
            for j, ct in enumerate(pulled[after:]):
                if ct is not None:
                    self.like_outside[j] = tuple(ct.shape), ct.dtype, device(ct)
            raise More(self.live, grown)
        self.of_slices = [ct is not None for ct in of_slices]
        kept = [slices[k] for k in places]
        filled = [self._like(ct, p, kept) for p, (ct, live) in enumerate(zip(pulled, self.live, strict=True)) if live]
        return tuple(filled), tuple(ct for ct in of_slices if ct is not None)

    def _like(self, ct: Any, place: int, kept: Sequence[Any]) -> Any:
        if ct is not None:
            return ct
        x = kept[place]  # what comes from outside keeps what has been added up
        return self.loop.domain.library.xp.zeros(tuple(x.shape), dtype=x.dtype, device=self.loop.domain.device(x))

    def _pulled(self, tape: list[Any], seeds: Any, inputs: int) -> list[Any]:
        domain, trace = self.loop.domain, self.loop.trace
        seeds = [(node, trace.lower(ct)) for node, ct in seeds]
        plain = trace.base and not any(isinstance(ct, TracedArray) for _, ct in seeds)
        if not plain:
            seeds = [(node, domain.beside_traced(ct)) for node, ct in seeds]
        xp, in_place = (domain.raw, domain.library.mutable) if plain else (domain.nested, False)
        with domain.library.quiet():
            return pull_back(domain, tape, seeds, inputs, xp, in_place=in_place, has_complex=trace.has_complex, consume=True)


def _traces(shape: Shape) -> set[Trace]:
    return set() if shape is None else {shape[0]}.union(*map(_traces, shape[1:]))


def _pick(_xp: Any, g: tuple[Any, ...], slot: int) -> Any:
    return g[slot]


def _same(_xp: Any, g: Any, _: None) -> Any:
    return g
