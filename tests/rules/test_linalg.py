"""Inverses, determinants and products of the ``linalg`` extension: every signature, and the clauses on singular matrices."""

import itertools
import math

import mpmath
import numpy as np
import pytest
import scipy.linalg

from unidiff.rules import RULES

C = "complex"


def regular(*shape, dtype="float64"):
    """Return well-conditioned matrices."""
    rng = np.random.default_rng([*shape, len(dtype)])
    a = rng.normal(size=shape)
    if dtype == "complex128":
        a = a + 1j * rng.normal(size=shape)
    return a / 2 + 1.5 * np.eye(*shape[-2:])


def method(name, *args, **options):
    return lambda xp, *arrays: getattr(xp.linalg, name)(*arrays, *args, **options)


def expm(xp, x):
    """Evaluate the exponential, which the oracle's namespace lacks; its values have a test of their own."""
    return xp.linalg.expm(x) if hasattr(xp.linalg, "expm") else RULES["linalg.expm"].implementation(xp, x)


SOLVE = {
    "vector": ((3, 3), (3,)),
    "matrix": ((3, 3), (3, 2)),
    "stack vector": ((2, 3, 3), (3,)),
    "stack matrix": ((2, 3, 3), (3, 2)),
    "matrix stack": ((3, 3), (2, 3, 2)),
    "stacks": ((2, 3, 3), (2, 3, 1)),
    "broadcast": ((1, 2, 2), (3, 2, 2)),
    "no columns": ((2, 2), (2, 0)),
}
CASES = {
    **{f"diagonal {k}": (method("diagonal", offset=k), (2, 3, 4)) for k in (-3, -2, 0, 1, 3, 4)},
    **{f"trace {k}": (method("trace", offset=k), (C, 2, 4, 3)) for k in (-4, -1, 0, 2)},
    "diagonal wide": (method("diagonal"), (2, 5)),
    "diagonal tall": (method("diagonal", offset=-2), (5, 2)),
    "trace empty": (method("trace"), (0, 0)),
    "outer": (method("outer"), (2,), (3,)),
    "outer complex": (method("outer"), (C, 2), (C, 3)),
    "cross": (method("cross"), (2, 3), (2, 3)),
    "cross broadcast": (method("cross"), (3,), (C, 2, 3)),
    "cross axis": (method("cross", axis=-2), (3, 2), (3, 1)),
    **{f"matrix_power {n}": (method("matrix_power", n), regular(2, 2, 2)) for n in (-3, -1, 0, 1, 2, 3, 6)},
    "matrix_power complex": (method("matrix_power", -2), regular(2, 2, dtype="complex128")),
    "inv": (method("inv"), regular(2, 3, 3)),
    "inv complex": (method("inv"), regular(3, 3, dtype="complex128")),
    "inv empty": (method("inv"), (2, 0, 0)),
    **{f"solve {name}": (method("solve"), regular(*a), b) for name, (a, b) in SOLVE.items()},
    "solve complex": (method("solve"), regular(3, 3, dtype="complex128"), (C, 3, 2)),
    "solve complex vector": (method("solve"), regular(3, 3, dtype="complex128"), (C, 3)),
    "solve mixed": (method("solve"), regular(3, 3), (C, 3, 2)),
    **{f"det {n}": (method("det"), regular(n, n)) for n in range(6)},
    **{f"det complex {n}": (method("det"), regular(n, n, dtype="complex128")) for n in (1, 2, 3)},
    "det stack": (method("det"), regular(2, 3, 3)),
    **{f"slogdet {n}": (method("slogdet"), regular(n, n)) for n in range(4)},
    "slogdet negative": (method("slogdet"), -regular(3, 3)),
    "slogdet complex": (method("slogdet"), regular(2, 3, 3, dtype="complex128")),
    "pinv square": (method("pinv"), regular(3, 3)),
    "pinv tall": (method("pinv"), regular(4, 2)),
    "pinv wide": (method("pinv"), regular(2, 2, 3)),
    "pinv complex": (method("pinv"), regular(3, 2, dtype="complex128")),
    "pinv of constant rank": (lambda xp, a, b: xp.linalg.pinv(a @ b, rtol=1e-4), regular(4, 2), regular(2, 3)),
    "expm": (expm, (2, 3, 3)),
    "expm complex": (expm, (C, 2, 2)),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name, engine, check, inputs):
    function, *specifications = CASES[name]
    check(engine, function, inputs(*specifications))


