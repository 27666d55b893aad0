"""Special functions: values against SciPy, derivatives against differences of SciPy's, and closed forms at the edges."""

import math

import mpmath
import numpy as np
import pytest
import scipy.special

from unidiff import errors
from unidiff.rules import RULES

C = "complex"
INF, NAN = math.inf, math.nan
POSITIVE = np.array([0.3, 0.9, 1.7, 3.2])
OTHERS = np.array([[1.1], [0.4]])
UNIT = np.array([0.3, 0.4, 0.6, 0.65])
ANY = np.array([-1.7, -0.4, 0.3, 2.1])
ELEMENTARY = {
    "entr": (POSITIVE,),
    "expit": (ANY,),
    "kl_div": (POSITIVE, OTHERS),
    "log_expit": (ANY,),
    "logit": (UNIT,),
    "rel_entr": (POSITIVE, OTHERS),
    "sinc": (ANY,),
    "xlog1py": (POSITIVE, OTHERS),
    "xlogy": (POSITIVE, OTHERS),
}
NATIVE = {
    "beta": (POSITIVE, OTHERS),
    "betaln": (POSITIVE, OTHERS),
    "digamma": (POSITIVE,),
    "erf": (ANY,),
    "erfc": (ANY,),
    "erfcinv": (UNIT,),
    "erfcx": (ANY,),
    "erfinv": (UNIT,),
    "gamma": (POSITIVE,),
    "gammaln": (POSITIVE,),
    "i0": (ANY,),
    "i0e": (ANY,),
    "i1": (ANY,),
    "i1e": (ANY,),
    "log_ndtr": (ANY,),
    "ndtr": (ANY,),
    "ndtri": (UNIT,),
    "psi": (POSITIVE,),
}
WITH_PARAMETERS = {
    "betainc": ((1.5, 2.5), UNIT),
    "betaincc": ((2.5, 0.5), UNIT),
    "gammainc": ((1.5,), POSITIVE),
    "gammaincc": ((2.5,), POSITIVE),
    "iv": ((1.5,), POSITIVE),
    "ive": ((2.0,), ANY),
    "polygamma": ((1,), POSITIVE),
}
REDUCTIONS = ("logsumexp", "softmax", "log_softmax")
AXES = (None, 0, -1, (0, 2))


def special(xp):
    """Return the namespace's special functions, SciPy's for the oracle's."""
    return getattr(xp, "special", scipy.special)


def named(name):
    return lambda xp, *arrays: getattr(special(xp), name)(*arrays)


@pytest.mark.parametrize("name", ELEMENTARY)
def test_elementary_functions(name, engine, check):
    check(engine, named(name), ELEMENTARY[name])


@pytest.mark.parametrize("name", NATIVE)
def test_functions_of_scipy(name, numpy_engine, check):
    check(numpy_engine, named(name), NATIVE[name])


@pytest.mark.parametrize("name", WITH_PARAMETERS)
def test_functions_with_parameters(name, numpy_engine, derivatives):
    """Against mpmath, to second order."""
    parameters, x = WITH_PARAMETERS[name]
    oracle = {
        "betainc": lambda a, b, x: mpmath.betainc(a, b, 0, x, regularized=True),
        "betaincc": lambda a, b, x: mpmath.betainc(a, b, x, 1, regularized=True),
        "gammainc": lambda a, x: mpmath.gammainc(a, 0, x, regularized=True),
        "gammaincc": lambda a, x: mpmath.gammainc(a, x, mpmath.inf, regularized=True),
        "iv": mpmath.besseli,
        "ive": lambda v, x: mpmath.besseli(v, x) * mpmath.exp(-abs(x)),
        "polygamma": mpmath.psi,
    }[name]
    xp = numpy_engine.namespace()

    def function(x):
        return (getattr(xp.special, name)(*parameters, x),)

    def slope(x):
        return numpy_engine.jvp(function, (x,), (np.ones_like(x) if isinstance(x, np.ndarray) else xp.ones_like(x),))[1]

    (second,) = numpy_engine.jvp(slope, (x,), (np.ones_like(x),))[1]
    (first,) = slope(x)
    (pulled,) = numpy_engine.vjp(function, (x,))[1]((np.ones_like(x),))
    with mpmath.workdps(30):
        wanted = [[float(mpmath.diff(lambda z: oracle(*parameters, z), mpmath.mpf(v), k)) for v in x] for k in (1, 2)]
    np.testing.assert_allclose(first, wanted[0], rtol=1e-10)
    np.testing.assert_allclose(pulled, wanted[0], rtol=1e-10)
    np.testing.assert_allclose(second, wanted[1], rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ELEMENTARY)
