"""States move to torch.optim and optax and back in the middle of a path, which goes on as if nothing had happened."""

import numpy as np
import pytest

import unidiff as ud
from tests.optim.test_peers import OPTAX, TORCH, label

P = ud.optim.presets
SHAPES = ((3, 2), (4,))
STEPS = 4


def start():
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in SHAPES]


def gradient(x, k):
    return x * (1.0 + 0.3 * k) + np.sin(x * 3.0)


def steps(optimizer, params, state, first):
    for k in range(first, first + STEPS):
        grads = [ud.asarray(gradient(ud.to_numpy(p), k), backend=ud.get_backend(p).name) for p in params]
        params, state = optimizer.step(params, grads, state)
    return params, state


def assert_close(found, want, **tolerance):
    for x, y in zip(ud.to_numpy(found), want, strict=True):
        np.testing.assert_allclose(x, y, **{"rtol": 1e-10, "atol": 1e-12, **tolerance})


# --- torch


class Torch:
    """An optimizer of torch.optim and its parameters."""

    def __init__(self, name, options, params):
        torch = pytest.importorskip("torch")
        self.params = [torch.tensor(np.asarray(p), requires_grad=True) for p in params]
        self.optimizer = getattr(torch.optim, name)(self.params, **options)

    def steps(self, first):
        for k in range(first, first + STEPS):
            for p in self.params:
                p.grad = p.detach().clone()
                p.grad.copy_(ud.asarray(gradient(p.detach().numpy(), k), backend="torch"))
            self.optimizer.step()
        return [p.detach().numpy().copy() for p in self.params]

    def load(self, state):
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})


@pytest.fixture
def double_by_default():
    torch = pytest.importorskip("torch")
    torch.set_default_dtype(torch.float64)  # in which PyTorch keeps the product of NAdam's momenta
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double_by_default")
@pytest.mark.parametrize("case", TORCH, ids=label)
def test_from_torch_and_back(case):
    name, options = case
    optimizer = getattr(P.torch, name)(**options)
    theirs = Torch(name, options, start())
    middle = theirs.steps(0)
    state = P.torch.from_state(optimizer, middle, theirs.optimizer.state_dict()["state"], step=STEPS)
    end = theirs.steps(STEPS)
    found, state = steps(optimizer, middle, state, STEPS)
    assert_close(found, end)
    other = Torch(name, options, found)
    other.load(ud.to_backend(P.torch.to_state(optimizer, state), "torch"))
    assert_close(other.steps(2 * STEPS), theirs.steps(2 * STEPS))


@pytest.mark.parametrize("library", ["numpy", "torch", "jax", "array_api_strict"])
def test_a_state_on_any_library(library):
    if library not in ud.backends():
        pytest.skip("is not installed")
    optimizer = P.torch.AdamW(0.1)
    params = [ud.asarray(p, backend=library) for p in start()]
    params, state = steps(optimizer, params, optimizer.init(params), 0)
    moved = P.torch.to_state(optimizer, state)
    assert all(ud.get_backend(x).name == library for held in moved.values() for x in held.values())
    again = P.torch.from_state(optimizer, params, moved)
    for x, y in zip(ud.tree.leaves(again), ud.tree.leaves(state), strict=True):
        assert type(x) is type(y)
        np.testing.assert_array_equal(ud.to_numpy(x), ud.to_numpy(y))
    if library == "numpy":
        arrays = [*ud.tree.leaves(state), *ud.tree.leaves(again), *(x for held in moved.values() for x in held.values())]
        arrays = [x for x in arrays if isinstance(x, np.ndarray)]
        assert not any(np.shares_memory(x, y) for k, x in enumerate(arrays) for y in arrays[:k])


def test_before_the_first_step():
    optimizer, params = P.torch.Adam(), start()
    assert P.torch.to_state(optimizer, optimizer.init(params)) == {}
    assert P.torch.from_state(optimizer, params, {})["step"] == 0
    plain = P.torch.SGD(0.1)
    assert P.torch.from_state(plain, params, {0: {"momentum_buffer": None}, 1: {}}, step=5) == {"step": 5}
    assert_close(steps(plain, params, {"step": 5}, 0)[0], Torch("SGD", {"lr": 0.1}, params).steps(0))


# --- optax


class Optax:
    """An optimizer of optax and its parameters."""

    def __init__(self, name, options, params):
        optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
        self.transformation, self.asarray = getattr(optax, name)(**options), jax.numpy.asarray
        self.params = [self.asarray(p) for p in params]
        self.state = self.transformation.init(self.params)
        self.update = jax.jit(self.transformation.update)

    def steps(self, first):
        for k in range(first, first + STEPS):
            grads = [self.asarray(gradient(np.asarray(p), k)) for p in self.params]
            changes, self.state = self.update(grads, self.state, self.params)
            self.params = [p + u for p, u in zip(self.params, changes, strict=True)]
        return [np.array(p) for p in self.params]


@pytest.mark.parametrize("case", [case for case in OPTAX if case[0] != "muon"], ids=label)
def test_from_optax_and_back(case):
    name, options = case
    optimizer = getattr(P.optax, name)(**options)
    theirs = Optax(name, options, start())
    middle = theirs.steps(0)
    state = P.optax.from_state(optimizer, middle, theirs.state)
    end = theirs.steps(STEPS)
    tolerance = 1e-6 if name == "adafactor" else 1e-11  # whose decay is of single precision there
    found, state = steps(optimizer, middle, state, STEPS)
    assert_close(found, end, rtol=tolerance)
    theirs.params = [theirs.asarray(p) for p in found]
    theirs.state, held = P.optax.to_state(optimizer, state, theirs.state), theirs.state
    pairs = zip(ud.tree.leaves(theirs.state), ud.tree.leaves(held), strict=True)
    assert all((x.shape, x.dtype) == (y.shape, y.dtype) for x, y in pairs)
    assert_close(steps(optimizer, found, state, 2 * STEPS)[0], theirs.steps(2 * STEPS), rtol=tolerance)


def test_what_does_not_fit_is_refused():
    params, errors = start(), ud.errors
    adam = P.torch.Adam()
    state = adam.step(params, params, adam.init(params))[1]
    theirs = P.torch.to_state(adam, state)
    cases = [
        (lambda: P.torch.to_state(ud.optim.Lion(), state), errors.ArgumentError, "Lion"),
        (lambda: P.torch.from_state(ud.optim.chain(adam, adam), params, theirs), errors.ArgumentError, "Chain"),
        (lambda: P.torch.from_state(adam, params[:1], theirs), errors.ArgumentError, "1 parameters"),
        (lambda: P.torch.from_state(adam, params[::-1], theirs), errors.ShapeError, r"exp_avg of params\[0\]"),
        (lambda: P.torch.from_state(adam, [p.astype("float32") for p in params], theirs), errors.DTypeError, "float32"),
        (lambda: P.torch.from_state(P.torch.Adagrad(), params, theirs), errors.ArgumentError, "no 'sum'"),
        (
            lambda: P.torch.from_state(adam, params, {0: theirs[0], 1: theirs[1] | {"step": 7}}),
            errors.ArgumentError,
            "partition",
        ),
        (lambda: P.optax.to_state(P.optax.rprop(0.1), {}, ()), errors.ArgumentError, "Rprop"),
        (lambda: P.optax.to_state(P.optax.adam(0.1), state, ()), errors.ArgumentError, "no place"),
        (lambda: P.optax.from_state(P.optax.adam(0.1), params, ()), errors.ArgumentError, "no 'mu'"),
    ]
    for call, error, words in cases:
        with pytest.raises(error, match=words):
            call()
