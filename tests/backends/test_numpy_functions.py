"""Every public function of NumPy on a traced array: it differentiates, is constant, or raises; none loses the derivative."""

import inspect

import numpy as np
import pytest

import unidiff as ud
from tests.backends.numpy_calls import CALLS, CONSTANT, RAISING, X
from unidiff import errors


def _total(y):
    """Return a weighted sum of real numbers, other ones for each element."""
    y = np.concatenate([np.ravel(np.real(y)), np.ravel(np.imag(y))]) if np.iscomplexobj(y) else np.ravel(y)
    return np.sum(y * np.cos(np.arange(y.size)))


def _cases():
    return [pytest.param(call, id=f"{name}-{i}") for name, calls in CALLS.items() for i, call in enumerate(calls)]


@pytest.mark.parametrize("call", _cases())
def test_value_and_derivatives(call):
    try:
        want = np.asarray(call(X))
    except TypeError:
        if np.lib.NumpyVersion(np.__version__) >= "2.4.0":
            raise
        pytest.skip("this version of NumPy takes no such arguments")
    y, step = ud.jvp(call, (X,), (np.cos(X),))[0], 1e-4
    np.testing.assert_allclose(y, want, rtol=1e-12, atol=1e-12)
    assert (y.shape, y.dtype) == (want.shape, want.dtype)
    f = lambda x: _total(call(x))
    slope = [
        (8 * (f(X + step * u) - f(X - step * u)) - f(X + 2 * step * u) + f(X - 2 * step * u)) / 12 / step for u in np.eye(6)
    ]
    gradient = ud.grad(f)(X)
    np.testing.assert_allclose(gradient, slope, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(ud.jvp(f, (X,), (np.cos(X),))[1], gradient @ np.cos(X), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", CONSTANT)
def test_constant(name):
    found = []

    def f(x):
        found.append(CONSTANT[name](x))
        return np.sum(x)

    ud.grad(f)(X)
    got, want = found[0], CONSTANT[name](X)
    if isinstance(want, (str, tuple, list, np.dtype, type)):
        got = str(got) if isinstance(want, str) else got
        assert np.all(np.asarray(got == want)) if not isinstance(want, tuple) else all(map(np.array_equal, got, want))
    else:
        np.testing.assert_array_equal(np.asarray(got), want)


@pytest.mark.parametrize("name", RAISING)
def test_raises(name):
    with pytest.raises(errors.MissingRuleError, match=r"(?s)no derivative rule.*(Write it with|compute it outside)"):
        ud.grad(lambda x: np.sum(RAISING[name](x)))(X)


def _dispatched():
    """Return the names of NumPy's functions that give way to traced arrays."""
    for prefix, module in (("", np), ("linalg.", np.linalg), ("fft.", np.fft)):
        for name, function in vars(module).items():
            if not name.startswith("_") and hasattr(function, "_implementation"):
                yield prefix + name


def test_every_function_of_numpy_is_in_one_table():
    tables = [*CALLS, *CONSTANT, *RAISING]
    assert len(tables) == len(set(tables))
    assert set(_dispatched()) - set(tables) - {"in1d"} == set()  # until NumPy 2.4


UNDISPATCHED = [
    name
    for name, function in vars(np).items()
    if not (name.startswith("_") or isinstance(function, (type, np.ufunc)) or hasattr(function, "_implementation"))
    and (inspect.isfunction(function) or inspect.isbuiltin(function))
    and name not in "test info show_config show_runtime set_printoptions seterr seterrcall setbufsize printoptions".split()
]
ARGUMENTS = [lambda x: (x,), lambda x: ([x[0], x[1]],), lambda x: (2, x), lambda x: (3, x[0]), lambda x: (x[0], 3)]


@pytest.mark.parametrize("name", sorted(UNDISPATCHED))
def test_functions_that_do_not_give_way_raise(name):
    """No call of them makes a plain floating array of a traced one."""

    found = []

    def f(x):
        for arguments in ARGUMENTS:
            try:
                y = getattr(np, name)(*arguments(x))
            except (errors.UnidiffError, TypeError, ValueError, AttributeError, OSError, RuntimeError, LookupError, Warning):
                y = None
            found.append(y if isinstance(y, (np.ndarray, np.generic, float)) else None)
        return np.sum(x)

    ud.grad(f)(X)
    ud.grad(f)(X + 1)
    for here, there in zip(found[: len(ARGUMENTS)], found[len(ARGUMENTS) :], strict=True):
        assert name == "empty" or here is None or np.asarray(here).dtype.kind in "biu" or np.array_equal(here, there)
