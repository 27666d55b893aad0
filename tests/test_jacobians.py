import numpy as np
import pytest

import unidiff as ud

X = np.asarray([0.3, -0.7, 1.1])
MODES = ["jacfwd", "jacrev", "jacobian"]


def blocks(x, y):
    """The derivatives of {"a": x y + sin(x), "b": sum(x^2)} by x and by y, for x and y of shape (3,)."""
    return {"a": (np.diag(y + np.cos(x)), np.diag(x)), "b": (2 * x, np.zeros(3))}


def f(x, y, *, k=1.0):
    xp = ud.array_namespace(x, y)
    return {"a": (x * y + xp.sin(x)) * k, "b": xp.sum(x * x) * k}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("argnums", "pick"), [(0, lambda a, b: a), (-1, lambda a, b: b), ((0, 1), lambda a, b: (a, b)), ([1], lambda a, b: (b,))]
)
def test_blocks_of_several_inputs_and_outputs(array, check, mode, argnums, pick):
    y = np.asarray([1.5, 2.0, -0.5])
    got = getattr(ud, mode)(f, argnums)(array(X), array(y), k=2.0)
    check(got, {key: pick(*(2.0 * block for block in row)) for key, row in blocks(X, y).items()})


@pytest.mark.parametrize("mode", MODES)
def test_pytrees_of_inputs_and_aux(array, check, mode):
    def g(params, label):
        return [params["w"][0] * params["b"]], (label, params["b"])

    w, b = np.asarray([1.0, 2.0]), np.asarray(3.0)
    got, (label, aux) = getattr(ud, mode)(g, has_aux=True)({"w": [array(w)], "b": array(b)}, "text")
    check(got, [{"w": [3.0 * np.eye(2)], "b": w}])
    assert label == "text"
    check(aux, b)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 0), (2, 1)], ids=str)
def test_shapes(array, check, mode, shape, real_dtype):
    x = np.full(shape, 0.5, real_dtype)
    n = x.size
    check(getattr(ud, mode)(lambda x: x * x)(array(x, real_dtype)), np.eye(n).reshape(shape + shape), real_dtype)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("inner", "outer"), [("float64", "float32"), ("float32", "float64")])
def test_blocks_have_the_dtype_of_the_primal(array, check, mode, inner, outer):
    def g(x):
        xp = ud.array_namespace(x)
        return xp.astype(x * x, getattr(xp, inner))

    check(getattr(ud, mode)(g)(array(X, outer)), np.diag(2 * X), outer, rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_integer_and_constant_outputs_have_zero_blocks(array, check, mode):
    def g(x):
        xp = ud.array_namespace(x)
        return xp.astype(10 * x, xp.int32), 2.0 * x, 3, x[0] > 0

    got = getattr(ud, mode)(g)(array(X))
    check(got, (np.zeros((3, 3)), 2 * np.eye(3), np.zeros(3), np.zeros(3)), "float64")


@pytest.mark.parametrize("mode", MODES)
def test_complex_outputs_of_real_inputs(array, check, mode):
    def g(x):
        xp = ud.array_namespace(x)
        return xp.exp(1j * xp.astype(x, xp.complex64))

    check(getattr(ud, mode)(g)(array(X, "float32")), np.diag(1j * np.exp(1j * X)), "complex64")


Z = np.asarray([1.0 + 2.0j, -0.5 - 1.0j])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("g", "by_real", "by_imag"),
    [
        (lambda xp, z: z * z, np.diag(2 * Z), np.diag(2j * Z)),
        (lambda xp, z: xp.conj(z), np.eye(2) + 0j, -1j * np.eye(2)),
        (lambda xp, z: xp.sum(xp.abs(z) ** 2), 2 * Z.real, 2 * Z.imag),
        (lambda xp, z: xp.real(z) * xp.imag(z), np.diag(Z.imag), np.diag(Z.real)),
    ],
    ids=["holomorphic", "conj", "real scalar", "real vector"],
)
def test_complex_inputs_have_a_block_for_each_part(array, check, mode, g, by_real, by_imag):
    got = getattr(ud, mode)(lambda z: g(ud.array_namespace(z), z))(array(Z, "complex128"))
    assert isinstance(got, ud.ComplexJacobian)
    check(got, ud.ComplexJacobian(by_real, by_imag))


@pytest.mark.parametrize("mode", MODES)
def test_real_and_complex_inputs_together(array, check, mode):
    got = getattr(ud, mode)(lambda x, z: x * z, (0, 1))(array(2.0), array(3.0 + 1.0j, "complex128"))
    check(got, (np.asarray(3.0 + 1.0j), ud.ComplexJacobian(np.asarray(2.0 + 0j), np.asarray(2.0j))))


@pytest.mark.parametrize("mode", MODES)
def test_the_side_of_a_branch_cut_is_kept(array, check, mode):
    z = np.asarray([complex(-1.0, -0.0), complex(-1.0, 0.0)])
    xp = ud.array_namespace(array(z, "complex128"))
    got = getattr(ud, mode)(xp.sqrt)(array(z, "complex128"))
    # The reference takes the library's own value: XLA gives the root of (-1, -0) on the other side of the cut.
    check(got.real, np.diag(0.5 / ud.to_numpy(xp.sqrt(array(z, "complex128")))))


