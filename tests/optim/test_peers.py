"""The same paths as torch.optim and optax, for every algorithm that they share."""

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
    ("ASGD", {}),
    ("ASGD", {"lr": 1e-3, "lambd": 0.1, "alpha": 0.5, "t0": 5, "weight_decay": 0.1}),
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
    ("Adam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "amsgrad": True}),
    ("AdamW", {"lr": 0.05, "amsgrad": True, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 1e-3, "momentum": 0.5, "weight_decay": 0.1, "eps": 0.1, "alpha": 0.5}),
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.1, "weight_decay": 0.1, "eps": 0.1}),
]
DECAYED = {"Rprop": {}, "ASGD": {"lr": 1e-5, "weight_decay": 0.1}, "SGD": {"lr": 1e-5, "momentum": 0.9, "weight_decay": 0.1}}
TORCH += [  # of everything that can be maximized
    (name, {**DECAYED.get(name, {"lr": 1e-3, "weight_decay": 0.1}), "maximize": True})
    for name in dict.fromkeys(name for name, _ in TORCH)
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
    ("muon", {"learning_rate": 0.01, "ns_coeffs": "dion", "adaptive": True}),
    ("muon", {"learning_rate": 0.01, "preconditioning": "spectral", "ns_steps": 3}),
    ("muon", {"learning_rate": 0.01, "preconditioning": "aol", "ns_steps": 2}),
    ("muon", {"learning_rate": 0.01, "preconditioning": "schatten", "adaptive": True}),
    ("amsgrad", {"learning_rate": 0.05, "bias_correction_mu": False, "eps_root": 1e-3}),
    ("amsgrad", {"learning_rate": 0.05, "bias_correction_nu": False}),
    ("nadam", {"learning_rate": 0.05, "nesterov": False}),
    ("nadamw", {"learning_rate": 0.05, "nesterov": False, "weight_decay": 0.1}),
    ("radam", {"learning_rate": 1e-3, "nesterov": True, "b2": 0.9, "eps_root": 1e-3, "threshold": 4.5}),
    ("adafactor", {"learning_rate": 0.01, "factored": False, "min_dim_size_to_factor": 2, "clipping_threshold": None}),
    ("adafactor", {"learning_rate": 0.01, "multiply_by_parameter_scale": False, "decay_rate": 0.5, "eps": 1e-3}),
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


@pytest.mark.parametrize(("library", "dtype"), [("torch", "float64"), ("torch", "float32"), ("jax", "float64")])
@pytest.mark.parametrize("case", TORCH, ids=label)
def test_paths_of_torch_by_the_kernels_of_the_libraries(case, library, dtype):
    """Fused and foreach kernels, and compiled programs, against torch.optim itself, whose foreach form is taken."""
    if library not in ud.backends():
        pytest.skip("is not installed")
    name, options = case
    if library == "jax" and case is not next(other for other in TORCH if other[0] == name):
        pytest.skip("the program is the same but for its constants")
    tolerance = 2e-5 if dtype == "float32" else 1e-9 if name == "Adafactor" else 1e-11
    found = trajectory(getattr(P.torch, name)(**options), "matrix", FEW_STEPS, library, dtype)
    want = torch_path(name, options, "matrix", dtype, FEW_STEPS, foreach=True)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, want, rtol=tolerance, atol=tolerance / 10)


@pytest.mark.parametrize("case", TORCH, ids=label)
def test_paths_of_torch_in_single_precision(case):
    name, options = case
    found = trajectory(getattr(P.torch, name)(**options), "matrix", dtype="float32")
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, torch_path(name, options, "matrix", "float32"), rtol=2e-5, atol=2e-6)


def optax_path(name, options, problem, steps=60, dtype="float64"):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    start, gradient = PROBLEMS[problem]
    make = getattr(optax, name, None) or getattr(optax.contrib, name)
    transformation = make(**options)
    p, path = jax.numpy.asarray(start.astype(dtype)), []
    state = transformation.init(p)
    update = jax.jit(transformation.update)
    for _ in range(steps):
        changes, state = update(jax.numpy.asarray(gradient(np.asarray(p)).astype(dtype)), state, p)
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


