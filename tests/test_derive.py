"""Every derivation, on the official backends with their own operations hidden and on two backends that have but one."""

import itertools

import numpy as np
import pytest

import unidiff as ud
from unidiff.derive import complete
from unidiff.errors import PluginError, UnsupportedOperationError

OPTIONAL = frozenset({"value_and_grad", "linearize", "jacfwd", "jacrev"})
HIDDEN = {
    "nothing": frozenset(),
    "optional": OPTIONAL,
    "jvp": OPTIONAL | {"jvp"},
    "vjp": OPTIONAL | {"vjp"},
    "reverse": frozenset({"vjp", "value_and_grad", "jacfwd", "jacrev"}),
    "vmap": OPTIONAL | {"vmap"},
}
X, Y = np.asarray([0.3, -0.7, 1.1]), np.asarray([[0.5, 2.0, -1.5], [1.0, 0.25, 3.0]])
DX, DY = np.asarray([1.0, 0.5, -2.0]), np.asarray([[0.1, 1.0, 2.0], [-1.0, 0.3, 0.7]])


def outs_of(xp, x, y):
    """Two outputs of two inputs: x y + sin(x), of shape (2, 3), and sum(x^2), of shape ()."""
    return x * y + xp.sin(x), xp.sum(x * x)


def jac_of(x, y):
    """The Jacobian blocks of `outs_of` by hand."""
    d_first = (y + np.cos(x))[:, :, None] * np.eye(3)[None]
    d_second = np.einsum("j,ik,jl->ijkl", x, np.eye(2), np.eye(3))
    return (d_first, d_second), (2 * x, np.zeros((2, 3)))


class ComplexStep:
    """Forward mode alone, by complex steps on NumPy arrays; its derivatives do not nest."""

    info = ud.BackendInfo(name="complex_step", api_version=1, factory="", arrays=(), capabilities=ud.Capabilities(max_order=1))

    def namespace(self, *arrays):
        return ud.namespace("numpy")

    def device(self, x):
        return "cpu"

    def devices(self):
        return ("cpu",)

    def to_device(self, x, device):
        return x

    def asarray(self, obj, *, dtype=None, device=None):
        return np.asarray(obj, dtype=dtype)

    def from_dlpack(self, x, *, device=None):
        return np.from_dlpack(x)

    def to_numpy(self, x):
        return x

    def jvp(self, f, primals, tangents, *, has_aux=False):
        step = 1e-100
        result = f(*(x + 1j * step * t for x, t in zip(primals, tangents, strict=True)))
        outs, aux = result if has_aux else (result, ())
        values, pushed = tuple(np.real(y) for y in outs), tuple(np.imag(y) / step for y in outs)
        return (values, pushed, tuple(np.real(a) for a in aux)) if has_aux else (values, pushed)


class Rows(ComplexStep):
    """Reverse mode alone, by the columns of `ComplexStep`."""

    info = ud.BackendInfo(name="rows", api_version=1, factory="", arrays=(), capabilities=ud.Capabilities(max_order=1))

    @property
    def jvp(self):
        raise AttributeError

    def vjp(self, f, primals, *, has_aux=False):
        return complete(ComplexStep()).vjp(f, primals, has_aux=has_aux)


def close(got, want):
    got = np.asarray(ud.to_numpy(got))
    assert got.shape == np.shape(want)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@pytest.fixture(params=[*itertools.product(ud.backends(arrays=True), HIDDEN), ("complex_step", ""), ("rows", "")], ids="-".join)
def derived(request):
    """A backend, as it is completed with some operations hidden, its namespace, and what makes an array."""
    name, hidden = request.param
    toys = {"complex_step": ComplexStep, "rows": Rows}
    if name in toys:
        return complete(toys[name]()), ud.namespace("numpy"), np.asarray
    completed = complete(ud.get_backend(name), hide=HIDDEN[hidden])
    return completed, completed.namespace(), lambda values: ud.asarray(values, backend=name)


@pytest.fixture
def case(derived):
    b, xp, array = derived
    calls = []

    def f(x, y):
        calls.append(1)
        return outs_of(xp, x, y)

    return b, f, (array(X), array(Y)), array, calls


def with_aux(f):
    def g(*args):
        outs = f(*args)
        return outs, (outs[1],)

    return g


