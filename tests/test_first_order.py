import threading

import numpy as np
import pytest

import unidiff as ud

X, Y = [0.3, -0.7, 1.1], [1.5, 2.0, -0.5]


def loss(x, y, *, power=1):
    """sum(x^2 y) * power, in NumPy terms."""
    return ud.array_namespace(x, y).sum(x * x * y) * power


class Counted:
    def __init__(self, f):
        self.f, self.calls = f, 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self.f(*args, **kwargs)


# --- grad and value_and_grad


@pytest.mark.parametrize(
    ("argnums", "pick"), [(0, lambda a, b: a), (1, lambda a, b: b), (-1, lambda a, b: b), ((0, 1), lambda a, b: (a, b)),
                          ((1,), lambda a, b: (b,)), ([-1, 0], lambda a, b: (b, a))],
)  # fmt: skip
def test_grad_argnums(array, check, real_dtype, argnums, pick):
    x, y = np.asarray(X, real_dtype), np.asarray(Y, real_dtype)
    f = Counted(loss)
    want = pick(2 * x * y * 3, x * x * 3)
    check(ud.grad(f, argnums)(array(X, real_dtype), array(Y, real_dtype), power=3), want, real_dtype)
    assert f.calls == 1
    value, got = ud.value_and_grad(f, argnums)(array(X, real_dtype), array(Y, real_dtype), power=3)
    check(got, want, real_dtype)
    check(value, np.sum(x * x * y) * 3, real_dtype)
    assert f.calls == 2


def test_grad_of_pytrees(array, check):
    def f(params, data, names):
        assert names == ("a", "b")
        (w, [b]) = params["w"], params["b"]
        xp = ud.array_namespace(w)
        return xp.sum(w * data["x"]) + 3.0 * b

    params = {"w": array(X), "b": [array(2.0)], "none": None}
    check(ud.grad(f)(params, {"x": array(Y)}, ("a", "b")), {"w": np.asarray(Y), "b": [np.asarray(3.0)], "none": None})
    value, (got, data) = ud.value_and_grad(f, (0, 1))(params, {"x": array(Y)}, names=("a", "b"))
    check(got, {"w": np.asarray(Y), "b": [np.asarray(3.0)], "none": None})
    check(data, {"x": np.asarray(X)})
    check(value, np.dot(X, Y) + 6.0)


def test_aux_carries_anything(array, check):
    marker = object()

    def f(x, y):
        xp = ud.array_namespace(x)
        return xp.sum(x * y), {
            "twice": 2.0 * x,
            "count": xp.sum(xp.astype(x > 0, xp.int64)),
            "marker": marker,
            "n": 7,
            "s": "t",
        }

    gradient, aux = ud.grad(f, has_aux=True)(array(X), array(Y))
    (value, aux2), gradient2 = ud.value_and_grad(f, has_aux=True)(array(X), array(Y))
    check((gradient, gradient2), (np.asarray(Y), np.asarray(Y)))
    check(value, np.dot(X, Y))
    for a in (aux, aux2):
        assert a["marker"] is marker
        assert (a["n"], a["s"]) == (7, "t")
        check(a["twice"], 2 * np.asarray(X))
        assert int(a["count"]) == 2
        assert ud.to_numpy(a["twice"]).shape == (3,)  # free of tracing


@pytest.mark.parametrize("value", [2.0, np.float64(2.0)], ids=["float", "numpy.float64"])
def test_python_numbers_become_arrays_of_the_backend(backend, check, value):
    got = ud.grad(lambda x: x**3, backend=backend)(value)
    check(got, np.asarray(12.0), rtol=1e-6)
    z = ud.grad(lambda z: ud.array_namespace(z).real(z * z), backend=backend)(1.0 + 2.0j)
    check(z, np.asarray(2.0 - 4.0j), rtol=1e-6)


def test_python_numbers_follow_the_arrays(array, check, real_dtype):
    def f(x, y):
        return ud.array_namespace(y).sum(x * y)

    check(ud.grad(f)(2.0, array(Y, real_dtype)), np.asarray(np.sum(np.asarray(Y, real_dtype))), real_dtype)
    check(ud.grad(lambda p, k: f(p["x"], k))({"x": 2.0}, k=array(Y, real_dtype)), {"x": np.asarray(3.0)}, real_dtype)
    complex_dtype = {"float32": "complex64", "float64": "complex128"}[real_dtype]
    got = ud.grad(lambda z, y: ud.array_namespace(y).real(f(z, y)))(2.0 + 0.0j, array(Y, real_dtype))
    check(got, np.asarray(3.0 + 0.0j), complex_dtype)


def test_numbers_alone_default_to_numpy():
    assert ud.get_backend(ud.grad(lambda x: x * x)(3.0)).name == "numpy"


