"""A function of one library in a program of another has the values and derivatives that it has in its own."""

import numpy as np
import pytest

import unidiff as ud

INNER = ("numpy", "torch", "jax")


@pytest.fixture(params=INNER)
def inner(request, backend):
    infos = ud.backends()
    if request.param not in infos or not infos[backend].arrays or request.param == backend:
        pytest.skip("there is nothing to bridge")
    return request.param


@pytest.fixture
def x(inner, backend):
    return ud.asarray(np.asarray([0.3, 0.7]), backend=backend)


def ns(x):
    return ud.array_namespace(x)


def f(p, n=3):
    return {"y": ns(p["a"]).sin(p["a"]) * p["b"] * int(n), "n": n}


def loss(f):
    def evaluated(x):
        y = f({"a": x, "b": 2 * x})["y"]
        return ns(y).sum(y**2)

    return evaluated


COMPOSITIONS = {
    "value": lambda f, x: loss(f)(x),
    "grad": lambda f, x: ud.grad(loss(f))(x),
    "jvp": lambda f, x: ud.jvp(loss(f), (x,), (x,)),
    "hessian": lambda f, x: ud.hessian(loss(f))(x),
    "reverse over reverse": lambda f, x: ud.jacrev(ud.grad(loss(f)))(x),
    "vmap of grad": lambda f, x: ud.vmap(ud.grad(loss(f)))(ns(x).stack([x, 2 * x])),
    "grad of vmap": lambda f, x: ud.grad(lambda xs: ns(xs).sum(ud.vmap(loss(f))(xs)))(ns(x).stack([x, 2 * x])),
    "jit of grad": lambda f, x: ud.jit(ud.grad(loss(f)))(x),
    "grad of jit": lambda f, x: ud.grad(ud.jit(loss(f)))(x),
}


@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_derivatives_are_those_of_the_function(composition, x, inner, check):
    if "jit" in composition and not ud.get_backend(x).info.capabilities.jit:
        pytest.skip("compiles nothing")
    evaluate = COMPOSITIONS[composition]
    check(evaluate(ud.bridge(f, inner), x), ud.to_numpy(evaluate(f, x)), rtol=1e-12)


def test_a_compiled_bridge_is_evaluated_in_each_run(x, inner, check):
    if not ud.get_backend(x).info.capabilities.jit:
        pytest.skip("compiles nothing")
    gradient = ud.jit(ud.grad(loss(ud.bridge(f, inner))))
    check(gradient(x), ud.to_numpy(ud.grad(loss(f))(x)), rtol=1e-12)
    check(gradient(2 * x), ud.to_numpy(ud.grad(loss(f))(2 * x)), rtol=1e-12)


def test_the_function_gets_arrays_of_its_library_and_is_called_once(x, inner, backend, check):
    calls = []

    def g(x, scale, name):
        calls.append((ud.get_backend(x).name, scale, name))
        return x * scale, {"name": name, "doubled": 2 * x}

    bridged = ud.bridge(g, inner, has_aux=True)

    def total(x):
        y, aux = bridged(x, scale=3.0, name="n")
        return ns(y).sum(y), aux

    gradient, aux = ud.grad(total, has_aux=True)(x)
    assert calls == [(inner, 3.0, "n")]
    check(gradient, np.asarray([3.0, 3.0]))
    assert aux["name"] == "n"
    check(aux["doubled"], 2 * ud.to_numpy(x))


def test_auxiliary_output_has_derivative_zero(x, inner, check):
    bridged = ud.bridge(lambda x: (x, x), inner, has_aux=True)

    def total(x):
        y, aux = bridged(x)
        return ns(y).sum(y * aux)

    check(ud.grad(total)(x), ud.to_numpy(x))


def test_complex_numbers_and_single_precision(x, inner, backend, check):
    z = ud.asarray(np.asarray([1 + 2j, 3 - 1j], dtype="complex64"), backend=backend)

    def total(f):
        return lambda z: ns(z).sum(ns(z).real(f(z) * (1 + 3j)))

    for g in (lambda z: z * z, lambda z: ns(z).conj(z) * z):
        want = ud.to_numpy(ud.grad(total(g))(z))
        check(ud.grad(total(ud.bridge(g, inner)))(z), want, dtype="complex64")


