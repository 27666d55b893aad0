"""The pass that pulls cotangents back along a tape; `unidiff.engine.reverse` says what is on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from unidiff._typing import Array, Namespace
from unidiff.engine.indexing import is_basic, plain_key
from unidiff.engine.rule import CONJUGATE
from unidiff.engine.shapes import Axis, cast, expand_reduced, restore
from unidiff.engine.tracing import device_of


class Slots:
    """The cotangents of an operation with several results, on their way to it."""

    __slots__ = ("items",)

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def __add__(self, other: Slots) -> Slots:
        """Merge; the left operand is ours alone, so it is filled in place."""
        for slot, g in enumerate(other.items):
            if g is not None:
                mine = self.items[slot]
                self.items[slot] = g if mine is None else mine + g
        return self


SLOT = (), None
"""What an edge to an operation with several results has in place of a restoration."""


def fill_slot(_xp: Namespace, g: Any, residuals: tuple[int, int]) -> Slots:
    """Pull the cotangent of one of several results back to their operation."""
    slot, count = residuals
    items: list[Any] = [None] * count
    items[slot] = g
    return Slots(items)


class Scatter:
    """The cotangent of an indexed part, before it is added into the cotangent of the whole."""

    __slots__ = ("key", "shape", "value")

    def __init__(self, shape: tuple[int, ...], key: Any, value: Any) -> None:
        self.shape = shape
        self.key = key
        self.value = value


def part_cotangent(shape: tuple[int, ...], key: Any, g: Array) -> Any:
    """Return what the rule of indexing gives back: the pull-back adds it into the cotangent of the whole."""
    return Scatter(shape, key, g)


class Spread:
    """A cotangent that repeats ``value`` along some axes, as that of a sum does; elementwise maps need the value only."""

    __slots__ = ("shape", "value", "xp")

    def __init__(self, xp: Namespace, value: Array, shape: tuple[int, ...]) -> None:
        self.xp = xp
        self.value = value
        self.shape = shape

    def __add__(self, other: Any) -> Any:
        """Add another such cotangent, or an array, which gives an array."""
        if type(other) is Spread:
            return Spread(self.xp, self.value + other.value, self.shape)
        return self.array() + other

    def array(self) -> Array:
        """Return the cotangent as an array."""
        return self.xp.broadcast_to(self.value, self.shape)

    def restore(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Bring the cotangent to the shape and dtype of its primal."""
        if shape == self.shape:
            return Spread(self.xp, cast(self.xp, self.value, dtype), shape)
        return restore(self.xp, self.array(), shape, dtype)


_FILLED = 1 << 12
"""Up to this number of elements an array costs less than what saves making it."""