@pytest.mark.parametrize("case", [case for k, case in enumerate(OPTAX) if case[0] not in dict(OPTAX[:k])], ids=label)
def test_paths_of_optax_in_single_precision(case):
    name, options = case
    found = trajectory(getattr(P.optax, name)(**options), "matrix", FEW_STEPS, dtype="float32")
    want = optax_path(name, options, "matrix", FEW_STEPS, "float32")
    assert found.dtype == want.dtype == "float32"
    np.testing.assert_allclose(found, want, rtol=2e-5, atol=2e-6)


COMPLEX = np.asarray([0.3 - 1.2j, 1.0 + 0.1j, 0.2 - 0.5j, 2.0 + 0.4j])


def complex_path(optimizer, steps=12):
    z, state = COMPLEX, optimizer.init(COMPLEX)
    for k in range(steps):
        z, state = optimizer.step(z, z * (1.0 + 0.5j * k), state)
    return z


@pytest.mark.parametrize("name", ["sgd", "adamw", "amsgrad", "nadam", "radam", "adamax", "rmsprop", "adagrad", "lion"], ids=str)
def test_complex_parameters_of_optax(name):
    """Squares of moduli, as everywhere but in optax's Adadelta."""
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    options = {"sgd": {"momentum": 0.9}, "rmsprop": {"centered": True, "momentum": 0.5}, "radam": {"b2": 0.9}}.get(name, {})
    transformation = getattr(optax, name)(0.05, **options)
    z = jax.numpy.asarray(COMPLEX)
    state = transformation.init(z)
    for k in range(12):
        changes, state = transformation.update(z * (1.0 + 0.5j * k), state, z)
        z = z + changes
    np.testing.assert_allclose(complex_path(getattr(P.optax, name)(0.05, **options)), z, rtol=1e-12)


@pytest.mark.parametrize("name", ["SGD", "AdamW", "RMSprop"])
def test_complex_parameters_of_torch_are_pairs_of_real_ones(name):
    torch = pytest.importorskip("torch")
    options = {"lr": 0.05, "weight_decay": 0.1}
    p = torch.tensor(COMPLEX, requires_grad=True)
    optimizer = getattr(torch.optim, name)([p], **options)
    make = getattr(P.torch, name)(**options)
    pairs = COMPLEX.view("float64")
    state = make.init(pairs)
    for k in range(12):
        p.grad = p.detach() * (1.0 + 0.5j * k)
        optimizer.step()
        gradient = pairs.view("complex128") * (1.0 + 0.5j * k)
        pairs, state = make.step(pairs, gradient.view("float64"), state)
    np.testing.assert_allclose(pairs.view("complex128"), p.detach().numpy(), rtol=1e-12)
    modulus = np.allclose(complex_path(make), p.detach().numpy(), rtol=1e-6)
    assert modulus == (name == "SGD")  # which has no second moment


