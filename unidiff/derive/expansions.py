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
    solve: Callable[[Callable[[Array], Array], Array], Array],
) -> Array:
    """Differentiate ``A x = r`` implicitly: ``A dx = dr - dA x``, and for the adjoint a system with the transpose of A."""

    def transposed(constants: Arrays, w: Array) -> Array:
        _, pull = b.vjp(lambda v: (matvec(constants, v),), (b.zeros_like(w),))
        return pull((w,))[0]

    def image(x: Array) -> FlatFunction:
        return lambda *cs: (matvec(cs, x),)

    def call(*args: Array) -> Arrays:
        return (solve(lambda v: matvec(args[:-1], v), args[-1]),)

    def push(tangents: Arrays, args: Arrays, outs: Arrays) -> Arrays:
        change = tangents[-1]
        if len(args) > 1:
            change = change - b.jvp(image(outs[0]), args[:-1], tangents[:-1])[1][0]
        return (b.linear_solve(matvec, args[:-1], change, solve),)

    def pull(cotangents: Arrays, args: Arrays, outs: Arrays) -> Arrays:
        w = b.linear_solve(transposed, args[:-1], cotangents[0], solve)
        return (*(b.vjp(image(outs[0]), args[:-1])[1]((-w,)) if len(args) > 1 else ()), w)

    solution: Array = b.with_rules(call, push, pull)(*constants, rhs)[0]
    return solution


EXPANSIONS: dict[str, Callable[..., Any]] = {"taylor": _taylor, "linear_solve": _linear_solve}