def test_values_and_dtypes(name, engine, dtype):
    check_value(engine, name, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NATIVE)
def test_values_and_dtypes_of_functions_of_scipy(name, numpy_engine, dtype):
    check_value(numpy_engine, name, dtype)


def check_value(engine, name, dtype):
    arrays = [x.astype(dtype) for x in (ELEMENTARY | NATIVE)[name]]
    value = engine.to_numpy(named(name)(engine.namespace(), *map(engine.asarray, arrays)))
    assert value.dtype == dtype
    expected = (np.sinc if name == "sinc" else getattr(scipy.special, name))(*(x.astype(np.float64) for x in arrays))
    np.testing.assert_allclose(value, expected, rtol=1e-13 if dtype is np.float64 else 2e-6, atol=1e-7 * (dtype is np.float32))


@pytest.mark.parametrize("name", ["betainc", "betaincc", "gammainc", "gammaincc", "iv", "ive", "polygamma"])
@pytest.mark.parametrize("mode", ["jvp", "vjp"])
def test_parameters_without_closed_form_raise(numpy_engine, name, mode):
    parameters, _ = WITH_PARAMETERS[name]
    xp, one = numpy_engine.namespace(), np.asarray(0.5)

    def function(a):
        return (getattr(xp.special, name)(a, *parameters[1:], one),)

    def differentiate():
        if mode == "jvp":
            return numpy_engine.jvp(function, (np.asarray(1.0),), (one,))
        return numpy_engine.vjp(function, (np.asarray(1.0),))[1]((one,))

    with pytest.raises(errors.MissingRuleError, match=f"special.{name} has no derivative with respect to its parameter"):
        differentiate()


def test_a_library_without_the_function_raises_with_a_remedy():
    rule = RULES["special.erf"]
    import array_api_compat.numpy as bare

    with pytest.raises(errors.UnsupportedOperationError, match=r"no special function 'erf'.*pip install scipy"):
        rule.implementation(bare, np.ones(2))


# --- sums of exponentials


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("kind", ["real", C])
def test_sums_of_exponentials(engine, check, inputs, name, axis, kind):
    shape = (2, 3, 2) if kind == "real" else (C, 2, 3, 2)
    check(engine, lambda xp, x: reference(xp, name, x, axis), inputs(shape))


def reference(xp, name, x, axis):
    """Evaluate by the definition where the oracle asks."""
    if hasattr(xp, "special"):
        return getattr(xp.special, name)(x, axis=axis)
    total = np.sum(np.exp(x), axis=axis, keepdims=name != "logsumexp")
    return {"logsumexp": lambda: np.log(total), "softmax": lambda: np.exp(x) / total, "log_softmax": lambda: x - np.log(total)}[
        name
    ]()


def test_keepdims_and_large_arguments(engine, derivatives):
    x = np.array([[1000.0, 1001.0], [-1000.0, -1000.5]])
    case = derivatives(engine, lambda xp, x: xp.special.logsumexp(x, axis=1, keepdims=True), [x])
    (value,), (t,) = case.jvp([np.ones_like(x)])
    np.testing.assert_allclose(value, scipy.special.logsumexp(x, axis=1, keepdims=True), rtol=1e-15)
    np.testing.assert_allclose(t, [[1], [1]], rtol=1e-15)
    np.testing.assert_allclose(case.gradient(), scipy.special.softmax(x, axis=1), rtol=1e-14)


