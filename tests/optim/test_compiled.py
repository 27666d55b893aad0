"""Compiled objectives are kept with their function: used again, never stale, and gone with it."""

import copy
import functools
import gc
import weakref

import numpy as np
import pytest

import unidiff as ud

NAME = "__unidiff_compiled__"
target = 1.0


def nearest(f, x0=(0.0, 0.0), **options):
    """Return the minimum of a function, found with a compiled gradient."""
    start = np.asarray(x0) if isinstance(x0, tuple) else x0
    result = ud.minimize(f, start, method="l-bfgs", tol=1e-9, options={"jit": True, **options})
    assert result.success
    return ud.to_numpy(result.x)


def test_the_next_solve_need_not_compile(backend, array):
    calls = []

    def f(x):
        calls.append(x)
        return ud.array_namespace(x).sum((x - 1.0) ** 4 + (x - 1.0) ** 2)

    x0, counts = array([3.0, -1.0]), []
    for _ in range(3):
        calls.clear()
        np.testing.assert_allclose(nearest(f, x0), 1.0, atol=1e-6)
        counts.append(len(calls))
    kept = ud.get_backend(backend).jit_watches
    assert kept == (NAME in vars(f))
    if kept:
        assert counts[0] > counts[1] == counts[2]


def test_other_shapes_dtypes_and_outputs_have_programs_of_their_own():
    def f(x, c):
        return ((x - c) ** 2).sum()

    def with_aux(x, c):
        return ((x - c) ** 2).sum(), {"x": x}

    for x0 in (np.zeros(2), np.zeros(3), np.zeros(2, dtype="float32"), np.zeros((2, 2)), np.zeros(2)):
        for objective, has_aux in ((f, False), (with_aux, True)):
            result = ud.minimize(objective, x0, args=np.ones_like(x0), has_aux=has_aux, options={"jit": True})
            assert result.x.dtype == x0.dtype
            np.testing.assert_allclose(result.x, np.ones(x0.shape), atol=1e-3)
    assert len(vars(f)[NAME]) == len(vars(with_aux)[NAME]) == 1


def a_global():
    def change():
        global target
        target = 2.0

    return lambda x: ((x - target) ** 2).sum(), change


def a_cell():
    c = 1.0

    def change():
        nonlocal c
        c = 2.0

    return lambda x: ((x - c) ** 2).sum(), change


def an_array_in_place():
    c = np.ones(2)
    return lambda x: ((x - c) ** 2).sum(), lambda: c.fill(2.0)


def an_array_that_constants_are_made_of():
    c = np.ones(2)
    return lambda x: ((x - np.sqrt(c * c)) ** 2).sum(), lambda: c.fill(2.0)


def a_default():
    def f(x, c=1.0):
        return ((x - c) ** 2).sum()

    return f, lambda: setattr(f, "__defaults__", (2.0,))


def a_default_of_a_keyword():
    def f(x, *, c=1.0):
        return ((x - c) ** 2).sum()

    return f, lambda: f.__kwdefaults__.update(c=2.0)


def an_attribute():
    def f(x):
        return ((x - f.c) ** 2).sum()

    f.c = 1.0
    return f, lambda: setattr(f, "c", 2.0)


def the_code():
    def f(x):
        return ((x - 1.0) ** 2).sum()

    return f, lambda: setattr(f, "__code__", (lambda x: ((x - 2.0) ** 2).sum()).__code__)


def a_container():
    c = {"c": [1.0]}
    return lambda x: ((x - c["c"][0]) ** 2).sum(), lambda: c["c"].__setitem__(0, 2.0)


def an_object():
    class Holder:
        value = 1.0

    return lambda x: ((x - Holder.value) ** 2).sum(), lambda: setattr(Holder, "value", 2.0)


def another_function():
    def inner(x):
        return x - 1.0

    def f(x):
        return (inner(x) ** 2).sum()

    return f, lambda: setattr(inner, "__code__", (lambda x: x - 2.0).__code__)


CHANGES = [
    a_global, a_cell, an_array_in_place, an_array_that_constants_are_made_of, a_default, a_default_of_a_keyword, an_attribute,
    the_code, a_container, an_object, another_function,
]  # fmt: skip


