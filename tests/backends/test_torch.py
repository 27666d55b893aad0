"""The PyTorch backend through the flat contract: nesting, isolation from the user's own derivatives, ownership, devices."""

import gc
import itertools
import math
import threading
import weakref

import mpmath
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from unidiff_backends.torch import TorchBackend  # noqa: E402  # after the check that torch is there

from unidiff import errors  # noqa: E402  # after the check that torch is there

BACKEND = TorchBackend()
XP = BACKEND.namespace()
F64 = torch.float64


def tensor(value, dtype=F64):
    return torch.tensor(value, dtype=dtype)


# Three ways to differentiate a function of one scalar, each a function again.
def by_grad(g):
    return lambda x: BACKEND.value_and_grad(lambda y: (g(y),), (x,))[1][0]


def by_vjp(g):
    def derivative(x):
        (y,), pullback = BACKEND.vjp(lambda y: (g(y),), (x,))
        return pullback((torch.ones_like(y),))[0]

    return derivative


def by_jvp(g):
    return lambda x: BACKEND.jvp(lambda y: (g(y),), (x,), (torch.ones_like(x),))[1][0]


def by_jacfwd(g):
    return lambda x: BACKEND.jacfwd(lambda y: (g(y),), (x,))[1][0][0]


def by_jacrev(g):
    return lambda x: BACKEND.jacrev(lambda y: (g(y),), (x,))[1][0][0]


MODES = {"grad": by_grad, "vjp": by_vjp, "jvp": by_jvp, "jacfwd": by_jacfwd, "jacrev": by_jacrev}
NESTINGS = [
    *itertools.product(MODES, repeat=1),
    *itertools.product(MODES, repeat=2),
    *itertools.product(("grad", "jvp"), repeat=3),
]


def nested(modes, g):
    for mode in modes:
        g = MODES[mode](g)
    return g


@pytest.mark.parametrize("modes", NESTINGS, ids="-".join)
def test_nested_derivatives_agree_with_mpmath(modes):
    derivative = nested(modes, lambda x: torch.exp(2 * x) * torch.sin(x) / (1 + x * x))
    with mpmath.workdps(40):
        expected = mpmath.diff(lambda t: mpmath.exp(2 * t) * mpmath.sin(t) / (1 + t * t), mpmath.mpf("0.7"), len(modes))
    result = derivative(tensor(0.7))
    assert result.item() == pytest.approx(float(expected), rel=1e-12)
    assert (result.dtype, result.shape, result.requires_grad) == (F64, (), False)


@pytest.mark.parametrize(("outer", "inner"), list(itertools.product(MODES, repeat=2)))
def test_levels_are_not_confused(outer, inner):
    # d/dx of x * d/dy (x + y) is 1, and of x * d/dy (x y^2) at y = 2 x is 12 x^2; the closures capture traced values.
    x = tensor(1.5)
    assert MODES[outer](lambda x: x * MODES[inner](lambda y: x + y)(x))(x).item() == 1
    assert MODES[outer](lambda x: x * MODES[inner](lambda y: x * y * y)(2 * x))(x).item() == pytest.approx(12 * 1.5**2)


@pytest.mark.parametrize("modes", [*itertools.product(("grad", "jvp"), repeat=3)], ids="-".join)
def test_perturbations_are_not_confused_over_three_levels(modes):
    # x * d/dy (y * d/dz (x y z)) at y = x is 2 x^2 * x, whose derivative is 6 x^2.
    first, second, third = (MODES[mode] for mode in modes)
    derivative = first(lambda x: x * second(lambda y: y * third(lambda z: x * y * z)(tensor(1.0)))(x))
    assert derivative(tensor(3.0)).item() == pytest.approx(6 * 9.0)


@pytest.mark.parametrize("mode", MODES)
def test_user_tape_outside(mode):
    x = tensor(0.5).requires_grad_()
    weight = tensor(2.0).requires_grad_()  # captured, not passed
    MODES[mode](lambda y: weight * y**3)(x).backward()
    assert x.grad.item() == pytest.approx(2 * 6 * 0.5)
    assert weight.grad.item() == pytest.approx(3 * 0.25)


