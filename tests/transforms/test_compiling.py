"""Compiled functions: the same results as without compiling, in any nesting with other transforms, and never stale ones."""

import dataclasses
import threading
import warnings

import numpy as np
import pytest
from unidiff_conformance.scenarios import scenarios

import unidiff as ud
from tests.transforms.bits import same_bits
from unidiff import errors
from unidiff.engine import EngineBackend
from unidiff.engine.compiling import backend as compiling
from unidiff.engine.compiling import recording

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


@pytest.mark.parametrize("name", [name for name in sampled() if name.startswith(("indexing", "searching", "sorting"))])
def test_compiled_indices_have_the_same_bits_on_a_library_that_cannot_scatter(name):
    scenario = scenarios()[name]
    args = [ud.to_backend(x, "array_api_strict") for x in inputs(scenario, scenario.dtypes[0])]
    function = value_and_pullback(scenario)
    compiled = ud.jit(function)
    if name.startswith(VALUE_DEPENDENT_SHAPES) and _refuses(compiled, args):
        return
    want, got = (ud.tree.map(ud.to_numpy, out) for out in (function(*args), compiled(*args)))
    same_bits(got, want)


def test_functions_of_arrays_from_outside_give_arrays_that_are_known():
    outside, found = np.asarray([[2.0, 1.0], [1.0, 3.0]]), []

    def function(x):
        xp = ud.array_namespace(x)
        made = [xp.sin(outside), xp.stack([outside]), xp.ones_like(outside), xp.linalg.eigh(outside)[1], xp.fft.fft(outside)]
        found.extend(ud.get_backend(array).info.name for array in made)
        return sum(xp.sum(xp.real(array) * x[0]) for array in made)

    same_bits(ud.jit(function)(outside), function(outside))
    assert set(found) == {"numpy"}


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
        for bit in (1.0, 2.0, 4.0, 8.0):
            x = ud.cond(x % (2 * bit) >= bit, lambda x: x + 0.0, lambda x: x + 16.0, x)
        return x, x

    for n in range(2, 12):
        x = np.asarray(float(n))
        y, same = f(x)
        assert float(y) == n + 16 * (4 - n.bit_count())
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


# --- what met the compiler with surprises


def test_torch_refuses_a_branch_on_a_value_where_it_compiles():
    torch = pytest.importorskip("torch")
    x = torch.ones(2)
    for f in (lambda x: x if x[0] > 0 else -x, lambda x: x * float(x[0])):
        with pytest.raises(errors.TracedConversionError, match=r"xp\.where"):
            ud.jit(f, compiler="eager")(x)


def test_a_namespace_from_outside_serves_inside(backend, array, check):
    if backend not in ("numpy", "array_api_strict"):
        pytest.skip("the namespaces of the others know nothing of it")
    xp = ud.namespace(backend)
    x = array([0.5, 1.0])

    def f(x):
        return xp.sum(xp.stack([xp.sin(x), x * xp.ones(2)])) + xp.linalg.vector_norm(xp.zeros(2) + x)

    check(ud.jit(f)(x), ud.to_numpy(f(x)))
    check(ud.jit(ud.grad(f))(x), ud.to_numpy(ud.grad(f)(x)))


# --- an engine that is chosen by name


@pytest.fixture
def by_name(clean_registry):
    """The engine over NumPy under a name of its own, which the type of an array does not tell."""
    host = ud.get_backend("numpy").backend
    info, library = dataclasses.replace(host.info, name="by_name"), dataclasses.replace(host.library, name="by_name")
    ud.register_backend(EngineBackend(info, library, host.rules))
    return "by_name"


def looping(x):
    xp, outside = ud.array_namespace(x), np.asarray([1.0, 2.0, 3.0])
    branch = ud.cond(xp.sum(x) > 0, lambda y: y * outside, lambda y: xp.sin(y), x)
    return xp.sum(branch) + xp.sum(ud.scan(lambda c, v: (c * v + outside, c), x, np.ones((150, 3)) * 0.9)[0])


NAMED = {
    "value": lambda f, b: ud.jit(f, backend=b),
    "jit and gradient": lambda f, b: ud.jit(ud.grad(f, backend=b), backend=b),
    "jit": lambda f, b: ud.jit(ud.grad(f), backend=b),
    "hessian": lambda f, b: ud.jit(ud.hessian(f), backend=b),
}


@pytest.mark.parametrize("function", [chain, looping], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", NAMED)
def test_an_engine_that_is_chosen_by_name_compiles(by_name, name, function):
    x = np.asarray([0.3, -0.7, 1.1])
    same_bits(NAMED[name](function, by_name)(x), NAMED[name](function, None)(x))


def test_an_engine_refuses_arrays_that_are_recorded_for_another(by_name):
    with pytest.raises(errors.MixedBackendsError, match=r"unidiff\.jit\(f, backend='by_name'\)"):
        ud.jit(ud.grad(chain, backend=by_name))(np.asarray([0.3, -0.7]))


# --- side effects


def test_side_effects_happen_when_a_function_is_recorded():
    seen = []

    def f(x):
        seen.append(x.shape)
        return ud.array_namespace(x).sum(x * x)

    compiled = ud.jit(ud.grad(f))
    for x in (np.ones(3), np.zeros(3), np.ones(2)):
        same_bits(compiled(x), 2 * x)
    assert seen == [(3,), (2,)]
