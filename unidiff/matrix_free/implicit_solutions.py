"""Solutions of linear systems with the derivatives of the exact solution, whatever the solver does.

With ``A x = b``, tangents solve ``A dx = db - dA x``, and cotangents go through the system with the adjoint of A. The iteration
is not differentiated: its derivative is another one where it ends before it has seen the whole space, as conjugate gradients do
after one step for a multiple of the identity. The operator is a function, and what it holds has derivatives, too, so it becomes
a function of all that it holds first. The systems for derivatives are differentiated in the same way, to any order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from unidiff._typing import Array, Arrays
from unidiff.matrix_free.vectors import Space

__all__ = ["Method", "implicit_solution"]

Operator = Callable[[Sequence[Array]], Sequence[Array]]
"""A linear function of the leaves of a vector."""


class Method(Protocol):
    """A solver of linear systems."""

    def solve(
        self,
        space: Space,
        operator: Operator,
        preconditioner: Operator | None,
        rhs: Sequence[Array],
        start: Sequence[Array] | None,
    ) -> tuple[Sequence[Array], Array, Array]:
        """Return the leaves of the solution, the number of iterations and the norm of the residual."""

    def solve_again(self, epsilon: float, apply: Callable[[Array], Array], rhs: Array, preconditioner: Any = None) -> Array:
        """Return the solution of a system for derivatives, of arrays of shape (n,); NaN where there is none."""


def implicit_solution(
    space: Space, operator: Operator, preconditioner: Operator | None, start: Sequence[Array] | None, method: Method
) -> tuple[Sequence[Array], Array, Array] | None:
    """Return the solution for the leaves of the space, with iterations and residual, which are constants.

    None where no transform is at work.
    """
    b, rhs = space.backend, tuple(space.leaves)
    functions = [_flat(operator)] if preconditioner is None else [_flat(operator), _flat(preconditioner)]
    found = [b.closure_convert(f, rhs) for f in functions]
    if all(each is None for each in found):
        return None
    explicit = [(f, ()) if each is None else each for f, each in zip(functions, found, strict=True)]
    held = [x for _, arrays in explicit for x in arrays]
    system = _System(space, explicit, len(held), (*held, *(start or ())), method)
    outs = b.with_rules(system.call, system.push, system.pull)(*system.constants, *rhs)
    return outs[:-2], *map(b.stop_gradient, outs[-2:])


def _flat(f: Operator) -> Callable[..., Arrays]:
    return lambda *xs: tuple(f(xs))


@dataclass(frozen=True, eq=False)
class _System:
    """A linear system as a function of what its operator holds, ``constants``, and of its right side.

    Attributes
    ----------
    functions : sequence
        The operator, and the preconditioner if there is one: each a function of what it holds and the leaves of a vector,
        with what it holds.
    count : int
        How many of the constants they hold; the others are the start.
    """

    space: Space
    functions: Sequence[tuple[Callable[..., Arrays], Arrays]]
    count: int
    constants: Arrays
    method: Method

    def _apply(self, place: int, constants: Sequence[Array], xs: Sequence[Array]) -> Arrays:
        """Apply the operator or the preconditioner."""
        f, held = self.functions[place]
        first = len(self.functions[0][1]) if place else 0
        return tuple(f(*constants[first : first + len(held)], *xs))

    def _parts(self, args: Arrays) -> tuple[Arrays, Arrays]:
        return args[: len(self.constants)], args[len(self.constants) :]

    def call(self, *args: Array) -> Arrays:
        """Return the solution, the iterations and the residual."""
        constants, rhs = self._parts(args)
        operator, *others = [
            lambda xs, place=place: list(self._apply(place, constants, xs)) for place in range(len(self.functions))
        ]
        space, start = Space(list(rhs), "b"), list(constants[self.count :])
        x, iterations, residual = self.method.solve(space, operator, others[0] if others else None, list(rhs), start or None)
        return (*x, iterations, residual)

    # --- the systems for derivatives, in real coordinates

    def _product(self, place: int) -> Callable[[Arrays, Array], Array]:
        space = self.space
        return lambda constants, v: space.coordinates(self._apply(place, constants, space.from_coordinates(v)))

    def _adjoint(self, place: int) -> Callable[[Arrays, Array], Array]:
        b, product = self.space.backend, self._product(place)

        def adjoint(constants: Arrays, w: Array) -> Array:
            _, pull = b.vjp(lambda v: (product(constants, v),), (b.zeros_like(w),))
            return pull((w,))[0]

        return adjoint

    def _solved(self, of: Callable[[int], Any], constants: Arrays, rhs: Array) -> Sequence[Array]:
        preconditioner = of(1) if len(self.functions) > 1 else None
        solve = partial(self.method.solve_again, self.space.epsilon())
        x = self.space.backend.linear_solve(of(0), constants, rhs, solve, preconditioner)
        return self.space.from_coordinates(x)

    def _image(self, x: Sequence[Array], constants: Arrays) -> tuple[list[int], Callable[..., Arrays]]:
        """Return which constants have derivatives, and the product with the solution as a function of those."""
        own = [k for k, c in enumerate(constants[: self.count]) if self.space.backend.is_differentiable(c)]

        def image(*chosen: Array) -> Arrays:
            full = list(constants)
            for k, c in zip(own, chosen, strict=True):
                full[k] = c
            return self._apply(0, full, x)

        return own, image

    def push(self, tangents: Arrays, args: Arrays, outs: Arrays) -> Arrays:
        """Return ``A^-1 (db - dA x)``, and zeros for what is no part of the solution."""
        b, (constants, _), x = self.space.backend, self._parts(args), outs[:-2]
        change = self.space.coordinates(tangents[len(constants) :])
        own, image = self._image(x, constants)
        if own:
            _, moved = b.jvp(image, tuple(constants[k] for k in own), tuple(tangents[k] for k in own))
            change = change - self.space.coordinates(moved)
        return (*self._solved(self._product, constants, change), *map(b.zeros_like, outs[-2:]))

    def pull(self, cotangents: Arrays, args: Arrays, outs: Arrays) -> Arrays:
        """Return ``w = A^-* g`` for the right side, and ``-dA* w`` at the solution for what the operator holds."""
        b, (constants, _), x = self.space.backend, self._parts(args), outs[:-2]
        w = self._solved(self._adjoint, constants, self.space.coordinates(cotangents[:-2]))
        own, image = self._image(x, constants)
        pulled: dict[int, Array] = {}
        if own:
            _, pullback = b.vjp(image, tuple(constants[k] for k in own))
            pulled = dict(zip(own, pullback(tuple(-y for y in w)), strict=True))
        return (*(pulled[k] if k in pulled else b.zeros_like(c) for k, c in enumerate(constants)), *w)