@pytest.mark.parametrize("mode", MODES)
def test_captured_parameter_alone(mode):
    weight = tensor(2.0).requires_grad_()
    MODES[mode](lambda y: weight * y**3)(tensor(0.5)).backward()
    assert weight.grad.item() == pytest.approx(3 * 0.25)


@pytest.mark.parametrize("mode", MODES)
def test_no_gradient_accumulates_in_captured_parameters(mode):
    x, weight = tensor(0.5).requires_grad_(), tensor(2.0).requires_grad_()
    MODES[mode](lambda y: weight * y**3)(x)
    assert x.grad is None
    assert weight.grad is None


def test_module_parameters_are_reached_through_a_gradient_penalty():
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 1, dtype=F64)
    x = torch.randn(3, dtype=F64)
    BACKEND.value_and_grad(lambda x: (layer(x).sum(),), (x,))[1][0].square().sum().backward()
    torch.testing.assert_close(layer.weight.grad, 2 * layer.weight.detach())


OUTER = {
    "grad": lambda g, x: torch.func.grad(g)(x),
    "jvp": lambda g, x: torch.func.jvp(g, (x,), (torch.ones_like(x),))[1],
    "vmap of grad": lambda g, x: torch.func.vmap(torch.func.grad(g))(x[None])[0],
    "jacfwd": lambda g, x: torch.func.jacfwd(g)(x),
}


@pytest.mark.parametrize(("outer", "mode"), list(itertools.product(OUTER, MODES)))
def test_user_functorch_transform_outside(outer, mode):
    result = OUTER[outer](MODES[mode](lambda x: torch.sin(x) * x), tensor(0.3))
    assert result.item() == pytest.approx(2 * math.cos(0.3) - 0.3 * math.sin(0.3))


@pytest.mark.parametrize("mode", MODES)
def test_vmap_outside(mode):
    xs = torch.linspace(0, 1, 5, dtype=F64)
    torch.testing.assert_close(torch.func.vmap(MODES[mode](torch.sin))(xs), torch.cos(xs))


@pytest.mark.parametrize(("context", "mode"), list(itertools.product((torch.no_grad, torch.inference_mode), MODES)))
def test_inside_contexts_without_gradients(context, mode):
    x = tensor(0.3).requires_grad_()
    with context():
        made_inside = tensor(0.3)
        for y in (x, made_inside):
            result = MODES[mode](MODES["grad"](torch.sin))(y)
            assert result.item() == pytest.approx(-math.sin(0.3))
            assert not result.requires_grad


@pytest.mark.parametrize("mode", MODES)
def test_inference_tensor_outside_of_inference_mode(mode):
    with torch.inference_mode():
        x = tensor(0.3)
    assert MODES[mode](torch.sin)(x).item() == pytest.approx(math.cos(0.3))


def test_no_grad_inside_the_function_is_respected():
    def f(x):
        with torch.no_grad():
            constant = x * x
        return (constant * x,)

    assert BACKEND.value_and_grad(f, (tensor(3.0),))[1][0].item() == 9
    assert BACKEND.jvp(f, (tensor(3.0),), (tensor(1.0),))[1][0].item() == pytest.approx(27.0)  # forward mode knows no `no_grad`


@pytest.mark.parametrize("mode", MODES)
def test_pullback_is_differentiable_by_its_cotangent(mode):
    _, pullback = BACKEND.vjp(lambda x: (torch.sin(x),), (tensor(0.3),))
    result = MODES[mode](lambda ct: pullback((ct,))[0] ** 2)(tensor(2.0))
    assert result.item() == pytest.approx(2 * 2.0 * math.cos(0.3) ** 2)
    assert not result.requires_grad


