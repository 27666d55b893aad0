"""Loops and branches that are parts of a compiled program compute what the same function computes when it is not compiled."""

import numpy as np
import pytest

import unidiff as ud
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


@ud.custom_vjp
def product(a, b):
    return ns(a).sin(a) * b


product.defvjp(lambda a, b: (ns(a).sin(a) * b, (a, b)), lambda r, g: (g * ns(g).cos(r[0]) * r[1], g * ns(g).sin(r[0])))


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
            np.testing.assert_allclose(ud.to_numpy(got), ud.to_numpy(want), rtol=1e-11, atol=1e-13)


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
