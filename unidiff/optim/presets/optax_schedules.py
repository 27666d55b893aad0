"""The schedules of optax 0.2: names, arguments and defaults of ``optax``, and what it does with numbers out of range."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from operator import mul
from typing import Any

from unidiff.optim import composed_schedules, schedules
from unidiff.optim.scalars import Rate

__all__ = [
    "constant_schedule",
    "cosine_decay_schedule",
    "cosine_onecycle_schedule",
    "exponential_decay",
    "join_schedules",
    "linear_onecycle_schedule",
    "linear_schedule",
    "piecewise_constant_schedule",
    "piecewise_interpolate_schedule",
    "polynomial_schedule",
    "sgdr_schedule",
    "warmup_constant_schedule",
    "warmup_cosine_decay_schedule",
    "warmup_exponential_decay_schedule",
]

Schedule = schedules.Constant | schedules.Polynomial | schedules.Exponential


def constant_schedule(value: float) -> schedules.Constant:
    """Return ``optax.constant_schedule``."""
    return schedules.Constant(value)


def polynomial_schedule(
    init_value: float, end_value: float, power: float, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    """Return ``optax.polynomial_schedule``; without steps it is constant."""
    if transition_steps <= 0:
        return schedules.Constant(init_value)
    return schedules.Polynomial(init_value, end_value, transition_steps, power, max(transition_begin, 0))


def linear_schedule(init_value: float, end_value: float, transition_steps: int, transition_begin: int = 0) -> Schedule:
    """Return ``optax.linear_schedule``; without steps it is constant."""
    return polynomial_schedule(init_value, end_value, 1.0, transition_steps, transition_begin)


def warmup_constant_schedule(init_value: float, peak_value: float, warmup_steps: int) -> Schedule:
    """Return ``optax.warmup_constant_schedule``; without steps it keeps its initial value, as there."""
    return linear_schedule(init_value, peak_value, warmup_steps)


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
) -> Schedule:
    """Return ``optax.exponential_decay``; without steps or with a rate of 0 it is constant."""
    if transition_steps <= 0 or decay_rate == 0:
        return schedules.Constant(init_value)
    return schedules.Exponential(init_value, decay_rate, transition_steps, max(transition_begin, 0), staircase, end_value)


def cosine_decay_schedule(init_value: float, decay_steps: int, alpha: float = 0.0, exponent: float = 1.0) -> schedules.Cosine:
    """Return ``optax.cosine_decay_schedule``; alpha is the share of the initial value at the end."""
    return schedules.Cosine(init_value, decay_steps, alpha * init_value, exponent)


def join_schedules(schedules: Sequence[Rate], boundaries: Sequence[int]) -> composed_schedules.Joined:
    """Return ``optax.join_schedules``."""
    return composed_schedules.join(schedules, boundaries)


def warmup_cosine_decay_schedule(
    init_value: float,
    peak_value: float,
    warmup_steps: int,
    decay_steps: int,
    end_value: float = 0.0,
    exponent: float = 1.0,
) -> composed_schedules.Joined:
    """Return ``optax.warmup_cosine_decay_schedule``; the decay steps include those of the warm-up."""
    wave = schedules.Cosine(peak_value, decay_steps - warmup_steps, end_value if peak_value else 0.0, exponent)
    return composed_schedules.join([linear_schedule(init_value, peak_value, warmup_steps), wave], [warmup_steps])


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
    return composed_schedules.join([linear_schedule(init_value, peak_value, warmup_steps), decay], [warmup_steps])


def sgdr_schedule(cosine_kwargs: Iterable[Mapping[str, Any]]) -> composed_schedules.Joined:
    """Return ``optax.sgdr_schedule``: warm-ups and cosine waves one after the other."""
    every = list(cosine_kwargs)
    ends = accumulate(given["decay_steps"] for given in every)
    return composed_schedules.join([warmup_cosine_decay_schedule(**given) for given in every], list(ends)[:-1])


def piecewise_interpolate_schedule(
    interpolate_type: str, init_value: float, boundaries_and_scales: Mapping[int, float] | None = None
) -> composed_schedules.Interpolated:
    """Return ``optax.piecewise_interpolate_schedule``."""
    knots = sorted((boundaries_and_scales or {}).items())
    values = accumulate((init_value, *(factor for _, factor in knots)), mul)
    points = dict(zip((0, *(at for at, _ in knots)), values, strict=True))  # of two values at one step the later one holds
    return composed_schedules.Interpolated(list(points.items()), interpolate_type)


def linear_onecycle_schedule(
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    pct_final: float = 0.85,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> composed_schedules.Interpolated:
    """Return ``optax.linear_onecycle_schedule``."""
    rise, fall = int(pct_start * transition_steps), int(pct_final * transition_steps)
    factors = {rise: div_factor, fall: 1.0 / div_factor, transition_steps: 1.0 / final_div_factor}
    return piecewise_interpolate_schedule("linear", peak_value / div_factor, factors)


def cosine_onecycle_schedule(
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> composed_schedules.Interpolated:
    """Return ``optax.cosine_onecycle_schedule``."""
    factors = {int(pct_start * transition_steps): div_factor, transition_steps: 1.0 / (div_factor * final_div_factor)}
    return piecewise_interpolate_schedule("cosine", peak_value / div_factor, factors)
