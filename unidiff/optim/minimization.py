"""`unidiff.minimize`: one door to all methods."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import unidiff as ud
from unidiff._typing import Tree
from unidiff.errors import ArgumentError
from unidiff.optim import scipy_adapter
from unidiff.optim.constraints import step_operator
from unidiff.optim.descent import first_order
from unidiff.optim.differentiable import implicit
from unidiff.optim.driver import Callback, Rules, default_tolerance, run
from unidiff.optim.methods import METHODS, Entry, choose
from unidiff.optim.objective import Objective
from unidiff.optim.optimizer import Optimizer
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
    Gradients and Hessian products come from unidiff. The solution is differentiable by `args`.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)`` returns one real array of shape (). Gradients of complex parameters are directions of steepest ascent.
    x0 : pytree of array
        Where to start: arrays of real or complex floating dtypes, or Python floats.
    args : tuple
        Further arguments; anything else than a tuple stands for a single one.
    method : str or Optimizer, optional
        "gradient-descent", "cg" (Polak-Ribière+, or Hager-Zhang with the option ``beta="hz"``), "bfgs", "l-bfgs", "l-bfgs-b",
        "newton", "newton-cg", "trust-ncg" (Steihaug), "trust-exact" (Moré-Sorensen), "natural-gradient", "projected-gradient",
        "proximal-gradient", "fista", "mirror-descent"; an optimizer such as ``unidiff.optim.Adam(0.1)``; or one of SciPy as
        "scipy:slsqp" (also plainly, where unidiff has none of the name). The default is "bfgs" up to 300
        real parameters and "l-bfgs" beyond, and for `bounds` "l-bfgs-b", for `projection` "projected-gradient",
        for `prox` "fista".
    bounds : (lower, upper), optional
        Each a number, None, or a pytree like `x0` of arrays of shapes that broadcast to those of `x0`; infinite where there
        is none.
    projection : callable, optional
        ``projection(x)`` returns the closest feasible point, such as `unidiff.optim.Simplex`.
    prox : callable, optional
        ``prox(x, step)`` returns the proximal point of a second term of the objective, such as `unidiff.optim.L1`.
    constraints
        For SciPy's methods, in SciPy's form, with functions of the pytree.
    has_aux : bool, default False
        Whether `fun` returns a pair of its value and anything else, of which the result keeps the one at the solution.
    tol : float, optional
        For the largest entry of the gradient in magnitude, or of what takes its place under constraints: the change of `x` by
        a projected or proximal gradient step of length 1, over that length. The cube root of the machine epsilon by default.
    options : dict, optional
        ``maxiter`` (1000), ``maxtime`` (seconds), ``ftol`` and ``xtol`` (0: relative changes at which to stop),
        ``trajectory`` (keep all iterates), ``progress`` (a line on the terminal; needs rich), ``jit`` (compile the gradient),
        ``classify`` (the kind of stationary point, by the eigenvalues of the Hessian), and those of the method, which its
        documentation or an error names.
    callback : callable, optional
        ``callback(intermediate_result)`` after each iteration; ``StopIteration`` ends the run.
    differentiate : {"implicit", "unrolled"}, default "implicit"
        How derivatives of ``x`` by `args` are computed: by the implicit function theorem at the solution, or through the
        iterations, which are then part of the program.

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

    Notes
    -----
    Where the objective is not finite at a trial, the trial counts as too long a step; where it is not finite at the start,
    the result says so. The default line search is that of Moré and Thuente as in SciPy, and in float32 that of Hager and
    Zhang, whose approximate Wolfe conditions do not drown in rounding errors. J. Nocedal and S. Wright, Numerical
    Optimization, 2006.

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
    args = args if isinstance(args, tuple) else (args,)
    if differentiate not in {"implicit", "unrolled"}:
        raise ArgumentError(f"differentiate must be 'implicit' or 'unrolled', but it is {differentiate!r:.200}.")
    constraint = _constraint(bounds=bounds, projection=projection, prox=prox)
    own: dict[str, Any] = (
        {constraint: {"bounds": bounds, "projection": projection, "prox": prox}[constraint]} if constraint else {}
    )
    layout = Layout(x0)
    foreign = scipy_name(method, METHODS)
    if foreign is not None:
        solve = _scipy(foreign, fun, has_aux, bounds, constraints, tol, dict(options or {}), callback)
        if constraint not in {None, "bounds"}:
            raise ArgumentError(f"SciPy's methods do not take {constraint}; those that do are of unidiff.")
    else:
        if constraints:
            raise ArgumentError("General constraints are for SciPy's methods: method='scipy:slsqp' or 'scipy:trust-constr'.")
        chosen = choose(method, constraint, layout)
        settings, common = _split(chosen, dict(options or {}))
        rules = Rules(default_tolerance(layout) if tol is None else tol, **{k: v for k, v in common.items() if k in _RULES})
        solve = _native(fun, has_aux, chosen, own | settings, rules, common, callback)
    if differentiate == "unrolled":
        return solve(x0, *args)
    if constraints:
        # The equations of a constrained solution hold its multipliers, which SciPy does not return.
        return solve(x0, *args)
    optimality = _optimality(fun, has_aux, constraint, own)
    result = implicit(solve, optimality, layout.unpack(layout.start()), args)
    if any(hasattr(x, "dtype") for x in ud.tree.leaves(args)):
        value = fun(result.x, *args)
        result = replace(result, fun=value[0] if has_aux else value)
    return result


def _native(
    fun: Callable[..., Any],
    has_aux: bool,
    chosen: Entry | Optimizer,
    own: Mapping[str, Any],
    rules: Rules,
    common: Mapping[str, Any],
    callback: Callback | None,
) -> Solve:
    def solve(start: Tree, *args: Any) -> Result:
        layout = Layout(start)
        objective = Objective(fun, layout, args, has_aux, bool(common.get("jit", False)))
        result = _solve(objective, layout, chosen, own, rules, callback)
        return replace(result, stationary=classify(objective, layout, result, rules.tol)) if common.get("classify") else result

    return solve


def _scipy(
    name: str,
    fun: Callable[..., Any],
    has_aux: bool,
    bounds: Any,
    constraints: Any,
    tol: float | None,
    options: Mapping[str, Any],
    callback: Callback | None,
) -> Solve:
    def solve(start: Tree, *args: Any) -> Result:
        layout = Layout(start)
        objective = Objective(fun, layout, args, has_aux)
        return scipy_adapter.solve(
            objective, layout, name, bounds=bounds, constraints=constraints, tol=tol, options=options, callback=callback
        )

    return solve


def _constraint(**given: Any) -> str | None:
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise ArgumentError(f"Only one of bounds, projection and prox can be given, but there are {' and '.join(named)}.")
    return named[0] if named else None


def _split(chosen: Entry | Optimizer, settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of the method and those of all methods, or raise which ones are not known."""
    known = chosen.options if isinstance(chosen, Entry) else []
    for name in settings:
        if name not in known and name not in _COMMON:
            raise ArgumentError(f"There is no option {name!r:.200}; known are {', '.join([*_COMMON, *known])}.")
    own = {name: value for name, value in settings.items() if name in known}
    return own, {name: value for name, value in settings.items() if name not in known}


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
        iterates = chosen.generator(objective, layout.start(), **chosen.fixed, **own)

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
            state=iterate.state,
        )

    best, nit, status, message, path = run(iterates, describe, layout, rules, callback)
    return replace(describe(best, nit, status, message), trajectory=path)


def _optimality(fun: Any, has_aux: bool, constraint: str | None, own: Mapping[str, Any]) -> Callable[..., Tree]:
    """Return the equation that solutions satisfy: the gradient is zero, or a projected step leads nowhere."""
    gradient = ud.grad(lambda x, *args: fun(x, *args)[0] if has_aux else fun(x, *args))
    if constraint is None:
        return gradient
    move = step_operator(constraint, own[constraint])

    def residual(x: Tree, *args: Any) -> Tree:
        moved = move(ud.tree.map(lambda a, g: a - g, x, gradient(x, *args)))
        return ud.tree.map(lambda a, c: a - c, moved, x)

    return residual
