"""Special functions on every backend: values, derivatives of two orders and edge points against mpmath and closed forms."""

import functools
import math

import mpmath
import numpy as np
import pytest

import unidiff as ud
from unidiff.errors import MissingRuleError, NotAnArrayError, UnsupportedOperationError

INF, NAN = math.inf, math.nan
ANY = [-1.7, -0.4, 0.3, 2.1]
POSITIVE = [0.3, 0.9, 1.7, 12.5]
UNIT = [0.05, 0.3, 0.6, 0.95]
OTHERS = [1.1, 0.4, 2.0, 3.5]


def normal(x):
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def quantile(x):
    return mpmath.sqrt(2) * mpmath.erfinv(2 * x - 1)


# name: (the function of mpmath, points, parameters before the point)
CASES = {
    "expit": (lambda x: 1 / (1 + mpmath.exp(-x)), [-40.0, *ANY, 40.0], ()),
    "logit": (lambda x: mpmath.log(x / (1 - x)), UNIT, ()),
    "log_expit": (lambda x: -mpmath.log(1 + mpmath.exp(-x)), [-80.0, *ANY, 40.0], ()),
    "entr": (lambda x: -x * mpmath.log(x), POSITIVE, ()),
    "sinc": (lambda x: mpmath.sincpi(x), [*ANY, 0.0, 1e-5, 6.25], ()),
    "erf": (mpmath.erf, [*ANY, 0.0], ()),
    "erfc": (mpmath.erfc, [*ANY, 5.0], ()),
    "erfcx": (lambda x: mpmath.exp(x * x) * mpmath.erfc(x), ANY, ()),
    "erfinv": (mpmath.erfinv, [-0.9, *UNIT], ()),
    "erfcinv": (lambda x: mpmath.erfinv(1 - x), [1.7, *UNIT], ()),
    "ndtr": (normal, [*ANY, -5.0], ()),
    "ndtri": (quantile, UNIT, ()),
    "log_ndtr": (lambda x: mpmath.log(normal(x)), [*ANY, -12.0], ()),
    "gamma": (mpmath.gamma, [-2.5, -0.3, *POSITIVE], ()),
    "gammaln": (lambda x: mpmath.log(abs(mpmath.gamma(x))), POSITIVE, ()),
    "digamma": (mpmath.digamma, POSITIVE, ()),
    "polygamma": (lambda n, x: mpmath.psi(n, x), POSITIVE, (1,)),
    "multigammaln": (
        lambda x: mpmath.log(mpmath.pi) * 1.5 + sum(mpmath.loggamma(x - mpmath.mpf(j) / 2) for j in range(3)),
        [1.5, 2.5, 7.0],
        (),
    ),
    "gammainc": (lambda a, x: mpmath.gammainc(a, 0, x, regularized=True), POSITIVE, (1.5,)),
    "gammaincc": (lambda a, x: mpmath.gammainc(a, x, mpmath.inf, regularized=True), POSITIVE, (2.5,)),
    "betainc": (lambda a, b, x: mpmath.betainc(a, b, 0, x, regularized=True), UNIT, (1.5, 2.5)),
    "betaincc": (lambda a, b, x: mpmath.betainc(a, b, x, 1, regularized=True), UNIT, (2.5, 0.5)),
    "i0": (lambda x: mpmath.besseli(0, x), [*ANY, 0.0], ()),
    "i1": (lambda x: mpmath.besseli(1, x), [*ANY, 0.0, 25.0], ()),
    "i0e": (lambda x: mpmath.besseli(0, x) * mpmath.exp(-abs(x)), [*ANY, 40.0], ()),
    "i1e": (lambda x: mpmath.besseli(1, x) * mpmath.exp(-abs(x)), [*ANY, 40.0], ()),
    "iv": (mpmath.besseli, ANY, (2,)),
    "ive": (lambda v, x: mpmath.besseli(v, x) * mpmath.exp(-abs(x)), [*ANY, 40.0], (3,)),
}  # fmt: skip
TWO = {
    "xlogy": lambda x, y: x * mpmath.log(y),
    "xlog1py": lambda x, y: x * mpmath.log(1 + y),
    "rel_entr": lambda x, y: x * mpmath.log(x / y),
    "kl_div": lambda x, y: x * mpmath.log(x / y) - x + y,
    "beta": mpmath.beta,
    "betaln": lambda x, y: mpmath.log(mpmath.beta(x, y)),
}
REDUCTIONS = ("logsumexp", "softmax", "log_softmax")
TOLERANCE = {"float64": 2e-11, "float32": 3e-5}


def call(name, x):
    if name == "multigammaln":
        return ud.special.multigammaln(x, 3)
    return getattr(ud.special, name)(*CASES[name][2], x)


