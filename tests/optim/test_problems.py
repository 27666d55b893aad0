"""Problems with known minima from their standard starts, on every library, and what theory promises of their iterates."""

from functools import partialmethod

import numpy as np
import pytest
import scipy.optimize
from scipy.optimize._trustregion_exact import IterativeSubproblem

import unidiff as ud
from tests.optim.problems import PROBLEMS, sum_of_squares, with_scipy

LATER = [
    "osborne", "biggs-exp6", "watson", "penalty-10", "trigonometric", "discrete-boundary-value", "broyden-tridiagonal",
    "chebyquad",
]  # fmt: skip


SYMMETRIC = 5.655649925e-3
"""The value of the exponential fit where two of its terms are the same, as they are at the start: a saddle point."""


@pytest.mark.parametrize("method", ["bfgs", "l-bfgs", "trust-exact"])
@pytest.mark.parametrize("name", LATER)
def test_the_other_problems_of_more_garbow_and_hillstrom(name, method):
    """Where several minima are near, it is that of SciPy's method: quasi-Newton steps keep the symmetry of a start."""
    (residuals, start, least), options = PROBLEMS[name], {}
    if name == "biggs-exp6" and method == "trust-exact":
        # Steps of the first radius, 1, lead into a valley that falls to 0.24268 at infinity (the test of paths follows both
        # there); SciPy's get by since they are far from exact. Those of most other radii do not lead there.
        options = {"initial_radius": 0.1}
    elif name == "biggs-exp6":
        least = SYMMETRIC
    f, x0 = sum_of_squares(residuals), np.asarray(start, dtype="float64")
    result = ud.minimize(f, x0, method=method, tol=1e-7, options=options)
    peer = with_scipy(f, x0, method, 1e-7)
    assert result.success
    assert float(result.fun) == pytest.approx(least, abs=1e-8)
    assert peer.fun == pytest.approx(least, abs=1e-8)


@pytest.mark.parametrize(
    "name", ["biggs-exp6", "wood", "penalty", "trigonometric", "chebyquad", "osborne", "powell-badly-scaled"]
)
def test_exact_steps_are_those_of_scipy_when_its_are_exact(name, monkeypatch):
    """SciPy ends the search for a multiplier where the step is within a tenth of the radius, or a fifth of the decrease."""
    exact = partialmethod(IterativeSubproblem.__init__, k_easy=1e-6, k_hard=1e-6, maxiter=200)
    monkeypatch.setattr(IterativeSubproblem, "__init__", exact)
    residuals, start, _ = PROBLEMS[name]
    f, x0 = sum_of_squares(residuals), np.asarray(start, dtype="float64")
    found = ud.minimize(f, x0, method="trust-exact", tol=1e-7, options={"maxiter": 25, "trajectory": True})
    peer = with_scipy(f, x0, "trust-exact", 1e-7, maxiter=25, return_all=True)
    # The values are compared, since a step along an eigenvector has two signs.
    assert len(found.trajectory) >= 11
    assert name != "biggs-exp6" or min(float(found.fun), peer.fun) > 0.2426
    for x, y in zip(found.trajectory, peer.allvecs, strict=False):
        assert float(f(x)) == pytest.approx(float(f(y)), rel=2e-3, abs=1e-9)


def test_badly_scaled_unknowns_are_found_in_as_many_steps_as_scipys():
    """The eigenvalues of the Hessian are 1e10 and less than its rounding errors; SciPy's last steps are lost in them."""
    residuals, start, _ = PROBLEMS["powell-badly-scaled"]
    f, x0 = sum_of_squares(residuals), np.asarray(start, dtype="float64")
    result, peer = ud.minimize(f, x0, method="trust-exact", tol=1e-7), with_scipy(f, x0, "trust-exact", 1e-7)
    assert result.success
    assert result.nit <= peer.nit + 5
    np.testing.assert_allclose(result.x, [1.098159329e-5, 9.106146738], rtol=1e-9)


