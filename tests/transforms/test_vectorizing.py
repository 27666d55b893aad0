"""The vectorizing map: the laws that join it to stacking and to every derivative, on every backend."""

import numpy as np
import pytest

import unidiff as ud
from unidiff import errors
from unidiff.derive import complete

GENERATOR = np.random.default_rng(7)
X = GENERATOR.uniform(0.5, 2.0, (3, 4))
W = GENERATOR.uniform(-1.0, 1.0, (4, 4))


def _recurrence(xp, x, w):
    state = x
    for _ in range(3):
        state = xp.tanh(w @ state + x)
    return state


PROGRAMS = {
    "elementwise": lambda xp, x, w: xp.sin(x) * x + w[0, :],
    "reduction": lambda xp, x, w: x / xp.sum(x, axis=0) + xp.max(x),
    "recurrence": _recurrence,
    "indexing": lambda xp, x, w: x[1:] * x[:-1] + xp.take(x, xp.argsort(x)[:3]),
    "linear algebra": lambda xp, x, w: xp.linalg.solve(w + 5 * xp.eye(4, dtype=w.dtype) * x, x),
    "selection": lambda xp, x, w: xp.where(x > 1, x**3, xp.linalg.vector_norm(x) * x),
}
"""Functions of a slice and of something that all slices share."""

DERIVED = "derived"
BACKENDS = [*ud.backends(), DERIVED]


class Setting:
    """A backend with functions to make arrays and to compare; ``derived`` is NumPy with its own vmap hidden."""

    def __init__(self, name):
        self.name = "numpy" if name == DERIVED else name
        self.backend = complete(ud.get_backend("numpy"), hide=frozenset({"vmap"})) if name == DERIVED else None
        self.xp = ud.namespace(self.name)

    def array(self, values):
        return ud.asarray(np.asarray(values), backend=self.name)

    def vmap(self, f, in_axes=0, out_axes=0, **options):
        return ud.vmap(f, in_axes, out_axes, backend=self.backend, **options)

    def program(self, name):
        return lambda x, w: PROGRAMS[name](self.xp, x, w)


@pytest.fixture(params=BACKENDS)
def on(request):
    return Setting(request.param)


def equal(got, want, tolerance=1e-12):
    leaves, structure = ud.tree.flatten(got)
    others, other = ud.tree.flatten(want)
    assert structure == other
    for a, b in zip(leaves, others, strict=True):
        np.testing.assert_allclose(ud.to_numpy(a), ud.to_numpy(b), rtol=tolerance, atol=tolerance)


def stacked(on, f, x, *rest):
    return on.xp.stack([f(x[i, ...], *rest) for i in range(x.shape[0])])


# --- laws

OF_A_SLICE = {
    "value": lambda f: f,
    "grad": lambda f: ud.grad(lambda x, w: _sum(f(x, w) ** 2)),
    "grad of both": lambda f: lambda x, w: _joined(ud.grad(lambda x, w: _sum(f(x, w) ** 2), (0, 1))(x, w)),
    "jvp": lambda f: lambda x, w: ud.jvp(lambda x: f(x, w), (x,), (x,))[1],
    "vjp": lambda f: lambda x, w: _pulled(lambda x: f(x, w), x),
    "jacfwd": lambda f: ud.jacfwd(f),
    "jacrev": lambda f: ud.jacrev(f),
    "hvp": lambda f: lambda x, w: ud.hvp(lambda x: _sum(f(x, w) ** 2), (x,), (x,)),
    "grad of jvp": lambda f: ud.grad(lambda x, w: _sum(ud.jvp(lambda x: f(x, w), (x,), (x,))[1])),
}
"""What may be taken of a slice, as functions of the function; second order among them."""


def _sum(x):
    return ud.array_namespace(x).sum(x)


def _joined(pair):
    xp = ud.array_namespace(*pair)
    return xp.concat([xp.reshape(x, (-1,)) for x in pair])


def _pulled(f, x):
    out, pull = ud.vjp(f, x)
    return pull(out)[0]