def test_results_share_no_memory_with_arguments(x, inner, backend):
    if not ud.get_backend(x).info.capabilities.mutation:
        pytest.skip("arrays are immutable")
    for g in (lambda x: x, lambda x: x[:1]):
        y = ud.bridge(g, inner)(x)
        y[...] = 9.0
        assert float(x[0]) == 0.3


def pointer(x):
    x = ud.to_numpy(x)
    return x.__array_interface__["data"][0]


def test_nothing_is_copied(x, inner, backend):
    seen = {}

    def g(x):
        y = 2 * x
        seen.update(x=pointer(x), y=y)
        return y

    memory = np.ones(16 + 8)
    start = -memory.ctypes.data % 64 // 8  # JAX shares memory that is aligned
    x = ud.asarray(memory[start : start + 16], backend=backend)
    y = ud.bridge(g, inner)(x)
    if backend != "array_api_strict":  # which shares memory with nobody
        assert seen["x"] == pointer(x)
        if inner != "jax":  # whose arrays must not be written to, so that the caller gets a copy
            shared = pointer(seen["y"]) == pointer(y)
            assert shared or (backend == "jax" and pointer(seen["y"]) % 64)


def test_arrays_of_the_own_library_pass_through(backend):
    if not ud.backends()[backend].arrays:
        pytest.skip("works on arrays of other backends")
    x = ud.asarray(np.asarray([1.0, 2.0]), backend=backend)
    assert ud.bridge(lambda x: x, backend)(x) is x


def test_a_module_with_parameters_of_its_own():
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(2, 1, dtype=torch.float64)
    x, weight = np.asarray([0.5, -1.0]), module.weight.detach().numpy()
    np.testing.assert_allclose(ud.grad(lambda x: ud.bridge(module, "torch")(x).sum())(x), weight[0])
    assert module.weight.grad is None
    call = ud.bridge(lambda p, x: torch.func.functional_call(module, p, (x,)), "torch")
    parameters = {name: p.detach().numpy() for name, p in module.named_parameters()}
    gradient = ud.grad(lambda p: call(p, x).sum())(parameters)
    np.testing.assert_allclose(gradient["weight"], x[None, :])
    np.testing.assert_allclose(gradient["bias"], [1.0])


def test_misuse():
    with pytest.raises(ud.errors.ArgumentError, match="callable"):
        ud.bridge(3, "numpy")
    with pytest.raises(ud.errors.UnknownBackendError, match="nowhere"):
        ud.bridge(np.sin, "nowhere")
    with pytest.raises(ud.errors.ArgumentError, match="no arrays of its own"):
        ud.bridge(np.sin, "finite")
    torch = pytest.importorskip("torch")
    with pytest.raises(ud.errors.MixedBackendsError, match="output"):
        ud.bridge(lambda x: x.numpy(), "torch")(np.ones(2))
    with pytest.raises(ud.errors.NotAnArrayError, match="output"):
        ud.bridge(lambda x: "text", "torch")(np.ones(2))
    with pytest.raises(ud.errors.ArgumentError, match="aux"):
        ud.bridge(torch.sin, "torch", has_aux=True)(np.ones(2))
    with pytest.raises(ZeroDivisionError):
        ud.bridge(lambda x: 1 // 0, "torch")(np.ones(2))


@pytest.mark.parametrize("steps", [3, 200])
def test_a_bridge_within_loops_and_branches(steps, x, inner, backend, check):
    if "jax" in (backend, inner):
        pytest.skip("each costs compilations")

    def half(x):
        return 0.5 * ns(x).sin(x)

    def total(half):
        def f(x):
            last = ud.scan(lambda c, _: (half(c) + x, None), x, None, length=steps)[0]
            return ns(x).sum(ud.cond(x[0] > 0, half, lambda y: y, last))

        return f

    bridged = total(ud.bridge(half, inner))
    check(ud.grad(bridged)(x), ud.to_numpy(ud.grad(total(half))(x)), rtol=1e-12)
    check(ud.jit(ud.grad(bridged))(x), ud.to_numpy(ud.grad(total(half))(x)), rtol=1e-12)
