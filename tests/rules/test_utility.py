"""Utility functions."""

import numpy as np
import pytest

CASES = {
    "diff": (lambda xp, x: xp.diff(x), (4,)),
    "diff axis": (lambda xp, x: xp.diff(x, axis=0), (3, 2)),
    "diff second": (lambda xp, x: xp.diff(x, n=2, axis=-1), (2, 4)),
    "diff zeroth": (lambda xp, x: xp.diff(x, n=0), (3,)),
    "diff exhausted": (lambda xp, x: xp.diff(x, n=4), (3,)),
    "diff prepend": (lambda xp, x, y: xp.diff(x, prepend=y), (3,), (2,)),
    "diff append": (lambda xp, x, y: xp.diff(x, append=y, axis=0), (2, 2), (1, 2)),
    "diff both": (lambda xp, x, y, z: xp.diff(x, n=2, prepend=y, append=z), (3,), (1,), (1,)),
    "diff constant around": (lambda xp, x: xp.diff(xp.ones(2, dtype=x.dtype), prepend=x), (1,)),
    "diff complex": (lambda xp, x: xp.diff(x), ("complex", 3)),
    "diff size 1": (lambda xp, x: xp.diff(x), (1,)),
    "diff empty": (lambda xp, x: xp.diff(x), (0,)),
    "all": (lambda xp, x: xp.where(xp.all(x > -5), x, -x), (3,)),
    "any axis": (lambda xp, x: xp.where(xp.any(x > 0, axis=1, keepdims=True), x, x * x), (3, 2)),
}


@pytest.mark.parametrize("name", CASES)
def test_against_differences(name, engine, check, inputs):
    function, *specifications = CASES[name]
    check(engine, function, inputs(*specifications))


def test_negative_order_is_refused(engine):
    xp = engine.namespace()
    with pytest.raises(ValueError, match="-1"):
        engine.value_and_grad(lambda x: (xp.sum(xp.diff(x, n=-1)),), (engine.asarray([1.0, 2.0]),))


def test_conditions_decide_python_control_flow(engine):
    xp = engine.namespace()
    _, (g,) = engine.value_and_grad(lambda x: (xp.sum(x * x) if xp.any(x > 0) else xp.sum(x),), (engine.asarray([-1.0, 2.0]),))
    np.testing.assert_array_equal(engine.to_numpy(g), [-2, 4])