def spread_cotangent(xp: Namespace, g: Array, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Return what the rule of a sum of ``x`` gives back: its cotangent spread over the shape of ``x``."""
    shape = x.shape
    if axis is not None or keepdims:
        g = expand_reduced(xp, g, len(shape), axis, keepdims)
    return xp.broadcast_to(g, shape) if math.prod(shape) <= _FILLED else Spread(xp, g, shape)


def _edges_of_value(g: Spread, edge: Any, conjugate: bool) -> Any:
    """Return the edges with maps for the value of a spread cotangent, or None unless all of them are elementwise."""
    chain = []
    while edge is not None:
        pull, parent, residuals, restoration, edge = edge
        if pull not in CONJUGATE:
            return None
        pull = partial(_pull_value, CONJUGATE[pull] if conjugate else pull, g.shape)
        chain.append((pull, parent, residuals, restoration or (g.shape, g.value.dtype)))
    for link in reversed(chain):
        edge = (*link, edge)
    return edge


def _pull_value(pull: Any, shape: tuple[int, ...], xp: Namespace, value: Array, residuals: Any) -> Any:
    part = pull(xp, value, residuals)
    return part if part.shape == shape else Spread(xp, part, shape)


def _unpack(domain: Any, g: Any, edge: Any, has_complex: bool) -> tuple[Any, Any, bool]:
    """Return the edges of a node, what to pull back along them, and whether their maps are to be conjugated."""
    if type(g) is Slots:
        return edge, tuple(g.items), False
    conjugate = has_complex and domain.kind(g.value.dtype) == "complex"
    edges = _edges_of_value(g, edge, conjugate)
    return (edge, g.array(), conjugate) if edges is None else (edges, g.value, False)


def _settled(
    domain: Any, xp: Namespace, cotangents: list[Any], owned: set[int], parent: int, part: Any, restoration: Any, in_place: bool
) -> Any:  # fmt: skip
    """Return a cotangent that is no array in the form in which it is to be added, None where that has been done."""
    total = cotangents[parent]
    if type(part) is Scatter:
        add_part(domain, xp, cotangents, owned, parent, part.shape, part.key, part.value, in_place)
        return None
    if type(part) is Slots:
        cotangents[parent] = part if total is None else total + part
        return None
    restored = part.restore(*restoration)
    if type(restored) is Spread and not (in_place and (total is None or type(total) is Spread)):
        return restored.array()  # it is to be added to an array, or has to be differentiated
    return restored


def _lift(domain: Any, residuals: Any) -> Any:
    """Return residuals in the form that rules need beside traced cotangents; several results are kept as one tuple."""
    if type(residuals) is tuple:
        return tuple([_lift(domain, item) for item in residuals])
    if isinstance(residuals, tuple) and hasattr(residuals, "_fields"):
        return type(residuals)(*(_lift(domain, item) for item in residuals))
    return domain.beside_traced(residuals)


def pull_back(  # noqa: C901, PLR0912, PLR0915  # the hot loop: a call for each edge would cost a fifth of its time
    domain: Any, tape: list[Any], seeds: Sequence[tuple[int, Any]], inputs: int, xp: Namespace, *,
    in_place: bool, has_complex: bool, consume: bool, owned: set[int] | None = None,
) -> list[Any]:  # fmt: skip
    """Return the cotangents of the first ``inputs`` nodes, None for those that nothing depends on.

    With ``consume`` the tape is emptied on the way, which frees the residuals as soon as they are used. ``in_place`` says
    that cotangents are plain, so that sums of three and more may accumulate in the buffer of the first two: ``owned`` are the
    nodes whose cotangent is such a buffer, before and after.
    """
    last = -1
    for node, _ in seeds:
        if node > last:  # noqa: PLR1730  # max() costs more
            last = node
    if consume:
        del tape[last + 1 :]
    cotangents: list[Any] = [None] * (last + 1)
    owned = set() if owned is None else owned
    lift = xp is not domain.raw and not domain.library.defers  # residuals of a plain recording beside traced cotangents
    special, conjugate = lift or has_complex, False
    for node, seed in seeds:
        cotangents[node] = seed if cotangents[node] is None else cotangents[node] + seed
    for index in range(last, inputs - 1, -1):
        edge = tape.pop() if consume else tape[index]
        g = cotangents.pop()
        if g is None:
            continue
        if type(g) in _PACKED:
            edge, g, conjugate = _unpack(domain, g, edge, has_complex)
        elif has_complex:
            conjugate = domain.kind(g.dtype) == "complex"
        while edge is not None:
            pull, parent, residuals, restoration, edge = edge
            if pull is None:
                if residuals is None:  # a loop, which goes on adding to the cotangents of its parents
                    restoration(xp, cotangents, owned, parent, g, in_place)
                    continue
                shape, key = residuals
                add_part(domain, xp, cotangents, owned, parent, shape, key, g, in_place)
                continue
            if special:
                pull = CONJUGATE.get(pull, pull) if conjugate else pull
                residuals = _lift(domain, residuals) if lift else residuals
            part = pull(xp, g, residuals)
            if restoration is not None:
                if type(part) in _DEFERRED:
                    part = _settled(domain, xp, cotangents, owned, parent, part, restoration, in_place)
                    if part is None:
                        continue
                else:
                    shape, dtype = restoration
                    if part.shape != shape or part.dtype is not dtype:
                        part = restore(xp, part, shape, dtype)
            total = cotangents[parent]
            if total is None:
                cotangents[parent] = part
            elif parent in owned:
                total += part
                cotangents[parent] = total
            else:
                cotangents[parent] = total + part
                if in_place:
                    owned.add(parent)
    if consume:
        tape.clear()
    cotangents += [None] * (inputs - len(cotangents))
    for node, g in enumerate(cotangents):
        if type(g) is Spread:
            cotangents[node] = g.array()
    return cotangents


_PACKED = frozenset({Slots, Spread})
_DEFERRED = frozenset({Scatter, Slots, Spread})


def add_part(
    domain: Any, xp: Namespace, cotangents: list[Any], owned: set[int], parent: int, shape: tuple[int, ...], key: Any, g: Array,
    in_place: bool,
) -> None:  # fmt: skip
    """Add the cotangent of an indexed part into that of the whole, in place where the buffer is ours."""
    total = cotangents[parent]
    if not in_place:
        whole = xp._scatter(g, shape, plain_key(key))
        cotangents[parent] = whole if total is None else total + whole
        return
    if type(total) is Spread:
        total = total.array()
        owned.discard(parent)
    if parent not in owned or not shape:  # sums of 0-d arrays may be immutable scalars
        buffer = xp.zeros(shape, dtype=g.dtype, device=device_of(g))
        if total is not None:
            buffer += total
        cotangents[parent] = buffer
        owned.add(parent)
        if total is None and is_basic(key):
            buffer[key] = g
            return
        total = buffer
    if type(key) is int or type(key) is slice or is_basic(key):
        total[key] += g
    else:
        domain.add_at(total, key, g)
