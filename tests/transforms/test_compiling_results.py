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
