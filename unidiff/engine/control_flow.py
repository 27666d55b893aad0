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
from unidiff.engine.forward import ForwardTrace
from unidiff.engine.reverse import ReverseTrace
from unidiff.engine.tracing import TracedArray

Branch = Callable[..., Arrays]
Attempt = Callable[..., Any] | None


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


def while_loop(domain: Any, condition: Callable[..., Array], body: Branch, init: Arrays, attempt: Attempt = None) -> Arrays:
    """Return the last values of a loop; there is no reverse mode through them.

    ``attempt(values)`` may do the rest of the loop, or return None.
    """
    xp, values = domain.plain, init
    while True:
        if attempt is not None and (found := attempt(values)) is not None:
            return tuple(map(xp._irreversible, found))
        going = condition(*values)
        value, batch = innermost(going)
        if not _holds(value if batch is None else domain.library.xp.any(value)):
            break
        after = body(*values)
        values = after if batch is None else tuple(xp.where(going, x, y) for x, y in zip(after, values, strict=True))
    return tuple(map(xp._irreversible, values))


def scan(
    backend: Any, f: Callable[..., tuple[Arrays, Arrays]], init: Arrays, xs: Arrays, length: int, reverse: bool,
    attempt: Attempt = None,
) -> tuple[Arrays, Arrays]:  # fmt: skip
    """Loop over the slices; without one, a slice of ones tells what the stacked results look like.

    What goes into a step and comes out of it has nodes of its own on the tapes of reverse mode. So cotangents are added up step
    by step, whether each step is on a tape or the loop is one entry of it, as where ``attempt(carry, xs, rows, order)`` does
    the steps that are left, after those that gave the rows; it may also return None.
    """
    xp, device = backend.domain.plain, backend.domain.device
    if not length:
        _, ys = f(init, tuple(backend.shown(xp.ones(x.shape[1:], dtype=x.dtype, device=device(x))) for x in xs))
        return init, tuple(backend.shown(xp.zeros((0, *y.shape), dtype=y.dtype, device=device(y))) for y in ys)
    carry, xs = tuple(map(fresh, init)), tuple(map(fresh, xs))
    rows: list[Arrays] = []
    order = range(length - 1, -1, -1) if reverse else range(length)
    for done, k in enumerate(order):
        if attempt is not None and (found := attempt(carry, xs, rows, order[done:])) is not None:
            return found  # type: ignore[no-any-return]  # a carry and stacked results
        after, ys = f(carry, tuple(x[k, ...] for x in xs))
        rows.append(tuple(map(fresh, ys)))
        carry = tuple(map(fresh, after))
    if reverse:
        rows.reverse()
    return carry, tuple(xp.stack(list(column)) for column in zip(*rows, strict=True))


def fresh(x: Any) -> Any:
    """Return the same array with nodes of its own on the tapes of reverse mode."""
    if not isinstance(x, TracedArray):
        return x
    trace, node = x._trace, x._node
    value = fresh(x._value)
    if isinstance(trace, ReverseTrace):
        result = trace._node(value, (same, node, None, None, None))
    elif type(trace) is ForwardTrace:
        tangent = fresh(node)
        if value is x._value and tangent is node:
            return x
        result = type(x)(value, trace, tangent)
    elif type(trace) is BatchTrace and value is not x._value:
        result = type(x)(value, trace, node)
    else:
        return x
    memory = getattr(x, "_memory", None)
    if memory is not None:
        result._memory = memory
    return result


def same(_xp: Any, g: Any, _: None) -> Any:
    """Pull back the identity."""
    return g
