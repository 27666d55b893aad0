"""Residuals as a function of vectors, with Jacobians, counted: for least squares, roots and fixed points."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError, ShapeError
from unidiff.optim.compiled import compiled
from unidiff.optim.differentiable import Conditions, implicit, refuse_traced
from unidiff.optim.driver import Callback, Rules, run
from unidiff.optim.problem import Problem
from unidiff.optim.result import Iterate, Point, Result, Status
from unidiff.optim.vector import Layout, flat, read

__all__ = ["System", "solve_system"]


class System:
    """A function of vectors that returns vectors.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)`` returns a pytree of arrays, and with `has_aux` a pair of it and anything.
    layout : Layout
    args : tuple
    square : bool
        Whether there must be as many residuals as unknowns.
    """

    def __init__(
        self, fun: Callable[..., Any], layout: Layout, args: Sequence[Any], has_aux: bool = False, square: bool = False
    ) -> None:
        if not callable(fun):
            raise ArgumentError(f"The residuals must be a function of x and the arguments, but they are {fun!r:.200}.")
        self.fun, self.layout, self.args, self.has_aux, self.square = fun, layout, tuple(args), has_aux, square
        self.nfev = self.njev = 0
        self._values, self._jacobian = fun, _jacobian(fun, has_aux=has_aux)
        self.recorded = False
        """Whether the iterations themselves are to be differentiated."""

    def compile(self) -> None:
        """Compile the residuals and their Jacobian."""
        backend = self.layout.backend
        self._values = compiled(_itself, self.fun, backend)
        self._jacobian = compiled(_jacobian, self.fun, backend, has_aux=self.has_aux)

    def tree(self, z: Array) -> tuple[Tree, Any]:
        """Return the residuals as the function gives them, and what it returns besides."""
        out = self._values(self.layout.unpack(z), *self.args)
        return out if self.has_aux else (out, None)

    def residual(self, z: Array) -> Array:
        """Return the residuals as a vector."""
        return flat(self.tree(z)[0], self.layout)

    def __call__(self, z: Array) -> Point:
        """Return the point; its value is half the sum of squares, its gradient holds the residuals."""
        self.nfev += 1
        out, aux = self.tree(z)
        r = flat(out, self.layout)
        if self.square and r.shape[0] != self.layout.dimension:
            raise ShapeError(f"The function returned {r.shape[0]} real elements, but x has {self.layout.dimension}.")
        xp = self.layout.backend.namespace(r)
        half = 0.5 * xp.sum(r * r)
        if self.nfev == 1 and not self.recorded:
            refuse_traced(half)  # at once, since iterations may go wrong with it
        f, size = read(half, xp.max(xp.abs(r)) if r.shape[0] else half)
        return Point(z, half, r, f, size, 0.0, (out, aux))

    def jacobian(self, z: Array) -> Array:
        """Return the Jacobian as a matrix."""
        self.njev += 1
        return self._jacobian(self.layout.unpack(z), *self.args)

    def products(self, z: Array) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
        """Return the products with the Jacobian and with its transpose."""
        self.njev += 1
        _, push = ud.linearize(self.residual, z)
        _, pull = ud.vjp(self.residual, z)
        return push, lambda w: pull(w)[0]


def _itself(fun: Callable[..., Any]) -> Callable[..., Any]:
    return fun


def _jacobian(fun: Callable[..., Any], *, has_aux: bool) -> Callable[..., Array]:
    """Return the Jacobian as a matrix, as a function of x and the arguments."""

    def matrix(x: Tree, *args: Any) -> Array:
        layout = Layout(x)

        def residual(y: Array) -> Array:
            out = fun(layout.unpack(y), *args)
            return flat(out[0] if has_aux else out, layout)

        return ud.jacobian(residual)(layout.pack(x, "x"))

    return matrix


def solve_system(
    method: Callable[..., Any],
    system: Callable[[Layout, Problem], System],
    conditions: Callable[[Problem, Result], Conditions],
    x0: Tree,
    problem: Problem,
    rules: Rules,
    own: Mapping[str, Any],
    callback: Callback | None,
    differentiate: str,
) -> Result:
    """Run a method on a system and describe the outcome; the solution is differentiable by the conditions it satisfies."""
    if differentiate not in {"implicit", "unrolled"}:
        raise ArgumentError(f"differentiate must be 'implicit' or 'unrolled', but it is {differentiate!r:.200}.")

    def solve(start: Tree, given: Problem) -> Result:
        layout = Layout(start)
        residuals = system(layout, given)
        residuals.recorded = differentiate == "unrolled"
        if own.get("jit"):
            residuals.compile()

        def describe(iterate: Iterate, nit: int, status: Status = Status.ITERATIONS, message: str = "") -> Result:
            point = iterate.point
            slope = iterate.state.get("gradient")
            return Result(
                x=layout.copied(point.x),
                fun=point.aux[0],
                jac=None if slope is None else layout.copied(slope),
                optimality=iterate.optimality,
                nit=nit,
                nfev=residuals.nfev,
                njev=residuals.njev,
                nhev=0,
                success=status in {Status.CONVERGED, Status.SMALL_CHANGE},
                status=status,
                message=message or "The iteration goes on.",
                aux=point.aux[1],
                state=dict(iterate.state),
            )

        chosen = method if layout.dimension else _nothing
        settings = {name: value for name, value in own.items() if name != "jit"}
        best, nit, status, message, path = run(chosen(residuals, layout.start(), **settings), describe, layout, rules, callback)
        return replace(describe(best, nit, status, message), trajectory=path)

    if differentiate == "unrolled":
        return solve(x0, problem)
    layout = Layout(x0)
    return implicit(solve, conditions, layout.unpack(layout.start()), problem)


def _nothing(system: System, start: Array, **options: Any) -> Iterator[Iterate]:
    """Yield the only point there is without unknowns."""
    del options
    yield Iterate(system(start), 0.0, {"gradient": start})