@functools.cache
def exact(name, point, order):
    f, _, parameters = CASES[name]
    with mpmath.workdps(30):
        return float(mpmath.diff(lambda z: f(*parameters, z), mpmath.mpf(point), order))


def wanted(name, points, dtype, order):
    """Return the derivative of an order at the very numbers that the dtype has for the points."""
    return np.asarray([exact(name, float(v), order) for v in np.asarray(points, dtype=dtype)])


def ones(x):
    return ud.array_namespace(x).ones_like(x)


def total(name):
    return lambda x: ud.array_namespace(x).sum(call(name, x))


@pytest.mark.parametrize("name", CASES)
def test_value_and_derivatives(name, array, check, backend, real_dtype):
    points = CASES[name][1]
    x = array(points, real_dtype)
    tolerance = TOLERANCE[real_dtype]
    value, tangent = ud.jvp(lambda x: call(name, x), (x,), (ones(x),))
    check(call(name, x), wanted(name, points, real_dtype, 0), real_dtype, rtol=tolerance)
    check(value, wanted(name, points, real_dtype, 0), real_dtype, rtol=tolerance)
    check(tangent, wanted(name, points, real_dtype, 1), real_dtype, rtol=tolerance)
    check(ud.grad(total(name))(x), wanted(name, points, real_dtype, 1), real_dtype, rtol=tolerance)


def backward_twice(f):
    return ud.grad(lambda x: ud.array_namespace(x).sum(ud.grad(f)(x)))


def forward_over_reverse(f):
    return lambda x: ud.jvp(ud.grad(f), (x,), (ones(x),))[1]


@pytest.mark.parametrize("nesting", [backward_twice, forward_over_reverse])
@pytest.mark.parametrize("name", CASES)
def test_second_derivative(name, nesting, array, check):
    points = CASES[name][1]
    check(nesting(total(name))(array(points)), wanted(name, points, "float64", 2), "float64", rtol=1e-10)


@pytest.mark.parametrize("name", TWO)
def test_functions_of_two(name, array, check, real_dtype):
    x, y = array(POSITIVE, real_dtype), array([[v] for v in OTHERS], real_dtype)
    f = getattr(ud.special, name)

    def oracle(k):
        with mpmath.workdps(40):
            return np.asarray([
                [float(mpmath.diff(TWO[name], (float(a), float(b)), k)) for a in np.asarray(POSITIVE, real_dtype)]
                for b in np.asarray(OTHERS, real_dtype)
            ])  # fmt: skip

    def summed(x, y):
        return ud.array_namespace(x).sum(f(x, y))

    tolerance = TOLERANCE[real_dtype]
    check(f(x, y), oracle((0, 0)), real_dtype, rtol=tolerance)
    check(ud.jvp(f, (x, y), (ones(x), ones(y)))[1], oracle((1, 0)) + oracle((0, 1)), real_dtype, rtol=tolerance)
    by_x, by_y = ud.grad(summed, argnums=(0, 1))(x, y)
    check(by_x, oracle((1, 0)).sum(0), real_dtype, rtol=tolerance)
    check(by_y, oracle((0, 1)).sum(1, keepdims=True), real_dtype, rtol=tolerance)
    if real_dtype == "float64":
        mixed = ud.jvp(lambda y: ud.grad(summed)(x, y), (y,), (ones(y),))[1]
        check(mixed, oracle((1, 1)).sum(0), rtol=1e-10)


@pytest.mark.parametrize("name", ["xlogy", "xlog1py", "beta", "betaln", "rel_entr", "kl_div"])
def test_a_python_number_takes_the_dtype_of_the_array(name, array, check, real_dtype):
    x = array([0.5, 2.0], real_dtype)
    f = getattr(ud.special, name)
    check(f(2.5, x), f(array(2.5, real_dtype), x), real_dtype)
    check(f(x, 2.5), f(x, array(2.5, real_dtype)), real_dtype)


# --- sums of exponentials


def reference(name, x, axis):
    """Evaluate by the definition, which is right where nothing overflows."""
    sums = np.sum(np.exp(x), axis=axis, keepdims=name != "logsumexp")
    return np.log(sums) if name == "logsumexp" else np.exp(x) / sums if name == "softmax" else x - np.log(sums)


