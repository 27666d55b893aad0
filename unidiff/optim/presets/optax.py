"""The optimizers and schedules of optax 0.2: names, arguments and defaults of ``optax``.

Not taken over are dtypes of accumulators and masks (`unidiff.optim.mask` has those), and ``rprop``, whose updates come one step
late there. optax computes corrections in the precision of the parameters, unidiff in double precision on the host.

Examples
--------
>>> import unidiff as ud
>>> ud.optim.presets.optax.lion(1e-3)
Lion(learning_rate=0.001, b1=0.9, b2=0.99, weight_decay=0.001)
"""

from collections.abc import Mapping
from typing import Any

from unidiff.optim import adam_methods, adaptive_methods, composed_schedules, gradient_methods, matrix_methods, schedules
from unidiff.optim.groups import Partition, partition
from unidiff.optim.optimizer import Method
from unidiff.optim.scalars import Rate

__all__ = [
    "adadelta",
    "adafactor",
    "adagrad",
    "adam",
    "adamax",
    "adamaxw",
    "adamw",
    "amsgrad",
    "cosine_decay_schedule",
    "cosine_onecycle_schedule",
    "exponential_decay",
    "linear_onecycle_schedule",
    "linear_schedule",
    "lion",
    "muon",
    "nadam",
    "nadamw",
    "piecewise_constant_schedule",
    "polynomial_schedule",
    "radam",
    "rmsprop",
    "sgd",
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
    weight_decay: float = 1e-4,
    *,
    nesterov: bool = False,
) -> Method:
    """Return ``optax.adamw``; its default weight decay is 1e-4."""
    if nesterov:
        return nadamw(learning_rate, b1, b2, eps, eps_root, weight_decay)
    return adam_methods.AdamW(learning_rate, b1, b2, eps, eps_root, weight_decay)


def amsgrad(learning_rate: Rate, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0) -> Method:
    """Return ``optax.amsgrad``; the maximum is that of the corrected second moments."""
    return adam_methods.AMSGrad(learning_rate, b1, b2, eps, eps_root, corrected_maximum=True)


def nadam(learning_rate: Rate, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0) -> Method:
    """Return ``optax.nadam``; its momentum has no schedule."""
    return adam_methods.NAdam(learning_rate, b1, b2, eps, eps_root, momentum_decay=None)


def nadamw(
    learning_rate: Rate,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    weight_decay: float = 1e-4,
) -> Method:
    """Return ``optax.nadamw``."""
    return adam_methods.NAdam(learning_rate, b1, b2, eps, eps_root, weight_decay, None, decoupled_weight_decay=True)


def radam(
    learning_rate: Rate,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    threshold: float = 5.0,
) -> Method:
    """Return ``optax.radam``; its eps is added to the corrected root."""
    return adam_methods.RAdam(learning_rate, b1, b2, eps, eps_root, threshold=threshold, corrected_eps=True)


