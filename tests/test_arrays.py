import numpy as np
import pytest

import unidiff as ud
from unidiff.errors import DeviceError, DTypeError, MixedBackendsError, NotAnArrayError, TracedConversionError


def name_of(x):
    return ud.get_backend(x).name


def dtype_of(x):
    return str(x.dtype).rpartition(".")[2]


# --- namespaces


def test_array_namespace(backend, array, xp):
    x = array([1.0, 2.0])
    for arrays in ((x,), (x, x), (1.0, x), (x, None, 2j, True), (np.float64(1.0), x)):
        np.testing.assert_allclose(ud.to_numpy(ud.array_namespace(*arrays).exp(x)), np.exp([1.0, 2.0]), rtol=1e-15)
    assert xp.asarray([1.0]) is not None
    assert name_of(xp.zeros(2)) == backend


def test_namespace_of_traced_and_plain_arrays_mixed(array, check):
    constant = array([3.0, 4.0])

    def f(x):
        for arrays in ((x, constant), (constant, x), (x, 1.0, constant)):
            xp = ud.array_namespace(*arrays)
            total = xp.sum(xp.multiply(constant, x)) + xp.sum(xp.stack([x, constant]))
        return total

    check(ud.grad(f)(array([1.0, 2.0])), np.asarray([4.0, 5.0]))


@pytest.mark.parametrize("number", [np.float64(4.0), np.complex128(4.0), np.sum(np.ones(4))], ids=repr)
def test_numbers_that_numpy_returns_in_the_place_of_arrays_have_its_namespace(number):
    """Although they are Python's ``float`` and ``complex``: a function that takes the root of a sum runs as it is."""
    assert ud.array_namespace(number).sqrt(number) == 2
    assert ud.array_namespace(1.0, number, None) is ud.namespace("numpy")


@pytest.mark.parametrize("things", [(), (1.0,), (None,), (1.0, None)], ids=repr)
def test_array_namespace_needs_an_array(things):
    with pytest.raises(NotAnArrayError, match="namespace"):
        ud.array_namespace(*things)


@pytest.mark.parametrize("thing", ["text", [1.0], object(), {}], ids=lambda x: type(x).__name__)
def test_array_namespace_of_other_things(array, thing):
    with pytest.raises(NotAnArrayError, match="asarray"):
        ud.array_namespace(array([1.0]), thing)


# --- asarray


@pytest.mark.parametrize("obj", [2.0, [1.0, 2.0], [[1.0], [2.0]], np.asarray([1.0, 2.0]), []], ids=repr)
def test_asarray(backend, obj, real_dtype):
    x = ud.asarray(obj, backend=backend, dtype=real_dtype)
    assert name_of(x) == backend
    assert dtype_of(x) == real_dtype
    np.testing.assert_array_equal(ud.to_numpy(x), np.asarray(obj, real_dtype))


@pytest.mark.parametrize(
    "obj",
    ["text", ["text"], None, object(), {"a": 1.0}, {1.0}, [[1.0], [1.0, 2.0]], 2**70, np.asarray(["a"]), np.asarray([None])],
    ids=lambda obj: "object" if type(obj) is object else repr(obj),
)
def test_asarray_of_what_is_not_made_of_numbers(backend, obj):
    with pytest.raises(NotAnArrayError):
        ud.asarray(obj, backend=backend)


@pytest.mark.parametrize("dtype", ["float63", "sum", "", 3, object()], ids=lambda x: str(x)[:7])
def test_asarray_with_an_unknown_dtype(backend, dtype):
    with pytest.raises(DTypeError, match="no dtype"):
        ud.asarray([1.0], backend=backend, dtype=dtype)


@pytest.mark.parametrize("device", ["nowhere", "cpu:99", 3.5, object()], ids=lambda x: str(x)[:7])
def test_conversion_to_an_unknown_device(backend, device):
    other = next(name for name in ud.backends(arrays=True) if name != backend)
    for convert in (
        lambda: ud.asarray([1.0], backend=backend, device=device),
        lambda: ud.to_backend(ud.asarray([1.0], backend=other, dtype="float32"), backend, device=device),
    ):
        with pytest.raises(DeviceError):
            convert()


def test_asarray_takes_dtypes_of_the_backend_and_devices(backend, xp):
    x = ud.asarray([1, 2], backend=backend, dtype=xp.float32, device=ud.device(xp.zeros(1)))
    assert dtype_of(x) == "float32"
    assert ud.device(x) == ud.device(xp.zeros(1))


def test_asarray_defaults(backend, array):
    assert name_of(ud.asarray([1.0])) == "numpy"
    assert name_of(ud.asarray(array([1.0]))) == backend
    assert name_of(ud.asarray([array(1.0), array(2.0)])) == backend
    assert name_of(ud.asarray(array([1.0]), backend="numpy")) == "numpy"


