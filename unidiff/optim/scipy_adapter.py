"""SciPy's minimizers on pytrees of any library: the structure, dtypes and device of the start come back.

This is the one module of the solvers that uses SciPy, and it computes in NumPy's float64, as SciPy does.
"""

import re
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError, DTypeError, UnsupportedOperationError
from unidiff.optim.arguments import checked_callback
from unidiff.optim.constraints import bound_vectors
from unidiff.optim.driver import Callback, Progress, Rules
from unidiff.optim.names import known
from unidiff.optim.objective import Objective
from unidiff.optim.problem import Constraint, Problem
from unidiff.optim.result import Iterate, Point, Result, Status
from unidiff.optim.vector import Layout, flat

__all__ = ["NAMES", "scipy_name", "solve"]

NAMES = {
    "nelder-mead": "Nelder-Mead",
    "powell": "Powell",
    "cg": "CG",
    "bfgs": "BFGS",
    "newton-cg": "Newton-CG",
    "l-bfgs-b": "L-BFGS-B",
    "tnc": "TNC",
    "cobyla": "COBYLA",
    "cobyqa": "COBYQA",
    "slsqp": "SLSQP",
    "trust-constr": "trust-constr",
    "dogleg": "dogleg",
    "trust-ncg": "trust-ncg",
    "trust-exact": "trust-exact",
    "trust-krylov": "trust-krylov",
}
INTERIOR = {"trust-constr", "cobyla", "cobyqa"}
"""Methods whose iterates are at their bounds but approximately."""
CONSTRAINED = {"slsqp", "trust-constr", "cobyla", "cobyqa"}
BOUNDED = {*CONSTRAINED, "nelder-mead", "powell", "l-bfgs-b", "tnc"}
GRADIENT_FREE = {"nelder-mead", "powell", "cobyla", "cobyqa"}
HESSIAN = {"dogleg", "trust-exact"}
HESSIAN_PRODUCT = {"newton-cg", "trust-ncg", "trust-krylov", "trust-constr"}


def scipy_name(method: Any, ours: Mapping[str, Any]) -> str | None:
    """Return the key of one of SciPy's methods that was asked for, or None."""
    if not isinstance(method, str):
        return None
    name = method.lower()
    if name.startswith("scipy:"):
        name = name.removeprefix("scipy:")
        if name not in NAMES:
            raise ArgumentError(f"SciPy has no method {name!r:.200}; {known(name, NAMES)}.")
        return name
    return name if name in NAMES and name not in ours else None


def solve(
    objective: Objective,
    layout: Layout,
    name: str,
    problem: Problem,
    *,
    tol: float | None,
    rules: Rules,
    options: Mapping[str, Any],
    callback: Callback | None,
) -> Result:
    """Run one of SciPy's methods; the tolerance and the limit of iterations are SciPy's, the other rules are those of all."""
    try:
        optimize = import_module("scipy.optimize")
    except ImportError as error:
        raise UnsupportedOperationError(f"The method 'scipy:{name}' needs SciPy: pip install scipy.") from error
    for given, able, what in ((problem.bounds, BOUNDED, "bounds"), (problem.constraints or None, CONSTRAINED, "constraints")):
        if given is not None and name not in able:
            raise ArgumentError(f"SciPy's method {NAMES[name]} takes no {what}; those that do are {', '.join(sorted(able))}.")
    side = _Side(objective, layout, hessians=name == "trust-constr")
    # The iterates of these may be infeasible, and then lower than the solution.
    side.comparable = not problem.constraints and (problem.bounds is None or name not in INTERIOR)
    start, options = side.here(layout.start()), dict(options)
    limit = options.pop("maxiter", None) if name == "tnc" else None  # which counts evaluations alone
    settings: dict[str, Any] = {"method": NAMES[name], "tol": tol, "options": options}
    if name not in GRADIENT_FREE:
        settings["jac"] = True
    if name in HESSIAN:
        settings["hess"] = side.hessian
    if name in HESSIAN_PRODUCT:
        settings["hessp"] = side.hvp
    if problem.bounds is not None:
        lower, upper = (side.here(v) for v in bound_vectors(problem.bounds, layout))
        settings["bounds"] = optimize.Bounds(lower, upper)
        start = start.clip(lower, upper)
    if problem.constraints:
        settings["constraints"] = [side.constraint(c, optimize) for c in problem.constraints]
    watch = settings["callback"] = _Watch(side, start, rules, checked_callback(callback), limit)
    fun = side.value if name in GRADIENT_FREE else side.value_and_gradient
    try:
        with _strict(optimize, NAMES[name]), watch:
            found = optimize.minimize(fun, start, **settings)
    except _Ended as end:
        return replace(side.result(end.found, watch.nit, end.status.value, end.status), trajectory=watch.path)
    return replace(side.result(found, found.get("nit") or watch.nit), trajectory=watch.path)


