"""Implicit differentiation: derivatives of what a solver returns, by the equation that it solves.

If ``F(x*, theta) = 0``, then ``A dx* = -B dtheta`` with ``A = dF/dx`` and ``B = dF/dtheta``, and the cotangent of theta is
``-B* A^{-*}`` times that of x*. The solver itself is not differentiated: it may iterate as long as it likes, branch, and call
compiled code. These rules are made of derivatives of F and linear systems with A, which are differentiated implicitly in turn,
so derivatives exist to any order in any mode.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from unidiff import registry, tree
from unidiff._typing import Array, Arrays, Tree
from unidiff.calls import not_an_output
from unidiff.derive import CompleteBackend
from unidiff.dispatch import find_backend
from unidiff.errors import ArgumentError, DTypeError, ShapeError, TreeError
from unidiff.first_order import grad
from unidiff.matrix_free.linear_solvers import SOLVERS, LinearSolution, or_nan
from unidiff.matrix_free.vectors import Space, one_of

__all__ = ["custom_argmin", "custom_fixed_point", "custom_root"]

DENSE = 128
"""Up to this dimension the linear system is solved by its matrix, unless the caller says otherwise."""
Solver = Callable[..., Tree]
LinearSolver = Callable[[Callable[[Array], Array], Array], LinearSolution]


def custom_root(optimality: Callable[..., Tree], solve: str | LinearSolver = "auto") -> Callable[[Solver], Solver]:
    """Return a decorator for solvers of ``optimality(x, *args) = 0``, which makes them differentiable in ``args``.

    Parameters
    ----------
    optimality : callable
        ``optimality(x, *args)`` returns a pytree with as many real elements as `x`; differentiable in all arguments. What it
        closes over is constant.
    solve : {"auto", "dense", "gmres", "cg", "normal_cg"} or callable
        How linear systems with the Jacobian by `x` are solved: by its matrix, or matrix-free by `gmres`, by `cg` (for a
        symmetric positive definite one) or by `cg` on the normal equations. "auto" is "dense" up to 128 elements and "gmres"
        beyond. A callable takes an operator on arrays of shape (n,) and a right side, and returns a `LinearSolution`.

    Returns
    -------
    callable
        Decorates ``solver(init, *args, **options)``, which returns `x`, a pytree of floating arrays. The decorated solver has
        the same signature; derivatives by `init` are zero, and options are not differentiated.

    Raises
    ------
    unidiff.errors.ArgumentError
        If `solve` is not known.
    unidiff.errors.ShapeError
        If `optimality` returns another number of elements than `x` has, when a derivative is taken.
    unidiff.errors.DTypeError
        If the solver returns arrays that are not floating.
    unidiff.errors.TreeError, unidiff.errors.MixedBackendsError, unidiff.errors.NotAnArrayError
        If the solver or `optimality` returns no arrays, or others than those of the library of the arguments.

    Notes
    -----
    Where the Jacobian is singular, or the linear solver does not converge, the implicit function theorem or the means to apply
    it fail, and the derivative is NaN. The derivative is that of the exact solution, evaluated at what the solver returned.
    Solvers run on values: under `unidiff.jit` and `unidiff.vmap` they must be written with `unidiff.while_loop` and the like,
    as any function there.
    M. Blondel et al., "Efficient and modular implicit differentiation", NeurIPS 2022.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> @ud.custom_root(lambda x, a: x**2 - a)
    ... def root(init, a):
    ...     return np.asarray(float(a) ** 0.5)
    >>> float(ud.grad(root, argnums=1)(np.asarray(1.0), np.asarray(4.0)))
    0.25
    """
    _require_callable(optimality, "optimality")
    linear = _linear_solver(solve, "gmres")
    return lambda solver: _implicit(solver, optimality, linear)


def custom_fixed_point(fixed_point: Callable[..., Tree], solve: str | LinearSolver = "auto") -> Callable[[Solver], Solver]:
    """Return a decorator for solvers of ``x = fixed_point(x, *args)``, which makes them differentiable in ``args``.

    Parameters
    ----------
    fixed_point : callable
        ``fixed_point(x, *args)`` returns a pytree like `x`; differentiable in all arguments.
    solve : {"auto", "dense", "gmres", "cg", "normal_cg"} or callable
        As for `custom_root`.

    Returns
    -------
    callable
        As for `custom_root`.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `custom_root`; `unidiff.errors.TreeError` if `fixed_point` returns another structure than `x` has.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> @ud.custom_fixed_point(lambda x, a: (x + a / x) / 2)
    ... def square_root(init, a):
    ...     x = init
    ...     while abs(x * x - a) > 1e-12:
    ...         x = (x + a / x) / 2
    ...     return x
    >>> round(float(ud.grad(square_root, argnums=1)(np.asarray(1.0), np.asarray(4.0))), 9)
    0.25
    """
    _require_callable(fixed_point, "fixed_point")

    def optimality(x: Tree, *args: Tree) -> Tree:
        return tree.map(_change, fixed_point(x, *args), x)

    linear = _linear_solver(solve, "gmres")
    return lambda solver: _implicit(solver, optimality, linear)


def custom_argmin(objective: Callable[..., Array], solve: str | LinearSolver = "auto") -> Callable[[Solver], Solver]:
    """Return a decorator for minimizers of ``objective(x, *args)`` over x, which makes them differentiable in ``args``.

    Parameters
    ----------
    objective : callable
        ``objective(x, *args)`` returns one real array of shape (); twice differentiable in `x`. There are no constraints.
    solve : {"auto", "dense", "gmres", "cg", "normal_cg"} or callable
        As for `custom_root`, with the Hessian as the Jacobian; "auto" is "dense" up to 128 elements and "cg" beyond.

    Returns
    -------
    callable
        As for `custom_root`.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `custom_root` and `unidiff.grad`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> @ud.custom_argmin(lambda x, data, penalty: ((x - data) ** 2).sum() + penalty * (x**2).sum())
    ... def ridge(init, data, penalty):
    ...     return np.asarray(data) / (1 + float(penalty))
    >>> ud.jacobian(ridge, argnums=2)(np.zeros(2), np.asarray([2.0, 4.0]), np.asarray(1.0))
    array([-0.5, -1. ])
    """
    _require_callable(objective, "objective")
    linear = _linear_solver(solve, "cg")
    return lambda minimizer: _implicit(minimizer, grad(objective), linear)


def _change(new: Any, old: Array) -> Array:
    if tuple(getattr(new, "shape", ())) != tuple(old.shape):
        raise ShapeError(f"fixed_point returned the shape {tuple(new.shape)} for a solution of the shape {tuple(old.shape)}.")
    return new - old


def _require_callable(f: Any, name: str) -> None:
    if not callable(f):
        raise ArgumentError(f"{name} must be a function of the solution and the arguments, but it is {f!r:.200}.")


def _linear_solver(solve: str | LinearSolver, large: str) -> Callable[[Callable[[Array], Array], Array], Array]:
    """Return a solver of linear systems over arrays of shape (n,) that gives NaN where it does not converge."""
    if not callable(solve):
        one_of(solve, ("auto", *SOLVERS), "solve, if it is no function,")

    def solved(operator: Callable[[Array], Array], rhs: Array) -> Array:
        chosen = solve
        if chosen == "auto":
            chosen = "dense" if rhs.shape[0] <= DENSE else large
        solution = SOLVERS[chosen](operator, rhs) if isinstance(chosen, str) else chosen(operator, rhs)
        if not isinstance(solution, LinearSolution):
            raise ArgumentError(f"solve must return a LinearSolution, but it returned {type(solution).__qualname__}.")
        return or_nan(solution)

    return solved


def _implicit(solver: Solver, optimality: Callable[..., Tree], linear: Callable[..., Array]) -> Solver:
    _require_callable(solver, "The solver")

    @wraps(solver)
    def differentiable(init: Tree, *args: Tree, **options: Any) -> Tree:
        b, kind = find_backend((init, *args), options)
        leaves, spec = tree.flatten((init, args))
        places = [k for k, x in enumerate(leaves) if registry.of_type(x) is kind]
        equation = _Equation(b, kind, optimality, linear, leaves, places, spec)

        def solved(*arrays: Array) -> Arrays:
            start, parameters = equation.arguments(arrays)
            return equation.solution(solver(start, *parameters, **options))

        outs = b.with_rules(solved, equation.push, equation.pull)(*(leaves[k] for k in places))
        return tree.unflatten(equation.spec, outs)

    return differentiable


class _Equation:
    """``F(x, theta) = 0`` in flat arrays: theta are all arrays among the arguments, those of the start included."""

    def __init__(
        self, b: CompleteBackend, kind: Any, f: Any, linear: Any, leaves: list[Any], places: list[int], spec: Any
    ) -> None:
        self.b, self.kind, self.f, self.linear = b, kind, f, linear
        self.leaves, self.places, self.args_spec = leaves, places, spec
        self.spec: Any = None

    def arguments(self, arrays: Arrays) -> Any:
        """Return the start and the arguments with these arrays."""
        leaves = list(self.leaves)
        for k, x in zip(self.places, arrays, strict=True):
            leaves[k] = x
        return tree.unflatten(self.args_spec, leaves)

    def solution(self, x: Tree) -> Arrays:
        """Return the leaves of what the solver returned."""
        b, (leaves, self.spec) = self.b, tree.flatten(x)
        if not leaves:
            raise TreeError(f"The solver returned {x!r:.200}, in which there are no arrays.")
        arrays = []
        for leaf, path in zip(leaves, tree.paths(self.spec, "solution"), strict=True):
            array = self._array(leaf, path)
            if not b.is_differentiable(array):
                raise DTypeError(f"The {path} has the dtype {array.dtype}; solutions are of real or complex floating dtypes.")
            arrays.append(array)
        return tuple(arrays)

    def _array(self, x: Any, path: str) -> Array:
        """Return what a function of the user returned as an array, if it is one of the library of the arguments or a number."""
        kind = registry.of_type(x)
        if kind is self.kind or kind is self.b:
            return x
        if kind is registry.SCALAR:
            return self.b.asarray(x)
        raise not_an_output(self.b, x, path)

    def residual(self, x: Sequence[Array], theta: Sequence[Array]) -> Array:
        """Return F in real coordinates."""
        _, args = self.arguments(theta)
        space = Space(tree.unflatten(self.spec, x), "solution")
        result, spec = tree.flatten(self.f(space.build(x), *args))
        if not result:
            raise TreeError("The optimality function returned no arrays.")
        paths = tree.paths(spec, "result of the optimality function")
        found = space.coordinates([self._array(y, path) for y, path in zip(result, paths, strict=True)])
        if tuple(found.shape) != (space.dimension,):
            raise ShapeError(
                f"The optimality function returned {found.shape[0]} elements for a solution of {space.dimension} elements."
            )
        return found

    def _split(self, theta: Arrays) -> list[int]:
        """Return which arrays have derivatives; integers have none."""
        return [k for k, x in enumerate(theta) if self.b.is_differentiable(x)]

    def _in_parameters(self, x: Arrays, theta: Arrays, own: list[int]) -> Callable[..., Arrays]:
        def of_parameters(*chosen: Array) -> Arrays:
            full = list(theta)
            for k, y in zip(own, chosen, strict=True):
                full[k] = y
            return (self.residual(x, full),)

        return of_parameters

    def _systems(self, x: Arrays, theta: Arrays, own: list[int]) -> tuple[Any, Any, Arrays]:
        """Return the products with A and its adjoint as functions of constants and a vector, and the constants."""
        b, n = self.b, len(x)

        def in_solution(constants: Arrays) -> Callable[..., Arrays]:
            full = list(theta)
            for k, y in zip(own, constants[n:], strict=True):
                full[k] = y
            return lambda *xs: (self.residual(xs, full),)

        def product(constants: Arrays, v: Array) -> Array:
            space = Space(list(constants[:n]), "solution")
            return b.jvp(in_solution(constants), tuple(constants[:n]), tuple(space.from_coordinates(v)))[1][0]

        def adjoint(constants: Arrays, w: Array) -> Array:
            space = Space(list(constants[:n]), "solution")
            _, pull = b.vjp(in_solution(constants), tuple(constants[:n]))
            return space.coordinates(pull((w,)))

        return product, adjoint, (*x, *(theta[k] for k in own))

    def push(self, tangents: Arrays, theta: Arrays, x: Arrays) -> Arrays:
        """Return ``-A^{-1} B dtheta``."""
        own = self._split(theta)
        product, _, constants = self._systems(x, theta, own)
        chosen = tuple(theta[k] for k in own)
        _, (change,) = self.b.jvp(self._in_parameters(x, theta, own), chosen, tuple(tangents[k] for k in own))
        solution = self.b.linear_solve(product, constants, -change, self.linear)
        return tuple(Space(list(x), "solution").from_coordinates(solution))

    def pull(self, cotangents: Arrays, theta: Arrays, x: Arrays) -> Arrays:
        """Return ``-B* A^{-*}`` times the cotangents."""
        own = self._split(theta)
        _, adjoint, constants = self._systems(x, theta, own)
        space = Space(list(x), "solution")
        w = self.b.linear_solve(adjoint, constants, space.coordinates(cotangents), self.linear)
        _, pullback = self.b.vjp(self._in_parameters(x, theta, own), tuple(theta[k] for k in own))
        found = dict(zip(own, pullback((-w,)), strict=True))
        return tuple(found[k] if k in found else self.b.zeros_like(y) for k, y in enumerate(theta))