@pytest.mark.parametrize("changed", CHANGES)
def test_what_changes_between_two_solves_is_seen(changed, monkeypatch):
    monkeypatch.setattr(f"{__name__}.target", 1.0)
    f, change = changed()
    for _ in range(2):
        np.testing.assert_allclose(nearest(f), 1.0, atol=1e-8)
    program = [*vars(f)[NAME].values()]
    change()
    np.testing.assert_allclose(nearest(f), 2.0, atol=1e-8)
    assert [*vars(f)[NAME].values()] == program  # the same one, which has seen it


def test_nothing_outlives_the_function():
    data = np.ones(1000)

    def make():
        own = data.copy()
        return (lambda x: ((x - own[:2]) ** 2).sum()), weakref.ref(own)

    f, array = make()
    start = np.zeros(2)
    nearest(f, start)
    kept = weakref.ref(f), array, weakref.ref(start)
    del f, start
    gc.collect()
    assert [ref() for ref in kept] == [None, None, None]


def test_functions_that_copy_attributes_have_programs_of_their_own():
    def f(x):
        return ((x - 1.0) ** 2).sum()

    nearest(f)

    @functools.wraps(f)
    def g(x):
        return f(x - 1.0)

    np.testing.assert_allclose(nearest(g), 2.0, atol=1e-8)
    np.testing.assert_allclose(nearest(f), 1.0, atol=1e-8)
    assert vars(f)[NAME] is not vars(g)[NAME]
    assert copy.deepcopy(vars(f)) == {NAME: {}}  # as it is with pickled code


def test_other_callables_are_compiled_anew():
    class Model:
        c = 1.0

        def __call__(self, x):
            return ((x - self.c) ** 2).sum()

        def loss(self, x):
            return self(x)

    model = Model()
    for f in (model, model.loss, functools.partial(lambda c, x: model(x) * c, 1.0)):
        np.testing.assert_allclose(nearest(f), 1.0, atol=1e-8)
    assert NAME not in vars(Model.loss)
    assert not vars(model)


def residuals(x, c):
    xp = ud.array_namespace(x["a"])
    return {"valley": 10.0 * (x["b"] - x["a"][0] ** 2), "rest": [xp.exp(x["a"] - c) - 1.0]}


SOLVERS = {
    **{
        name: lambda x0, options, name=name: ud.minimize(
            lambda x: sum((r**2).sum() for r in ud.tree.leaves(residuals(x, 1.0))), x0, method=name, options=options
        )
        for name in ("newton", "newton-cg", "trust-ncg", "trust-exact", "l-bfgs")
    },
    **{
        name: lambda x0, options, name=name: ud.least_squares(residuals, x0, args=1.0, method=name, options=options)
        for name in ("lm", "trf", "gauss-newton")
    },
    **{
        f"root, {name}": lambda x0, options, name=name: ud.root(residuals, x0, args=1.0, method=name, options=options)
        for name in ("newton", "broyden", "lm")
    },
}


@pytest.mark.parametrize("name", SOLVERS)
def test_compiled_derivatives_lead_the_same_way(name):
    x0 = {"a": np.asarray([0.5, 1.5]), "b": np.asarray(0.7)}
    plain, compiled, again = (SOLVERS[name](x0, {"trajectory": True, "jit": jit}) for jit in (False, True, True))
    assert plain.success
    for other in (compiled, again):
        for a, b in zip(ud.tree.leaves(plain.trajectory), ud.tree.leaves(other.trajectory), strict=True):
            np.testing.assert_array_equal(a, b)
        assert (plain.nfev, plain.njev, plain.nhev) == (other.nfev, other.njev, other.nhev)


def test_derivatives_of_compiled_solutions():
    def f(x, c):
        return ((x - c) ** 2).sum() + (x**4).sum()

    def solution(c, jit):
        return ud.minimize(f, np.zeros(2), args=c, tol=1e-10, method="newton", options={"jit": jit}).x

    c = np.asarray([1.0, 2.0])
    want = ud.jacobian(solution)(c, False)
    np.testing.assert_allclose(ud.jacobian(solution)(c, True), want, rtol=1e-9, atol=1e-12)
    residual = lambda c, jit: ud.least_squares(lambda x, c: x**3 - c, np.ones(2), args=c, tol=1e-12, options={"jit": jit}).x
    np.testing.assert_allclose(ud.jacobian(residual)(c, True), ud.jacobian(residual)(c, False), rtol=1e-9, atol=1e-12)
