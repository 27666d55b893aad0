"""What users of SciPy and optax try first: the forms of arguments, results as mappings, ends of all kinds, derivatives of all
that a result holds."""

import copy
import pickle
from functools import partial

import numpy as np
import pytest
import scipy.optimize

import unidiff as ud

P, Prox, Status = ud.optim.projections, ud.optim.proximal, ud.optim.Status


def valley(x):
    xp = ud.array_namespace(x)
    return xp.sum((x - 1) ** 2) + xp.sum(x**4)


LEAST = 0.5897545  # of each entry of the valley


BOUNDS = {
    "pairs": ([(0, 0.5), (None, None)], [0.5, LEAST]),
    "pairs with one side": ([(0.7, None), (None, 0.3)], [0.7, 0.3]),
    "a tuple of sides": (([0.7, 0], [2.0, 0.3]), [0.7, 0.3]),
    "sides of arrays": ([np.asarray([0.7, 0]), np.asarray([2.0, 0.3])], [0.7, 0.3]),
    "Bounds": (scipy.optimize.Bounds([0.7, -np.inf], [np.inf, 0.3]), [0.7, 0.3]),
    "Bounds of numbers": (scipy.optimize.Bounds(0.7, np.inf), [0.7, 0.7]),
}


@pytest.mark.parametrize("solver", ["minimize", "least_squares"])
@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_in_the_forms_of_scipy(name, solver, array, backend):
    bounds, expected = BOUNDS[name]
    if name == "sides of arrays":
        bounds = [array(side) for side in bounds]
    if backend == "jax" and (solver == "least_squares" or name == "pairs with one side"):
        pytest.skip("the same forms, and long to compile")
    if solver == "least_squares":
        result = ud.least_squares(lambda x: x - LEAST, array([0.0, 0.0]), bounds=bounds)
    else:
        result = ud.minimize(valley, array([0.0, 0.0]), bounds=bounds)
    np.testing.assert_allclose(ud.to_numpy(result.x), expected, atol=1e-5)


def test_bounds_of_some_leaves_alone():
    start = {"a": np.zeros(2), "b": 3.0, "c": (np.zeros(()),)}
    f = lambda p: valley(p["a"]) + valley(p["b"]) + valley(p["c"][0])
    result = ud.minimize(f, start, bounds=({"a": 0.7, "b": None, "c": (None,)}, {"a": None, "b": 0.1, "c": (0.2,)}))
    np.testing.assert_allclose([*result.x["a"], result.x["b"], result.x["c"][0]], [0.7, 0.7, 0.1, 0.2], atol=1e-5)


def test_linear_constraints_and_the_default_method(array):
    line = scipy.optimize.LinearConstraint(np.ones((1, 2)), 1, 1)
    above = {"type": "INEQ", "fun": lambda x: x[0] - 0.7}
    result = ud.minimize(valley, array([0.0, 0.0]), constraints=[line, above])
    np.testing.assert_allclose(ud.to_numpy(result.x), [0.7, 0.3], atol=1e-6)
    assert ud.minimize(valley, array([0.0, 0.0]), constraints=None).success


# Callbacks, and the options of all methods


def named(seen, *, intermediate_result):
    seen.append(intermediate_result.nit)
    intermediate_result.x[...] = np.nan  # of no consequence


FOREIGN = ["nelder-mead", "powell", "scipy:cg", "scipy:l-bfgs-b", "tnc", "slsqp", "cobyla", "cobyqa", "trust-constr"]


@pytest.mark.parametrize("method", ["bfgs", ud.optim.SGD(0.2), *FOREIGN], ids=str)
def test_what_the_callback_sees_and_ends(method):
    seen = []
    options = {"trajectory": True, "classify": True, "jit": True, "maxtime": 1e3}
    result = ud.minimize(valley, np.zeros(2), method=method, callback=partial(named, seen), options=options)
    assert seen == list(range(1, len(seen) + 1))
    assert result.success
    np.testing.assert_allclose(result.x, LEAST, atol=1e-3)
    assert len(result.trajectory) == len(seen) + 1
    np.testing.assert_array_equal(result.trajectory[0], 0)
    assert result.stationary in {"minimum", "not stationary"}  # by a tolerance that those without gradients do not know

    def stop(result):
        del result
        raise StopIteration

    for ended, status in (({"callback": stop}, Status.CALLBACK), ({"options": {"maxtime": 0.0}}, Status.TIME)):
        result = ud.minimize(valley, np.full(2, 3.0), method=method, **ended)
        assert (result.success, result.status) == (False, status)
        assert result.nit <= 1
        assert float(result.fun) <= 170  # the value at the start

    def broken(result):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        ud.minimize(valley, np.zeros(2), method=method, callback=broken)


