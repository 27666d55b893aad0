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
from unidiff.jacobians import ComplexJacobian, hessian, hvp, jacfwd, jacobian, jacrev
from unidiff.registry import backends, get_backend, register_backend

if TYPE_CHECKING:
    from unidiff import special

__all__ = [
    "Backend",
    "BackendInfo",
    "Capabilities",
    "ComplexJacobian",
    "array_namespace",
    "asarray",
    "backends",
    "check_grads",
    "device",
    "einsum",
    "errors",
    "get_backend",
    "grad",
    "hessian",
    "hookimpl",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "linearize",
    "namespace",
    "register_backend",
    "special",
    "stop_gradient",
    "to_backend",
    "to_device",
    "to_numpy",
    "tree",
    "value_and_grad",
    "vjp",
]


def __getattr__(name: str) -> Any:
    # The special functions are many, and imported when they are first used.
    if name == "special":
        return import_module("unidiff.special")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
