"""Taylor coefficients and solutions of linear systems, derived from first derivatives."""

from collections.abc import Callable
from typing import Any

from unidiff._typing import Array, Arrays, FlatFunction
from unidiff.derive.complete import CompleteBackend


def _taylor(
    b: CompleteBackend, f: FlatFunction, primals: Arrays, tangents: Arrays, order: int, *, has_aux: bool = False
) -> Any:
    """Nest forward mode: every level doubles the work, so that coefficients up to `order` cost about 2**order evaluations."""

    def tower(k: int) -> FlatFunction:
        if k == 0:
            return f if has_aux else lambda *xs: (f(*xs), ())

        def raised(*xs: Array) -> tuple[Arrays, Arrays]:
            outs, pushed, aux = b.jvp(tower(k - 1), xs, tangents, has_aux=True)
            return (*outs, *pushed[len(outs) - len(outs) // k :]), aux

        return raised

    flat, aux = tower(order)(*primals)
    count, scale, found = len(flat) // (order + 1), 1.0, []
    for k in range(order + 1):
        scale *= max(k, 1)
        found.append(tuple(y if k < 2 else _scaled(b, y, scale) for y in flat[k * count : (k + 1) * count]))
    return (tuple(found), aux) if has_aux else tuple(found)


def _scaled(b: CompleteBackend, x: Array, divisor: float) -> Array:
    return b.asarray(x / divisor)


def _linear_solve(
    b: CompleteBackend,
    matvec: Callable[[Arrays, Array], Array],
    constants: Arrays,
    rhs: Array,
    solve: Callable[..., Array],
    preconditioner: Callable[[Arrays, Array], Array] | None = None,
) -> Array:
    """Differentiate ``A x = r`` implicitly: ``A dx = dr - dA x``, and for the adjoint a system with the transpose of A."""
    own = [k for k, c in enumerate(constants) if b.is_differentiable(c)]

    def transposed(f: Callable[[Arrays, Array], Array]) -> Callable[[Arrays, Array], Array]:
        return lambda cs, w: b.vjp(lambda v: (f(cs, v),), (b.zeros_like(w),))[1]((w,))[0]

    def image(x: Array, constants: Arrays) -> FlatFunction:
        def of_own(*chosen: Array) -> Arrays:
            full = list(constants)
            for k, c in zip(own, chosen, strict=True):
                full[k] = c
            return (matvec(tuple(full), x),)

        return of_own

    def call(*args: Array) -> Arrays:
        others = [] if preconditioner is None else [lambda v: preconditioner(args[:-1], v)]
        return (solve(lambda v: matvec(args[:-1], v), args[-1], *others),)

    def push(tangents: Arrays, args: Arrays, outs: Arrays) -> Arrays:
        change = tangents[-1]
        if own:
            chosen = tuple(args[k] for k in own)
            change = change - b.jvp(image(outs[0], args[:-1]), chosen, tuple(tangents[k] for k in own))[1][0]
        return (b.linear_solve(matvec, args[:-1], change, solve, preconditioner),)

    def pull(cotangents: Arrays, args: Arrays, outs: Arrays) -> Arrays:
        other = None if preconditioner is None else transposed(preconditioner)
        w = b.linear_solve(transposed(matvec), args[:-1], cotangents[0], solve, other)
        pulled: dict[int, Array] = {}
        if own:
            chosen = tuple(args[k] for k in own)
            pulled = dict(zip(own, b.vjp(image(outs[0], args[:-1]), chosen)[1]((-w,)), strict=True))
        return (*(pulled[k] if k in pulled else b.zeros_like(c) for k, c in enumerate(args[:-1])), w)

    solution: Array = b.with_rules(call, push, pull)(*constants, rhs)[0]
    return solution


EXPANSIONS: dict[str, Callable[..., Any]] = {"taylor": _taylor, "linear_solve": _linear_solve}
