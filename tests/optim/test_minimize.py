"""Methods of `unidiff.minimize` on the problems of Moré, Garbow and Hillstrom, beside SciPy's, and on every library."""

import numpy as np
import pytest
import scipy.optimize

import unidiff as ud
from tests.optim.problems import PROBLEMS, sum_of_squares

METHODS = ["cg", "bfgs", "l-bfgs", "newton", "newton-cg", "trust-ncg", "trust-exact"]
SMOOTH = [
    "rosenbrock", "freudenstein-roth", "beale", "jennrich-sampson", "helical-valley", "bard", "gaussian", "box-3d",
    "powell-singular", "wood", "kowalik-osborne", "brown-dennis", "penalty", "variably-dimensioned",
]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", SMOOTH)
def test_known_minima_are_reached_from_the_standard_starts(name, method):
    residuals, start, least = PROBLEMS[name]
    result = ud.minimize(sum_of_squares(residuals), np.asarray(start, dtype="float64"), method=method, tol=1e-6)
    f = float(result.fun)
    found = [least] + ([0.0] if name == "freudenstein-roth" else [])  # one more minimum
    assert min(abs(f - value) for value in found) <= 1e-7 * max(1.0, least)
    assert result.success or abs(f - least) <= 1e-9 * max(1.0, least)
    assert result.nfev <= 2500


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("bfgs", "BFGS"), ("l-bfgs", "L-BFGS-B"), ("trust-ncg", "trust-ncg"), ("cg", "CG")],
)
@pytest.mark.parametrize("name", ["rosenbrock", "beale", "wood", "powell-singular"])
def test_iterations_are_as_many_as_scipys(name, ours, theirs):
    residuals, start, _ = PROBLEMS[name]
    f, x0 = sum_of_squares(residuals), np.asarray(start, dtype="float64")
    result = ud.minimize(f, x0, method=ours, tol=1e-8)
    gtol = {"gtol": 1e-8, "maxiter": 1000} | ({"ftol": 0} if theirs == "L-BFGS-B" else {})
    extra = {"hess": ud.hessian(f)} if theirs.startswith("trust") else {}
    peer = scipy.optimize.minimize(f, x0, method=theirs, jac=ud.grad(f), options=gtol, **extra)
    assert result.success
    assert result.nit <= 1.25 * peer.nit + 5
    assert result.nfev <= 1.25 * peer.nfev + 8


def test_bfgs_follows_scipys_path():
    f, x0 = sum_of_squares(PROBLEMS["rosenbrock"][0]), np.asarray([-1.2, 1.0])
    result = ud.minimize(f, x0, method="bfgs", tol=1e-8, options={"trajectory": True})
    path = []
    scipy.optimize.minimize(f, x0, method="BFGS", jac=ud.grad(f), options={"gtol": 1e-8}, callback=path.append)
    assert len(result.trajectory) == len(path) + 1 == 35
    np.testing.assert_allclose(np.stack(result.trajectory[1:26]), np.stack(path[:25]), rtol=1e-7, atol=1e-7)


# A. Berger et al., "A maximum entropy approach to natural language processing", 1996, as in SciPy's tests.
FEATURES = np.asarray([[1.0, 1, 1], [1, 1, 0], [1, 0, 1], [1, 0, 0], [1, 0, 0]])
MEANS = np.asarray([1.0, 0.3, 0.5])


def maximum_entropy(x):
    xp = ud.array_namespace(x)
    return xp.log(xp.sum(xp.exp(FEATURES @ x))) - xp.sum(MEANS * x)


@pytest.mark.parametrize(
    ("method", "evaluations", "iterates"),
    [
        ("bfgs", 10, {5: [0, -0.525060743, 0.487748473], 6: [0, -0.524885582, 0.487530347]}),
        ("cg", 9, {2: [0, -0.5, 0.5], 4: [0, -0.505700028, 0.495985862]}),
        ("l-bfgs-b", 7, {}),
    ],
)
def test_the_published_iterates_of_a_maximum_entropy_problem(method, evaluations, iterates):
    result = ud.minimize(maximum_entropy, np.zeros(3), method=method, tol=1e-5, options={"trajectory": True})
    np.testing.assert_allclose(result.x, [0, -0.524869316, 0.487525860], atol=5e-5)
    assert result.nfev <= evaluations + 1
    if method == "bfgs":
        for k, want in iterates.items():
            assert any(np.allclose(x, want, rtol=1e-6, atol=1e-9) for x in result.trajectory), k


SEARCHES = {
    "armijo": ud.optim.Armijo(),
    "strong-wolfe": ud.optim.StrongWolfe(),
    "hager-zhang": ud.optim.HagerZhang(),
    "more-thuente": ud.optim.MoreThuente(),
}


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("method", ["bfgs", "l-bfgs", "newton"])
def test_line_searches_reach_the_minimum_of_woods_function(method, search):
    f = sum_of_squares(PROBLEMS["wood"][0])
    result = ud.minimize(f, np.asarray([-3.0, -1, -3, -1]), method=method, options={"line_search": SEARCHES[search]}, tol=1e-7)
    np.testing.assert_allclose(result.x, 1.0, atol=1e-6)
    assert result.success


