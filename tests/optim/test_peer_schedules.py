"""The schedules of torch.optim.lr_scheduler and of optax, value by value."""

import numpy as np
import pytest

import unidiff as ud
from tests.optim.test_peers import label

P = ud.optim.presets

SCHEDULES = [
    ("polynomial_schedule",
     {"init_value": 0.1, "end_value": 0.01, "power": 2.0, "transition_steps": 20, "transition_begin": 3}),
    ("linear_schedule", {"init_value": 0.1, "end_value": 0.01, "transition_steps": 20}),
    ("piecewise_constant_schedule", {"init_value": 0.1, "boundaries_and_scales": {5: 0.5, 20: 0.1}}),
    ("exponential_decay", {"init_value": 0.1, "transition_steps": 5, "decay_rate": 0.5, "transition_begin": 2}),
    ("exponential_decay", {"init_value": 0.1, "transition_steps": 5, "decay_rate": 0.5, "staircase": True, "end_value": 0.02}),
    ("cosine_decay_schedule", {"init_value": 0.1, "decay_steps": 20, "alpha": 0.1, "exponent": 2.0}),
    ("warmup_cosine_decay_schedule",
     {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 5, "decay_steps": 25, "end_value": 0.01}),
    ("warmup_exponential_decay_schedule",
     {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 5, "transition_steps": 4, "decay_rate": 0.5}),
    ("cosine_onecycle_schedule", {"transition_steps": 30, "peak_value": 0.1}),
    ("linear_onecycle_schedule", {"transition_steps": 30, "peak_value": 0.1}),
    ("constant_schedule", {"value": 0.1}),
    ("polynomial_schedule",
     {"init_value": 0.01, "end_value": 0.1, "power": 0.5, "transition_steps": 150, "transition_begin": -3}),
    ("polynomial_schedule", {"init_value": 0.1, "end_value": 0.01, "power": 2.0, "transition_steps": 0}),
    ("exponential_decay",
     {"init_value": 0.01, "transition_steps": 7, "decay_rate": 1.3, "transition_begin": -2, "end_value": 0.2}),
    ("exponential_decay", {"init_value": 0.1, "transition_steps": 5, "decay_rate": 0}),
    ("cosine_decay_schedule", {"init_value": 0.1, "decay_steps": 170}),
    ("warmup_constant_schedule", {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 30}),
    ("warmup_cosine_decay_schedule", {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 0, "decay_steps": 150}),
    ("warmup_cosine_decay_schedule",
     {"init_value": 0.1, "peak_value": 0.0, "warmup_steps": 5, "decay_steps": 25, "end_value": 0.01}),
    ("warmup_exponential_decay_schedule",
     {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 5, "transition_steps": 40, "decay_rate": 0.5,
      "transition_begin": 10, "staircase": True, "end_value": 0.02}),
    ("piecewise_interpolate_schedule",
     {"interpolate_type": "linear", "init_value": 0.1, "boundaries_and_scales": {50: 2.0, 20: 0.5, 120: 0.1}}),
    ("piecewise_interpolate_schedule",
     {"interpolate_type": "cosine", "init_value": 0.1, "boundaries_and_scales": {0: 2.0, 70: 0.5}}),
    ("cosine_onecycle_schedule", {"transition_steps": 150, "peak_value": 0.1, "pct_start": 0.5, "div_factor": 10.0}),
    ("linear_onecycle_schedule", {"transition_steps": 3, "peak_value": 0.1}),
    ("sgdr_schedule",
     {"cosine_kwargs": [{"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 5, "decay_steps": 30},
                        {"init_value": 0.01, "peak_value": 0.05, "warmup_steps": 10, "decay_steps": 90, "end_value": 0.02}]}),
]  # fmt: skip


@pytest.mark.parametrize("case", SCHEDULES, ids=label)
def test_schedules_of_optax(case):
    optax = pytest.importorskip("optax")
    name, options = case
    theirs, ours = getattr(optax, name)(**options), getattr(P.optax, name)(**options)
    found = [ours(step) for step in range(200)]
    want = np.broadcast_to(pytest.importorskip("jax").vmap(theirs)(np.arange(200)), (200,))
    np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-17)
    assert all(isinstance(value, float) for value in found)


def test_joined_schedules_of_optax():
    optax = pytest.importorskip("optax")
    ours, theirs = (
        m.join_schedules(
            [m.linear_schedule(0.1, 0.0, 60), m.exponential_decay(0.1, 7, 0.5), m.constant_schedule(0.3)], [50, 90]
        )
        for m in (P.optax, optax)
    )
    steps = (0, 1, 49, 50, 51, 89, 90, 91, 199)
    np.testing.assert_allclose([ours(step) for step in steps], [float(theirs(step)) for step in steps], rtol=1e-12)


TORCH_SCHEDULES = [
    ("StepLR", {"step_size": 7, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [5, 20, 150], "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [20, 5, 20]}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.5, "total_iters": 100}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.1, "end_factor": 0.7, "total_iters": 130}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("PolynomialLR", {}),
    ("PolynomialLR", {"total_iters": 150, "power": 2.0}),
    ("CosineAnnealingLR", {"T_max": 180}),
    ("CosineAnnealingLR", {"T_max": 20, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 7, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 3}),
    ("OneCycleLR", {"total_steps": 200}),
    ("OneCycleLR", {"epochs": 20, "steps_per_epoch": 10, "pct_start": 0.5, "div_factor": 10.0, "final_div_factor": 100.0}),
    ("OneCycleLR", {"total_steps": 200, "anneal_strategy": "linear", "pct_start": 0.4, "three_phase": True}),
]


@pytest.mark.parametrize("case", TORCH_SCHEDULES, ids=label)
def test_schedules_of_torch(case):
    torch = pytest.importorskip("torch")
    name, options = case
    cycle = name == "OneCycleLR"
    ours = getattr(P.torch, name)(0.1, **options)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    first = {"max_lr": 0.1, "cycle_momentum": False} if cycle else {}
    scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **first, **options)
    expected = []
    for step in range(200):
        expected.append(scheduler.get_last_lr()[0])
        optimizer.step()
        if step < 199:
            scheduler.step()
    # PyTorch's are recursions, whose rounding grows where the rate goes through zero.
    np.testing.assert_allclose([ours(step) for step in range(200)], expected, rtol=1e-10, atol=1e-16)


@pytest.mark.parametrize(
    "options", [{}, {"threshold_mode": "abs", "threshold": 0.1}, {"cooldown": 3}, {"mode": "max"}, {"min_lr": 0.02}]
)
def test_plateau_of_torch(options):
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(3).normal(size=40).cumsum()
    p = torch.zeros(1, requires_grad=True)
    theirs = torch.optim.SGD([p], lr=0.1)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, factor=0.5, patience=2, **options)
    optimizer = ud.optim.reduce_on_plateau(
        ud.optim.SGD(0.1),
        0.5,
        2,
        threshold=options.get("threshold", 1e-4),
        relative=options.get("threshold_mode") != "abs",
        cooldown=options.get("cooldown", 0),
        smallest=options.get("min_lr", 0.0) / 0.1,
        maximize=options.get("mode") == "max",
    )
    x = np.zeros(1)
    state = optimizer.init(x)
    scales = []
    for value in values:
        scheduler.step(value)
        _, state = optimizer.step(x, x, state, value=value)
        scales.append(state["scale"])
        assert 0.1 * scales[-1] == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-6)
    assert len(set(scales)) > 2
