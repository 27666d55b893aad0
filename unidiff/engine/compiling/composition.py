"""What an array is made of while a program is recorded.

An array that forward mode or a vectorizing map works on is, beneath its traces, a few arrays that are recorded: its value, its
tangent, a whole batch. `apart` takes it to pieces, `together` makes one of the same traces of other pieces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from unidiff._typing import Arrays
from unidiff.engine.batching import BatchTrace
from unidiff.engine.compiling.recording import Symbol
from unidiff.engine.forward import ForwardTrace
from unidiff.engine.tracing import TracedArray, wrap_constant

Shape = Any
"""How an array is made of recorded ones: a `Leaf` for such a one, ``(trace, shape of the value, shape of the tangent)`` for one
of a transform, None where there is no array."""


class Unstageable(Exception):  # noqa: N818  # a signal within the engine, never seen by users
    """Something belongs to a transform that records what it sees; it is recorded step by step.

    Attributes
    ----------
    trace : Trace or None
        The transform.
    """

    def __init__(self, trace: Any = None) -> None:
        super().__init__()
        self.trace = trace


@dataclass(frozen=True, slots=True)
class Leaf:
    """An array that is recorded, or one of the traces beneath; the form is all that a program may depend on."""

    form: Any


def form_of(library: Any, x: Any) -> Any:
    """Return what a program depends on beside the elements of an array."""
    if isinstance(x, TracedArray):
        if not x._trace.level:
            return form_of(library, x._value)
        node = form_of(library, x._node) if type(x._trace) is ForwardTrace else None
        return x._trace, form_of(library, x._value), node
    example = x.example if type(x) is Symbol else x
    kind = type(example) if example.shape else None  # a program for scalars also does for 0-d arrays
    return kind, tuple(example.shape), example.dtype, library.layout(example)


def apart(library: Any, x: Any, found: list[Any], floor: int = 0) -> Shape:
    """Append what an array is made of, arrays of the level `floor` and of those beneath; return how."""
    if x is None:
        return None
    if isinstance(x, TracedArray):
        trace = x._trace
        if not trace.level:
            return apart(library, x._value, found)
        if trace.level > floor:
            if type(trace) is ForwardTrace:
                return trace, apart(library, x._value, found, floor), apart(library, x._node, found, floor)
            if type(trace) is BatchTrace:
                return trace, apart(library, x._value, found, floor)
            raise Unstageable(trace)
    found.append(x)
    return Leaf(form_of(library, x))


def together(domain: Any, shape: Shape, parts: Iterator[Any]) -> Any:
    """Return the array that is made so of the next parts."""
    if shape is None:
        return None
    if type(shape) is Leaf:
        return next(parts)
    trace = shape[0]
    value = trace.lower(together(domain, shape[1], parts))
    node = trace.lower(together(domain, shape[2], parts)) if len(shape) > 2 else trace.size
    return domain.array_class(value, trace, node)


def joined(a: Shape, b: Shape) -> Shape:
    """Return the shape that an array of either shape can be brought to, for rows that are stacked."""
    if type(a) is Leaf or type(b) is Leaf:
        return b if type(a) is Leaf else a
    if a[0] is b[0]:
        return (a[0], *(joined(x, y) for x, y in zip(a[1:], b[1:], strict=True)))
    if a[0].level < b[0].level:
        a, b = b, a
    return (a[0], joined(a[1], b), *a[2:])


def brought(domain: Any, x: Any, shape: Shape) -> list[Any]:
    """Return what a row is made of once it has that shape, as stacking it with others makes it."""
    if isinstance(x, TracedArray) and not x._trace.level:
        x = x._value
    if type(shape) is Leaf:
        return [x]
    trace, own = shape[0], isinstance(x, TracedArray) and x._trace is shape[0]
    if len(shape) > 2:
        zeros = domain.plain.zeros
        tangent = x._node if own else zeros(tuple(x.shape), dtype=x.dtype, device=domain.device(x))
        return brought(domain, x._value if own else x, shape[1]) + brought(domain, tangent, shape[2])
    value = x._value if own else domain.plain.broadcast_to(x, (trace.size, *x.shape))
    return brought(domain, value, shape[1])


def axes(shape: Shape, batches: int = 0) -> list[int]:
    """Return for each part of an array how many axes of batches come first in it."""
    if shape is None:
        return []
    if type(shape) is Leaf:
        return [batches]
    inner = batches + (len(shape) == 2)
    return [axis for part in shape[1:] for axis in axes(part, inner)]


def all_apart(library: Any, arrays: Sequence[Any], floor: int = 0) -> tuple[list[Shape], list[Any]]:
    """Return how several arrays are made, and of what."""
    found: list[Any] = []
    return [apart(library, x, found, floor) for x in arrays], found


def all_together(domain: Any, shapes: Sequence[Shape], parts: Iterator[Any]) -> list[Any]:
    """Return arrays of these shapes, made of the next parts."""
    return [together(domain, shape, parts) for shape in shapes]


def shown(domain: Any, arrays: Sequence[Any]) -> Arrays:
    """Return arrays as users' functions see them."""
    return tuple(wrap_constant(domain, x) for x in arrays)
