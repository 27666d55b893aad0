"""The optimizers of PyTorch 2: names, arguments and defaults of ``torch.optim``.

Not taken over are ``maximize``, switches of the implementation, and ``ASGD``, ``SparseAdam`` and ``LBFGS``.

Examples
--------
>>> import unidiff as ud
>>> ud.optim.presets.torch.AdamW(lr=0.1)
AdamW(learning_rate=0.1, b1=0.9, b2=0.999, eps=1e-08, eps_root=0.0, weight_decay=0.01)
"""

from unidiff.errors import ArgumentError
from unidiff.optim import adam_methods, adaptive_methods, gradient_methods, matrix_methods
from unidiff.optim.optimizer import Method
from unidiff.optim.scalars import Rate

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Muon",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
]

Betas = tuple[float, float]


def _pair(betas: Betas) -> Betas:
    """Return both, or raise that there are more or less."""
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise ArgumentError(f"betas must be a pair of numbers, but it is {betas!r:.200}.")
    return betas[0], betas[1]


def SGD(  # the library's name, as for all of this module
    lr: Rate = 1e-3, momentum: float = 0.0, dampening: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False
) -> Method:
    """Return ``torch.optim.SGD``; the learning rate multiplies the momentum."""
    return gradient_methods.SGD(lr, momentum, nesterov, dampening, weight_decay)


def Adam(
    lr: Rate = 1e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False
) -> Method:
    """Return ``torch.optim.Adam``; with `amsgrad` the maximum of the second moments is corrected, not they."""
    kind = adam_methods.AMSGrad if amsgrad else adam_methods.Adam
    return kind(lr, *_pair(betas), eps, 0.0, weight_decay)


def AdamW(lr: Rate = 1e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 1e-2) -> Method:
    """Return ``torch.optim.AdamW``."""
    return adam_methods.AdamW(lr, *_pair(betas), eps, 0.0, weight_decay)


def Adamax(lr: Rate = 2e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.0) -> Method:
    """Return ``torch.optim.Adamax``."""
    return adam_methods.Adamax(lr, *_pair(betas), eps, weight_decay)


def NAdam(
    lr: Rate = 2e-3,
    betas: Betas = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum_decay: float = 4e-3,
    decoupled_weight_decay: bool = False,
) -> Method:
    """Return ``torch.optim.NAdam``, which keeps the product of the momenta in PyTorch's default dtype: see its precision."""
    return adam_methods.NAdam(lr, *_pair(betas), eps, 0.0, weight_decay, momentum_decay, decoupled_weight_decay)


def RAdam(
    lr: Rate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
) -> Method:
    """Return ``torch.optim.RAdam``."""
    return adam_methods.RAdam(lr, *_pair(betas), eps, 0.0, weight_decay, decoupled_weight_decay=decoupled_weight_decay)


def RMSprop(
    lr: Rate = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    centered: bool = False,
) -> Method:
    """Return ``torch.optim.RMSprop``."""
    return adaptive_methods.RMSprop(lr, alpha, eps, momentum, centered=centered, weight_decay=weight_decay)


def Adagrad(
    lr: Rate = 1e-2,
    lr_decay: float = 0.0,
    weight_decay: float = 0.0,
    initial_accumulator_value: float = 0.0,
    eps: float = 1e-10,
) -> Method:
    """Return ``torch.optim.Adagrad``."""
    return adaptive_methods.Adagrad(lr, lr_decay, eps, initial_accumulator_value, weight_decay)


def Adadelta(lr: Rate = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0.0) -> Method:
    """Return ``torch.optim.Adadelta``."""
    return adaptive_methods.Adadelta(lr, rho, eps, weight_decay)


def Rprop(lr: Rate = 1e-2, etas: tuple[float, float] = (0.5, 1.2), step_sizes: tuple[float, float] = (1e-6, 50.0)) -> Method:
    """Return ``torch.optim.Rprop``."""
    return gradient_methods.Rprop(lr, *etas, *step_sizes)


def Adafactor(
    lr: Rate = 1e-2,
    beta2_decay: float = -0.8,
    eps: tuple[float | None, float] = (None, 1e-3),
    d: float = 1.0,
    weight_decay: float = 0.0,
) -> Method:
    """Return ``torch.optim.Adafactor``."""
    return matrix_methods.Adafactor(lr, -beta2_decay, eps[0], eps[1], d, weight_decay)


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
