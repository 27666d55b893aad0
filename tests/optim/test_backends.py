"""One path on every backend, with and without native steps, in compiled programs and under derivatives."""

import numpy as np
import pytest

import unidiff as ud
from tests.optim.conftest import trajectory

O = ud.optim  # noqa: E741  # the optimizers are what this file is about
METHODS = [
    O.SGD(1e-3),
    O.SGD(1e-3, 0.9, weight_decay=0.1),
    O.SGD(1e-3, 0.9, dampening=0.5),
    O.SGD(O.Cosine(1e-3, 40), 0.9, nesterov=True, accumulate="steps"),
    O.Adam(O.Exponential(0.05, 0.9)),
    O.AdamW(0.05, weight_decay=0.1),
    O.AMSGrad(0.05),
    O.AMSGrad(0.05, corrected_maximum=True),
    O.Adamax(0.05),
    O.NAdam(0.05),
    O.RAdam(1e-3),
    O.RMSprop(1e-3, momentum=0.9, centered=True),
    O.Adagrad(0.05, learning_rate_decay=0.1),
    O.Adadelta(),
    O.Rprop(),
    O.Lion(1e-3),
    O.ASGD(O.Cosine(1e-3, 40), 0.1, begin=3),
    O.Adafactor(),
    O.Muon(1e-3),
    O.AMSGrad(0.05, weight_decay=0.1, decoupled_weight_decay=True, correct_first=False),
    O.AMSGrad(0.05, weight_decay=0.1, decoupled_weight_decay=True),
    O.RAdam(1e-3, b2=0.9, weight_decay=0.1, decoupled_weight_decay=True, nesterov=True),
]
VARIANTS = METHODS[-3:]
NATIVE = ("numpy", "torch", "jax")
EPS = {"float64": 2.3e-16, "float32": 1.2e-7}


def identifier(optimizer):
    fields = [str(value) for value in vars(optimizer).values() if isinstance(value, (bool, str))]
    return "-".join([type(optimizer).__name__, *fields])


@pytest.fixture(params=NATIVE)
def native(request):
    if request.param not in ud.backends():
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("optimizer", METHODS, ids=identifier)
def test_one_path_on_all_backends(optimizer, dtype, hide_native):
    """The reference kernel: to the bit but for roots and reductions, which PyTorch and JAX round in their own ways."""
    steps = 20
    for name in NATIVE:
        hide_native(name)
    if dtype == "float32" and type(optimizer).__name__ in {"Adafactor", "Muon", "RAdam"}:
        steps = 5
    reference = trajectory(optimizer, "matrix", steps, "numpy", dtype)
    exact = isinstance(optimizer, (O.SGD, O.Lion, O.Rprop))
    for name in set(ud.backends()) & {"torch", "array_api_strict"} | (
        {"jax"} & set(ud.backends()) if dtype == "float64" else set()
    ):
        found = trajectory(optimizer, "matrix", steps, name, dtype)
        assert found.dtype == dtype
        if exact or name == "array_api_strict":
            np.testing.assert_array_equal(found, reference)
        else:
            np.testing.assert_allclose(found, reference, rtol=64 * EPS[dtype] * steps, atol=16 * EPS[dtype] * steps)


def leaves(name, dtype):
    """Parameters of all kinds: large, small, of one shape, of no dimension, empty."""
    rng = np.random.default_rng(0)
    shapes = {"large": (70, 90), "none": (), "small": [(3,), (2, 2), (3,)], "empty": (0, 3)}

    def make(shape):
        x = rng.normal(size=shape) + (1j * rng.normal(size=shape) if dtype.startswith("complex") else 0.0)
        return ud.asarray(np.asarray(x).astype(dtype), backend=name)

    return lambda: {key: [make(s) for s in shape] if isinstance(shape, list) else make(shape) for key, shape in shapes.items()}


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
@pytest.mark.parametrize("optimizer", [m for m in METHODS if not isinstance(m, O.Muon)], ids=identifier)
def test_native_steps_agree_with_the_reference(optimizer, dtype, native, hide_native):
    if dtype.startswith("complex") and not optimizer.complex_parameters:
        pytest.skip("not defined for complex parameters")
    if native == "jax" and (dtype != "float64" or optimizer in VARIANTS):
        pytest.skip("the program is the same but for dtype and constants")
    make = leaves(native, dtype)
    params, *gradients = [make() for _ in range(4)]
    eps = EPS.get(dtype, EPS["float64"])

    def run(donate):
        p, s = ud.tree.map(lambda x: ud.get_backend(x).copy(x), params), optimizer.init(params)
        for g in gradients:
            p, s = optimizer.step(p, g, s, donate=donate)
        return p, s

    results = [run(donate=False), run(donate=True)]
    hide_native(native)
    expected = run(donate=False)
    for result in results:
        found, structure = ud.tree.flatten(result)
        assert structure == ud.tree.structure(expected)
        for x, y in zip(found, ud.tree.leaves(expected), strict=True):
            if isinstance(y, (int, float)):
                assert x == y
                continue
            assert x.dtype == y.dtype
            assert tuple(x.shape) == tuple(y.shape)
            x, y = ud.to_numpy((x, y))
            if native == "numpy":
                np.testing.assert_array_equal(x, y)
            else:
                np.testing.assert_allclose(x, y, rtol=48 * eps, atol=16 * eps * max(1.0, np.abs(y).max(initial=0)))


