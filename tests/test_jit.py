"""Compiled functions: the same results as without compiling, in any nesting with other transforms, and never stale ones."""

import threading
import warnings

import numpy as np
import pytest
from unidiff_conformance.scenarios import scenarios

import unidiff as ud
from unidiff import errors
from unidiff.engine import compiling, recording

# --- the same bits as without compiling

VALUE_DEPENDENT_SHAPES = ("searching.nonzero", "set.unique", "manipulation.repeat.array", "indexing.getitem.mask")
PYTHON_BRANCHES = ("program.branch", "program.loop.newton")


def sampled():
    """Two scenarios of each function: the first, and the last, which is rather at a special point; all of the programs."""
    groups = {}
    for name in scenarios():
        groups.setdefault(name if name.startswith("program") else ".".join(name.split(".")[:2]), []).append(name)
    return [name for group in groups.values() for name in dict.fromkeys((group[0], group[-1]))]


def inputs(scenario, dtype):
    return [np.array(data.values, dtype=dtype).reshape(data.shape) for data in scenario.inputs]


def same_bits(got, want):
    got_leaves, got_structure = ud.tree.flatten(got)
    want_leaves, want_structure = ud.tree.flatten(want)
    assert got_structure == want_structure
    for g, w in zip(got_leaves, want_leaves, strict=True):
        assert (g.shape, g.dtype) == (w.shape, w.dtype)
        assert np.asarray(g).tobytes() == np.asarray(w).tobytes()


def value_and_pullback(scenario):
    def function(*args):
        out, pullback = ud.vjp(lambda *xs: scenario.function(ud.array_namespace(*xs), *xs), *args)
        return out, pullback(ud.tree.map(lambda y: ud.array_namespace(y).ones_like(y), out))

    return function


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", sampled())
def test_compiled_scenario_has_the_same_bits(name):
    scenario = scenarios()[name]
    args = inputs(scenario, scenario.dtypes[0])
    function = value_and_pullback(scenario)
    compiled = ud.jit(function)
    if name.startswith((*VALUE_DEPENDENT_SHAPES, *PYTHON_BRANCHES)) and _refuses(compiled, args):
        return
    try:
        want = function(*args)
    except errors.UnidiffError as error:
        with pytest.raises(type(error)):
            compiled(*args)
        return
    same_bits(compiled(*args), want)
    same_bits(compiled(*[x.copy() for x in args]), want)


def _refuses(compiled, args):
    try:
        compiled(*args)
    except errors.TracedConversionError:
        return True
    return False


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_elementwise_programs_have_the_same_bits(dtype):
    rng = np.random.default_rng(7)
    names = ["sin", "exp", "tanh", "negative", "square", "abs", "log1p"]
    for _ in range(20):
        steps = [(names[k], c) for k, c in zip(rng.integers(len(names), size=12), rng.normal(size=12), strict=True)]

        def function(x, y, steps=steps):
            xp = ud.array_namespace(x)
            z = x
            for name, c in steps:
                z = getattr(xp, name)(z * 0.1) * float(c) + y if c > 0 else z - y[::-1] * x
            return xp.sum(z * z)

        x, y = rng.uniform(0.1, 1.0, (2, 9)).astype(dtype)
        for transformed in (ud.grad(function, (0, 1)), ud.hessian(function), ud.value_and_grad(function)):
            same_bits(ud.jit(transformed)(x, y), transformed(x, y))


@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_layout_is_part_of_the_signature(order):
    rng = np.random.default_rng(3)
    x = np.asarray(rng.normal(size=(33, 65)), order=order)
    function = ud.value_and_grad(lambda x: (x * x.mT[:33, :33].sum() + x.sum(axis=0)).sum() ** 2)
    compiled = ud.jit(function)
    for value in (x, np.ascontiguousarray(x), x[::-1, ::-1], np.asfortranarray(x)):
        same_bits(compiled(value), function(value))


# --- on all backends


def chain(x):
    xp = ud.array_namespace(x)
    return xp.sum(xp.sin(x) * x + xp.exp(-x))


def test_jit_agrees_on_every_backend(array, check):
    x = array([0.5, 1.0, 2.0])
    w = np.asarray([0.5, 1.0, 2.0])
    check(ud.jit(chain)(x), np.sum(np.sin(w) * w + np.exp(-w)), rtol=1e-12)
    check(ud.jit(ud.grad(chain))(x), np.cos(w) * w + np.sin(w) - np.exp(-w), rtol=1e-12)