@pytest.mark.parametrize("transform", OF_A_SLICE)
@pytest.mark.parametrize("program", PROGRAMS)
def test_map_of_a_derivative_equals_stacking(on, program, transform):
    if on.name == "jax" and program not in ("recurrence", "selection"):
        pytest.skip("costs compilation; the engine and PyTorch cover the functions")
    f = OF_A_SLICE[transform](on.program(program))
    x, w = on.array(X), on.array(W)
    equal(on.vmap(f, (0, None))(x, w), stacked(on, f, x, w))


OVER = {
    "grad": lambda total, x: ud.grad(total)(x),
    "jvp": lambda total, x: ud.jvp(total, (x,), (x,))[1],
    "hessian": lambda total, x: ud.hessian(total)(x),
    "hvp": lambda total, x: ud.hvp(total, (x,), (x,)),
    "jacfwd of grad": lambda total, x: ud.jacfwd(ud.grad(total))(x),
}


@pytest.mark.parametrize("transform", OVER)
@pytest.mark.parametrize("program", PROGRAMS)
def test_derivative_of_a_map_equals_that_of_a_loop(on, program, transform):
    if on.name == "jax" and (program != "recurrence" or transform in ("hessian", "jacfwd of grad")):
        pytest.skip("costs compilation; the engine and PyTorch cover the functions")
    f, w = on.program(program), on.array(W)
    mapped = lambda x: _sum(on.vmap(lambda r: _sum(f(r, w) ** 2))(x))
    looped = lambda x: sum(_sum(f(x[i, ...], w) ** 2) for i in range(3))
    x = on.array(X)
    equal(OVER[transform](mapped, x), OVER[transform](looped, x), 1e-11)


def test_gradient_of_the_sum_of_a_map_is_the_map_of_gradients(on):
    f, w, x = on.program("recurrence"), on.array(W), on.array(X)
    loss = lambda x: _sum(f(x, w) ** 2)
    equal(ud.grad(lambda x: _sum(on.vmap(loss)(x)))(x), on.vmap(ud.grad(loss))(x))


def test_maps_nest_over_different_axes(on):
    x, y = on.array(X), on.array(W)
    outer = on.vmap(lambda a: on.vmap(lambda b: _sum(a * b))(y))(x)
    equal(outer, on.array(X @ W.T))
    square = on.vmap(on.vmap(lambda a, b: a * b, (0, None)), (0, 0))
    equal(square(x, on.array(X[:, 0])), on.array(X * X[:, :1]))


def test_map_under_a_map_under_a_derivative(on):
    x = on.array(X)
    total = lambda x: _sum(on.vmap(lambda a: on.vmap(lambda b: _sum(a * b) ** 2)(x))(x))
    gram = X @ X.T
    equal(ud.grad(total)(x), on.array(4 * gram @ X))


def test_a_closure_over_a_traced_array_keeps_its_derivative(on):
    x, w = on.array(X), on.array(W)
    gradient = ud.grad(lambda w: _sum(on.vmap(lambda r: w @ r)(x)))(w)
    equal(gradient, on.array(np.broadcast_to(X.sum(axis=0), (4, 4))))
    inner = on.vmap(lambda r: ud.grad(lambda v: _sum(v * r) ** 2)(r))(x)
    equal(inner, on.array(2 * (X**2).sum(axis=1)[:, None] * X))


# --- axes

AXES = {
    "first": (0, 0, lambda x, y: x + y),
    "last in": (-1, 0, lambda x, y: (x + y).T),
    "last out": (0, -1, lambda x, y: (x + y).T),
    "list": ([0, 1], 0, lambda x, y: x + y.T[:3, :3][:, :3] if x.shape != y.T.shape else x + y.T),
}


@pytest.mark.parametrize("name", AXES)
def test_axes(on, name):
    in_axes, out_axes, expected = AXES[name]
    square = X[:, :3]
    x, y = on.array(square), on.array(2 * square)
    equal(on.vmap(lambda a, b: a + b, in_axes, out_axes)(x, y), on.array(expected(square, 2 * square)))


