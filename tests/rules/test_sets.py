"""Set functions: distinct values are gathered, from the first of the equal elements."""

import numpy as np
import pytest

VALUES = np.asarray([[2.0, -1.0, 2.0], [0.5, 2.0, -1.0]])
FUNCTIONS = {
    "unique_all": lambda xp, x: xp.unique_all(x).values,
    "unique_counts": lambda xp, x: xp.unique_counts(x).values,
    "unique_inverse": lambda xp, x: xp.unique_inverse(x).values,
    "unique_values": lambda xp, x: xp.unique_values(x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_distinct_values_against_differences(name, engine, check, inputs):
    check(engine, FUNCTIONS[name], inputs((2, 3)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_come_from_the_first_of_equal_elements(name, engine, derivatives):
    case = derivatives(engine, FUNCTIONS[name], [VALUES])
    tangent = np.arange(6.0).reshape(2, 3)
    (values,), (pushed,) = case.jvp([tangent])
    np.testing.assert_array_equal(values, [-1.0, 0.5, 2.0])
    np.testing.assert_array_equal(pushed, [1.0, 3.0, 0.0])
    expected = np.zeros((2, 3))
    expected[0, 1], expected[1, 0], expected[0, 0] = 1, 2, 3
    np.testing.assert_array_equal(case.vjp([np.asarray([1.0, 2.0, 3.0])])[1][0], expected)


def test_integer_results_are_those_of_the_library(engine):
    xp = engine.namespace()
    found = {}

    def loss(x):
        every, counts, inverse = xp.unique_all(x), xp.unique_counts(x), xp.unique_inverse(x)
        found["indices"] = np.asarray(every.indices)
        found["counts"] = np.asarray(every.counts), np.asarray(counts.counts)
        found["inverse"] = np.asarray(every.inverse_indices), np.asarray(inverse.inverse_indices)
        weights = xp.astype(counts.counts, x.dtype)
        return (xp.sum(counts.values * weights) + 0 * xp.sum(xp.take(inverse.values, inverse.inverse_indices[0, :])),)

    value, (g,) = engine.value_and_grad(loss, (engine.asarray(VALUES),))
    assert float(engine.to_numpy(value)) == VALUES.sum()
    np.testing.assert_array_equal(found["indices"], [1, 3, 0])
    for counts in found["counts"]:
        np.testing.assert_array_equal(counts, [2, 1, 3])
    for inverse in found["inverse"]:
        np.testing.assert_array_equal(inverse, [[2, 0, 2], [1, 2, 0]])
    np.testing.assert_array_equal(engine.to_numpy(g), [[3, 2, 0], [1, 0, 0]])


def test_isin_is_piecewise_constant(engine, derivatives):
    def member(xp, x):
        return xp.where(xp.isin(xp.astype(x, xp.int64), xp.asarray([2, 3])), x, 0 * x)

    case = derivatives(engine, member, [np.asarray([1.0, 2.0, 3.0])])
    np.testing.assert_array_equal(case.gradient(), [0, 1, 1])


def test_inverted_isin_is_piecewise_constant(numpy_engine, derivatives):
    """On NumPy alone: array-api-strict 2.6 ignores ``invert``."""
    case = derivatives(numpy_engine, lambda xp, x: xp.where(xp.isin(x, x[:1], invert=True), x, 0 * x), [[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(case.gradient(), [0, 1, 1])
