"""A function of one library in a program of another has the values and derivatives that it has in its own."""

import threading

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
    "forward over forward": lambda f, x: ud.jacfwd(ud.jacfwd(loss(f)))(x),
    "hessian of vmap": lambda f, x: ud.hessian(lambda xs: ns(xs).sum(ud.vmap(loss(f))(xs)))(ns(x).stack([x, 2 * x])),
    "jit of hessian": lambda f, x: ud.jit(ud.hessian(loss(f)))(x),
    "hessian of jit": lambda f, x: ud.hessian(ud.jit(loss(f)))(x),
    "jit of vmap of grad": lambda f, x: ud.jit(ud.vmap(ud.grad(loss(f))))(ns(x).stack([x, 2 * x])),
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


def pointer(x):
    x = ud.to_numpy(x)
    return x.__array_interface__["data"][0]


def aligned(values):
    """Return an array whose memory JAX shares."""
    memory = np.empty(len(values) + 8)
    start = -memory.ctypes.data % 64 // 8
    memory[start : start + len(values)] = values
    return memory[start : start + len(values)]


def sharing(x):
    """Return a new object for the memory of an array, where its library makes one."""
    return x.detach() if hasattr(x, "detach") else ns(x).asarray(x[...])


def twice(y):
    return y, sharing(y)


RESULTS_IN_SHARED_MEMORY = {
    "the argument": lambda x: (x, x),
    "another object": lambda x: (sharing(x), sharing(x)),
    "parts": lambda x: (x[:4], x[2:]),
    "backwards": lambda x: (ns(x).flip(x), ns(x).permute_dims(ns(x).reshape(x, (2, 4)), (1, 0))),
    "one result twice": lambda x: twice(2 * x),
    "empty": lambda x: (x[:0], x[:0]),
}


@pytest.mark.parametrize("case", RESULTS_IN_SHARED_MEMORY)
def test_results_share_no_memory_with_arguments_nor_each_other(case, x, inner, backend):
    x = ud.asarray(aligned(np.arange(8.0)), backend=backend)
    results = ud.bridge(RESULTS_IN_SHARED_MEMORY[case], inner)(x)
    want = [ud.to_numpy(y).copy() for y in RESULTS_IN_SHARED_MEMORY[case](x)]
    for y, w in zip(results, want, strict=True):
        np.testing.assert_array_equal(ud.to_numpy(y), w)
    first, second = map(ud.to_numpy, results)
    assert not any(np.may_share_memory(y, z) for y, z in ((first, second), (first, ud.to_numpy(x)), (second, ud.to_numpy(x))))


def test_gradients_share_no_memory_with_cotangents_nor_each_other(x, inner, backend):
    x, ct = (ud.asarray(aligned(np.arange(8.0) + k), backend=backend) for k in range(2))
    _, pull = ud.vjp(ud.bridge(lambda x, y: x + y, inner), x, 2 * x)
    a, b, c = map(ud.to_numpy, (*pull(ct), ct))
    assert not any(np.may_share_memory(y, z) for y, z in ((a, b), (a, c), (b, c)))


def test_what_is_written_to_a_buffer_that_a_function_returned_is_not_seen_by_jax():
    pytest.importorskip("jax")
    for inner in ("numpy", "torch"):
        buffer = ud.asarray(aligned(np.ones(8)), backend=inner)
        y = ud.bridge(lambda x, buffer=buffer: buffer, inner)(ud.asarray(np.ones(2), backend="jax"))
        buffer[...] = 9.0
        np.testing.assert_array_equal(ud.to_numpy(y), np.ones(8))


def test_nothing_is_copied(x, inner, backend):
    seen = {}

    def g(x):
        y = 2 * x
        seen.update(x=pointer(x), y=y)
        return y

    x = ud.asarray(aligned(np.ones(16)), backend=backend)
    y = ud.bridge(g, inner)(x)
    if backend != "array_api_strict":  # which shares memory with nobody
        if backend != "jax" or not pointer(x) % 64:
            assert seen["x"] == pointer(x)
        if "jax" not in (inner, backend):  # whose arrays never change, so that the memory is that of one side only
            assert pointer(seen["y"]) == pointer(y)


def test_large_arrays_in_compiled_programs_of_several_threads():
    jnp = pytest.importorskip("jax.numpy")
    values, results = np.arange(300_000.0), []
    double = ud.jit(ud.bridge(lambda x: 2 * x, "numpy"))

    def work(k):
        for _ in range(4):
            results.append((k, np.asarray(double(double(jnp.asarray(values + k))))))  # noqa: PERF401  # filled by threads

    threads = [threading.Thread(target=work, args=(k,), daemon=True) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == 16  # a callback that waits for JAX waits forever
    for k, y in results:
        np.testing.assert_array_equal(y, 4 * (values + k))


def test_shapes_that_depend_on_values_are_refused_in_a_compiled_program():
    jnp = pytest.importorskip("jax.numpy")
    compiled = ud.jit(ud.bridge(lambda x: x[x > 0], "numpy"))
    with pytest.raises(Exception, match=r"float64\[1\].*float64\[2\]"):
        np.asarray(compiled(jnp.asarray([1.0, -1.0])))


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
