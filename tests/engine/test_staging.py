"""Loops and branches that are parts of a compiled program compute what the same function computes when it is not compiled."""

import numpy as np
import pytest

import unidiff as ud
from tests.engine.loop_programs import product, program, squashed
from tests.transforms.bits import same_bits
from unidiff.engine.compiling import backend as compiling
from unidiff.engine.compiling import staging

BACKENDS = ("numpy", "array_api_strict")
POINT, OTHER = np.asarray([0.3, 0.7]), np.asarray([-0.4, 1.2])


def ns(*x):
    return ud.array_namespace(*x)


def recurrence(x):
    w = ns(x).stack([x, 0.5 * x])
    last, rows = ud.scan(lambda c, v: (ns(c).tanh(w @ c) * v, c * c), x, ns(x).stack([x, 1 + x, 2 * x] * 3))
    return ns(x).sum(last) + ns(x).sum(rows[2, ...] * x)


def backwards(x):
    last, rows = ud.scan(lambda c, v: (0.9 * c + ns(v).sin(v), c * v), x, ns(x).stack([x, 1 + x, 2 * x] * 3), reverse=True)
    return ns(x).sum(last * rows[3, ...])


def counted(x):
    return ns(x).sum(ud.fori_loop(0, 9, lambda i, c: 0.5 * ns(c).cos(c) + x + ns(c).astype(i, c.dtype), 0 * x))


def nested(x):
    return ns(x).sum(ud.fori_loop(0, 6, lambda i, c: ud.fori_loop(0, 5, lambda j, d: 0.5 * ns(d).sin(d) + x, c) * x, x))


def swapped(x):
    """Carries that change places, one that stays, and one whose infinite derivative nobody asks for."""
    first = (x, 2 * x, 3 * x, 0 * x)
    last, rows = ud.scan(lambda s, _: ((s[1], s[0], s[2], s[3]), ns(x).sqrt(s[3])), first, None, length=9)
    return ns(x).sum(last[0] ** 2 * last[2]) + 0 * rows.shape[0]


def with_checkpoint(x):
    step = ud.checkpoint(lambda c: ns(c).sin(c) * x)
    return ns(x).sum(ud.scan(lambda c, _: (step(c) + x, None), x, None, length=9)[0])


def with_rule(x):
    return ns(x).sum(ud.scan(lambda c, _: (product(c, x) + x, None), x, None, length=9)[0])


def descent(x):
    step = ud.grad(lambda c: ns(c).sum((c - x) ** 4))
    return ns(x).sum(ud.scan(lambda c, _: (c - 0.01 * step(c), None), 0 * x, None, length=9)[0])


def doubled(x):
    return ud.while_loop(lambda s: s[0] < 20.0, lambda s: (s[0] * 1.3 + x[0] ** 2, s[1] + 1), (ns(x).sum(x * x), 0))[0]


def branching(x):
    def step(s):
        return s[0] + 1, ud.cond(s[1] > 1, lambda y: 0.5 * y, lambda y: 1.3 * y + x[0] * x[1], s[1])

    return ud.while_loop(lambda s: s[0] < 12, step, (0, ns(x).sum(x * x)))[1]


def branching_scan(x):
    step = lambda c, _: (ud.cond(c[0] > 0.5, lambda y: 0.5 * y, lambda y: 1.3 * y + x, c), None)
    return ns(x).sum(ud.scan(step, x, None, length=9)[0] ** 2)


REVERSIBLE = (recurrence, backwards, counted, nested, swapped, with_checkpoint, with_rule, descent, branching_scan)
FORWARD = {
    "value": lambda f: f,
    "jvp": lambda f: lambda x: ud.jvp(f, (x,), (0.5 * x,)),
    "jvp of jvp": lambda f: lambda x: ud.jvp(lambda x: ud.jvp(f, (x,), (x,))[1], (x,), (0.5 * x,)),
    "vmap": lambda f: lambda x: ud.vmap(f)(ns(x).stack([x, 2 * x])),
    "vmap of jacfwd": lambda f: lambda x: ud.vmap(ud.jacfwd(f))(ns(x).stack([x, 2 * x])),
}
REVERSE = {
    "grad": ud.grad,
    "hessian": ud.hessian,
    "reverse over reverse": lambda f: ud.jacrev(ud.grad(f)),
    "reverse over forward": lambda f: ud.grad(lambda x: ud.jvp(f, (x,), (0.5 * x,))[1]),
    "vmap of hessian": lambda f: lambda x: ud.vmap(ud.hessian(f))(ns(x).stack([x, 2 * x])),
    "grad of vmap": lambda f: lambda x: ud.grad(lambda y: ns(y).sum(ud.vmap(f)(y)))(ns(x).stack([x, 2 * x])),
}
CASES = [(f, name) for f in (*REVERSIBLE, doubled, branching) for name in FORWARD]
CASES += [(f, name) for f in REVERSIBLE for name in REVERSE]


