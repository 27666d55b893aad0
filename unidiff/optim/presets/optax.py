"""The optimizers and schedules of optax 0.2: names, arguments and defaults of ``optax``.

Memory is of the dtype of the parameters, so there are no dtypes of accumulators, and weight decay is for all of them: a
`unidiff.optim.mask` of `unidiff.optim.weight_decay` or `unidiff.optim.l2` in a `unidiff.optim.chain` is for some.
optax computes corrections in the precision of the parameters, unidiff in double precision on the host. For complex parameters
`adadelta` of optax takes squares, unidiff squared moduli as in all other methods.

Examples
--------
>>> import unidiff as ud
>>> ud.optim.presets.optax.lion(1e-3)
Lion(learning_rate=0.001, b1=0.9, b2=0.99, weight_decay=0.001)
"""

import sys
from dataclasses import dataclass
from typing import Any

from unidiff.errors import ArgumentError
from unidiff.optim import adam_methods, adam_variants, adaptive_methods, gradient_methods, matrix_methods, transformations
from unidiff.optim.chaining import Chain, chain
from unidiff.optim.groups import Partition, partition
from unidiff.optim.names import known
from unidiff.optim.optimizer import Method, Optimizer
from unidiff.optim.presets.optax_schedules import (
    constant_schedule,
    cosine_decay_schedule,
    cosine_onecycle_schedule,
    exponential_decay,
    join_schedules,
    linear_onecycle_schedule,
    linear_schedule,
    piecewise_constant_schedule,
    piecewise_interpolate_schedule,
    polynomial_schedule,
    sgdr_schedule,
    warmup_constant_schedule,
    warmup_cosine_decay_schedule,
    warmup_exponential_decay_schedule,
)
from unidiff.optim.presets.optax_states import from_state, to_state
from unidiff.optim.scalars import Rate, Scalar
from unidiff.optim.transformations import Scale

__all__ = [
    "adadelta",
    "adafactor",
    "adagrad",
    "adam",
    "adamax",
    "adamaxw",
    "adamw",
    "amsgrad",
    "constant_schedule",
    "cosine_decay_schedule",
    "cosine_onecycle_schedule",
    "exponential_decay",
    "from_state",
    "join_schedules",
    "linear_onecycle_schedule",
    "linear_schedule",
    "lion",
    "muon",
    "nadam",
    "nadamw",
    "piecewise_constant_schedule",
    "piecewise_interpolate_schedule",
    "polynomial_schedule",
    "radam",
    "rmsprop",
    "rprop",
    "sgd",
    "sgdr_schedule",
    "to_state",
    "warmup_constant_schedule",
    "warmup_cosine_decay_schedule",
    "warmup_exponential_decay_schedule",
]


def sgd(learning_rate: Rate, momentum: float | None = None, nesterov: bool = False) -> Method:
    """Return ``optax.sgd``; the learning rate multiplies the momentum."""
    return gradient_methods.SGD(learning_rate, momentum or 0.0, nesterov and bool(momentum))


def adam(
    learning_rate: Rate,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    *,
    nesterov: bool = False,
) -> Method:
    """Return ``optax.adam``."""
    if nesterov:
        return nadam(learning_rate, b1, b2, eps, eps_root)
    return adam_methods.Adam(learning_rate, b1, b2, eps, eps_root)


def adamw(
    learning_rate: Rate,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    weight_decay: Rate = 1e-4,
    *,
    nesterov: bool = False,
) -> Optimizer:
    """Return ``optax.adamw``; its default weight decay is 1e-4."""
    if nesterov:
        return nadamw(learning_rate, b1, b2, eps, eps_root, weight_decay)
    if callable(weight_decay):
        return _decayed(adam(learning_rate, b1, b2, eps, eps_root), learning_rate, weight_decay)
    return adam_methods.AdamW(learning_rate, b1, b2, eps, eps_root, weight_decay)


def amsgrad(
    learning_rate: Rate,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    *,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
) -> Method:
    """Return ``optax.amsgrad``; the maximum is that of the corrected second moments."""
    return adam_variants.AMSGrad(
        learning_rate,
        b1,
        b2,
        eps,
        eps_root,
        corrected_maximum=bias_correction_nu,
        correct_first=bias_correction_mu,
        correct_second=bias_correction_nu,
    )


