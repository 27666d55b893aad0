"""Sums into parts against ``numpy.add.at``, for every kind of index."""

import itertools

import numpy as np
import pytest
from unidiff_backends._numpy.scatter import element_numbers, scatter_add

SHAPE = (5, 6, 7, 8)
PARTS = (
    slice(None), slice(1, -1), slice(None, None, -2), slice(4, 1, -1), 2, -1, np.int64(1), np.array(3), Ellipsis,
    np.array([0, -1, 2, 0]), np.array([[0, 1, 1, 4], [-2, 3, 3, 0]]), np.array([1, 2, 1, 1], dtype=np.uint8),
)  # fmt: skip
KEYS = [
    key
    for length in (1, 2, 3)
    for key in itertools.product(PARTS, repeat=length)
    if sum(part is Ellipsis for part in key) < 2 and any(isinstance(part, np.ndarray) for part in key)
]


def test_every_index_of_three_parts():
    random = np.random.default_rng(3)
    numbers, elements = np.arange(np.prod(SHAPE)).reshape(SHAPE), 0
    for key in KEYS:
        part = numbers[key]
        found = element_numbers(SHAPE, key)
        if found is not None:
            elements += 1
            np.testing.assert_array_equal(found, part, err_msg=repr(key))
            assert found.shape == part.shape, key
        values = random.normal(size=part.shape)
        expected, buffer = np.zeros(SHAPE), np.zeros(SHAPE)
        np.add.at(expected, key, values)
        scatter_add(buffer, key, values)
        np.testing.assert_allclose(buffer, expected, rtol=1e-12, atol=1e-12, err_msg=repr(key))
    assert elements > len(KEYS) // 2  # the rest has arrays that stand apart


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dtypes_and_layouts(dtype, order):
    index = np.arange(100) % 7
    buffer = np.ones((9, 11), dtype=dtype, order=order)
    scatter_add(buffer, index, np.ones((100, 11), dtype=dtype))
    expected = 1 + np.bincount(index, minlength=9)[:, None] * np.ones((9, 11))
    np.testing.assert_array_equal(buffer, expected.astype(dtype))


def test_masks_beside_arrays():
    mask, index = np.arange(5) % 2 == 0, np.array([1, 1, 0])
    buffer, expected = np.zeros((5, 4, 30)), np.zeros((5, 4, 30))
    scatter_add(buffer, (mask, index), np.ones((3, 30)))
    np.add.at(expected, (mask, index), np.ones((3, 30)))
    np.testing.assert_array_equal(buffer, expected)