@pytest.mark.parametrize("has_aux", [False, True])
def test_jvp(case, has_aux):
    b, f, primals, array, _ = case
    outs, pushed, *aux = b.jvp(with_aux(f) if has_aux else f, primals, (array(DX), array(DY)), has_aux=has_aux)
    for got, want in zip(outs, outs_of(np, X, Y), strict=True):
        close(got, want)
    for got, (by_x, by_y) in zip(pushed, jac_of(X, Y), strict=True):
        close(got, np.tensordot(by_x, DX, 1) + np.tensordot(by_y, DY, 2))
    if has_aux:
        close(aux[0][0], np.sum(X * X))


@pytest.mark.parametrize("has_aux", [False, True])
def test_vjp(case, has_aux):
    b, f, primals, array, _ = case
    outs, pullback, *aux = b.vjp(with_aux(f) if has_aux else f, primals, has_aux=has_aux)
    close(outs[0], outs_of(np, X, Y)[0])
    for weight in (1.0, -2.0):  # the pullback may be called again
        grads = pullback((array(weight * DY), array(np.asarray(3.0))))
        (a, b_), (c, d) = jac_of(X, Y)
        close(grads[0], weight * np.tensordot(DY, a, 2) + 3.0 * c)
        close(grads[1], weight * np.tensordot(DY, b_, 2) + 3.0 * d)
    if has_aux:
        close(aux[0][0], np.sum(X * X))


def test_value_and_grad(case):
    b, f, primals, _, _ = case
    value, grads = b.value_and_grad(lambda x, y: (f(x, y)[1],), primals)
    close(value, np.sum(X * X))
    close(grads[0], 2 * X)
    close(grads[1], np.zeros((2, 3)))


def test_linearize(case):
    b, f, primals, array, _ = case
    outs, push = b.linearize(f, primals)
    close(outs[0], outs_of(np, X, Y)[0])
    for dx, dy in ((DX, DY), (np.zeros(3), DY)):
        pushed = push((array(dx), array(dy)))
        for got, (by_x, by_y) in zip(pushed, jac_of(X, Y), strict=True):
            close(got, np.tensordot(by_x, dx, 1) + np.tensordot(by_y, dy, 2))


@pytest.mark.parametrize("mode", ["jacfwd", "jacrev"])
@pytest.mark.parametrize("has_aux", [False, True])
def test_jacobians(case, mode, has_aux):
    b, f, primals, _, _ = case
    outs, jac, *aux = getattr(b, mode)(with_aux(f) if has_aux else f, primals, has_aux=has_aux)
    close(outs[1], np.sum(X * X))
    for got_row, want_row in zip(jac, jac_of(X, Y), strict=True):
        for got, want in zip(got_row, want_row, strict=True):
            close(got, want)
    if has_aux:
        close(aux[0][0], np.sum(X * X))


@pytest.mark.parametrize("mode", ["jacfwd", "jacrev"])
@pytest.mark.parametrize("shapes", [((0,), (2, 0)), ((), ()), ((1,), (1, 1)), ((0,), (3,))], ids=str)
def test_jacobians_of_small_and_empty_arrays(derived, mode, shapes):
    b, _, array = derived
    primals = tuple(array(np.ones(shape)) for shape in shapes)
    _, jac = getattr(b, mode)(lambda x, y: (2.0 * x, 3.0 * y), primals)
    for i, out in enumerate(shapes):
        for j, primal in enumerate(shapes):
            n = int(np.prod(primal))
            want = (2.0 + i) * np.eye(n).reshape(out + primal) if i == j else np.zeros(out + primal)
            close(jac[i][j], want)


def test_each_evaluates_the_function_as_often_as_documented(case):
    b, f, primals, array, calls = case
    tangents = (array(DX), array(DY))

    def count(run):
        calls.clear()
        run()
        return len(calls)

    if b.name == "rows":
        pytest.skip("its own reverse mode calls the function for each input")
    once = bool({"vjp", "linearize"} & b.native)
    assert count(lambda: b.vjp(f, primals)) == 1
    assert count(lambda: b.linearize(f, primals)) == 1
    assert count(lambda: b.jvp(f, primals, tangents)) == 1
    if not {"jacfwd", "jacrev"} & b.native:
        passes = 1 if once else 1 + (len(primals) if "vmap" in b.native else X.size + Y.size)
        assert count(lambda: b.jacrev(f, primals)) == passes
        assert count(lambda: b.jacfwd(f, primals)) == passes