def adamax(learning_rate: Rate, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Method:
    """Return ``optax.adamax``."""
    return adam_methods.Adamax(learning_rate, b1, b2, eps)


def adamaxw(learning_rate: Rate, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, weight_decay: float = 1e-4) -> Method:
    """Return ``optax.adamaxw``."""
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


def adadelta(learning_rate: Rate | None = None, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0.0) -> Method:
    """Return ``optax.adadelta``."""
    return adaptive_methods.Adadelta(1.0 if learning_rate is None else learning_rate, rho, eps, weight_decay)


def lion(learning_rate: Rate, b1: float = 0.9, b2: float = 0.99, weight_decay: float = 1e-3) -> Method:
    """Return ``optax.lion``."""
    return gradient_methods.Lion(learning_rate, b1, b2, weight_decay)


def adafactor(
    learning_rate: Rate | None = None,
    min_dim_size_to_factor: int = 128,
    decay_rate: float = 0.8,
    multiply_by_parameter_scale: bool = True,
    clipping_threshold: float | None = 1.0,
    momentum: float | None = None,
    weight_decay_rate: float | None = None,
    eps: float = 1e-30,
) -> Method:
    """Return ``optax.adafactor``; eps is added to squares, and the decay is not multiplied by the learning rate."""
    return matrix_methods.Adafactor(
        1.0 if learning_rate is None else learning_rate,
        decay_rate,
        eps,
        1e-3,
        clipping_threshold,
        weight_decay_rate or 0.0,
        momentum or 0.0,
        relative_step=False,
        scale_parameter=multiply_by_parameter_scale,
        decay_with_rate=False,
        eps_added=True,
        least_size=min_dim_size_to_factor,
        largest_axes=True,
    )


def muon(
    learning_rate: Rate,
    ns_coeffs: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
    ns_steps: int = 5,
    beta: float = 0.95,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    *,
    nesterov: bool = True,
    adam_b1: float = 0.9,
    adam_b2: float = 0.999,
    adam_eps_root: float = 0.0,
    adam_weight_decay: float = 0.0,
    adam_learning_rate: Rate | None = None,
    consistent_rms: float | None = None,
) -> Partition:
    """Return ``optax.contrib.muon``: matrices, whose axis 1 is that of the outputs, by Muon, and the rest by AdamW."""
    rate = learning_rate if adam_learning_rate is None else adam_learning_rate
    rest = adamw(rate, adam_b1, adam_b2, eps, adam_eps_root, adam_weight_decay, nesterov=nesterov)
    matrices = matrix_methods.Muon(
        learning_rate, beta, nesterov, weight_decay, ns_coeffs, ns_steps, eps, consistent_rms, 1, True
    )
    return partition(_muon_or_adam, {"muon": matrices, "adam": rest})


def _muon_or_adam(path: str, leaf: Any) -> str:
    del path
    return "muon" if len(leaf.shape) == 2 else "adam"


def polynomial_schedule(
    init_value: float, end_value: float, power: float, transition_steps: int, transition_begin: int = 0
) -> schedules.Polynomial:
    """Return ``optax.polynomial_schedule``."""
    return schedules.Polynomial(init_value, end_value, transition_steps, power, transition_begin)


def linear_schedule(
    init_value: float, end_value: float, transition_steps: int, transition_begin: int = 0
) -> schedules.Polynomial:
    """Return ``optax.linear_schedule``."""
    return schedules.Polynomial(init_value, end_value, transition_steps, 1.0, transition_begin)


def piecewise_constant_schedule(
    init_value: float, boundaries_and_scales: Mapping[int, float] | None = None
) -> schedules.PiecewiseConstant:
    """Return ``optax.piecewise_constant_schedule``."""
    return schedules.PiecewiseConstant(init_value, boundaries_and_scales or {})


def exponential_decay(
    init_value: float,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> schedules.Exponential:
    """Return ``optax.exponential_decay``."""
    return schedules.Exponential(init_value, decay_rate, transition_steps, transition_begin, staircase, end_value)


def cosine_decay_schedule(init_value: float, decay_steps: int, alpha: float = 0.0, exponent: float = 1.0) -> schedules.Cosine:
    """Return ``optax.cosine_decay_schedule``; alpha is the share of the initial value at the end."""
    return schedules.Cosine(init_value, decay_steps, alpha * init_value, exponent)


def warmup_cosine_decay_schedule(
    init_value: float,
    peak_value: float,
    warmup_steps: int,
    decay_steps: int,
    end_value: float = 0.0,
    exponent: float = 1.0,
) -> composed_schedules.Joined:
    """Return ``optax.warmup_cosine_decay_schedule``; the decay steps include those of the warm-up."""
    wave = schedules.Cosine(peak_value, decay_steps - warmup_steps, end_value, exponent)
    return composed_schedules.warmup(wave, warmup_steps, init_value)


def warmup_exponential_decay_schedule(
    init_value: float,
    peak_value: float,
    warmup_steps: int,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> composed_schedules.Joined:
    """Return ``optax.warmup_exponential_decay_schedule``."""
    decay = exponential_decay(peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value)
    return composed_schedules.warmup(decay, warmup_steps, init_value)


def cosine_onecycle_schedule(
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> composed_schedules.Interpolated:
    """Return ``optax.cosine_onecycle_schedule``."""
    first = peak_value / div_factor
    knots = [(0, first), (int(pct_start * transition_steps), peak_value), (transition_steps, first / final_div_factor)]
    return composed_schedules.Interpolated(knots, "cosine")


def linear_onecycle_schedule(
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    pct_final: float = 0.85,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> composed_schedules.Interpolated:
    """Return ``optax.linear_onecycle_schedule``."""
    first = peak_value / div_factor
    rise, fall = int(pct_start * transition_steps), int(pct_final * transition_steps)
    return composed_schedules.Interpolated(
        [(0, first), (rise, peak_value), (fall, first), (transition_steps, first / final_div_factor)]
    )