SECOND_ORDER = {
    "jit of grad of jit": ud.jit(ud.grad(ud.jit(chain))),
    "grad of jit": ud.grad(ud.jit(chain)),
    "hessian of jit": ud.hessian(ud.jit(chain)),
    "jit of hessian": ud.jit(ud.hessian(chain)),
    "jit of jit of hessian": ud.jit(ud.jit(ud.hessian(chain))),
    "jvp of jit of grad": lambda x: ud.jvp(ud.jit(ud.grad(chain)), (x,), (x,))[1],
    "jit of jvp of grad": ud.jit(lambda x: ud.jvp(ud.grad(chain), (x,), (x,))[1]),
    "jit of vmap of grad": ud.jit(ud.vmap(ud.grad(lambda a: chain(a[None] if a.ndim == 0 else a)))),
    "vmap of jit of grad": ud.vmap(ud.jit(ud.grad(lambda a: chain(a[None] if a.ndim == 0 else a)))),
}


@pytest.mark.parametrize("name", SECOND_ORDER)
def test_jit_composes(name, array, check):
    w = np.asarray([0.5, 1.0, 2.0])
    first = np.cos(w) * w + np.sin(w) - np.exp(-w)
    second = 2 * np.cos(w) - np.sin(w) * w + np.exp(-w)
    want = np.diag(second) if "hessian" in name else second * w if "jvp" in name else first
    check(SECOND_ORDER[name](array(w)), want, rtol=1e-12)


def test_trees_keywords_and_static_arguments(array, check):
    @ud.jit
    def f(params, *, scale):
        return {"y": params["x"] * scale, "pair": (params["x"][0], [params["x"] + 1])}

    x = array([1.0, 2.0])
    check(f({"x": x}, scale=x), {"y": np.asarray([1.0, 4.0]), "pair": (1.0, [np.asarray([2.0, 3.0])])})
    g = ud.jit(
        lambda x, axis, name="sum": getattr(ud.array_namespace(x), name)(x, axis=axis), static_argnums=1, static_argnames="name"
    )
    m = array([[1.0, 2.0], [3.0, 4.0]])
    check(g(m, 0), np.asarray([4.0, 6.0]))
    check(g(m, 1), np.asarray([3.0, 7.0]))
    check(g(m, axis=0, name="max"), np.asarray([3.0, 4.0]))


def test_static_argument_that_cannot_be_hashed(array):
    with pytest.raises(errors.ArgumentError, match=r"static argument 1 .* cannot be hashed"):
        ud.jit(lambda x, n: x * n[0], static_argnums=1)(array([1.0]), [2])


@pytest.mark.parametrize("options", [{"static_argnums": 3}, {"static_argnames": "nothing"}, {"static_argnums": "x"}])
def test_static_arguments_that_do_not_exist(options):
    with pytest.raises(errors.ArgumentError, match="static_arg"):
        ud.jit(lambda x: x, **options)


def test_mixed_backends_are_refused(backend):
    if backend == "numpy":
        pytest.skip("there is nothing to mix with")
    with pytest.raises(errors.MixedBackendsError):
        ud.jit(lambda x, y: x + y)(np.ones(2), ud.asarray(np.ones(2), backend=backend))


def test_what_is_no_array_is_refused():
    with pytest.raises(errors.NotAnArrayError, match=r"static_argnums"):
        ud.jit(lambda x, mode: x)(np.ones(2), "fast")


COMPILES = ["numpy", "jax"]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x if x[0] > 0 else -x,
        lambda x: x * float(x[0]),
        lambda x: x[x > 0],
        lambda x: ud.array_namespace(x).zeros(int(x[0])),
        lambda x: [x for _ in range(x.astype(int)[0])],
        lambda x: x * np.asarray(x).sum(),
    ],
    ids=["branch", "float", "mask", "shape", "range", "conversion"],
)
@pytest.mark.parametrize("name", COMPILES)
def test_a_value_that_python_needs_is_refused(name, function):
    x = ud.asarray(np.ones(3), backend=name)
    with pytest.raises(errors.TracedConversionError, match=r"cond|where"):
        ud.jit(function)(x)


def test_python_floats_are_arrays_and_integers_are_fixed():
    calls = []

    @ud.jit
    def f(x, a, n):
        calls.append(n)
        return x * a**n

    for a in (2.0, 3.0, 4.0):
        same_bits(f(np.float32([1, 2]), a, 2), np.float32([1, 2]) * np.float32(a) ** 2)
    assert calls == [2]
    f(np.float32([1, 2]), 2.0, 3)
    assert calls == [2, 3]