@pytest.mark.parametrize(("function", "transform"), CASES, ids=lambda x: x if isinstance(x, str) else x.__name__)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # the strict library cannot be told to be quiet
def test_a_staged_loop_agrees_with_the_loop_itself(function, transform, backend, monkeypatch):
    monkeypatch.setattr(staging, "LONGEST", 4)
    transformed = (FORWARD | REVERSE)[transform](function)
    compiled = ud.jit(transformed)
    for point in (POINT, OTHER):
        x = ud.asarray(point, backend=backend)
        for got, want in zip(ud.tree.leaves(compiled(x)), ud.tree.leaves(transformed(x)), strict=True):
            assert (got.shape, got.dtype) == (want.shape, want.dtype)
            assert np.asarray(ud.to_numpy(got)).tobytes() == np.asarray(ud.to_numpy(want)).tobytes()


RANDOM = ("value", "jvp", "vmap", "grad", "hessian", "reverse over reverse", "reverse over forward", "grad of vmap")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("transform", [*RANDOM, "vmap of hessian"])
def test_random_loops_have_the_same_bits(seed, transform, monkeypatch):
    monkeypatch.setattr(staging, "LONGEST", 4)
    transformed = (FORWARD | REVERSE)[transform](program(seed, 4))
    compiled = ud.jit(transformed)
    for x in (np.asarray([0.5, -1.2, 0.8]), np.asarray([0.15, -0.4, 0.2])):
        same_bits(compiled(x), transformed(x))


@pytest.mark.parametrize("steps", [127, 128, 129, 131])
@pytest.mark.parametrize("transform", ["value", "jvp", "grad", "hessian", "reverse over forward"])
def test_loops_about_as_long_as_are_recorded_step_by_step(steps, transform):
    def f(x):
        xs = ns(x).stack([x * (k / steps) for k in range(steps)])
        (last, _), rows = ud.scan(lambda s, v: ((ns(v).sin(s[0]) * x + v, s[0]), s[1] * v), (x, 0.0 * x), xs)
        return ns(x).sum(last) + ns(x).sum(rows[1, ...] * x) + ns(x).sum(x * x)

    transformed = (FORWARD | REVERSE)[transform](f)
    compiled = ud.jit(transformed)
    same_bits(compiled(POINT), transformed(POINT))
    assert ("scan(" in compiled.lower(POINT).as_text()) == (steps > 128)


def delayed(x):
    """A line of delays: what a step makes gets a derivative, and is needed, some steps later."""
    last, _ = ud.scan(lambda s, _: ((s[1], s[2], ns(x).sin(s[0]) + x), None), (0 * x, 1 + 0 * x, x), None, length=40)
    return ns(x).sum(last[0] * last[2])


def twice(x):
    """Carries and results that are one array."""
    step = lambda s, _: ((s[0] * s[1], s[0] * s[1]), (s[0] * s[1], s[0]))
    (a, b), (u, v) = ud.scan(step, (0.9 + 0 * x, x), None, length=40)
    return ns(x).sum(a * b + u[3, ...] * v[7, ...] + x)


def at_a_singular_point(x):
    """A carry whose derivative is infinite where nothing depends on it, and zeros of both signs."""
    step = lambda s, _: ((s[0] * -0.0, ns(x).sqrt(s[1]), s[2] * x), -s[0])
    last, rows = ud.scan(step, (x, 0 * x, 1 + 0 * x), None, length=40)
    return ns(x).sum(last[0] + last[2]) + ns(x).sum(rows[0, ...])


@pytest.mark.parametrize("function", [delayed, twice, at_a_singular_point], ids=lambda f: f.__name__)
@pytest.mark.parametrize("transform", [*FORWARD, *REVERSE])
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_steps_that_are_not_alike_at_first(function, transform, monkeypatch):
    monkeypatch.setattr(staging, "LONGEST", 4)
    transformed = (FORWARD | REVERSE)[transform](function)
    same_bits(ud.jit(transformed)(POINT), transformed(POINT))