ON_ALL = ["bard", "wood", "chebyquad"]


@pytest.mark.parametrize("name", ON_ALL)
def test_paths_are_those_of_numpy_on_every_library(name, backend, array):
    if not ud.get_backend(backend).nests():
        pytest.skip("has no exact derivatives of derivatives")
    if backend == "jax" and name != "bard":
        pytest.skip("the same code, and long to compile")
    residuals, start, least = PROBLEMS[name]
    f = sum_of_squares(residuals)
    for solve, value in (
        (lambda x: ud.minimize(f, x, method="bfgs", tol=1e-7), lambda r: float(r.fun)),
        (lambda x: ud.least_squares(residuals, x), lambda r: 2 * float(r.cost)),
    ):
        found, want = solve(array(start)), solve(np.asarray(start, dtype="float64"))
        assert found.success
        assert abs(found.nit - want.nit) <= 2
        assert ud.get_backend(found.x).name == backend
        assert abs(value(found) - least) <= 1e-9 * max(1.0, least)
        assert abs(value(found) - value(want)) <= 1e-11


# The set that the tests of jaxopt, optax and optimistix share.


def himmelblau(x):
    return (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2


def matyas(x):
    return 0.26 * (x[0] ** 2 + x[1] ** 2) - 0.48 * x[0] * x[1]


def booth(x):
    return (x[0] + 2 * x[1] - 7) ** 2 + (2 * x[0] + x[1] - 5) ** 2


def zakharov(x):
    s = (0.5 * np.arange(1.0, x.shape[0] + 1) * x).sum()
    return (x**2).sum() + s**2 + s**4


def eggholder(x):
    a, b = x[1] + 47, x[0]
    return -a * np.sin(np.sqrt(np.abs(b / 2 + a))) - b * np.sin(np.sqrt(np.abs(b - a)))


SHARED = {
    "himmelblau": (himmelblau, [1.0, 1.0], [3.0, 2.0]),
    "matyas": (matyas, [6.0, 6.0], [0.0, 0.0]),
    "booth": (booth, [1.0, 1.0], [1.0, 3.0]),
    "zakharov": (zakharov, [600.0, 700, 200, 100, 90, 1e3], [0.0] * 6),
}


@pytest.mark.parametrize("method", ["bfgs", "l-bfgs", "newton", "trust-ncg"])
@pytest.mark.parametrize("name", SHARED)
def test_the_shared_problems(name, method):
    f, start, solution = SHARED[name]
    result = ud.minimize(f, np.asarray(start), method=method, tol=1e-8)
    assert result.success
    np.testing.assert_allclose(result.x, solution, atol=1e-6)


def test_the_valleys_of_eggholder_are_stationary():
    for start in ([6.0, 6.0], [100.0, 100.0]):
        result = ud.minimize(eggholder, np.asarray(start), tol=1e-6, options={"classify": True})
        assert (result.success, result.stationary) == (True, "minimum")


@pytest.mark.parametrize("condition", [1.0, 1e2, 1e6])
@pytest.mark.parametrize("method", ["cg", "bfgs", "l-bfgs", "newton", "trust-exact"])
def test_quadratics_of_all_conditions(condition, method):
    q = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 6)))[0]
    a, b = q @ np.diag(np.geomspace(1, condition, 6)) @ q.T, np.arange(1.0, 7)
    result = ud.minimize(lambda x: 0.5 * x @ (a @ x) - b @ x, np.ones(6), method=method, tol=1e-6)
    assert result.success
    assert float(result.fun) == pytest.approx(-0.5 * b @ np.linalg.solve(a, b), rel=1e-10)


# Problems 28 and 71 of Hock and Schittkowski; 5 and 35 are among the solvers.


