"""Methods of `unidiff.minimize` on the problems of Moré, Garbow and Hillstrom, beside SciPy's, and on every library."""

import numpy as np
import pytest
import scipy.optimize

import unidiff as ud
from tests.optim.problems import PEERS, PROBLEMS, sum_of_squares, with_scipy

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
    assert result.success
    # A gradient of 1e-6 by each of four unknowns, where the least curvature is 2e-5, is up to 1e-7 above the minimum.
    assert abs(float(result.fun) - least) <= 1e-7 * max(1.0, least)
    assert result.nfev <= 250


def visited(f):
    """Return a function and the list of the points at which it is evaluated."""
    points = []

    def recorded(x):
        points.append(np.array(ud.to_numpy(ud.stop_gradient(x))))
        return f(x)

    return recorded, points


COUNTED = ["rosenbrock", "beale", "wood", "powell-singular", "helical-valley", "box-3d"]
CHAOTIC = {("cg", "wood"), ("cg", "powell-singular")}
"""Where rounding errors grow from step to step until paths part, and SciPy's own count depends on the last digit."""


@pytest.mark.parametrize(
    ("method", "name"),
    [(m, n) for m in ("bfgs", "l-bfgs", "trust-ncg", "cg", "trust-exact") for n in COUNTED if (m, n) not in CHAOTIC],
)
def test_iterations_are_as_many_as_scipys(name, method):
    residuals, start, _ = PROBLEMS[name]
    f, x0 = sum_of_squares(residuals), np.asarray(start, dtype="float64")
    result, peer = ud.minimize(f, x0, method=method, tol=1e-8), with_scipy(f, x0, method, 1e-8)
    assert result.success
    if (method, name) == ("cg", "rosenbrock"):
        # Steps that the next direction would not lead down from are searched again by SciPy; ours go on along the gradient.
        assert result.nfev <= peer.nfev
    elif (method, name) == ("l-bfgs", "wood"):
        # The last digits of the start decide whether SciPy needs 109 evaluations or 123.
        assert result.nfev <= 1.15 * peer.nfev
    else:
        assert abs(result.nit - peer.nit) <= 1
        assert abs(result.nfev - peer.nfev) <= 2


@pytest.mark.parametrize(("method", "name"), sorted(CHAOTIC))
def test_evaluations_are_as_many_as_scipys_on_average(method, name):
    residuals, start, _ = PROBLEMS[name]
    f, rng, counts = sum_of_squares(residuals), np.random.default_rng(0), []
    for _ in range(15):
        x0 = np.asarray(start) * (1 + 1e-14 * rng.standard_normal(4))
        result = ud.minimize(f, x0, method=method, tol=1e-8, options={"jit": True})
        assert result.success
        counts.append((result.nfev, with_scipy(f, x0, method, 1e-8).nfev))
    ours, peers = np.asarray(counts).T
    assert peers.max() > 1.1 * peers.min()
    assert np.median(ours) <= 1.15 * np.median(peers)
    assert np.mean(ours) <= 1.15 * np.mean(peers)


def test_directions_of_conjugate_gradients_that_do_not_lead_down_are_replaced_at_no_loss():
    """SciPy searches on until the next direction leads down; to go on along the gradient takes no more evaluations."""
    ratios, rng = [], np.random.default_rng(1)
    for name in ("rosenbrock", "bard", "kowalik-osborne", "penalty", "freudenstein-roth"):
        residuals, start, _ = PROBLEMS[name]
        f, start = sum_of_squares(residuals), np.asarray(start, dtype="float64")
        for _ in range(4):
            x0 = start + 0.05 * np.maximum(0.1, np.abs(start)) * rng.standard_normal(start.size)
            result, peer = ud.minimize(f, x0, method="cg", tol=1e-6), with_scipy(f, x0, "cg", 1e-6)
            assert result.success
            if peer.success:
                ratios.append(result.nfev / peer.nfev)
    assert len(ratios) >= 15
    assert np.exp(np.mean(np.log(ratios))) <= 1


