"""One differentiation interface for the Python array API standard.

A function written once against the standard is differentiated, to any order, on NumPy, PyTorch, JAX and every other array
library with a plugin, with the same derivatives everywhere.

Examples
--------
>>> import numpy as np, unidiff as ud
>>> def f(x):
...     xp = ud.array_namespace(x)
...     return xp.sum(xp.sin(x) ** 2)
>>> ud.grad(f)(np.asarray([0.0, 0.5]))
array([0.        , 0.84147098])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from unidiff import errors, tree
from unidiff.arrays import array_namespace, asarray, device, namespace, stop_gradient, to_backend, to_device, to_numpy
from unidiff.backend import Backend, BackendInfo, Capabilities
from unidiff.checking import check_grads
from unidiff.contraction import einsum
from unidiff.first_order import grad, jvp, linearize, value_and_grad, vjp
from unidiff.hookspecs import hookimpl
from unidiff.jacobians import ComplexJacobian, hessian, jacfwd, jacobian, jacrev
from unidiff.registry import backends, contributions, get_backend, register_backend
from unidiff.transforms.compiling import jit
from unidiff.transforms.control_flow import cond, fori_loop, scan, while_loop
from unidiff.transforms.vectorizing import vmap

if TYPE_CHECKING:
    from unidiff import numerical, optim, sparse, special, testing
    from unidiff.higher_order.curvature import fisher_operator, fisher_vp, gauss_newton_operator, gauss_newton_vp
    from unidiff.higher_order.expansions import directional_derivative, linear_approximation, quadratic_approximation, taylor
    from unidiff.higher_order.hessians import hessian_diagonal, hessian_operator, hvp, inverse_hvp
    from unidiff.matrix_free.estimate import Estimate
    from unidiff.matrix_free.estimators import estimate_diagonal, estimate_trace
    from unidiff.matrix_free.linear_solvers import LinearSolution, cg, gmres, solve_dense
    from unidiff.matrix_free.spectra import Eigenpairs, lanczos, power_iteration
    from unidiff.optim.minimization import minimize
    from unidiff.optim.roots import fixed_point, root
    from unidiff.optim.squares import least_squares
    from unidiff.transforms.bridging import bridge
    from unidiff.transforms.checkpointing import checkpoint, checkpoint_sequential
    from unidiff.transforms.custom_rules import custom_jvp, custom_vjp
    from unidiff.transforms.evaluation_trace import EvaluationTrace, TraceRow, trace
    from unidiff.transforms.implicit import custom_argmin, custom_fixed_point, custom_root

__all__ = [
    "Backend",
    "BackendInfo",
    "Capabilities",
    "ComplexJacobian",
    "Eigenpairs",
    "Estimate",
    "EvaluationTrace",
    "LinearSolution",
    "TraceRow",
    "array_namespace",
    "asarray",
    "backends",
    "bridge",
    "cg",
    "check_grads",
    "checkpoint",
    "checkpoint_sequential",
    "cond",
    "contributions",
    "custom_argmin",
    "custom_fixed_point",
    "custom_jvp",
    "custom_root",
    "custom_vjp",
    "device",
    "directional_derivative",
    "einsum",
    "errors",
    "estimate_diagonal",
    "estimate_trace",
    "fisher_operator",
    "fisher_vp",
    "fixed_point",
    "fori_loop",
    "gauss_newton_operator",
    "gauss_newton_vp",
    "get_backend",
    "gmres",
    "grad",
    "hessian",
    "hessian_diagonal",
    "hessian_operator",
    "hookimpl",
    "hvp",
    "inverse_hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jit",
    "jvp",
    "lanczos",
    "least_squares",
    "linear_approximation",
    "linearize",
    "minimize",
    "namespace",
    "numerical",
    "optim",
    "power_iteration",
    "quadratic_approximation",
    "register_backend",
    "root",
    "scan",
    "solve_dense",
    "sparse",
    "special",
    "stop_gradient",
    "taylor",
    "testing",
    "to_backend",
    "to_device",
    "to_numpy",
    "trace",
    "tree",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
]


_LAZY = {
    "optim.minimization": ("minimize",),
    "optim.roots": ("fixed_point", "root"),
    "optim.squares": ("least_squares",),
    "transforms.bridging": ("bridge",),
    "transforms.checkpointing": ("checkpoint", "checkpoint_sequential"),
    "transforms.custom_rules": ("custom_jvp", "custom_vjp"),
    "transforms.evaluation_trace": ("EvaluationTrace", "TraceRow", "trace"),
    "higher_order.curvature": ("fisher_operator", "fisher_vp", "gauss_newton_operator", "gauss_newton_vp"),
    "matrix_free.estimate": ("Estimate",),
    "matrix_free.estimators": ("estimate_diagonal", "estimate_trace"),
    "higher_order.expansions": ("directional_derivative", "linear_approximation", "quadratic_approximation", "taylor"),
    "higher_order.hessians": ("hessian_diagonal", "hessian_operator", "hvp", "inverse_hvp"),
    "transforms.implicit": ("custom_argmin", "custom_fixed_point", "custom_root"),
    "matrix_free.linear_solvers": ("LinearSolution", "cg", "gmres", "solve_dense"),
    "matrix_free.spectra": ("Eigenpairs", "lanczos", "power_iteration"),
}
"""Modules that are imported when one of their functions is first used, which keeps the import of the package short."""


def __getattr__(name: str) -> Any:
    if name in {"numerical", "optim", "sparse", "special", "testing"}:
        return import_module(f"unidiff.{name}")
    for module, names in _LAZY.items():
        if name in names:
            found = globals()[name] = getattr(import_module(f"unidiff.{module}"), name)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
