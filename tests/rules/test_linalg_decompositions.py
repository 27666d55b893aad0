"""Decompositions: functions that no choice of signs and phases changes, and the clauses on repeated and vanishing values."""

import numpy as np
import pytest

C = "complex"


def adjoint(xp, x):
    return xp.conj(x.mT) if xp.isdtype(x.dtype, "complex floating") else x.mT


def squared(xp, x):
    return xp.real(x * xp.conj(x)) if xp.isdtype(x.dtype, "complex floating") else x * x


def spread(*shape, dtype="float64"):
    """Return matrices with well separated singular values and eigenvalues."""
    k = min(shape[-2:])
    rng = np.random.default_rng([*shape, len(dtype)])
    a = rng.normal(size=shape)
    if dtype == "complex128":
        a = a + 1j * rng.normal(size=shape)
    u, _, vh = np.linalg.svd(a, full_matrices=False)
    return (u * (2.0 + 1.4 * np.arange(k)[::-1])) @ vh


def hermitian(function):
    """Return a function of the Hermitian part, since that is what the decompositions of Hermitian matrices see."""
    return lambda xp, x: function(xp, (x + adjoint(xp, x)) / 2)


def cholesky(upper):
    def function(xp, x):
        eye = xp.eye(x.shape[-1], dtype=x.dtype)
        factor = xp.linalg.cholesky(xp.matmul(x, adjoint(xp, x)) + eye, upper=upper)
        # A library may leave what is outside of the triangle to rounding, so that it is not compared.
        return xp.triu(factor) if upper else xp.tril(factor)

    return function


def eigh(xp, x):
    w, v = xp.linalg.eigh(x)
    return w, squared(xp, v), xp.matmul(v * xp.astype(xp.exp(w / 2), x.dtype)[..., None, :], adjoint(xp, v))


def eig(xp, x):
    """Return symmetric functions of the eigenvalues, whose order is the library's, and the matrix square by its vectors."""
    w, v = xp.linalg.eig(x)
    cube = xp.matmul(v * (w**3)[..., None, :], xp.linalg.inv(v))
    weights = xp.sum(squared(xp, v) * xp.abs(w)[..., None, :], axis=-1)
    return xp.sum(w * w, axis=-1), xp.real(cube), weights


def svd(full_matrices):
    def function(xp, x):
        u, s, vh = xp.linalg.svd(x, full_matrices=full_matrices)
        k = s.shape[-1]
        lead = xp.matmul(u[..., :k] * xp.astype(xp.exp(s / 4), x.dtype)[..., None, :], vh[..., :k, :])
        rest_u, rest_v = u[..., k:], vh[..., k:, :]
        projections = xp.matmul(rest_u, adjoint(xp, rest_u)), xp.matmul(adjoint(xp, rest_v), rest_v)
        return s, lead, squared(xp, u[..., :k]), squared(xp, vh[..., :k, :]), *projections

    return function


def qr(mode):
    def function(xp, x):
        q, r = xp.linalg.qr(x, mode=mode)
        k = min(x.shape[-2:])
        return q[..., :k], r, xp.matmul(q[..., k:], adjoint(xp, q[..., k:]))

    return function