def test_numbers_of_numpy_are_numbers():
    options = {"maxiter": np.int64(1), "maxtime": np.float32(9), "memory": np.int32(3)}
    result = ud.minimize(valley, np.zeros(2), method="l-bfgs", tol=np.float32(1e-6), options=options)
    assert (result.nit, result.status) == (1, Status.ITERATIONS)


def test_a_start_outside_is_brought_into_the_bounds():
    for method in ("nelder-mead", "powell", "slsqp", "l-bfgs-b"):
        result = ud.minimize(valley, np.full(2, 9.0), method=method, bounds=(None, 0.5))
        np.testing.assert_allclose(result.x, 0.5, atol=1e-3)


# Results


RESULTS = {
    "newton": lambda: ud.minimize(valley, np.zeros(2), method="newton"),
    "Adam": lambda: ud.minimize(valley, np.zeros(2), method=ud.optim.Adam(0.1)),
    "slsqp": lambda: ud.minimize(valley, np.zeros(2), method="slsqp"),
    "root": lambda: ud.root(lambda x: x**2 - 2, np.ones(2)),
    "fixed_point": lambda: ud.fixed_point(np.cos, np.ones(2)),
    "least_squares": lambda: ud.least_squares(lambda x: x - 1, np.zeros(2), bounds=(0, 2)),
}


@pytest.mark.parametrize("name", RESULTS)
def test_results_are_mappings_that_can_be_stored(name):
    result = RESULTS[name]()
    assert "x" in result
    assert "y" not in result
    assert result.get("y", 7) == 7
    assert len(result) == len(dict(result)) == len(list(result))
    assert {key: type(value) for key, value in result.items()} == {key: type(result[key]) for key in result.keys()}  # noqa: SIM118  # the method itself
    for other in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
        assert type(other) is type(result)
        assert other.status is result.status
        assert other.state.keys() == result.state.keys()
        np.testing.assert_array_equal(other.x, result.x)


# Ends that are no solutions


@pytest.mark.parametrize("start", [0.0, 1.0])
@pytest.mark.parametrize("method", ["newton", "newton-krylov", "broyden", "lm"])
def test_without_a_root_there_is_no_success(method, start):
    result = ud.root(lambda x: x**2 + 1, np.asarray([start]), method=method)
    assert (result.success, result.status) == (False, Status.STALLED)
    assert result.nfev < 100
    np.testing.assert_allclose(result.x, 0, atol=1e-7)


@pytest.mark.parametrize("loss", ["linear", "huber", "soft_l1", "cauchy", "arctan"])
def test_robust_fits_end_where_rounding_errors_begin(loss):
    residuals = lambda x: np.asarray([1.0, 1.0, 1.0]) * x[0] - np.asarray([1.0, 2.5, 0.2])
    for bounds in (None, (-1.0, 1.2)):
        end = {"ftol": 0.0, "xtol": 0.0, "maxiter": 300}
        result = ud.least_squares(residuals, np.zeros(1), loss=loss, bounds=bounds, method="trf", tol=1e-16, options=end)
        usual = ud.least_squares(residuals, np.zeros(1), loss=loss, bounds=bounds, method="trf")
        assert result.nit < 60
        np.testing.assert_allclose(result.x, usual.x, atol=1e-5)


def test_accelerated_steps_stay_where_the_function_is_finite():
    f = lambda x: -ud.array_namespace(x).log(x).sum() + 100 * x.sum()
    with np.errstate(all="ignore"):
        result = ud.minimize(f, np.ones(2), prox=lambda x, s: Prox.nonnegative_l1(x, 0.1 * s))
    assert result.success
    np.testing.assert_allclose(result.x, 1 / 100.1, rtol=1e-6)


# Roots and fixed points of numbers


