"""The namespaces of the engine: names and signatures, what is plain and what is traced, creation, conversion."""

import inspect
import sys

import array_api_compat
import numpy as np
import pytest

import unidiff as ud
from tests.rules.test_coverage import NAMES
from unidiff.errors import ArgumentError, DeviceError, TracedConversionError

CONSTANTS = "e inf nan newaxis pi".split()
DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128".split()
CREATED = {
    "arange": lambda xp: xp.arange(3),
    "asarray": lambda xp: xp.asarray([[1.0, 2.0]]),
    "asarray of numbers": lambda xp: xp.asarray(1.5),
    "asarray, another dtype": lambda xp: xp.asarray([1, 2], dtype=xp.float32),
    "empty": lambda xp: xp.empty((2,)),
    "eye": lambda xp: xp.eye(2),
    "full": lambda xp: xp.full((2,), 3.0),
    "linspace": lambda xp: xp.linspace(0.0, 1.0, 3),
    "ones": lambda xp: xp.ones((2, 0)),
    "zeros": lambda xp: xp.zeros(()),
    "fftfreq": lambda xp: xp.fft.fftfreq(4),
    "rfftfreq": lambda xp: xp.fft.rfftfreq(4),
}
EVALUATED = {
    "elementwise": (lambda xp, x: xp.sin(x), 1),
    "operators": (lambda xp, x: -x / 2 + 1, 1),
    "comparison": (lambda xp, x: x > 1, 1),
    "reduction": (lambda xp, x: xp.sum(x), 1),
    "integers": (lambda xp, x: xp.argsort(x), 1),
    "composite": (lambda xp, x: xp.sort(x), 1),
    "manipulation": (lambda xp, x: xp.stack([x, x]), 1),
    "like": (lambda xp, x: xp.zeros_like(x), 1),
    "full like": (lambda xp, x: xp.full_like(x, 2.0), 1),
    "part": (lambda xp, x: x[1:], 1),
    "linalg": (lambda xp, x: xp.linalg.outer(x, x), 1),
    "fft": (lambda xp, x: xp.fft.fft(xp.astype(x, xp.complex128)), 1),
    "meshgrid": (lambda xp, x: xp.meshgrid(x, x), 2),
    "broadcast_arrays": (lambda xp, x: xp.broadcast_arrays(x, xp.reshape(x, (2, 1))), 2),
    "unstack": (lambda xp, x: xp.unstack(x), 2),
    "several": (lambda xp, x: xp.linalg.qr(xp.linalg.outer(x, x)), 2),
}


@pytest.fixture(params=["plain", "traced"])
def face(request, engine):
    return getattr(engine.domain, request.param)


def lookup(xp, dotted):
    for part in dotted.split("."):
        xp = getattr(xp, part)
    return xp


@pytest.mark.parametrize("name", [name for name in NAMES if name != "__array_namespace_info__"])
def test_functions_carry_name_and_signature(name, face, engine):
    function, raw = lookup(face, name), lookup(engine.domain.raw, name) if name != "asarray" else None
    assert function.__name__ == name.rpartition(".")[2]
    try:
        expected = inspect.signature(raw) if raw is not None else None
    except ValueError:  # some universal functions of NumPy tell no signature
        return
    if expected is not None:
        assert inspect.signature(function) == expected


def test_constants_and_dtypes_are_those_of_the_library(face, engine):
    xp = engine.domain.library.xp
    for name in CONSTANTS + DTYPES:
        assert getattr(face, name) is getattr(xp, name) or np.isnan(getattr(face, name))


def test_inspection(face, engine):
    info = face.__array_namespace_info__()
    assert isinstance(info.devices(), tuple | list)
    assert info.capabilities()["boolean indexing"]
    assert set(info.dtypes()) >= {"float64", "complex128", "bool"}
    assert face.__array_api_version__ == engine.domain.library.xp.__array_api_version__
    assert face.result_type(face.float32, face.float64) == face.float64
    assert face.finfo(face.float64).eps == np.finfo(np.float64).eps


def test_namespaces_are_modules_with_stable_names(face, engine):
    assert sys.modules[face.__name__].__name__ == face.__name__
    assert len({face, engine.domain.plain, engine.domain.traced, engine.domain.raw}) == 3
    for submodule in ("linalg", "fft", "special"):
        assert getattr(face, submodule).__name__ == f"{face.__name__}.{submodule}"


def test_a_second_backend_of_the_name_leaves_the_first_alone(engine):
    function = engine.domain.plain.sin
    type(engine)() if engine.info.name == "numpy" else type(engine)(engine.info, engine.domain.library, {})
    assert engine.domain.plain.sin is function
    x = engine.asarray([1.0, 2.0])
    value, _ = engine.value_and_grad(lambda x: (engine.domain.traced.sum(x * x),), (x,))
    assert float(engine.to_numpy(value)) == 5


