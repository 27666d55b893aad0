"""What NumPy code may do to arrays beside computing with them: the derivative stays right, or an error is raised."""

import copy

import numpy as np
import pytest

import unidiff as ud
from unidiff import errors

xp = ud.namespace("numpy")
X = np.asarray([1.0, 2.0, 3.0])


def _gradient(f, x):
    return ud.grad(f)(x)


def _pulled(f, x):
    return ud.vjp(f, x)[1](np.asarray(1.0))[0]


def _pushed(f, x):
    return np.stack([ud.jvp(f, (x,), (unit,))[1] for unit in np.eye(3)]) if x.size == 3 else ud.jvp(f, (x,), (x,))[1]


def _hessian_product(f, x):
    return ud.hvp(f, (x,), (np.ones_like(x),))


@pytest.mark.parametrize("transform", [_gradient, _pulled, _pushed, _hessian_product])
def test_a_small_argument_changed_in_place_by_the_function(transform):
    x = X.copy()

    def f(z):
        y = z * z
        x[0] = 5.0
        return (y * z).sum()

    want = 6 * X if transform is _hessian_product else 3 * X**2
    np.testing.assert_array_equal(transform(f, x), want)
    assert x[0] == 5.0


@pytest.mark.parametrize("transform", [_gradient, _pushed, _hessian_product])
def test_a_large_argument_changed_in_place_by_the_function(transform):
    x = np.ones(20_000)

    def f(z):
        y = z * z
        x[0] = 5.0
        return y.sum()

    with pytest.raises(errors.InPlaceError, match="Change a copy"):
        transform(f, x)
    x[0] = 2.0  # writable again


def test_a_large_constant_changed_in_place():
    c = np.ones(20_000)

    def f(z):
        y = z * c
        c[0] = 5.0
        return y.sum()

    with pytest.raises(errors.InPlaceError, match="Change a copy"):
        ud.grad(f)(np.ones(20_000))
    c[0] = 2.0


def test_a_large_constant_changed_through_an_earlier_view():
    c = np.ones(20_000)
    view = c[:]

    def f(z):
        y = z * c
        view[:] = 5.0
        return y.sum()

    with pytest.raises(errors.InPlaceError, match="through a view"):
        ud.grad(f)(np.ones(20_000))
    assert c.flags.writeable


def test_an_error_of_the_function_passes_and_arrays_are_writable_again():
    c = np.ones(20_000)
    view = c[:]

    def f(z):
        z * c
        view[:] = 2.0
        raise KeyError("mine")

    for call in (lambda: ud.grad(f)(np.ones(20_000)), lambda: ud.jvp(f, (c,), (c,))):
        with pytest.raises(KeyError, match="mine"):
            call()
        assert c.flags.writeable


def _number(x):
    s = x.__array_namespace__().asarray(3.0)
    alias = s
    s += 1
    s += x[0]
    return alias * alias


def _traced_number(x):
    s = xp.asarray(x[0] * 1.0)
    alias = s
    s += 1
    s *= x[1]
    return alias * alias


def _scalar(x):
    s = x[0] * 1.0
    before = s
    s += 1
    return before * s


def _uncopied(x):
    y = xp.astype(x * 1.0, xp.float64)
    z = xp.astype(y, xp.float64, copy=False)
    z += 1
    return (y * z).sum()


def _uncopied_method(x):
    y = x * 1.0
    z = y.astype(float, copy=False)
    z *= x
    return (y * z).sum()


def _copied(x):
    y = x * 1.0
    z, w = y.astype(float), copy.deepcopy(y)
    z += 1
    w *= 3
    return (y * z * w).sum()


def _buffer(x):
    out = np.zeros_like(x)
    out += x
    out[0] = x[1] * x[2]
    out[1:] *= 2
    return (out * x).sum()


def _objects(x):
    a = np.empty(2, dtype=object)
    a[0], a[1] = x[0], x[1] * x[2]
    return a.sum()


IN_PLACE = [_number, _traced_number, _scalar, _uncopied, _uncopied_method, _copied, _buffer, _objects]


@pytest.mark.parametrize("f", IN_PLACE, ids=lambda f: f.__name__.strip("_"))
def test_aliases_see_the_change_as_in_numpy(f):
    step = 1e-6  # on plain arrays, f computes by the rules of NumPy
    want = [(f(X + step * u) - f(X - step * u)) / (2 * step) for u in np.eye(3)]
    np.testing.assert_allclose(ud.grad(f)(X), want, rtol=1e-8)
    np.testing.assert_allclose(_pushed(f, X), want, rtol=1e-8)


LISTS = {
    "sum": lambda x: xp.sum([x[0], x[1] * x[2]]),
    "mean": lambda x: xp.mean([x, x * x], axis=0)[1],
    "stack": lambda x: xp.stack([[x[0], x[1]], [x[1], x[2]]]).prod(),
    "concat": lambda x: xp.concat([[x[0]], [x[1], x[2]]]).prod(),
    "einsum": lambda x: xp.einsum("i,i", [x[0], x[1]], x[1:]),
    "numpy.einsum": lambda x: np.einsum("i,i", [x[0], x[1]], x[1:]),
    "where": lambda x: xp.where(x > 1.5, [x[0], x[1] * x[0], x[2]], 0.0).sum(),
    "linalg.det": lambda x: xp.linalg.det([[x[0], x[1]], [x[1], x[2]]]),
    "operator": lambda x: (x[:2] * [x[0], x[1]]).sum(),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_traced_numbers(name):
    f, step = LISTS[name], 1e-6
    want = [(f(X + step * u) - f(X - step * u)) / (2 * step) for u in np.eye(3)]
    np.testing.assert_allclose(ud.grad(f)(X), want, rtol=1e-8, atol=1e-8)


CUT = {
    "math.sin": lambda x: __import__("math").sin(x[0]),
    "math.fsum": lambda x: __import__("math").fsum(x),
    "numpy.float64": lambda x: np.float64(x[0]),
    "numpy.array of objects": lambda x: np.array([x[0], x[1]], dtype=object).sum(),
    "array of objects": lambda x: (x * np.asarray([1, 2, 3], dtype=object)).sum(),
    "numpy.random": lambda x: np.random.normal(x).sum(),  # noqa: NPY002  # people use it
    "generator": lambda x: np.random.default_rng(0).normal(x).sum(),
    "numpy.vectorize": lambda x: np.vectorize(lambda v: v * v)(x).sum(),
    "numpy.r_": lambda x: np.r_[x, x].sum(),
    "numpy.c_": lambda x: np.c_[x, x].sum(),
    "numpy.ma": lambda x: np.ma.masked_array(x, [0, 1, 0]).sum(),
    "numpy.sum of a list": lambda x: np.sum([x[0], x[1]]),
    "numpy.ndenumerate": lambda x: sum(v for _, v in np.ndenumerate(x)),
    "numpy.polynomial": lambda x: np.polynomial.Polynomial(x)(2.0),
    "tolist": lambda x: np.sum(x.tolist()),
    "as_strided": lambda x: np.lib.stride_tricks.as_strided(x, (2, 2), (8, 8)).sum(),
}


@pytest.mark.parametrize("name", CUT)
def test_what_leaves_the_traced_arrays_raises(name):
    with pytest.raises((errors.TracedConversionError, errors.DTypeError), match=r"Use functions|Derivatives are"):
        ud.grad(CUT[name])(X)