def test_pullback_is_differentiable_by_the_point():
    x = tensor(0.3)

    def gradient(x):
        _, pullback = BACKEND.vjp(lambda y: (torch.sin(y),), (x,))
        return (pullback((tensor(1.0),))[0] + pullback((tensor(2.0),))[0],)

    assert BACKEND.vjp(gradient, (x,))[1]((tensor(1.0),))[0].item() == pytest.approx(-3 * math.sin(0.3))
    assert BACKEND.jvp(gradient, (x,), (tensor(1.0),))[1][0].item() == pytest.approx(-3 * math.sin(0.3))


def in_functorch(function):
    """Evaluate inside a functorch level that the function does not depend on, so that the other implementation runs."""
    results = []
    torch.func.jvp(lambda t: (results.append(function()), t)[1], (tensor(0.0),), (tensor(1.0),))
    return results[0]


@pytest.mark.parametrize("evaluate", [lambda function: function(), in_functorch], ids=["tape", "functorch"])
class TestContract:
    def test_function_is_called_once(self, evaluate):
        calls = []

        def f(x):
            calls.append(None)
            return (x.sum(),)

        x = torch.ones(3, dtype=F64)
        for run in (
            lambda: BACKEND.vjp(f, (x,))[1]((tensor(1.0),)),
            lambda: BACKEND.value_and_grad(f, (x,)),
            lambda: BACKEND.jvp(f, (x,), (x,)),
            lambda: BACKEND.jacfwd(f, (x,)),
            lambda: BACKEND.jacrev(f, (x,)),
        ):
            calls.clear()
            evaluate(run)
            assert len(calls) == 1

    def test_inputs_that_do_not_matter_have_zero_derivatives(self, evaluate):
        x, y = torch.ones(2, dtype=torch.float32), torch.ones((0, 3), dtype=torch.complex64)
        for f in (lambda x, y: (x.sum(),), lambda x, y: (tensor(1.0, torch.float32),)):
            _, grads = evaluate(lambda f=f: BACKEND.value_and_grad(f, (x, y)))
            assert [(g.shape, g.dtype, g.requires_grad) for g in grads] == [((2,), x.dtype, False), ((0, 3), y.dtype, False)]
        assert torch.equal(grads[0], torch.zeros(2))

    def test_outputs_of_every_kind(self, evaluate):
        x = tensor([1.0, 2.0])
        constant = tensor([5.0, 6.0])

        def f(x):
            return x, x > 1.5, torch.argmax(x), constant, x * x, x[:0], x.sum()

        expected = (x, x > 1.5, torch.argmax(x), constant, x * x, x[:0], x.sum())
        outs, pullback = evaluate(lambda: BACKEND.vjp(f, (x,)))
        cotangents = tuple(torch.ones_like(y) for y in outs)
        assert torch.equal(evaluate(lambda: pullback(cotangents))[0], 2 + 2 * x)
        jvp_outs, tangents = evaluate(lambda: BACKEND.jvp(f, (x,), (x,)))
        for y, z, e, t in zip(outs, jvp_outs, expected, tangents, strict=True):
            assert torch.equal(y, e)
            assert torch.equal(z, e)
            assert (t.shape, t.dtype) == (e.shape, e.dtype)
        assert not any(t.any() for t in tangents[1:4])

    def test_no_outputs(self, evaluate):
        x = tensor([1.0])
        outs, pullback = evaluate(lambda: BACKEND.vjp(lambda x: (), (x,)))
        assert outs == ()
        assert torch.equal(pullback(())[0], torch.zeros_like(x))
        assert evaluate(lambda: BACKEND.jvp(lambda x: (), (x,), (x,))) == ((), ())

    def test_same_tensor_twice(self, evaluate):
        x = tensor(3.0)
        _, grads = evaluate(lambda: BACKEND.value_and_grad(lambda x, y: (x * x * y,), (x, x)))
        assert [g.item() for g in grads] == [18, 9]

    def test_aux_is_free_of_tracing(self, evaluate):
        x = tensor(3.0)

        def f(x):
            return (x * x,), (x + 1, x > 0)

        for result in (
            evaluate(lambda: BACKEND.value_and_grad(f, (x,), has_aux=True)),
            evaluate(lambda: BACKEND.vjp(f, (x,), has_aux=True)),
            evaluate(lambda: BACKEND.jvp(f, (x,), (x,), has_aux=True)),
            evaluate(lambda: BACKEND.jacfwd(f, (x,), has_aux=True)),
            evaluate(lambda: BACKEND.jacrev(f, (x,), has_aux=True)),
        ):
            assert [a.item() for a in result[2]] == [4.0, True]
            assert not any(a.requires_grad for a in result[2])
            if evaluate is not in_functorch:
                assert [BACKEND.to_numpy(a).item() for a in result[2]] == [4.0, True]

    def test_pullback_may_be_called_again(self, evaluate):
        _, pullback = evaluate(lambda: BACKEND.vjp(lambda x: (torch.exp(x),), (tensor(0.0),)))
        assert [pullback((tensor(float(k)),))[0].item() for k in range(3)] == [0, 1, 2]

    def test_exception_of_the_function_comes_through(self, evaluate):
        error = KeyError("mine")

        def f(x):
            raise error

        for run in (
            lambda: BACKEND.vjp(f, (tensor(1.0),)),
            lambda: BACKEND.jvp(f, (tensor(1.0),), (tensor(1.0),)),
            lambda: BACKEND.jacfwd(f, (tensor(1.0),)),
        ):
            with pytest.raises(KeyError) as caught:
                evaluate(run)
            assert caught.value is error
        assert by_jvp(torch.sin)(tensor(0.0)).item() == 1  # and leaves nothing behind


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, F64, torch.complex64, torch.complex128], ids=str
)
def test_dtype_is_kept(dtype):
    x = torch.ones(3, dtype=dtype)
    f = lambda x: (torch.abs(x * x).sum(),)
    value, (gradient,) = BACKEND.value_and_grad(f, (x,))
    _, (tangent,) = BACKEND.jvp(f, (x,), (x,))
    assert gradient.dtype == dtype
    assert value.dtype == tangent.dtype == torch.abs(x).dtype