def nadam(
    learning_rate: Rate,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    *,
    nesterov: bool = True,
) -> Method:
    """Return ``optax.nadam``; its momentum has no schedule."""
    if not nesterov:
        return adam_methods.Adam(learning_rate, b1, b2, eps, eps_root)
    return adam_variants.NAdam(learning_rate, b1, b2, eps, eps_root, momentum_decay=None)


def nadamw(
    learning_rate: Rate,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    weight_decay: Rate = 1e-4,
    *,
    nesterov: bool = True,
) -> Optimizer:
    """Return ``optax.nadamw``."""
    if not nesterov:
        return adamw(learning_rate, b1, b2, eps, eps_root, weight_decay)
    if callable(weight_decay):
        return _decayed(nadam(learning_rate, b1, b2, eps, eps_root), learning_rate, weight_decay)
    return adam_variants.NAdam(learning_rate, b1, b2, eps, eps_root, weight_decay, None, decoupled_weight_decay=True)


def radam(
    learning_rate: Rate,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    threshold: float = 5.0,
    *,
    nesterov: bool = False,
) -> Method:
    """Return ``optax.radam``; its eps is added to the corrected root."""
    return adam_variants.RAdam(learning_rate, b1, b2, eps, eps_root, threshold=threshold, corrected_eps=True, nesterov=nesterov)


