"""Checkpoints: what a function records is dropped, and recorded again when its cotangents are pulled back.

The function runs as it would without a checkpoint, so every transform goes through it, and it may use traced arrays that are
not its arguments. Then the part of the tape that it has written is cut out. In its place come an operation with all results of
the function, and edges to the nodes that the part referred to. Pulling that operation back runs the function once more, with
its traces opened again, and pulls back along what has been recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import RLock
from typing import Any

from unidiff._typing import Array, Arrays
from unidiff.engine.batching import BatchTrace
from unidiff.engine.forward import ForwardTrace
from unidiff.engine.pullback import SLOT, Slots, pull_back
from unidiff.engine.reverse import ReverseTrace, thaw_all
from unidiff.engine.tracing import Trace, TracedArray, _level
from unidiff.errors import ImpureFunctionError, LeakedTracerError

_lock = RLock()
"""Held while a closed trace is open again."""

_NOT_PURE = (
    "a function under unidiff.checkpoint did something else when it was called again for its derivative. It must be a function"
    " of its arguments and of values that do not change; pass random numbers as arguments, and variables that"
    " change later, as those of a loop do."
)
_ESCAPED = (
    "an array that was computed inside a function under unidiff.checkpoint was used outside of it. Return it from the function"
    " instead of storing it elsewhere."
)


class Checkpoint:
    """A flat function whose intermediate results are computed again for a derivative in reverse mode."""

    __slots__ = ("domain", "f", "library")

    def __init__(self, backend: Any, f: Callable[..., Arrays]) -> None:
        self.domain, self.library, self.f = backend.domain, backend.library, f

    def __call__(self, *args: Array) -> Arrays:
        """Evaluate the function; the innermost recording of its arguments keeps the arguments only."""
        traces = set().union(*map(_traces, args)) if args else set()
        recordings = [trace for trace in traces if isinstance(trace, ReverseTrace)]
        if not recordings:
            return self.f(*args)
        trace = max(recordings, key=lambda trace: trace.level)
        args = tuple(map(trace.frozen, map(_again, args)))
        start = len(trace.tape)
        outs = self.f(*map(_again, args))
        above = [other for other in traces if other.level > trace.level]
        if not (set().union(*map(_traces, outs)) <= traces and all(isinstance(x, (ForwardTrace, BatchTrace)) for x in above)):
            return outs  # it also depends on arrays of another transform, which may refer to this part of the tape
        nodes = _nodes(trace, outs, start)
        if not nodes:
            return outs
        part = trace.tape[start:]
        trace.tape[start:] = [_CUT] * len(part)
        _, outside = detached(part, start, nodes)
        edge: Any = None
        for slot in reversed(range(len(outside))):
            edge = (_pick, outside[slot], slot, None, edge)
        trace.tape.append(edge)
        like = [(x.shape, x.dtype, self.domain.device(x)) for x in (y._value for y in nodes.values())]
        join = partial(self._pulled, trace, above, args, start, outside, like)
        values = tuple(y._value for y in nodes.values())
        edge = (join, len(trace.tape) - 1, None, SLOT, None)
        new = dict(zip(nodes, trace._several(values, edge), strict=True))
        return tuple(_rebuilt(trace, y, new) for y in outs)

    def _pulled(
        self, trace: ReverseTrace, above: Sequence[Trace], args: Arrays, start: int, outside: list[int], like: Any,
        xp: Any, g: tuple[Any, ...], _: None,
    ) -> Slots:  # fmt: skip
        """Run the function again and pull the cotangents of its results back to the nodes outside of it."""
        plain = xp is self.domain.raw
        thaws: list[Callable[[], None]] = []
        with reopened(trace, above, start, thaws) as part:
            outs = self.f(*map(_again, args))
            nodes = _nodes(trace, outs, start)
        try:
            tape, found = detached(list(part), start, nodes)
            if found != outside or len(nodes) != len(like):
                raise ImpureFunctionError(_NOT_PURE)
            shift = len(found) - start
            seeds = [
                (node + shift, self._zeros(z, plain) if ct is None else ct) for node, ct, z in zip(nodes, g, like, strict=True)
            ]
            del outs, nodes, part
            in_place = plain and self.library.mutable
            grads = pull_back(
                self.domain, tape, seeds, len(found), xp, in_place=in_place, has_complex=trace.has_complex, consume=True
            )
        finally:
            thaw_all(thaws)
        return Slots(grads)

    def _zeros(self, like: tuple[Any, ...], plain: bool) -> Array:
        shape, dtype, device = like
        zeros = self.domain.raw.zeros(shape, dtype=dtype, device=device)
        return zeros if plain else self.domain.beside_traced(zeros)


def _again(x: Any) -> Any:
    """Return a new object for a traced array, so that a function which assigns to its argument does not change that."""
    return type(x)(x._value, x._trace, x._node) if isinstance(x, TracedArray) else x


def _traces(x: Any) -> set[Trace]:
    """Return all traces that an array belongs to, with those of its tangents."""
    found: set[Trace] = set()
    pending = [x]
    while pending:
        x = pending.pop()
        if isinstance(x, TracedArray):
            if x._trace.level:
                found.add(x._trace)
            pending += [x._node, x._value]  # the node of a forward trace is a tangent
    return found


def _nodes(trace: ReverseTrace, outs: Sequence[Any], start: int) -> dict[int, TracedArray]:
    """Return the arrays of the trace in results, beneath other traces too, by the nodes that were recorded from `start` on."""
    found: dict[int, TracedArray] = {}
    pending = list(reversed(outs))
    while pending:
        x = pending.pop()
        if not isinstance(x, TracedArray):
            continue
        if x._trace is trace:
            if x._node >= start:
                found.setdefault(x._node, x)
        elif x._trace.level > trace.level:
            pending += [x._node, x._value]  # the node of a forward trace is a tangent
    return found


def _rebuilt(trace: ReverseTrace, x: Any, new: dict[int, TracedArray]) -> Any:
    if not isinstance(x, TracedArray):
        return x
    if x._trace is trace:
        return new.get(x._node, x)
    if x._trace.level < trace.level:
        return x
    return type(x)(_rebuilt(trace, x._value, new), x._trace, _rebuilt(trace, x._node, new))


def detached(part: list[Any], start: int, nodes: dict[int, Any]) -> tuple[list[Any], list[int]]:
    """Return a part of a tape as a tape of its own, and the nodes outside that its nodes depend on, which come first in it."""
    needed = [False] * len(part)
    for node in nodes:
        needed[node - start] = True
    outside: dict[int, int] = {}
    for index in range(len(part) - 1, -1, -1):
        edge = part[index]
        if not needed[index]:
            part[index] = None
            continue
        while edge is not None:
            for parent in _parents(edge):
                if parent >= start + index:
                    raise ImpureFunctionError(_NOT_PURE)  # a variable of the function stands for a later array by now
                if parent >= start:
                    needed[parent - start] = True
                else:
                    outside.setdefault(parent, 0)
            edge = edge[4]
    order = sorted(outside)
    places = {node: place for place, node in enumerate(order)}
    shift = len(order) - start

    def moved(edge: Any) -> Any:
        chain = []
        while edge is not None:
            chain.append(edge)
            edge = edge[4]
        for link in reversed(chain):
            pull, parent, residuals, restoration, _ = link
            found = tuple([n + shift if n >= start else places[n] for n in _parents(link)])
            edge = (pull, found if type(parent) is tuple else found[0], residuals, restoration, edge)
        return edge

    return [None] * len(order) + [moved(edge) for edge in part], order


def _parents(edge: Any) -> tuple[int, ...]:
    """Return the nodes to which an edge leads: one, or those of a loop that is one entry of the tape."""
    parent = edge[1]
    return parent if type(parent) is tuple else (parent,)


class _Part(list[Any]):
    """A tape whose first node has a number above 0."""

    start = 0

    def __len__(self) -> int:
        return super().__len__() + self.start

    def __getitem__(self, places: Any) -> Any:
        return super().__getitem__(self._own(places))

    def __setitem__(self, places: Any, edges: Any) -> None:
        super().__setitem__(self._own(places), edges)

    def _own(self, places: Any) -> Any:
        """Return a place, or the slice from one on, as counted from the first node of this tape."""
        return slice(places.start - self.start, None) if isinstance(places, slice) else places - self.start


@contextmanager
def reopened(trace: ReverseTrace, above: Sequence[Any], start: int, thaws: list[Callable[[], None]]) -> Iterator[_Part]:
    """Record on a tape of its own, at the levels that the function ran at."""
    part = _Part()
    part.start = start
    with _lock:
        token = _level.set(max(_level.get(), trace.level, *(other.level for other in above)))
        before = trace.tape, trace.thaws, [other.open for other in above]
        trace.tape, trace.thaws = part, thaws
        for other in above:
            other.open = True
        try:
            yield part
        finally:
            trace.tape, trace.thaws, was_open = before
            for other, is_open in zip(above, was_open, strict=True):
                other.open = is_open
            _level.reset(token)
    part.start = 0


def _pick(_xp: Any, g: tuple[Any, ...], slot: int) -> Any:
    return g[slot]


def _refuse(*_args: Any) -> Any:
    raise LeakedTracerError(_ESCAPED)


_CUT = (_refuse, 0, None, None, None)
