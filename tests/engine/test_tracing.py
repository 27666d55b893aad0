"""Levels, leaks, threads and what a traced array refuses."""

import math
import threading

import numpy as np
import pytest

from unidiff import errors
from unidiff.engine import tracing


def gradient(engine, f, x):
    return engine.value_and_grad(lambda x: (f(x),), (x,))[1][0]


def test_an_exception_in_the_function_leaves_no_level_behind(engine, xp):
    def fail(x):
        raise ZeroDivisionError

    for call in (
        lambda: gradient(engine, fail, xp.asarray(1.0)),
        lambda: engine.jvp(fail, (xp.asarray(1.0),), (xp.asarray(1.0),)),
    ):
        with pytest.raises(ZeroDivisionError):
            call()
        assert tracing._level.get() == 0


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_a_leaked_array_raises_in_later_use(engine, xp, mode):
    leaked = []
    x = xp.asarray(2.0)

    def f(x):
        leaked.append(x * 3.0)
        return (leaked[0],)

    if mode == "forward":
        engine.jvp(f, (x,), (x,))
    else:
        engine.value_and_grad(f, (x,))
    with pytest.raises(errors.LeakedTracerError, match="has_aux"):
        leaked[0] * 2
    with pytest.raises(errors.LeakedTracerError):
        gradient(engine, lambda y: y * leaked[0], x)


def test_threads_do_not_see_each_others_levels(engine, xp):
    wrong = []

    def work(k):
        for _ in range(50):
            x = xp.asarray([1.0, 2.0, 3.0])
            got = gradient(engine, lambda x: xp.sum(gradient(engine, lambda y: xp.sum(y**3), x) * k), x)
            if not np.allclose(np.asarray(got), 6 * k * np.asarray(x)):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


CONVERSIONS = {
    "float": float,
    "complex": complex,
    "math": math.sin,
    "numpy": np.asarray,
    "format": lambda x: f"{float(x):.2f}",
}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_conversions_that_would_cut_the_derivative_raise(engine, xp, name):
    with pytest.raises(errors.TracedConversionError, match="stop_gradient"):
        gradient(engine, lambda x: x * CONVERSIONS[name](x), xp.asarray(2.0))


def test_conversions_of_constants_and_exact_values_work(engine, xp):
    def f(x):
        constant = engine.stop_gradient(x)
        assert float(constant) == 2.0
        assert bool(x > 1)
        assert int(x) == 2
        count = xp.sum(xp.astype(x > 1, xp.int64))
        assert [10, 20][int(count)] == 20
        return x * float(constant)

    assert float(gradient(engine, f, xp.asarray(2.0))) == 2.0


def test_python_branches_follow_values(engine, xp):
    f = lambda x: x**2 if x > 0 else -x
    assert float(gradient(engine, f, xp.asarray(3.0))) == 6.0
    assert float(gradient(engine, f, xp.asarray(-3.0))) == -1.0


def test_values_without_a_derivative_stay_in_the_traced_namespace(engine, xp):
    """Libraries that ask arrays for their namespace refuse to mix plain and traced ones."""

    def f(x):
        namespace = x.__array_namespace__()
        for y in (x > 0, xp.floor(x), namespace.zeros(3), namespace.arange(3)):
            assert y.__array_namespace__() is namespace
        return xp.sum(x)

    gradient(engine, f, xp.asarray([1.0, 2.0]))


def test_a_function_without_rule_raises_rather_than_cutting(engine):
    if engine.library.name != "numpy":
        pytest.skip("the strict namespace has no functions beyond the standard")
    with pytest.raises(errors.MissingRuleError, match="custom"):
        gradient(engine, lambda x: engine.namespace().histogram2d(x, x), np.asarray([1.0, 2.0]))