LEAVES = {
    "a": ((2, 3), "float64"),
    "b": ((), "float32"),
    "c": ((0, 2), "float64"),
    "d": ((4,), "float32"),
    "e": ((1,), "float64"),
}
GROUPS = {
    "a": {"lr": 0.1, "weight_decay": 0.1},
    "b": {"lr": 0.01, "betas": (0.5, 0.9)},
    "c": {},
    "d": {"lr": 0.1, "amsgrad": True, "maximize": True},
    "e": {"eps": 0.1},
}


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_param_groups_of_torch(library):
    """Many groups of options of their own, with leaves of several dtypes, of no dimension and without elements, and None."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    start = {name: np.asarray(rng.normal(size=shape)).astype(dtype) for name, (shape, dtype) in LEAVES.items()}
    theirs = {name: torch.tensor(x, requires_grad=True) for name, x in start.items()}
    optimizer = torch.optim.Adam([{"params": [theirs[name]], **options} for name, options in GROUPS.items()])
    make = ud.optim.partition(lambda path, _: path[2:-2], {name: P.torch.Adam(**options) for name, options in GROUPS.items()})
    params = {name: ud.asarray(x, backend=library) for name, x in start.items()} | {"none": None}
    state = make.init(params)
    for k in range(20):
        for p in theirs.values():
            p.grad = p.detach() * (1.0 + k)
        optimizer.step()
        grads = {name: None if p is None else p * (1.0 + k) for name, p in params.items()}
        params, state = make.step(params, grads, state)
    for name, p in theirs.items():
        found = ud.to_numpy(params[name])
        assert (found.dtype, found.shape) == (start[name].dtype, start[name].shape)
        np.testing.assert_allclose(found, p.detach().numpy(), rtol=2e-5 if found.dtype == "float32" else 1e-12)


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


@pytest.mark.parametrize("name", ["SGD", "AdamW", "NAdam", "RMSprop"])
def test_a_schedule_along_a_path_of_torch(name):
    torch = pytest.importorskip("torch")
    options = {"SGD": {"momentum": 0.9, "nesterov": True}, "RMSprop": {"momentum": 0.9}}.get(name, {"weight_decay": 0.1})
    start, gradient = PROBLEMS["matrix"]
    p, path = torch.tensor(start, requires_grad=True), []
    optimizer = getattr(torch.optim, name)([p], lr=0.1, **options)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=5, T_mult=2)
    for _ in range(40):
        p.grad = torch.tensor(gradient(p.detach().numpy()))
        optimizer.step()
        scheduler.step()
        path.append(p.detach().numpy().copy())
    rate = P.torch.CosineAnnealingWarmRestarts(0.1, T_0=5, T_mult=2)
    found = trajectory(getattr(P.torch, name)(rate, **options), "matrix", 40)
    np.testing.assert_allclose(found, np.stack(path), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["sgd", "adamw", "nadam", "rmsprop", "lion"])
def test_a_schedule_along_a_path_of_optax(name):
    optax = pytest.importorskip("optax")
    options = {"sgd": {"momentum": 0.9, "nesterov": True}, "rmsprop": {"momentum": 0.9}}.get(name, {})
    schedules = {"init_value": 0.01, "peak_value": 0.1, "warmup_steps": 5, "decay_steps": 30}
    rates = [m.warmup_cosine_decay_schedule(**schedules) for m in (P.optax, optax)]
    found = trajectory(getattr(P.optax, name)(rates[0], **options), "matrix", 40)
    want = optax_path(name, {"learning_rate": rates[1], **options}, "matrix", 40)
    # optax computes the rate in single precision, from a count of 32 bits.
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["adamw", "nadamw", "adamaxw", "lion", "adadelta", "adafactor"])
def test_a_schedule_of_the_weight_decay_of_optax(name):
    pytest.importorskip("optax")
    decay, rate = ud.optim.Exponential(0.1, 0.9), ud.optim.Cosine(0.05, 30)
    options = {"learning_rate": rate, "weight_decay_rate" if name == "adafactor" else "weight_decay": decay}
    found = trajectory(getattr(P.optax, name)(**options), "matrix", FEW_STEPS)
    want = optax_path(name, options, "matrix", FEW_STEPS)
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)  # single precision there, as above
    without = trajectory(getattr(P.optax, name)(rate), "matrix", FEW_STEPS)
    assert np.abs(found - without).max() > 5e-5
    assert getattr(P.optax, name)(**options) == getattr(P.optax, name)(**options)


def test_rprop_of_optax_but_for_its_delay():
    """optax keeps in its state, as prev_updates, what it will have made of a gradient in the next step."""
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    options = {"learning_rate": 0.1, "eta_minus": 0.3, "eta_plus": 1.5, "max_step_size": 0.3}
    theirs, ours = optax.rprop(**options), P.optax.rprop(**options)
    x, update = np.zeros(6), jax.jit(theirs.update)
    held, state = theirs.init(x), ours.init(x)
    for g in np.random.default_rng(0).normal(size=(30, 6)):
        _, held = update(g, held, x)
        change, state = ours.update(g, state, x)
        np.testing.assert_allclose(change, -np.asarray(held[0].prev_updates), rtol=1e-14)
