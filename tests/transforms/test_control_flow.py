"""Branches and loops mean the same on every backend, plain, mapped and under every derivative."""

import numpy as np
import pytest

import unidiff as ud
from unidiff import errors
from unidiff.derive import complete

V = np.asarray([2.25, -3.0, 0.25])
XS = np.asarray([0.5, -1.5, 2.0])


def equal(got, want, tolerance=1e-12):
    leaves, structure = ud.tree.flatten(got)
    others, other = ud.tree.flatten(want)
    assert structure == other
    for a, b in zip(leaves, others, strict=True):
        np.testing.assert_allclose(ud.to_numpy(a), np.asarray(b), rtol=tolerance, atol=tolerance)


def _xp(x):
    return ud.array_namespace(x)


def _root(x):
    return ud.cond(x > 0, lambda x: _xp(x).sqrt(x), lambda x: -x * x, x)


def _closure(x):
    return ud.cond(x > 1, lambda: x**3, lambda: 2 * x)


def _power(x):
    return ud.fori_loop(0, 3, lambda i, y: y * x + _xp(x).astype(i, x.dtype), x)


def _fold(x):
    xs = _xp(x).stack([x, x * x, 2 * x])
    carry, ys = ud.scan(lambda c, y: (c * y + 1, {"s": c + y}), x, xs, reverse=True)
    return carry + _xp(x).sum(ys["s"] ** 2)


def _halve(x):
    return ud.while_loop(lambda x: x > 1, lambda x: x * x / 4, x)


def _counted(x):
    _, y = ud.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] * x), (0, x))
    return y


def _newton(x):
    step = lambda r: (r + x / r) / 2
    return ud.while_loop(lambda r: _xp(r).abs(r * r - x) > 1e-13, step, x)


def _halved(x):
    while x > 1:
        x = x * x / 4
    return x


def _halved_slope(x):
    slope = 1.0
    while x > 1:
        x, slope = x * x / 4, slope * x / 2
    return slope


# name: function, the same in Python, its first and its second derivative at a number
ONE = {
    "cond": (_root, lambda x: x**0.5 if x > 0 else -x * x, lambda x: 0.5 * x**-0.5 if x > 0 else -2 * x,
             lambda x: -0.25 * x**-1.5 if x > 0 else -2.0),
    "cond with closure": (_closure, lambda x: x**3 if x > 1 else 2 * x, lambda x: 3 * x * x if x > 1 else 2.0,
                          lambda x: 6 * x if x > 1 else 0.0),
    "fori_loop": (_power, lambda x: x**4 + x + 2, lambda x: 4 * x**3 + 1, lambda x: 12 * x * x),
    "scan": (
        _fold,
        # carries x, 2x^2 + 1, 2x^4 + x^2 + 1, 2x^5 + x^3 + x + 1; what is added to 2x, x^2 and x on the way, squared
        lambda x: 2 * x**5 + x**3 + x + 1 + 9 * x**2 + (3 * x**2 + 1) ** 2 + (2 * x**4 + x**2 + x + 1) ** 2,
        lambda x: 10 * x**4 + 3 * x**2 + 1 + 18 * x + 12 * x * (3 * x**2 + 1)
        + 2 * (2 * x**4 + x**2 + x + 1) * (8 * x**3 + 2 * x + 1),
        lambda x: 40 * x**3 + 6 * x + 18 + 108 * x**2 + 12 + 2 * (8 * x**3 + 2 * x + 1) ** 2
        + 2 * (2 * x**4 + x**2 + x + 1) * (24 * x**2 + 2),
    ),
}  # fmt: skip
FORWARD = {
    "while_loop": (_halve, _halved, _halved_slope),
    "while_loop with a counter": (_counted, lambda x: x**4, lambda x: 4 * x**3),
}
ORDERS = {
    "value": (0, lambda f: f),
    "grad": (1, ud.grad),
    "jvp": (1, lambda f: lambda x: ud.jvp(f, (x,), (_xp(x).ones_like(x),))[1]),
    "grad of grad": (2, lambda f: ud.grad(ud.grad(f))),
    "hessian": (2, ud.hessian),
    "grad of jvp": (2, lambda f: ud.grad(lambda x: ud.jvp(f, (x,), (_xp(x).ones_like(x),))[1])),
}