def test_gradient_and_jacobian_of_a_real_function_agree(array, check):
    def g(z):
        xp = ud.array_namespace(z)
        return xp.sum(xp.real(z) ** 2 * xp.imag(z))

    by_real, by_imag = ud.to_numpy(ud.jacobian(g)(array(Z, "complex128")))
    check(ud.grad(g)(array(Z, "complex128")), by_real + 1j * by_imag)


# --- modes and passes


def count(transform, g, x):
    calls = []

    def counted(x):
        calls.append(1)
        return g(x)

    transform(counted)(x)
    return len(calls)


def test_reverse_mode_evaluates_the_function_once(array):
    assert count(ud.jacrev, lambda x: x * x, array(X)) == 1


@pytest.mark.parametrize(("g", "values"), [(lambda x: x * x, 2.0), (lambda x: x * 3.5, [2.0])], ids=["0-d", "one element"])
def test_jacobian_of_one_input_needs_no_evaluation_for_its_mode(array, g, values):
    assert count(ud.jacobian, g, array(values)) == count(ud.jacfwd, g, array(values))


@pytest.mark.parametrize(
    ("g", "mode"),
    [(lambda x: ud.array_namespace(x).sum(x * x), "jacrev"), (lambda x: x * x, "jacfwd"), (lambda x: (x, x, x), "jacfwd")],
    ids=["wide", "square", "tall"],
)
def test_jacobian_takes_the_cheaper_mode_after_one_evaluation(array, monkeypatch, backend, g, mode):
    b = ud.get_backend(backend)
    used = []
    for name in ("jacfwd", "jacrev"):
        original = getattr(b, name)
        monkeypatch.setattr(b, name, lambda *a, n=name, o=original, **k: (used.append(n), o(*a, **k))[1])
    assert count(ud.jacobian, g, array(X)) == 1 + count(getattr(ud, mode), g, array(X))
    assert used == [mode, mode]


# --- second order


def quadratic_cubic(x):
    return x[0] ** 2 * x[1] + x[2] ** 3


HESSIAN = np.asarray([[2 * X[1], 2 * X[0], 0], [2 * X[0], 0, 0], [0, 0, 6 * X[2]]])


def test_hessian(array, check, real_dtype):
    check(ud.hessian(quadratic_cubic)(array(X, real_dtype)), HESSIAN, real_dtype)


def test_hessian_of_pytrees_has_blocks_of_blocks(array, check):
    def g(p, y):
        return ud.array_namespace(y).sum(p["u"] * p["v"] * y), "aux"

    p = {"u": array([1.0, 2.0]), "v": array([3.0, 4.0])}
    got, aux = ud.hessian(g, (0, 1), has_aux=True)(p, array([5.0, 6.0]))
    zero, y, u, v = np.zeros((2, 2)), np.diag([5.0, 6.0]), np.diag([1.0, 2.0]), np.diag([3.0, 4.0])
    want = ({"u": ({"u": zero, "v": y}, v), "v": ({"u": y, "v": zero}, u)}, ({"u": v, "v": u}, zero))
    check(got, want)
    assert aux == "aux"


def test_hessian_of_a_vector_function(array, check):
    got = ud.hessian(lambda x: x**3)(array(X))
    want = np.zeros((3, 3, 3))
    want[np.arange(3), np.arange(3), np.arange(3)] = 6 * X
    check(got, want)


def test_hessian_of_a_complex_argument_has_four_parts(array, check):
    def g(z):
        xp = ud.array_namespace(z)
        return xp.real(z) ** 2 * xp.imag(z)

    x, y = 1.5, -2.0
    got = ud.hessian(g)(array(x + 1j * y, "complex128"))
    pair = ud.ComplexJacobian
    check(got, pair(pair(np.asarray(2 * y), np.asarray(2 * x)), pair(np.asarray(2 * x), np.asarray(0.0))))


def test_hvp_is_the_hessian_times_the_vector(array, check, real_dtype):
    v = np.asarray([1.0, -2.0, 0.5])
    got = ud.hvp(quadratic_cubic, (array(X, real_dtype),), (array(v, real_dtype),))
    check(got, HESSIAN @ v, real_dtype, rtol=1e-6)


def test_hvp_of_several_arguments(array, check):
    def g(x, d, *, k):
        return k * ud.array_namespace(x).sum(x * x * d["y"]), "aux"

    y, dx, dy = np.asarray([1.0, 2.0, 3.0]), np.asarray([1.0, 0.0, -1.0]), np.asarray([0.5, 0.5, 0.5])
    primals, tangents = (array(X), {"y": array(y)}), [array(dx), {"y": array(dy)}]
    want = (2 * (dx * y + X * dy), {"y": 2 * X * dx})
    for argnums, expected in ((0, want[0]), (1, want[1]), ((0, 1), want)):
        got, aux = ud.hvp(g, primals, tangents, argnums, has_aux=True, k=1.0)
        check(got, expected)
        assert aux == "aux"


def test_third_order(array, check):
    got = ud.jacfwd(ud.hessian(quadratic_cubic))(array(X))
    want = np.zeros((3, 3, 3))
    want[0, 0, 1] = want[0, 1, 0] = want[1, 0, 0] = 2
    want[2, 2, 2] = 6
    check(got, want)