def adamax(learning_rate: Rate, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Method:
    """Return ``optax.adamax``."""
    return adam_methods.Adamax(learning_rate, b1, b2, eps)


def adamaxw(learning_rate: Rate, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, weight_decay: Rate = 1e-4) -> Optimizer:
    """Return ``optax.adamaxw``."""
    if callable(weight_decay):
        return _decayed(adamax(learning_rate, b1, b2, eps), learning_rate, weight_decay)
    return adam_methods.Adamax(learning_rate, b1, b2, eps, weight_decay, decoupled=True)


def rmsprop(
    learning_rate: Rate,
    decay: float = 0.9,
    eps: float = 1e-8,
    initial_scale: float = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: float | None = None,
    nesterov: bool = False,
    bias_correction: bool = False,
) -> Method:
    """Return ``optax.rmsprop``; its eps is within the root, and the learning rate multiplies what enters the momentum."""
    mu = momentum or 0.0
    return adaptive_methods.RMSprop(
        learning_rate,
        decay,
        eps,
        mu,
        nesterov and mu > 0,
        centered,
        eps_in_root=eps_in_sqrt,
        initial=initial_scale,
        bias_correction=bias_correction,
        accumulate="steps",
    )


def adagrad(learning_rate: Rate, initial_accumulator_value: float = 0.1, eps: float = 1e-7) -> Method:
    """Return ``optax.adagrad``; its eps is within the root, and its sum starts from 0.1."""
    return adaptive_methods.Adagrad(learning_rate, 0.0, eps, initial_accumulator_value, eps_in_root=True)


def adadelta(learning_rate: Rate | None = None, rho: float = 0.9, eps: float = 1e-6, weight_decay: Rate = 0.0) -> Optimizer:
    """Return ``optax.adadelta``."""
    rate = 1.0 if learning_rate is None else learning_rate
    if callable(weight_decay):
        return chain(Scale(weight_decay, of_params=True), adaptive_methods.Adadelta(rate, rho, eps))
    return adaptive_methods.Adadelta(rate, rho, eps, weight_decay)


def rprop(
    learning_rate: float,
    eta_minus: float = 0.5,
    eta_plus: float = 1.2,
    min_step_size: float = 1e-6,
    max_step_size: float = 50.0,
) -> Method:
    """Return ``optax.rprop`` without its delay: optax makes each step, the first one included, one step too late."""
    return gradient_methods.Rprop(learning_rate, eta_minus, eta_plus, min_step_size, max_step_size)


def lion(learning_rate: Rate, b1: float = 0.9, b2: float = 0.99, weight_decay: Rate = 1e-3) -> Optimizer:
    """Return ``optax.lion``."""
    if callable(weight_decay):
        return _decayed(gradient_methods.Lion(learning_rate, b1, b2, 0.0), learning_rate, weight_decay)
    return gradient_methods.Lion(learning_rate, b1, b2, weight_decay)


def adafactor(
    learning_rate: Rate | None = None,
    min_dim_size_to_factor: int = 128,
    decay_rate: float = 0.8,
    decay_offset: int = 0,
    multiply_by_parameter_scale: bool = True,
    clipping_threshold: float | None = 1.0,
    momentum: float | None = None,
    weight_decay_rate: Rate | None = None,
    eps: float = 1e-30,
    factored: bool = True,
) -> Optimizer:
    """Return ``optax.adafactor``; eps is added to squares, and the decay is not multiplied by the learning rate."""
    method = matrix_methods.Adafactor(
        1.0 if learning_rate is None else learning_rate,
        decay_rate,
        eps,
        1e-3,
        clipping_threshold,
        0.0 if weight_decay_rate is None or callable(weight_decay_rate) else weight_decay_rate,
        momentum or 0.0,
        relative_step=False,
        scale_parameter=multiply_by_parameter_scale,
        decay_with_rate=False,
        eps_added=True,
        least_size=min_dim_size_to_factor if factored else sys.maxsize,
        largest_axes=True,
        decay_offset=decay_offset,
    )
    return _decayed(method, 1.0, weight_decay_rate) if callable(weight_decay_rate) else method


MUON_COEFFICIENTS: dict[str, tuple[Any, ...]] = {
    "standard": (3.4445, -4.7750, 2.0315),
    "dion": (
        (4.0848, -6.8946, 2.9270),
        (3.9505, -6.3029, 2.6377),
        (3.7418, -5.5913, 2.3037),
        (2.8769, -3.1427, 1.2046),
        (2.8366, -3.0525, 1.2012),
    ),
}


def muon(
    learning_rate: Rate,
    ns_coeffs: tuple[Any, ...] | str = (3.4445, -4.7750, 2.0315),
    ns_steps: int = 5,
    beta: float = 0.95,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    *,
    nesterov: bool = True,
    adaptive: bool = False,
    preconditioning: str = "frobenius",
    adam_b1: float = 0.9,
    adam_b2: float = 0.999,
    adam_eps_root: float = 0.0,
    adam_weight_decay: float = 0.0,
    adam_learning_rate: Rate | None = None,
    consistent_rms: float | None = None,
) -> Partition:
    """Return ``optax.contrib.muon``: matrices, whose axis 1 is that of the outputs, by Muon, and the rest by AdamW."""
    if isinstance(ns_coeffs, str):
        if ns_coeffs not in MUON_COEFFICIENTS:
            raise ArgumentError(f"No coefficients are called {ns_coeffs!r}; {known(ns_coeffs, MUON_COEFFICIENTS)}.")
        ns_coeffs = MUON_COEFFICIENTS[ns_coeffs]
    if ns_coeffs and isinstance(ns_coeffs[0], (tuple, list)):
        if len(ns_coeffs) > ns_steps:
            raise ArgumentError(f"There are coefficients for {len(ns_coeffs)} iterations, but ns_steps={ns_steps}.")
        ns_steps = len(ns_coeffs)
    rate = learning_rate if adam_learning_rate is None else adam_learning_rate
    rest = adamw(rate, adam_b1, adam_b2, eps, adam_eps_root, adam_weight_decay, nesterov=nesterov)
    matrices = matrix_methods.Muon(
        learning_rate,
        beta,
        nesterov,
        weight_decay,
        ns_coeffs,
        ns_steps,
        eps,
        consistent_rms,
        output_axis=1,
        bias_correction=True,
        normalization=preconditioning,
        adaptive=adaptive,
    )
    return partition(_muon_or_adam, {"muon": matrices, "adam": rest})


@dataclass(frozen=True)
class Product:
    """The product of two schedules or numbers."""

    first: Rate
    second: Rate

    def __call__(self, step: Scalar) -> Scalar:
        """Return the value at a step."""
        first, second = (x(step) if callable(x) else x for x in (self.first, self.second))
        return first * second


def _decayed(method: Method, rate: Rate, weight_decay: Rate) -> Chain:
    """Return a method with weight decay by a schedule."""
    return chain(method, transformations.weight_decay(1.0, Product(rate, weight_decay)))


def _muon_or_adam(path: str, leaf: Any) -> str:
    del path
    return "muon" if len(leaf.shape) == 2 else "adam"
