"""Derivatives of derivatives, in every order of modes, and the programs that confuse perturbations."""

from itertools import product

import mpmath
import numpy as np
import pytest

MODES = ("forward", "reverse")


def derivative(engine, mode, f):
    """Return the derivative of a scalar function of a scalar array in one mode."""
    xp = engine.namespace()

    def forward(x):
        return engine.jvp(lambda x: (f(x),), (x,), (xp.ones_like(x),))[1][0]

    def reverse(x):
        return engine.value_and_grad(lambda x: (f(x),), (x,))[1][0]

    return forward if mode == "forward" else reverse


PROGRAMS = {
    "product": (lambda xp, x: xp.sin(x) * xp.exp(x * x), lambda x: mpmath.sin(x) * mpmath.exp(x * x)),
    "quotient": (lambda xp, x: xp.log(1 + x * x) / (2 + xp.cos(x)), lambda x: mpmath.log(1 + x * x) / (2 + mpmath.cos(x))),
    "power": (lambda xp, x: x**2.5 + 2.0**x + x**x, lambda x: x**2.5 + mpmath.mpf(2) ** x + x**x),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("modes", [m for order in (1, 2, 3) for m in product(MODES, repeat=order)], ids="-".join)
def test_nested_derivatives_equal_mpmath(engine, xp, name, modes):
    program, reference = PROGRAMS[name]
    f = lambda x: program(xp, x)
    for mode in modes:
        f = derivative(engine, mode, f)
    got = float(f(xp.asarray(0.7, dtype=xp.float64)))
    with mpmath.workdps(40):
        want = float(mpmath.diff(reference, mpmath.mpf("0.7"), len(modes)))
    assert got == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize(("outer", "inner"), list(product(MODES, MODES)))
def test_perturbations_are_kept_apart(engine, xp, outer, inner):
    """d/dx (x * d/dy (x + y)) is 1, and 2 where the two perturbations are confused."""
    one = xp.asarray(1.0)
    f = lambda x: x * derivative(engine, inner, lambda y: x + y)(one)
    assert float(derivative(engine, outer, f)(one)) == 1.0


@pytest.mark.parametrize(("outer", "inner"), list(product(MODES, MODES)))
def test_inner_function_closes_over_the_outer_variable(engine, xp, outer, inner):
    """d/dx (x * d/dy (x y**2) at y = x) is d/dx (2 x**3)."""
    f = lambda x: x * derivative(engine, inner, lambda y: x * y * y)(x)
    assert float(derivative(engine, outer, f)(xp.asarray(3.0))) == pytest.approx(6 * 9.0)


def test_hessian_of_a_vector_function_is_symmetric_in_all_four_mode_pairs(engine, xp):
    x = xp.asarray([0.3, -0.8, 1.1])
    f = lambda x: xp.sum(xp.sin(x) * xp.exp(x[0] * x)) + x[1] * x[2] ** 2
    gradient = lambda x: (engine.value_and_grad(lambda x: (f(x),), (x,))[1][0],)
    identity = xp.eye(3)
    forward_over_reverse = [engine.jvp(gradient, (x,), (identity[i, :],))[1][0] for i in range(3)]
    _, pull = engine.vjp(gradient, (x,))
    reverse_over_reverse = [pull((identity[i, :],))[0] for i in range(3)]
    slope = lambda i: lambda x: (engine.jvp(lambda x: (f(x),), (x,), (identity[i, :],))[1][0],)
    reverse_over_forward = [engine.value_and_grad(slope(i), (x,))[1][0] for i in range(3)]
    forward_over_forward = [xp.stack([engine.jvp(slope(i), (x,), (identity[j, :],))[1][0] for j in range(3)]) for i in range(3)]
    hessians = [
        np.asarray(xp.stack(rows))
        for rows in (forward_over_reverse, reverse_over_reverse, reverse_over_forward, forward_over_forward)
    ]
    for hessian in hessians:
        np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(hessian, hessians[0], rtol=1e-12, atol=1e-13)
