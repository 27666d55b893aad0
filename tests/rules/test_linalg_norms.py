"""Norms of vectors and matrices: every order and signature, and the gradient of minimum norm at kinks."""

import math

import numpy as np
import pytest

from unidiff import errors

C = "complex"
INF = math.inf
VECTOR_ORDERS = (2, 1, 0, INF, -INF, 3, 4, 6.0, 2.5, 1.5, 0.5, -1, -2.5)
MATRIX_ORDERS = ("fro", "nuc", 1, -1, 2, -2, INF, -INF)
AXES = {"all": {}, "axis": {"axis": 1}, "axes": {"axis": (0, -1), "keepdims": True}, "all kept": {"keepdims": True}}


def vector_norm(**options):
    return lambda xp, x: xp.linalg.vector_norm(x, **options)


def matrix_norm(**options):
    return lambda xp, x: xp.linalg.matrix_norm(x, **options)


CASES = {
    **{
        f"vector {order} {name}": (vector_norm(ord=order, **options), (2, 3, 2))
        for order in VECTOR_ORDERS
        for name, options in AXES.items()
        if name == "axis" or order in (2, INF, 3)
    },
    **{f"vector {order} complex": (vector_norm(ord=order, axis=-1), (C, 2, 3)) for order in VECTOR_ORDERS},
    "vector default": (vector_norm(), (4,)),
    "vector 0-d": (vector_norm(ord=3), ()),
    **{f"matrix {order}": (matrix_norm(ord=order), (2, 3, 2)) for order in MATRIX_ORDERS},
    **{f"matrix {order} kept complex": (matrix_norm(ord=order, keepdims=True), (C, 2, 3)) for order in MATRIX_ORDERS},
    "matrix default": (matrix_norm(), (3, 2)),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name, engine, check, inputs):
    function, *specifications = CASES[name]
    check(engine, function, inputs(*specifications))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("order", VECTOR_ORDERS)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")  # the value at 0 of a norm of negative order, by NumPy
def test_vector_norms_at_zero_have_gradient_zero(engine, derivatives, order, dtype):
    case = derivatives(engine, vector_norm(ord=order, axis=-1), [np.zeros((2, 3), dtype)])
    np.testing.assert_array_equal(case.gradient(), np.zeros((2, 3)))
    ((value,), (t,)) = case.jvp([np.ones((2, 3), dtype)])
    np.testing.assert_array_equal([value, t], np.zeros((2, 2)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("order", MATRIX_ORDERS)
@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (2, 1, 2)])
def test_matrix_norms_at_zero_have_gradient_zero(engine, derivatives, order, shape, dtype):
    case = derivatives(engine, matrix_norm(ord=order), [np.zeros(shape, dtype)])
    np.testing.assert_array_equal(case.gradient(), np.zeros(shape))


def least(columns):
    """Return the element of minimum norm of the convex hull of some orthogonal matrices."""
    weights = np.array([1 / np.sum(np.abs(c) ** 2) for c in columns])
    return sum(w * np.asarray(c) for w, c in zip(weights / weights.sum(), columns, strict=True))


