"""`unidiff.least_squares`: sums of squares, under bounds and with robust losses too."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError
from unidiff.optim.arguments import checked_options
from unidiff.optim.conditions import minimum
from unidiff.optim.constraints import bound_leaves, bound_vectors, sides
from unidiff.optim.differentiable import Conditions
from unidiff.optim.driver import Callback, Rules, default_tolerance
from unidiff.optim.gauss_newton import gauss_newton, levenberg_marquardt
from unidiff.optim.losses import Loss
from unidiff.optim.names import known
from unidiff.optim.problem import Problem
from unidiff.optim.result import Iterate, LeastSquaresResult, Result
from unidiff.optim.system import System, solve_system
from unidiff.optim.trust_region_reflective import trust_region_reflective
from unidiff.optim.vector import Layout, flat

__all__ = ["least_squares", "split_options"]


def least_squares(
    residuals: Callable[..., Any],
    x0: Tree,
    args: Any = (),
    method: str | None = None,
    *,
    bounds: Any = None,
    loss: str | Callable[[Array], Array] = "linear",
    f_scale: float = 1.0,
    x_scale: Any = None,
    has_aux: bool = False,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    differentiate: str = "implicit",
) -> LeastSquaresResult:
    r"""Minimize half the sum of the squares of residuals, or of a loss of them, on any library.

    Parameters
    ----------
    residuals : callable
        ``residuals(x, *args)`` returns a pytree of arrays; of complex ones both parts count.
    x0 : pytree of array
        Where to start.
    args : tuple
        Further arguments; anything else than a tuple stands for a single one.
    method : {"lm", "trf", "gauss-newton"}, optional
        Levenberg-Marquardt; the trust-region reflective method, which alone takes bounds and losses, and is the default where
        there are any; or Gauss-Newton with backtracking.
    bounds : (lower, upper), optional
        As for `unidiff.minimize`; all iterates are inside.
    loss : {"linear", "huber", "soft_l1", "cauchy", "arctan"} or callable
        What the squares of the residuals count for; a function acts entry by entry, and is differentiated twice.
    f_scale : float, default 1.0
        c below: the size of residuals beyond which the loss grows slower than the square.
    x_scale : number, array, pytree like `x0` or "jac", optional
        For "trf" the unit of each unknown, 1 by default; "jac" takes the reciprocals of the norms of the columns of J.
    has_aux : bool, default False
        Whether `residuals` returns a pair of the residuals and anything else.
    tol : float, optional
        For the largest entry of the gradient :math:`J^\top r` in magnitude, for "trf" times the distance from the bound that it
        leads to; the square root of the machine epsilon by default.
    options : dict, optional
        ``maxiter`` (1000), ``maxtime``, ``trajectory``, ``progress``, ``jit`` (compile residuals and Jacobian, as for
        `unidiff.minimize`); ``ftol`` and ``xtol``: the relative change of the sum of squares, predicted and actual, and of the
        scaled point, at which to stop (the square root of the machine epsilon over 2). For "lm" also ``tau`` (1e-3), the first
        damping in units of the largest diagonal entry of the scaled :math:`J^\top J`, and ``scaling``: "columns" (by the norms
        of the columns of J, as MINPACK does) or "none"; ``linear``: "qr", or "cg", which forms no Jacobian.
    callback : callable, optional
        ``callback(intermediate_result)`` after each iteration; ``StopIteration`` ends the run.
    differentiate : {"implicit", "unrolled"}, default "implicit"
        As for `unidiff.minimize`.

    Returns
    -------
    LeastSquaresResult
        ``fun`` are the residuals at the solution, ``cost`` what is minimized, and ``jac`` its gradient.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `unidiff.minimize`.

    Notes
    -----
    The cost is :math:`\frac{c^2}{2} \sum_i \rho(r_i^2 / c^2)`, where :math:`\rho` is the loss: "linear" is :math:`z`,
    "soft_l1" :math:`2 (\sqrt{1 + z} - 1)`, "huber" z up to 1 and :math:`2 \sqrt z - 1` beyond, "cauchy" :math:`\log(1 + z)`,
    and "arctan" :math:`\arctan z`.

    Levenberg-Marquardt solves :math:`(J^\top J + \mu D^2) h = -J^\top r` by the QR factorization of J over :math:`\sqrt\mu
    D`, and changes the damping as K. Madsen, H. Nielsen and O. Tingleff, Methods for Non-Linear Least Squares Problems, 2004,
    algorithm 3.16. A rejected step is an iteration. The scaling is that of J. Moré, The Levenberg-Marquardt algorithm, 1978.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> t = np.linspace(0.0, 1.0, 5)
    >>> y = 2.0 * np.exp(-3.0 * t)
    >>> result = ud.least_squares(lambda x, y: x[0] * np.exp(x[1] * t) - y, np.asarray([1.0, 0.0]), args=y)
    >>> result.x.round(6), result.success
    (array([ 2., -3.]), True)

    With a bound, and an outlier that the loss ignores:

    >>> y = np.where(t == 0.5, 9.0, y)
    >>> bounds = (None, [1.9, 0.0])
    >>> result = ud.least_squares(
    ...     lambda x: x[0] * np.exp(x[1] * t) - y, np.asarray([1.0, -1.0]), bounds=bounds, loss="cauchy", f_scale=0.1
    ... )
    >>> result.x.round(2), result.active_mask
    (array([ 1.9 , -2.85]), array([1, 0]))
    """
    args = args if isinstance(args, tuple) else (args,)
    layout = Layout(x0)
    bounds, measure = sides(bounds, layout), Loss(loss, f_scale)
    restricted = bounds is not None or measure.rho is not None or x_scale is not None
    key = ("trf" if restricted else "lm") if method is None else str(method).lower()
    if key not in _METHODS:
        raise ArgumentError(f"No method of least_squares is called {method!r:.200}; {known(method, _METHODS)}.")
    if restricted and key != "trf":
        raise ArgumentError(f"The method {key!r} takes no bounds, loss or x_scale; 'trf' does.")
    generator, names = _METHODS[key]
    rules, own = split_options(options, (*names, "jit"), lambda: default_tolerance(layout) ** 1.5, tol)
    if key == "trf":
        own |= {"loss": measure, "x_scale": _units(x_scale, layout)}
    if differentiate == "unrolled" and key == "trf":
        raise ArgumentError("The iterations of 'trf' have no derivatives: differentiate='implicit' has.")

    def system(layout: Layout, given: Problem) -> System:
        if given.bounds is not None:
            own["bounds"] = given.bounds
        return System(given.fun, layout, given.args, has_aux)

    problem = Problem(residuals, args, has_aux, bounds)
    found = solve_system(generator, system, partial(_Fit, measure), x0, problem, rules, own, callback, differentiate)
    return _described(found, measure, bounds)


_METHODS: dict[str, tuple[Callable[..., Iterator[Iterate]], tuple[str, ...]]] = {
    "lm": (levenberg_marquardt, ("tau", "scaling", "linear", "ftol", "xtol")),
    "trf": (trust_region_reflective, ("ftol", "xtol")),
    "gauss-newton": (gauss_newton, ("ftol", "xtol")),
}


class _Fit:
    """The conditions of a least cost; `value` are the residuals."""

    def __init__(self, loss: Loss, problem: Problem, result: Result) -> None:
        self.loss = loss
        self.inner: Conditions = minimum(self.cost(problem), result, exact=False)

    def cost(self, problem: Problem) -> Problem:
        """Return the problem with the cost for the residuals."""

        def cost(x: Tree, *args: Any) -> Array:
            out = problem.fun(x, *args)
            return self.loss.cost(flat(out[0] if problem.has_aux else out, Layout(x)))

        return replace(problem, fun=cost, has_aux=False)

    @property
    def unknowns(self) -> Tree:
        """The solution."""
        return self.inner.unknowns

    def solution(self, unknowns: Tree) -> Tree:
        """Return the solution."""
        return self.inner.solution(unknowns)

    def value(self, problem: Problem, x: Tree) -> Any:
        """Return the residuals."""
        return problem.value(x)

    def gradient(self, problem: Problem, x: Tree) -> Tree:
        """Return the gradient of the cost."""
        return self.inner.gradient(self.cost(problem), x)

    def residual(self, problem: Problem, unknowns: Tree) -> Tree:
        """Return what is zero where the cost is least."""
        return self.inner.residual(self.cost(problem), unknowns)

    def sharpened(self, problem: Problem) -> "_Fit":
        """Return the conditions with derivatives at their root."""
        self.inner = self.inner.sharpened(self.cost(problem))
        return self


def _units(x_scale: Any, layout: Layout) -> Any:
    """Return the units of the unknowns, or raise what is wrong with them."""
    if x_scale is None or (isinstance(x_scale, str) and x_scale == "jac"):
        return 1.0 if x_scale is None else x_scale
    if isinstance(x_scale, str):
        raise ArgumentError(f"x_scale must be numbers or 'jac', but it is {x_scale!r:.200}.")
    units = layout._join(bound_leaves((x_scale, None), layout.leaves, layout.spec, "units")[0])
    values = ud.to_numpy(units).tolist()
    if not all(0 < a < float("inf") for a in values):
        raise ArgumentError("x_scale must be positive and finite in all places.")
    return x_scale


def _described(found: Result, loss: Loss, bounds: Any) -> LeastSquaresResult:
    """Return the result with the cost and which bounds are active."""
    layout = Layout(found.x)
    mask = None
    if bounds is not None:
        z = layout.pack(found.x, "x")
        xp, (lower, upper) = ud.array_namespace(z), bound_vectors(bounds, layout)
        close = 1e-8 if layout.epsilon < 1e-10 else layout.epsilon**0.5
        unit = [close * xp.maximum(xp.ones_like(z), xp.abs(xp.where(xp.isfinite(b), b, 0 * z))) for b in (lower, upper)]
        at = [xp.astype(near, z.dtype) for near in (z - lower <= unit[0], upper - z <= unit[1])]
        mask = ud.tree.map(lambda a: ud.array_namespace(a).astype(a, xp.int64), layout.unpack(at[1] - at[0]))
    values = {f.name: getattr(found, f.name) for f in fields(found)}
    return LeastSquaresResult(**values, cost=loss.cost(flat(found.fun, layout)), active_mask=mask)


def split_options(
    options: Mapping[str, Any] | None, names: tuple[str, ...], default: Callable[[], float], tol: float | None
) -> tuple[Rules, dict[str, Any]]:
    """Return the stopping rules and the options of the method, or raise which ones are not known."""
    common = ("maxiter", "maxtime", "trajectory", "progress")
    given = checked_options(options)
    for name in given:
        if name not in common and name not in names:
            raise ArgumentError(f"There is no option {name!r:.200}; {known(name, [*common, *names])}.")
    rules = Rules(default() if tol is None else tol, **{k: v for k, v in given.items() if k in common})
    return rules, {k: v for k, v in given.items() if k in names}