def test_a_loop_that_cannot_be_a_part_and_is_too_long_to_record_runs_as_it_is(monkeypatch):
    monkeypatch.setattr(staging, "UNROLLED", 150)
    as_it_is = []
    run = compiling.CompiledFunction._as_it_is
    monkeypatch.setattr(compiling.CompiledFunction, "_as_it_is", lambda self, args: as_it_is.append(1) or run(self, args))
    for steps, expected in ((140, 0), (200, 1)):
        f = lambda x, steps=steps: ns(x).sum(ud.fori_loop(0, steps, lambda i, c: 0.5 * ns(c).sin(c) + x, x))
        transformed = ud.jacrev(ud.grad(f))
        same_bits(ud.jit(transformed)(POINT), transformed(POINT))
        assert len(as_it_is) == expected


DROPPED = {
    "forward": lambda body, y: ud.jvp(body, (y,), (y,))[0],
    "batch": lambda body, y: ud.vmap(lambda t: body(t + 0 * y))(y),
}


@pytest.mark.parametrize("outer", [ud.grad, ud.hessian], ids=["grad", "hessian"])
@pytest.mark.parametrize("inner", DROPPED)
def test_a_step_may_use_arrays_of_another_transform_that_do_not_reach_its_results(outer, inner):
    """The transform is over by the time that the step runs again to be pulled back."""

    def f(y):
        def body(t):
            step = lambda c, _: (ns(c).sin(c) * ns(t).astype(t > 0, y.dtype) + y, None)
            return ud.scan(step, y, None, length=150)[0]

        return ns(y).sum(DROPPED[inner](body, y))

    same_bits(ud.jit(outer(f))(POINT), outer(f)(POINT))


def ruled(x):
    return ud.cond(x > 0, lambda y: product(y, 2 * y), lambda y: squashed(y) * y, x)


@pytest.mark.parametrize("name", [*FORWARD, *REVERSE])
def test_branches_over_functions_with_rules_of_their_own(name):
    transformed = (FORWARD | REVERSE)[name](lambda x: ns(x).sum(ns(x).stack([ruled(x[0]), ruled(x[1])])))
    compiled = ud.jit(transformed)
    for x in (POINT, OTHER, -POINT):
        same_bits(compiled(x), transformed(x))
    mapped = lambda x: ud.vmap(ud.grad(ruled))(x)
    same_bits(ud.jit(mapped)(OTHER), mapped(OTHER))


@pytest.mark.parametrize("transform", [lambda f: f, ud.grad, ud.hessian], ids=["value", "grad", "hessian"])
def test_a_long_loop_has_the_program_of_a_short_one(transform):
    def f(steps):
        return lambda x: ns(x).sum(ud.fori_loop(0, steps, lambda i, c: 0.5 * ns(c).sin(c) + x, x))

    texts = [ud.jit(transform(f(steps))).lower(POINT).as_text() for steps in (200, 2000)]
    assert len(texts[0].splitlines()) == len(texts[1].splitlines()) < 60
    assert "scan(" in texts[0]
    short = ud.jit(f(3)).lower(POINT).as_text()
    assert "scan(" not in short  # all steps of a short loop are made smaller together


def test_the_number_of_steps_may_differ_between_runs():
    calls = []

    @ud.jit
    def halved(x):
        calls.append(1)
        return ud.while_loop(lambda c: c > 1.0, lambda c: c / 2, x)

    for k in range(200):
        assert 0.5 < float(halved(np.asarray(1.5**k))) <= 1.0
    assert len(calls) == 1


def test_what_a_loop_has_from_outside_may_change_between_runs():
    held = np.asarray([1.0, 2.0])
    f = ud.jit(lambda x: ns(x).sum(ud.fori_loop(0, 200, lambda i, c: 0.5 * c + held, x)))
    first = float(f(POINT))
    held *= 2.0
    assert float(f(POINT)) == pytest.approx(2 * first)


def test_an_array_from_outside_that_a_step_assigns_to_is_refused():
    def f(x):
        total = 0 * x

        def step(c, _):
            total[0] = c[0]
            return c, None

        return ud.scan(step, x, None, length=200)[0] + total

    with pytest.raises(ud.errors.LeakedTracerError):
        ud.jit(f)(POINT)


def test_a_symbol_of_a_step_must_not_leave_it():
    kept = []

    def f(x):
        ud.fori_loop(0, 200, lambda i, c: kept.append(c) or 0.5 * c, x)
        return kept[-1] + x

    with pytest.raises(ud.errors.LeakedTracerError):
        ud.jit(f)(POINT)
