"""What compiled functions return and take: memory of their own, warnings and errors as without compiling."""

import warnings

import numpy as np
import pytest

import unidiff as ud
from tests.transforms.bits import same_bits
from unidiff import errors

weights = np.arange(3.0)
ALIASES = {
    "argument": lambda x: x,
    "twice": lambda x: (x * 2,) * 2,
    "part": lambda x: x[1:],
    "transpose": lambda x: (x[None, :].mT, x * 1),
    "value and view": lambda x: (y := x * 3, y[1:], y),
    "captured": lambda x: (weights, weights[1:], x + 0),
    "constant": lambda x: (ud.array_namespace(x).zeros(3), ud.array_namespace(x).ones(3) * 2),
    "reused": lambda x: ((y := x + 1) * 2 + 1, y - 1),
    "number": lambda x: (x.sum(), x[0]),
    "gradient": ud.grad(lambda x: x.sum() + x[0]),
}


@pytest.mark.parametrize("name", ALIASES)
def test_results_share_memory_with_nothing(name):
    x = np.asarray([1.0, 2.0, 3.0])
    kept = x.copy()
    compiled = ud.jit(ALIASES[name])
    arrays = [*ud.tree.leaves(compiled(x)), *ud.tree.leaves(compiled(x)), x, weights]
    want = ud.tree.leaves(ALIASES[name](x))
    for got, w in zip(arrays, want, strict=False):
        assert isinstance(got, np.ndarray)
        assert got.flags.writeable
        np.testing.assert_array_equal(got, w)
    for i, a in enumerate(arrays):
        assert not any(np.shares_memory(a, b) for b in arrays[i + 1 :])
    for got in arrays[: len(want)]:
        got[...] = 99.0
    for got, w in zip(ud.tree.leaves(compiled(x)), want, strict=True):
        np.testing.assert_array_equal(got, w)
    np.testing.assert_array_equal(x, kept)


def test_changing_an_argument_in_place_is_refused():
    def f(x):
        x += 1
        return x

    x = np.ones(3)
    with pytest.raises(errors.InPlaceError, match="argument 0"):
        ud.jit(f)(x)
    assert x.tolist() == [1.0, 1.0, 1.0]


def test_in_place_forms_on_what_the_function_makes():
    def f(x):
        y = x * 2
        y[0] = 5.0
        y[1:] += x[1:]
        y *= 3
        return y

    same_bits(ud.jit(f)(np.ones(3)), f(np.ones(3)))
    same_bits(ud.jit(ud.jacobian(f))(np.ones(3)), ud.jacobian(f)(np.ones(3)))


def test_floating_point_warnings_are_those_of_the_function():
    f = ud.jit(lambda x: ud.array_namespace(x).log(x))
    for _ in range(2):
        with pytest.warns(RuntimeWarning, match="divide by zero"):
            f(np.zeros(2))
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        f(np.zeros(2))
    gradient = ud.jit(ud.grad(lambda x: ud.array_namespace(x).sqrt(x).sum()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isinf(gradient(np.zeros(1)))


def test_the_function_may_ask_for_errors_to_be_handled_otherwise():
    def f(x):
        xp = ud.array_namespace(x)
        y = xp.log(x)
        with np.errstate(divide="ignore"):
            y = y + xp.log(x * 0)
        with np.errstate(all="raise"):
            return xp.log(x + 1) + y

    compiled = ud.jit(f)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compiled(np.ones(2)).tolist() == [-np.inf, -np.inf]
    with pytest.warns(RuntimeWarning, match="divide by zero") as caught:
        compiled(np.zeros(2))
    assert len(caught) == 1
    with pytest.raises(FloatingPointError), np.errstate(all="ignore"):
        compiled(np.full(2, -1.0))


def test_a_leaked_array_raises():
    kept = []
    ud.jit(lambda x: kept.append(x) or x)(np.ones(2))
    with pytest.raises(errors.LeakedTracerError, match="jit"):
        kept[0] + 1


def test_errors_of_the_library_are_raised_in_each_call():
    f = ud.jit(lambda x: ud.array_namespace(x).linalg.inv(x) * 0 + x)
    f(np.eye(2))
    with pytest.raises(np.linalg.LinAlgError):
        f(np.zeros((2, 2)))


REAL = {
    "square": lambda s, x: s**2,
    "cube": lambda s, x: s**3,
    "root": lambda s, x: (s * s) ** 0.5,
    "exponential": lambda s, x: 2**s,
    "power": lambda s, x: (s * s) ** s,
    "reciprocal": lambda s, x: s**-1,
    "remainder": lambda s, x: s % 0.3 + s // 0.3,
    "array powers": lambda s, x: (x * x) ** x + x**3 + x**-1,
    "product of complex numbers": lambda s, x: (s + 1j * x[0]) * (x[1] + 2j * x[0]),
    "quotient of complex numbers": lambda s, x: (s + 1j * x[0]) / (x[1] + 2j * x[0]),
    "modulus": lambda s, x: abs(s + 1j * x[0]),
}


@pytest.mark.parametrize("name", REAL)
def test_operators_between_scalars_round_as_without_compiling(name):
    """NumPy's scalars have operators of their own, which round unlike its functions."""
    function = lambda x: REAL[name](ud.array_namespace(x).sum(x), x)
    compiled = ud.jit(function)
    for x in np.random.default_rng(5).normal(size=(100, 3)):
        got, want = np.asarray(compiled(x)), np.asarray(function(x))
        assert got.dtype == want.dtype
        assert got.tobytes() == want.tobytes()


MATRIX, SERIES = np.random.default_rng(0).normal(size=(7, 7)), np.random.default_rng(1).normal(size=37)
NUMPYS = {
    "cov": (np.cov, MATRIX),
    "corrcoef": (np.corrcoef, MATRIX),
    "norm": (np.linalg.norm, MATRIX),
    "sinc": (np.sinc, MATRIX),
    "i0": (np.i0, MATRIX),
    "polymul": (lambda x: np.polymul(x, x), SERIES),
    "median": (np.median, SERIES),
    "percentile": (lambda x: np.percentile(x, [10, 60]), SERIES),
    "diff": (np.diff, SERIES),
    "convolve": (lambda x: np.convolve(x, x), SERIES),
    "reduce": (np.add.reduce, MATRIX),
    "where": (lambda x: np.where(x > 0, x, -x), SERIES),
    "namespace": (lambda x: ud.array_namespace(x).median(x) * ud.array_namespace(x).outer(x, x), SERIES),
}


@pytest.mark.parametrize("name", NUMPYS)
def test_functions_of_numpy_have_the_bits_that_they_have_without_compiling(name):
    function, x = NUMPYS[name]
    same_bits(ud.jit(function)(x), np.asarray(function(x)))
    gradient = ud.grad(lambda x: np.sum(function(x) ** 2))
    same_bits(ud.jit(gradient)(x), gradient(x))


OTHERWISE = {
    "unique": np.unique,
    "extract": lambda x: np.extract(x > 0, x),
    "argwhere": np.argwhere,
    "array_equal": lambda x: np.array_equal(x, x),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_functions_of_numpy_that_depend_on_values_otherwise_are_refused(name):
    with pytest.raises(errors.TracedConversionError):
        ud.jit(OTHERWISE[name])(SERIES)


def test_one_of_several_results_of_a_call_on_constants_may_be_large():
    def function(x):
        xp = ud.array_namespace(x)
        return xp.sum(xp.linalg.svd(xp.ones((100, 100)))[0]) * x

    same_bits(ud.jit(function)(SERIES), function(SERIES))
