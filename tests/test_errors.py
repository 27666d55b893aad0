"""Bad input: each misuse raises its own typed error that names what was wrong and what to do."""

import numpy as np
import pytest

import unidiff as ud
from unidiff.errors import (
    ArgumentError,
    BackendLoadError,
    DTypeError,
    MixedBackendsError,
    MixedDevicesError,
    NonScalarOutputError,
    NotAnArrayError,
    ShapeError,
    TreeError,
    UnidiffError,
    UnknownBackendError,
)


def total(x, *rest, **kwargs):
    return ud.array_namespace(x).sum(x)


FIRST_ORDER = {
    "grad": lambda f, x: ud.grad(f)(x),
    "value_and_grad": lambda f, x: ud.value_and_grad(f)(x),
    "vjp": lambda f, x: ud.vjp(f, x),
    "jvp": lambda f, x: ud.jvp(f, (x,), (x,)),
    "linearize": lambda f, x: ud.linearize(f, x),
    "jacfwd": lambda f, x: ud.jacfwd(f)(x),
    "jacrev": lambda f, x: ud.jacrev(f)(x),
    "jacobian": lambda f, x: ud.jacobian(f)(x),
    "hessian": lambda f, x: ud.hessian(f)(x),
    "hvp": lambda f, x: ud.hvp(f, (x,), (x,)),
    "check_grads": lambda f, x: ud.check_grads(f, (x,)),
}


@pytest.fixture(params=FIRST_ORDER)
def transform(request):
    return FIRST_ORDER[request.param]


def test_integer_primals(array, transform, integer_dtype):
    with pytest.raises(DTypeError, match=rf"Argument 0\['w'\] has the dtype {integer_dtype}.*astype"):
        transform(lambda d: total(d["w"]), {"w": array([1, 0], integer_dtype)})


@pytest.mark.parametrize("number", [1, True], ids=repr)
def test_integer_numbers(transform, number):
    with pytest.raises(DTypeError, match=r"rgument 0 is the (int|bool) .*pass a float such as 1.0"):
        transform(lambda x: x, number)


@pytest.mark.parametrize("thing", ["text", object(), np.sin], ids=lambda x: type(x).__name__)
def test_primals_that_are_no_arrays(transform, thing):
    with pytest.raises(NotAnArrayError, match=r"rgument 0\[1\] is .*argnums"):
        transform(lambda p: p[0], [1.0, thing])


def test_a_function_that_cannot_be_called(transform):
    with pytest.raises(ArgumentError, match="callable"):
        transform(3.0, 1.0)


@pytest.mark.parametrize("argnums", [2, -3, (0, 5), (0, 0), (0, -2), (), "x", 1.5, (1.5,), None], ids=repr)
@pytest.mark.parametrize("name", ["grad", "value_and_grad", "jacfwd", "jacrev", "jacobian", "hessian"])
def test_argnums(name, argnums):
    with pytest.raises(ArgumentError, match="argnums"):
        getattr(ud, name)(lambda x, y: x * y, argnums)(1.0, 2.0)


def test_arguments_by_keyword_cannot_be_differentiated(array):
    with pytest.raises(ArgumentError, match="pass them by position"):
        ud.grad(total)(x=array([1.0]))


# --- outputs


@pytest.mark.parametrize("name", ["grad", "value_and_grad", "hvp"])
@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: x, r"shape \(2,\).*jacobian"),
        (lambda x: x[:1], r"shape \(1,\)"),
        (lambda x: (x[0], x[1]), "pytree.*has_aux"),
        (lambda x: {"loss": x[0]}, "pytree"),
        (lambda x: [x[0]], "pytree"),
        (lambda x: (), "pytree"),
        (lambda x: ud.array_namespace(x).astype(x[0], ud.array_namespace(x).complex128), "complex128.*real"),
        (lambda x: 1.0j, "complex.*real"),
    ],
    ids=["vector", "one element", "tuple", "dict", "list", "empty", "complex array", "complex number"],
)
def test_gradients_of_what_is_no_scalar(array, name, f, message):
    with pytest.raises(NonScalarOutputError, match=message):
        FIRST_ORDER[name](f, array([1.0, 2.0]))


