"""The PyTorch backend through the flat contract: what is returned, whose memory it is, how often the function runs."""

import gc
import weakref

import pytest

torch = pytest.importorskip("torch")

from tests.backends.torch_modes import BACKEND, F64, MODES, by_jvp, in_functorch, tensor  # noqa: E402  # after the check that torch is there
from unidiff import errors  # noqa: E402  # after the check that torch is there


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
    t = x.clone()
    with pytest.raises(errors.InPlaceError, match="copy"):
        BACKEND.jvp(f, (x,), (t,))
    assert x.tolist() == t.tolist() == [1, 2]


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