@pytest.mark.parametrize("output", [1, 2.5, True, np.float64(3.0)], ids=repr)
def test_constant_outputs_have_zero_derivative(array, check, real_dtype, output):
    x = array(X, real_dtype)
    check(ud.grad(lambda x: output)(x), np.zeros(3), real_dtype)
    value, gradient = ud.value_and_grad(lambda x: output)(x)
    check(gradient, np.zeros(3), real_dtype)
    assert ud.to_numpy(value) == output
    out, vjp_fn = ud.vjp(lambda x: output, x)
    check(vjp_fn(out), (np.zeros(3),), real_dtype)
    out, pushed = ud.jvp(lambda x: output, (x,), (x,))
    assert ud.to_numpy(out) == output
    check(pushed, np.zeros(()), str(out.dtype).rpartition(".")[2])


def test_independent_inputs_have_zero_derivative(array, check, real_dtype):
    x, y = array(X, real_dtype), array([[1.0, 2.0]], real_dtype)
    check(ud.grad(lambda x, y: ud.array_namespace(x).sum(x), (0, 1))(x, y), (np.ones(3), np.zeros((1, 2))), real_dtype)
    check(ud.vjp(lambda x, y: x, x, y)[1](x), (np.asarray(X, real_dtype), np.zeros((1, 2))), real_dtype)


def test_integer_outputs_have_zero_derivative(array, check):
    x = array(X)

    def f(x):
        xp = ud.array_namespace(x)
        return {"y": 2.0 * x, "n": xp.astype(x * 10, xp.int32), "b": x > 0}

    out, vjp_fn = ud.vjp(f, x)
    assert ud.to_numpy(out["n"]).tolist() == [3, -7, 11]
    check(vjp_fn(out | {"n": 0 * out["n"]}), (4 * np.asarray(X),))
    assert str(vjp_fn(out)[0].dtype).endswith("float64")
    out, pushed = ud.jvp(f, (x,), (x,))
    check(pushed["y"], 2 * np.asarray(X))
    check(pushed["n"], np.zeros(3, int), "int32")
    check(pushed["b"], np.zeros(3, bool), "bool")
    check(ud.grad(lambda x: ud.array_namespace(x).sum(f(x)["n"]))(x), np.zeros(3), "float64")
    value, _ = ud.value_and_grad(lambda x: ud.array_namespace(x).argmax(x))(x)
    assert int(value) == 2
    out, vjp_fn = ud.vjp(lambda x: x > 0, x)
    check(vjp_fn(out), (np.zeros(3),))


@pytest.mark.parametrize("values", [[], [[]], 1.0, [1.0]], ids=repr)
def test_small_and_empty_arrays(array, check, real_dtype, values):
    x = np.asarray(values, real_dtype)
    check(ud.grad(lambda x: ud.array_namespace(x).sum(x * x))(array(values, real_dtype)), 2 * x, real_dtype)
    check(ud.vjp(lambda x: 2.0 * x, array(values, real_dtype))[1](array(values, real_dtype)), (2 * x,), real_dtype)


def test_complex_gradient_is_steepest_ascent(array, check):
    z = np.asarray([1.0 + 2.0j, -0.5j])
    got = ud.grad(lambda z: ud.array_namespace(z).sum(ud.array_namespace(z).abs(z) ** 2))(array(z, "complex64"))
    check(got, 2 * z, "complex64")


# --- vjp, jvp, linearize


def test_vjp_returns_one_cotangent_for_each_primal(array, check):
    f = Counted(lambda d, y, *, shift: (d["x"] * y + shift, [y]))
    out, vjp_fn = ud.vjp(f, {"x": array(X)}, array(Y), shift=1.0)
    check(out, (np.asarray(X) * Y + 1.0, [np.asarray(Y)]))
    for _ in range(2):
        got = vjp_fn((array([1.0, 2.0, 3.0]), [array([10.0, 0.0, 0.0])]))
        check(got, ({"x": np.asarray(Y) * [1, 2, 3]}, np.asarray(X) * [1, 2, 3] + [10, 0, 0]))
    assert f.calls == 1
    _, vjp_fn, aux = ud.vjp(lambda x: (x, {"a": 2.0 * x, "s": "text"}), array(X), has_aux=True)
    check(aux["a"], 2 * np.asarray(X))
    assert aux["s"] == "text"
    check(vjp_fn(array(Y)), (np.asarray(Y),))


