"""`unidiff.least_squares`: Gauss-Newton and Levenberg-Marquardt."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Namespace, Tree
from unidiff.errors import ArgumentError
from unidiff.optim.driver import Callback, Rules, default_tolerance
from unidiff.optim.result import Iterate, Point, Result, Status, Stop
from unidiff.optim.system import System, solve_system
from unidiff.optim.vector import Layout, flat, read

__all__ = ["gauss_newton", "least_squares", "levenberg_marquardt"]


def least_squares(
    residuals: Callable[..., Any],
    x0: Tree,
    args: Any = (),
    method: str = "lm",
    *,
    has_aux: bool = False,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    differentiate: str = "implicit",
) -> Result:
    r"""Minimize half the sum of the squares of residuals, on any library.

    Parameters
    ----------
    residuals : callable
        ``residuals(x, *args)`` returns a pytree of arrays; of complex ones both parts count.
    x0 : pytree of array
        Where to start.
    args : tuple
        Further arguments; anything else than a tuple stands for a single one.
    method : {"lm", "gauss-newton"}
        Levenberg-Marquardt, or Gauss-Newton with backtracking.
    has_aux : bool, default False
        Whether `residuals` returns a pair of the residuals and anything else.
    tol : float, optional
        For the largest entry of the gradient :math:`J^\top r` in magnitude; the square root of the machine epsilon by default.
    options : dict, optional
        ``maxiter`` (1000), ``maxtime``, ``trajectory``, ``progress``; ``ftol`` and ``xtol``: the relative change of the sum
        of squares, predicted and actual, and of the scaled point, at which to stop (the square root of the machine epsilon
        over 2). For "lm" also ``tau`` (1e-3), the first damping in units of the largest diagonal entry of the scaled
        :math:`J^\top J`, and ``scaling``: "columns" (by the norms of the columns of J, as MINPACK does) or "none";
        ``linear``: "qr", or "cg", which forms no Jacobian.
    callback : callable, optional
        ``callback(intermediate_result)`` after each iteration; ``StopIteration`` ends the run.
    differentiate : {"implicit", "unrolled"}, default "implicit"
        As for `unidiff.minimize`.

    Returns
    -------
    Result
        ``fun`` are the residuals at the solution, ``jac`` is the gradient of half the sum of squares.

    Raises
    ------
    unidiff.errors.UnidiffError
        As `unidiff.minimize`.

    Notes
    -----
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
    """
    args = args if isinstance(args, tuple) else (args,)
    methods: dict[str, tuple[Callable[..., Iterator[Iterate]], tuple[str, ...]]] = {
        "lm": (levenberg_marquardt, ("tau", "scaling", "linear", "ftol", "xtol")),
        "gauss-newton": (gauss_newton, ("ftol", "xtol")),
    }
    key = method.lower() if isinstance(method, str) else method
    if key not in methods:
        raise ArgumentError(f"No method of least_squares is called {method!r:.200}; known are {', '.join(methods)}.")
    generator, names = methods[key]
    layout = Layout(x0)
    rules, own = split_options(options, names, lambda: default_tolerance(layout) ** 1.5, tol)

    def cost_gradient(x: Tree, *parameters: Any) -> Tree:
        def cost(y: Tree) -> Array:
            out = residuals(y, *parameters)
            r = flat(out[0] if has_aux else out, layout)
            return 0.5 * ud.array_namespace(r).sum(r * r)

        return ud.grad(cost)(x)

    return solve_system(
        generator, lambda layout, p: System(residuals, layout, p, has_aux), cost_gradient, x0, args, rules, own, callback,
        differentiate,
    )  # fmt: skip


def split_options(
    options: Mapping[str, Any] | None, names: tuple[str, ...], default: Callable[[], float], tol: float | None
) -> tuple[Rules, dict[str, Any]]:
    """Return the stopping rules and the options of the method, or raise which ones are not known."""
    common = ("maxiter", "maxtime", "trajectory", "progress")
    given = dict(options or {})
    for name in given:
        if name not in common and name not in names:
            raise ArgumentError(f"There is no option {name!r:.200}; known are {', '.join([*common, *names])}.")
    rules = Rules(default() if tol is None else tol, **{k: v for k, v in given.items() if k in common})
    return rules, {k: v for k, v in given.items() if k in names}


def levenberg_marquardt(
    system: System,
    start: Array,
    *,
    tau: float = 1e-3,
    scaling: str = "columns",
    linear: str = "qr",
    ftol: float | None = None,
    xtol: float | None = None,
) -> Iterator[Iterate]:
    """Yield the iterates; rejected steps repeat the point."""
    if scaling not in {"columns", "none"} or linear not in {"qr", "cg"}:
        raise ArgumentError(
            f"scaling must be 'columns' or 'none' and linear 'qr' or 'cg', but they are {scaling!r} and {linear!r}."
        )
    if linear == "cg":
        scaling = "none"
    small = 0.5 * system.layout.epsilon**0.5
    ftol, xtol = small if ftol is None else ftol, small if xtol is None else xtol
    point = system(start)
    model = _Model(system, point, scaling, linear, None)
    mu, growth = tau * model.largest, 2.0
    while True:
        yield Iterate(point, model.size, {"jacobian": model.jacobian, "gradient": model.gradient, "damping": mu})
        h = model.step(mu)
        new = system(point.x + h)
        predicted, change, length = model.judge(h, mu)
        actual = point.f - new.f if new.finite else -float("inf")
        accepted = predicted > 0 and actual > 0
        relative = max(abs(actual), predicted) / point.f if point.f else 0.0
        if accepted:
            ratio = actual / predicted
            mu, growth = mu * max(1 / 3, 1 - (2 * ratio - 1) ** 3), 2.0
            point = new
            model = _Model(system, point, scaling, linear, model)
        else:
            mu, growth = mu * growth, 2 * growth
        if change <= xtol * length or relative <= ftol:
            if model.size > 0 and accepted:
                yield Iterate(point, model.size, {"jacobian": model.jacobian, "gradient": model.gradient, "damping": mu})
            raise Stop(Status.SMALL_CHANGE)
        if not mu < float("inf"):
            raise Stop(Status.STALLED)


class _Model:
    """The linear model of the residuals at a point, with the scale of the unknowns."""

    def __init__(self, system: System, point: Point, scaling: str, linear: str, before: "_Model | None") -> None:
        layout = system.layout
        self.xp: Namespace = layout.backend.namespace(point.x)
        xp, self.point, self.linear, self.epsilon = self.xp, point, linear, layout.epsilon
        self.scale, self.identity = xp.ones_like(point.x), layout.identity()
        self.jacobian = None
        if linear == "cg":
            self.push, self.pull = system.products(point.x)
            self.gradient = self.pull(point.gradient)
            image = self.push(self.gradient)
            square, size, top = read(xp.sum(image * image), xp.max(xp.abs(self.gradient)), xp.sum(self.gradient**2))
            self.largest, self.size = (square / top if top else 1.0), size
            return
        j = self.jacobian = system.jacobian(point.x)
        self.push = lambda h: j @ h
        self.gradient = j.mT @ point.gradient
        squares = xp.sum(j * j, axis=0)
        if scaling == "columns":
            norms = xp.sqrt(squares)
            norms = xp.maximum(norms, before.scale) if before is not None else xp.where(norms > 0, norms, xp.ones_like(norms))
            self.scale = norms
        self.largest, self.size = read(xp.max(squares / self.scale**2), xp.max(xp.abs(self.gradient)))

    def step(self, mu: float) -> Array:
        """Return the step for a damping."""
        xp, root = self.xp, mu**0.5
        if self.linear == "cg":
            return -1.0 * ud.cg(lambda v: self.pull(self.push(v)) + mu * v, self.gradient, tol=self.epsilon**0.5).value
        eye = self.identity
        # The unknowns are the scaled ones, so that the triangle is as well conditioned as can be.
        matrix = xp.concat([self.jacobian / self.scale[None, :], root * eye])
        q, r = xp.linalg.qr(matrix)
        right = q.mT @ xp.concat([self.point.gradient, xp.zeros_like(self.scale)])
        return -1.0 * xp.linalg.solve(r, right[:, None])[:, 0] / self.scale

    def judge(self, h: Array, mu: float) -> tuple[float, float, float]:
        """Return the predicted decrease, and the lengths of the step and of the point, in the scale."""
        xp, image = self.xp, self.push(h)
        scaled = self.scale * h
        place = self.scale * self.point.x
        half, step, length = read(xp.sum(image * image), xp.sum(scaled * scaled), xp.sum(place * place))
        return 0.5 * half + mu * step, step**0.5, length**0.5


def gauss_newton(system: System, start: Array, *, ftol: float | None = None, xtol: float | None = None) -> Iterator[Iterate]:
    """Yield the iterates of ``x - alpha J^+ r`` with backtracking; J^+ is the pseudo-inverse."""
    layout = system.layout
    small = 0.5 * layout.epsilon**0.5
    ftol, xtol = small if ftol is None else ftol, small if xtol is None else xtol
    point = system(start)
    while True:
        j = system.jacobian(point.x)
        xp = layout.backend.namespace(point.x)
        gradient = j.mT @ point.gradient
        (size,) = read(xp.max(xp.abs(gradient)))
        yield Iterate(point, size, {"jacobian": j, "gradient": gradient})
        h = -1.0 * (xp.linalg.pinv(j) @ point.gradient)
        slope, step, length = read(xp.sum(gradient * h), xp.sum(h * h), xp.sum(point.x * point.x))
        if not slope < 0:
            raise Stop(Status.NOT_DESCENT)
        new = backtrack(system, point, h, slope)
        relative = (point.f - new.f) / point.f
        point = new
        if step <= xtol * xtol * length or (relative <= ftol and -0.5 * slope <= ftol * point.f):
            yield Iterate(point, size, {"jacobian": j, "gradient": gradient})
            raise Stop(Status.SMALL_CHANGE)


def backtrack(system: System, point: Point, h: Array, slope: float) -> Point:
    """Return a point along a direction where the sum of squares is lower by Armijo's rule."""
    alpha = 1.0
    for _ in range(60):
        new = system(point.x + alpha * h)
        if new.finite and new.f <= point.f + 1e-4 * alpha * slope:
            return new
        alpha *= 0.5
    raise Stop(Status.LINE_SEARCH)
