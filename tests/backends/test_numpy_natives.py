"""The lean forms of NumPy's functions where they choose between several ways."""

import math

import numpy as np
import pytest
from unidiff_backends.numpy_natives import NATIVES

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