RECTANGLES = {"square": (3, 3), "tall": (4, 2), "wide": (2, 4), "stack": (2, 3, 2), "row": (1, 3), "column": (3, 1)}
BOTH = ("float64", "complex128")
CASES = {
    **{
        f"cholesky {'upper' * u}{k}": (cholesky(u), s)
        for u in (False, True)
        for k, s in {"": (3, 3), " stack": (2, 2, 2)}.items()
    },
    **{f"cholesky complex {u}": (cholesky(u), (C, 3, 3)) for u in (False, True)},
    "cholesky empty": (cholesky(False), (0, 0)),
    **{f"eigh {d}": (hermitian(eigh), spread(3, 3, dtype=d) + np.diag([0.0, 2.0, 5.0])) for d in BOTH},
    "eigh stack": (hermitian(eigh), spread(2, 2, 2) + np.diag([0.0, 3.0])),
    "eigh one": (hermitian(eigh), spread(1, 1)),
    "eigh empty": (hermitian(eigh), np.zeros((0, 0))),
    **{
        f"eigvalsh {d}": (hermitian(lambda xp, x: xp.linalg.eigvalsh(x)), spread(3, 3, dtype=d) + np.diag([0.0, 2.0, 5.0]))
        for d in BOTH
    },
    "eigh not symmetric": (lambda xp, x: xp.linalg.eigvalsh((x + x.mT) / 2), spread(2, 2)),
    **{f"eig {d}": (eig, spread(3, 3, dtype=d) + np.diag([0.0, 2.0, 5.0])) for d in BOTH},
    "eig rotation": (eig, np.array([[1.0, -2.0], [1.5, 0.5]])),
    "eig stack": (eig, spread(2, 2, 2) + np.diag([0.0, 3.0])),
    "eigvals": (lambda xp, x: xp.sum(xp.linalg.eigvals(x) ** 3), spread(3, 3) + np.diag([0.0, 2.0, 5.0])),
    **{
        f"svd {name} {full} {dtype}": (svd(full), spread(*shape, dtype=dtype))
        for name, shape in RECTANGLES.items()
        for full in (False, True)
        for dtype in BOTH
    },
    "svd empty": (svd(True), np.zeros((0, 2))),
    **{f"svdvals {name}": (lambda xp, x: xp.linalg.svdvals(x), spread(*shape)) for name, shape in RECTANGLES.items()},
    "svdvals complex": (lambda xp, x: xp.linalg.svdvals(x), spread(3, 2, dtype="complex128")),
    **{
        f"qr {name} {mode} {dtype}": (qr(mode), spread(*shape, dtype=dtype))
        for name, shape in RECTANGLES.items()
        for mode in ("reduced", "complete")
        for dtype in BOTH
    },
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name, engine, check, inputs):
    function, *specifications = CASES[name]
    check(engine, function, inputs(*specifications))


ONE_RESULT = {
    "eigh values": lambda xp, x: xp.sum(xp.linalg.eigh(x)[0] ** 2),
    "eigh vectors": lambda xp, x: xp.sum(xp.linalg.eigh(x)[1] ** 4),
    "svd u": lambda xp, x: xp.sum(xp.linalg.svd(x)[0] ** 4),
    "svd s": lambda xp, x: xp.sum(xp.linalg.svd(x)[1] ** 3),
    "svd vh": lambda xp, x: xp.sum(xp.linalg.svd(x)[2] ** 4),
    "qr q": lambda xp, x: xp.sum(xp.linalg.qr(x)[0] ** 4),
    "qr r": lambda xp, x: xp.sum(xp.sin(xp.linalg.qr(x)[1])),
}


@pytest.mark.parametrize("name", ONE_RESULT)
def test_functions_of_one_of_the_results(name, engine, check):
    x = spread(3, 3) + np.diag([0.0, 2.0, 5.0])
    function = hermitian(ONE_RESULT[name]) if name.startswith("eigh") else ONE_RESULT[name]
    check(engine, function, [x])


@pytest.mark.parametrize("name", ["cholesky", "eigvalsh"])
@pytest.mark.parametrize("dtype", BOTH)
def test_cotangents_of_functions_of_hermitian_matrices_are_hermitian(engine, derivatives, name, dtype):
    x = spread(3, 3, dtype=dtype)
    x = x @ np.conj(x.T) + np.eye(3)
    (g,) = derivatives(engine, lambda xp, x: xp.linalg.eigvalsh(x)[0], [x]).vjp([np.ones(())])[1]
    np.testing.assert_allclose(g, np.conj(g.T), atol=1e-15)
    case = derivatives(engine, lambda xp, x: getattr(xp.linalg, name)(x), [x])
    skew = spread(3, 3, dtype=dtype)
    skew = skew - np.conj(skew.T)
    _, (pushed,) = case.jvp([skew])
    np.testing.assert_allclose(pushed, np.zeros_like(pushed), atol=1e-14)


# --- repeated and vanishing values


def basis(n, dtype):
    return np.linalg.qr(spread(n, n, dtype=dtype))[0]