@pytest.mark.parametrize("name", ["grad", "value_and_grad"])
@pytest.mark.parametrize(("output", "message"), [(None, "return"), ("text", "'text'"), (object(), "object")])
def test_gradients_of_what_is_no_array(array, name, output, message):
    with pytest.raises(NotAnArrayError, match=message):
        FIRST_ORDER[name](lambda x: output, array([1.0, 2.0]))


@pytest.mark.parametrize("name", ["vjp", "jvp", "linearize", "jacfwd", "jacrev"])
def test_outputs_that_are_no_arrays(array, name):
    with pytest.raises(NotAnArrayError, match=r"output\['s'\] is 'text'"):
        FIRST_ORDER[name](lambda x: {"x": x, "s": "text"}, array([1.0]))


@pytest.mark.parametrize("name", ["grad", "value_and_grad", "vjp", "jvp", "linearize", "jacobian", "hessian"])
@pytest.mark.parametrize("result", [1.0, (1.0,), [1.0, 2.0], (1.0, 2.0, 3.0)], ids=repr)
def test_aux_needs_a_pair(name, result):
    run = {
        "vjp": lambda f: ud.vjp(f, 1.0, has_aux=True),
        "jvp": lambda f: ud.jvp(f, (1.0,), (1.0,), has_aux=True),
        "linearize": lambda f: ud.linearize(f, 1.0, has_aux=True),
    }.get(name, lambda f: getattr(ud, name)(f, has_aux=True)(1.0))
    with pytest.raises(ArgumentError, match="has_aux=True"):
        run(lambda x: result)


# --- tangents and cotangents


BAD_TANGENTS = [
    ("tree", lambda a: {"w": a([1.0, 2.0]), "extra": a([1.0])}, TreeError, "structure"),
    ("list", lambda a: [a([1.0, 2.0])], TreeError, "structure"),
    ("bare", lambda a: a([1.0, 2.0]), TreeError, "structure"),
    ("shape", lambda a: {"w": a([1.0, 2.0, 3.0])}, ShapeError, r"\['w'\] has the shape \(3,\).*\(2,\)"),
    ("broadcastable", lambda a: {"w": a([1.0])}, ShapeError, r"\['w'\].*\(1,\)"),
    ("number", lambda a: {"w": 1.0}, ShapeError, r"\['w'\] is a number"),
    ("precision", lambda a: {"w": a([1.0, 2.0], "float32")}, DTypeError, r"\['w'\] has the dtype float32.*float64.*astype"),
    ("complex", lambda a: {"w": a([1.0, 2.0], "complex128")}, DTypeError, "complex128"),
    ("integer", lambda a: {"w": a([1, 2], "int64")}, DTypeError, "int64"),
    ("text", lambda a: {"w": "text"}, NotAnArrayError, r"\['w'\].*'text'"),
]


@pytest.mark.parametrize(("make", "error", "message"), [t[1:] for t in BAD_TANGENTS], ids=[t[0] for t in BAD_TANGENTS])
@pytest.mark.parametrize("name", ["jvp", "linearize", "vjp"])
def test_tangents_and_cotangents_that_do_not_fit(array, name, make, error, message):
    primal = {"w": array([1.0, 2.0])}
    bad = make(array)
    run = {
        "jvp": lambda: ud.jvp(lambda d: d, (primal,), (bad,)),
        "linearize": lambda: ud.linearize(lambda d: d, primal)[1](bad),
        "vjp": lambda: ud.vjp(lambda d: d, primal)[1](bad),
    }[name]
    with pytest.raises(error, match=message):
        run()


def test_bare_tangents_that_do_not_fit(array):
    x = array([1.0, 2.0])
    with pytest.raises(ShapeError, match="tangent 0"):
        ud.jvp(lambda x: x, (x,), (array([1.0]),))
    with pytest.raises(TreeError, match="structure"):
        ud.jvp(lambda x: x, (x,), ([x],))
    with pytest.raises(TreeError, match="structure"):
        ud.vjp(lambda x: x, x)[1]([x])
    with pytest.raises(TreeError, match="structure"):
        ud.vjp(lambda x: (x, x), x)[1](x)
    with pytest.raises(ShapeError, match="cotangent"):
        ud.vjp(lambda x: x, x)[1](array([1.0]))


