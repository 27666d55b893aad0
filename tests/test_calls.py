import numpy as np
import pytest

import unidiff as ud
from unidiff.calls import Call, Output, checked_argnums, own
from unidiff.errors import DTypeError, MixedBackendsError, NotAnArrayError, ShapeError, TreeError


@pytest.mark.parametrize(
    ("given", "want"), [(0, 0), (-1, -1), (np.int64(2), 2), ((0, 1), (0, 1)), ([1], (1,)), (range(2), (0, 1)), (True, 1)]
)
def test_argnums_are_normalized(given, want):
    assert checked_argnums(given) == want


def test_paths_name_the_argument_as_the_caller_knows_it():
    x = np.ones(2)
    call = Call(lambda *a: a, ("skipped", {"w": [x, x]}, x), {}, (2, 1), None)
    assert [call.path(k) for k in range(3)] == ["argument 2", "argument 1['w'][0]", "argument 1['w'][1]"]
    assert Call(lambda *a: a, (x, x), {}, (1, 0), None).path(0) == "argument 1"


def test_a_bare_array_needs_no_pytree(monkeypatch):
    """The common case does not pay for trees."""

    def no_tree(*args, **kwargs):
        raise AssertionError

    for name in ("flatten", "leaves", "structure", "unflatten", "paths"):
        monkeypatch.setattr(ud.tree, name, no_tree)
    x = np.asarray([1.0, 2.0])
    assert ud.grad(lambda x: (x * x).sum())(x).tolist() == [2.0, 4.0]
    assert ud.value_and_grad(lambda x, y: (x * y).sum(), (0, 1))(x, x)[1][1].tolist() == [1.0, 2.0]
    assert ud.grad(lambda x, n: (x * n).sum())(x, 3.0).tolist() == [3.0, 3.0]
    assert ud.grad(lambda x: x * x)(3.0) == 6.0
    assert ud.vjp(lambda x: x * x, x)[1](x)[0].tolist() == [2.0, 8.0]
    assert ud.jvp(lambda x: x * x, (x,), (x,))[1].tolist() == [2.0, 8.0]


def test_own_copies_what_is_an_input_or_comes_twice():
    b = ud.get_backend("numpy")
    x, y = np.ones(2), np.zeros(2)
    a, c, d, e = own(b, (x, y, y, y), (x,), ())
    arrays = [a, c, d, e]
    assert [z.tolist() for z in arrays] == [[1, 1], [0, 0], [0, 0], [0, 0]]
    assert c is y
    assert len({id(z) for z in [x, *arrays]}) == 5


def test_outputs_are_split_and_joined():
    x = np.asarray([1.0, 2.0])
    output = Output(Call(lambda x: ({"f": 2 * x, "i": x > 1, "n": 3}, (x, "s", 1.5)), (x,), {}, (0,), None), has_aux=True)
    outs, rest = output(x)
    assert [y.tolist() for y in outs] == [[2.0, 4.0]]
    assert [np.asarray(y).tolist() for y in rest] == [[False, True], 3, [1.0, 2.0]]
    out, aux = output.join(outs, rest)
    assert {key: np.asarray(y).tolist() for key, y in out.items()} == {"f": [2.0, 4.0], "i": [False, True], "n": 3}
    assert aux[0].tolist() == [1.0, 2.0]
    assert aux[1:] == ("s", 1.5)
    tangent = output.join_tangents((x,))
    assert tangent["f"].tolist() == [1.0, 2.0]
    assert tangent["i"].tolist() == [False, False]
    assert tangent["n"].shape == ()


def test_a_function_without_floating_outputs_is_differentiated_as_a_constant():
    x = np.asarray([1.0, 2.0])
    for result in ((), None, [x > 1], {"n": 3}):
        out, vjp_fn = ud.vjp(lambda x, r=result: r, x)
        assert ud.tree.structure(out) == ud.tree.structure(result)
        assert vjp_fn(out)[0].tolist() == [0.0, 0.0]
        _, pushed = ud.jvp(lambda x, r=result: r, (x,), (x,))
        assert not any(np.any(t) for t in ud.tree.leaves(pushed))


class FiniteDifferences:
    """Forward mode by central differences on arrays of whatever library: a backend that is chosen by its name."""

    info = ud.BackendInfo(name="differences", api_version=1, factory="", arrays=(), capabilities=ud.Capabilities(max_order=1))

    def __init__(self, library):
        self.library = ud.get_backend(library)

    def __getattr__(self, name):
        if name in ("namespace", "device", "to_device", "devices", "asarray", "from_dlpack", "to_numpy"):
            return getattr(self.library, name)
        raise AttributeError(name)

    def jvp(self, f, primals, tangents, *, has_aux=False):
        def at(step):
            result = f(*(x + step * t for x, t in zip(primals, tangents, strict=True)))
            return result[0] if has_aux else result

        result = f(*primals)
        pushed = tuple((a - b) / 2e-5 for a, b in zip(at(1e-5), at(-1e-5), strict=True))
        return (result[0], pushed, result[1]) if has_aux else (result, pushed)


