"""The pass that pulls cotangents back along a tape; `unidiff.engine.reverse` says what is on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unidiff._typing import Array, Namespace
from unidiff.engine.indexing import is_basic, plain_key
from unidiff.engine.rule import CONJUGATE
from unidiff.engine.shapes import restore


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


def fill_slot(_xp: Namespace, g: Any, slot: int, count: int) -> Slots:
    """Pull the cotangent of one of several results back to their operation."""
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


def lift_residual(domain: Any, residual: Any) -> Any:
    """Return a residual in the form that rules need beside traced cotangents; several results are kept as one tuple."""
    if type(residual) is tuple:
        return tuple(domain.beside_traced(item) for item in residual)
    if isinstance(residual, tuple) and hasattr(residual, "_fields"):
        return type(residual)(*(domain.beside_traced(item) for item in residual))
    return domain.beside_traced(residual)


def pull_back(  # noqa: C901, PLR0912  # the hot loop: a call for each edge would cost a fifth of its time
    domain: Any, tape: list[Any], seeds: Sequence[tuple[int, Any]], inputs: int, xp: Namespace, *,
    in_place: bool, has_complex: bool, consume: bool,
) -> list[Any]:  # fmt: skip
    """Return the cotangents of the first ``inputs`` nodes, None for those that nothing depends on.

    With ``consume`` the tape is emptied on the way, which frees the residuals as soon as they are used. ``in_place`` says
    that cotangents are plain, so that sums of three and more may accumulate in the buffer of the first two.
    """
    last = max([node for node, _ in seeds], default=-1)
    if consume:
        del tape[last + 1 :]
    cotangents: list[Any] = [None] * (last + 1)
    owned: set[int] = set()
    lift = xp is not domain.raw and not domain.library.defers  # residuals of a plain recording beside traced cotangents
    for node, seed in seeds:
        cotangents[node] = seed if cotangents[node] is None else cotangents[node] + seed
    for index in range(last, inputs - 1, -1):
        edge = tape.pop() if consume else tape[index]
        g = cotangents.pop()
        if g is None:
            continue
        if type(g) is Slots:
            g = tuple(g.items)
            conjugate = False
        else:
            conjugate = has_complex and domain.kind(g.dtype) == "complex"
        while edge is not None:
            pull, parent, residuals, restoration, edge = edge
            if pull is None:
                shape, key = residuals
                _scatter(domain, xp, cotangents, owned, parent, shape, key, g, in_place)
                continue
            if conjugate:
                pull = CONJUGATE.get(pull, pull)
            if lift:
                residuals = tuple(lift_residual(domain, residual) for residual in residuals)
            part = pull(xp, g, *residuals)
            if type(part) is Scatter:
                _scatter(domain, xp, cotangents, owned, parent, part.shape, part.key, part.value, in_place)
                continue
            if restoration is not None:
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
                if in_place and type(part) is not Slots:
                    owned.add(parent)
    if consume:
        tape.clear()
    cotangents.extend([None] * (inputs - len(cotangents)))
    return cotangents


def _scatter(
    domain: Any, xp: Namespace, cotangents: list[Any], owned: set[int], parent: int, shape: tuple[int, ...], key: Any, g: Array,
    in_place: bool,
) -> None:  # fmt: skip
    """Add the cotangent of an indexed part into that of the whole, in place where the buffer is ours."""
    total = cotangents[parent]
    if not in_place:
        whole = xp._scatter(g, shape, plain_key(key))
        cotangents[parent] = whole if total is None else total + whole
        return
    if parent not in owned or not shape:  # sums of 0-d arrays may be immutable scalars
        buffer = xp.zeros(shape, dtype=g.dtype, device=g.device)
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