def _spare(backend, order):
    if backend == "jax" and order not in ("value", "grad of grad"):
        pytest.skip("each costs compilations; JAX derives its own primitives")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ONE)
def test_values_and_derivatives(array, backend, name, order):
    _spare(backend, order)
    f, *expected = ONE[name]
    k, transform = ORDERS[order]
    points = V[:2] if name.startswith("cond") else V[2:]
    for x in points:
        equal(transform(f)(array(x)), expected[k](x), 1e-11)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ONE)
def test_mapped_with_a_course_for_each_slice(array, backend, name, order):
    _spare(backend, order)
    f, *expected = ONE[name]
    k, transform = ORDERS[order]
    equal(ud.vmap(transform(f))(array(V)), np.asarray([expected[k](x) for x in V]), 1e-10)


@pytest.mark.parametrize("name", ONE)
def test_derivatives_of_a_map(array, backend, name):
    f, _, first, second = ONE[name]
    total = lambda v: _xp(v).sum(ud.vmap(f)(v))
    equal(ud.grad(total)(array(V)), np.asarray([first(x) for x in V]), 1e-10)
    if name != "scan" or backend != "jax":  # which is slow to compile
        equal(ud.hessian(total)(array(V)), np.diag([second(x) for x in V]), 1e-10)


@pytest.mark.parametrize("name", FORWARD)
def test_while_loop_has_forward_mode(array, name):
    f, value, first = FORWARD[name]
    v = np.asarray([3.0, 0.5, 2.5])
    push = lambda x: ud.jvp(f, (x,), (_xp(x).ones_like(x),))
    equal(push(array(3.0)), (value(3.0), first(3.0)))
    wanted = np.asarray([[value(x), first(x)] for x in v]).T
    equal(ud.vmap(push)(array(v)), tuple(wanted))
    equal(ud.jvp(lambda v: ud.vmap(f)(v), (array(v),), (array(np.ones(3)),)), tuple(wanted))
    equal(ud.jacfwd(ud.jacfwd(f))(array(0.5)), 0.0 if name == "while_loop" else 3.0)


REVERSE = {
    "grad": lambda f, x: ud.grad(f)(x),
    "pullback": lambda f, x: ud.vjp(f, x)[1](x),
    "mapped": lambda f, x: ud.vmap(ud.grad(f))(_xp(x).stack([x, x])),
    "of a map": lambda f, x: ud.grad(lambda v: _xp(v).sum(ud.vmap(f)(v)))(_xp(x).stack([x, x])),
    "over forward": lambda f, x: ud.grad(lambda x: ud.jvp(f, (x,), (x,))[1])(x),
}


@pytest.mark.parametrize("way", REVERSE)
@pytest.mark.parametrize("name", FORWARD)
def test_while_loop_has_no_reverse_mode(array, name, way):
    f, value, _ = FORWARD[name]
    with pytest.raises(errors.UnsupportedOperationError, match=r"while_loop.*scan"):
        REVERSE[way](f, array(3.0))
    equal(f(array(3.0)), value(3.0))


def test_what_a_while_loop_does_not_reach_is_differentiated(array):
    def f(x):
        count = ud.while_loop(lambda n: n < 5, lambda n: n + 2, _xp(x).asarray(0))
        return x**2 * _xp(x).astype(count, x.dtype)

    equal(ud.grad(f)(array(3.0)), 36.0)


def test_loop_until_each_slice_is_done(array):
    equal(ud.vmap(_newton)(array([4.0, 9.0, 2.0])), np.sqrt([4.0, 9.0, 2.0]))
    both = ud.vmap(lambda x: ud.vmap(lambda y: ud.while_loop(lambda s: s < x * y, lambda s: 2 * s, y))(x * array([1.0, 2.0])))
    expected = [[_doubled(x, x * y) for y in (1.0, 2.0)] for x in (3.0, 10.0)]
    equal(both(array([3.0, 10.0])), np.asarray(expected))