def similar(values, dtype):
    q = basis(len(values), dtype)
    x = (q * np.asarray(values)) @ np.conj(q.T)
    return (x + np.conj(x.T)) / 2, q


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize(("position", "members"), [(0, (0, 1)), (1, (0, 1)), (2, (2,)), (3, (3, 4, 5)), (5, (3, 4, 5))])
def test_each_repeated_eigenvalue_has_the_eigenprojection_over_its_multiplicity(engine, derivatives, position, members, dtype):
    x, q = similar([-1.0, -1.0, 0.5, 2.0, 2.0, 2.0], dtype)
    expected = q[:, members] @ np.conj(q[:, members].T) / len(members)
    case = derivatives(engine, lambda xp, x: xp.linalg.eigvalsh(x)[..., position], [x])
    np.testing.assert_allclose(case.gradient(), expected, atol=1e-13)
    t = np.conj(q.T) + q
    np.testing.assert_allclose(case.jvp([t])[1][0], np.sum(np.real(np.conj(expected) * t)), atol=1e-12)


@pytest.mark.parametrize("name", ["eigvalsh", "eigvals", "eigh"])
def test_symmetric_functions_of_repeated_eigenvalues_are_exact(engine, derivatives, name):
    x, q = similar([1.0, 1.0, 1.0, 3.0], "float64")

    def function(xp, x):
        values = getattr(xp.linalg, name)(x)
        values = values[0] if name == "eigh" else values
        total = xp.sum(values * values * values)
        return xp.real(total) if name == "eigvals" else total

    gradient = derivatives(engine, function, [x]).gradient()
    np.testing.assert_allclose(gradient, 3 * (q * np.array([1.0, 1.0, 1.0, 9.0])) @ q.T, atol=1e-12)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("shape", [(3, 3), (4, 3), (3, 5)])
def test_repeated_singular_values(engine, derivatives, shape, dtype):
    """The largest of U diag(2, 2, 1) V^H has U1 V1^H / 2, the smallest u3 v3^H."""
    u, _, vh = np.linalg.svd(spread(*shape, dtype=dtype), full_matrices=False)
    x = (u * np.array([2.0, 2.0, 1.0])) @ vh
    largest = derivatives(engine, lambda xp, x: xp.max(xp.linalg.svdvals(x)), [x])
    np.testing.assert_allclose(largest.gradient(), u[:, :2] @ vh[:2] / 2, atol=1e-13)
    smallest = derivatives(engine, lambda xp, x: xp.min(xp.linalg.svdvals(x)), [x])
    np.testing.assert_allclose(smallest.gradient(), np.outer(u[:, 2], vh[2]), atol=1e-13)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("shape", [(3, 3), (4, 3), (3, 5)])
def test_vanishing_singular_values_have_derivative_zero(engine, derivatives, shape, dtype):
    u, _, vh = np.linalg.svd(spread(*shape, dtype=dtype), full_matrices=False)
    x = (u * np.array([2.0, 1.0, 0.0])) @ vh
    case = derivatives(engine, lambda xp, x: xp.linalg.svdvals(x)[..., 2], [x])
    np.testing.assert_allclose(case.gradient(), np.zeros(shape), atol=1e-15)
    total = derivatives(engine, lambda xp, x: xp.sum(xp.linalg.svdvals(x)), [x])
    np.testing.assert_allclose(total.gradient(), u[:, :2] @ vh[:2], atol=1e-13)


def test_vectors_of_repeated_eigenvalues_have_no_derivative_and_others_are_unharmed(engine, derivatives):
    x, q = similar([1.0, 1.0, 2.0, 4.0], "float64")
    repeated = derivatives(engine, lambda xp, x: xp.linalg.eigh(x)[1][0, 0] ** 2, [x])
    assert np.all(np.isnan(repeated.gradient()))
    assert np.isnan(repeated.jvp([spread(4, 4)])[1][0])
    simple = derivatives(engine, lambda xp, x: xp.linalg.eigh(x)[1][0, 3] ** 2, [x])
    gaps = np.array([1 / (4 - 1), 1 / (4 - 1), 1 / (4 - 2), 0])
    half = np.outer(q @ (gaps * q[0]), q[:, 3]) * 2 * q[0, 3]
    np.testing.assert_allclose(simple.gradient(), (half + half.T) / 2, atol=1e-12)