def test_complex_derivatives_in_the_real_inner_product(derived):
    b, xp, array = derived
    if b.name in ("complex_step", "rows"):
        pytest.skip("complex steps are for real functions")
    z, dz, ct = np.asarray([0.5 + 1.0j, -1.0 + 0.25j]), np.asarray([1.0 - 2.0j, 0.5j]), np.asarray([0.3 + 1.0j, 2.0 - 1.0j])

    def f(z):
        return (z * z * xp.conj(z),)

    def derivative(dz):
        return 2 * np.abs(z) ** 2 * dz + z**2 * np.conj(dz)

    _, (pushed,) = b.jvp(f, (array(z),), (array(dz),))
    close(pushed, derivative(dz))
    _, pullback = b.vjp(f, (array(z),))
    (pulled,) = pullback((array(ct),))
    close(pulled, 2 * np.abs(z) ** 2 * ct + z**2 * np.conj(ct))
    _, push = b.linearize(f, (array(z),))
    close(push((array(dz),))[0], derivative(dz))


@pytest.mark.parametrize("hidden", ["jvp", "vjp"])
def test_derived_operations_nest(backend, array, hidden):
    b = complete(ud.get_backend(backend), hide=OPTIONAL | {hidden})
    xp = b.namespace()
    x, v = np.asarray([0.4, 1.3]), np.asarray([1.0, -0.5])

    def gradient(x):
        return b.value_and_grad(lambda x: (xp.sum(x * x * x),), (x,))[1]

    _, (hv,) = b.jvp(gradient, (array(x),), (array(v),))
    close(hv, 6 * x * v)
    _, pullback = b.vjp(gradient, (array(x),))
    close(pullback((array(v),))[0], 6 * x * v)


def test_float32_stays_float32(backend, real_dtype):
    for hide in HIDDEN.values():
        b = complete(ud.get_backend(backend), hide=hide)
        x = ud.asarray(np.ones(2, dtype=real_dtype), backend=backend)
        results = [
            *b.jvp(lambda x: (x * x,), (x,), (x,)),
            b.vjp(lambda x: (x * x,), (x,))[1]((x,)),
            b.jacfwd(lambda x: (x * x,), (x,))[1][0],
            b.jacrev(lambda x: (x * x,), (x,))[1][0],
        ]
        for (result,) in results:
            assert str(result.dtype).rpartition(".")[2] == real_dtype


@pytest.mark.parametrize("operation", ["stop_gradient", "host_callback", "optimizer_step"])
def test_what_cannot_be_derived_says_so(operation):
    b = complete(ComplexStep())
    with pytest.raises(UnsupportedOperationError, match=f"complex_step.*{operation}") as raised:
        getattr(b, operation)(np.ones(2))
    assert len(str(raised.value).split(". ")) > 1  # what to do instead


def test_hiding_everything_is_an_error():
    with pytest.raises(PluginError, match="neither"):
        complete(ComplexStep(), hide=frozenset({"jvp"}))


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("hidden", ["custom_jvp", "custom_vjp", "checkpoint"])
def test_rules_of_ones_own_are_derived_from_one_another(backend, hidden):
    if backend == "torch":
        pytest.importorskip("torch")
    b = complete(ud.get_backend(backend), hide={hidden})
    xp, x = b.namespace(), b.asarray(X)

    def f(x):
        return (xp.sin(x) * x,)

    if hidden == "custom_jvp":
        g = b.custom_jvp(f, lambda ps, ts: (f(*ps), ((xp.cos(ps[0]) * ps[0] + xp.sin(ps[0])) * ts[0],)))
    elif hidden == "custom_vjp":
        g = b.custom_vjp(f, lambda x: (f(x), (x,)), lambda r, cts: ((xp.cos(r[0]) * r[0] + xp.sin(r[0])) * cts[0],))
    else:
        g = b.checkpoint(f)
    slope = np.cos(X) * X + np.sin(X)
    _, (pushed,) = b.jvp(g, (x,), (b.asarray(DX),))
    _, pullback = b.vjp(g, (x,))
    np.testing.assert_allclose(b.to_numpy(pushed), slope * DX, rtol=1e-12)
    np.testing.assert_allclose(b.to_numpy(pullback((b.asarray(DX),))[0]), slope * DX, rtol=1e-12)