@pytest.mark.parametrize("name", CREATED)
def test_creation_makes_the_kind_of_its_namespace(name, engine):
    domain = engine.domain
    plain, traced = CREATED[name](domain.plain), CREATED[name](domain.traced)
    assert isinstance(plain, domain.library.array_types)
    assert type(traced) is domain.array_class
    assert traced._trace is domain.constant
    assert (traced.shape, traced.dtype, traced.device) == (plain.shape, plain.dtype, plain.device)


@pytest.mark.parametrize("name", EVALUATED)
def test_functions_return_the_kind_of_their_arguments(name, face, engine):
    domain = engine.domain
    function, count = EVALUATED[name]
    x = domain.library.xp.asarray([1.0, 2.0])
    for array, kind in ((x, domain.library.array_types), (domain.traced.asarray(x), domain.array_class)):
        result = function(face, array)
        if face is domain.traced and kind is domain.library.array_types:
            continue  # plain arrays in the traced namespace are constants or plain, as the function has it
        parts = result if count > 1 else (result,)
        assert len(parts) == count
        assert all(isinstance(part, kind) for part in parts)


@pytest.mark.parametrize("name", ["meshgrid", "broadcast_arrays", "unstack"])
def test_several_results_are_a_tuple(name, engine):
    for x in (engine.asarray([1.0, 2.0]), engine.domain.traced.asarray([1.0, 2.0])):
        assert type(EVALUATED[name][0](engine.domain.plain, x)) is tuple


def test_array_api_compat_finds_the_traced_namespace(engine):
    seen = []

    def f(x):
        xp = array_api_compat.array_namespace(x, xp_constant := engine.domain.traced.ones(2), 1.0, None)
        seen.append((xp, array_api_compat.is_array_api_obj(x), array_api_compat.device(x), array_api_compat.size(x)))
        return (xp.sum(x * xp_constant),)

    x = engine.asarray([1.0, 2.0])
    engine.value_and_grad(f, (x,))
    assert seen == [(engine.domain.traced, True, x.device, 2)]


# --- asarray


def test_asarray_copies_when_it_is_asked_to(engine):
    xp = engine.domain.traced
    for values in ([1.0, 2.0], [1, 2], [True, False]):
        x = xp.asarray(values)
        same, copied = xp.asarray(x, copy=False), xp.asarray(x, copy=True)
        x[0] = values[1]
        assert bool(same[0] == values[1])
        assert bool(copied[0] == values[0])


def test_asarray_that_cannot_do_without_a_copy_raises(engine):
    xp = engine.domain.traced
    x = xp.asarray([1.0, 2.0])
    with pytest.raises(ArgumentError, match="copy"):
        xp.asarray(x, dtype=xp.float32, copy=False)
    with pytest.raises(ArgumentError, match="copy"):
        xp.asarray([x, x], copy=False)
    with pytest.raises((DeviceError, ValueError)):
        xp.asarray(x, device="nowhere")


def test_asarray_keeps_derivatives(engine):
    xp = engine.namespace()

    def f(x):
        nested = xp.asarray([[x[0], 2.0], [x[1] ** 2, x[0] * x[1]]])
        single = xp.asarray(xp.asarray(x, copy=True), dtype=xp.float32)
        return (xp.sum(nested) + xp.astype(xp.sum(single), xp.float64),)

    x = engine.asarray([3.0, 5.0])
    _, (g,) = engine.value_and_grad(f, (x,))
    np.testing.assert_array_equal(engine.to_numpy(g), [1 + 5 + 1, 2 * 5 + 3 + 1])


# --- to other libraries


def test_dlpack_of_constants_only(engine):
    constant = engine.domain.traced.asarray([1.0, 2.0])
    assert constant.__dlpack_device__() == engine.asarray([1.0]).__dlpack_device__()
    np.testing.assert_array_equal(np.from_dlpack(constant), [1.0, 2.0])

    def f(x):
        np.from_dlpack(x)
        return (x[0],)

    with pytest.raises(TracedConversionError, match="from_dlpack"):
        engine.value_and_grad(f, (engine.asarray([1.0]),))


def test_namespace_by_name_and_by_array_is_one():
    assert ud.namespace("numpy") is ud.array_namespace(np.ones(2)) is ud.get_backend("numpy").backend.domain.plain


@pytest.mark.parametrize("dtype", DTYPES)
def test_asarray_of_nested_scalars_keeps_every_dtype(dtype, engine):
    xp = engine.domain.traced
    a = xp.asarray([1, 0], dtype=getattr(xp, dtype))
    found = xp.asarray([[a[0], a[1]], [a[1], a[0]]])
    assert found.dtype == a.dtype
    np.testing.assert_array_equal(engine.to_numpy(found._value), np.asarray([[1, 0], [0, 1]]).astype(dtype))