def test_axes_may_be_a_prefix_of_the_arguments_and_of_the_output(on):
    x = on.array(X)
    f = lambda p, n: {"sum": (p["a"] + p["b"][0] * n, p["b"][1]), "one": 1.0}
    out = on.vmap(f, ({"a": 1, "b": (None, 1)}, None), {"sum": (1, -1), "one": None})({"a": x, "b": (x[:, 0], x)}, 2)
    equal(out, {"sum": (on.array(X + 2 * X[:, :1]), x), "one": on.array(1.0)})


def test_keyword_arguments_are_mapped_over_their_first_axis(on):
    x = on.array(X)
    equal(on.vmap(lambda a, *, k: a * k["w"], 1)(x, k={"w": on.array(X.T)}), on.array((X * X).T))
    equal(on.vmap(lambda *, k: 2 * k)(k=x), on.array(2 * X))


def test_what_does_not_depend_on_the_batch_is_repeated_or_returned_once(on):
    x, w = on.array(X), on.array(W)
    repeated, once, number = on.vmap(lambda a: (w, w, 2.0), out_axes=(0, None, 0))(x)
    assert tuple(repeated.shape) == (3, 4, 4)
    equal((repeated[2, ...], once, number), (w, w, on.array([2.0, 2.0, 2.0])))
    equal(on.vmap(lambda a: 2 * a, None, axis_size=2)(w), on.array(np.stack([2 * W, 2 * W])))


def test_other_leaves_reach_every_slice(on):
    flag = {"scale": 3.0, "name": "double", "none": None}
    got = on.vmap(lambda a, o: a * o["scale"] if o["name"] == "double" and o["none"] is None else a, (0, None))(
        on.array(X), flag
    )
    equal(got, on.array(3 * X))


def test_an_empty_batch_has_empty_results(on):
    out = on.vmap(lambda a: (a * 2, _sum(a)))(on.array(X[:0]))
    assert [tuple(y.shape) for y in out] == [(0, 4), (0,)]


@pytest.mark.parametrize("dtype", ["float32", "complex128", "int32", "bool"])
def test_dtypes_stay(on, dtype):
    x = on.array((X > 1).astype(dtype) if dtype == "bool" else X.astype(dtype))
    got = on.vmap(lambda a: a[::2])(x)
    assert str(got.dtype).rpartition(".")[2] == dtype
    equal(got, x[:, ::2])


def test_results_are_the_callers_own(on):
    x = on.array(X)
    same, also, constant = on.vmap(lambda a: (a, a, on.xp.ones(2)))(x)
    before = np.array(ud.to_numpy(x))
    if not ud.get_backend(x).info.capabilities.mutation:
        return
    same[0, 0], constant[0, 0] = 100.0, 5.0
    equal(x, on.array(before))
    equal(also, x)
    assert float(constant[1, 0]) == 1.0


def test_the_function_cannot_change_the_arguments(on):
    if not ud.get_backend(on.array(X)).info.capabilities.mutation or on.backend is not None:
        pytest.skip("immutable, or a plain Python loop over views")

    def f(a, b):
        a[0] = 7.0
        b[0] = 7.0
        return a + b

    x, w = on.array(X), on.array(X[0])
    on.vmap(f, (0, None))(x, w)
    equal((x, w), (on.array(X), on.array(X[0])))


@pytest.mark.parametrize("calls", [1, 3])
def test_number_of_calls(on, calls):
    if (calls == 3) != (on.backend is not None):
        pytest.skip("one call with batching, one for each slice without")
    count = []
    on.vmap(lambda a: (count.append(1), a)[1])(on.array(X))
    assert len(count) == calls


def test_an_error_of_the_function_passes_through(on):
    class OwnError(Exception):
        pass

    def f(a):
        raise OwnError

    with pytest.raises(OwnError):
        on.vmap(f)(on.array(X))
    equal(on.vmap(lambda a: 2 * a)(on.array(X)), on.array(2 * X))


# --- bad input

