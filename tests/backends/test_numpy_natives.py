"""The lean forms of NumPy's functions where they choose between several ways."""

import math

import numpy as np
import pytest
from unidiff_backends.numpy_natives import NATIVES

import unidiff as ud

random = np.random.default_rng(4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128, np.int16])
@pytest.mark.parametrize("shape", [(3000, 2), (40, 50, 8), (3000, 1), (10, 3)])
@pytest.mark.parametrize("options", [{}, {"axis": -1}, {"axis": -1, "keepdims": True}, {"axis": -1, "dtype": np.complex128}])
def test_sums_along_short_axes(dtype, shape, options):
    x = random.integers(-9, 9, shape).astype(dtype)
    found, expected = NATIVES["sum"](x, **options), np.sum(x, **options)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


FACTORS = {
    "moderate": random.uniform(0.5, 1.5, (4, 6)),
    "negative": -random.uniform(0.5, 1.5, (4, 6)),
    "with a zero": np.where(np.eye(4, 6) > 0, 0.0, 2.0),
    "underflowing": np.asarray([[1e-200, 1e-150, 1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]]),
    "complex": random.normal(size=(4, 6)) + 1j * random.normal(size=(4, 6)),
    "empty": np.ones((0, 6)),
}


@pytest.mark.parametrize("name", FACTORS)
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1), ()])
def test_products_of_others(name, axis):
    x = FACTORS[name]
    axes = (0, 1) if axis is None else (axis,) if isinstance(axis, int) else axis
    found = NATIVES["_products_of_others"](x, axis)
    assert found.shape == x.shape
    for place in np.ndindex(x.shape):
        same = [at for at in np.ndindex(x.shape) if at != place and all(at[a] == place[a] for a in {0, 1} - set(axes))]
        np.testing.assert_allclose(found[place], math.prod(x[at].item() for at in same), rtol=1e-12)


OPERANDS = {
    "matrices": ((3, 4), (4, 2)),
    "matrix and vector": ((3, 4), (4,)),
    "vector and matrix": ((4,), (4, 2)),
    "vectors": ((4,), (4,)),
    "stacks": ((2, 3, 4), (4, 2)),
    "empty": ((3, 0), (0, 2)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128, np.int64])
@pytest.mark.parametrize("name", OPERANDS)
def test_matmul(name, dtype):
    for layout in (np.ascontiguousarray, np.asfortranarray, lambda x: x[::-1]):
        a, b = (layout(random.integers(-9, 9, shape).astype(dtype)) for shape in OPERANDS[name])
        found, expected = NATIVES["matmul"](a, b), np.matmul(a, b)
        np.testing.assert_array_equal(found, expected)  # of small integers: exact in any order of summation
        assert (found.dtype, np.shape(found)) == (expected.dtype, np.shape(expected))


@pytest.mark.parametrize(
    ("a", "b"), [(np.ones(3), np.ones(4)), (np.ones((2, 3)), np.ones((2, 3))), (np.float64(2), np.ones(3))]
)
def test_matmul_refuses_what_does_not_fit(a, b):
    with pytest.raises(ValueError, match=r"shapes|matmul"):
        NATIVES["matmul"](a, b)


@pytest.mark.parametrize("axis", [-1, 0, 1, -2, (0, -1)])
def test_expand_dims(axis):
    x = np.ones((2, 3))
    assert NATIVES["expand_dims"](x, axis=axis).shape == np.expand_dims(x, axis).shape


def test_derivatives_are_quiet_and_programs_are_not():
    x = np.zeros(2)
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(ud.grad(lambda x: np.sqrt(x).sum())(x), [np.inf, np.inf])
        with pytest.raises(FloatingPointError):
            ud.grad(lambda x: (1.0 / x).sum())(x)
        with pytest.raises(FloatingPointError):  # the state outside is what it was
            np.log(x)