def test_jvp(array, check):
    f = Counted(lambda d, y, *, shift=0.0: (d["x"] * y + shift, [y]))
    tangents = ({"x": array([1.0, 0.0, 2.0])}, array([0.0, 1.0, 1.0]))
    out, pushed = ud.jvp(f, ({"x": array(X)}, array(Y)), tangents, shift=1.0)
    check(out, (np.asarray(X) * Y + 1.0, [np.asarray(Y)]))
    check(pushed, (np.asarray(Y) * [1, 0, 2] + np.asarray(X) * [0, 1, 1], [np.asarray([0.0, 1.0, 1.0])]))
    assert f.calls == 1
    _, pushed, aux = ud.jvp(lambda x: (x * x, ("s", x)), [array(X)], [array(Y)], has_aux=True)
    check(pushed, 2 * np.asarray(X) * Y)
    assert aux[0] == "s"


def test_linearize(array, check):
    out, f_jvp = ud.linearize(lambda d, y, *, k: [d["x"] * y * k], {"x": array(X)}, array(Y), k=2.0)
    check(out, [2 * np.asarray(X) * Y])
    for weight in (1.0, -3.0):
        got = f_jvp({"x": array([weight, 0.0, 0.0])}, array([0.0, weight, 0.0]))
        check(got, [2 * weight * np.asarray([Y[0], X[1], 0.0])])
    _, _, aux = ud.linearize(lambda x: (x, "text"), array(X), has_aux=True)
    assert aux == "text"


def test_scalar_tangents_and_cotangents(array, check):
    check(ud.vjp(lambda x: x * x, array(3.0))[1](1.0), (np.asarray(6.0),))
    check(ud.jvp(lambda x: x * x, (array(3.0, "float32"),), (1.0,))[1], np.asarray(6.0), "float32")


def test_adjoint_identity(array, backend, dtype):
    complex_ = dtype.startswith("complex")
    rng = np.random.default_rng(0)

    def random(n):
        return array(rng.normal(size=n) + (1j * rng.normal(size=n) if complex_ else 0.0), dtype)

    x, v, u = random(4), random(4), random(4)

    def f(x):
        return x * x + 0.5 * ud.array_namespace(x).flip(x)

    pushed = ud.to_numpy(ud.jvp(f, (x,), (v,))[1])
    (pulled,) = ud.to_numpy(ud.vjp(f, x)[1](u))
    left, right = np.vdot(ud.to_numpy(u), pushed).real, np.vdot(pulled, ud.to_numpy(v)).real
    assert abs(left - right) <= 1e-6 * (abs(left) + 1)


# --- nesting


NEST = {
    "rev rev": lambda g: ud.grad(lambda x: ud.array_namespace(x).sum(ud.grad(g)(x))),
    "fwd rev": lambda g: lambda x: ud.jvp(ud.grad(g), (x,), (ud.array_namespace(x).ones_like(x),))[1],
    "rev fwd": lambda g: ud.grad(lambda x: ud.jvp(g, (x,), (ud.array_namespace(x).ones_like(x),))[1]),
    "fwd fwd": lambda g: (
        lambda x: ud.jvp(
            lambda x: ud.jvp(g, (x,), (ud.array_namespace(x).ones_like(x),))[1], (x,), (ud.array_namespace(x).ones_like(x),)
        )[1]
    ),
}


@pytest.mark.parametrize("modes", NEST)
def test_second_order_in_every_pair_of_modes(array, check, modes):
    got = NEST[modes](lambda x: ud.array_namespace(x).sum(x**3))(array(X))
    want = 6 * np.asarray(X)
    check(got, want.sum() if modes == "fwd fwd" else want)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_repeated_gradients(array, check, order):
    f = lambda x: x**5
    for _ in range(order):
        f = ud.grad(f)
    check(f(array(1.3)), np.asarray(np.prod(range(6 - order, 6)) * 1.3 ** (5 - order)))


def test_no_perturbation_confusion(array, check):
    def outer(x):
        inner = ud.grad(lambda y: x + y)(array(1.0))
        return x * inner

    check(ud.grad(outer)(array(2.0)), np.asarray(1.0))


# --- results belong to the caller


def shared(xp_arrays, others):
    """Say whether any of the arrays shares memory with another, in NumPy terms."""
    return any(np.shares_memory(ud.to_numpy(a), ud.to_numpy(b)) for a in xp_arrays for b in others)


