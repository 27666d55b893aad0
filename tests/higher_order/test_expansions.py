import math

import mpmath
import numpy as np
import pytest

import unidiff as ud
from unidiff.derive import complete
from unidiff.errors import ArgumentError, DTypeError, NotAnArrayError, ShapeError, TreeError

# A function of the namespace and a number, and the same in 50 digits.
PROGRAMS = {
    "polynomial": (lambda xp, x: 3.0 - 2.0 * x**3 + x, lambda t: 3 - 2 * t**3 + t),
    "exp sin": (lambda xp, x: xp.exp(xp.sin(x)), lambda t: mpmath.exp(mpmath.sin(t))),
    "quotient": (lambda xp, x: xp.tan(x) / xp.log(x + 2), lambda t: mpmath.tan(t) / mpmath.log(t + 2)),
    "powers": (lambda xp, x: xp.sqrt(x) * 2.0**x + x**x, lambda t: mpmath.sqrt(t) * 2**t + t**t),
    "inverse": (
        lambda xp, x: xp.atan(x) + xp.acos(x / 2) / x + xp.log1p(x) * xp.expm1(x),
        lambda t: mpmath.atan(t) + mpmath.acos(t / 2) / t + mpmath.log1p(t) * mpmath.expm1(t),
    ),
    "gamma": (lambda xp, x: ud.special.gammaln(x + 1), lambda t: mpmath.loggamma(t + 1)),
    "branches": (
        lambda xp, x: xp.where(x > 0, xp.cos(x), x) * xp.maximum(x, x * x) + xp.abs(x),
        lambda t: mpmath.cos(t) * t + t,
    ),
    "arrays": (
        lambda xp, x: xp.sum(xp.cumulative_sum(xp.stack([x, x * x])) * xp.prod(xp.stack([x, xp.exp(x)]))),
        lambda t: (2 * t + t * t) * t * mpmath.exp(t),
    ),
    "linear algebra": (
        lambda xp, x: xp.sum(xp.linalg.inv(xp.stack([xp.stack([1 + x, x]), xp.stack([x * x, 2 + x])]))),
        lambda t: (3 + 2 * t - t - t * t) / ((1 + t) * (2 + t) - t**3),
    ),
    "eigenvalue": (
        lambda xp, x: xp.linalg.eigh(xp.stack([xp.stack([x, x * x]), xp.stack([x * x, 2 + x])])).eigenvalues[0],
        lambda t: (2 + 2 * t - mpmath.sqrt(4 + 4 * t**4)) / 2,
    ),
    "steps": (lambda xp, x: xp.floor(x) * x + xp.sign(x), lambda t: mpmath.mpf(1) + 0 * t),
}
POINT = 0.5


