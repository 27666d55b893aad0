"""Derivatives to third order, in every order of modes, on every backend, against mpmath and complex step."""

from itertools import product

import mpmath
import numpy as np
import pytest

import unidiff as ud

MODES = ("jvp", "vjp", "grad")

PROGRAMS = {
    "product": (lambda xp, x: xp.sin(x) * xp.exp(x * x), lambda x: mpmath.sin(x) * mpmath.exp(x * x)),
    "quotient": (lambda xp, x: xp.log1p(x * x) / (2 + xp.cos(x)), lambda x: mpmath.log1p(x * x) / (2 + mpmath.cos(x))),
    "powers": (lambda xp, x: x**2.5 + xp.pow(x, x) + xp.sqrt(x), lambda x: x**2.5 + x**x + mpmath.sqrt(x)),
    "inverses": (
        lambda xp, x: xp.atan(x) * xp.asinh(x) - xp.asin(x),
        lambda x: mpmath.atan(x) * mpmath.asinh(x) - mpmath.asin(x),
    ),
    "loop": (lambda xp, x: _logistic_map(x), lambda x: _logistic_map(x)),
    "array": (
        lambda xp, x: xp.sum(xp.cumulative_prod(xp.stack([x, x + 1, xp.tanh(x)]))),
        lambda x: x + x * (x + 1) * (1 + mpmath.tanh(x)),
    ),
    "linear algebra": (lambda xp, x: _quadratic_form(xp, x), lambda x: 2 + 2 * x * x + x**4),
}


def _logistic_map(x):
    y = x
    for _ in range(4):
        y = 2.5 * y * (1 - y)
    return y


def _quadratic_form(xp, x):
    """Return v' A v for v = (1, x) and A = [[2, x], [x, x**2]]."""
    vector = xp.stack([x * 0 + 1, x])
    matrix = xp.stack([xp.stack([x * 0 + 2, x]), xp.stack([x, x * x])])
    return xp.matmul(vector, xp.matmul(matrix, vector))


def derivative(mode, f):
    """Return the derivative of a scalar function of a scalar array in one mode."""

    def one_like(x):
        return ud.array_namespace(x).ones_like(x)

    return {
        "jvp": lambda x: ud.jvp(f, (x,), (one_like(x),))[1],
        "vjp": lambda x: ud.vjp(f, x)[1](one_like(x))[0],
        "grad": ud.grad(f),
    }[mode]


@pytest.mark.parametrize("modes", [m for order in (1, 2, 3) for m in product(MODES, repeat=order)], ids="-".join)
@pytest.mark.parametrize("name", PROGRAMS)
def test_derivatives_to_third_order_equal_mpmath(array, name, modes):
    program, reference = PROGRAMS[name]
    f = lambda x: program(ud.array_namespace(x), x)
    for mode in modes:
        f = derivative(mode, f)
    with mpmath.workdps(40):
        want = float(mpmath.diff(reference, mpmath.mpf("0.3"), len(modes)))
    assert float(f(array(0.3))) == pytest.approx(want, rel=1e-11)


@pytest.mark.parametrize(("outer", "inner"), list(product(MODES, MODES)))
def test_perturbations_are_kept_apart(array, outer, inner):
    """d/dx (x * d/dy (x + y)) is 1, and 2 where the two perturbations are confused."""
    one = array(1.0)
    assert float(derivative(outer, lambda x: x * derivative(inner, lambda y: x + y)(one))(one)) == 1.0


def test_jvp_equals_complex_step_in_many_dimensions(array):
    """f(x + i h v) has the imaginary part h f'(x) v up to h**3: an oracle that shares nothing with any backend."""
    generator = np.random.default_rng(0)
    matrix, x, v = generator.normal(size=(5, 4)), generator.normal(size=4), generator.normal(size=4)

    def f(xp, x, matrix):
        hidden = xp.tanh(xp.matmul(matrix, x)) * xp.exp(-xp.sum(x * x))
        return xp.concat([hidden, xp.cos(x) / (2 + hidden[:4])])

    want = f(np, x + 1e-30j * v, matrix).imag / 1e-30
    constant = array(matrix)
    _, got = ud.jvp(lambda x: f(ud.array_namespace(x), x, constant), (array(x),), (array(v),))
    np.testing.assert_allclose(ud.to_numpy(got), want, rtol=1e-13, atol=1e-14)
