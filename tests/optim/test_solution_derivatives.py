"""Derivatives of solutions under bounds, constraints, projections and proximal terms: closed forms, and solving again."""

from functools import partial

import numpy as np
import pytest
import scipy.optimize

import unidiff as ud
from unidiff.errors import ArgumentError, NotDifferentiableError

P, X = ud.optim.projections, ud.optim.proximal
C = np.asarray([1.0, 2.0])


def distance(x, c):
    return ud.array_namespace(x, c).sum((x - c) ** 2)


def differences(f, x, h=1e-5):
    """Return the Jacobian by central differences of solutions of the fourth order."""
    columns = []
    for e in np.eye(x.size):
        values = [np.asarray(f(x + k * h * e)) for k in (-2, -1, 1, 2)]
        columns.append((values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * h))
    return np.stack(columns, axis=-1)


def nests(backend):
    if not ud.get_backend(backend).nests():
        pytest.skip("has no exact derivatives of derivatives")


def on_disk(c, r, method="slsqp"):
    """The closest point of the disk of radius r, as one of the general constraints."""

    def inside(x, r):
        return r**2 - ud.array_namespace(x).sum(x * x)

    return ud.minimize(
        distance, 0.1 * ud.stop_gradient(c), args=c, method=method, tol=1e-10,
        constraints={"type": "ineq", "fun": inside, "args": (r,)},
    ).x  # fmt: skip


def disk(c, r):
    """Return the derivatives of ``r c / |c|``."""
    n = np.linalg.norm(c)
    return r / n * (np.eye(2) - np.outer(c, c) / n**2), c / n


@pytest.mark.parametrize("mode", ["jacfwd", "jacrev"])
def test_an_active_inequality_on_every_library(backend, array, mode):
    nests(backend)
    if backend == "jax" and mode == "jacfwd":
        pytest.skip("the same rule, and long to compile")
    c, r = array(C), array(0.5)
    found = ud.to_numpy(getattr(ud, mode)(on_disk, argnums=(0, 1))(c, r))
    for x, want in zip(found, disk(C, 0.5), strict=True):
        np.testing.assert_allclose(x, want, atol=1e-6)


@pytest.mark.parametrize("method", ["trust-constr", "cobyla", "cobyqa"])
def test_derivatives_are_those_of_the_exact_solution(method):
    """These methods end a hundredth of a thousandth away from it, or more, but from there it is known."""
    for x, want in zip(ud.jacobian(on_disk, argnums=(0, 1))(C, np.asarray(0.5), method), disk(C, 0.5), strict=True):
        np.testing.assert_allclose(x, want, atol=1e-12)
    if method == "cobyla":
        p = np.asarray([25.0, 40.0, 1.0])
        assert np.max(np.abs(hs71(p, method, None) - system_of_hs71(p))) > 1e-5
        np.testing.assert_allclose(ud.jacobian(hs71)(p, method, None), differences(system_of_hs71, p, 1e-3), atol=1e-9)


@pytest.mark.parametrize("method", ["scipy:trust-constr", "scipy:tnc", "least-squares"])
def test_derivatives_under_bounds_are_those_of_the_exact_solution(method):
    """The closed form: the first entry is at its bound, and the second is a cube root."""

    def solve(c):
        if method == "least-squares":
            fun, options = lambda x, c: ud.array_namespace(x).stack([x[0] + 1, x[1] ** 3 - c[1]]), {"ftol": 1e-4}
            return ud.least_squares(fun, np.asarray([1.0, 1.0]), args=c, bounds=(c[0], 9.0), options=options).x
        fun = lambda x, c: x[0] ** 2 + x[0] + 0.25 * x[1] ** 4 - c[1] * x[1]
        return ud.minimize(fun, np.asarray([1.0, 1.0]), args=c, bounds=(c[0], 9.0), method=method).x

    c = np.asarray([0.5, 2.0])
    assert np.max(np.abs(solve(c) - [0.5, 2 ** (1 / 3)])) > 1e-12
    np.testing.assert_allclose(ud.jacobian(solve)(c), [[1, 0], [0, 2 ** (-2 / 3) / 3]], atol=1e-12)