@pytest.mark.parametrize("name", ["identity", "views", "sums"])
def test_results_share_no_memory(backend, array, name):
    if not ud.get_backend(backend).info.capabilities.mutation:
        pytest.skip("arrays of this library cannot be changed")
    f = {
        "identity": lambda x, y: (x, x, y),
        "views": lambda x, y: (x[1:], ud.array_namespace(x).flip(x), ud.array_namespace(y).reshape(y, (3, 1))),
        "sums": lambda x, y: (x + y, x - y, y),
    }[name]
    x, y = array(X), array(Y)
    outs, vjp_fn = ud.vjp(f, x, y)
    ct = ud.tree.map(lambda o: 1.0 * o, outs)
    grads = vjp_fn(ct)
    groups = [x, y, *outs, *ct, *grads]
    for i, a in enumerate(groups):
        assert not shared([a], groups[:i]), i
    tangents = (1.0 * x, 1.0 * y)
    outs, pushed = ud.jvp(f, (x, y), tangents)
    groups = [x, y, *tangents, *outs, *pushed]
    for i, a in enumerate(groups):
        assert not shared([a], groups[:i]), i


def test_inputs_are_not_changed(array):
    x, y = array(X), array(Y)
    ud.value_and_grad(loss, (0, 1))(x, y)
    assert ud.to_numpy(x).tolist() == X
    assert ud.to_numpy(y).tolist() == Y


def test_results_share_no_memory_with_constants(backend, array):
    if not ud.get_backend(backend).info.capabilities.mutation:
        pytest.skip("arrays of this library cannot be changed")
    x, t, c, scalar = array(X), array(Y), array(Y), array(1.0)

    def f(x):
        return (c, c[1:], x), {"c": c, "view": c[1:], "scalar": scalar}

    _, pullback, vjp_aux = ud.vjp(f, x, has_aux=True)
    _, push, lin_aux = ud.linearize(f, x, has_aux=True)
    results = [
        ud.jvp(f, (x,), (t,), has_aux=True),
        (ud.vjp(f, x, has_aux=True)[0], vjp_aux, lin_aux, push(t), pullback((t, t[1:], t))),
        ud.value_and_grad(lambda x: (scalar, (c, scalar)), has_aux=True)(x),
        ud.value_and_grad(lambda x: scalar)(x),
        ud.jacobian(f, has_aux=True)(x),
    ]
    leaves = ud.tree.leaves(results)
    assert not shared(leaves, [x, t, c, scalar])
    for i, y in enumerate(leaves):
        assert not shared([y], leaves[:i]), i


# --- the user's exceptions and threads


class UserError(Exception):
    pass


@pytest.mark.parametrize(
    "run",
    [
        lambda f, x: ud.grad(f)(x),
        lambda f, x: ud.value_and_grad(f)(x),
        lambda f, x: ud.vjp(f, x),
        lambda f, x: ud.jvp(f, (x,), (x,)),
        lambda f, x: ud.linearize(f, x),
        lambda f, x: ud.jacobian(f)(x),
        lambda f, x: ud.hessian(f)(x),
    ],
    ids=["grad", "value_and_grad", "vjp", "jvp", "linearize", "jacobian", "hessian"],
)
def test_exceptions_of_the_function_pass_untouched(array, check, run):
    error = UserError("mine")

    def f(x):
        ud.array_namespace(x).sum(x * x)
        raise error

    with pytest.raises(UserError) as raised:
        run(f, array(X))
    assert raised.value is error
    check(ud.grad(lambda x: ud.array_namespace(x).sum(x * x))(array(X)), 2 * np.asarray(X))


def test_modes_in_several_threads_at_once(array):
    def cube(x):
        return ud.array_namespace(x).sum(x * x * x)

    x = np.asarray(X)
    wrong = []

    def work(run, want):
        for _ in range(10):
            try:
                np.testing.assert_allclose(ud.to_numpy(run(array(X))), want, rtol=1e-12)
            except BaseException as error:  # noqa: BLE001  # reported below
                wrong.append(error)

    runs = [
        (lambda x: ud.grad(cube)(x), 3 * x * x),
        (lambda x: ud.jvp(cube, (x,), (x,))[1], np.sum(3 * x**3)),
        (lambda x: ud.hessian(cube)(x), np.diag(6 * x)),
        (lambda x: ud.jacfwd(lambda x: x * x)(x), np.diag(2 * x)),
        (lambda x: ud.linearize(cube, x)[1](x), np.sum(3 * x**3)),
        (lambda x: ud.grad(lambda x: ud.array_namespace(x).sum(ud.grad(cube)(x)))(x), 6 * x),
    ]
    threads = [threading.Thread(target=work, args=run) for run in runs * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_threads(array):
    gradient = ud.grad(lambda x, y: ud.array_namespace(x).sum(x * x * y))
    results = {}

    def work(k):
        for _ in range(20):
            got = ud.to_numpy(gradient(array(X), array([float(k)] * 3)))
            results.setdefault(k, []).append(got)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(4))
    for k, gots in results.items():
        assert len(gots) == 20
        for got in gots:
            np.testing.assert_allclose(got, 2 * k * np.asarray(X), rtol=1e-15)