@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_sums_of_exponentials(name, axis, kind, array, check):
    rng = np.random.default_rng(5)
    x, t = rng.normal(size=(2, 2, 3, 2))
    if kind == "complex":
        x, t = x + 0.3j * rng.normal(size=x.shape), t + 1j * rng.normal(size=x.shape)
    h = 1e-5
    slope = (reference(name, x + h * t, axis) - reference(name, x - h * t, axis)) / (2 * h)

    def f(x):
        return getattr(ud.special, name)(x, axis=axis)

    dtype = str(x.dtype)
    value, tangent = ud.jvp(f, (array(x, dtype),), (array(t, dtype),))
    check(value, reference(name, x, axis), dtype, rtol=1e-12)
    check(tangent, slope, dtype, rtol=1e-8)
    u = array(np.cos(np.arange(slope.size)).reshape(slope.shape), dtype)
    (pulled,) = ud.vjp(f, array(x, dtype))[1](u)
    left = np.sum(np.conj(ud.to_numpy(u)) * slope).real
    np.testing.assert_allclose(np.sum(np.conj(ud.to_numpy(pulled)) * t).real, left, rtol=1e-7)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_sums_of_exponentials_keep_single_precision(name, array, check):
    x = array([[1000.0, 1000.5], [-1000.0, -1000.0]], "float32")
    f = getattr(ud.special, name)
    value, tangent = ud.jvp(lambda x: f(x, axis=1), (x,), (x,))
    assert str(value.dtype).endswith("float32")
    assert str(tangent.dtype).endswith("float32")
    assert np.isfinite(ud.to_numpy(value)).all()


@pytest.mark.parametrize("name", REDUCTIONS)
def test_integers_are_floating_point_numbers(name, xp, check):
    x = xp.asarray([1, 2, 3])
    f = getattr(ud.special, name)
    assert xp.isdtype(f(x).dtype, "real floating")
    check(f(x), reference(name, np.asarray([1.0, 2.0, 3.0]), None), rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "value", "gradient"),
    [
        ([-INF, -INF], -INF, [0.5, 0.5]),
        ([INF, 0.0, INF], INF, [0.5, 0, 0.5]),
        ([-INF, 0.0, 0.0], math.log(2), [0, 0.5, 0.5]),
        ([INF, -INF], INF, [1, 0]),
        ([NAN, 0.0], NAN, [NAN, NAN]),
        ([3.0], 3.0, [1.0]),
    ],
)
def test_logsumexp_at_infinities(x, value, gradient, array, check):
    x = array(x)
    check(ud.special.logsumexp(x), value)
    check(ud.grad(ud.special.logsumexp)(x), np.asarray(gradient))
    check(ud.jvp(ud.special.logsumexp, (x,), (ones(x),))[1], np.sum(gradient))


def test_logsumexp_of_nothing(array, check):
    x = array(np.zeros((0, 2)))
    check(ud.special.logsumexp(x, axis=0), np.full(2, -INF))
    check(ud.grad(ud.special.logsumexp)(x), np.zeros((0, 2)))
    check(ud.special.logsumexp(x, axis=1, keepdims=True), np.zeros((0, 1)))


# --- edge points: values, derivatives and mixed ones that the formulas miss


@pytest.mark.parametrize(
    ("name", "point", "value", "slope"),
    [
        ("entr", 0.0, 0.0, INF),
        ("entr", -1.0, -INF, NAN),
        ("i0e", 0.0, 1.0, 0.0),
        ("i1", 0.0, 0.0, 0.5),
        ("sinc", 0.0, 1.0, 0.0),
        ("log_expit", -INF, -INF, 1.0),
        ("log_expit", INF, 0.0, 0.0),
        ("expit", -INF, 0.0, 0.0),
        ("logit", 0.0, -INF, INF),
        ("erf", INF, 1.0, 0.0),
        ("ndtri", 0.5, 0.0, math.sqrt(2 * math.pi)),
        ("gammaln", 1.0, 0.0, -float(mpmath.euler)),
    ],
)
def test_edges(name, point, value, slope, array, check):
    f, x = getattr(ud.special, name), array(point)
    check(f(x), value)
    check(ud.grad(f)(x), slope)
    check(ud.jvp(f, (x,), (ones(x),))[1], slope)


@pytest.mark.parametrize(
    ("name", "x", "y", "value", "by_x", "by_y"),
    [
        ("xlogy", 0.0, 0.0, 0.0, -INF, 0.0),
        ("xlogy", 0.0, 2.0, 0.0, math.log(2), 0.0),
        ("xlogy", 0.0, NAN, NAN, NAN, NAN),
        ("xlog1py", 0.0, -1.0, 0.0, -INF, 0.0),
        ("rel_entr", 0.0, 2.0, 0.0, -INF, 0.0),
        ("kl_div", 0.0, 2.0, 2.0, -INF, 1.0),
    ],
)
def test_edges_of_functions_of_two(name, x, y, value, by_x, by_y, array, check):
    f, x, y = getattr(ud.special, name), array(x), array(y)
    check(f(x, y), value)
    check(ud.grad(f, argnums=0)(x, y), by_x)
    check(ud.grad(f, argnums=1)(x, y), by_y)
    check(ud.jvp(lambda y: f(x, y), (y,), (ones(y),))[1], by_y)


