"""The schedules of PyTorch 2: names, arguments and defaults of ``torch.optim.lr_scheduler``, with the learning rate in front.

PyTorch's change the learning rate of an optimizer; these are functions of the number of steps, for its learning rate. They have
no ``last_epoch``: the state of the optimizer counts. Not there are ``CyclicLR`` and what needs other schedulers; there are
`unidiff.optim.join` for ``SequentialLR``, any function of the step for ``LambdaLR``, and `unidiff.optim.reduce_on_plateau`.
``OneCycleLR`` leaves momenta as they are, as there with ``cycle_momentum=False``.

Examples
--------
>>> import unidiff as ud
>>> torch = ud.optim.presets.torch
>>> torch.SGD(lr=torch.StepLR(0.1, step_size=30)).rate(30)
0.010000000000000002
"""

from collections.abc import Iterable

from unidiff.errors import ArgumentError
from unidiff.optim import composed_schedules, schedules

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "StepLR",
]


def StepLR(lr: float, step_size: int, gamma: float = 0.1) -> schedules.Step:  # the library's name, as for all of this module
    """Return ``torch.optim.lr_scheduler.StepLR``."""
    return schedules.Step(lr, step_size, gamma)


def MultiStepLR(lr: float, milestones: Iterable[int], gamma: float = 0.1) -> schedules.PiecewiseConstant:
    """Return ``torch.optim.lr_scheduler.MultiStepLR``; a milestone that is given twice counts twice."""
    return schedules.PiecewiseConstant(lr, [(at, gamma) for at in milestones])


def ConstantLR(lr: float, factor: float = 1.0 / 3, total_iters: int = 5) -> schedules.PiecewiseConstant:
    """Return ``torch.optim.lr_scheduler.ConstantLR``."""
    if not 0 < factor <= 1:
        raise ArgumentError(f"factor must be positive and at most 1, but it is {factor!r:.200}.")
    return schedules.PiecewiseConstant(lr * factor, [(total_iters, 1.0 / factor)])


def LinearLR(lr: float, start_factor: float = 1.0 / 3, end_factor: float = 1.0, total_iters: int = 5) -> schedules.Polynomial:
    """Return ``torch.optim.lr_scheduler.LinearLR``."""
    return schedules.Polynomial(lr * start_factor, lr * end_factor, total_iters)


def ExponentialLR(lr: float, gamma: float) -> schedules.Exponential:
    """Return ``torch.optim.lr_scheduler.ExponentialLR``."""
    return schedules.Exponential(lr, gamma)


def PolynomialLR(lr: float, total_iters: int = 5, power: float = 1.0) -> schedules.Polynomial:
    """Return ``torch.optim.lr_scheduler.PolynomialLR``."""
    return schedules.Polynomial(lr, 0.0, total_iters, power)


def CosineAnnealingLR(lr: float, T_max: int, eta_min: float = 0.0) -> schedules.Cosine:  # noqa: N803  # as there
    """Return ``torch.optim.lr_scheduler.CosineAnnealingLR``, whose wave goes on after its end."""
    return schedules.Cosine(lr, T_max, eta_min, hold=False)


def CosineAnnealingWarmRestarts(
    lr: float,
    T_0: int,  # noqa: N803  # as there
    T_mult: int = 1,  # noqa: N803  # as there
    eta_min: float = 0.0,
) -> schedules.CosineRestarts:
    """Return ``torch.optim.lr_scheduler.CosineAnnealingWarmRestarts``."""
    return schedules.CosineRestarts(lr, T_0, T_mult, eta_min)


def OneCycleLR(
    max_lr: float,
    total_steps: int | None = None,
    epochs: int | None = None,
    steps_per_epoch: int | None = None,
    pct_start: float = 0.3,
    anneal_strategy: str = "cos",
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    three_phase: bool = False,
) -> composed_schedules.Interpolated:
    """Return ``torch.optim.lr_scheduler.OneCycleLR``, whose last value lasts."""
    if total_steps is None:
        if epochs is None or steps_per_epoch is None:
            raise ArgumentError("OneCycleLR needs total_steps, or epochs and steps_per_epoch.")
        total_steps = epochs * steps_per_epoch
    if anneal_strategy not in {"cos", "linear"}:
        raise ArgumentError(f"anneal_strategy must be 'cos' or 'linear', but it is {anneal_strategy!r:.200}.")
    return composed_schedules.OneCycle(
        max_lr,
        total_steps,
        rise=pct_start,
        kind="cosine" if anneal_strategy == "cos" else "linear",
        start_factor=div_factor,
        end_factor=final_div_factor,
        three_phases=three_phase,
    )