def test_vectors_of_repeated_or_vanishing_singular_values_have_no_derivative(engine, derivatives):
    repeated = derivatives(engine, lambda xp, x: xp.linalg.svd(x, full_matrices=False)[0][0, 0], [np.eye(3)[:, :2]])
    assert np.all(np.isnan(repeated.gradient()))
    rank_one = np.outer([1.0, 2.0, 3.0], [1.0, 0.0])
    vanishing = derivatives(engine, lambda xp, x: xp.linalg.svd(x, full_matrices=False)[0][0, 1], [rank_one])
    assert np.all(np.isnan(vanishing.gradient()))
    leading = derivatives(engine, lambda xp, x: xp.linalg.svd(x, full_matrices=False)[0][0, 0] ** 2, [rank_one])
    u = np.array([1.0, 2.0, 3.0]) / np.sqrt(14)
    expected = np.outer(2 * u[0] * (np.eye(3)[0] - u[0] * u) / np.sqrt(14), [1.0, 0.0])
    np.testing.assert_allclose(leading.gradient(), expected, atol=1e-13)


def test_second_derivative_at_a_point_where_the_cotangent_of_the_vectors_vanishes(engine):
    """Half of the squared distance of the vectors from where they are: its gradient is 0, its Hessian is not."""
    xp = engine.namespace()
    x = np.diag([1.0, 3.0])
    fixed = engine.asarray(np.linalg.eigh(x)[1])
    t = engine.asarray(np.array([[0.0, 1.0], [1.0, 0.0]]))

    def gradient(x):
        return engine.value_and_grad(lambda x: (xp.sum((xp.linalg.eigh(x)[1] - fixed) ** 2) / 2,), (x,))[1]

    (g,), (pushed,) = engine.jvp(gradient, (engine.asarray(x),), (t,))
    np.testing.assert_array_equal(engine.to_numpy(g), np.zeros((2, 2)))
    # A rotation by a / (3 - 1) turns both vectors; the squared distance is a^2 / 2, and a stands in two elements.
    np.testing.assert_allclose(engine.to_numpy(pushed), [[0, 0.25], [0.25, 0]], atol=1e-14)


def test_rank_deficient_qr_has_no_derivative(engine, derivatives):
    x = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    case = derivatives(engine, lambda xp, x: xp.linalg.qr(x)[1], [x])
    assert np.all(np.isnan(case.vjp([np.ones((2, 2))])[1][0]))


def test_clusters_are_found_in_each_matrix_of_a_stack(engine, derivatives):
    stack = np.stack([np.diag([1.0, 1.0, 2.0]), np.diag([1.0, 2.0, 2.0]), np.diag([1.0, 2.0, 3.0])])
    gradient = derivatives(engine, lambda xp, x: xp.linalg.eigvalsh(x)[:, 1], [stack]).gradient()
    expected = [np.diag([0.5, 0.5, 0]), np.diag([0, 0.5, 0.5]), np.diag([0.0, 1, 0])]
    np.testing.assert_allclose(gradient, expected, atol=1e-15)


@pytest.mark.parametrize("name", ONE_RESULT)
def test_derivatives_under_vmap(engine, name):
    x = np.stack([spread(3, 3) + k * np.diag([1.0, 2.0, 4.0]) for k in range(1, 4)])
    x = engine.asarray((x + np.swapaxes(x, 1, 2)) / 2)
    xp = engine.namespace()

    def gradient(x):
        return engine.value_and_grad(lambda x: (ONE_RESULT[name](xp, x),), (x,))[1]

    (mapped,) = engine.vmap(gradient, (x,), (True,), 3)
    for k in range(3):
        np.testing.assert_allclose(engine.to_numpy(mapped)[k], engine.to_numpy(gradient(x[k, ...])[0]), rtol=1e-9, atol=1e-11)