@pytest.mark.parametrize(
    ("x", "value", "gradient"),
    [
        ([-INF, -INF], -INF, [0.5, 0.5]),
        ([INF, 0.0, INF], INF, [0.5, 0, 0.5]),
        ([-INF, 0.0, 0.0], math.log(2), [0, 0.5, 0.5]),
        ([INF, -INF], INF, [1, 0]),
        ([NAN, 0.0], NAN, [NAN, NAN]),
        ([3.0], 3.0, [1.0]),
        ([2.0, 2.0], 2 + math.log(2), [0.5, 0.5]),
    ],
)
def test_logsumexp_at_infinities_and_ties(engine, derivatives, x, value, gradient):
    case = derivatives(engine, lambda xp, x: xp.special.logsumexp(x), [np.array(x)])
    np.testing.assert_allclose(case.gradient(), gradient)
    np.testing.assert_allclose(case.jvp([np.ones(len(x))])[0][0], value)


def test_empty_arrays(engine, derivatives):
    empty = np.zeros((0, 2))
    case = derivatives(engine, lambda xp, x: xp.special.logsumexp(x, axis=0), [empty])
    (value,), (t,) = case.jvp([empty])
    np.testing.assert_array_equal(value, [-INF, -INF])
    np.testing.assert_array_equal(t, [0, 0])
    for name in ("softmax", "log_softmax"):
        assert derivatives(engine, lambda xp, x, n=name: getattr(xp.special, n)(x, axis=0), [empty]).gradient().shape == (0, 2)


# --- edges


