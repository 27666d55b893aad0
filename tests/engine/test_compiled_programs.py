"""Recorded programs: what is recorded, what the passes make of it, and what runs."""

import gc
import weakref

import numpy as np
import pytest

from unidiff import errors
from unidiff.engine.compiling import replay
from unidiff.engine.compiling.optimize_program import optimize
from unidiff.engine.compiling.recording_backend import record


def program_of(engine, f, *arrays):
    recorder, _ = record(engine.recording, engine.library, lambda *xs: (f(*xs), None), arrays)
    return recorder.program


def names(program):
    return [node.name for node in program.nodes]


def gradient(engine, f):
    return lambda *xs: engine.value_and_grad(lambda *ys: (f(*ys),), xs)[1]


@pytest.fixture
def x(engine):
    return engine.asarray([0.25, 0.5, 2.0])


def test_the_same_values_on_every_library(engine, xp, x):
    def f(x):
        y = xp.sin(x[1:]) * x[0] + xp.matmul(x, x)
        return xp.sum(y * y) + xp.max(x)

    compiled = engine.jit(gradient(engine, f))
    for value in (x, x * 2, x - 1):
        for got, want in zip(compiled(value), gradient(engine, f)(value), strict=True):
            assert engine.to_numpy(got).tobytes() == engine.to_numpy(want).tobytes()


def test_second_derivatives_on_every_library(engine, xp, x):
    def hessian(x):
        return (engine.jacfwd(gradient(engine, lambda x: xp.sum(x**3 * x[0])), (x,))[1][0][0],)

    (got,), (want,) = engine.jit(hessian)(x), hessian(x)
    assert engine.to_numpy(got).tobytes() == engine.to_numpy(want).tobytes()


def test_equal_calls_are_one_and_unused_ones_none(numpy_engine):
    xp, x = numpy_engine.namespace(), np.asarray([0.5, 1.0])
    program = program_of(numpy_engine, lambda x: (xp.exp(x) * xp.exp(x), xp.cos(x))[:1], x)
    assert names(program) == ["exp", "exp", "multiply", "cos"]
    assert names(optimize(program, numpy_engine.library)) == ["exp", "multiply"]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("f", "left"),
    [
        (lambda xp, x: x * 1, 0),
        (lambda xp, x: 1.0 * x, 0),
        (lambda xp, x: x / 1, 0),
        (lambda xp, x: x - 0.0, 0),
        (lambda xp, x: xp.negative(-x), 0),
        (lambda xp, x: x * xp.ones(3), 0),
        (lambda xp, x: +xp.astype(x, xp.float64), 0),
        (lambda xp, x: x + 0.0, 1),  # -0 + 0 is 0
        (lambda xp, x: x * 0.0, 1),  # NaN, infinities and signs
        (lambda xp, x: x * xp.ones((2, 3)), 1),  # another shape
        (lambda xp, x: x - (-0.0), 1),
        (lambda xp, x: x * (xp.ones(3) + xp.ones(3)), 1),
    ],
)
def test_identities_that_hold_for_every_number(numpy_engine, f, left):
    xp = numpy_engine.namespace()
    x = np.asarray([-0.0, np.nan, np.inf])
    inside = numpy_engine.recording.namespace()
    program = optimize(program_of(numpy_engine, lambda x: (f(inside, x),), x), numpy_engine.library)
    assert len(program.nodes) == left
    (got,) = replay.Compiled(program, numpy_engine.library).run(x)
    assert np.asarray(got).tobytes() == np.asarray(f(xp, x)).tobytes()


@pytest.mark.parametrize("scalar", [1, 1.0, 0, 0.0, -0.0, True])
def test_complex_zeros_keep_their_signs(numpy_engine, scalar):
    z = np.asarray([complex(1.0, -0.0), complex(-0.0, 0.0), complex(0.0, -0.0)])
    for f in (lambda z: (z * scalar,), lambda z: (z - scalar,), lambda z: (scalar * z + scalar,)):
        assert numpy_engine.jit(f)(z)[0].tobytes() == f(z)[0].tobytes()


def test_numbers_that_are_equal_are_not_the_same(numpy_engine):
    xp, x = numpy_engine.namespace(), np.asarray([0.0, -1.0])

    def f(x):
        return (xp.copysign(x, xp.asarray(0.0)), xp.copysign(x, xp.asarray(-0.0)), x * 1, x * True, x + 0.0, x + -0.0)

    for got, want in zip(numpy_engine.jit(f)(x), f(x), strict=True):
        assert got.tobytes() == want.tobytes()


def test_memory_is_used_again(numpy_engine):
    xp = numpy_engine.namespace()
    x = np.linspace(0.0, 1.0, 10_000)

    def f(x):
        for _ in range(20):
            x = xp.sin(x) * 2.0 + 1.0
        return (x,)

    variant = numpy_engine.jit(f).compile((x,))
    assert variant.compiled.reused == 59
    kept = x.copy()
    np.testing.assert_array_equal(variant.run(x)[0], f(x)[0])
    np.testing.assert_array_equal(x, kept)


def test_values_are_freed_when_they_are_dead(numpy_engine):
    """No more large arrays are alive at once than the program needs: here an argument, and the values of one step."""
    tracked, most = [], [0]

    class Counted(np.ndarray):
        pass

    def step(x):
        y = np.ones(4096).view(Counted) * x[0]
        tracked.append(weakref.ref(y))
        most[0] = max(most[0], sum(ref() is not None for ref in tracked))
        return (y,)

    def f(x):
        total = x
        for _ in range(10):
            (part,) = numpy_engine.host_callback(step, lambda: (x,), (total,))
            total = part + total
        return (total,)

    compiled = numpy_engine.jit(f)
    compiled(np.ones(4096))
    gc.collect()
    most[0] = 0
    compiled(np.ones(4096))
    assert most[0] <= 2


def test_in_place_forms_of_the_pull_back_stay_in_place(numpy_engine):
    xp, x = numpy_engine.namespace(), np.linspace(1.0, 2.0, 50)

    def f(x):
        total = x[0]
        for i in range(1, 50):
            total = total * x[i]
        return total

    variant = numpy_engine.jit(gradient(numpy_engine, f)).compile((x,))
    copies = [node for node in variant.program.nodes if node.name == "_setitem"]
    assert not copies
    assert variant.compiled.source.count("+=") == 49
    np.testing.assert_array_equal(variant.run(x)[0], gradient(numpy_engine, f)(x)[0])
    assert xp.sum(variant.run(x)[0]) == xp.sum(variant.run(x)[0])


def test_a_program_of_many_calls(numpy_engine):
    def f(x):
        y = x
        for _ in range(20_000):
            y = y * x + 1.0
        return (y,)

    x = np.asarray([0.5, 0.25])
    assert numpy_engine.jit(f)(x)[0].tobytes() == f(x)[0].tobytes()


def test_symbols_of_two_recordings_do_not_mix(numpy_engine):
    kept = []

    def f(x):
        if kept:
            return (x + kept[0],)
        kept.append(x * 2)
        return (x,)

    compiled = numpy_engine.jit(f)
    compiled(np.ones(2))
    with pytest.raises(errors.LeakedTracerError):
        compiled(np.ones(3))