def test_rank_has_no_derivative(numpy_engine):
    xp = numpy_engine.namespace()
    (rank,), (t,) = numpy_engine.jvp(lambda x: (xp.linalg.matrix_rank(x) * x[0, 0],), (np.eye(2),), (np.ones((2, 2)),))
    assert (rank, t) == (2, 2)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_matrix_exponential_at_every_scale(engine, scale):
    x = scale * np.random.default_rng(0).normal(size=(4, 4))
    value = engine.to_numpy(engine.namespace().linalg.expm(engine.asarray(x)))
    with mpmath.workdps(60):
        expected = np.asarray(mpmath.expm(mpmath.matrix(x.tolist()), method="taylor").tolist(), dtype=float)
    np.testing.assert_allclose(value, expected, rtol=1e-11 * max(1, scale), atol=1e-13 * np.abs(expected).max())


# --- singular matrices: the determinant is a polynomial, so all its derivatives exist


def polynomial(matrix, direction):
    """Return the coefficients of det(matrix + s direction) in s, by Leibniz' formula."""
    n = len(matrix)
    total = np.zeros(n + 1, dtype=complex)
    for order in itertools.permutations(range(n)):
        inversions = sum(a > b for a, b in itertools.combinations(order, 2))
        term = np.array([(-1) ** inversions], dtype=complex)
        for row, column in enumerate(order):
            term = np.convolve(term, [matrix[row, column], direction[row, column]])
        total += term
    return total


def of_rank(n, rank, dtype):
    rng = np.random.default_rng(n + 10 * rank)
    left, right = rng.normal(size=(n, rank)), rng.normal(size=(rank, n))
    if dtype == "complex128":
        left, right = left + 1j * rng.normal(size=left.shape), right - 1j * rng.normal(size=right.shape)
    return left @ right


SIZES = [(n, rank) for n in (1, 2, 3, 4) for rank in range(n + 1)] + [(5, 3), (5, 4), (6, 4)]


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize(("n", "rank"), SIZES)
def test_determinant_of_every_rank_to_third_order(engine, n, rank, dtype):
    x, direction = of_rank(n, rank, dtype), of_rank(n, n, dtype).T
    xp, t = engine.namespace(), engine.asarray(direction)

    def pushed(f):
        return lambda x: engine.jvp(f, (x,), (t,))[1]

    def gradient_along(x):
        ones = xp.ones_like(xp.linalg.det(x))
        (g,) = engine.vjp(lambda x: (xp.linalg.det(x),), (x,))[1]((ones,))
        return (xp.sum((xp.conj(g) if dtype == "complex128" else g) * t),)

    def det(x):
        return (xp.linalg.det(x),)

    coefficients = polynomial(x, direction)
    expected = [math.factorial(k) * c for k, c in enumerate(coefficients)] + [0, 0, 0]
    atol = 1e-8 * max(map(abs, expected))
    x = engine.asarray(x)
    for order, function in enumerate((pushed(det), pushed(pushed(det)), pushed(pushed(pushed(det)))), start=1):
        np.testing.assert_allclose(complex(engine.to_numpy(function(x)[0])), expected[order], rtol=1e-8, atol=atol)
    for order, function in enumerate((gradient_along, pushed(gradient_along), pushed(pushed(gradient_along))), start=1):
        np.testing.assert_allclose(complex(engine.to_numpy(function(x)[0])), expected[order], rtol=1e-8, atol=atol)


