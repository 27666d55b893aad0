"""SciPy's minimizers on pytrees of any library: the structure, dtypes and device of the start come back.

This is the one module of the solvers that uses SciPy, and it computes in NumPy's float64, as SciPy does.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError, UnsupportedOperationError
from unidiff.optim.constraints import bound_vectors
from unidiff.optim.driver import Callback
from unidiff.optim.names import known
from unidiff.optim.objective import Objective
from unidiff.optim.problem import Constraint, Problem
from unidiff.optim.result import Result, Status
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
    options: Mapping[str, Any],
    callback: Callback | None,
) -> Result:
    """Run one of SciPy's methods."""
    try:
        optimize = import_module("scipy.optimize")
    except ImportError as error:
        raise UnsupportedOperationError(f"The method 'scipy:{name}' needs SciPy: pip install scipy.") from error
    for given, able, what in ((problem.bounds, BOUNDED, "bounds"), (problem.constraints or None, CONSTRAINED, "constraints")):
        if given is not None and name not in able:
            raise ArgumentError(f"SciPy's method {NAMES[name]} takes no {what}; those that do are {', '.join(sorted(able))}.")
    side = _Side(objective, layout, hessians=name == "trust-constr")
    settings: dict[str, Any] = {"method": NAMES[name], "tol": tol, "options": dict(options)}
    if name not in GRADIENT_FREE:
        settings["jac"] = True
    if name in HESSIAN:
        settings["hess"] = side.hessian
    if name in HESSIAN_PRODUCT:
        settings["hessp"] = side.hvp
    if problem.bounds is not None:
        lower, upper = (side.here(v) for v in bound_vectors(problem.bounds, layout))
        settings["bounds"] = optimize.Bounds(lower, upper)
    if problem.constraints:
        settings["constraints"] = [side.constraint(c, optimize) for c in problem.constraints]
    if callback is not None:
        settings["callback"] = side.callback(callback)
    fun = side.value if name in GRADIENT_FREE else side.value_and_gradient
    found = optimize.minimize(fun, ud.to_numpy(layout.start()).astype("float64"), **settings)
    return side.result(found)


class _Side:
    """The objective as SciPy sees it: functions of float64 vectors of NumPy."""

    def __init__(self, objective: Objective, layout: Layout, hessians: bool) -> None:
        self.objective, self.layout, self.hessians = objective, layout, hessians
        self.best: tuple[float, Any] = (float("inf"), None)

    def there(self, z: Any) -> Array:
        """Return a vector of NumPy as one of the library, dtype and device of the start."""
        return self.layout.backend.asarray(z, dtype=self.layout.dtype, device=self.layout.device)

    def here(self, z: Array) -> Any:
        """Return an array as one of NumPy in float64."""
        return ud.to_numpy(z).astype("float64")

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
            return flat(given.fun(self.layout.unpack(z), *given.args), self.layout)

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

    def callback(self, callback: Callback) -> Callable[..., Any]:
        count = [0]

        def call(intermediate_result: Any) -> None:
            count[0] += 1
            callback(self.result(intermediate_result, count[0], "The iteration goes on."))

        return call

    def result(self, found: Any, nit: int | None = None, message: str | None = None) -> Result:
        """Return SciPy's result in the structure, library, dtypes and device of the start."""
        layout = self.layout
        point = self.objective(self.there(found.x))
        if not point.finite and self.best[1] is not None:
            point = self.objective(self.there(self.best[1]))
            found["success"] = False
            self.objective.nfev, self.objective.njev = self.objective.nfev - 1, self.objective.njev - 1
        self.objective.nfev, self.objective.njev = self.objective.nfev - 1, self.objective.njev - 1
        success = bool(found.get("success", False)) and point.finite
        x: Tree = layout.copied(point.x)
        return Result(
            x=x,
            fun=layout.backend.asarray(point.value),
            jac=layout.copied(point.gradient),
            optimality=float(found.get("optimality", point.size)),
            nit=int(found.get("nit", 0)) if nit is None else nit,
            nfev=self.objective.nfev,
            njev=self.objective.njev,
            nhev=self.objective.nhev,
            success=success,
            status=Status.CONVERGED if success else Status.NOT_FINITE if not point.finite else Status.SCIPY,
            message=str(found.get("message", "")) if message is None else message,
            aux=point.aux,
            state={name: found[name] for name in ("status", "maxcv", "constr_violation", "multipliers") if name in found},
        )