def test_second_derivatives_under_constraints(array, backend):
    nests(backend)
    if backend == "jax":
        pytest.skip("the same rule, and long to compile")
    found = ud.hessian(lambda c: on_disk(c, array(0.5))[0])(array(C))
    want = ud.hessian(lambda c: 0.5 * c[0] / np.sqrt(np.sum(c * c)))(C)
    np.testing.assert_allclose(ud.to_numpy(found), want, atol=1e-12)


def test_an_inactive_constraint_changes_nothing():
    found = ud.jacobian(on_disk, argnums=(0, 1))(C, np.asarray(5.0))
    np.testing.assert_allclose(found[0], np.eye(2), atol=1e-6)
    np.testing.assert_allclose(found[1], 0, atol=1e-12)


Q, A, B = np.asarray([[3.0, 1, 0], [1, 2, 0.5], [0, 0.5, 1]]), np.asarray([[1.0, 1, 1]]), np.asarray([1.0])


def test_equations_by_the_matrix_of_karush_kuhn_and_tucker():
    def solve(c, b):
        return ud.minimize(
            lambda x, c: 0.5 * x @ (Q @ x) - c @ x, np.zeros(3), args=c, method="slsqp", tol=1e-12,
            constraints={"type": "eq", "fun": lambda x, b: A @ x - b, "args": (b,)},
        ).x  # fmt: skip

    inverse = np.linalg.inv(np.block([[Q, A.T], [A, np.zeros((1, 1))]]))[:3]
    c = np.asarray([1.0, -2.0, 0.5])
    for found, want in zip(ud.jacobian(solve, argnums=(0, 1))(c, B), (inverse[:, :3], inverse[:, 3:]), strict=True):
        np.testing.assert_allclose(found, want, atol=1e-8)
    u, v = np.asarray([0.3, 1.0, -2.0]), np.asarray([1.0, 0.2, 3.0])
    pushed = ud.jvp(lambda c: solve(c, B), (c,), (u,))[1]
    (pulled,) = ud.vjp(lambda c: solve(c, B), c)[1](v)
    assert v @ pushed == pytest.approx(pulled @ u, rel=1e-10)


def hs71(p, method="slsqp", tol=1e-13):
    """Problem 71 of Hock and Schittkowski with its two numbers and one bound as parameters."""
    return ud.minimize(
        lambda x: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2],
        np.asarray([1.0, 5.0, 5.0, 1.0]), method=method, bounds=(p[2], 5.0), tol=tol,
        constraints=[
            {"type": "ineq", "fun": lambda x, p: x[0] * x[1] * x[2] * x[3] - p, "args": (p[0],)},
            {"type": "eq", "fun": lambda x, p: np.sum(x * x) - p, "args": (p[1],)},
        ],
    ).x  # fmt: skip


def system_of_hs71(p):
    """The same solution from the equations of Karush, Kuhn and Tucker, by hand."""

    def equations(u):
        x, (a, b) = np.append(p[2], u[:3]), u[3:]
        s = x[:3].sum()
        slope = np.asarray([x[3] * (s + x[0]), x[0] * x[3], x[0] * x[3] + 1, x[0] * s])
        return [*(slope - a * x.prod() / x - 2 * b * x)[1:], x.prod() - p[0], x @ x - p[1]]

    found = scipy.optimize.fsolve(equations, [4.743, 3.8211, 1.3794, 0.55, -0.16], xtol=1e-12)
    return np.append(p[2], found[:3])


def test_bounds_equations_and_inequalities_together():
    p = np.asarray([25.0, 40.0, 1.0])
    found = ud.jacobian(hs71)(p)
    np.testing.assert_allclose(hs71(p), system_of_hs71(p), atol=1e-6)
    np.testing.assert_allclose(found, differences(system_of_hs71, p, 1e-3), atol=1e-5)
    np.testing.assert_allclose(ud.jacrev(hs71)(p), found, atol=1e-10)
    np.testing.assert_allclose(found[0], [0, 0, 1], atol=1e-12)  # the first entry is at the lower bound