@pytest.mark.parametrize("method", ["newton", "broyden", "lm"])
def test_complex_numbers_are_roots(method, array):
    result = ud.root(lambda z: z**3 - 1, array(-0.5 + 0.5j, "complex128"), method=method)
    assert result.success
    np.testing.assert_allclose(complex(result.x), np.exp(2j * np.pi / 3), rtol=1e-9)


def test_a_fixed_point_of_a_constant():
    result = ud.fixed_point(lambda x: 3.0, 1.0)
    assert (float(result.x), result.nit) == (3.0, 1)


# Stationary points within bounds


@pytest.mark.parametrize("size", [2, 600])
def test_stationary_points_among_the_variables_that_bounds_do_not_hold(size):
    half = size // 2
    concave = lambda x: ((x[:half] - 0.3) ** 2).sum() - (x[half:] ** 2).sum()
    kind = lambda f, start, **more: ud.minimize(f, start, options={"classify": True}, **more).stationary
    start = np.full(size, 0.6)
    assert kind(concave, start, bounds=(0, 1)) == "minimum"  # though the Hessian has negative eigenvalues
    assert kind(concave, np.concatenate([start[:half], 0 * start[half:]]), bounds=(-1, 1)) == "saddle"
    assert kind(lambda x: -x.sum(), start, bounds=(0, 1)) == "minimum"  # a corner
    assert kind(lambda x: -x.sum(), start, projection=lambda x: P.box(x, 0.0, 1.0)) == "not stationary"


# Operators


def test_operators_of_nothing_and_of_nan():
    x = np.asarray([3.0, -2.0, 0.5])
    for operator in (Prox.l1, Prox.squared_l2, Prox.elastic_net, Prox.l2, Prox.linf, Prox.huber):
        np.testing.assert_array_equal(operator(x, 0.0), x)
    for operator in (Prox.l2, Prox.linf):
        assert np.isnan(operator(np.asarray([np.nan, 1.0]), 1.0)).all()
    np.testing.assert_allclose(Prox.l1(np.asarray([3 + 4j, 0, -0.5]), 1.0), [2.4 + 3.2j, 0, 0])  # without a warning


@pytest.mark.parametrize("total", [0.0, 1e-3, 1.0])
@pytest.mark.parametrize("x", [[3.0, 2.0, 0.5], [1e20, 0.0, 1.0], [-1e20, -1e20, 0.0], [0.0, 0.0, 0.0]])
def test_points_far_from_a_small_simplex(x, total):
    found = P.simplex(np.asarray(x), total)
    assert np.all(found >= 0)
    np.testing.assert_allclose(found.sum(), total, rtol=1e-12)


def test_equations_that_depend_on_each_other():
    a = np.asarray([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0]])
    project = lambda x: P.affine(x, a, np.asarray([1.0, 2.0]))
    np.testing.assert_allclose(project(np.asarray([2.0, 1.0, 5.0])), [1.0, 0.0, 5.0], atol=1e-12)
    expected = [[0.5, -0.5, 0], [-0.5, 0.5, 0], [0, 0, 1]]
    np.testing.assert_allclose(ud.jacobian(project)(np.asarray([2.0, 1.0, 5.0])), expected, atol=1e-12)


@pytest.mark.parametrize("project", [P.hyperplane, P.halfspace])
def test_a_normal_of_zeros_leads_nowhere(project):
    x = np.asarray([1.0, 2.0])
    np.testing.assert_array_equal(project(x, np.zeros(2), 0.0), x)
    np.testing.assert_array_equal(ud.jacobian(lambda x: project(x, np.zeros(2), 0.0))(x), np.eye(2))


MATRICES = {
    "the unit matrix": np.eye(3),
    "zero": np.zeros((2, 3)),
    "rank one, wide": np.outer([1.0, 2, 3], [1.0, 0, 2, 1]),
    "rank one, tall": np.outer([1.0, 2, 3, 5], [1.0, 0, 2]),
    "a batch": np.random.default_rng(0).standard_normal((2, 3, 2)),
}


