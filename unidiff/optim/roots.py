"""`unidiff.root` and `unidiff.fixed_point`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError
from unidiff.optim.arguments import positive, positive_integer
from unidiff.optim.conditions import Equation
from unidiff.optim.driver import Callback, default_tolerance
from unidiff.optim.gauss_newton import backtrack, levenberg_marquardt, require_finite
from unidiff.optim.names import known
from unidiff.optim.problem import Problem
from unidiff.optim.result import Iterate, Point, Result, Status, Stop
from unidiff.optim.squares import split_options
from unidiff.optim.system import System, solve_system
from unidiff.optim.vector import Layout, read

__all__ = ["fixed_point", "root"]


def root(
    fun: Callable[..., Any],
    x0: Tree,
    args: Any = (),
    method: str = "newton",
    *,
    has_aux: bool = False,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    differentiate: str = "implicit",
) -> Result:
    r"""Solve as many equations as there are unknowns, on any library.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)`` returns a pytree of arrays with as many real elements as `x`, which are to be zero.
    x0 : pytree of array
        Where to start.
    args : tuple
        Further arguments; anything else than a tuple stands for a single one.
    method : {"newton", "newton-krylov", "broyden", "lm"}
        Newton's method with backtracking; the same with linear systems solved by GMRES and no Jacobian; Broyden's method from
        the Jacobian at the start; Levenberg-Marquardt, which copes with singular Jacobians on the way.
    has_aux : bool, default False
        Whether `fun` returns a pair of the residuals and anything else.
    tol : float, optional
        For the largest residual in magnitude; the machine epsilon to the power 2/3 by default.
    options : dict, optional
        ``maxiter``, ``maxtime``, ``trajectory``, ``progress``, ``jit`` (compile equations and Jacobian, as for
        `unidiff.minimize`); for "lm" those of `unidiff.least_squares`.
    callback : callable, optional
        ``callback(intermediate_result)`` after each iteration; ``StopIteration`` ends the run.
    differentiate : {"implicit", "unrolled"}, default "implicit"
        As for `unidiff.minimize`.

    Returns
    -------
    Result
        ``fun`` are the residuals at ``x``.

    Raises
    ------
    unidiff.errors.ShapeError
        If there are more or fewer equations than unknowns.
    unidiff.errors.UnidiffError
        As `unidiff.minimize`.

    Notes
    -----
    Newton's step solves :math:`J h = -F` in the sense of least squares, and is shortened until :math:`|F|^2` is lower by
    Armijo's rule. J. Dennis and R. Schnabel, Numerical Methods for Unconstrained Optimization and Nonlinear Equations, 1983.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> result = ud.root(lambda x, a: x**2 - a, np.asarray([1.0, 1.0]), args=np.asarray([2.0, 9.0]))
    >>> result.x.round(6)
    array([1.414214, 3.      ])
    >>> ud.jacobian(lambda a: ud.root(lambda x, a: x**2 - a, np.asarray([1.0]), args=a).x)(np.asarray([4.0])).round(6)
    array([[0.25]])
    """
    methods: dict[str, tuple[Callable[..., Iterator[Iterate]], tuple[str, ...]]] = {
        "newton": (_newton, ()),
        "newton-krylov": (_newton_krylov, ()),
        "broyden": (_broyden, ()),
        "lm": (_residual_first, ("tau", "scaling", "linear")),
    }
    generator, names = _named(methods, method, "root")
    rules, own = split_options(options, (*names, "jit"), lambda: default_tolerance(Layout(x0)) ** 2, tol)

    problem = Problem(fun, _tuple(args), has_aux)

    def system(layout: Layout, given: Problem) -> System:
        return System(given.fun, layout, given.args, has_aux, square=True)

    return solve_system(generator, system, lambda _, result: Equation(result), x0, problem, rules, own, callback, differentiate)


def fixed_point(
    fun: Callable[..., Any],
    x0: Tree,
    args: Any = (),
    method: str = "anderson",
    *,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    differentiate: str = "implicit",
) -> Result:
    r"""Find ``x = fun(x, *args)``, on any library.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)`` returns a pytree like `x`.
    x0 : pytree of array
        Where to start.
    args : tuple
        Further arguments; anything else than a tuple stands for a single one.
    method : {"anderson", "picard"}
        Anderson's acceleration, or plain repetition.
    tol : float, optional
        For the largest entry of ``fun(x) - x`` in magnitude; the machine epsilon to the power 2/3 by default.
    options : dict, optional
        ``maxiter``, ``maxtime``, ``trajectory``, ``progress``; for "anderson" ``memory`` (5) and ``mixing`` (1.0); for "picard"
        ``mixing``.
    callback : callable, optional
        ``callback(intermediate_result)`` after each iteration; ``StopIteration`` ends the run.
    differentiate : {"implicit", "unrolled"}, default "implicit"
        As for `unidiff.minimize`.

    Returns
    -------
    Result
        ``fun`` is ``fun(x) - x`` at the solution.

    Raises
    ------
    unidiff.errors.TreeError, unidiff.errors.ShapeError
        If `fun` returns another structure or other shapes than `x0` has.
    unidiff.errors.UnidiffError
        As `unidiff.minimize`.

    Notes
    -----
    Anderson's acceleration takes the combination of the last iterates whose residual is least. D. Anderson, J. ACM 12 (1965);
    H. Walker and P. Ni, SIAM J. Numer. Anal. 49 (2011).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> result = ud.fixed_point(lambda x: np.cos(x), np.asarray(1.0))
    >>> round(float(result.x), 9), result.success
    (0.739085133, True)
    """
    methods: dict[str, tuple[Callable[..., Iterator[Iterate]], tuple[str, ...]]] = {
        "anderson": (_anderson, ("memory", "mixing")),
        "picard": (_picard, ("mixing",)),
    }
    generator, names = _named(methods, method, "fixed_point")
    if not callable(fun):
        raise ArgumentError(f"fun must be a function of x and the arguments, but it is {fun!r:.200}.")
    rules, own = split_options(options, names, lambda: default_tolerance(Layout(x0)) ** 2, tol)

    def system(layout: Layout, given: Problem) -> System:
        return System(_change, layout, (given.fun, *given.args), square=True)

    return solve_system(
        generator, system, lambda _, result: _FixedPoint(result), x0, Problem(fun, _tuple(args)), rules, own, callback,
        differentiate,
    )  # fmt: skip


def _change(x: Tree, fun: Callable[..., Any], *args: Any) -> Tree:
    layout = Layout(x, "x")
    return layout.unpack(layout.pack(fun(x, *args), "result of the function") - layout.pack(x, "x"))


class _FixedPoint(Equation):
    """The function changes nothing."""

    def value(self, problem: Problem, x: Tree) -> Tree:
        """Return the change."""
        return _change(x, problem.fun, *problem.args)

    def residual(self, problem: Problem, unknowns: Tree) -> Tree:
        """Return the change."""
        return self.value(problem, unknowns)


def _tuple(args: Any) -> tuple[Any, ...]:
    return args if isinstance(args, tuple) else (args,)


def _named(methods: Mapping[str, Any], method: Any, owner: str) -> Any:
    key = method.lower() if isinstance(method, str) else ""
    if key not in methods:
        raise ArgumentError(f"No method of {owner} is called {method!r:.200}; {known(method, methods)}.")
    return methods[key]


def _inverse(system: System, z: Array) -> Array:
    """Return the pseudo-inverse of the Jacobian."""
    j = system.jacobian(z)
    xp = system.layout.backend.namespace(j)
    require_finite(xp.sum(xp.abs(j)))
    return xp.linalg.pinv(j)


def _lower(system: System, point: Point, h: Array, slope: float) -> Point:
    """Return a point along a direction where the residual is lower, or end the iteration."""
    new = backtrack(system, point, h, slope)
    if not new.f < point.f:  # as Armijo's rule has it for steps that drown in the point
        raise Stop(Status.STALLED, "The residual gets no smaller from there.")
    return new


def _newton(system: System, start: Array) -> Iterator[Iterate]:
    point = system(start)
    while True:
        yield Iterate(point, point.size)
        h = -1.0 * (_inverse(system, point.x) @ point.gradient)
        point = _lower(system, point, h, -2 * point.f)


def _newton_krylov(system: System, start: Array) -> Iterator[Iterate]:
    point = system(start)
    while True:
        yield Iterate(point, point.size)
        push, _ = system.products(point.x)
        # The forcing term of Dembo, Eisenstat and Steihaug gives superlinear convergence.
        solution = ud.gmres(push, -1.0 * point.gradient, tol=min(0.1, point.size**0.5))
        point = _lower(system, point, solution.value, -1e-3 * point.f)


def _broyden(system: System, start: Array) -> Iterator[Iterate]:
    """Broyden's good method on the inverse, with a fresh Jacobian where the step does not lower the residual."""
    point = system(start)
    xp = system.layout.backend.namespace(start)
    inverse, fresh = None, True
    while True:
        yield Iterate(point, point.size)
        inverse = _inverse(system, point.x) if inverse is None else inverse
        h = -1.0 * (inverse @ point.gradient)
        new = system(point.x + h)
        if not (new.finite and new.f < point.f):
            if not fresh:
                inverse, fresh = _inverse(system, point.x), True
                h = -1.0 * (inverse @ point.gradient)
            new = _lower(system, point, h, -2 * point.f)
            h = new.x - point.x
        moved = inverse @ (new.gradient - point.gradient)
        below = xp.sum(h * moved)
        if abs(read(below)[0]) > 0:
            inverse, fresh = inverse + (h - moved)[:, None] * (h @ inverse)[None, :] / below, False
        point = new


