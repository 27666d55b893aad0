"""The JAX backend: the flat contract, the conventions at its boundary, devices, dtypes and threads."""

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest

import unidiff as ud

jax = pytest.importorskip("jax")
jnp = jax.numpy

REAL = ("bfloat16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
TOLERANCE = {"bfloat16": 2e-2, "float32": 1e-5, "complex64": 1e-5, "float64": 1e-12, "complex128": 1e-12}


@pytest.fixture(autouse=True)
def _wide_numbers():
    with jax.enable_x64(True):
        yield


@pytest.fixture
def backend():
    return ud.get_backend("jax").backend


def run(code, **environment):
    """Run a program in a fresh interpreter in which every warning is an error; return what it prints."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def random(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.5, 2.0, shape)
    if "complex" in dtype:
        x = x + 1j * rng.uniform(-1.0, 1.0, shape)
    return jnp.asarray(x, dtype=dtype)


def close(actual, desired, dtype):
    assert actual.dtype == dtype
    desired = np.asarray(desired)
    wide = np.complex128 if np.iscomplexobj(desired) else np.float64
    np.testing.assert_allclose(
        np.asarray(actual).astype(wide), desired.astype(wide), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype]
    )


# --- the flat contract


@pytest.mark.parametrize("dtype", REAL + COMPLEX)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3)])
def test_derivatives_of_a_product_have_dtype_and_shape_of_the_primals(backend, dtype, shape):
    x, y, t, g = (random(shape, dtype, seed) for seed in range(4))
    outs, pullback = backend.vjp(lambda a, b: (a * b, a + b), (x, y))
    dx, dy = pullback((g, g))
    wide = [np.asarray(a).astype(np.complex128) for a in (x, y, t, g)]
    X, Y, T, G = wide if "complex" in dtype else [a.real for a in wide]
    close(outs[0], X * Y, dtype)
    close(dx, G * Y.conj() + G, dtype)
    close(dy, G * X.conj() + G, dtype)
    assert dx.shape == dy.shape == shape
    pushed = backend.jvp(lambda a, b: (a * b,), (x, y), (t, g))[1]
    close(pushed[0], T * Y + X * G, dtype)
    _, push = backend.linearize(lambda a, b: (a * b,), (x, y))
    close(push((t, g))[0], T * Y + X * G, dtype)
    close(push((g, t))[0], G * Y + X * T, dtype)


@pytest.mark.parametrize("dtype", COMPLEX)
def test_gradient_of_a_real_function_is_its_steepest_ascent(backend, dtype):
    z = jnp.asarray([1 + 2j, -3 + 0.5j], dtype=dtype)
    value, (gradient,) = backend.value_and_grad(lambda z: (jnp.sum(jnp.real(z * jnp.conj(z))),), (z,))
    assert value.dtype == ("float32" if dtype == "complex64" else "float64")
    close(gradient, 2 * np.asarray(z), dtype)


@pytest.mark.parametrize(
    "f", [lambda z: z**2, jnp.conj, jnp.abs, jnp.real, lambda z: jnp.fft.fft(z), lambda z: jnp.exp(z) * 2j]
)
def test_pullback_is_the_adjoint_in_the_real_inner_product(backend, f):
    z, u = random(4, "complex128"), random(4, "complex128", 1)
    outs, pullback = backend.vjp(lambda z: (f(z),), (z,))
    v = random(4, str(outs[0].dtype), 2)
    pushed = backend.jvp(lambda z: (f(z),), (z,), (u,))[1][0]
    left = np.real(np.vdot(v, pushed))
    right = np.real(np.vdot(pullback((v,))[0], u))
    np.testing.assert_allclose(left, right, rtol=1e-13)


def test_real_primal_through_complex_numbers_stays_real(backend):
    x = jnp.asarray([0.3, 0.7])
    _, (gradient,) = backend.value_and_grad(lambda x: (jnp.sum(jnp.imag(jnp.exp(1j * x))),), (x,))
    close(gradient, np.cos(np.asarray(x)), "float64")


@pytest.mark.parametrize("mode", ["jacfwd", "jacrev"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 2), (0,)])
def test_jacobian_blocks_have_the_shape_of_output_then_primal(backend, mode, shape):
    x, y = random(shape, "float64"), random((2,), "float64", 1)
    calls = []

    def f(x, y):
        calls.append(None)
        return (x * x, jnp.sum(x) * y), (jnp.sum(y),)

    outs, jac, aux = getattr(backend, mode)(f, (x, y), has_aux=True)
    assert len(calls) == 1
    assert float(aux[0]) == float(jnp.sum(y))
    n = x.size
    wanted = [
        [2 * np.diag(np.ravel(x)).reshape(shape * 2), np.zeros((*shape, 2))],
        [np.outer(y, np.ones(n)).reshape(2, *shape), np.eye(2) * float(jnp.sum(x))],
    ]
    for row, wanted_row, out in zip(jac, wanted, outs, strict=True):
        for block, wanted_block, primal in zip(row, wanted_row, (x, y), strict=True):
            assert block.shape == out.shape + primal.shape
            close(block, wanted_block, "float64")


@pytest.mark.parametrize("operation", ["vjp", "jvp", "value_and_grad", "linearize"])
@pytest.mark.parametrize("has_aux", [False, True])
def test_function_is_called_once_and_aux_is_free_of_tracing(backend, operation, has_aux):
    x, calls = random(3, "float64"), []

    def f(x):
        calls.append(type(x))
        outs = (jnp.sum(x * x),)
        return (outs, (x + 1,)) if has_aux else outs

    tangents = ((x,),) if operation == "jvp" else ()
    result = getattr(backend, operation)(f, (x,), *tangents, has_aux=has_aux)
    assert len(calls) == 1
    assert len(result) == 2 + has_aux
    if has_aux:
        np.testing.assert_array_equal(np.asarray(result[2][0]), np.asarray(x) + 1)


def test_integer_outputs_have_zero_derivatives_of_their_own_dtype(backend):
    x = random(3, "float64")

    def f(x):
        return x * x, x > 1, jnp.argmax(x)

    outs, tangents = backend.jvp(f, (x,), (x,))
    for out, tangent in zip(outs[1:], tangents[1:], strict=True):
        assert (tangent.dtype, tangent.shape) == (out.dtype, out.shape)
        assert not np.any(np.asarray(tangent))
    outs, pullback = backend.vjp(f, (x,))
    close(pullback((x, outs[1], outs[2]))[0], 2 * np.asarray(x) ** 2, "float64")
    _, push = backend.linearize(f, (x,))
    assert [t.dtype for t in push((x,))] == [out.dtype for out in outs]


def test_unused_inputs_have_zeros_and_an_array_given_twice_counts_twice(backend):
    x = random(3, "float64")
    _, (dx, dy, dz) = backend.value_and_grad(lambda a, b, c: (jnp.sum(a * b),), (x, x, x))
    close(dx, x, "float64")
    close(dy, x, "float64")
    close(dz, np.zeros(3), "float64")


# --- nesting


def forward(f):
    return lambda x: ud.jvp(f, (x,), (jnp.ones_like(x),))[1]


@pytest.mark.parametrize("modes", list(product((forward, ud.grad), repeat=3)))
def test_third_derivative_in_every_combination_of_modes(modes):
    def f(x):
        xp = ud.array_namespace(x)
        return xp.exp(2 * x) * xp.sin(x)

    for mode in modes:
        f = mode(f)
    x = jnp.asarray(0.7)
    z = (2 + 1j) ** 3 * np.exp((2 + 1j) * 0.7)  # exp(2x) sin(x) = Im exp((2+i)x)
    close(f(x), z.imag, "float64")


@pytest.mark.parametrize(("outer", "inner"), list(product((forward, ud.grad), repeat=2)))
def test_nested_derivatives_do_not_confuse_perturbations(outer, inner):
    assert float(outer(lambda x: x * inner(lambda y: x + y)(jnp.asarray(2.0)))(jnp.asarray(3.0))) == 1.0


@pytest.mark.parametrize("transform", [jax.jit, jax.grad, lambda f: lambda x: jax.vmap(f)(x[None])[0]])
def test_derivatives_inside_the_transforms_of_jax(transform):
    inner = ud.grad(lambda x: x**3)
    x = jnp.asarray(2.0)
    wanted = 12.0  # first derivative and second derivative alike
    assert float(transform(lambda x: inner(x))(x)) == wanted


def test_compiled_program_is_that_of_jax():
    def f(x, y):
        for _ in range(3):
            x = jnp.sin(x) * y + jnp.tanh(x @ x) * 0.5
        return jnp.sum(x)

    x = random((3, 3), "float64")
    for mine, native in ((ud.grad, jax.grad), (ud.value_and_grad, jax.value_and_grad)):
        assert str(jax.make_jaxpr(mine(f, (0, 1)))(x, x)) == str(jax.make_jaxpr(native(f, (0, 1)))(x, x))
        compiled = [jax.jit(g(f)).lower(x, x).compile().as_text() for g in (mine, native)]
        assert strip(compiled[0]) == strip(compiled[1])


def strip(program):
    """Leave out of a compiled program where its operations come from."""
    lines = [line.split(", metadata=")[0] for line in program.splitlines()]
    return [line for line in lines if line.startswith(("  %", "  ROOT", "%", "ENTRY"))]


def test_control_flow_may_depend_on_values():
    def f(x):
        return x * x if x > 0 else -x

    assert float(ud.grad(f)(jnp.asarray(3.0))) == 6.0
    assert float(ud.grad(f)(jnp.asarray(-3.0))) == -1.0
    assert float(forward(f)(jnp.asarray(3.0))) == 6.0


def test_leaked_tracer_raises_and_leaves_later_calls_clean():
    leaked = []
    ud.grad(lambda x: leaked.append(x) or x * x)(jnp.asarray(3.0))
    with pytest.raises(jax.errors.UnexpectedTracerError):
        ud.grad(lambda x: leaked[0] * x)(jnp.asarray(3.0))
    assert float(ud.grad(lambda x: x * x)(jnp.asarray(3.0))) == 6.0


def test_exception_of_the_function_passes_untouched():
    error = RuntimeError("mine")

    def f(x):
        raise error

    with pytest.raises(RuntimeError) as caught:
        ud.grad(f)(jnp.asarray(1.0))
    assert caught.value is error
    assert float(ud.grad(lambda x: x * x)(jnp.asarray(3.0))) == 6.0


def test_threads():
    def work(k):
        with jax.enable_x64(True):
            x = jnp.asarray(float(k))
            return float(ud.grad(lambda x: x * ud.grad(lambda y: x * y * y)(x))(x))  # x * 2 x**2

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(32))) == [6.0 * k**2 for k in range(32)]


# --- creation, conversion, dtypes


def test_arrays_of_traced_elements_keep_the_derivative():
    gradient = ud.grad(lambda x: jnp.sum(ud.asarray([x[0], x[1] * x[1], 2.0]) ** 2))(jnp.asarray([1.0, 2.0]))
    close(gradient, [2.0, 32.0], "float64")


def test_traced_arrays_do_not_leave():
    with pytest.raises(ud.errors.TracedConversionError, match="aux"):
        ud.grad(lambda x: ud.to_numpy(x).sum())(jnp.ones(2))
    with pytest.raises(ud.errors.UnidiffError):
        ud.grad(lambda x: jnp.sum(ud.get_backend("jax").from_dlpack(x)))(jnp.ones(2))


def test_conversion_shares_memory_where_it_can():
    source = np.arange(16.0)
    x = ud.to_backend(source, "jax")
    assert x.dtype == "float64"
    np.testing.assert_array_equal(ud.to_numpy(x), source)
    assert not ud.to_numpy(x).flags.writeable


@pytest.mark.parametrize("source", ["numpy", "torch"])
@pytest.mark.parametrize("convert", [lambda x: ud.asarray(x, backend="jax"), lambda x: ud.to_backend(x, "jax")])
def test_what_is_written_to_an_array_later_is_not_seen(convert, source):
    pytest.importorskip(source)
    for offset in range(8):  # one of which JAX would share
        memory = np.ones(64)[offset:]
        x = convert(ud.to_backend(memory, source))
        memory[...] = 2.0
        np.testing.assert_array_equal(ud.to_numpy(x), np.ones(64 - offset))


def test_what_is_written_to_a_tensor_made_of_an_array_is_not_seen():
    pytest.importorskip("torch")
    x = jnp.ones(64)
    ud.to_backend(x, "torch")[0] = 9.0
    np.testing.assert_array_equal(ud.to_numpy(x), np.ones(64))


@pytest.mark.parametrize("dtype", ["float64", "complex128", "int64", np.float64, jnp.float64, np.dtype("uint64")])
def test_wide_dtypes_raise_while_they_are_disabled(dtype):
    with jax.enable_x64(False), pytest.raises(ud.errors.DTypeError, match="JAX_ENABLE_X64"):
        ud.asarray([1, 2], backend="jax", dtype=dtype)


@pytest.mark.parametrize("convert", [lambda x: ud.asarray(x, backend="jax"), lambda x: ud.to_backend(x, "jax")])
def test_wide_arrays_raise_while_they_are_disabled(convert):
    with jax.enable_x64(False):
        with pytest.raises(ud.errors.DTypeError, match="JAX_ENABLE_X64"):
            convert(np.ones(2))
        assert convert(np.ones(2, np.float32)).dtype == "float32"


def test_numbers_without_a_dtype_take_the_default(backend):
    with jax.enable_x64(False):
        assert backend.asarray([1.0, 2.0]).dtype == "float32"
    assert backend.asarray([1.0, 2.0]).dtype == "float64"


def test_unknown_dtype_raises(backend):
    with pytest.raises(ud.errors.DTypeError, match="float63"):
        backend.asarray(1.0, dtype="float63")


def test_loading_the_backend_is_silent_and_changes_no_setting():
    out, err = run(
        """
        import jax
        before = (jax.config.jax_enable_x64, jax.config.jax_default_device)
        import unidiff as ud
        ud.get_backend("jax")
        x = ud.asarray([1.0, 2.0], backend="jax")
        print(ud.grad(lambda x: (x * x).sum())(x).dtype)
        assert before == (jax.config.jax_enable_x64, jax.config.jax_default_device)
        """,
        JAX_ENABLE_X64="0",
    )
    assert out == "float32\n"
    assert err == ""


# --- devices


def test_devices(backend):
    device = jax.devices()[0]
    assert device in backend.devices()
    assert backend.device(backend.asarray(1.0)) == device
    assert ud.to_device(jnp.ones(2), "cpu:0").device == jax.devices("cpu")[0]
    for unknown in ("cpu:99", "nonsense", "cpu:x", 3):
        with pytest.raises(ud.errors.DeviceError, match="no device"):
            backend.to_device(jnp.ones(2), unknown)


def test_device_of_a_traced_array(backend):
    x, seen = jnp.ones(2), []

    def f(x):
        seen.append(backend.device(x))
        return jnp.sum(x)

    ud.grad(f)(x)
    ud.jvp(f, (x,), (x,))
    jax.grad(jax.grad(lambda x: ud.grad(lambda y: f(y * x))(x)[0]))
    jax.jit(f)(x)
    assert seen == [x.device, x.device, None]


def test_results_stay_on_the_device_of_the_input():
    run(
        """
        import jax, jax.numpy as jnp, unidiff as ud
        first, second = jax.devices()
        x = jax.device_put(jnp.arange(3.0), second)
        y = jax.device_put(jnp.ones(3), second)

        def f(x, y):
            xp = ud.array_namespace(x)
            assert ud.device(x) == second
            made = xp.zeros(3), xp.ones_like(x), xp.arange(3.0), xp.asarray([1.0, 2.0, 3.0])
            assert all(ud.device(a) == second for a in made)
            explicit = xp.zeros(3, device=ud.device(x))
            return xp.sum(x * sum(made) + explicit)

        def results():
            yield ud.grad(f, argnums=(0, 1))(x, y)  # y is not used: zeros
            yield ud.value_and_grad(f)(x, y)
            out, pull = ud.vjp(f, x, y)
            yield out, pull(jnp.ones_like(out))
            yield ud.jvp(f, (x, y), (y, x))
            yield ud.linearize(f, x, y)[1](y, x)
            for jacobian in (ud.jacfwd, ud.jacrev, ud.hessian):
                yield jacobian(lambda x: x.sum() * x[0] if jacobian is ud.hessian else x * x.sum())(x)
            yield ud.hvp(lambda x: (x**3).sum(), (x,), (y,))

        for result in results():
            devices = {leaf.device for leaf in jax.tree.leaves(result)}
            assert devices == {second}, devices

        def moves(x):
            return ud.to_device(x * x, "cpu:0").sum()

        gradient = ud.grad(moves)(x)
        assert gradient.device == second
        assert (gradient == 2 * x).all()
        assert ud.grad(f)(jnp.arange(3.0) + jax.device_put(0.0, second), y).device == second
        assert jax.jit(ud.grad(lambda x: ud.grad(lambda x, c: (x**3 * c).sum())(x, y).sum()))(x).device == second
        assert jax.config.jax_default_device is None
        assert jnp.zeros(1).device == first
        """,
        XLA_FLAGS="--xla_force_host_platform_device_count=2",
    )


def test_tangents_on_another_device_raise_and_sharded_arrays_go_together():
    run(
        """
        import jax, jax.numpy as jnp, numpy as np, unidiff as ud
        first, second = jax.devices()
        x, t = jax.device_put(jnp.ones(4), second), jax.device_put(jnp.ones(4), first)
        for call in (
            lambda: ud.jvp(lambda x: 2 * x, (x,), (t,)),
            lambda: ud.linearize(lambda x: 2 * x, x)[1](t),
            lambda: ud.vjp(lambda x: {"y": 2 * x}, x)[1]({"y": t}),
        ):
            try:
                call()
            except ud.errors.MixedDevicesError as error:
                assert "cpu:0" in str(error) and "cpu:1" in str(error)
            else:
                raise AssertionError

        mesh = jax.sharding.Mesh(np.asarray(jax.devices()), ("i",))
        def on(*axes):
            return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes))

        batch = jax.device_put(jnp.arange(4.0), on("i"))
        weight = jax.device_put(jnp.float32(2.0), on())
        replicated = jax.device_put(jnp.arange(4.0), on())
        loss = lambda w, x: (w * x * x).sum()
        assert ud.grad(loss)(weight, batch) == 14
        gradients = ud.grad(loss, (0, 1))(2.0, batch)
        assert gradients[0] == 14 and (gradients[1] == 4 * batch).all()
        assert (ud.grad(loss, 1)(replicated, batch) == 2 * batch * batch).all()
        assert (ud.grad(lambda x: 3.0)(batch) == 0).all()
        out, tangent = ud.jvp(lambda x: (x * x, 3, 2.0), (batch,), (replicated,))
        assert (tangent[0] == 2 * batch * batch).all() and tangent[1:] == (0, 0)
        assert (ud.hessian(lambda x: (x**3).sum())(batch) == jnp.diag(6 * batch)).all()
        """,
        XLA_FLAGS="--xla_force_host_platform_device_count=2",
    )


def test_random_keys_are_no_numbers_but_travel(backend):
    x, key = jnp.ones(2), jax.random.key(0)
    assert ud.grad(lambda x, key: (x * jax.random.normal(key, (2,))).sum())(x, key).shape == (2,)
    assert (ud.grad(lambda x: (x.sum(), key), has_aux=True)(x)[1]) is not None
    with pytest.raises(ud.errors.DTypeError, match="key"):
        ud.grad(lambda key: 1.0)(key)
    with pytest.raises(ud.errors.DTypeError, match="has_aux"):
        ud.jvp(lambda x: (x, key), (x,), (x,))