def expected(reference, order):
    with mpmath.workdps(50):
        return [float(c) for c in mpmath.taylor(reference, mpmath.mpf(POINT), order)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_series_of_high_order(name):
    f, reference = PROGRAMS[name]
    one = np.asarray(1.0)
    found = ud.taylor(lambda x: f(ud.array_namespace(x), x), (np.asarray(POINT),), (one,), 12)
    np.testing.assert_allclose(found, expected(reference, 12), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", ["exp sin", "branches", "linear algebra"])
def test_series_on_every_backend(backend, array, name):
    f, reference = PROGRAMS[name]
    x = array(POINT)
    found = ud.taylor(lambda x: f(ud.array_namespace(x), x), (x,), (array(1.0),), 3)
    assert all(ud.get_backend(c).name == backend for c in found)
    np.testing.assert_allclose([float(c) for c in found], expected(reference, 3), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_derivation_agrees_with_series(name):
    f, reference = PROGRAMS[name]
    b = complete(ud.get_backend("numpy"), hide=frozenset({"taylor"}))
    x, one = np.asarray(POINT), np.asarray(1.0)
    found = b.taylor(lambda x: (f(ud.array_namespace(x), x),), (x,), (one,), 4)
    np.testing.assert_allclose([float(c) for (c,) in found], expected(reference, 4), rtol=1e-11, atol=1e-12)


def test_trees_directions_and_constant_outputs(array, check):
    def f(p, y):
        xp = ud.array_namespace(p["a"])
        return {"s": xp.sum(p["a"] * y), "n": p["a"] > 0, "c": 2.0}

    found = ud.taylor(f, ({"a": array([1.0, 2.0])}, array(3.0)), ({"a": array([1.0, -1.0])}, array(0.5)), 2)
    check([c["s"] for c in found], [np.asarray(9.0), np.asarray(1.5), np.asarray(0.0)])
    check(found[0]["n"], np.asarray([True, True]))
    check(found[1]["n"], np.asarray([False, False]))
    assert [float(c["c"]) for c in found] == [2.0, 0.0, 0.0]


def test_within_and_around_other_derivatives():
    second = lambda x: ud.directional_derivative(lambda y: np.exp(np.sin(y)), (x,), (np.asarray(1.0),), 2)
    assert float(ud.grad(second)(np.asarray(POINT))) == pytest.approx(6 * expected(PROGRAMS["exp sin"][1], 3)[3], rel=1e-12)
    slope = lambda x: ud.grad(lambda y: np.exp(np.sin(y)))(x)
    found = ud.taylor(slope, (np.asarray(POINT),), (np.asarray(1.0),), 4)
    want = [(k + 1) * c for k, c in enumerate(expected(PROGRAMS["exp sin"][1], 5)[1:])]
    np.testing.assert_allclose(found, want, rtol=1e-12)


def test_complex_arrays():
    z, v = np.asarray([1.0 + 1.0j]), np.asarray([0.5 - 2.0j])
    found = ud.taylor(lambda z: np.exp(z) * np.conj(z), (z,), (v,), 3)
    powers = [np.exp(z) * v**k / math.factorial(k) for k in range(4)]
    want = [powers[k] * np.conj(z) + (powers[k - 1] * np.conj(v) if k else 0) for k in range(4)]
    np.testing.assert_allclose(found, want, rtol=1e-13)


def test_branches_and_assignment_of_the_user():
    def f(x):
        y = np.zeros_like(x)
        y[0] = x[0] ** 2 if x[0] > 0 else x[0]
        y[1:] = x[1:] * y[0]
        return y

    found = ud.taylor(f, (np.asarray([2.0, 3.0]),), (np.asarray([1.0, 1.0]),), 3)
    np.testing.assert_allclose(found, [[4.0, 12.0], [4.0, 16.0], [1.0, 7.0], [0.0, 1.0]])


def test_a_long_chain_is_no_recursion():
    def f(x):
        for _ in range(3000):
            x = x * 1.0 + 0.0
        return x * x

    assert [float(c) for c in ud.taylor(f, (np.asarray(3.0),), (np.asarray(1.0),), 3)] == [9.0, 6.0, 1.0, 0.0]


def test_the_cost_grows_polynomially():
    """Nested forward mode would take 2**30 evaluations."""
    found = ud.taylor(lambda x: np.tanh(np.exp(np.sin(x)) / (1 + x * x)), (np.asarray(0.1),), (np.asarray(1.0),), 30)
    assert len(found) == 31
    assert np.all(np.isfinite(found))


def test_models(array, check):
    x, y = array([1.0, 2.0]), array([1.5, 1.0])

    def f(x):
        xp = ud.array_namespace(x)
        return {"a": x**3, "b": xp.sum(x)}

    check(ud.linear_approximation(f, x)(y), {"a": np.asarray([2.5, -4.0]), "b": np.asarray(2.5)})
    check(ud.quadratic_approximation(f, x)(y), {"a": np.asarray([3.25, 2.0]), "b": np.asarray(2.5)})
    check(ud.quadratic_approximation(f, x)(x), {"a": np.asarray([1.0, 8.0]), "b": np.asarray(3.0)})


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_directional_derivatives(order):
    x, v = np.asarray([1.0, 2.0]), np.asarray([3.0, -1.0])
    found = ud.directional_derivative(lambda x: x**3, (x,), (v,), order)
    want = [x**3, 3 * x**2 * v, 6 * x * v**2, 6 * v**3][order]
    np.testing.assert_allclose(found, want, rtol=1e-14)


def test_results_are_the_callers_own():
    x, v = np.asarray([1.0]), np.asarray([2.0])
    for part in ud.taylor(lambda x: x, (x,), (v,), 1):
        part[0] = 7.0
    assert (x[0], v[0]) == (1.0, 2.0)


X = np.ones(2)
BAD = {
    "order": (lambda: ud.taylor(np.sin, (X,), (X,), -1), ArgumentError),
    "fraction": (lambda: ud.taylor(np.sin, (X,), (X,), 1.5), ArgumentError),
    "shape": (lambda: ud.taylor(np.sin, (X,), (X[:1],), 2), ShapeError),
    "count": (lambda: ud.taylor(np.sin, (X,), (), 2), TreeError),
    "callable": (lambda: ud.taylor(2, (X,), (X,), 2), ArgumentError),
    "sequence": (lambda: ud.taylor(np.sin, X, X, 2), ArgumentError),
    "model": (lambda: ud.quadratic_approximation(np.sin, X)(X, X), TreeError),
    "shape of a point": (lambda: ud.linear_approximation(np.sin, X)(X[:1]), ShapeError),
    "dtype of a point": (lambda: ud.quadratic_approximation(np.sin, X)(X.astype("float32")), DTypeError),
    "text for a point": (lambda: ud.linear_approximation(np.sin, X)("text"), NotAnArrayError),
}


@pytest.mark.parametrize(("call", "error"), BAD.values(), ids=BAD)
def test_bad_input(call, error):
    with pytest.raises(error):
        call()


def test_functions_with_rules_of_their_own_are_expanded():
    @ud.custom_jvp
    def product(x, y):
        return np.sin(x) * y

    @product.defjvp
    def _(primals, tangents):
        (x, y), (dx, dy) = primals, tangents
        return product(x, y), np.cos(x) * dx * y + np.sin(x) * dy

    x, v = np.asarray([0.3, 0.7]), np.asarray([1.0, 2.0])
    want = ud.taylor(lambda x: np.sin(x) * (x * x), (x,), (v,), 4)
    for f in (lambda x: product(x, x * x), ud.checkpoint(lambda x: product(x, x * x))):
        np.testing.assert_allclose(ud.taylor(f, (x,), (v,), 4), want, rtol=1e-12)
        slope = ud.grad(lambda x: np.sum(ud.taylor(f, (x,), (v,), 3)[3]))(x)
        np.testing.assert_allclose(slope, 4 * want[4] / v, rtol=1e-12)