def _residual_first(system: System, start: Array, **options: Any) -> Iterator[Iterate]:
    """Levenberg-Marquardt with the residual as the measure of optimality."""
    try:
        for iterate in levenberg_marquardt(system, start, ftol=0.0, xtol=system.layout.epsilon, **options):
            yield Iterate(iterate.point, iterate.point.size, iterate.state)
            if iterate.optimality == 0:
                break
    except Stop as stop:
        if stop.status is not Status.SMALL_CHANGE:
            raise
    # A least sum of squares is no root: had it been one, its residual would have ended the iteration.
    raise Stop(Status.STALLED, "The sum of squares is stationary there, but not zero.")


def _picard(system: System, start: Array, *, mixing: float = 1.0) -> Iterator[Iterate]:
    mixing, point = positive(mixing, "mixing"), system(start)
    while True:
        yield Iterate(point, point.size)
        point = system(point.x + mixing * point.gradient)


def _anderson(system: System, start: Array, *, memory: int = 5, mixing: float = 1.0) -> Iterator[Iterate]:
    memory, mixing = positive_integer(memory, "memory"), positive(mixing, "mixing")
    point = system(start)
    xp = system.layout.backend.namespace(start)
    steps: list[Array] = []
    changes: list[Array] = []
    while True:
        yield Iterate(point, point.size)
        r = point.gradient
        move = mixing * r
        if changes:
            dr, dx = xp.stack(changes, axis=1), xp.stack(steps, axis=1)
            weights = xp.linalg.pinv(dr) @ r
            move = move - (dx + mixing * dr) @ weights
        new = system(point.x + move)
        if not new.finite and changes:
            steps, changes = [], []
            new = system(point.x + mixing * r)
        steps, changes = [*steps[1 - memory :], new.x - point.x], [*changes[1 - memory :], new.gradient - r]
        if memory == 1:
            steps, changes = steps[-1:], changes[-1:]
        point = new