# f, a complex or real point, df/dx + i df/dy for real f, by hand
COMPLEX = [
    (lambda z: torch.abs(z) ** 2, 3 + 4j, 6 + 8j),
    (lambda z: (z * z).real, 1 + 2j, 2 - 4j),
    (lambda z: torch.angle(z), 3 + 4j, (-4 + 3j) / 25),
    (lambda x: torch.abs(torch.complex(x, x)) ** 2, 3.0, 12.0),
]


@pytest.mark.parametrize(("f", "point", "expected"), COMPLEX)
@pytest.mark.parametrize("evaluate", [lambda function: function(), in_functorch], ids=["tape", "functorch"])
def test_gradient_of_real_function_is_steepest_ascent(f, point, expected, evaluate):
    x = torch.tensor(point, dtype=torch.complex128 if isinstance(point, complex) else F64)
    _, (gradient,) = evaluate(lambda: BACKEND.value_and_grad(lambda z: (f(z),), (x,)))
    assert gradient.item() == pytest.approx(expected)


@pytest.mark.parametrize(("source", "f"), [
    (torch.complex128, lambda z: torch.exp(z) * z.conj()),
    (F64, lambda x: torch.exp(1j * x)),
    (torch.complex128, lambda z: z.real * torch.abs(z)),
])  # fmt: skip
def test_vjp_is_the_adjoint_of_jvp_in_the_real_inner_product(source, f):
    generator = torch.Generator().manual_seed(1)
    x, t = (torch.randn(4, dtype=source, generator=generator) for _ in range(2))
    (y,), (jt,) = BACKEND.jvp(lambda x: (f(x),), (x,), (t,))
    ct = torch.randn(4, dtype=y.dtype, generator=generator)
    (jct,) = BACKEND.vjp(lambda x: (f(x),), (x,))[1]((ct,))

    def inner(u, v):
        return (u.conj() * v).sum().real.item()

    assert inner(ct, jt) == pytest.approx(inner(jct, t), rel=1e-13)