@pytest.mark.parametrize(
    ("method", "name", "count"),
    [
        ("bfgs", "rosenbrock", 30),
        ("bfgs", "wood", 25),
        ("bfgs", "powell-singular", 40),
        ("l-bfgs", "rosenbrock", 30),
        ("l-bfgs", "wood", 10),
        ("l-bfgs", "powell-singular", 40),
        ("l-bfgs-b", "rosenbrock", 30),
        ("l-bfgs-b", "beale", 15),
        ("cg", "wood", 20),
        ("cg", "beale", 40),
        ("cg", "powell-singular", 20),
    ],
)
def test_the_function_is_evaluated_where_scipy_evaluates_it(method, name, count):
    residuals, start, _ = PROBLEMS[name]
    x0 = np.asarray(start, dtype="float64")
    ours, mine = visited(sum_of_squares(residuals))
    theirs, peers = visited(sum_of_squares(residuals))
    ud.minimize(ours, x0, method=method, tol=1e-8)
    options = {"gtol": 1e-8, "ftol": 0} if method.startswith("l") else {"gtol": 1e-8}
    scipy.optimize.minimize(ud.value_and_grad(theirs), x0, jac=True, method=PEERS[method], options=options)
    np.testing.assert_allclose(np.stack(mine[:count]), np.stack(peers[:count]), rtol=1e-5, atol=1e-7)


# A. Berger et al., "A maximum entropy approach to natural language processing", 1996, as in SciPy's tests.
FEATURES = np.asarray([[1.0, 1, 1], [1, 1, 0], [1, 0, 1], [1, 0, 0], [1, 0, 0]])
MEANS = np.asarray([1.0, 0.3, 0.5])


def maximum_entropy(x):
    xp = ud.array_namespace(x)
    return xp.log(xp.sum(xp.exp(FEATURES @ x))) - xp.sum(MEANS * x)


@pytest.mark.parametrize(
    ("method", "evaluations", "first", "published"),
    [
        ("bfgs", 8, 6, [[0, -0.525060743, 0.487748473], [0, -0.524885582, 0.487530347]]),
        ("cg", 7, 2, [[0, -0.5, 0.5], [0, -0.505700028, 0.495985862]]),
        ("l-bfgs-b", 5, 3, [[0, -0.519619798, 0.489761668], [0, -0.52489628, 0.48753042]]),
    ],
)
def test_the_published_evaluations_of_a_maximum_entropy_problem(method, evaluations, first, published):
    f, points = visited(maximum_entropy)
    result = ud.minimize(f, np.zeros(3), method=method, tol=1e-5)
    assert result.nfev == evaluations
    np.testing.assert_allclose(points[first : first + 2], published, rtol=3e-8, atol=1e-9)
    # The solution is known by what it satisfies: the features have these means. It was published with six digits.
    exact = ud.minimize(maximum_entropy, np.zeros(3), method=method, tol=1e-10).x
    weights = np.exp(FEATURES @ exact)
    np.testing.assert_allclose(weights @ FEATURES / weights.sum(), MEANS, rtol=0, atol=2e-10)
    np.testing.assert_allclose(exact, [0, -0.524869, 0.487528], atol=1e-6)


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


@pytest.mark.parametrize(("method", "tol"), [("bfgs", 1e-7), ("l-bfgs", 1e-7), ("trust-ncg", 1e-7), ("scipy:slsqp", 1e-12)])
def test_every_library_finds_the_same(method, tol, backend, array):
    """SLSQP compares the tolerance with changes of the objective, which are of the order of the square of those of x."""
    if not ud.get_backend(backend).nests():
        pytest.skip("has no exact derivatives of derivatives")
    start = {"x": array(-1.2), "y": array(1.0)}
    result = ud.minimize(rosenbrock, start, args=array(100.0), method=method, tol=tol)
    want = ud.minimize(
        rosenbrock, {"x": np.asarray(-1.2), "y": np.asarray(1.0)}, args=np.asarray(100.0), method=method, tol=tol
    )
    assert result.success
    assert abs(result.nit - want.nit) <= 1
    for name, x in result.x.items():
        assert ud.get_backend(x).name == backend
        assert x.dtype == start[name].dtype
        assert abs(float(x) - 1.0) < 1e-7


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