MISUSE = {
    "sizes": (errors.ShapeError, r"argument 0\['w'\] has 3 along axis 0; argument 1", lambda v, x: v(_first)({"w": x}, x.T)),
    "keyword sizes": (errors.ShapeError, "argument 'k' has 4", lambda v, x: v(_first)(x, k=x.T)),
    "size given": (errors.ShapeError, "axis_size is 5", lambda v, x: v(_first, axis_size=5)(x)),
    "no such axis": (errors.ShapeError, r"Argument 1\[0\] .*axis 2.*\(3, 4\)", lambda v, x: v(_first, (0, 2))(x, [x])),
    "0-d": (errors.ShapeError, r"Argument 0 .*\(\)", lambda v, x: v(_first)(_zero_d(x))),
    "number": (errors.NotAnArrayError, "Argument 1 .*number.*None", lambda v, x: v(_first)(x, 2.0)),
    "text": (errors.NotAnArrayError, "Argument 1 .*str", lambda v, x: v(_first)(x, "a")),
    "nothing mapped": (errors.ArgumentError, "axis_size", lambda v, x: v(_first, None)(x)),
    "no arguments": (errors.ArgumentError, "axis_size", lambda v, x: v(lambda: 1.0)()),
    "entries": (errors.TreeError, "2 entries.*1 positional", lambda v, x: v(_first, (0, 0))(x)),
    "structure": (errors.TreeError, r"in_axes\[0\]", lambda v, x: v(_first, ({"a": 0},))({"b": x})),
    "axis type": (errors.ArgumentError, "1.5", lambda v, x: v(_first, (1.5,))),
    "in_axes type": (errors.ArgumentError, "tuple", lambda v, x: v(_first, {"a": 0})),
    "axis_size type": (errors.ArgumentError, "axis_size", lambda v, x: v(_first, axis_size=-1)),
    "axis_size bool": (errors.ArgumentError, "axis_size", lambda v, x: v(_first, axis_size=True)),
    "no function": (errors.ArgumentError, "callable", lambda v, x: v(3)),
    "out axis": (errors.ShapeError, r"output\['q'\].*axis 2.*\(4,\)", lambda v, x: v(lambda a: {"q": a}, out_axes=2)(x)),
    "out structure": (errors.TreeError, "out_axes", lambda v, x: v(lambda a: (a,), out_axes=(0, 0))(x)),
    "out None": (errors.ArgumentError, r"output\[1\].*differs", lambda v, x: v(lambda a: (1.0, a), out_axes=None)(x)),
    "out type": (errors.NotAnArrayError, r"output\['q'\].*str", lambda v, x: v(lambda a: {"q": "text"})(x)),
}  # fmt: skip


def _zero_d(x):
    return ud.array_namespace(x).reshape(x[:1, :1], ())


def _first(*args, **kwargs):
    return args[0]


@pytest.mark.parametrize("name", MISUSE)
def test_misuse_says_what_was_expected_and_what_came(on, name):
    error, match, call = MISUSE[name]
    with pytest.raises(error, match=match):
        call(on.vmap, on.array(X))


VALUES = {
    "branch": lambda xp, x: x if _sum(x) > 0 else -x,
    "number": lambda xp, x: x * float(x[0]),
    "integer": lambda xp, x: x * range(int(x[0]) + 1)[0],
    "mask": lambda xp, x: x[x > 1],
    "nonzero": lambda xp, x: xp.nonzero(x)[0],
    "unique": lambda xp, x: xp.unique_values(x),
    "under grad": lambda xp, x: ud.grad(lambda y: _sum(y) if _sum(y) > 0 else -_sum(y))(x),
}


@pytest.mark.parametrize("name", VALUES)
def test_what_needs_the_value_of_a_slice_raises_with_a_remedy(on, name):
    if on.backend is not None:
        pytest.skip("a loop over the slices knows their values")
    with pytest.raises(errors.TracedConversionError, match=r"where|xp\."):
        on.vmap(lambda x: VALUES[name](on.xp, x))(on.array(X))


def test_a_stopped_gradient_keeps_its_slices(array, check):
    xs = array([[0.3, 0.7], [0.6, 1.4]])

    def f(x):
        xp = ud.array_namespace(x)
        return xp.sum(ud.stop_gradient(xp.sin(x)) * x)

    want = np.sin(ud.to_numpy(xs))
    check(ud.vmap(ud.grad(f))(xs), want)
    check(ud.grad(lambda xs: ud.array_namespace(xs).sum(ud.vmap(f)(xs)))(xs), want)
