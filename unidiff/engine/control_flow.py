"""Branches and loops whose course depends on values.

Where a value is known, as it is under derivatives, Python takes the branch or goes round the loop, and derivatives follow what
was evaluated. Under a vectorizing map every slice has its own: there both branches are evaluated and each slice chooses, and a
loop goes round until every slice is done, those that are done keeping their values.

A stand-in for a plain array whose value is not known for good, as there is one while a program is recorded, answers by a
method ``__unidiff_holds__()`` which way the recorded run goes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unidiff._typing import Array, Arrays
from unidiff.engine.batching import BatchTrace
from unidiff.engine.tracing import TracedArray

Branch = Callable[..., Arrays]


def innermost(x: Any) -> tuple[Any, BatchTrace | None]:
    """Return the plain array beneath all traces, and the innermost vectorizing map among those."""
    batch = None
    while isinstance(x, TracedArray):
        if batch is None and isinstance(x._trace, BatchTrace):
            batch = x._trace
        x = x._value
    return x, batch


def _holds(value: Any) -> bool:
    """Whether a condition holds."""
    holds = getattr(value, "__unidiff_holds__", None)
    return bool(value) if holds is None else holds()


def cond(domain: Any, predicate: Array, if_true: Branch, if_false: Branch, operands: Arrays) -> Arrays:
    """Return what one of the branches gives for the operands."""
    value, batch = innermost(predicate)
    if batch is None:
        return (if_true if _holds(value) else if_false)(*operands)
    if _holds(domain.library.xp.all(value)):
        return if_true(*operands)
    if not _holds(domain.library.xp.any(value)):
        return if_false(*operands)
    return choose(domain, batch, predicate, if_true, if_false, operands)


def choose(domain: Any, batch: BatchTrace, predicate: Array, if_true: Branch, if_false: Branch, operands: Arrays) -> Arrays:
    """Evaluate both branches, and give each slice the result of its own."""
    xp = domain.plain
    otherwise = xp.logical_not(predicate)
    chosen = if_true(*(_where_own(domain, batch, predicate, x) for x in operands))
    other = if_false(*(_where_own(domain, batch, otherwise, x) for x in operands))
    return tuple(xp.where(predicate, x, y) for x, y in zip(chosen, other, strict=True))


def _where_own(domain: Any, batch: BatchTrace, own: Any, x: Array) -> Array:
    """Return an operand of a branch with that of a slice that takes it in the place of those of all slices that do not.

    A function that is not defined for these would otherwise turn the zeros of their derivatives into NaN.
    """
    inner = x
    while isinstance(inner, TracedArray) and inner._trace.level > batch.level:
        inner = inner._value
    if not (isinstance(inner, TracedArray) and inner._trace is batch):
        return x
    xp = domain.plain
    while own._trace is not batch:
        own = own._value
    first = xp.argmax(xp.astype(own._value, xp.int8))
    spare = xp.take(xp._constant(inner._value), xp.reshape(first, (1,)), axis=0)
    return xp.where(own, x, spare[0, ...])


def while_loop(domain: Any, condition: Callable[..., Array], body: Branch, init: Arrays) -> Arrays:
    """Return the last values of a loop; there is no reverse mode through them."""
    xp, values = domain.plain, init
    while True:
        going = condition(*values)
        value, batch = innermost(going)
        if not _holds(value if batch is None else domain.library.xp.any(value)):
            break
        after = body(*values)
        values = after if batch is None else tuple(xp.where(going, x, y) for x, y in zip(after, values, strict=True))
    return tuple(map(xp._irreversible, values))


def scan(
    backend: Any, f: Callable[..., tuple[Arrays, Arrays]], init: Arrays, xs: Arrays, length: int, reverse: bool
) -> tuple[Arrays, Arrays]:
    """Loop over the slices; without one, a slice of ones tells what the stacked results look like."""
    xp, device = backend.domain.plain, backend.domain.device
    if not length:
        _, ys = f(init, tuple(backend.shown(xp.ones(x.shape[1:], dtype=x.dtype, device=device(x))) for x in xs))
        return init, tuple(backend.shown(xp.zeros((0, *y.shape), dtype=y.dtype, device=device(y))) for y in ys)
    carry, rows = init, []
    for k in range(length):
        carry, ys = f(carry, tuple(x[length - 1 - k if reverse else k, ...] for x in xs))
        rows.append(ys)
    if reverse:
        rows.reverse()
    return carry, tuple(xp.stack(list(column)) for column in zip(*rows, strict=True))