@pytest.mark.parametrize("optimizer", [O.Adam(0.1), O.SGD(0.1, 0.9), O.Adafactor()], ids=identifier)
def test_inputs_stay_and_results_own_their_memory(optimizer, native):
    make = leaves(native, "float64")
    params, grads = make(), make()
    state = optimizer.init(params)
    before = ud.tree.leaves(ud.to_numpy(ud.tree.map(lambda x: x * 1, (params, grads, state))))
    p, s = optimizer.step(params, grads, state)
    for x, y in zip(before, ud.tree.leaves(ud.to_numpy((params, grads, state))), strict=True):
        np.testing.assert_array_equal(x, y)
    if native == "jax":
        return
    arrays = [x for x in ud.tree.leaves(ud.to_numpy((params, grads, state, p, s))) if isinstance(x, np.ndarray)]
    for i, x in enumerate(arrays):
        assert not any(np.shares_memory(x, y) for y in arrays[i + 1 :])
    assert all(x.flags.writeable for x in ud.tree.leaves(ud.to_numpy(p)))


def test_donated_memory_is_reused_where_arrays_can_be_changed():
    for name in {"numpy", "torch"} & set(ud.backends()):
        p = ud.asarray(np.ones(5000), backend=name)
        optimizer = O.Adam()
        state = optimizer.init(p)
        assert optimizer.step(p, p * 1, state, donate=True)[0] is p
        assert optimizer.step(p, p * 1, optimizer.init(p))[0] is not p


def loss(p):
    xp = ud.array_namespace(p["w"])
    return 0.5 * xp.sum((p["w"] - 1.0) ** 2) + 0.5 * p["b"] ** 2


TRANSFORMED = [
    O.Adam(O.warmup(O.Cosine(0.1, 9), 3)),
    O.chain(O.clip_by_global_norm(1.0), O.RAdam(1e-2), O.weight_decay(0.1, O.OneCycle(0.1, 12))),
    O.accumulate(O.NAdam(0.1), 3),
    O.lookahead(O.average(O.Adafactor(0.1), 0.9), 3),
    O.reduce_on_plateau(O.SGD(O.CosineRestarts(0.01, 3, 2)), patience=2),
    O.chain(O.scale(O.PiecewiseConstant(-0.1, {4: 0.5})), O.trace(0.9)),
    O.partition({"w": 1, "b": 2}, {1: O.Muon(0.1), 2: O.SGD(O.Step(0.1, 3), 0.9)}),
]


@pytest.fixture
def problem(native):
    return {k: ud.asarray(np.asarray(v), backend=native) for k, v in {"w": np.arange(6.0).reshape(2, 3) + 2, "b": 2.0}.items()}


@pytest.mark.parametrize("optimizer", TRANSFORMED, ids=lambda o: type(o).__name__)
def test_compiled_steps_follow_the_same_path(optimizer, problem):
    def step(p, s):
        value, g = ud.value_and_grad(loss)(p)
        return optimizer.step(p, g, s, value=value)

    compiled = ud.jit(step)
    plain, traced = (problem, optimizer.init(problem)), (problem, optimizer.init(problem))
    for _ in range(8):
        plain, traced = step(*plain), compiled(*traced)
    for x, y in zip(ud.tree.leaves(ud.to_numpy(plain)), ud.tree.leaves(ud.to_numpy(traced)), strict=True):
        np.testing.assert_allclose(y, x, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "optimizer", [o for o in TRANSFORMED if not isinstance(o, type(TRANSFORMED[4]))], ids=lambda o: type(o).__name__
)
def test_derivative_through_steps(optimizer, problem):
    """By the scale of the learning rate and by the start, against central differences."""

    def after(scale, start):
        p = {"w": problem["w"] * start, "b": problem["b"] * start}
        state = optimizer.init(p)
        for _ in range(3):
            p, state = optimizer.step(p, ud.grad(loss)(p), state, scale=scale)
        return loss(p)

    one = problem["b"] * 0 + 1
    found = ud.grad(after, argnums=(0, 1))(one, one)
    h = 1e-5
    expected = [(after(one + a * h, one + b * h) - after(one - a * h, one - b * h)) / (2 * h) for a, b in ((1, 0), (0, 1))]
    for x, y in zip(found, expected, strict=True):
        assert float(x) == pytest.approx(float(y), rel=1e-5, abs=1e-7)


def test_many_starts_at_once(native):
    starts = ud.asarray(np.linspace(-1.0, 1.0, 6).reshape(3, 2), backend=native)
    optimizer = O.Adam(0.1)

    def descend(x):
        state = optimizer.init(x)
        for _ in range(3):
            x, state = optimizer.step(x, x * 2.0, state)
        return x

    together = ud.to_numpy(ud.vmap(descend)(starts))
    apart = np.stack([ud.to_numpy(descend(starts[k, ...])) for k in range(3)])
    np.testing.assert_allclose(together, apart, rtol=1e-14)


def test_torch_parameters_that_require_gradients():
    torch = pytest.importorskip("torch")
    p = torch.nn.Parameter(torch.ones(3))
    optimizer = O.Adam(0.1)
    recorded, _ = optimizer.step(p, torch.ones(3), optimizer.init(p))
    assert recorded.requires_grad
    with torch.no_grad():
        plain, _ = optimizer.step(p, torch.ones(3), optimizer.init(p))
    assert not plain.requires_grad
    torch.testing.assert_close(plain, recorded.detach())


def test_the_state_can_be_a_loop_carry(native):
    optimizer = O.SGD(0.1, 0.5)
    x = ud.asarray(np.asarray([1.0, 2.0]), backend=native)
    state = optimizer.init(x) | {"step": ud.asarray(0, backend=native)}
    final, _ = ud.fori_loop(0, 5, lambda _, c: optimizer.step(c[0], c[0] * 1.0, c[1]), (x, state))
    expected, held = x, optimizer.init(x)
    for _ in range(5):
        expected, held = optimizer.step(expected, expected * 1.0, held)
    np.testing.assert_allclose(ud.to_numpy(final), ud.to_numpy(expected), rtol=1e-14)