def test_asarray_of_a_list_of_traced_arrays_keeps_the_derivative(array, check):
    def f(x):
        xp = ud.array_namespace(x)
        return xp.sum(ud.asarray([x[0], [3.0][0], x[1] * x[1]]) * array([1.0, 10.0, 100.0]))

    check(ud.grad(f)(array([2.0, 5.0])), np.asarray([1.0, 1000.0]))


def test_asarray_never_changes_a_dtype_silently(monkeypatch):
    b = ud.get_backend("numpy")
    monkeypatch.setattr(b, "asarray", lambda obj, *, dtype=None, device=None: np.asarray(obj, dtype="float32"))
    with pytest.raises(DTypeError, match="float32 of float64"):
        ud.asarray(np.asarray([1.0]))
    with pytest.raises(DTypeError, match="float32 of float64"):
        ud.asarray([1.0], dtype="float64")


# --- conversion


@pytest.mark.parametrize("kind", ["float32", "float64", "int32", "int64", "uint8", "bool", "complex64", "complex128"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)], ids=str)
def test_conversion_between_all_backends(backend, array, kind, shape):
    values = np.ones(shape, kind)
    for target in ud.backends(arrays=True):
        converted = ud.to_backend({"x": [array(values, kind)], "n": 3}, target)
        assert name_of(converted["x"][0]) == target
        assert dtype_of(converted["x"][0]) == kind
        assert converted["n"] == 3
        np.testing.assert_array_equal(ud.to_numpy(converted)["x"][0], values)


def test_conversion_to_the_same_backend_is_free(backend, array):
    x = array([1.0])
    assert ud.to_backend(x, backend) is x


def test_read_only_and_reversed_arrays_convert(backend):
    x = np.arange(4.0)[::-2]
    x.flags.writeable = False
    np.testing.assert_array_equal(ud.to_numpy(ud.to_backend(x, backend)), [3.0, 1.0])


def test_traced_arrays_do_not_leave(backend, array):
    other = next(name for name in ud.backends(arrays=True) if name != backend)
    for run in (
        lambda f: ud.grad(f)(array([1.0, 2.0])),
        lambda f: ud.jvp(f, (array([1.0, 2.0]),), (array([1.0, 0.0]),)),
    ):
        for convert in (ud.to_numpy, lambda x: ud.to_backend(x, other), lambda x: ud.to_backend([x], other)):

            def f(x, convert=convert):
                convert(2.0 * x)
                return ud.array_namespace(x).sum(x)

            with pytest.raises(TracedConversionError):
                run(f)


@pytest.mark.parametrize("thing", ["text", object()], ids=lambda x: type(x).__name__)
def test_what_is_no_array_does_not_convert(thing):
    for convert in (ud.to_numpy, lambda x: ud.to_backend(x, "numpy"), lambda x: ud.to_device(x, "cpu"), ud.device):
        with pytest.raises(NotAnArrayError, match=type(thing).__name__):
            convert(thing)


# --- devices


def test_devices(backend, array):
    x = array([1.0, 2.0])
    device = ud.device(x)
    assert device in ud.get_backend(backend).devices()
    moved = ud.to_device({"x": x, "n": 2.0}, device)
    assert ud.device(moved["x"]) == device
    assert moved["n"] == 2.0


def test_moving_is_differentiable(array, check):
    def f(x):
        xp = ud.array_namespace(x)
        return xp.sum(ud.to_device(x, ud.device(x)) ** 2)

    check(ud.grad(f)(array([1.0, 2.0])), np.asarray([2.0, 4.0]))


@pytest.mark.parametrize("device", ["nowhere", "cpu:99999"])
def test_unknown_devices(backend, array, device):
    with pytest.raises(DeviceError):
        ud.to_device(array([1.0]), device)


# --- stop_gradient


def test_stop_gradient(array, check):
    marker = object()

    def f(x, y):
        xp = ud.array_namespace(x)
        stopped = ud.stop_gradient({"x": x, "n": 2.0, "m": marker})
        assert stopped["m"] is marker
        return xp.sum(x * stopped["x"] * stopped["n"] + ud.stop_gradient(y) * y)

    x, y = np.asarray([1.0, 2.0]), np.asarray([3.0, 4.0])
    check(ud.grad(f, (0, 1))(array(x), array(y)), (2 * x, y))
    _, pushed = ud.jvp(f, (array(x), array(y)), (array(x), array(y)))
    check(pushed, np.sum(2 * x * x + y * y))
    check(ud.hessian(f)(array(x), array(y)), np.zeros((2, 2)))
    check(ud.stop_gradient(array(x)), x)


def test_mixed_lists(backend, array):
    for name in ud.backends(arrays=True):
        if name != backend:
            with pytest.raises(MixedBackendsError):
                ud.asarray([array(1.0), ud.asarray(1.0, backend=name)])
