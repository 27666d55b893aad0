"""The optimizers of PyTorch 2: names, arguments and defaults of ``torch.optim``.

All arguments are there but the parameters, which ``init`` and ``step`` take, and those that choose a kernel (``foreach``,
``fused``, ``capturable``, ``differentiable``), which unidiff chooses by itself; numbers are Python's, not tensors, and only the
learning rate may be a schedule. ``SparseAdam`` is not there, since the standard has no sparse arrays, and for ``LBFGS`` there
is `unidiff.minimize`.

PyTorch takes the real and the imaginary part of a complex parameter for two parameters. So does unidiff where they are passed
as two; for a complex array it takes the modulus, and only ``SGD`` is then the same.

Examples
--------
>>> import unidiff as ud
>>> ud.optim.presets.torch.AdamW(lr=0.1)
AdamW(learning_rate=0.1, b1=0.9, b2=0.999, eps=1e-08, eps_root=0.0, weight_decay=0.01)
"""

from unidiff.errors import ArgumentError
from unidiff.optim import adam_methods, adam_variants, adaptive_methods, chaining, gradient_methods, matrix_methods
from unidiff.optim.optimizer import Method, Optimizer
from unidiff.optim.presets.torch_schedules import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    StepLR,
)
from unidiff.optim.presets.torch_states import from_state, to_state
from unidiff.optim.scalars import Rate

__all__ = [
    "ASGD",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LinearLR",
    "MultiStepLR",
    "Muon",
    "NAdam",
    "OneCycleLR",
    "PolynomialLR",
    "RAdam",
    "RMSprop",
    "Rprop",
    "StepLR",
    "from_state",
    "to_state",
]

Pair = tuple[float, float]


def _pair(name: str, given: Pair) -> Pair:
    """Return both, or raise that there are more or less."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise ArgumentError(f"{name} must be a pair of numbers, but it is {given!r:.200}.")
    return given[0], given[1]


def _turned(method: Method, maximize: bool) -> Optimizer:
    return chaining.maximize(method) if maximize else method


def SGD(  # the library's name, as for all of this module
    lr: Rate = 1e-3,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Return ``torch.optim.SGD``; the learning rate multiplies the momentum."""
    return _turned(gradient_methods.SGD(lr, momentum, nesterov, dampening, weight_decay), maximize)


def ASGD(
    lr: Rate = 1e-2,
    lambd: float = 1e-4,
    alpha: float = 0.75,
    t0: float = 1e6,
    weight_decay: float = 0.0,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Return ``torch.optim.ASGD``; a schedule acts one step later, as there."""
    return _turned(gradient_methods.ASGD(lr, lambd, alpha, t0, weight_decay), maximize)


def Adam(
    lr: Rate = 1e-3,
    betas: Pair = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    amsgrad: bool = False,
    *,
    maximize: bool = False,
    decoupled_weight_decay: bool = False,
) -> Optimizer:
    """Return ``torch.optim.Adam``; with `amsgrad` the maximum of the second moments is corrected, not they."""
    first = (lr, *_pair("betas", betas), eps, 0.0, weight_decay)
    if amsgrad:
        return _turned(adam_variants.AMSGrad(*first, decoupled_weight_decay=decoupled_weight_decay), maximize)
    return _turned((adam_methods.AdamW if decoupled_weight_decay else adam_methods.Adam)(*first), maximize)


def AdamW(
    lr: Rate = 1e-3,
    betas: Pair = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    amsgrad: bool = False,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Return ``torch.optim.AdamW``; with `amsgrad` the maximum of the second moments is corrected, not they."""
    return Adam(lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)


def Adamax(
    lr: Rate = 2e-3,
    betas: Pair = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Return ``torch.optim.Adamax``."""
    return _turned(adam_methods.Adamax(lr, *_pair("betas", betas), eps, weight_decay), maximize)


def NAdam(
    lr: Rate = 2e-3,
    betas: Pair = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum_decay: float = 4e-3,
    decoupled_weight_decay: bool = False,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Return ``torch.optim.NAdam``, which keeps the product of the momenta in PyTorch's default dtype: see its precision."""
    first = (lr, *_pair("betas", betas), eps, 0.0, weight_decay)
    return _turned(adam_variants.NAdam(*first, momentum_decay, decoupled_weight_decay), maximize)


def RAdam(
    lr: Rate = 1e-3,
    betas: Pair = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Return ``torch.optim.RAdam``."""
    first = (lr, *_pair("betas", betas), eps, 0.0, weight_decay)
    return _turned(adam_variants.RAdam(*first, decoupled_weight_decay=decoupled_weight_decay), maximize)


def RMSprop(
    lr: Rate = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    centered: bool = False,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Return ``torch.optim.RMSprop``."""
    method = adaptive_methods.RMSprop(lr, alpha, eps, momentum, centered=centered, weight_decay=weight_decay)
    return _turned(method, maximize)


def Adagrad(
    lr: Rate = 1e-2,
    lr_decay: float = 0.0,
    weight_decay: float = 0.0,
    initial_accumulator_value: float = 0.0,
    eps: float = 1e-10,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Return ``torch.optim.Adagrad``."""
    return _turned(adaptive_methods.Adagrad(lr, lr_decay, eps, initial_accumulator_value, weight_decay), maximize)


def Adadelta(
    lr: Rate = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0.0, *, maximize: bool = False
) -> Optimizer:
    """Return ``torch.optim.Adadelta``."""
    return _turned(adaptive_methods.Adadelta(lr, rho, eps, weight_decay), maximize)


def Rprop(lr: Rate = 1e-2, etas: Pair = (0.5, 1.2), step_sizes: Pair = (1e-6, 50.0), *, maximize: bool = False) -> Optimizer:
    """Return ``torch.optim.Rprop``."""
    return _turned(gradient_methods.Rprop(lr, *_pair("etas", etas), *_pair("step_sizes", step_sizes)), maximize)


def Adafactor(
    lr: Rate = 1e-2,
    beta2_decay: float = -0.8,
    eps: tuple[float | None, float] = (None, 1e-3),
    d: float = 1.0,
    weight_decay: float = 0.0,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Return ``torch.optim.Adafactor``."""
    first, second = _pair("eps", eps)  # type: ignore[arg-type]  # the first may be None
    return _turned(matrix_methods.Adafactor(lr, -beta2_decay, first, second, d, weight_decay), maximize)


def Muon(
    lr: Rate = 1e-3,
    weight_decay: float = 0.1,
    momentum: float = 0.95,
    nesterov: bool = True,
    ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
    eps: float = 1e-7,
    ns_steps: int = 5,
    adjust_lr_fn: str | None = None,
) -> Method:
    """Return ``torch.optim.Muon``, but for its iteration, which PyTorch runs in bfloat16."""
    if adjust_lr_fn not in {None, "original", "match_rms_adamw"}:
        raise ArgumentError(f"adjust_lr_fn must be 'original' or 'match_rms_adamw', but it is {adjust_lr_fn!r}.")
    rms = 0.2 if adjust_lr_fn == "match_rms_adamw" else None
    return matrix_methods.Muon(lr, momentum, nesterov, weight_decay, ns_coefficients, ns_steps, eps, rms)