def _doubled(x, y):
    s = y
    while s < x * y:
        s *= 2
    return s


def test_bounds_that_differ_between_slices(array, xp):
    power = lambda n, x: ud.fori_loop(0, n, lambda i, y: y * x, xp.ones_like(x))
    counts = array([0, 1, 3], "int64")
    equal(ud.vmap(power, (0, None))(counts, array(2.0)), np.asarray([1.0, 2.0, 8.0]))
    push = lambda n: ud.jvp(lambda x: power(n, x), (array(2.0),), (array(1.0),))[1]
    equal(ud.vmap(push)(counts), np.asarray([0.0, 1.0, 12.0]))
    with pytest.raises(errors.UnsupportedOperationError, match="bounds"):
        ud.vmap(lambda n: ud.grad(lambda x: power(n, x))(array(2.0)))(counts)
    equal(ud.grad(lambda x: power(array(3, "int64"), x))(array(2.0)), 12.0)


def test_a_branch_is_only_asked_about_points_that_are_its_own(array, xp):
    """The root of a negative number has no derivative, so nothing of it may reach the slices of the other branch."""
    total = lambda v: xp.sum(ud.vmap(_root)(v))
    with np.errstate(all="raise"):
        equal(ud.grad(total)(array([4.0, -1.0, -9.0])), np.asarray([0.25, 2.0, 18.0]))


@pytest.mark.parametrize("predicates", [[True, True], [False, False], [True, False]])
def test_only_branches_that_some_slice_takes_are_evaluated(array, backend, predicates):
    if backend == "jax":
        pytest.skip("traces both, once")
    taken = []
    note = lambda name: lambda x: (taken.append(name), x)[1]
    ud.vmap(lambda p, x: ud.cond(p, note(True), note(False), x))(array(predicates, "bool"), array([1.0, 2.0]))
    assert set(taken) == set(predicates)
    taken.clear()
    ud.cond(array(2.0) > 1, note(True), note(False), array(1.0))
    assert taken == [True]


def test_pytrees_numbers_and_none(array):
    out = ud.cond(True, lambda p, n: {"a": p["x"] * n, "b": (1.0, None)}, lambda p, n: 1 / 0, {"x": array(2.0)}, 3.0)
    equal(out, {"a": 6.0, "b": (1.0, None)})
    equal(ud.cond(array(0.0), lambda: array(1.0), lambda: array(2.0)), 2.0)
    last, ys = ud.scan(lambda c, x: ({"n": c["n"] + 1, "s": c["s"] + x[0]}, None), {"n": 0, "s": 0.0}, (array(XS), None))
    equal(last, {"n": 3, "s": 1.0})
    assert ys is None
    equal(ud.scan(lambda c, _: (2 * c, c), array(1.0), length=3), (8.0, np.asarray([1.0, 2.0, 4.0])))


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_is_a_loop(array, reverse):
    carry, ys = ud.scan(lambda c, x: (c + 2 * x, c * x), array(1.0), array(XS), reverse=reverse)
    state, rows = 1.0, []
    for x in XS[::-1] if reverse else XS:
        rows.append(state * x)
        state += 2 * x
    equal((carry, ys), (state, np.asarray(rows[::-1] if reverse else rows)))


def test_no_steps(array):
    carry, ys = ud.scan(lambda c, x: (c + x["a"], {"y": c * x["a"]}), array([1.0, 2.0]), {"a": array(np.zeros((0, 2)))})
    equal((carry, ys), (np.asarray([1.0, 2.0]), {"y": np.zeros((0, 2))}))
    equal(ud.fori_loop(3, 1, lambda i, x: 2 * x, array(5.0)), 5.0)
    equal(ud.while_loop(lambda x: x > 9, lambda x: 2 * x, array(5.0)), 5.0)


