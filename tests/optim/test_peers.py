"""The same paths as torch.optim and optax, for every algorithm that they share, and the same defaults."""

import inspect

import numpy as np
import pytest

import unidiff as ud
from tests.optim.conftest import PROBLEMS, trajectory

P = ud.optim.presets

TORCH = [
    ("SGD", {"lr": 1e-3}),
    ("SGD", {"lr": 1e-3, "momentum": 0.9, "weight_decay": 0.1}),
    ("SGD", {"lr": 1e-3, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 1e-3, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 1e-3, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 1e-3, "momentum": 0.5, "dampening": 0.3, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.5, 0.9), "eps": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "weight_decay": 0.1, "eps": 0.1}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.01, "betas": (0.5, 0.9), "eps": 0.1}),
    ("Adamax", {"weight_decay": 0.1}),
    ("Adamax", {"betas": (0.5, 0.9), "eps": 0.1}),
    ("NAdam", {"lr": 0.05}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("NAdam", {"weight_decay": 0.1, "momentum_decay": 0.1, "betas": (0.5, 0.9), "eps": 0.1}),
    ("RAdam", {"lr": 1e-3}),
    ("RAdam", {"lr": 1e-3, "weight_decay": 0.1, "betas": (0.5, 0.9)}),
    ("RAdam", {"eps": 10.0, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RMSprop", {"lr": 1e-3}),
    ("RMSprop", {"lr": 1e-3, "centered": True, "momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 1e-3, "centered": True, "alpha": 0.9, "eps": 0.1}),
    ("RMSprop", {"lr": 1e-3, "momentum": 0.9}),
    ("Adagrad", {"weight_decay": 0.1, "eps": 0.1}),
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    ("Adadelta", {"weight_decay": 0.1}),
    ("Adadelta", {"rho": 0.5, "eps": 1e-2, "lr": 0.3}),
    ("Rprop", {}),
    ("Rprop", {"etas": (0.3, 1.5), "step_sizes": (1e-3, 0.1)}),
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.05, "beta2_decay": -0.5, "eps": (1e-4, 1e-2)}),
    ("Adafactor", {"lr": 0.05, "weight_decay": 0.1, "d": 1.5}),
]
OPTAX = [
    ("sgd", {"learning_rate": 1e-3}),
    ("sgd", {"learning_rate": 1e-3, "momentum": 0.9, "nesterov": True}),
    ("adam", {"learning_rate": 0.05, "eps_root": 1e-3}),
    ("adam", {"learning_rate": 0.05, "nesterov": True}),
    ("adamw", {"learning_rate": 0.05}),
    ("amsgrad", {"learning_rate": 0.05}),
    ("nadam", {"learning_rate": 0.05}),
    ("nadamw", {"learning_rate": 0.05, "weight_decay": 0.1}),
    ("radam", {"learning_rate": 1e-3, "eps": 10.0}),
    ("adamax", {"learning_rate": 0.05}),
    ("adamaxw", {"learning_rate": 0.05, "weight_decay": 0.1}),
    ("rmsprop", {"learning_rate": 1e-3}),
    ("rmsprop", {"learning_rate": 1e-3, "centered": True, "momentum": 0.9, "bias_correction": True, "initial_scale": 0.1}),
    ("rmsprop", {"learning_rate": 1e-2, "eps_in_sqrt": False, "eps": 0.1, "momentum": 0.5, "nesterov": True}),
    ("adagrad", {"learning_rate": 0.05}),
    ("adadelta", {"learning_rate": 1.0, "weight_decay": 0.1}),
    ("lion", {"learning_rate": 0.01}),
    ("adafactor", {"learning_rate": 0.01}),
    ("adafactor", {"learning_rate": 0.01, "momentum": 0.9, "weight_decay_rate": 1e-3, "min_dim_size_to_factor": 2}),
    ("muon", {"learning_rate": 0.01, "weight_decay": 0.1}),
    ("muon", {"learning_rate": 0.01, "consistent_rms": 0.2, "nesterov": False}),
]


def label(case):
    return f"{case[0]}-{'-'.join(case[1]) or 'defaults'}"


def torch_path(name, options, problem, dtype, steps=60, foreach=False):
    torch = pytest.importorskip("torch")
    start, gradient = PROBLEMS[problem]
    p = torch.tensor(start.astype(dtype), requires_grad=True)
    optimizer, path = getattr(torch.optim, name)([p], foreach=foreach, **options), []
    for _ in range(steps):
        p.grad = torch.tensor(gradient(p.detach().numpy()).astype(dtype))
        optimizer.step()
        path.append(p.detach().numpy().copy())
    return np.stack(path)


@pytest.fixture(autouse=True)
def double_by_default():
    # PyTorch keeps the product of NAdam's momenta in its default dtype.
    torch = pytest.importorskip("torch")
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("case", TORCH, ids=label)
def test_paths_of_torch(case, problem):
    name, options = case
    # Adafactor takes means, which are summed in another order.
    tolerance = 1e-9 if name == "Adafactor" else 1e-12
    found = trajectory(getattr(P.torch, name)(**options), problem)
    np.testing.assert_allclose(found, torch_path(name, options, problem, "float64"), rtol=tolerance, atol=1e-13)


FEW_STEPS = 15


@pytest.mark.parametrize("library", ["torch", "jax"])
@pytest.mark.parametrize("case", TORCH, ids=label)
def test_paths_of_torch_by_the_kernels_of_the_libraries(case, library):
    """Fused and foreach kernels, and compiled programs, against torch.optim itself, whose foreach form is taken."""
    if library not in ud.backends():
        pytest.skip("is not installed")
    name, options = case
    if library == "jax" and case is not next(other for other in TORCH if other[0] == name):
        pytest.skip("the program is the same but for its constants")
    tolerance = 1e-9 if name == "Adafactor" else 1e-11
    found = trajectory(getattr(P.torch, name)(**options), "matrix", FEW_STEPS, library)
    want = torch_path(name, options, "matrix", "float64", FEW_STEPS, foreach=True)
    np.testing.assert_allclose(found, want, rtol=tolerance, atol=1e-12)


@pytest.mark.parametrize("case", TORCH, ids=label)
def test_paths_of_torch_in_single_precision(case):
    name, options = case
    found = trajectory(getattr(P.torch, name)(**options), "matrix", dtype="float32")
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, torch_path(name, options, "matrix", "float32"), rtol=2e-5, atol=2e-6)


def optax_path(name, options, problem, steps=60):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    start, gradient = PROBLEMS[problem]
    make = getattr(optax, name, None) or getattr(optax.contrib, name)
    transformation = make(**options)
    p, path = jax.numpy.asarray(start), []
    state = transformation.init(p)
    update = jax.jit(transformation.update)
    for _ in range(steps):
        changes, state = update(jax.numpy.asarray(gradient(np.asarray(p))), state, p)
        p = optax.apply_updates(p, changes)
        path.append(np.asarray(p))
    return np.stack(path)


@pytest.mark.parametrize("case", OPTAX, ids=label)
def test_paths_of_optax_by_the_kernels_of_torch(case):
    if "torch" not in ud.backends():
        pytest.skip("is not installed")
    name, options = case
    make = getattr(P.optax, name)(**options)
    found, want = (trajectory(make, "matrix", FEW_STEPS, library) for library in ("torch", "numpy"))  # which is that of optax
    np.testing.assert_allclose(found, want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", OPTAX, ids=label)
def test_paths_of_optax(case):
    name, options = case
    # optax computes Adafactor's decay in single precision, whatever the dtype of the parameters.
    tolerance = 1e-6 if name == "adafactor" else 1e-11
    found = trajectory(getattr(P.optax, name)(**options), "matrix")
    np.testing.assert_allclose(found, optax_path(name, options, "matrix"), rtol=tolerance, atol=tolerance)


def test_muon_of_torch_up_to_its_low_precision():
    options = {"lr": 0.02, "adjust_lr_fn": "match_rms_adamw"}
    torch = pytest.importorskip("torch")
    start, gradient = PROBLEMS["matrix"]
    p = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.Muon([p], **options)
    for _ in range(10):
        p.grad = torch.tensor(gradient(p.detach().numpy()))
        optimizer.step()
    found = trajectory(P.torch.Muon(**options), "matrix", steps=10)[-1]
    np.testing.assert_allclose(found, p.detach().numpy(), atol=5e-3)
    assert np.abs(found - start).max() > 0.02


@pytest.mark.parametrize("name", P.torch.__all__)
def test_defaults_of_torch(name):
    torch = pytest.importorskip("torch")
    theirs = inspect.signature(getattr(torch.optim, name)).parameters
    for argument, parameter in inspect.signature(getattr(P.torch, name)).parameters.items():
        assert parameter.default == theirs[argument].default, argument


@pytest.mark.parametrize("name", P.optax.__all__)
def test_defaults_of_optax(name):
    optax = pytest.importorskip("optax")
    theirs = inspect.signature(getattr(optax, name, None) or getattr(optax.contrib, name)).parameters
    for argument, parameter in inspect.signature(getattr(P.optax, name)).parameters.items():
        assert parameter.default == theirs[argument].default, argument


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
]  # fmt: skip


@pytest.mark.parametrize("case", SCHEDULES, ids=label)
def test_schedules_of_optax(case):
    optax = pytest.importorskip("optax")
    name, options = case
    theirs, ours = getattr(optax, name)(**options), getattr(P.optax, name)(**options)
    found = [ours(step) for step in range(40)]
    np.testing.assert_allclose(found, [float(theirs(step)) for step in range(40)], rtol=1e-6)
    assert all(isinstance(value, float) for value in found)


TORCH_SCHEDULES = [
    (ud.optim.Step(0.1, 7, 0.5), "StepLR", {"step_size": 7, "gamma": 0.5}),
    (ud.optim.PiecewiseConstant(0.1, {5: 0.5, 20: 0.5}), "MultiStepLR", {"milestones": [5, 20], "gamma": 0.5}),
    (ud.optim.Exponential(0.1, 0.9), "ExponentialLR", {"gamma": 0.9}),
    (ud.optim.Polynomial(0.1, 0.0, 20, 2.0), "PolynomialLR", {"total_iters": 20, "power": 2.0}),
    (ud.optim.Polynomial(0.01, 0.1, 10), "LinearLR", {"start_factor": 0.1, "total_iters": 10}),
    (ud.optim.Cosine(0.1, 20, 0.01, hold=False), "CosineAnnealingLR", {"T_max": 20, "eta_min": 0.01}),
    (ud.optim.CosineRestarts(0.1, 7, 1, 0.01), "CosineAnnealingWarmRestarts", {"T_0": 7, "eta_min": 0.01}),
    (ud.optim.CosineRestarts(0.1, 4, 2), "CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2}),
    (ud.optim.CosineRestarts(0.1, 3, 3), "CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 3}),
    (ud.optim.OneCycle(0.1, 40), "OneCycleLR", {"max_lr": 0.1, "total_steps": 40}),
    (ud.optim.OneCycle(0.1, 40, kind="linear", rise=0.4, three_phases=True), "OneCycleLR",
     {"max_lr": 0.1, "total_steps": 40, "anneal_strategy": "linear", "pct_start": 0.4, "three_phase": True}),
    (ud.optim.join([0.05, 0.1], [10]), "ConstantLR", {"factor": 0.5, "total_iters": 10}),
]  # fmt: skip


@pytest.mark.parametrize("case", TORCH_SCHEDULES, ids=lambda case: f"{case[1]}-{'-'.join(case[2])}")
def test_schedules_of_torch(case):
    torch = pytest.importorskip("torch")
    ours, name, options = case
    p = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([p], lr=0.1)
    scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **options)
    expected = []
    for _ in range(40):
        expected.append(scheduler.get_last_lr()[0])
        optimizer.step()
        if len(expected) < 40:
            scheduler.step()
    np.testing.assert_allclose([ours(step) for step in range(40)], expected, rtol=1e-10, atol=1e-17)


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