def test_jax_program_is_that_of_jax_itself():
    jax = pytest.importorskip("jax")
    x = jax.numpy.linspace(0.0, 1.0, 5)

    def f(x):
        return jax.numpy.sum(jax.numpy.sin(x) ** 2)

    mine = ud.jit(ud.grad(f)).lower(x).as_text()
    native = jax.jit(jax.grad(f)).lower(x).as_text()
    assert mine == native


# --- torch.compile, where it is asked for


@pytest.mark.parametrize("transform", [lambda f: f, ud.grad, ud.hessian], ids=["value", "grad", "hessian"])
def test_torch_compiles_where_asked(transform):
    torch = pytest.importorskip("torch")
    x = torch.linspace(0.1, 1.0, 4, dtype=torch.float64)
    compiled = ud.jit(transform(chain), compiler="aot_eager")
    for value in (x, x + 1):
        torch.testing.assert_close(compiled(value), transform(chain)(value))
    torch.testing.assert_close(ud.grad(ud.jit(chain, compiler="aot_eager"))(x), ud.grad(chain)(x))
    assert "torch.ops.aten" in compiled.lower(x).as_text()


def test_torch_keeps_the_derivative_at_kinks_when_compiled():
    torch = pytest.importorskip("torch")
    x = torch.asarray([-1.0, 0.0, 2.0])
    f = ud.jit(lambda x: ud.array_namespace(x).sum(ud.array_namespace(x).maximum(x, 0.0)), compiler="eager")
    assert ud.grad(f)(x).tolist() == [0.0, 0.5, 1.0]
    assert ud.jit(ud.grad(f), compiler="eager")(x).tolist() == [0.0, 0.5, 1.0]