def test_gradient_of_the_determinant_is_the_adjugate(engine):
    xp = engine.namespace()
    stack = np.stack([np.arange(1.0, 10.0).reshape(3, 3), np.diag([1.0, 2.0, 0.0]), np.diag([3.0, 0.0, 0.0]), 2 * np.eye(3)])
    expected = [[[-3, 6, -3], [6, -12, 6], [-3, 6, -3]], np.diag([0, 0, 2]), np.zeros((3, 3)), 4 * np.eye(3)]
    _, (g,) = engine.value_and_grad(lambda x: (xp.sum(xp.linalg.det(x)),), (engine.asarray(stack),))
    np.testing.assert_allclose(engine.to_numpy(g), expected, atol=1e-13)
    _, (g,) = engine.value_and_grad(lambda x: (xp.linalg.det(x),), (engine.asarray(np.array([[1e20, 2.0], [3.0, 1.0]])),))
    np.testing.assert_array_equal(engine.to_numpy(g), [[1.0, -3.0], [-2.0, 1e20]])


@pytest.mark.parametrize("scale", [1e-8, 1e-12, 1e-15])
def test_determinant_close_to_singular(numpy_engine, scale):
    """The second derivative of det of [[s, 0], [0, 1]], padded, along both diagonal elements is 1; s = 0 is not special."""
    x = np.diag([scale, 1.0, 1.0])
    xp = numpy_engine.namespace()
    e0, e1 = np.diag([1.0, 0, 0]), np.diag([0, 1.0, 0])
    rotation = scipy.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]

    def turned(x):
        return (xp.linalg.det(rotation @ x @ rotation.T),)

    (second,) = numpy_engine.jvp(lambda x: numpy_engine.jvp(turned, (x,), (e0,))[1], (x,), (e1,))[1]
    np.testing.assert_allclose(second, 1.0, rtol=1e-7)


@pytest.mark.parametrize("order", [1, 2])
def test_determinants_under_vmap(engine, order):
    rng = np.random.default_rng(0)
    stack = np.stack([rng.normal(size=(3, 3)), np.arange(1.0, 10.0).reshape(3, 3), np.zeros((3, 3))])
    xp, ones = engine.namespace(), engine.asarray(np.ones((3, 3)))

    def gradient(x):
        return engine.value_and_grad(lambda x: (xp.linalg.det(x),), (x,))[1]

    def derivative(x):
        return gradient(x) if order == 1 else engine.jvp(gradient, (x,), (ones,))[1]

    (mapped,) = engine.vmap(derivative, (engine.asarray(stack),), (True,), 3)
    for k in range(3):
        single = engine.to_numpy(derivative(engine.asarray(stack[k]))[0])
        np.testing.assert_allclose(engine.to_numpy(mapped)[k], single, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_slogdet_of_a_singular_matrix(engine, derivatives, dtype):
    """The logarithm has one-sided limits of both signs: NaN. The sign jumps: 0. A regular matrix beside it is unharmed."""
    x = np.stack([np.array([[1, 2], [2, 4]]), np.array([[2, 0], [0, 4]])]).astype(dtype)
    case = derivatives(engine, lambda xp, x: xp.linalg.slogdet(x), [x])
    (sign, logarithm), (t_sign, t_log) = case.jvp([np.ones((2, 2, 2), dtype)])
    assert list(sign) == [0, 1]
    assert logarithm[0] == -math.inf
    np.testing.assert_allclose(t_sign, [0, 0], atol=1e-15)
    np.testing.assert_allclose(t_log, [math.nan, 0.75])
    (g,) = case.vjp([np.zeros(2, dtype), np.ones(2)])[1]
    assert np.all(np.isnan(g[0]))
    np.testing.assert_allclose(g[1], [[0.5, 0], [0, 0.25]])
    (g,) = case.vjp([np.ones(2, dtype), np.array([0.0, 1.0])])[1]
    np.testing.assert_allclose(g, [np.zeros((2, 2)), [[0.5, 0], [0, 0.25]]], atol=1e-15)


def test_second_derivative_of_log_determinant_where_its_value_is_zero(engine):
    """The square of log det at the identity: the Hessian is 2 grad grad^T although the cotangent is 0 there."""
    xp = engine.namespace()
    eye = engine.asarray(np.eye(2))

    def gradient(x):
        return engine.value_and_grad(lambda x: (xp.linalg.slogdet(x)[1] ** 2,), (x,))[1]

    (pushed,) = engine.jvp(gradient, (eye,), (eye,))[1]
    np.testing.assert_allclose(engine.to_numpy(pushed), 4 * np.eye(2), atol=1e-14)