def test_a_backend_chosen_by_name_takes_arrays_of_any_library(backend, array, clean_registry, check):
    ud.register_backend(FiniteDifferences(backend))
    x, y = np.asarray([0.5, -1.5]), np.asarray([2.0, 3.0])

    def f(p, y):
        return ud.array_namespace(y).sum(p["x"] ** 2 * y), "aux"

    got, aux = ud.grad(f, has_aux=True, backend="differences")({"x": array(x)}, array(y))
    check(got, {"x": 2 * x * y}, rtol=1e-8)
    assert aux == "aux"
    check(ud.jacobian(lambda x: x * x, backend="differences")(array(x)), np.diag(2 * x), rtol=1e-8)
    out, vjp_fn = ud.vjp(lambda x: {"y": x * x, "n": 3}, array(x), backend="differences")
    check(vjp_fn({"y": array(y), "n": out["n"]}), (2 * x * y,), rtol=1e-8)
    check(ud.jvp(lambda x: x * x, (array(x),), (array(y),), backend="differences")[1], 2 * x * y, rtol=1e-8)
    check(ud.grad(lambda x: x * x, backend="differences")(3.0), np.asarray(6.0), rtol=1e-2)


@pytest.mark.parametrize("named", [None, "numpy"])
def test_naming_the_backend_of_the_arrays_changes_nothing(named):
    x = np.asarray([1.0, 2.0])
    assert ud.grad(lambda x: (x * x).sum(), backend=named)(x).tolist() == [2.0, 4.0]
    others = [name for name in ud.backends(arrays=True) if name != "numpy"]
    for name in others:
        with pytest.raises(MixedBackendsError, match=f"backend='{name}'"):
            ud.grad(lambda x: (x * x).sum(), backend=name)(x)


PRIMAL = [1.0, 2.0]
WRONG = {
    "shape": (lambda array: array([1.0, 2.0, 3.0]), ShapeError),
    "broadcastable": (lambda array: array(1.0), ShapeError),
    "number": (lambda array: 1.0, ShapeError),
    "dtype": (lambda array: array(PRIMAL, "float32"), DTypeError),
    "integer": (lambda array: array([1, 2], "int32"), DTypeError),
    "complex": (lambda array: array(PRIMAL, "complex128"), DTypeError),
    "list": (lambda array: [1.0, 2.0], TreeError),
    "none": (lambda array: None, TreeError),
    "dict": (lambda array: {"a": array(PRIMAL)}, TreeError),
    "text": (lambda array: "text", NotAnArrayError),
    "object": (lambda array: object(), NotAnArrayError),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_tangents_and_cotangents_are_named(array, name):
    make, error = WRONG[name]
    x, wrong = array(PRIMAL), make(array)

    def double(p):
        return {"y": [2.0 * p["w"]]}

    for what, where, run in [
        ("tangent", "tangent 0", lambda: ud.jvp(lambda x: 2.0 * x, (x,), (wrong,))),
        ("tangent", "tangent 1", lambda: ud.linearize(lambda x, y: x * y, x, x)[1](x, wrong)),
        ("tangent", "tangent 0", lambda: ud.hvp(lambda x: ud.array_namespace(x).sum(x * x), (x,), (wrong,))),
        ("tangent", r"tangent 0\['w'\]", lambda: ud.jvp(double, ({"w": x},), ({"w": wrong},))),
        ("cotangent", "cotangent", lambda: ud.vjp(lambda x: 2.0 * x, x)[1](wrong)),
        ("cotangent", r"cotangent\['y'\]\[0\]", lambda: ud.vjp(double, {"w": x})[1]({"y": [wrong]})),
    ]:
        with pytest.raises(error, match=what if error is TreeError else where):
            run()


def test_tangents_of_another_library(backend, array):
    other = next(name for name in ud.backends(arrays=True) if name != backend)
    x, t = array(PRIMAL), ud.asarray(np.asarray(PRIMAL), backend=other)
    for run in (lambda: ud.jvp(lambda x: x, (x,), (t,)), lambda: ud.vjp(lambda x: x, x)[1](t)):
        with pytest.raises(MixedBackendsError, match=other):
            run()


def test_outputs_that_are_not_made_of_numbers_have_no_derivative():
    x, names = np.asarray(PRIMAL), np.asarray(["a", "b"])
    with pytest.raises(DTypeError, match=r"output\['names'\].*has_aux"):
        ud.jvp(lambda x: {"names": names, "x": x}, (x,), (x,))
    assert ud.grad(lambda x: (x.sum(), names), has_aux=True)(x)[1].tolist() == ["a", "b"]


def test_no_arrays_to_differentiate_among_arrays(array, check):
    value, gradient = ud.value_and_grad(lambda params, x: ud.array_namespace(x).sum(x))({}, array(PRIMAL))
    check(value, np.asarray(3.0))
    assert gradient == {}