@pytest.mark.parametrize("method", ["slsqp", "trust-constr"])
def test_constrained_problems_of_hock_and_schittkowski(method, backend, array):
    if not ud.get_backend(backend).nests():
        pytest.skip("has no exact derivatives of derivatives")
    if (method == "trust-constr" and backend != "numpy") or backend == "jax":
        pytest.skip("the adapter is the same")
    equal = {"type": "eq", "fun": lambda x: x[0] + 2 * x[1] + 3 * x[2] - 1}
    found = ud.minimize(
        lambda x: (x[0] + x[1]) ** 2 + (x[1] + x[2]) ** 2, array([-4.0, 1, 1]), method=method, constraints=equal, tol=1e-10
    )
    np.testing.assert_allclose(ud.to_numpy(found.x), [0.5, -0.5, 0.5], atol=1e-5)
    found = ud.minimize(
        lambda x: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2], array([1.0, 5, 5, 1]), method=method, bounds=(1.0, 5.0), tol=1e-10,
        constraints=[
            {"type": "ineq", "fun": lambda x: x[0] * x[1] * x[2] * x[3] - 25},
            {"type": "eq", "fun": lambda x: x[0] ** 2 + x[1] ** 2 + x[2] ** 2 + x[3] ** 2 - 40},
        ],
    )  # fmt: skip
    assert found.success
    assert float(found.fun) == pytest.approx(17.0140173, abs=1e-4)


# Least squares of SciPy: the same evaluations.


@pytest.mark.parametrize("loss", ["linear", "huber", "soft_l1", "cauchy", "arctan"])
@pytest.mark.parametrize("name", ["rosenbrock", "beale", "wood", "bard"])
def test_bounded_robust_fits_follow_scipys(name, loss):
    residuals, start, _ = PROBLEMS[name]
    x0 = np.asarray(start, dtype="float64")
    bounds = (x0 - 0.3, np.where(np.arange(x0.size) % 2, np.inf, x0 + 1.7))
    found = ud.least_squares(residuals, x0, bounds=bounds, loss=loss, f_scale=0.7)
    peer = scipy.optimize.least_squares(
        residuals, x0, jac=ud.jacobian(residuals), bounds=bounds, loss=loss, f_scale=0.7, x_scale=1.0,
        gtol=np.finfo(float).eps ** 0.5,
    )  # fmt: skip
    assert found.success
    assert float(found.cost) == pytest.approx(peer.cost, rel=1e-6, abs=1e-10)
    assert abs(found.nfev - peer.nfev) <= 1
    assert found.active_mask.tolist() == peer.active_mask.tolist()
    assert np.all((bounds[0] <= found.x) & (found.x <= bounds[1]))


def test_robust_losses_ignore_outliers_on_every_library(backend, array):
    if not ud.get_backend(backend).nests():
        pytest.skip("has no exact derivatives of derivatives")
    t = np.linspace(0, 1, 9)
    y = 1.0 + 2.0 * t
    y[4] = 30.0
    ts, ys = array(t), array(y)
    fit = lambda p: p["a"] + p["b"] * ts - ys
    found = ud.least_squares(fit, {"a": array(0.0), "b": array(0.0)}, loss="cauchy", f_scale=0.05)
    assert found.success
    np.testing.assert_allclose([float(found.x["a"]), float(found.x["b"])], [1, 2], atol=1e-3)
    assert isinstance(found.grad, dict)


def test_units_and_losses_of_ones_own():
    residuals, start, _ = PROBLEMS["meyer"]
    x0 = np.asarray(start, dtype="float64")
    found = ud.least_squares(residuals, x0, x_scale="jac")
    assert 2 * float(found.cost) == pytest.approx(87.94585517, rel=1e-6)
    own = ud.least_squares(lambda x: x - np.asarray([1.0, 2, 9]), np.zeros(3), loss=lambda z: np.log1p(z))
    named = ud.least_squares(lambda x: x - np.asarray([1.0, 2, 9]), np.zeros(3), loss="cauchy")
    np.testing.assert_allclose(own.x, named.x, rtol=1e-12)
    assert own.nfev == named.nfev


# Bounds on every iterate