def test_the_first_value_is_not_changed(array, backend):
    if not ud.get_backend(backend).info.capabilities.mutation:
        pytest.skip("immutable")
    x = array([1.0, 2.0])

    def step(c, _):
        c[0] += 1
        return c, None

    equal(ud.scan(step, x, length=2)[0], np.asarray([3.0, 2.0]))
    equal(x, np.asarray([1.0, 2.0]))
    same = ud.while_loop(lambda c: c[0] > 9, lambda c: c, x)
    same[0] = 7.0
    equal(x, np.asarray([1.0, 2.0]))


def test_float32_stays_float32(array):
    x = array(1.5, "float32")
    for out in (
        _root(x),
        _power(x),
        _fold(x),
        _halve(x),
        ud.grad(_fold)(x),
        ud.scan(lambda c, x: (c * x, 1.0), 1.0, array(XS, "float32")),
    ):
        for leaf in ud.tree.leaves(out):
            assert str(leaf.dtype).rpartition(".")[2] == "float32"


def test_backend_for_numbers(backend, xp):
    out = ud.fori_loop(0, 3, lambda i, y: 2 * y, 1.0, backend=backend)
    assert ud.get_backend(out).name == backend
    equal(out, 8.0)


@pytest.mark.parametrize("transform", ["value", "grad", "map", "map of grad", "grad of map"])
@pytest.mark.parametrize("name", [*ONE, *FORWARD])
def test_compiled_equals_eager(array, backend, name, transform):
    """The same compiled function takes another course with other values."""
    if backend != "numpy" or (name in FORWARD and "grad" in transform):
        pytest.skip("what compiles elsewhere is the library's own")
    one = (ONE | FORWARD)[name][0]
    f = {
        "value": one,
        "grad": ud.grad(one),
        "map": ud.vmap(one),
        "map of grad": ud.vmap(ud.grad(one)),
        "grad of map": ud.grad(lambda v: _xp(v).sum(ud.vmap(one)(v))),
    }[transform]
    compiled = ud.jit(f)
    points = [3.0, -1.0, 0.5] if "map" not in transform else [[3.0, -1.0], [-1.0, -2.0], [2.5, 3.0]]
    for x in points:
        np.testing.assert_array_equal(compiled(array(x)), f(array(x)))


# --- without operations of the backend's own


def test_derived_from_python(check):
    b = complete(ud.get_backend("numpy"), hide=frozenset({"cond", "while_loop", "scan", "vmap"}))
    x = np.asarray(3.0)
    np.testing.assert_allclose(ud.cond(x > 0, lambda x: 2 * x, lambda x: x, x, backend=b), 6.0)
    np.testing.assert_allclose(ud.while_loop(lambda x: x > 1, lambda x: x / 2, x, backend=b), 0.75)
    carry, ys = ud.scan(lambda c, x: (c + x, c), x, XS, backend=b)
    np.testing.assert_allclose(carry, 4.0)
    np.testing.assert_allclose(ys, [3.0, 3.5, 2.0])


# --- bad input

STEP = {
    "structure": (errors.TreeError, "structure of the carry", lambda c: (c["w"],)),
    "shape": (errors.ShapeError, r"carry\['w'\] has the shape \(\) before and \(2,\)", lambda c: {"w": _xp(c["w"]).ones(2)}),
    "dtype": (errors.DTypeError, r"carry\['w'\] is float64 before and float32", lambda c: {"w": _cast(c["w"])}),
    "type": (errors.NotAnArrayError, r"carry\['w'\] is 'a' of type str", lambda c: {"w": "a"}),
}


def _cast(x):
    return _xp(x).astype(x, _xp(x).float32)


LOOPS = {
    "scan": lambda step, init: ud.scan(lambda c, _: (step(c), None), init, length=2),
    "while_loop": lambda step, init: ud.while_loop(lambda c: c["w"] < 5, step, init),
    "fori_loop": lambda step, init: ud.fori_loop(0, 2, lambda _, c: step(c), init),
}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("name", STEP)
def test_a_step_keeps_the_form_of_the_carry(array, loop, name):
    error, match, step = STEP[name]
    with pytest.raises(error, match=match):
        LOOPS[loop](step, {"w": array(1.0)})


