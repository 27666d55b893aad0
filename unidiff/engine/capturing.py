"""Closure conversion: a function of arrays as one that has all arrays which it uses among its arguments.

A capturing trace is innermost: it sees every operation on what depends on the arguments of the function, in the terms of the
user's program, and notes it. The arrays that are not of its own and that meet those are what the function holds, be they its
closure's, a global's or an attribute's, or computed from such ones. The notes are a program of the differentiable namespace, so
it may be run again on arrays of any transforms, also when those are over in which the function was made.

The program is the path that Python took for these arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from unidiff._typing import Array, Arrays
from unidiff.engine.marking import SEQUENCES, MarkTrace
from unidiff.engine.tracing import NewLevel, TracedArray, _level


class CaptureTrace(MarkTrace):
    """One conversion; the node of a traced array is the number of the value that it stands for.

    Attributes
    ----------
    notes : list
        ``(function, args, kwargs)`` of every operation; each of them makes the value with the number that follows.
    captured : list of array
        What the function holds.
    """

    __slots__ = ("_places", "captured", "notes")

    def __init__(self, domain: Any, level: int) -> None:
        super().__init__(domain, level)
        self.notes: list[tuple[Callable[..., Any] | None, Any, Any]] = []
        self.captured: list[Array] = []
        self._places: dict[Any, int] = {}

    def argument(self, x: Array) -> TracedArray:
        """Return an argument of the function, to be made before any operation is noted."""
        return self._noted(self.lower(x), None, None, None)  # type: ignore[no-any-return]  # an array gives one

    def result(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], value: Any) -> Any:
        """Note a call and return what it gave as this trace holds it."""
        return self._noted(value, function, tuple(map(self._encoded, args)), kwargs)

    def _noted(self, result: Any, function: Any, args: Any, kwargs: Any) -> Any:
        self.notes.append((function, args, kwargs))
        node = len(self.notes) - 1
        if not isinstance(result, (tuple, list)):
            return self._own(result, node)
        items = []
        for place, y in enumerate(result):
            self.notes.append((_item, (_Value(node), place), _NO_OPTIONS))
            items.append(self._own(y, len(self.notes) - 1))
        return type(result)(*items) if hasattr(result, "_fields") else type(result)(items)

    def _own(self, y: Any, node: int) -> Any:
        return self.domain.array_class(y, self, node) if isinstance(y, self.domain.arrays) else y

    def _encoded(self, x: Any) -> Any:
        """Return one argument of an operation as the program holds it."""
        if type(x) in SEQUENCES:
            return type(x)(map(self._encoded, x))
        if isinstance(x, TracedArray) and x._trace is self:
            return _Value(x._node)
        held = x._value if isinstance(x, TracedArray) and not x._trace.level else x
        if not isinstance(held, TracedArray) and type(held) not in self.domain.changeable:
            return x
        key = (id(held._value), held._trace, id(held._node)) if isinstance(held, TracedArray) else id(held)
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = len(self.captured)
            self.captured.append(held)  # which also keeps the identities from being used again
        return _Held(place)


class _Value(int):
    """The number of a value of the program."""


class _Held(int):
    """The number of an array that the function holds."""


_NO_OPTIONS: Mapping[str, Any] = {}


def _item(values: Sequence[Any], place: int) -> Any:
    return values[place]


class Program:
    """What was noted, as a function of the arrays that the function holds and of its arguments."""

    def __init__(self, trace: CaptureTrace, outs: Sequence[Any], shown: Callable[[Any], Any]) -> None:
        self.outs = [trace._encoded(y) for y in outs]
        self.notes, self.count, self.shown = trace.notes, len(trace.captured), shown

    def __call__(self, *arrays: Array) -> Arrays:
        """Run the program: first come the arrays in the place of those that the function holds."""
        held, given = arrays[: self.count], iter(arrays[self.count :])
        values: list[Any] = []

        def decoded(x: Any) -> Any:
            kind = type(x)
            if kind is _Value:
                return values[x]
            if kind is _Held:
                return held[x]
            return kind(map(decoded, x)) if kind in SEQUENCES else x

        for function, args, kwargs in self.notes:
            values.append(next(given) if function is None else function(*map(decoded, args), **kwargs))
        return tuple(self.shown(decoded(y)) for y in self.outs)


def closure_convert(backend: Any, f: Callable[..., Arrays], args: Arrays) -> tuple[Program, Arrays] | None:
    """Return the function as one that has the arrays it holds as its first arguments, and these arrays.

    None where no transform is at work on them or on the arguments.
    """
    if not _level.get():
        return None
    args = tuple(map(backend._lift, args))
    with NewLevel() as level:
        trace = CaptureTrace(backend.domain, level)
        given = [trace.argument(backend.stop_gradient(x)) for x in args]
        try:
            outs = tuple(map(backend._lift, f(*map(backend.shown, given))))
        finally:
            trace.open = False
    program = Program(trace, outs, backend.shown)
    if not any(isinstance(x, TracedArray) for x in (*args, *trace.captured)):
        return None
    return program, tuple(map(backend.shown, trace.captured))