SHARING = {
    "identity": lambda x, y: (x, y),
    "view": lambda x, y: (x[:1], y.reshape(1, 2)),
    "sum of both": lambda x, y: (x + y,),
    "sum of all": lambda x, y: (x.sum() + y.sum(),),
    "one output twice": lambda x, y: ((z := x * y), z),
    "detached": lambda x, y: (x.detach(), y * 1),
}


@pytest.mark.parametrize("name", SHARING)
def test_results_share_no_memory_and_are_writable(name):
    x, y = tensor([1.0, 2.0]), tensor([3.0, 4.0])
    outs, pullback = BACKEND.vjp(SHARING[name], (x, y))
    cotangents = tuple(torch.ones_like(out) for out in outs)
    jvp_outs, tangents = BACKEND.jvp(SHARING[name], (x, y), (x.clone(), y.clone()))
    results = [*outs, *pullback(cotangents), *pullback(cotangents), *jvp_outs, *tangents]
    storages = [z.untyped_storage().data_ptr() for z in (x, y, *cotangents, *results)]
    assert len(set(storages)) == len(storages)
    for k, z in enumerate(results):
        z.copy_(torch.full_like(z, k))
    for k, z in enumerate(results):
        assert (z == k).all()
    assert x.tolist() == [1, 2]
    assert y.tolist() == [3, 4]


def test_returned_constant_is_copied():
    constant = tensor([1.0])
    for outs in (
        BACKEND.vjp(lambda x: (constant, x), (tensor(1.0),))[0],
        BACKEND.jvp(lambda x: (constant, x), (tensor(1.0),), (tensor(1.0),))[0],
    ):
        outs[0].zero_()
    assert constant.item() == 1


def test_writing_to_the_argument_is_refused():
    def f(x):
        x[0] = 0
        return (x.sum(),)

    x = tensor([1.0, 2.0])
    with pytest.raises(RuntimeError, match="in-place"):
        BACKEND.value_and_grad(f, (x,))
    assert x.tolist() == [1, 2]
    with pytest.raises(errors.InPlaceError, match="copy"):
        BACKEND.jvp(f, (x,), (x.clone(),))


@pytest.mark.parametrize("mode", ["grad", "vjp", "jvp", "jacfwd", "jacrev"])
def test_writing_to_arrays_made_inside_is_differentiated(mode):
    def f(x):
        y = torch.zeros(2, dtype=x.dtype)
        y[1] = x * x
        y[0] = x * x * x
        return y.sum() if x > 0 else x

    assert MODES[mode](f)(tensor(2.0)).item() == pytest.approx(3 * 4 + 4)


@pytest.mark.parametrize("name", ["jacfwd", "jacrev"])
@pytest.mark.parametrize("chunk", [1, 6, 1 << 24])
def test_jacobian_blocks(name, chunk, monkeypatch):
    monkeypatch.setattr("unidiff_backends._torch.jacobian._CHUNK_ELEMENTS", chunk)
    x, y = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), tensor([7.0, 8.0])
    outs, jac = getattr(BACKEND, name)(lambda x, y: (y @ x, y * y, x[:0], y.sum()), (x, y))
    eye = torch.eye(2, dtype=F64)
    assert [out.shape for out in outs] == [(3,), (2,), (0, 3), ()]
    torch.testing.assert_close(jac[0][0], torch.einsum("i,jk->kij", y, torch.eye(3, dtype=F64)))
    torch.testing.assert_close(jac[0][1], x.T.contiguous())
    torch.testing.assert_close(jac[1][0], torch.zeros((2, 2, 3), dtype=F64))
    torch.testing.assert_close(jac[1][1], 2 * y[:, None] * eye)
    assert (jac[2][0].shape, jac[2][1].shape) == ((0, 3, 2, 3), (0, 3, 2))
    torch.testing.assert_close(jac[3][1], torch.ones(2, dtype=F64))