def _chosen(x, one, other):
    return ud.vmap(lambda x: ud.cond(x > 0, one, other, x))(x)


MISUSE = {
    "branches of two structures": (errors.TreeError, "structure", lambda x: _chosen(x, lambda x: x, lambda x: (x,))),
    "branches of two shapes": (
        errors.ShapeError, r"\(2,\) and \(\).*output\['q'\]|\(\) and \(2,\).*output\['q'\]",
        lambda x: _chosen(x, lambda x: {"q": _xp(x).ones(2)}, lambda x: {"q": x}),
    ),
    "branches of two dtypes": (errors.DTypeError, "float32", lambda x: _chosen(x, _cast, lambda x: x)),
    "predicate of a shape": (errors.ShapeError, r"predicate.*\(3,\).*xp.where", lambda x: ud.cond(x > 0, lambda: x, lambda: x)),
    "predicate no array": (errors.NotAnArrayError, "predicate.*str", lambda x: ud.cond("a", lambda x: x, lambda x: x, x)),
    "operand no array": (errors.NotAnArrayError, r"operands\[0\]\['a'\]", lambda x: ud.cond(True, abs, abs, {"a": "b"})),
    "branch no function": (errors.ArgumentError, "callable", lambda x: ud.cond(True, x, abs, x)),
    "result no array": (errors.NotAnArrayError, "output.*str", lambda x: ud.cond(x[0] > 0, lambda: "a", lambda: "a")),
    "condition of a shape": (errors.ShapeError, "condition", lambda x: ud.while_loop(lambda x: x > 0, lambda x: x, x)),
    "condition no boolean": (errors.NotAnArrayError, "condition.*str", lambda x: ud.while_loop(lambda x: "a", lambda x: x, x)),
    "float as bound": (errors.DTypeError, "lower.*0.5", lambda x: ud.fori_loop(0.5, 2, lambda i, x: x, x)),
    "floating array as bound": (errors.DTypeError, "upper.*float64", lambda x: ud.fori_loop(0, x, lambda i, x: x, x)),
    "text as bound": (errors.NotAnArrayError, "upper.*str", lambda x: ud.fori_loop(0, "a", lambda i, x: x, x)),
    "lengths differ": (
        errors.ShapeError, r"xs\['a'\] has 3; xs\['b'\] has 2",
        lambda x: ud.scan(lambda c, x: (c, x), 0.0, {"a": x, "b": x[:2]}),
    ),
    "length differs": (errors.ShapeError, "4.*xs has 3", lambda x: ud.scan(lambda c, x: (c, x), 0.0, x, length=4)),
    "0-d xs": (errors.ShapeError, r"xs is of shape", lambda x: ud.scan(lambda c, x: (c, x), 0.0, _xp(x).reshape(x[:1], ()))),
    "no length": (errors.ArgumentError, "length", lambda x: ud.scan(lambda c, x: (c, x), x)),
    "negative length": (errors.ArgumentError, "-1", lambda x: ud.scan(lambda c, x: (c, x), x, length=-1)),
    "no pair": (errors.ArgumentError, r"\(carry, y\)", lambda x: ud.scan(lambda c, x: c, x, length=2)),
    "no step function": (errors.ArgumentError, "callable", lambda x: ud.scan(x, x, length=2)),
}  # fmt: skip


@pytest.mark.parametrize("name", MISUSE)
def test_misuse_says_what_was_expected_and_what_came(array, name):
    error, match, call = MISUSE[name]
    with pytest.raises(error, match=match):
        call(array(V))


def test_an_error_of_the_function_passes_through(array):
    def fail(*_):
        raise ZeroDivisionError("mine")

    for call in (
        lambda: ud.cond(array(1.0) > 0, fail, fail, array(1.0)),
        lambda: ud.while_loop(lambda _: True, fail, array(1.0)),
        lambda: ud.scan(fail, array(1.0), length=1),
        lambda: ud.vmap(lambda x: ud.cond(x > 0, fail, fail, x))(array([1.0, -1.0])),
    ):
        with pytest.raises(ZeroDivisionError, match="mine"):
            call()
