"""Many minimizations at once: the same iterations as one by one, on every library."""

import numpy as np
import pytest

import unidiff as ud
from unidiff.errors import ArgumentError

METHODS = {"bfgs": {}, "l-bfgs": {"memory": 3}, "newton": {}, "gradient-descent": {}}
STARTS = np.random.default_rng(0).uniform(-1.5, 1.5, (5, 3))


def valley(x):
    return ud.array_namespace(x).sum(10 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@pytest.mark.parametrize("method", METHODS)
def test_each_start_has_the_iterations_that_it_has_alone(method):
    gradients = method == "gradient-descent"
    steps = 30 if gradients else 150  # the path of the former depends on the last digits in the end
    search = ud.optim.Armijo() if gradients else ud.optim.StrongWolfe()
    result = ud.optim.minimize_batch(valley, STARTS, method=method, tol=1e-5, maxiter=steps, **METHODS[method])
    options = {"line_search": search, "maxiter": steps} | METHODS[method]
    alone = [ud.minimize(valley, x, method=method, tol=1e-5, options=options) for x in STARTS]
    assert result.success.tolist() == [one.success for one in alone]
    assert result.status == [one.status for one in alone]
    assert result.nit.tolist() == [one.nit for one in alone]
    assert result.nfev.tolist() == [one.nfev for one in alone]
    np.testing.assert_allclose(result.x, [one.x for one in alone], rtol=1e-8)
    np.testing.assert_allclose(result.fun, [one.fun for one in alone], rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("method", METHODS)
def test_every_library_finds_the_same(method, backend, array):
    if backend == "jax" and method != "l-bfgs":
        pytest.skip("the loops are the same, and long to compile")
    tree = {"a": array(STARTS[:, :2]), "b": array(STARTS[:, 2])}

    def f(p):
        xp = ud.array_namespace(p["a"])
        return xp.sum((p["a"] - 1.0) ** 2) + (p["b"] ** 2 - 1.0) ** 2 + 0.1 * p["b"]

    result = ud.optim.minimize_batch(f, tree, method=method, tol=1e-6)
    want = ud.optim.minimize_batch(f, {"a": STARTS[:, :2], "b": STARTS[:, 2]}, method=method, tol=1e-6)
    assert all(status is ud.optim.Status.CONVERGED for status in result.status)
    assert ud.get_backend(result.x["b"]).name == backend
    np.testing.assert_allclose(ud.to_numpy(result.x["a"]), 1, atol=1e-6)
    np.testing.assert_allclose(ud.to_numpy(result.x["b"]), want.x["b"], atol=1e-6)
    np.testing.assert_allclose(ud.to_numpy(result.nit), want.nit, atol=1)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_each_start_has_an_end_of_its_own():
    f = lambda x: (x - np.log(x)).sum()
    result = ud.optim.minimize_batch(f, np.asarray([[3.0], [-1.0], [0.5], [1.0]]), maxiter=3, tol=1e-12)
    assert [status.name for status in result.status] == ["ITERATIONS", "NOT_FINITE", "ITERATIONS", "CONVERGED"]
    assert result.nit.tolist() == [3, 0, 3, 0]
    assert result.success.tolist() == [False, False, False, True]


def test_a_wrong_gradient_stops_a_start():
    @ud.custom_vjp
    def f(x):
        return (x**2).sum()

    f.defvjp(lambda x: ((x**2).sum(), x), lambda x, ct: (-2 * x * ct,))
    result = ud.optim.minimize_batch(f, np.ones((2, 2)), method="gradient-descent")
    assert [status.name for status in result.status] == ["LINE_SEARCH", "LINE_SEARCH"]
    np.testing.assert_array_equal(result.x, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x0": np.asarray(1.0)}, "must have one first axis"),
        ({"x0": (np.ones((2, 1)), np.ones(3))}, "must have one first axis"),
        ({"method": "cg"}, "known are gradient-descent, bfgs"),
        ({"method": ["bfgs"]}, "known are gradient-descent, bfgs"),
        ({"maxiter": -1}, "maxiter must be an integer"),
        ({"tol": float("nan")}, "tol must be a number"),
        ({"fun": 3}, "fun must be a function"),
        ({"method": "l-bfgs", "memory": 0}, "memory must be an integer"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        ud.optim.minimize_batch(**{"fun": valley, "x0": STARTS} | arguments)