@contextmanager
def _strict(optimize: Any, method: str) -> Iterator[None]:
    """Raise of options that SciPy does not know, which it warns of."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Unknown solver options", optimize.OptimizeWarning)
        try:
            yield
        except (optimize.OptimizeWarning, TypeError) as error:
            what = re.search("Unknown solver options: (.*)|^_minimize.* unexpected keyword argument (.*)", str(error))
            if what is None:
                raise
            raise ArgumentError(f"SciPy's method {method} has no option {what[1] or what[2]}.") from error


class _Ended(Exception):  # noqa: N818  # it is no error
    """Ends a run of SciPy's, whatever method it is of."""

    def __init__(self, status: Status, found: Mapping[str, Any]) -> None:
        super().__init__(status.value)
        self.status, self.found = status, found


class _Watch:
    """What is done after each iteration of SciPy's: trajectory, progress, callback and limits."""

    def __init__(self, side: "_Side", start: Any, rules: Rules, callback: Callback | None, limit: int | None) -> None:
        self.side, self.rules, self.callback, self.limit = side, rules, callback, limit
        self.path: list[Any] | None = [side.tree(start)] if rules.trajectory else None
        self.progress = Progress(rules) if rules.progress else None
        self.nit, self.began = 0, time.monotonic()

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, *error: object) -> None:
        """Leave the last line of the progress."""
        if self.progress is not None:
            self.progress.close()

    def __call__(self, intermediate_result: Any) -> None:
        """Take note of an iterate, which some methods give as a bare vector."""
        found = intermediate_result if isinstance(intermediate_result, Mapping) else {"x": intermediate_result}
        self.nit += 1
        if self.path is not None:
            self.path.append(self.side.tree(found["x"]))
        if self.progress is not None:
            self.progress.show(self.nit, self.side.iterate(found["x"]))
        if self.callback is not None:
            try:
                self.callback(self.side.result(found, self.nit, "The iteration goes on.", Status.ITERATIONS, last=False))
            except StopIteration:
                raise _Ended(Status.CALLBACK, found) from None
        if self.limit is not None and self.nit >= self.limit:
            raise _Ended(Status.ITERATIONS, found)
        if self.rules.maxtime is not None and time.monotonic() - self.began >= self.rules.maxtime:
            raise _Ended(Status.TIME, found)


