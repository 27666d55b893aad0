"""Special functions of SciPy: derivatives to second order and in single precision, parameters, the absent library."""

import re
from pathlib import Path

import numpy as np
import pytest

from unidiff.errors import MissingRuleError, UnsupportedOperationError
from unidiff.rules import RULES, special_native

special = pytest.importorskip("scipy.special")

X = np.asarray([0.37, 0.82, 0.21, 0.64])
ONE = (
    "cbrt cosdg cosm1 cotdg erfi exp1 exp10 exp2 expi exprel j0 j1 k0 k0e k1 k1e loggamma rgamma sindg spence tandg wrightomega"
    " y0 y1"
).split()
LAST = {
    "expn": (3,), "fdtr": (2.0, 3.0), "fdtrc": (2.0, 3.0), "gdtr": (2.0, 3.0),
    "gdtrc": (2.0, 3.0), "huber": (0.5,), "hyp0f1": (1.5,), "hyp1f1": (1.5, 2.5), "jv": (2.0,), "nbdtr": (2, 3),
    "nbdtrc": (2, 3), "pdtr": (2.0,), "pdtrc": (2.0,), "pseudo_huber": (0.7,), "zeta": (2.5,),
}  # fmt: skip
INVERSE = {
    "betaincinv": ("betainc", 2.0, 3.0), "chdtri": ("chdtrc", 3.0), "fdtri": ("fdtr", 2.0, 3.0),
    "gammainccinv": ("gammaincc", 2.0), "gammaincinv": ("gammainc", 2.0), "nbdtri": ("nbdtr", 2, 3), "pdtri": ("pdtr", 2),
}  # fmt: skip
FIRST = {"boxcox": (0.4,), "boxcox1p": (0.4,), "inv_boxcox": (0.4,), "inv_boxcox1p": (0.4,), "multigammaln": (3,)}


def _function(xp, name):
    """Return the namespace's function, which for plain NumPy, the oracle, is SciPy's own in the dtype of the last argument."""
    if hasattr(xp, "special"):
        return getattr(xp.special, name)
    return lambda *args: getattr(special, name)(*args).astype(next(x.dtype for x in args if hasattr(x, "dtype")))


CALLS = {
    **{name: lambda xp, x, name=name: _function(xp, name)(x) for name in ONE},
    **{name: lambda xp, x, name=name: _function(xp, name)(*LAST[name], x) for name in LAST},
    **{name: lambda xp, x, name=name: _function(xp, name)(1.5 + x, *FIRST[name]) for name in FIRST},
    "radian": lambda xp, x: _function(xp, "radian")(x, 10 * x, 100 * x * x),
}


def test_derivatives_where_the_formula_has_a_gap(numpy_engine):
    xp = numpy_engine.namespace()
    for f, x, slope in ((xp.special.rgamma, [0.0, -1.0, -2.0, -3.0], [1, -1, 2, -6]), (xp.special.spence, [1.0], [-1])):
        x = np.asarray(x)
        np.testing.assert_allclose(numpy_engine.jvp(lambda x, f=f: (f(x),), (x,), (np.ones_like(x),))[1][0], slope, rtol=1e-14)


@pytest.mark.parametrize("name", CALLS)
def test_against_differences(name, numpy_engine, check):
    check(numpy_engine, CALLS[name], [X])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", INVERSE)
def test_function_of_its_inverse_is_the_identity(name, dtype, numpy_engine):
    """The derivative is 1 and the second derivative 0, where differences of SciPy's inverses are too rough an oracle."""
    xp = numpy_engine.namespace()
    forward, *parameters = INVERSE[name]
    inverse = getattr(xp.special, name)

    def upper(x):  # what SciPy computes chdtrc by
        if forward == "chdtrc":
            return xp.special.gammaincc(parameters[0] / 2, x / 2)
        return getattr(xp.special, forward)(*parameters, x)

    def slope(y):
        return numpy_engine.value_and_grad(lambda y: (xp.sum(upper(inverse(*parameters, y))),), (y,))[1]

    y = X.astype(dtype)
    (one,), (zero,) = numpy_engine.jvp(slope, (y,), (xp.ones_like(y),))
    assert one.dtype == zero.dtype == y.dtype
    tolerance = 1e-8 if dtype == "float64" else 1e-3
    np.testing.assert_allclose(one, 1, rtol=tolerance)
    np.testing.assert_allclose(zero, 0, atol=30 * tolerance)


def test_every_rule_is_tested():
    source = Path(special_native.__file__).read_text(encoding="utf-8")
    declared = re.findall(r'^(?:native|_last|composite|zero)\(\s*"(?:special\.)?(\w+)"', source, re.MULTILINE)
    assert {f"special.{name}" for name in declared} <= set(RULES)
    assert set(declared) - {"gammasgn"} == set(CALLS) | set(INVERSE)


def test_sign_of_gamma_has_zero_derivative(numpy_engine):
    xp = numpy_engine.namespace()
    _, (g,) = numpy_engine.value_and_grad(lambda x: (xp.sum(xp.special.gammasgn(x) * x),), (np.asarray([-0.5, 2.0]),))
    np.testing.assert_array_equal(g, [-1, 1])


@pytest.mark.parametrize("name", ["boxcox", "pdtr", "zeta"])
def test_parameter_without_derivative_is_refused(name, numpy_engine):
    function = getattr(numpy_engine.namespace().special, name)
    call = (lambda x: (function(2.0, x),)) if name == "boxcox" else (lambda x: (function(x, 2.0),))
    with pytest.raises(MissingRuleError, match="parameter"):
        numpy_engine.value_and_grad(call, (np.asarray(2.5),))


def test_library_without_the_function_says_so(engine):
    if engine.info.name == "numpy":
        pytest.skip("has SciPy's")
    with pytest.raises(UnsupportedOperationError, match="no special function 'cbrt'"):
        engine.namespace().special.cbrt(engine.asarray([1.0]))