def test_limited_memory_computes_the_two_loops():
    from unidiff.optim.limited_memory import Pairs, RecordedPairs
    from unidiff.optim.vector import Layout

    random = np.random.default_rng(0)
    a = random.standard_normal((7, 7))
    a = a @ a.T + np.eye(7)
    for memory in (1, 3, 10):
        layout = Layout(np.zeros(7))
        pairs, recorded = Pairs(layout, memory), RecordedPairs(layout, memory)
        for _ in range(8):  # more than most memories hold, and fewer than the largest one does
            s = random.standard_normal(7)
            y = a @ s
            for kept in (pairs, recorded):
                kept.add(s, y, float(s @ y), float(y @ y))
            g = random.standard_normal(7)
            np.testing.assert_allclose(pairs.direction(g), recorded.direction(g), rtol=1e-10)
            np.testing.assert_allclose(-pairs.direction(y), s, rtol=1e-9, atol=1e-10)  # the secant equation
        assert len(pairs) == len(recorded) == len(pairs.state()["pairs"]) == min(memory, 8)
        for (s, y), (s2, y2) in zip(pairs.state()["pairs"], recorded.state()["pairs"], strict=True):
            np.testing.assert_array_equal((s, y), (s2, y2))


@pytest.mark.parametrize("method", ["l-bfgs", "bfgs", "cg"])
def test_tight_tolerances_cost_few_evaluations(method):
    """Where the decrease drowns in rounding errors of a large value, slopes decide, and the first trial is mostly good."""
    f = sum_of_squares(PROBLEMS["brown-dennis"][0])
    result = ud.minimize(f, np.asarray([25.0, 5, -5, -1]), method=method, tol=1e-7)
    assert result.success
    assert result.nfev <= 3 * result.nit


@pytest.mark.parametrize("method", ["bfgs", "l-bfgs"])
def test_searches_end_where_steps_are_rounding_errors(method):
    """The gradient of Meyer's problem is 1e7 and more on the way, and its rounding errors at the minimum 1e-4."""
    residuals, start, least = PROBLEMS["meyer"]
    result = ud.minimize(sum_of_squares(residuals), np.asarray(start), method=method, tol=1e-10, options={"jit": True})
    assert (result.success, result.status) == (False, ud.optim.Status.LINE_SEARCH)
    assert float(result.fun) == pytest.approx(least, rel=1e-9)
    assert result.nit < 1000


def heavy_ball(objective, start, *, step=0.01, momentum=0.0):
    point, v = objective(start), 0.0
    while True:
        yield point
        v = momentum * v - step * point.gradient
        point = objective(point.x + v)


def test_methods_of_ones_own(backend, array):
    f = lambda p, c: (p["a"][0] - c) ** 2 + (p["a"][1] - c) ** 2 + (p["b"] + 1.0) ** 2
    start = {"a": array([0.0, 0.0]), "b": array(0.0)}
    seen = []
    result = ud.minimize(
        f, start, args=array(3.0), method=heavy_ball, tol=1e-6, callback=seen.append,
        options={"step": 0.3, "momentum": 0.1, "trajectory": True},
    )  # fmt: skip
    assert (result.success, result.nit) == (True, len(seen))
    assert len(result.trajectory) == result.nit + 1 == result.nfev
    np.testing.assert_allclose(ud.to_numpy(result.x["a"]), 3, atol=1e-6)
    np.testing.assert_allclose(float(result.x["b"]), -1, atol=1e-6)


def test_solutions_of_ones_own_methods_have_derivatives():
    best = lambda c: ud.minimize(tilted, np.zeros(2), args=c, method=heavy_ball, tol=1e-10, options={"step": 0.2}).x
    np.testing.assert_allclose(ud.jacobian(best)(np.asarray([1.0, 2.0])), np.eye(2) / 2, atol=1e-8)


def tilted(x, c):
    return (x**2).sum() - (x * c).sum()


def nothing(objective, start):
    return
    yield


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (lambda objective, start: start, "must be a generator function"),
        (lambda objective, start: iter([start]), "must yield what objective"),
        (nothing, "nothing yielded nothing"),
        (3, "or a generator function of your own"),
    ],
)
def test_bad_methods_of_ones_own(method, message):
    with pytest.raises(ud.errors.ArgumentError, match=message):
        ud.minimize(tilted, np.zeros(2), args=1.0, method=method)
    with pytest.raises(ud.errors.ArgumentError, match="There is no option 'rate'"):
        ud.minimize(tilted, np.zeros(2), args=1.0, method=heavy_ball, options={"rate": 1.0})