@pytest.mark.parametrize("name", MATRICES)
def test_the_nuclear_norm_where_singular_values_coincide(name, array, backend):
    if backend == "jax" and name != "rank one, tall":
        pytest.skip("the same rule, and long to compile")
    a, eps = MATRICES[name], 1e-6
    d = np.random.default_rng(1).standard_normal(a.shape)
    expected = (Prox.nuclear(a + eps * d, 0.5) - Prox.nuclear(a - eps * d, 0.5)) / (2 * eps)
    project = lambda b: Prox.nuclear(b, 0.5)
    tangent = ud.jvp(project, (array(a),), (array(d),))[1]
    np.testing.assert_allclose(ud.to_numpy(tangent), expected, atol=1e-7)
    (cotangent,) = ud.vjp(project, array(a))[1](array(d))
    np.testing.assert_allclose(ud.to_numpy(cotangent), expected, atol=1e-7)  # the derivative of a gradient is symmetric


def test_the_nuclear_norm_of_complex_matrices_by_the_threshold():
    rng = np.random.default_rng(2)
    for shape in ((3, 2), (2, 3), (2, 2)):
        z, move = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape) for _ in range(2))
        f = lambda t, z=z, move=move: Prox.nuclear(z + t * move, 0.5 + t)
        found = ud.jvp(f, (np.asarray(0.0),), (np.asarray(1.0),))[1]
        np.testing.assert_allclose(found, (f(1e-6) - f(-1e-6)) / 2e-6, atol=1e-8)


# Derivatives of what a result holds


A = np.asarray([-1.0, 2.0, 1.0])
HELD = {
    "jac": lambda a: ud.minimize(lambda x, a: ((x - a) ** 2).sum(), np.zeros(3), args=a, bounds=(0.0, 0.5), tol=1e-10).jac,
    "jac of a fit": lambda a: ud.least_squares(lambda x, a: x - a, np.zeros(3), args=a, bounds=(0.0, 0.5), tol=1e-10).jac,
    "aux": lambda a: ud.minimize(lambda x, a: (((x - a) ** 2).sum(), x * a), np.zeros(3), args=a, has_aux=True, tol=1e-10).aux,
    "aux of a root": lambda a: ud.root(lambda x, a: (x**3 + x - a, x * a), np.ones(3), args=a, has_aux=True).aux,
    "unrolled with Krylov spaces": lambda a: (
        ud.root(lambda x, a: x**3 + x - a, np.ones(3), args=a, method="newton-krylov", tol=1e-12, differentiate="unrolled").x
    ),
    "aux of a fit": lambda a: ud.least_squares(lambda x, a: (x - a, x * a), np.ones(3), args=a, has_aux=True, tol=1e-10).aux,
    "unrolled within bounds": lambda a: (
        ud.minimize(
            lambda x, a: ((x - a) ** 2).sum() + (x**4).sum(),
            np.zeros(3),
            args=a,
            bounds=(None, 0.5),
            tol=1e-11,
            differentiate="unrolled",
        ).x
    ),
    "unrolled without bounds": lambda a: (
        ud.minimize(
            lambda x, a: ((x - a) ** 2).sum() + (x**4).sum(),
            np.zeros(3),
            args=a,
            method="l-bfgs-b",
            tol=1e-11,
            differentiate="unrolled",
        ).x
    ),
}


@pytest.mark.parametrize("mode", ["jacfwd", "jacrev"])
@pytest.mark.parametrize("name", HELD)
def test_derivatives_of_all_that_a_result_holds(name, mode):
    f, eps = HELD[name], 1e-5
    columns = [(f(A + eps * e) - f(A - eps * e)) / (2 * eps) for e in np.eye(3)]
    np.testing.assert_allclose(getattr(ud, mode)(f)(A), np.stack(columns, axis=-1), atol=2e-5)


def test_steps_may_be_arrays_and_differentiate_when_unrolled(array):
    step = array(0.3)
    result = ud.minimize(valley, array([0.0, 0.0]), method="fista", prox=lambda x, s: x, options={"step": 0.1 * step})
    assert result.success
    f = lambda s: (
        ud.minimize(
            valley, np.zeros(2), method="gradient-descent", options={"step": s, "maxiter": 3}, differentiate="unrolled"
        ).x
    )
    s = np.asarray(0.1)
    np.testing.assert_allclose(ud.jacobian(f)(s), (f(s + 1e-6) - f(s - 1e-6)) / 2e-6, rtol=1e-6)


def test_many_starts_without_unknowns_and_by_a_name_in_capitals():
    assert ud.optim.minimize_batch(lambda x: 0.0 * x.sum(), np.zeros((3, 0))).success.all()
    assert ud.optim.minimize_batch(valley, np.zeros((2, 2)), method="BFGS").success.all()
