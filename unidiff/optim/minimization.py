"""`unidiff.minimize`: one door to all methods."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any

from unidiff._typing import Tree
from unidiff.errors import ArgumentError
from unidiff.optim import scipy_adapter
from unidiff.optim.arguments import checked_options
from unidiff.optim.conditions import minimum
from unidiff.optim.constraints import sides
from unidiff.optim.descent import first_order
from unidiff.optim.differentiable import implicit
from unidiff.optim.driver import Callback, Rules, default_tolerance, run
from unidiff.optim.methods import METHODS, Entry, choose
from unidiff.optim.names import known
from unidiff.optim.objective import Objective
from unidiff.optim.optimizer import Optimizer
from unidiff.optim.problem import Problem, constraint_list
from unidiff.optim.result import Iterate, Result, Status
from unidiff.optim.scipy_adapter import scipy_name
from unidiff.optim.stationary import classify
from unidiff.optim.vector import Layout

__all__ = ["minimize"]

_RULES = tuple(f.name for f in fields(Rules) if f.name != "tol")
_COMMON = (*_RULES, "jit", "classify")
Solve = Callable[..., Result]


def minimize(
    fun: Callable[..., Any],
    x0: Tree,
    args: Any = (),
    method: Any = None,
    *,
    bounds: Any = None,
    projection: Callable[[Tree], Tree] | None = None,
    prox: Callable[[Tree, Any], Tree] | None = None,
    constraints: Any = (),
    has_aux: bool = False,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    differentiate: str = "implicit",
) -> Result:
    r"""Minimize a function of a pytree of arrays of any library.

    The computation stays on the library and device of `x0`; one handful of numbers goes to the host for each evaluation.
    Gradients and Hessian products come from unidiff. The solution is differentiable by `args`, `bounds`, the arguments of
    `constraints`, and what `functools.partial` binds to one of the functions.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)`` returns one real array of shape (). Gradients of complex parameters are directions of steepest ascent.
    x0 : pytree of array
        Where to start: arrays of real or complex floating dtypes, or Python floats.
    args : tuple
        Further arguments; anything else than a tuple stands for a single one.
    method : str, Optimizer or callable, optional
        "gradient-descent", "cg" (Polak-Ribière+, or Hager-Zhang with the option ``beta="hz"``), "bfgs", "l-bfgs", "l-bfgs-b",
        "newton", "newton-cg", "trust-ncg" (Steihaug), "trust-exact" (Moré-Sorensen), "natural-gradient", "projected-gradient",
        "proximal-gradient", "fista", "mirror-descent"; an optimizer such as ``unidiff.optim.Adam(0.1)``; one of SciPy as
        "scipy:slsqp" (also plainly, where unidiff has none of the name); or a method of your own, see Notes. The default is
        "bfgs" up to 300 real parameters and "l-bfgs" beyond, and for `bounds` "l-bfgs-b", for `projection`
        "projected-gradient", for `prox` "fista", and for `constraints` SciPy's "slsqp".
    bounds : (lower, upper), optional
        Each a number, None, or a pytree like `x0` of arrays of shapes that broadcast to those of `x0`; infinite where there
        is none. ``scipy.optimize.Bounds`` is taken too, and for one vector a list of tuples ``(low, high)``.
    projection : callable, optional
        ``projection(x)`` returns the closest feasible point, such as `unidiff.optim.projections.simplex`.
    prox : callable, optional
        ``prox(x, step)`` returns the proximal point of a second term of the objective, such as `unidiff.optim.proximal.l1`.
    constraints
        For SciPy's methods, in SciPy's form, with functions of the pytree: dicts, ``scipy.optimize.NonlinearConstraint``, or
        ``LinearConstraint`` for the vector of all entries. Derivatives are computed, whatever these say of them.
    has_aux : bool, default False
        Whether `fun` returns a pair of its value and anything else, of which the result keeps the one at the solution.
    tol : float, optional
        For the largest entry of the gradient in magnitude, or of what takes its place: the change of `x` by a projected
        gradient step of length 1, or by the last proximal gradient step, over its length. The cube root of the machine epsilon
        by default.
    options : dict, optional
        ``maxiter`` (1000), ``maxtime`` (seconds), ``ftol`` and ``xtol`` (0: relative changes at which to stop),
        ``trajectory`` (keep all iterates), ``progress`` (a line on the terminal; needs rich), ``jit`` (compile the derivatives,
        see Notes), ``classify`` (the kind of stationary point, by the eigenvalues of the Hessian; within bounds, by those of
        the variables that are not held at theirs), and those of the method, which its documentation or an error names. SciPy's
        methods take ``maxiter``, ``ftol`` and ``xtol`` with their own meanings.
    callback : callable, optional
        ``callback(intermediate_result)`` after each iteration, with a `Result`; ``StopIteration`` ends the run.
    differentiate : {"implicit", "unrolled"}, default "implicit"
        How derivatives of ``x``, ``fun``, ``jac`` and ``aux`` are computed: by the implicit function theorem at the solution,
        or through the iterations, which are then part of the program, with their step lengths as constants. Under bounds
        and constraints the theorem holds for those that are active, with multipliers that are not zero; where it does not
        hold since the equations are singular, the derivative is NaN. Under constraints, and for methods of SciPy that stay
        within the bounds, Newton's method solves these equations to the end first (up to 128 of them), so that the derivative
        is that of the exact solution, which `x` may be less close to.

    Returns
    -------
    Result

    Raises
    ------
    unidiff.errors.ArgumentError
        If the method or an option is not known, bounds are infeasible, or the method does not take the constraint.
    unidiff.errors.DTypeError, unidiff.errors.MixedBackendsError, unidiff.errors.MixedDevicesError
        If `x0` has leaves that are no floating arrays of one library and device.
    unidiff.errors.NonScalarOutputError
        If `fun` returns something else than one real number.
    unidiff.errors.NotDifferentiableError
        If a derivative is taken where an active bound or constraint has a multiplier of zero, which is a kink.

    Notes
    -----
    Where the objective is not finite at a trial, the trial counts as too long a step; where it is not finite at the start,
    the result says so. The default line search is that of Moré and Thuente as in SciPy, and in float32 that of Hager and
    Zhang, whose approximate Wolfe conditions do not drown in rounding errors. J. Nocedal and S. Wright, Numerical
    Optimization, 2006.

    With ``jit`` gradients, Hessians and products with them are those of `unidiff.jit`, with the same bits where unidiff's
    engine compiles them, as on NumPy. There the programs are kept with `fun` if it is a plain function, as an attribute of it,
    and the next call with the same function, at any point and with any arguments of the same shapes, compiles nothing. What has
    changed around the function since then is seen, as `unidiff.jit` says. On JAX each call compiles.

    A method of your own is a generator function ``method(objective, start, *, ...)``, whose keyword-only parameters are its
    options. `start` and all points are vectors, whatever the structure of `x0`; ``objective(x)`` is a `unidiff.optim.Point`
    with value and gradient. It yields the point of each iteration, from the start on; stopping rules, callback, trajectory, the
    best point and the derivatives of the solution are those of all methods.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> def rosenbrock(p, b):
    ...     return b * (p["y"] - p["x"] ** 2) ** 2 + (1 - p["x"]) ** 2
    >>> result = ud.minimize(rosenbrock, {"x": np.asarray(-1.2), "y": np.asarray(1.0)}, args=100.0, tol=1e-8)
    >>> round(float(result.x["x"]), 6), result.success
    (1.0, True)
    >>> nearest = lambda c: ud.minimize(lambda x, c: ((x - c) ** 2).sum() + (x**2).sum(), np.zeros(2), args=c).x
    >>> ud.jacobian(nearest)(np.asarray([1.0, 2.0])).round(6)
    array([[0.5, 0. ],
           [0. , 0.5]])
    """
    if differentiate not in {"implicit", "unrolled"}:
        raise ArgumentError(f"differentiate must be 'implicit' or 'unrolled', but it is {differentiate!r:.200}.")
    restriction = _restriction(bounds=bounds, projection=projection, prox=prox)
    options = checked_options(options)
    args = args if isinstance(args, tuple) else (args,)
    layout = Layout(x0)
    problem = Problem(fun, args, has_aux, sides(bounds, layout), projection, prox, constraint_list(constraints))
    foreign = scipy_name("scipy:slsqp" if method is None and problem.constraints else method, METHODS)
    if foreign is not None:
        if restriction not in {None, "bounds"}:
            raise ArgumentError(f"SciPy's methods do not take {restriction}; those that do are of unidiff.")
        if differentiate == "unrolled":
            raise ArgumentError("The iterations of SciPy's methods have no derivatives: differentiate='implicit' has.")
        solve = _scipy(foreign, tol, layout, options, callback)
    else:
        if problem.constraints:
            raise ArgumentError("General constraints are for SciPy's methods: method='scipy:slsqp' or 'scipy:trust-constr'.")
        chosen = choose(method, restriction, layout)
        own, common = _split(chosen, options)
        rules = Rules(default_tolerance(layout) if tol is None else tol, **{k: v for k, v in common.items() if k in _RULES})
        solve = _native(chosen, own, rules, common, callback, differentiate == "unrolled")
    if differentiate == "unrolled":
        return solve(x0, problem)
    kind = {"exact": foreign not in scipy_adapter.INTERIOR, "on_simplex": method == "mirror-descent"}
    return implicit(solve, partial(minimum, **kind), layout.unpack(layout.start()), problem)


def _native(
    chosen: Entry | Optimizer,
    own: Mapping[str, Any],
    rules: Rules,
    common: Mapping[str, Any],
    callback: Callback | None,
    unrolled: bool,
) -> Solve:
    def solve(start: Tree, problem: Problem) -> Result:
        layout = Layout(start)
        jit = bool(common.get("jit", False))
        objective = Objective(problem.fun, layout, problem.args, problem.has_aux, jit=jit, recorded=unrolled)
        if layout.dimension == 0:
            return _solve(objective, layout, METHODS["gradient-descent"], {}, rules, callback)
        name = problem.restriction
        given = {name: getattr(problem, name)} if name is not None else {}
        result = _solve(objective, layout, chosen, {**given, **own}, rules, callback)
        if not common.get("classify"):
            return result
        return replace(result, stationary=classify(objective, layout, result, rules.tol, bounded=name == "bounds"))

    return solve


def _scipy(name: str, tol: float | None, layout: Layout, options: Mapping[str, Any], callback: Callback | None) -> Solve:
    ours = {k: v for k, v in options.items() if k in {"maxtime", "trajectory", "progress", "jit", "classify"}}
    rules = Rules(default_tolerance(layout) if tol is None else tol, **{k: v for k, v in ours.items() if k in _RULES})
    theirs = {k: v for k, v in options.items() if k not in ours}

    def solve(start: Tree, problem: Problem) -> Result:
        layout = Layout(start)
        objective = Objective(problem.fun, layout, problem.args, problem.has_aux, jit=bool(ours.get("jit", False)))
        found = scipy_adapter.solve(objective, layout, name, problem, tol=tol, rules=rules, options=theirs, callback=callback)
        if not ours.get("classify"):
            return found
        return replace(found, stationary=classify(objective, layout, found, rules.tol, bounded=problem.bounds is not None))

    return solve


def _restriction(**given: Any) -> str | None:
    named = [name for name, value in given.items() if value is not None]
    for name in named:
        if name != "bounds" and not callable(given[name]):
            raise ArgumentError(f"{name} must be a function, but it is {given[name]!r:.200}.")
    if len(named) > 1:
        raise ArgumentError(f"Only one of bounds, projection and prox can be given, but there are {' and '.join(named)}.")
    return named[0] if named else None


def _split(chosen: Entry | Optimizer, settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of the method and those of all methods, or raise which ones are not known."""
    names = chosen.options if isinstance(chosen, Entry) else []
    for name in settings:
        if name not in names and name not in _COMMON:
            raise ArgumentError(f"There is no option {name!r:.200}; {known(name, [*_COMMON, *names])}.")
    own = {name: value for name, value in settings.items() if name in names}
    return own, {name: value for name, value in settings.items() if name not in names}


def _solve(
    objective: Objective,
    layout: Layout,
    chosen: Entry | Optimizer,
    own: Mapping[str, Any],
    rules: Rules,
    callback: Callback | None,
) -> Result:
    if isinstance(chosen, Optimizer):
        iterates = first_order(objective, layout.start(), optimizer=chosen)
    else:
        iterates = chosen.iterates(objective, layout.start(), own)

    def describe(iterate: Iterate, nit: int, status: Status = Status.ITERATIONS, message: str = "") -> Result:
        point, b = iterate.point, layout.backend
        return Result(
            x=layout.copied(point.x),
            fun=b.asarray(point.value),
            jac=layout.copied(point.gradient),
            optimality=iterate.optimality,
            nit=nit,
            nfev=objective.nfev,
            njev=objective.njev,
            nhev=objective.nhev,
            success=status in {Status.CONVERGED, Status.SMALL_CHANGE},
            status=status,
            message=message or "The iteration goes on.",
            aux=point.aux,
            state=dict(iterate.state() if callable(iterate.state) else iterate.state),
        )

    best, nit, status, message, path = run(iterates, describe, layout, rules, callback)
    return replace(describe(best, nit, status, message), trajectory=path)
