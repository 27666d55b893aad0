"""Optimizers: records of hyperparameters with pure steps over pytrees, and solvers, on every backend.

Examples
--------
>>> import numpy as np, unidiff as ud
>>> optimizer = ud.optim.chain(ud.optim.clip_by_global_norm(1.0), ud.optim.Adam(ud.optim.Cosine(0.1, steps=200)))
>>> params = {"w": np.asarray([3.0, -2.0])}
>>> state = optimizer.init(params)
>>> for _ in range(200):
...     grads = ud.grad(lambda p: ud.array_namespace(p["w"]).sum((p["w"] - 1.0) ** 2))(params)
...     params, state = optimizer.step(params, grads, state)
>>> params["w"].round(2)
array([1., 1.])
"""

from importlib import import_module
from typing import Any

__all__ = [
    "ASGD",
    "SGD",
    "AMSGrad",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Armijo",
    "BatchResult",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Exponential",
    "HagerZhang",
    "Interpolated",
    "Iterate",
    "LeastSquaresResult",
    "LineSearch",
    "Lion",
    "Method",
    "MoreThuente",
    "Muon",
    "NAdam",
    "OneCycle",
    "Optimizer",
    "PiecewiseConstant",
    "Point",
    "Polynomial",
    "RAdam",
    "RMSprop",
    "Result",
    "Rprop",
    "Status",
    "Step",
    "StrongWolfe",
    "Transformation",
    "accumulate",
    "average",
    "chain",
    "clip",
    "clip_by_global_norm",
    "clip_by_norm",
    "join",
    "l2",
    "lookahead",
    "mask",
    "maximize",
    "minimize_batch",
    "partition",
    "plot",
    "presets",
    "projections",
    "proximal",
    "reduce_on_plateau",
    "scale",
    "trace",
    "warmup",
    "weight_decay",
]

_EXPORTS = {
    "batched": (
        "BatchResult",
        "minimize_batch",
    ),
    "result": (
        "Iterate",
        "LeastSquaresResult",
        "Point",
        "Result",
        "Status",
    ),
    "more_thuente": ("MoreThuente",),
    "line_search": (
        "Armijo",
        "HagerZhang",
        "LineSearch",
        "StrongWolfe",
    ),
    "adam_methods": ("Adam", "AdamW", "Adamax"),
    "adam_variants": ("AMSGrad", "NAdam", "RAdam"),
    "adaptive_methods": ("Adadelta", "Adagrad", "RMSprop"),
    "gradient_methods": ("ASGD", "Lion", "Rprop", "SGD"),
    "matrix_methods": ("Adafactor", "Muon"),
    "optimizer": ("Method", "Optimizer", "Transformation"),
    "schedules": ("Constant", "Cosine", "CosineRestarts", "Exponential", "PiecewiseConstant", "Polynomial", "Step"),
    "composed_schedules": ("Interpolated", "OneCycle", "join", "warmup"),
    "transformations": ("l2", "scale", "trace", "weight_decay"),
    "clipping": ("clip", "clip_by_global_norm", "clip_by_norm"),
    "chaining": ("chain", "maximize"),
    "groups": ("mask", "partition"),
    "wrappers": ("accumulate", "average", "lookahead"),
    "plateau": ("reduce_on_plateau",),
}
"""Where each public name is defined; what is not asked for is not imported."""

_MODULES = ("plot", "presets", "projections", "proximal")
_HOME = {name: module for module, names in _EXPORTS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
