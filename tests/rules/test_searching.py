"""Searching functions: their results are integers, usable as indices inside a differentiated function."""

import numpy as np
import pytest

CASES = {
    "argmax": lambda xp, x: xp.take(x, xp.reshape(xp.argmax(x), (1,))),
    "argmin axis": lambda xp, x: xp.take(x, xp.argmin(xp.reshape(x, (2, 2)), axis=1)),
    "argmax keepdims": lambda xp, x: xp.take_along_axis(x, xp.argmax(x, axis=0, keepdims=True), axis=0),
    "argmin as key": lambda xp, x: x[xp.argmin(x)],
    "nonzero": lambda xp, x: x[xp.nonzero(x > 0)[0]],
    "count_nonzero": lambda xp, x: x * xp.astype(xp.count_nonzero(x > 0), x.dtype),
    "count_nonzero axis": lambda xp, x: x * xp.astype(xp.count_nonzero(x > 0, axis=0, keepdims=True), x.dtype),
    "searchsorted": lambda xp, x: xp.take(x, xp.searchsorted(xp.sort(x), x[:2])),
    "searchsorted right": lambda xp, x: xp.take(x, xp.searchsorted(xp.sort(x), x[:2], side="right") - 1),
    "searchsorted sorter": lambda xp, x: xp.take(x, xp.searchsorted(x, x[1:3], sorter=xp.argsort(x))),
    "where": lambda xp, x: xp.where(x > 0, xp.sin(x), x * x),
    "where number": lambda xp, x: xp.where(x > 0, x, 0.0),
}


@pytest.mark.parametrize("name", CASES)
def test_against_differences(name, engine, check, inputs):
    check(engine, CASES[name], inputs((4,)))


@pytest.mark.parametrize("name", ["argmax", "argmin", "count_nonzero"])
def test_results_are_integers_without_derivative(name, engine):
    xp = engine.namespace()
    loss = lambda x: (xp.astype(getattr(xp, name)(x), x.dtype) + 0 * x[0],)
    _, (g,) = engine.value_and_grad(loss, (engine.asarray([1.0, 3.0, 2.0]),))
    np.testing.assert_array_equal(engine.to_numpy(g), [0, 0, 0])