TIES = {
    "largest of equals": (vector_norm(ord=INF), [2, -2, 1, 2], [1 / 3, -1 / 3, 0, 1 / 3]),
    "smallest of equals": (vector_norm(ord=-INF), [2, -1, 1], [0, -1 / 2, 1 / 2]),
    "smallest is zero": (vector_norm(ord=-INF), [0, 1, 0], [0, 0, 0]),
    "complex": (vector_norm(ord=INF), [3, 3j], [1 / 2, 1j / 2]),
    "axis": (vector_norm(ord=INF, axis=0), [[1, 2], [1, -3]], [[1 / 2, 0], [1 / 2, -1]]),
    "one norm": (vector_norm(ord=1), [1, 0, -2], [1, 0, -1]),
    "negative order at a zero": (vector_norm(ord=-1), [1, 0, 2], [0, 0, 0]),
    "order below one at a zero": (vector_norm(ord=0.5), [1, 0, -1], [2, math.nan, -2]),
    "even order at a zero": (vector_norm(ord=4), [1, 0, 0], [1, 0, 0]),
    "columns of different lengths": (
        matrix_norm(ord=1),
        [[1, 2, 0], [1, 0, 1]],
        least([np.array([[1, 0, 0], [1, 0, 0]]), np.array([[0, 1, 0], [0, 0, 0]])]),
    ),
    "smallest column is zero": (matrix_norm(ord=-1), [[0, 1], [0, 1]], [[0, 0], [0, 0]]),
    "rows": (matrix_norm(ord=INF), [[1, -1], [2, 0]], least([np.array([[1, -1], [0, 0]]), np.array([[0, 0], [1, 0]])])),
    "smallest rows": (matrix_norm(ord=-INF), [[1, 1], [2, 0]], least([np.array([[1, 1], [0, 0]]), np.array([[0, 0], [1, 0]])])),
    "spectral": (matrix_norm(ord=2), [[2, 0, 0], [0, -2, 0], [0, 0, 1]], np.diag([1 / 2, -1 / 2, 0])),
    "smallest singular": (matrix_norm(ord=-2), [[3, 0, 0], [0, 1, 0], [0, 0, 1]], np.diag([0, 1 / 2, 1 / 2])),
    "smallest singular is zero": (matrix_norm(ord=-2), [[1, 1], [1, 1]], np.zeros((2, 2))),
    "nuclear of rank one": (matrix_norm(ord="nuc"), np.ones((2, 2)), np.full((2, 2), 1 / 2)),
    "nuclear of an orthogonal matrix": (matrix_norm(ord="nuc"), [[0, 1], [-1, 0]], [[0, 1], [-1, 0]]),
}


@pytest.mark.parametrize("name", TIES)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_ties_give_the_gradient_of_minimum_norm(engine, derivatives, name):
    function, x, expected = TIES[name]
    x = np.asarray(x, dtype=complex if np.iscomplexobj(x) else float)
    case = derivatives(engine, function, [x])
    np.testing.assert_allclose(case.gradient(), expected, atol=1e-12)
    if not np.any(np.isnan(expected)):
        t = np.random.default_rng(0).normal(size=x.shape).astype(x.dtype)
        _, (pushed,) = case.jvp([t])
        np.testing.assert_allclose(np.sum(pushed), np.sum(np.real(np.conj(expected) * t)), atol=1e-12)


@pytest.mark.parametrize("order", [2, 4, 6])
def test_even_orders_are_smooth_at_a_zero_element(engine, order):
    """The derivative of the order ``order`` of norm**order at a zero element is that of the monomial: order!."""
    xp = engine.namespace()
    x, t = engine.asarray(np.array([1.0, 0.0])), engine.asarray(np.array([0.0, 1.0]))

    def function(x):
        return (xp.linalg.vector_norm(x, ord=order) ** order,)

    def pushed(f):
        return lambda x: engine.jvp(f, (x,), (t,))[1]

    for _ in range(order):
        function = pushed(function)
    np.testing.assert_allclose(engine.to_numpy(function(x)[0]), math.factorial(order), rtol=1e-11)


@pytest.mark.parametrize("order", [1, -INF, INF, 2, 3])
def test_nan_elements_give_nan(engine, derivatives, order):
    case = derivatives(engine, vector_norm(ord=order), [np.array([1.0, math.nan])])
    assert np.isnan(case.gradient()[1])


def test_unknown_orders_raise(numpy_engine):
    xp = numpy_engine.namespace()
    with pytest.raises(errors.ArgumentError, match="ord must be 'fro', 'nuc', 1"):
        numpy_engine.jvp(lambda x: (xp.linalg.matrix_norm(x, ord=3),), (np.eye(2),), (np.eye(2),))


@pytest.mark.parametrize("name", ["vector 3 axis", "vector inf axis", "matrix 1", "matrix nuc", "matrix fro"])
def test_derivatives_under_vmap(engine, name):
    function, _ = CASES[name]
    x = engine.asarray(np.random.default_rng(0).normal(size=(3, 2, 3)))
    xp = engine.namespace()

    def gradient(x):
        return engine.value_and_grad(lambda x: (xp.sum(function(xp, x) ** 2),), (x,))[1]

    (mapped,) = engine.vmap(gradient, (x,), (True,), 3)
    for k in range(3):
        np.testing.assert_allclose(engine.to_numpy(mapped)[k], engine.to_numpy(gradient(x[k, ...])[0]), rtol=1e-11)