def test_the_constraints_of_scipy_with_limits_on_both_sides():
    def solve(c):
        limits = scipy.optimize.NonlinearConstraint(lambda x: x[0] + x[1], -1.0, 1.0)
        return ud.minimize(distance, np.zeros(2), args=c, method="slsqp", constraints=limits, tol=1e-12).x

    for c, slope in ((C, [[0.5, -0.5], [-0.5, 0.5]]), (-C, [[0.5, -0.5], [-0.5, 0.5]]), (0.1 * C, np.eye(2))):
        np.testing.assert_allclose(ud.jacobian(solve)(c), slope, atol=1e-7)


@pytest.mark.parametrize(
    "solve",
    [
        lambda c: on_disk(c, np.asarray(np.sqrt(5.0))),
        lambda c: ud.minimize(distance, np.zeros(2), args=c, bounds=(0.0, [1.0, 5.0]), tol=1e-10).x,
        lambda c: ud.minimize(distance, np.zeros(2), args=c, bounds=(0.0, [1.0, 5.0]), method="scipy:l-bfgs-b", tol=1e-10).x,
    ],
    ids=["constraint", "bounds", "scipy"],
)
def test_a_multiplier_of_zero_is_a_kink(solve):
    np.testing.assert_allclose(solve(C), C, atol=1e-5)
    with pytest.raises(NotDifferentiableError, match="kink"):
        ud.jacobian(solve)(C)


def test_dependent_constraints_have_no_derivative():
    """The same line twice, of which each would have to move by itself."""

    def solve(b):
        line = [{"type": "eq", "fun": lambda x, b: x[0] + x[1] - b, "args": (b,)}] * 2
        return ud.minimize(distance, np.zeros(2), args=C, method="trust-constr", constraints=line).x

    with pytest.warns(UserWarning, match="Singular Jacobian"):
        assert np.isnan(ud.jacobian(solve)(np.asarray(1.0))).all()


# Bounds, projections, proximal terms


@pytest.mark.parametrize("method", [None, "scipy:l-bfgs-b", "scipy:trust-constr", "scipy:tnc"])
def test_solutions_move_with_the_bounds_they_are_at(method):
    def solve(c, upper):
        return ud.minimize(distance, np.zeros(2), args=c, bounds=(None, upper), method=method, tol=1e-10).x

    by_c, by_upper = ud.jacobian(solve, argnums=(0, 1))(C, np.asarray([0.5, 3.0]))
    np.testing.assert_allclose(by_c, np.diag([0, 1]), atol=1e-7)
    np.testing.assert_allclose(by_upper, np.diag([1, 0]), atol=1e-7)


def test_bounds_on_every_library_and_second_derivatives(backend, array):
    nests(backend)
    if backend == "jax":
        pytest.skip("the same rule as under constraints, and long to compile")

    def solve(c):
        xp = ud.array_namespace(c)
        objective = lambda x, c: xp.sum((x - c) ** 4 + x * x) + x[0] * x[1] * c[0]
        return ud.minimize(objective, 0 * ud.stop_gradient(c) + 0.5, args=c, bounds=(0.0, 1.0), tol=1e-9).x

    c = np.asarray([0.9, 3.0])
    found = ud.to_numpy(solve(array(c))), ud.to_numpy(ud.jacobian(solve)(array(c)))
    assert found[0][1] == 1.0
    np.testing.assert_allclose(found[1], differences(solve, c, 1e-4), atol=1e-6)
    if backend == "numpy":  # the rule is the same
        slope = lambda c: ud.jacobian(solve)(c)[0]
        np.testing.assert_allclose(ud.hessian(lambda c: solve(c)[0])(c), differences(slope, c, 1e-3), atol=1e-4)