@pytest.mark.parametrize("name", ["jacfwd", "jacrev"])
def test_jacobian_of_empty_input(name):
    x = torch.empty((0, 2), dtype=F64)
    (out,), ((block,),) = getattr(BACKEND, name)(lambda x: (x.sum(0),), (x,))
    assert torch.equal(out, torch.zeros(2, dtype=F64))
    assert block.shape == (2, 0, 2)


def test_nothing_is_retained():
    alive = []

    def f(x):
        y = torch.exp(x)
        alive.append(weakref.ref(y))
        return (y.sum(),)

    gc.disable()
    try:
        BACKEND.value_and_grad(f, (tensor([1.0, 2.0]),))
        pullback = BACKEND.vjp(f, (tensor([1.0, 2.0]),))[1]
        pullback((tensor(1.0),))
        del pullback
        assert [ref() for ref in alive] == [None, None]
    finally:
        gc.enable()


def test_threads_do_not_disturb_each_other():
    failures: set[tuple[int, tuple[str, ...]]] = set()
    start = threading.Barrier(8)

    def work(k):
        x = tensor(0.1 * (k + 1))
        start.wait()
        for _ in range(20):
            for modes in itertools.product(("grad", "jvp"), repeat=2):
                if nested(modes, lambda x: torch.sin(k * x))(x).item() != pytest.approx(-k * k * math.sin(k * x.item())):
                    failures.add((k, modes))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == set()


@pytest.mark.parametrize("mode", MODES)
def test_stop_gradient_makes_a_constant(mode):
    x = tensor(3.0)
    assert MODES[mode](lambda x: BACKEND.stop_gradient(x) * x)(x).item() == 3
    assert MODES[mode](MODES["jvp"](lambda x: BACKEND.stop_gradient(x) * x))(x).item() == 0


# Devices and conversion. The meta device exists everywhere and shows where an array was created.


def test_results_stay_on_the_device_of_the_input():
    x = torch.empty((3,), device="meta")

    def f(x):
        xp = BACKEND.namespace(x)
        made = [xp.zeros(3), xp.arange(3), xp.asarray([1.0, 2.0, 3.0]), xp.full((3,), 2.0), xp.linspace(0, 1, 3)]
        made += [xp.ones(3, device=None), xp.empty(3), xp.eye(3)[0], xp.fft.fftfreq(3), xp.asarray(x)]
        assert {BACKEND.device(y).type for y in made} == {"meta"}
        assert BACKEND.device(xp.zeros(3, device="cpu")).type == "cpu"
        assert BACKEND.device(xp.asarray(torch.zeros(3))).type == "cpu"
        return (xp.sum(sum(made[1:4], x)),)

    value, (gradient,) = BACKEND.value_and_grad(f, (x,))
    _, (tangent,) = BACKEND.jvp(f, (x,), (x,))
    assert {value.device.type, gradient.device.type, tangent.device.type} == {"meta"}
    assert torch.get_default_device().type == "cpu"


def test_creation_keeps_the_default_dtype():
    xp = BACKEND.namespace(tensor([1.0]))
    assert xp.zeros(2).dtype == xp.asarray(1.0).dtype == torch.get_default_dtype()
    assert xp.zeros(2, dtype=xp.float64).dtype == F64


def test_namespace_follows_the_device_even_where_the_default_is_another_one():
    try:
        torch.set_default_device("meta")
        assert BACKEND.namespace(torch.zeros(2, device="cpu")).zeros(2).device.type == "cpu"
        assert BACKEND.namespace().zeros(2).device.type == "meta"
    finally:
        torch.set_default_device(None)


def test_namespace_is_a_module():
    import unidiff_backends.torch_namespace as module

    bound = BACKEND.namespace(tensor(1.0))
    assert BACKEND.namespace() is module
    assert bound is BACKEND.namespace(tensor(2.0))
    assert bound.__name__ == module.__name__ == "unidiff_backends.torch_namespace"
    assert hash(bound) != hash(module)
    assert {"sin", "linalg", "fft", "__array_namespace_info__", "relu"} <= set(dir(module))
    assert module.relu is torch.relu
    assert bound.__array_namespace_info__().default_dtypes()["real floating"] == torch.get_default_dtype()


