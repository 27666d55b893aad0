"""Einstein summation on every backend, against NumPy's and, as it is linear in every operand, its own values."""

import numpy as np
import pytest

import unidiff as ud
from unidiff.errors import ArgumentError, NotAnArrayError

CASES = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ba", (2, 3)),
    ("ij->", (2, 3)),
    ("ii->i", (3, 3)),
    ("ii", (3, 3)),
    ("i,i,i->i", (3,), (3,), (3,)),
    ("i,j->ij", (2,), (3,)),
    ("bij,bjk->bik", (2, 3, 2), (2, 2, 4)),
    ("...ij,...j->...i", (2, 1, 3, 4), (5, 4)),
    ("...,...", (2, 3), (3,)),
    ("a...b->b...a", (2, 3, 4)),
    ("ab,bc,cd,da->", (2, 3), (3, 2), (2, 4), (4, 2)),
    ("i j , j -> i", (2, 3), (3,)),
    ("ij,jk->ik", (0, 3), (3, 2)),
    (",i->i", (), (3,)),
]
RTOL = {"float32": 2e-6, "float64": 1e-13, "complex64": 2e-6, "complex128": 1e-13}


def operands(shapes, dtype, seed=0):
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape) for shape in shapes]
    if dtype.startswith("complex"):
        arrays = [x + 1j * rng.normal(size=x.shape) for x in arrays]
    return [np.asarray(x, dtype=dtype) for x in arrays]


@pytest.mark.parametrize(("subscripts", "shapes"), [(s, shapes) for s, *shapes in CASES])
def test_value_and_derivatives(subscripts, shapes, array, check, dtype):
    xs, ts = operands(shapes, dtype), operands(shapes, dtype, 1)
    slope = sum(np.einsum(subscripts, *xs[:k], t, *xs[k + 1 :]) for k, t in enumerate(ts))
    tolerance = 20 * RTOL[dtype]

    def f(*arrays):
        return ud.einsum(subscripts, *arrays)

    arrays = [array(x, dtype) for x in xs]
    value, tangent = ud.jvp(f, tuple(arrays), tuple(array(t, dtype) for t in ts))
    check(f(*arrays), np.einsum(subscripts, *xs), dtype, rtol=tolerance)
    check(value, np.einsum(subscripts, *xs), dtype, rtol=tolerance)
    check(tangent, slope, dtype, rtol=tolerance)
    (u,) = operands([slope.shape], dtype, 2)
    pulled = ud.vjp(f, *arrays)[1](array(u, dtype))
    for k, g in enumerate(pulled):  # adjoint to the part of the tangent that each operand has
        assert str(g.dtype).rpartition(".")[2] == dtype
        part = np.einsum(subscripts, *xs[:k], ts[k], *xs[k + 1 :])
        np.testing.assert_allclose(
            np.sum(ud.to_numpy(g).conj() * ts[k]).real, np.sum(u.conj() * part).real, rtol=50 * tolerance, atol=50 * tolerance
        )


def test_second_derivative(array, check):
    a, b = operands([(3, 3), (3,)], "float64")

    def quadratic(b):
        return ud.einsum("i,ij,j->", b, array(a), b)

    check(ud.hessian(quadratic)(array(b)), a + a.T, "float64")


def test_operands_of_different_dtypes(array, check):
    x, y = array([1.0, 2.0], "float32"), array([3.0, 4.0], "float64")
    check(ud.einsum("i,i->", x, y), 11.0, "float64")
    by_x, by_y = ud.grad(lambda x, y: ud.einsum("i,i->", x, y), argnums=(0, 1))(x, y)
    check(by_x, np.asarray([3.0, 4.0]), "float32")
    check(by_y, np.asarray([1.0, 2.0]), "float64")


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij,jk->ik", [(2, 3)]),
        ("ij->ik", [(2, 3)]),
        ("ij->ii", [(2, 3)]),
        ("i->i", [(2, 3)]),
        ("ij,jk->ik", [(2, 3), (4, 2)]),
        ("i1->i", [(2, 3)]),
    ],
)
def test_subscripts_that_do_not_fit(subscripts, shapes, array):
    with pytest.raises(ArgumentError, match="einsum"):
        ud.einsum(subscripts, *(array(np.ones(shape)) for shape in shapes))


def test_without_arrays():
    with pytest.raises(NotAnArrayError, match="no array"):
        ud.einsum("i->i")