def test_a_result_that_is_not_used_adds_nothing(array, check):
    """The cotangent 0 of an element whose derivative is infinite stays 0, in the framework's own rules as well."""
    x, y = array([0.0, 0.5]), array([0.0, 0.5])

    def last(x, y):
        return ud.special.xlogy(x, y)[1]

    by_x, by_y = ud.grad(last, argnums=(0, 1))(x, y)
    check(by_x, np.asarray([0.0, math.log(0.5)]))
    check(by_y, np.asarray([0.0, 1.0]))


def test_sinc_and_i1_at_zero_to_every_order(array, check):
    f, g = ud.special.sinc, ud.special.i1
    sincs, bessels = [1, 0, -(math.pi**2) / 3, 0, math.pi**4 / 5], [0, 1 / 2, 0, 3 / 8, 0]
    for sinc, bessel in zip(sincs, bessels, strict=True):
        check(f(array(0.0)), sinc, rtol=1e-12)
        check(g(array(0.0)), bessel, rtol=1e-12)
        f, g = ud.grad(f), ud.grad(g)


@pytest.mark.parametrize("order", [2, 5])
@pytest.mark.parametrize("x", [1e-8, 0.5, 20.0, 23.9, 24.1, 300.0])
def test_bessel_functions_of_higher_order(order, x, array, check):
    check(ud.special.iv(order, array(x)), float(mpmath.besseli(order, x)), rtol=3e-13)
    check(ud.special.ive(order, array(-x)), float(mpmath.besseli(order, -x) * mpmath.exp(-x)), rtol=3e-13)


@pytest.mark.parametrize(("a", "b"), [(1e6, 2.0), (0.1, 7e5), (3e4, 5e4), (1e-3, 30.0)])
def test_betaln_of_large_arguments_keeps_its_digits(a, b, backend, array, check):
    with mpmath.workdps(40):
        exact = float(mpmath.log(mpmath.beta(a, b)))
    tolerance = 1e-8 if backend in ("numpy", "array_api_strict") else 1e-13  # scipy.special.betaln
    check(ud.special.betaln(array(a), array(b)), exact, rtol=tolerance)


@pytest.mark.parametrize("name", ["gammainc", "betainc", "polygamma", "iv"])
def test_parameters_without_closed_form_raise(name, array):
    x = array(0.5)
    rest = CASES[name][2][1:]
    with pytest.raises((MissingRuleError, UnsupportedOperationError), match=rf"special\.{name}"):
        ud.grad(lambda a: getattr(ud.special, name)(a, *rest, x))(array(1.0))


# --- two functions on two parts of their arguments


def test_apply_where(array, check):
    x, y = array([0.5, -1.0, 2.0, 0.0]), array([[1.5], [0.5]])

    def f(x, y):
        xp = ud.array_namespace(x)
        return ud.special.apply_where(x > 0, (x, y), lambda x, y: xp.log(x) * y, lambda x, y: x * x * y)

    log = [math.log(0.5), 1.0, math.log(2.0), 0.0]
    check(f(x, y), np.outer([1.5, 0.5], log))
    by_x, by_y = ud.vjp(f, x, y)[1](ones(f(x, y)))
    check(by_x, 2 * np.asarray([2.0, -2.0, 0.5, 0.0]))
    check(by_y, np.full((2, 1), sum(log)))


@pytest.mark.parametrize("points", [[4.0, 0.0, -1.0], [-2.0, -1.0], [9.0], []])
def test_apply_where_with_a_fill_value(points, array, check):
    def f(x):
        return ud.special.apply_where(x > 0, x, ud.array_namespace(x).sqrt, fill_value=-1.0)

    x = array(points)
    check(f(x), np.asarray([math.sqrt(p) if p > 0 else -1.0 for p in points]))
    slope = np.asarray([0.5 / math.sqrt(p) if p > 0 else 0.0 for p in points])
    check(ud.vjp(f, x)[1](ones(x))[0], slope)
    check(ud.jvp(f, (x,), (ones(x),))[1], slope)


# --- the module


def test_every_function_is_in_every_namespace(xp):
    assert set(ud.special.__all__) <= set(dir(xp.special))


def test_without_an_array_there_is_no_backend():
    with pytest.raises(NotAnArrayError, match="no array"):
        ud.special.erf(0.5)


def test_every_public_function_is_tested_here():
    assert set(ud.special.__all__) == {*CASES, *TWO, *REDUCTIONS, "apply_where"}