def rosenbrock(p, b):
    return b * (p["y"] - p["x"] ** 2) ** 2 + (1 - p["x"]) ** 2


@pytest.mark.parametrize("method", ["bfgs", "trust-ncg", "scipy:slsqp"])
def test_every_library_finds_the_same(method, backend, array):
    if not ud.get_backend(backend).nests():
        pytest.skip("has no exact derivatives of derivatives")
    start = {"x": array(-1.2), "y": array(1.0)}
    result = ud.minimize(rosenbrock, start, args=array(100.0), method=method, tol=1e-6)
    want = ud.minimize(
        rosenbrock, {"x": np.asarray(-1.2), "y": np.asarray(1.0)}, args=np.asarray(100.0), method=method, tol=1e-6
    )
    assert result.success
    assert abs(result.nit - want.nit) <= 2
    for name, x in result.x.items():
        assert ud.get_backend(x).name == backend
        assert x.dtype == start[name].dtype
        assert abs(float(x) - float(want.x[name])) < 1e-6
        assert abs(float(x) - 1.0) < 1e-3


@pytest.mark.parametrize("method", [*METHODS, "gradient-descent"])
def test_single_precision_stays_and_converges(method):
    f = sum_of_squares(PROBLEMS["beale"][0])
    result = ud.minimize(f, np.asarray([1, 1], dtype="float32"), method=method, tol=2e-3)
    assert result.success
    assert result.x.dtype == result.jac.dtype == np.float32
    np.testing.assert_allclose(result.x, [3, 0.5], rtol=2e-2)


def test_complex_parameters_are_pairs_of_real_ones():
    target = np.asarray([1 + 2j, -0.5j])
    result = ud.minimize(
        lambda z: (np.abs(z - target) ** 2).sum() + 0.1 * (np.abs(z) ** 4).sum(), np.zeros(2, dtype=complex), tol=1e-9
    )
    assert result.success
    assert result.x.dtype == complex
    np.testing.assert_allclose(result.x * (1 + 0.2 * np.abs(result.x) ** 2), target, atol=1e-8)


def test_leaves_of_several_dtypes_keep_them():
    start = {"a": np.zeros(2, dtype="float32"), "b": np.zeros((1, 2)), "c": np.asarray(0j)}
    result = ud.minimize(lambda p: ((p["a"] - 1) ** 2).sum() + ((p["b"] - 2) ** 2).sum() + abs(p["c"] - 1j) ** 2, start)
    assert result.success
    assert {k: str(v.dtype) for k, v in result.x.items()} == {"a": "float32", "b": "float64", "c": "complex128"}
    np.testing.assert_allclose(result.x["b"], [[2, 2]], atol=1e-5)


def test_first_order_optimizers_are_methods():
    result = ud.minimize(
        lambda x: ((x - 3) ** 2).sum(), np.zeros(2), method=ud.optim.Adam(0.1), tol=1e-3, options={"maxiter": 2000}
    )
    assert result.success
    np.testing.assert_allclose(result.x, 3, atol=1e-3)


def test_natural_gradients_fit_a_logistic_regression_in_few_iterations():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((40, 3))
    y = (rng.random(40) < 1 / (1 + np.exp(-a @ np.asarray([1.0, -2, 0.5])))).astype(float)

    def loss(w):
        z = a @ w
        return (np.logaddexp(0, z) - y * z).sum()

    def metric(w):
        p = 1 / (1 + np.exp(-a @ w))
        return lambda v: a.T @ (p * (1 - p) * (a @ v))

    result = ud.minimize(loss, np.zeros(3), method="natural-gradient", options={"metric": metric}, tol=1e-8)
    want = ud.minimize(loss, np.zeros(3), method="bfgs", tol=1e-8)
    assert result.success
    assert result.nit < want.nit
    np.testing.assert_allclose(result.x, want.x, rtol=1e-6)


def test_auxiliary_output_and_compilation():
    f = lambda x, c: (((x - c) ** 2).sum(), {"distance": x - c})
    result = ud.minimize(f, np.zeros(2), args=np.ones(2), has_aux=True, options={"jit": True})
    np.testing.assert_allclose(result.aux["distance"], 0, atol=1e-6)
    np.testing.assert_allclose(result.fun, 0, atol=1e-9)


@pytest.mark.parametrize(
    ("f", "start", "kind"),
    [
        (lambda x: (x**2).sum(), [1.0, 2.0], "minimum"),
        (lambda x: -(x**2).sum(), [0.0, 0.0], "maximum"),
        (lambda x: x[0] ** 2 - x[1] ** 2, [1.0, 0.0], "saddle"),
        (lambda x: x[0] ** 2 + x[1] ** 4, [1.0, 0.0], "degenerate"),
    ],
)
def test_stationary_points_are_classified(f, start, kind):
    assert ud.minimize(f, np.asarray(start), options={"classify": True}).stationary == kind


def test_a_stop_before_is_not_stationary():
    result = ud.minimize(lambda x: (x**4).sum(), np.ones(2), options={"maxiter": 1, "classify": True})
    assert (result.stationary, result.status, result.success) == ("not stationary", ud.optim.Status.ITERATIONS, False)