def mp_sinc(x, order):
    with mpmath.workdps(40):
        if x:
            return float(mpmath.diff(mpmath.sincpi, mpmath.mpf(x), order))
        return 0.0 if order % 2 else float((-1) ** (order // 2) * mpmath.pi**order / (order + 1))


@pytest.mark.parametrize("order", range(7))
def test_sinc_to_every_order(engine, order):
    points = np.array([0.0, 1e-9, 1e-3, 0.3, 1.0, 1.9, 2.6, 7.7, -0.4])
    xp = engine.namespace()

    def function(x):
        return (xp.special.sinc(x),)

    def pushed(f):
        return lambda x: engine.jvp(f, (x,), (engine.asarray(np.ones(9)),))[1]

    for _ in range(order):
        function = pushed(function)
    got = engine.to_numpy(function(engine.asarray(points))[0])
    np.testing.assert_allclose(got, [mp_sinc(x, order) for x in points], rtol=1e-11, atol=1e-12 * math.pi**order)


EDGES = {
    "entr": ([0.0, 1.0], [INF, -1.0]),
    "expit": ([-800.0, 0.0, 40.0], [0.0, 0.25, float(mpmath.exp(-40) / (1 + mpmath.exp(-40)) ** 2)]),
    "log_expit": ([-800.0, 0.0, 40.0], [1.0, 0.5, float(mpmath.exp(-40) / (1 + mpmath.exp(-40)))]),
    "logit": ([0.0, 0.5], [INF, 4.0]),
    "sinc": ([0.0, 1.0], [0.0, -1.0]),
}
NATIVE_EDGES = {
    "log_ndtr": ([-1e8, 0.0, 50.0], [1e8, math.sqrt(2 / math.pi), 0.0]),
    "i0e": ([0.0], [0.0]),
    "i1": ([0.0], [0.5]),
    "i1e": ([0.0], [0.5]),
    "erf": ([0.0, INF], [2 / math.sqrt(math.pi), 0.0]),
    "erfinv": ([1.0], [INF]),
}


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")  # the library's own, about the value
def test_edges(engine, derivatives, name):
    x, expected = EDGES[name]
    np.testing.assert_allclose(derivatives(engine, named(name), [np.array(x)]).gradient(), expected, rtol=1e-13)


@pytest.mark.parametrize("name", NATIVE_EDGES)
def test_edges_of_functions_of_scipy(numpy_engine, derivatives, name):
    x, expected = NATIVE_EDGES[name]
    np.testing.assert_allclose(derivatives(numpy_engine, named(name), [np.array(x)]).gradient(), expected, rtol=1e-13)


def test_products_with_a_logarithm_where_the_factor_is_zero(engine, derivatives):
    x, y = np.array([0.0, 0.0, 2.0]), np.array([0.0, 3.0, 0.5])
    for name, shift in (("xlogy", 0), ("xlog1py", 1)):
        case = derivatives(engine, named(name), [x, y - shift])
        g_x, g_y = case.vjp([np.ones(3)])[1]
        np.testing.assert_allclose(g_x, [-INF, math.log(3), math.log(0.5)])
        np.testing.assert_allclose(g_y, [0, 0, 4])
        _, (t,) = case.jvp([np.zeros(3), np.ones(3)])
        np.testing.assert_allclose(t, [0, 0, 4])
    case = derivatives(engine, named("rel_entr"), [x, y])
    np.testing.assert_allclose(case.vjp([np.ones(3)])[1][1], [0, 0, -4])


@pytest.mark.parametrize("name", ["xlogy", "xlog1py", "rel_entr", "kl_div"])
def test_python_numbers_beside_an_array(engine, derivatives, name):
    function = getattr(scipy.special, name)
    for case, at in (
        (derivatives(engine, lambda xp, x: named(name)(xp, x, 0.5), [np.array([2.0])]), lambda x: function(x, 0.5)),
        (derivatives(engine, lambda xp, x: named(name)(xp, 0.5, x), [np.array([2.0])]), lambda x: function(0.5, x)),
    ):
        np.testing.assert_allclose(case.gradient(), [(at(2 + 1e-6) - at(2 - 1e-6)) / 2e-6], rtol=1e-8)


# --- two functions on two parts


def test_apply_where_keeps_functions_apart(engine, check):
    x, y = np.array([0.5, -1.0, 2.0, -0.25]), np.array([[1.5], [0.5]])

    def function(xp, x, y):
        if not hasattr(xp, "special"):
            return np.where(x > 0, np.log(np.abs(x)) * y, x * x * y)
        return xp.special.apply_where(x > 0, (x, y), lambda x, y: xp.log(x) * y, lambda x, y: x * x * y)

    check(engine, function, [x, y])


def test_apply_where_at_a_point_where_the_other_function_has_no_derivative(engine, derivatives):
    def function(xp, x):
        return xp.special.apply_where(x > 0, x, xp.sqrt, fill_value=-1.0)

    case = derivatives(engine, function, [np.array([4.0, 0.0, -1.0])])
    np.testing.assert_array_equal(case.gradient(), [0.25, 0, 0])
    np.testing.assert_array_equal(case.jvp([np.ones(3)])[0][0], [2, -1, -1])


def test_apply_where_with_a_traced_value_in_a_closure(numpy_engine, derivatives):
    x = np.array([1.0, -2.0, 3.0])
    case = derivatives(
        numpy_engine, lambda xp, w: xp.special.apply_where(x > 0, x, lambda x: x * w, lambda x: x * w * w), [np.array(2.0)]
    )
    np.testing.assert_array_equal(case.gradient(), 4.0 - 8.0)


@pytest.mark.parametrize("name", [*REDUCTIONS, "sinc", "expit"])
def test_derivatives_under_vmap(engine, name):
    x = engine.asarray(np.random.default_rng(0).normal(size=(3, 2, 3)))
    xp = engine.namespace()
    options = {"axis": -1} if name in REDUCTIONS else {}

    def gradient(x):
        return engine.value_and_grad(lambda x: (xp.sum(getattr(xp.special, name)(x, **options) ** 2),), (x,))[1]

    (mapped,) = engine.vmap(gradient, (x,), (True,), 3)
    for k in range(3):
        np.testing.assert_allclose(engine.to_numpy(mapped)[k], engine.to_numpy(gradient(x[k, ...])[0]), rtol=1e-12)
