"""Constraints, least squares, roots, fixed points, derivatives of solutions, and bad input."""

import sys

import numpy as np
import pytest
import scipy.optimize

import unidiff as ud
from tests.optim.problems import PROBLEMS
from unidiff.errors import ArgumentError, DTypeError, NonScalarOutputError, ShapeError, TreeError
from unidiff.optim import lbfgsb
from unidiff.optim.result import Point
from unidiff.optim.vector import Layout

P, Status = ud.optim.projections, ud.optim.Status
rng = np.random.default_rng(0)
DATA, RIGHT = rng.standard_normal((30, 12)), rng.standard_normal(30)


def hs5(x):
    xp = ud.array_namespace(x)
    return xp.sin(x[0] + x[1]) + (x[0] - x[1]) ** 2 - 1.5 * x[0] + 2.5 * x[1] + 1


def hs35(x):
    return 9 - 8 * x[0] - 6 * x[1] - 4 * x[2] + 2 * x[0] ** 2 + 2 * x[1] ** 2 + x[2] ** 2 + 2 * x[0] * x[1] + 2 * x[0] * x[2]


def fit(x):
    r = DATA @ x - RIGHT
    return 0.5 * (r @ r)


def test_bounds_on_every_library(backend, array):
    result = ud.minimize(hs5, array([0.0, 0.0]), bounds=(array([-1.5, -3.0]), array([4.0, 3.0])), tol=1e-7)
    assert result.success
    assert ud.get_backend(result.x).name == backend
    np.testing.assert_allclose(ud.to_numpy(result.x), [0.5 - np.pi / 3, -0.5 - np.pi / 3], atol=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_l_bfgs_b_finds_what_scipys_finds(seed):
    random = np.random.default_rng(seed)
    lower = random.uniform(-1.5, 0.5, 12)
    lower, upper = np.where(random.random(12) < 0.3, -np.inf, lower), lower + random.uniform(0.1, 2, 12)

    def f(x):
        xp = ud.array_namespace(x)
        return xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    x0 = random.standard_normal(12)
    seen = []
    result = ud.minimize(f, x0, bounds=(lower, upper), tol=1e-6, callback=lambda r: seen.append(r.x))
    peer = scipy.optimize.minimize(
        f, x0, method="L-BFGS-B", jac=ud.grad(f), bounds=scipy.optimize.Bounds(lower, upper), options={"gtol": 1e-6, "ftol": 0}
    )
    assert result.success
    assert all(np.all((lower <= x) & (x <= upper)) for x in seen)
    np.testing.assert_allclose(float(result.fun), peer.fun, rtol=1e-8)
    assert abs(result.nit - peer.nit) <= 1


@pytest.mark.parametrize("count", [0, 2, 7])
@pytest.mark.parametrize("reach", [0.3, 3.0, 100.0])
def test_the_short_ways_of_l_bfgs_b_lead_where_the_long_one_does(count, reach):
    """Where no breakpoint is met, and where all variables are free: the general step computes the same."""
    random, short = np.random.default_rng(count), [0, 0]
    layout = Layout(np.zeros(6))
    for _ in range(30):
        known = lbfgsb._Memory(layout, 5, recorded=False)
        a = random.standard_normal((6, 6))
        a = a @ a.T + 0.1 * np.eye(6)
        for s in random.standard_normal((count, 6)):
            known.add(s, a @ s, float(s @ a @ s), float((a @ s) @ (a @ s)))
        x, g = random.uniform(-0.1, 0.1, 6), random.standard_normal(6)
        lower, upper = x - reach * random.random(6), x + reach * random.random(6)
        lower[random.random(6) < 0.2], at = -np.inf, random.random(6) < 0.2
        upper[at] = x[at]
        box = lbfgsb._Box(lower, upper, True, False)
        point = Point(x, np.asarray(0.0), g, 0.0, 1.0, 0.0)
        general = lbfgsb._cauchy(point, known.model, (lower, upper))
        step = lbfgsb._subspace(point, known.model, (lower, upper), *general) - x
        free = lbfgsb._unhindered(point, known, box)
        if free is not None:
            short[0] += 1
            np.testing.assert_allclose(free[0], step, rtol=1e-8, atol=1e-9)
        held = lbfgsb._before_breakpoints(point, known.model, box)
        if held is not None:
            short[1] += 1
            for got, want in zip(held, general, strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(lbfgsb._hindered(point, known, box)[0], step, rtol=1e-8, atol=1e-9)
    assert reach < 100 or min(short) > 0


def test_nonnegative_least_squares():
    result = ud.minimize(fit, np.zeros(12), bounds=(0, None), tol=1e-9)
    np.testing.assert_allclose(result.x, scipy.optimize.nnls(DATA, RIGHT)[0], atol=1e-8)


def test_projected_gradients_in_an_intersection():
    onto = P.intersection(P.nonnegative, lambda x: P.halfspace(x, np.asarray([1.0, 1, 2]), 3.0))
    result = ud.minimize(hs35, np.full(3, 0.5), projection=onto, tol=1e-7)
    np.testing.assert_allclose(result.x, [4 / 3, 7 / 9, 4 / 9], atol=1e-6)
    np.testing.assert_allclose(float(result.fun), 1 / 9, atol=1e-9)


@pytest.mark.parametrize("method", ["scipy:slsqp", "trust-constr", "cobyqa"])
def test_scipys_methods_with_constraints_on_pytrees(method, backend, array):
    if backend in {"jax", "array_api_strict"} and method != "scipy:slsqp":
        pytest.skip("the adapter is the same")
    if not ud.get_backend(backend).nests():
        pytest.skip("has no exact derivatives of derivatives")
    start = {"a": array([0.5, 0.5]), "b": array(0.5)}
    constraint = {"type": "ineq", "fun": lambda p: 3 - p["a"][0] - p["a"][1] - 2 * p["b"]}
    result = ud.minimize(
        lambda p: hs35([p["a"][0], p["a"][1], p["b"]]), start, method=method, bounds=(0, None), constraints=constraint, tol=1e-9
    )
    assert result.success
    assert ud.get_backend(result.x["b"]).name == backend
    np.testing.assert_allclose(ud.to_numpy(result.x["a"]), [4 / 3, 7 / 9], atol=1e-4)


@pytest.mark.parametrize("method", ["fista", "proximal-gradient"])
def test_the_lasso_with_orthonormal_data_has_a_closed_form(method):
    q = np.linalg.qr(DATA)[0]
    want = ud.optim.proximal.l1(q.T @ RIGHT, 0.2)
    result = ud.minimize(
        lambda x: 0.5 * ((q @ x - RIGHT) ** 2).sum(), np.zeros(12), method=method, tol=1e-10,
        prox=lambda x, step: ud.optim.proximal.l1(x, 0.2 * step),
    )  # fmt: skip
    assert result.success
    np.testing.assert_allclose(result.x, want, atol=1e-9)


def test_mirror_descent_and_projected_gradients_agree_on_the_simplex():
    start = np.full(12, 1 / 12)
    mirror = ud.minimize(fit, start, method="mirror-descent", tol=1e-6, options={"maxiter": 5000})
    projected = ud.minimize(fit, start, projection=P.simplex, tol=1e-7)
    assert mirror.success
    assert projected.success
    np.testing.assert_allclose(float(mirror.fun), float(projected.fun), atol=1e-6)


RESIDUALS = [name for name in PROBLEMS if name != "brown-almost-linear"]


@pytest.mark.parametrize("name", RESIDUALS)
def test_levenberg_marquardt_reaches_the_known_sums_of_squares(name):
    residuals, start, least = PROBLEMS[name]
    result = ud.least_squares(residuals, np.asarray(start, dtype="float64"))
    assert result.success
    assert float(np.sum(result.fun**2)) == pytest.approx(least, rel=1e-6, abs=1e-10)


def test_brown_almost_linear_has_a_root():
    residuals, start, _ = PROBLEMS["brown-almost-linear"]
    result = ud.root(residuals, np.asarray(start))
    assert result.success
    assert np.max(np.abs(residuals(result.x))) < 1e-9


@pytest.mark.parametrize("linear", ["qr", "cg"])
def test_least_squares_on_every_library(linear, backend, array):
    if not ud.get_backend(backend).nests():
        pytest.skip("has no exact derivatives of derivatives")
    result = ud.least_squares(
        lambda p: [10 * (p["y"] - p["x"] ** 2), 1 - p["x"]], {"x": array(-1.2), "y": array(1.0)}, options={"linear": linear}
    )
    assert result.success
    np.testing.assert_allclose([float(result.x["x"]), float(result.x["y"])], 1, atol=1e-6)


def equations(x, a):
    xp = ud.array_namespace(x)
    return xp.stack([x[0] ** 2 + x[1] ** 2 - a, x[0] - x[1] ** 3])


@pytest.mark.parametrize("method", ["newton", "newton-krylov", "broyden", "lm"])
def test_roots(method):
    result = ud.root(equations, np.asarray([1.0, 0.5]), args=2.0, method=method)
    assert result.success
    np.testing.assert_allclose(result.x, [1, 1], atol=1e-8)


def test_a_system_without_root_is_no_success():
    result = ud.root(lambda x: x**2 + 1, np.asarray([0.7]))
    assert not result.success


def test_derivatives_of_roots_and_fixed_points(backend, array):
    if not ud.get_backend(backend).nests():
        pytest.skip("has no exact derivatives of derivatives")
    a = array([4.0, 9.0])
    root = ud.jacobian(lambda a: ud.root(lambda x, a: x**2 - a, 0 * a + 1, args=a).x)(a)
    np.testing.assert_allclose(ud.to_numpy(root), np.diag([1 / 4, 1 / 6]), atol=1e-9)
    if backend == "jax":
        return  # the same rule, and long to compile
    pushed = ud.jvp(lambda a: ud.fixed_point(lambda x, a: (x + a / x) / 2, 0 * a + 1, args=a).x, (a,), (0 * a + 1,))[1]
    np.testing.assert_allclose(ud.to_numpy(pushed), [1 / 4, 1 / 6], atol=1e-9)


def tempered(x, c):
    return ((x - c) ** 2).sum() + 0.3 * x[0] ** 4


@pytest.mark.parametrize(
    "solve",
    [
        lambda c: ud.minimize(tempered, np.zeros(2), args=c, tol=1e-10).x,
        lambda c: ud.minimize(tempered, np.zeros(2), args=c, tol=1e-10, method="scipy:bfgs").x,
        lambda c: ud.minimize(tempered, np.zeros(2), args=c, tol=1e-10, bounds=(-5, 5)).x,
        lambda c: ud.minimize(tempered, np.zeros(2), args=c, tol=1e-10, projection=lambda x: P.box(x, -5, 5)).x,
        lambda c: ud.minimize(
            tempered, np.zeros(2), args=c, tol=0.0, method="gradient-descent", differentiate="unrolled",
            options={"step": 0.2, "maxiter": 100},
        ).x,
        lambda c: ud.least_squares(
            lambda x, c: np.concat([x - c, 0.3**0.5 * x[:1] ** 2]), np.zeros(2), args=c, tol=1e-12,
            options={"ftol": 0.0, "xtol": 0.0},
        ).x,
    ],
    ids=["implicit", "scipy", "bounds", "projection", "unrolled", "least-squares"],
)  # fmt: skip
def test_derivatives_of_minima_follow_the_implicit_function_theorem(solve):
    c = np.asarray([1.0, 2.0])
    x = solve(c)
    want = np.diag([2 / (2 + 3.6 * x[0] ** 2), 1.0])
    np.testing.assert_allclose(ud.jacrev(solve)(c), want, atol=1e-6)
    np.testing.assert_allclose(ud.jacfwd(solve)(c), want, atol=1e-6)


def test_derivatives_under_active_bounds_and_of_the_lasso():
    solve = lambda c: ud.minimize(lambda x, c: ((x - c) ** 2).sum() + 0.3 * x[0] * x[1], np.zeros(2), args=c, bounds=(0, 1)).x
    np.testing.assert_allclose(ud.jacobian(solve)(np.asarray([0.5, 1.7])), [[1, 0], [0, 0]], atol=1e-9)
    prox = lambda x, step: ud.optim.proximal.l1(x, step)
    lasso = lambda c: ud.minimize(lambda x, c: 0.5 * ((x - c) ** 2).sum(), np.zeros(3), args=c, prox=prox).x
    np.testing.assert_allclose(ud.jacobian(lasso)(np.asarray([3.0, 0.5, -2.0])), np.diag([1, 0, 1]), atol=1e-9)


def test_the_value_at_a_minimum_has_the_derivative_of_the_envelope():
    f = lambda c: ud.minimize(lambda x, c: ((x - c) ** 2).sum() + (x**2).sum(), np.zeros(2), args=c, tol=1e-10).fun
    c = np.asarray([1.0, 2.0])
    np.testing.assert_allclose(ud.grad(f)(c), c, atol=1e-8)  # the value is |c|^2 / 2


# What goes wrong


BAD = {
    "method": (ArgumentError, "No method is called 'bgfs'", {"method": "bgfs"}),
    "scipy": (ArgumentError, "SciPy has no method 'simplex'", {"method": "scipy:simplex"}),
    "option": (ArgumentError, "no option 'memory'", {"method": "bfgs", "options": {"memory": 3}}),
    "tolerance": (ArgumentError, "tol must be a number", {"tol": -1.0}),
    "maxiter": (ArgumentError, "maxiter must be an integer", {"options": {"maxiter": 1.5}}),
    "bounds": (ArgumentError, "infeasible: in 1 of 2", {"bounds": (np.asarray([0.0, 2.0]), 1.0)}),
    "NaN bounds": (ArgumentError, "infeasible", {"bounds": (float("nan"), 1.0)}),
    "bounds of another shape": (ShapeError, r"shape \(3,\) do not fit", {"bounds": (np.zeros(3), None)}),
    "two constraints": (ArgumentError, "Only one of", {"bounds": (0, 1), "projection": P.simplex}),
    "a method without bounds": (ArgumentError, "'bfgs' does not take bounds", {"bounds": (0, 1), "method": "bfgs"}),
    "no projection": (ArgumentError, "needs projection", {"method": "projected-gradient"}),
    "constraints": (ArgumentError, "General constraints", {"constraints": [{"type": "eq", "fun": abs}], "method": "bfgs"}),
    "line search": (ArgumentError, "must be a LineSearch", {"method": "bfgs", "options": {"line_search": "armijo"}}),
    "differentiate": (ArgumentError, "'implicit' or 'unrolled'", {"differentiate": "no"}),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_named(name):
    error, message, arguments = BAD[name]
    with pytest.raises(error, match=message):
        ud.minimize(lambda x: (x**2).sum(), np.ones(2), **arguments)


@pytest.mark.parametrize(
    ("f", "x0", "error"),
    [
        (lambda x: (x**2).sum(), np.ones(2, dtype="int64"), DTypeError),
        (lambda x: x, np.ones(2), NonScalarOutputError),
        (lambda: 0.0, (), TreeError),
        (None, np.ones(2), ArgumentError),
    ],
)
def test_bad_functions_and_starts(f, x0, error):
    with pytest.raises(error):
        ud.minimize(f, x0)
    with pytest.raises(ShapeError, match="1 real elements, but x has 2"):
        ud.root(lambda x: x[:1], np.ones(2))


def test_an_error_of_the_function_passes_through():
    def broken(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        ud.minimize(broken, np.ones(2))


@pytest.mark.parametrize("method", ["bfgs", "l-bfgs", "cg", "newton", "trust-ncg", "l-bfgs-b", ud.optim.Adam(0.1)])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_start_that_is_not_finite_is_no_success(method):
    result = ud.minimize(lambda x: np.log(x).sum(), -np.ones(2), method=method)
    assert (result.success, result.status, result.nit) == (False, Status.NOT_FINITE, 0)


@pytest.mark.parametrize("method", ["bfgs", "l-bfgs", "cg", "newton", "trust-ncg", "gradient-descent"])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_searches_step_back_from_where_the_function_is_not_finite(method):
    result = ud.minimize(lambda x: (x - np.log(x)).sum() * 5, np.asarray([8.0, 0.05]), method=method)
    assert result.success
    np.testing.assert_allclose(result.x, 1, atol=1e-4)


def test_a_wrong_gradient_ends_with_the_best_point_and_a_reason():
    @ud.custom_vjp
    def f(x):
        return (x**2).sum()

    f.defvjp(lambda x: (f(x), x), lambda x, ct: (-2 * x * ct,))
    result = ud.minimize(f, np.ones(2), method="bfgs")
    assert (result.success, result.status) == (False, Status.LINE_SEARCH)
    assert float(result.fun) <= 2


def test_an_unbounded_function_ends_without_success():
    result = ud.minimize(lambda x: x.sum(), np.ones(2), options={"maxiter": 50})
    assert not result.success
    assert result.jac.tolist() == [1, 1]


def test_the_callback_stops_and_the_best_point_is_kept():
    seen = []

    def callback(intermediate):
        seen.append(intermediate.fun)
        if len(seen) == 3:
            raise StopIteration

    result = ud.minimize(lambda x: ((x - 3) ** 4).sum(), np.zeros(2), method="bfgs", callback=callback)
    assert (result.status, result.success, result.nit) == (Status.CALLBACK, False, 3)
    assert float(result.fun) == min(map(float, seen))


def test_a_stop_iteration_of_the_function_passes_through():
    def f(x):
        raise StopIteration("mine")

    with pytest.raises(RuntimeError):  # as from any generator
        ud.minimize(f, np.zeros(2))


def test_time_and_relative_changes_stop():
    f = lambda x: (x**4).sum()
    assert ud.minimize(f, np.ones(2), tol=0.0, options={"maxtime": 0.0}).status is Status.TIME
    for name in ("ftol", "xtol"):
        result = ud.minimize(f, np.ones(2), method="gradient-descent", tol=0.0, options={name: 1e-3})
        assert (result.status, result.success) == (Status.SMALL_CHANGE, True)


def test_the_progress_line(capsys):
    pytest.importorskip("rich")
    ud.minimize(lambda x: (x**2).sum(), np.ones(2), options={"progress": True})
    assert "optimality" in capsys.readouterr().out


def test_inputs_are_not_changed_and_results_share_no_memory():
    start, result = np.ones(3), None
    result = ud.minimize(lambda x: (x**2).sum(), start, options={"trajectory": True})
    arrays = [start, result.x, result.jac, *result.trajectory]
    assert start.tolist() == [1, 1, 1]
    assert not any(np.shares_memory(a, b) for k, a in enumerate(arrays) for b in arrays[:k])
    already = ud.minimize(lambda x: (x**2).sum(), np.zeros(2))
    assert (already.success, already.nit) == (True, 0)


def test_scipy_is_imported_only_when_it_is_asked_for():
    import subprocess

    code = "import sys, numpy as np, unidiff as ud; ud.minimize(lambda x: (x**2).sum(), np.ones(2)); "
    code += "assert 'scipy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