def test_what_partial_binds_is_an_argument(backend, array):
    """The lasso by its penalty, and projections by their radius."""
    nests(backend)
    if backend == "jax":
        pytest.skip("the same rule, and long to compile")

    def shrink(penalty, x, step):
        return X.l1(x, penalty * step)

    c, start = array([3.0, 0.2, -2.0]), array([0.0, 0.0, 0.0])
    lasso = lambda p: ud.minimize(lambda x, c: 0.5 * distance(x, c), start, args=c, prox=partial(shrink, p), tol=1e-9).x
    np.testing.assert_allclose(ud.to_numpy(ud.jacobian(lasso)(array(0.5))), [-1, 0, 1], atol=1e-7)
    ball = lambda r: ud.minimize(distance, start, args=c, projection=partial(P.l2_ball, radius=r), tol=1e-9).x
    want = np.asarray([3.0, 0.2, -2.0]) / np.linalg.norm([3.0, 0.2, -2.0])
    np.testing.assert_allclose(ud.to_numpy(ud.jacobian(ball)(array(0.5))), want, atol=1e-7)


def test_mirror_descent_moves_on_the_simplex():
    solve = lambda c: ud.minimize(distance, np.full(3, 1 / 3), args=c, method="mirror-descent", tol=1e-9).x
    c = np.asarray([0.5, 0.3, -2.0])
    np.testing.assert_allclose(solve(c), P.simplex(c), atol=1e-6)
    np.testing.assert_allclose(ud.jacobian(solve)(c), [[0.5, -0.5, 0], [-0.5, 0.5, 0], [0, 0, 0]], atol=1e-6)


@pytest.mark.parametrize("loss", ["linear", "cauchy"])
def test_fits_within_bounds_and_with_robust_losses(loss):
    t = np.linspace(0, 1, 8)

    def fit(p):
        y = data + p[0] * np.sin(t) + p[1] * t**2
        residuals = lambda x, y: x[0] * np.exp(x[1] * t) + x[2] - y
        options = {"ftol": 0.0, "xtol": 1e-14}
        start, bounds = np.asarray([1.0, -1.0, 0.0]), (None, [1.5, np.inf, np.inf])
        return ud.least_squares(residuals, start, args=y, bounds=bounds, loss=loss, f_scale=0.3, tol=1e-13, options=options).x

    data = 2.0 * np.exp(-1.5 * t) + 0.3 + 0.05 * np.cos(20 * t)
    data[3] += 1.0
    p = np.zeros(2)
    found = ud.jacobian(fit)(p)
    assert fit(p)[0] == pytest.approx(1.5)
    np.testing.assert_allclose(found, differences(fit, p, 3e-3), atol=1e-4)
    np.testing.assert_allclose(ud.jacrev(fit)(p), found, atol=1e-10)


CLOSURES = {
    "objective": lambda c, x: ud.minimize(lambda x: distance(x, c), x),
    "projection": lambda c, x: ud.minimize(distance, x, args=2 * x + 1, projection=lambda x: P.l2_ball(x, c[0])),
    "constraint": lambda c, x: ud.minimize(
        distance, x, args=x, method="slsqp", constraints={"type": "eq", "fun": lambda x: x[0] - c[0]}
    ),
    "root": lambda c, x: ud.root(lambda x: x - c, x),
    "beside an argument": lambda c, x: ud.minimize(lambda x, a: distance(x, a) + distance(x, c), x, args=c),
}


@pytest.mark.parametrize("transform", ["jacfwd", "jacrev"])
@pytest.mark.parametrize("name", CLOSURES)
def test_values_that_functions_close_over_are_never_silently_constant(name, transform, backend, array):
    nests(backend)
    if backend != "numpy" and name not in {"objective", "beside an argument"}:
        pytest.skip("seen in the same place")
    with pytest.raises(ArgumentError, match="closes over"):
        getattr(ud, transform)(lambda c: CLOSURES[name](c, array([0.0, 0.0])).x)(array(C))


def test_the_iterations_of_scipy_cannot_be_unrolled():
    with pytest.raises(ArgumentError, match="SciPy"):
        ud.minimize(distance, np.zeros(2), args=C, method="scipy:bfgs", differentiate="unrolled")