def test_torch_falls_back_with_one_warning(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch, "compile", lambda *_, **__: _raising)
    f = ud.jit(chain, compiler="eager")
    x = torch.ones(2)
    with pytest.warns(RuntimeWarning, match="no compiler today"):
        first = f(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(f(x), first)


def _raising(*_):
    raise OSError("no compiler today")


def test_unknown_compilers_are_refused(array, backend):
    with pytest.raises(errors.ArgumentError, match="compile"):
        ud.jit(chain, compiler="nothing")(array([1.0]))


# --- recorded once per signature


def test_recorded_once_per_signature():
    calls = []

    @ud.jit
    def f(x):
        calls.append(x.shape)
        return x * 2

    for x in (np.ones(3), np.zeros(3), np.ones(4), np.ones(3), np.ones(3, np.float32)):
        f(x)
    assert calls == [(3,), (4,), (3,)]


def test_threads_share_a_compiled_function():
    f = ud.jit(ud.grad(lambda x: (x**3).sum()))
    failures = []

    def run(n):
        results = [f(np.full(n, 2.0)) for _ in range(20)]
        failures.extend(n for y in results if not np.array_equal(y, np.full(n, 12.0)))

    threads = [threading.Thread(target=run, args=(1 + k % 3,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_an_exception_passes_through_and_leaves_nothing_behind():
    fails = [True]

    @ud.jit
    def f(x):
        if fails:
            raise KeyError("mine")
        return x * 2

    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            f(np.ones(2))
    fails.clear()
    assert f(np.ones(2)).tolist() == [2.0, 2.0]
    assert ud.grad(lambda x: (x * x).sum())(np.ones(2)).tolist() == [2.0, 2.0]


# --- closures, globals and objects: never stale

weights = np.arange(3.0)
factor = 2.0


class Model:
    """What a user's object holds: arrays, numbers, containers, and a number of its class."""

    scale = 1.0

    def __init__(self):
        self.weights = np.ones(3)
        self.power = 2
        self.layers = [np.ones(3), {"bias": np.zeros(3)}]

    def __call__(self, x):
        return self.inner(x) * self.scale

    def inner(self, x):
        return x**self.power * self.weights + self.layers[0] + self.layers[1]["bias"]


def _set(target, name, value):
    return lambda: setattr(target, name, value)


def test_changes_of_an_object_are_seen():
    model, x = Model(), np.asarray([1.0, 2.0, 3.0])
    compiled = ud.jit(model)
    changes = [
        lambda: model.weights.__iadd__(1.0),
        _set(model, "weights", np.full(3, 7.0)),
        _set(model, "power", 3),
        lambda: model.layers.__setitem__(0, np.zeros(3)),
        lambda: model.layers[1].__setitem__("bias", np.full(3, 5.0)),
        lambda: model.layers[1]["bias"].fill(4.0),
        _set(Model, "scale", 10.0),
        lambda: model.__dict__.update(inner=lambda x: x),
    ]
    try:
        for change in changes:
            same_bits(compiled(x), model(x))
            before = model(x)
            change()
            assert not np.array_equal(model(x), before)
            same_bits(compiled(x), model(x))
    finally:
        Model.scale = 1.0


def test_changes_of_globals_and_cells_are_seen(monkeypatch):
    x = np.ones(3)
    local = np.ones(3)
    number = 1.0

    def helper(y):
        return y * factor

    def f(x):
        return helper(x) * weights + local * number

    compiled = ud.jit(f)
    for step in range(6):
        same_bits(compiled(x), f(x))
        if step == 0:
            monkeypatch.setitem(globals(), "weights", np.full(3, 9.0))
        elif step == 1:
            weights[:] = 8.0
        elif step == 2:
            monkeypatch.setitem(globals(), "factor", 3.0)
        elif step == 3:
            local = np.full(3, 4.0)
        elif step == 4:
            number = 6.0
    assert compiled(x).tolist() == [48.0, 48.0, 48.0]


def test_arrays_made_outside_the_namespace_follow_what_they_are_made_of():
    data = np.arange(3.0)
    f = ud.jit(lambda x: x * np.flip(data) + np.array([1.0, 2.0, 3.0]))
    assert f(np.ones(3)).tolist() == [3.0, 3.0, 3.0]
    data += 1
    assert f(np.ones(3)).tolist() == [4.0, 4.0, 4.0]


_generator = np.random.default_rng(0)


def _global_array():
    return np.random.random(3)  # noqa: NPY002  # what is tested


def _global_number():
    return np.random.random()  # noqa: NPY002  # what is tested


@pytest.mark.parametrize(
    "draw",
    [_global_array, _global_number, lambda: _generator.normal(), lambda: _generator.normal(size=3),
     lambda: __import__("random").random()],
    ids=["array", "number", "generator", "generator's array", "python"],
)  # fmt: skip
def test_random_numbers_are_refused(draw):
    with pytest.raises(errors.ImpureFunctionError, match="arguments"):
        ud.jit(lambda x: x + draw())(np.ones(3))


def test_a_counter_of_its_own_does_not_make_a_function_impure():
    count = 0

    @ud.jit
    def f(x):
        nonlocal count
        count += 1
        return x + 1

    for _ in range(4):
        f(np.ones(2))
    assert count == 1


# --- results, arguments, warnings


ALIASES = {
    "argument": lambda x: x,
    "twice": lambda x: (x * 2,) * 2,
    "part": lambda x: x[1:],
    "transpose": lambda x: (x[None, :].mT, x * 1),
    "value and view": lambda x: (y := x * 3, y[1:], y),
    "captured": lambda x: (weights, weights[1:], x + 0),
    "constant": lambda x: (ud.array_namespace(x).zeros(3), ud.array_namespace(x).ones(3) * 2),
    "reused": lambda x: ((y := x + 1) * 2 + 1, y - 1),
    "number": lambda x: (x.sum(), x[0]),
    "gradient": ud.grad(lambda x: x.sum() + x[0]),
}


@pytest.mark.parametrize("name", ALIASES)
def test_results_share_memory_with_nothing(name):
    x = np.asarray([1.0, 2.0, 3.0])
    kept = x.copy()
    compiled = ud.jit(ALIASES[name])
    arrays = [*ud.tree.leaves(compiled(x)), *ud.tree.leaves(compiled(x)), x, weights]
    want = ud.tree.leaves(ALIASES[name](x))
    for got, w in zip(arrays, want, strict=False):
        assert isinstance(got, np.ndarray)
        assert got.flags.writeable
        np.testing.assert_array_equal(got, w)
    for i, a in enumerate(arrays):
        assert not any(np.shares_memory(a, b) for b in arrays[i + 1 :])
    for got in arrays[: len(want)]:
        got[...] = 99.0
    for got, w in zip(ud.tree.leaves(compiled(x)), want, strict=True):
        np.testing.assert_array_equal(got, w)
    np.testing.assert_array_equal(x, kept)


def test_changing_an_argument_in_place_is_refused():
    def f(x):
        x += 1
        return x

    x = np.ones(3)
    with pytest.raises(errors.InPlaceError, match="argument 0"):
        ud.jit(f)(x)
    assert x.tolist() == [1.0, 1.0, 1.0]


def test_in_place_forms_on_what_the_function_makes():
    def f(x):
        y = x * 2
        y[0] = 5.0
        y[1:] += x[1:]
        y *= 3
        return y

    same_bits(ud.jit(f)(np.ones(3)), f(np.ones(3)))
    same_bits(ud.jit(ud.jacobian(f))(np.ones(3)), ud.jacobian(f)(np.ones(3)))


def test_floating_point_warnings_are_those_of_the_function():
    f = ud.jit(lambda x: ud.array_namespace(x).log(x))
    for _ in range(2):
        with pytest.warns(RuntimeWarning, match="divide by zero"):
            f(np.zeros(2))
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        f(np.zeros(2))
    gradient = ud.jit(ud.grad(lambda x: ud.array_namespace(x).sqrt(x).sum()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isinf(gradient(np.zeros(1)))


def test_the_function_may_ask_for_errors_to_be_handled_otherwise():
    def f(x):
        xp = ud.array_namespace(x)
        y = xp.log(x)
        with np.errstate(divide="ignore"):
            y = y + xp.log(x * 0)
        with np.errstate(all="raise"):
            return xp.log(x + 1) + y

    compiled = ud.jit(f)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compiled(np.ones(2)).tolist() == [-np.inf, -np.inf]
    with pytest.warns(RuntimeWarning, match="divide by zero") as caught:
        compiled(np.zeros(2))
    assert len(caught) == 1
    with pytest.raises(FloatingPointError), np.errstate(all="ignore"):
        compiled(np.full(2, -1.0))


def test_a_leaked_array_raises():
    kept = []
    ud.jit(lambda x: kept.append(x) or x)(np.ones(2))
    with pytest.raises(errors.LeakedTracerError, match="jit"):
        kept[0] + 1


def test_errors_of_the_library_are_raised_in_each_call():
    f = ud.jit(lambda x: ud.array_namespace(x).linalg.inv(x) * 0 + x)
    f(np.eye(2))
    with pytest.raises(np.linalg.LinAlgError):
        f(np.zeros((2, 2)))


# --- branches and loops


def test_branches_and_loops_that_depend_on_values_follow_them(array, check):
    f = ud.jit(ud.grad(lambda x: ud.cond(x > 0, lambda x: x**2, lambda x: -x, x)))
    for value, slope in ((3.0, 6.0), (-3.0, -1.0), (4.0, 8.0), (-1.0, -1.0)):
        check(f(array(value)), slope)
    halve = ud.jit(lambda x: ud.while_loop(lambda c: c > 1.0, lambda c: c / 2, x))
    for value, left in ((8.0, 1.0), (3.0, 0.75), (0.5, 0.5)):
        check(halve(array(value)), left)
    total = ud.jit(ud.grad(lambda x: ud.scan(lambda c, t: (c * t, c), x, array([1.0, 2.0, 3.0]))[0]))
    check(total(array(2.0)), 6.0)


def test_a_function_that_goes_another_way_each_time_runs_as_it_is(monkeypatch):
    monkeypatch.setattr(compiling, "RECORDINGS", 3)
    calls = []

    @ud.jit
    def f(x):
        calls.append(recording.current.get() is not None)
        return ud.while_loop(lambda c: c < 100.0, lambda c: c * x, x), x

    for n in range(2, 12):
        x = np.asarray(float(n))
        power, same = f(x)
        assert float(power) == next(float(n) ** k for k in range(1, 9) if float(n) ** k >= 100)
        assert not np.shares_memory(same, x)
    assert sum(calls) == 3


def test_rules_that_look_at_values_look_at_those_of_each_call():
    det = ud.jit(ud.grad(lambda x: ud.array_namespace(x).linalg.det(x)))
    for x in (np.asarray([[1.0, 2.0], [3.0, 4.0]]), np.zeros((2, 2)), np.asarray([[1.0, 1.0], [1.0, 1.0]])):
        np.testing.assert_allclose(det(x), [[x[1, 1], -x[1, 0]], [-x[0, 1], x[0, 0]]], atol=1e-14)


# --- the program


def test_lower_shows_the_program():
    def f(x):
        xp = ud.array_namespace(x)
        return xp.sum(xp.sin(x) * xp.sin(x) + 0.0 * xp.exp(xp.cos(x)) * 1.0)

    lowered = ud.jit(f).lower(np.ones(3))
    text = lowered.as_text()
    assert text == str(lowered)
    assert text.count("sin(%1)") == 1
    assert text.startswith("inputs %1: float64[3]")
    assert text.splitlines()[-1].startswith("return %")
    assert lowered.calls < lowered.recorded
    assert lowered.reused > 0


def test_lower_says_where_there_is_nothing_to_show(array, backend):
    if backend != "numpy":
        assert ud.jit(chain).lower(array([1.0])).as_text()
