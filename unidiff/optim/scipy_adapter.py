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
from unidiff.optim.objective import Objective
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
            raise ArgumentError(f"SciPy has no method {name!r:.200}; known are {', '.join(NAMES)}.")
        return name
    return name if name in NAMES and name not in ours else None


def solve(
    objective: Objective,
    layout: Layout,
    name: str,
    *,
    bounds: Any,
    constraints: Any,
    tol: float | None,
    options: Mapping[str, Any],
    callback: Callback | None,
) -> Result:
    """Run one of SciPy's methods."""
    try:
        optimize = import_module("scipy.optimize")
    except ImportError as error:
        raise UnsupportedOperationError(f"The method 'scipy:{name}' needs SciPy: pip install scipy.") from error
    side = _Side(objective, layout)
    settings: dict[str, Any] = {"method": NAMES[name], "tol": tol, "options": dict(options)}
    if name not in GRADIENT_FREE:
        settings["jac"] = True
    if name in HESSIAN:
        settings["hess"] = side.hessian
    if name in HESSIAN_PRODUCT:
        settings["hessp"] = side.hvp
    if bounds is not None:
        lower, upper = (ud.to_numpy(v).astype("float64") for v in bound_vectors(bounds, layout))
        settings["bounds"] = optimize.Bounds(lower, upper)
    given = [constraints] if isinstance(constraints, Mapping) else list(constraints)
    if given:
        settings["constraints"] = [side.constraint(c, optimize if name == "trust-constr" else None) for c in given]
    if callback is not None:
        settings["callback"] = side.callback(callback)
    fun = side.value if name in GRADIENT_FREE else side.value_and_gradient
    found = optimize.minimize(fun, ud.to_numpy(layout.start()).astype("float64"), **settings)
    return side.result(found)


class _Side:
    """The objective as SciPy sees it: functions of float64 vectors of NumPy."""

    def __init__(self, objective: Objective, layout: Layout) -> None:
        self.objective, self.layout = objective, layout

    def there(self, z: Any) -> Array:
        """Return a vector of NumPy as one of the library, dtype and device of the start."""
        return self.layout.backend.asarray(z, dtype=self.layout.dtype, device=self.layout.device)

    def here(self, z: Array) -> Any:
        """Return an array as one of NumPy in float64."""
        return ud.to_numpy(z).astype("float64")

    def value(self, z: Any) -> float:
        return self.objective.value(self.there(z))

    def value_and_gradient(self, z: Any) -> tuple[float, Any]:
        point = self.objective(self.there(z))
        return point.f, self.here(point.gradient)

    def hessian(self, z: Any) -> Any:
        return self.here(self.objective.hessian(self.there(z)))

    def hvp(self, z: Any, v: Any) -> Any:
        return self.here(self.objective.hvp(self.there(z))(self.there(v)))

    def constraint(self, given: Any, optimize: Any) -> Any:
        """Return a constraint ``{"type", "fun", "args"}`` on pytrees as one on vectors, with its derivatives."""
        if not isinstance(given, Mapping) or "fun" not in given or given.get("type") not in {"eq", "ineq"}:
            raise ArgumentError(f"A constraint is a dict with 'type': 'eq' or 'ineq' and 'fun', but it is {given!r:.200}.")
        args = given.get("args", ())

        def vector(z: Array) -> Array:
            return flat(given["fun"](self.layout.unpack(z), *args), self.layout)

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

        if optimize is None:
            return {"type": given["type"], "fun": value_there, "jac": jacobian_there}
        upper = 0.0 if given["type"] == "eq" else float("inf")
        return optimize.NonlinearConstraint(value_there, 0.0, upper, jac=jacobian_there, hess=hessian_there)

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