def worst_quadratic(n=41):
    """Return Nesterov's function, its constant, its solution: no method of gradients is fast on it."""
    a = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    b = np.eye(n)[0]
    f = lambda x: 0.5 * x @ (a @ x) - b @ x
    return f, 4.0, 1 - np.arange(1, n + 1) / (n + 1)


@pytest.mark.parametrize("method", ["gradient-descent", "fista", "cg", "bfgs", "l-bfgs"])
def test_no_method_of_gradients_is_faster_than_the_lower_bound(method):
    f, lipschitz, solution = worst_quadratic()
    n = solution.size
    prox = (lambda x, step: x) if method == "fista" else None
    result = ud.minimize(
        f, np.zeros(n), method=method, prox=prox, tol=0.0, options={"maxiter": (n - 1) // 2, "trajectory": True}
    )
    gaps = np.asarray([f(x) for x in result.trajectory]) - f(solution)
    k = (n - 1) // 2  # the bound is that of this iterate, and of all before
    assert len(gaps) == k + 1
    assert gaps.min() >= 3 * lipschitz * np.sum(solution**2) / (32 * (k + 1) ** 2)


def test_conjugate_gradients_keep_their_bound_in_the_norm_of_the_matrix():
    condition = 100.0
    a, b = np.diag(np.geomspace(1, condition, 30)), np.ones(30)
    solution = b / np.diag(a)
    exact = {"line_search": ud.optim.StrongWolfe(c1=1e-6, c2=1e-5), "maxiter": 25, "trajectory": True}
    result = ud.minimize(lambda x: 0.5 * x @ (a @ x) - b @ x, np.zeros(30), method="cg", tol=0.0, options=exact)
    errors = np.asarray([np.sqrt((x - solution) @ a @ (x - solution)) for x in result.trajectory])
    rate = (np.sqrt(condition) - 1) / (np.sqrt(condition) + 1)
    assert np.all(errors <= 2 * rate ** np.arange(len(errors)) * errors[0] * (1 + 1e-3))


def test_subgradients_keep_their_bound_for_the_best_iterate():
    target, steps = np.asarray([0.7, -1.3, 0.2]), 400
    f = lambda x: np.abs(x - target).sum()
    radius, lipschitz = np.linalg.norm(target), np.sqrt(3)
    optimizer, x, best = ud.optim.SGD(radius / (lipschitz * np.sqrt(steps))), np.zeros(3), np.inf
    state = optimizer.init(x)
    for _ in range(steps):
        best = min(best, f(x))
        x, state = optimizer.step(x, ud.grad(f)(x), state)
    assert best <= lipschitz * radius / np.sqrt(steps)


RATES = {"SGD": 0.1, "Adadelta": 30.0, "Adagrad": 1.0, "Lion": 0.01, "Rprop": 0.1}


@pytest.mark.parametrize(
    "name",
    [
        "SGD",
        "Adam",
        "AdamW",
        "AMSGrad",
        "Adamax",
        "NAdam",
        "RAdam",
        "RMSprop",
        "Adagrad",
        "Adadelta",
        "Rprop",
        "Lion",
        "Adafactor",
    ],
)
def test_the_parabola_of_optaxs_tests(name):
    options = {"weight_decay": 0.0} if name in {"AdamW", "Lion"} else {}
    optimizer = getattr(ud.optim, name)(RATES.get(name, 0.05), **options)
    x, target = np.asarray([-1.0, 10.0, 1.0]), np.asarray([1.0, -1.0, 1.0])
    state = optimizer.init(x)
    for _ in range(3000):
        x, state = optimizer.step(x, 2 * (x - target), state)
    np.testing.assert_allclose(x, target, atol=3e-2)


def test_a_start_at_a_bound_at_zero_is_left():
    """SciPy stays there, since its first radius is that of the distance from the bound."""
    found = ud.least_squares(lambda x: x - 2.0, np.zeros(2), bounds=(0.0, 1.0))
    np.testing.assert_allclose(found.x, 1, atol=1e-6)