class _Side:
    """The objective as SciPy sees it: functions of float64 vectors of NumPy."""

    def __init__(self, objective: Objective, layout: Layout, hessians: bool) -> None:
        self.objective, self.layout, self.hessians = objective, layout, hessians
        self.best: tuple[float, Any] = (float("inf"), None)
        self.comparable = True

    def there(self, z: Any) -> Array:
        """Return a vector of NumPy as one of the library, dtype and device of the start."""
        return self.layout.backend.asarray(z, dtype=self.layout.dtype, device=self.layout.device)

    def here(self, z: Array) -> Any:
        """Return an array as one of NumPy in float64."""
        return ud.to_numpy(z).astype("float64")

    def tree(self, z: Any) -> Tree:
        """Return a vector of NumPy in the form of the start."""
        return self.layout.copied(self.there(z))

    def point(self, z: Any) -> Point:
        """Return the point again, which is not counted."""
        counts = self.objective.nfev, self.objective.njev
        point = self.objective(self.there(z))
        self.objective.nfev, self.objective.njev = counts
        return point

    def iterate(self, z: Any) -> Iterate:
        """Return the same as an iterate."""
        point = self.point(z)
        return Iterate(point, point.size)

    def value(self, z: Any) -> float:
        f = self.objective.value(self.there(z))
        self.note(f, z)
        return f

    def value_and_gradient(self, z: Any) -> tuple[float, Any]:
        point = self.objective(self.there(z))
        self.note(point.f, z)
        return point.f, self.here(point.gradient)

    def note(self, f: float, z: Any) -> None:
        """Keep the best point that was met."""
        if -float("inf") < f < self.best[0]:
            self.best = (f, z.copy())

    def hessian(self, z: Any) -> Any:
        return self.here(self.objective.hessian(self.there(z)))

    def hvp(self, z: Any, v: Any) -> Any:
        return self.here(self.objective.hvp(self.there(z))(self.there(v)))

    def constraint(self, given: Constraint, optimize: Any) -> Any:
        """Return a constraint on pytrees as one on vectors, with its derivatives."""

        def vector(z: Array) -> Array:
            values = given.fun(self.layout.unpack(z), *given.args)
            if any(ud.get_backend(v).is_complex(v) for v in ud.tree.leaves(values)):
                raise DTypeError("Constraints are for real values, but a function of them returns complex ones.")
            return flat(values, self.layout)

        def weighted(z: Array, weights: Array) -> Array:
            values = vector(z)
            return ud.array_namespace(values).sum(values * weights)

        jacobian, hessian = ud.jacobian(vector), ud.hessian(weighted)

        def value_there(z: Any) -> Any:
            return self.here(vector(self.there(z)))

        def jacobian_there(z: Any) -> Any:
            return self.here(jacobian(self.there(z)))

        def hessian_there(z: Any, weights: Any) -> Any:
            return self.here(hessian(self.there(z), self.there(weights)))

        lower, upper = (self.here(a) if hasattr(a, "dtype") else a for a in (given.lower, given.upper))
        # SciPy warns where it makes no use of the Hessian.
        second = {"hess": hessian_there} if self.hessians else {}
        return optimize.NonlinearConstraint(value_there, lower, upper, jac=jacobian_there, **second)

    def result(
        self, found: Any, nit: int, message: str | None = None, status: Status | None = None, last: bool = True
    ) -> Result:
        """Return SciPy's result in the structure, library, dtypes and device of the start; where it failed, the best point."""
        layout, point = self.layout, self.point(found["x"])
        success = status is None and bool(found.get("success", False)) and point.finite
        lower = last and self.comparable and self.best[0] < point.f
        optimality = float(found.get("optimality", point.size))
        if not success and self.best[1] is not None and (lower or not point.finite):
            point = self.point(self.best[1])
            optimality = point.size
        if status is None:
            status = Status.CONVERGED if success else Status.SCIPY if point.finite else Status.NOT_FINITE
        x: Tree = layout.copied(point.x)
        return Result(
            x=x,
            fun=layout.backend.asarray(point.value),
            jac=layout.copied(point.gradient),
            optimality=optimality,
            nit=int(nit),
            nfev=self.objective.nfev,
            njev=self.objective.njev,
            nhev=self.objective.nhev,
            success=success,
            status=status,
            message=str(found.get("message", "")) if message is None else message,
            aux=point.aux,
            state={name: found[name] for name in ("status", "maxcv", "constr_violation", "multipliers") if name in found},
        )
