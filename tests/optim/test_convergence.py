"""What theory promises of every iterate: bounds, orders of convergence, finite termination."""

import numpy as np
import pytest

import unidiff as ud

KAPPA, N = 100.0, 8


def quadratic(kappa=KAPPA, n=N):
    q, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((n, n)))
    a = q @ np.diag(np.geomspace(1, kappa, n)) @ q.T
    b = np.random.default_rng(2).standard_normal(n)
    return a, b, np.linalg.solve(a, b)


A, B, SOLUTION = quadratic()


def f(x):
    return 0.5 * x @ (A @ x) - B @ x


START = np.full(N, 3.0)
DISTANCE = np.linalg.norm(START - SOLUTION)
EXACT = ud.optim.StrongWolfe(c1=1e-6, c2=1e-5)


def path(method, **options):
    common = {"trajectory": True, "maxiter": options.pop("maxiter", 200)}
    prox = options.pop("prox", None)
    result = ud.minimize(f, START, method=method, prox=prox, tol=0.0, options=common | options)
    return np.stack(result.trajectory)


def gaps(points):
    return np.asarray([f(x) for x in points]) - f(SOLUTION)


def test_gradient_descent_with_the_inverse_of_the_lipschitz_constant():
    k = np.arange(1, 201)
    assert np.all(gaps(path("gradient-descent", step=1 / KAPPA))[1:] <= KAPPA * DISTANCE**2 / (2 * k))


def test_gradient_descent_with_the_best_step_contracts():
    x = path("gradient-descent", step=2 / (KAPPA + 1))
    rate = (KAPPA - 1) / (KAPPA + 1)
    errors = np.linalg.norm(x - SOLUTION, axis=1)
    assert np.all(errors <= rate ** np.arange(len(x)) * DISTANCE * (1 + 1e-12))


def identity(x, step):
    del step
    return x


def test_accelerated_proximal_gradients():
    points = path("fista", prox=identity, step=1 / KAPPA, restart=False)
    k = np.arange(1, len(points))
    assert np.all(gaps(points)[1:] <= 2 * KAPPA * DISTANCE**2 / (k + 1) ** 2)


def test_proximal_gradients_of_the_lasso_decrease_and_keep_their_bound():
    def total(x):
        return f(x) + 0.3 * np.abs(x).sum()

    prox = lambda x, step: ud.optim.proximal.l1(x, 0.3 * step)
    points = path("proximal-gradient", prox=prox, step=1 / KAPPA, maxiter=300)
    best = ud.minimize(f, START, prox=prox, tol=1e-12, options={"maxiter": 5000}).x
    values = np.asarray([total(x) for x in points]) - total(best)
    assert np.all(np.diff(values) <= 1e-12)
    assert np.all(values[1:] <= KAPPA * np.sum((START - best) ** 2) / (2 * np.arange(1, len(points))) + 1e-10)


def test_mirror_descent_on_the_simplex():
    c = np.asarray([0.3, -1.0, 0.2, 0.5])
    steps = 400
    largest = np.max(np.abs(c))
    step = np.sqrt(2 * np.log(4) / steps) / largest
    options = {"step": step, "maxiter": steps, "trajectory": True}
    result = ud.minimize(lambda x: c @ x, np.full(4, 0.25), method="mirror-descent", tol=0.0, options=options)
    average = np.mean(result.trajectory[:-1], axis=0)
    assert c @ average - c.min() <= largest * np.sqrt(2 * np.log(4) / steps)


@pytest.mark.parametrize("beta", ["pr+", "hz"])
def test_conjugate_gradients_with_exact_searches_end_after_as_many_steps_as_dimensions(beta):
    a, b, solution = quadratic(10.0, 5)
    options = {"line_search": EXACT, "beta": beta}
    result = ud.minimize(lambda x: 0.5 * x @ (a @ x) - b @ x, np.full(5, 3.0), method="cg", tol=1e-4, options=options)
    assert result.success
    assert result.nit <= 6
    np.testing.assert_allclose(result.x, solution, atol=1e-4)


def test_bfgs_with_exact_searches_finds_the_inverse_hessian():
    a, b, solution = quadratic(10.0, 5)
    result = ud.minimize(
        lambda x: 0.5 * x @ (a @ x) - b @ x, np.full(5, 3.0), method="bfgs", tol=1e-4, options={"line_search": EXACT}
    )
    assert result.nit <= 6
    np.testing.assert_allclose(result.x, solution, atol=1e-4)
    np.testing.assert_allclose(result.state["inverse_hessian"], np.linalg.inv(a), atol=1e-3)


@pytest.mark.parametrize("method", ["newton", "trust-exact"])
def test_newtons_method_needs_one_step_on_a_quadratic(method):
    options = {} if method == "newton" else {"initial_radius": 100.0}
    result = ud.minimize(f, START, method=method, tol=1e-8, options=options)
    assert (result.nit, result.success) == (1, True)
    np.testing.assert_allclose(result.x, SOLUTION, atol=1e-10)


def test_newtons_method_converges_quadratically():
    result = ud.minimize(
        lambda x: (np.exp(x) - x).sum() + 0.1 * x.sum() ** 2, np.asarray([1.0, -0.5]), method="newton", tol=1e-14,
        options={"trajectory": True},
    )  # fmt: skip
    errors = np.max(np.abs(np.stack(result.trajectory)), axis=1)  # the minimum is 0
    assert result.success
    assert np.all(errors[2:] <= 1.5 * errors[1:-1] ** 2 + 1e-15)


def test_gauss_newton_needs_one_step_on_linear_residuals():
    a = np.random.default_rng(0).standard_normal((7, 3))
    result = ud.least_squares(lambda x: a @ x - 1, np.zeros(3), method="gauss-newton", tol=1e-10)
    assert (result.nit, result.success) == (1, True)
    np.testing.assert_allclose(result.x, np.linalg.lstsq(a, np.ones(7))[0], atol=1e-12)


def test_levenberg_marquardt_follows_the_published_run():
    """Madsen, Nielsen and Tingleff, example 6.9: Rosenbrock's function with tau = 1e-3 after 16 iterations."""
    options = {"scaling": "none", "tau": 1e-3, "ftol": 0.0, "xtol": 0.0, "trajectory": True}
    result = ud.least_squares(
        lambda x: np.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]]), np.asarray([-1.2, 1.0]), tol=1e-9, options=options
    )
    np.testing.assert_allclose(result.trajectory[16] - 1, [-4.07e-9, -8.16e-9], atol=2e-11)


def test_repetition_of_a_contraction_keeps_its_rate_and_acceleration_is_faster():
    start = np.ones(3)
    m = 0.8 * np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    plain, fast = (
        ud.fixed_point(lambda x: m @ x + 1, start, method=method, tol=1e-10, options={"trajectory": True})
        for method in ("picard", "anderson")
    )
    solution = np.linalg.solve(np.eye(3) - m, np.ones(3))
    errors = np.linalg.norm(np.stack(plain.trajectory) - solution, axis=1)
    assert np.all(errors <= 0.8 ** np.arange(len(errors)) * errors[0] * (1 + 1e-9) + 1e-12)
    assert fast.success
    assert fast.nit <= 6 < plain.nit