def test_arrays_on_two_devices():
    with pytest.raises(errors.MixedDevicesError, match="meta"):
        BACKEND.namespace(torch.zeros(2), torch.zeros(2, device="meta"))


def test_devices():
    assert BACKEND.devices()[0] == torch.device("cpu")
    for device in BACKEND.devices():
        assert BACKEND.to_device(tensor(1.0), device).device == device
    with pytest.raises(errors.DeviceError, match="cpu"):
        BACKEND.to_device(tensor(1.0), "cuda:99")
    with pytest.raises(errors.DeviceError, match="nonsense"):
        BACKEND.asarray(1.0, device="nonsense")


@pytest.mark.parametrize("mode", MODES)
def test_to_device_is_differentiable(mode):
    assert MODES[mode](lambda x: BACKEND.to_device(x, "cpu") ** 2)(tensor(3.0)).item() == 6


def test_asarray():
    x = tensor([1.0, 2.0])
    assert BACKEND.asarray(x) is x
    assert BACKEND.asarray(2.0).dtype == torch.get_default_dtype()
    assert BACKEND.asarray([1, 2], dtype="float64").dtype == F64
    assert BACKEND.asarray(np.arange(3.0)).dtype == F64
    assert BACKEND.asarray([[x[0], 1], [2, x[1]]]).tolist() == [[1, 1], [2, 2]]
    assert BACKEND.asarray([[x[0], 1], [2, x[1]]]).dtype == F64
    frozen = np.arange(3.0)
    frozen.flags.writeable = False
    BACKEND.asarray(frozen).zero_()
    assert frozen.tolist() == [0, 1, 2]
    with pytest.raises(errors.DTypeError, match="float99"):
        BACKEND.asarray(1.0, dtype="float99")
    with pytest.raises(errors.NotAnArrayError, match="object"):
        BACKEND.asarray(object())


@pytest.mark.parametrize("mode", MODES)
def test_asarray_of_a_list_of_tensors_keeps_the_derivative(mode):
    assert MODES[mode](lambda x: BACKEND.asarray([x, [x * x, 1.0][0]]).sum())(tensor(3.0)).item() == 7


def test_from_dlpack_shares_memory():
    source = np.arange(3.0)
    x = BACKEND.from_dlpack(source)
    x[0] = 7
    assert source[0] == 7
    assert np.shares_memory(BACKEND.to_numpy(x), source)


@pytest.mark.parametrize(
    "dtype", [torch.bool, torch.int8, torch.int64, torch.float16, torch.float32, F64, torch.complex64], ids=str
)
def test_to_numpy_round_trip(dtype):
    x = torch.tensor([0, 1, 2]).to(dtype)
    back = BACKEND.from_dlpack(BACKEND.to_numpy(x))
    assert back.dtype == dtype
    assert torch.equal(back, x)
    assert np.array_equal(BACKEND.to_numpy(x.conj()), np.conj(BACKEND.to_numpy(x)))


def test_to_numpy_of_a_dtype_numpy_lacks():
    with pytest.raises(errors.DTypeError, match="bfloat16"):
        BACKEND.to_numpy(torch.ones(2, dtype=torch.bfloat16))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("convert", "error"),
    [(BACKEND.to_numpy, errors.TracedConversionError), (BACKEND.from_dlpack, errors.NotDifferentiableError)],
    ids=["to_numpy", "from_dlpack"],
)
def test_conversion_of_traced_tensors_is_refused(mode, convert, error):
    with pytest.raises(error):
        MODES[mode](lambda x: convert(x) * x)(tensor(1.0))


def test_to_numpy_of_a_tensor_that_requires_grad():
    with pytest.raises(errors.TracedConversionError, match="stop_gradient"):
        BACKEND.to_numpy(tensor(1.0).requires_grad_())
