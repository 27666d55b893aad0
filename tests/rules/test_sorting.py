"""Sorting functions: every signature, and stability in both directions."""

import numpy as np
import pytest

CASES = {
    "vector": (lambda xp, x: xp.sort(x), (5,)),
    "axis": (lambda xp, x: xp.sort(x, axis=0), (3, 2)),
    "negative": (lambda xp, x: xp.sort(x, axis=-2), (2, 3, 2)),
    "descending": (lambda xp, x: xp.sort(x, descending=True), (2, 4)),
    "unstable": (lambda xp, x: xp.sort(x, stable=False), (4,)),
    "size 1": (lambda xp, x: xp.sort(x), (1,)),
    "empty": (lambda xp, x: xp.sort(x), (0,)),
    "empty axis": (lambda xp, x: xp.sort(x, axis=0), (0, 2)),
    "argsort as index": (lambda xp, x: xp.take(x, xp.argsort(x, descending=True)), (4,)),
    "weighted": (lambda xp, x: xp.sort(x * x) * xp.sort(x), (4,)),
}


@pytest.mark.parametrize("name", CASES)
def test_against_differences(name, engine, check, inputs):
    function, *specifications = CASES[name]
    check(engine, function, inputs(*specifications))


@pytest.mark.parametrize("stable", [True, False])
@pytest.mark.parametrize(
    ("values", "descending", "expected"),
    [
        ([1.0, 1.0, 0.0], False, [2, 3, 1]),
        ([1.0, 1.0, 0.0], True, [1, 2, 3]),
        ([0.0, -0.0, 0.0], False, [1, 2, 3]),
        ([2.0, 2.0, 2.0], True, [1, 2, 3]),
    ],
)
def test_ties_keep_their_order(values, descending, expected, stable, engine, derivatives):
    case = derivatives(engine, lambda xp, x: xp.sort(x, descending=descending, stable=stable), [values])
    weights = np.asarray([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(case.vjp([weights])[1][0], expected)
    order = np.argsort(expected)
    np.testing.assert_array_equal(case.jvp([weights])[1][0], weights[order])