def test_primals_and_tangents_are_sequences(array):
    x = array([1.0, 2.0])
    for primals, tangents in ((x, (x,)), ((x,), x), ({"x": x}, {"x": x})):
        with pytest.raises(ArgumentError, match=r"must be a tuple.*write \(x,\)"):
            ud.jvp(total, primals, tangents)
    with pytest.raises(TreeError, match="1 primals, but 2 tangents"):
        ud.jvp(total, (x,), (x, x))
    with pytest.raises(TreeError, match="1 primals, but 0 tangents"):
        ud.linearize(total, x)[1]()


# --- mixing


def others(backend):
    return [name for name in ud.backends(arrays=True) if name != backend]


def test_arrays_of_two_libraries(backend, array):
    for name in others(backend):
        x, y = array([1.0]), ud.asarray([1.0], backend=name)
        calls = [
            lambda x=x, y=y: ud.grad(total)(x, y),
            lambda x=x, y=y: ud.grad(total)({"a": x, "b": [y]}),
            lambda x=x, y=y: ud.grad(total)(x, y=y),
            lambda x=x, y=y: ud.vjp(total, x, y),
            lambda x=x, y=y: ud.jvp(total, (x, y), (x, y)),
            lambda x=x, y=y: ud.jacobian(total)(x, [y]),
        ]
        for call in calls:
            with pytest.raises(MixedBackendsError, match=rf"argument.* is {backend}.*argument.* is {name}.*to_backend"):
                call()
        with pytest.raises(MixedBackendsError, match="to_backend"):
            ud.array_namespace(x, y)
        with pytest.raises(MixedBackendsError, match="to_backend"):
            ud.jvp(total, (x,), (y,))
        with pytest.raises(MixedBackendsError, match="to_backend"):
            ud.vjp(total, x)[1](ud.asarray(1.0, backend=name))
        with pytest.raises(MixedBackendsError, match="backend="):
            ud.grad(total, backend=name)(x)


def test_an_output_of_another_library(backend, array):
    for name in others(backend):
        constant = ud.asarray(1.0, backend=name)
        with pytest.raises(MixedBackendsError, match="array_namespace"):
            ud.grad(lambda x, c=constant: c)(array([1.0]))
        with pytest.raises(MixedBackendsError, match=r"output\[1\]"):
            ud.vjp(lambda x, c=constant: (x, c), array([1.0]))


class Elsewhere:
    """An array of its own library on a device of its own choice."""

    __unidiff_backend__ = "elsewhere"

    def __init__(self, device):
        self.device, self.shape, self.dtype, self.ndim = device, (), "float64", 0


def test_arrays_on_two_devices(clean_registry):
    class Backend:
        info = ud.BackendInfo(name="elsewhere", api_version=1, factory="", arrays=())

        def namespace(self, *arrays):
            raise AssertionError

        to_device = devices = asarray = from_dlpack = to_numpy = vjp = namespace

        def device(self, x):
            return x.device

    ud.register_backend(Backend())
    here, there = Elsewhere("cpu"), Elsewhere("gpu:1")
    for call in (
        lambda: ud.grad(total)(here, there),
        lambda: ud.grad(total)([here, {"y": there}]),
        lambda: ud.grad(total)(here, y=there),
        lambda: ud.jvp(total, (here, there), (here, there)),
    ):
        with pytest.raises(MixedDevicesError, match=r"argument.* is on cpu.*argument.* is on gpu:1.*to_device"):
            call()


# --- backends


def test_unknown_backends():
    for call in (
        lambda: ud.grad(total, backend="unheard_of")(1.0),
        lambda: ud.namespace("unheard_of"),
        lambda: ud.asarray(1.0, backend="unheard_of"),
        lambda: ud.to_backend(1.0, "unheard_of"),
    ):
        with pytest.raises(UnknownBackendError, match="numpy"):
            call()


def test_arrays_nobody_knows():
    class Unknown:
        shape, dtype = (), "float64"

        def __array_namespace__(self):
            return None

    for call in (lambda: ud.grad(lambda x: x)(Unknown()), lambda: ud.array_namespace(Unknown())):
        with pytest.raises(UnknownBackendError, match="Unknown"):
            call()


def test_one_except_clause_catches_all():
    assert issubclass(BackendLoadError, UnidiffError)
    with pytest.raises(UnidiffError):
        ud.grad(lambda x: x)(1)
    with pytest.raises(TypeError):
        ud.grad(lambda x: x)(1)
