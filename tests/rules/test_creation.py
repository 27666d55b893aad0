"""Creation functions: constants, parts of matrices, and numbers that are traced."""

import array_api_strict
import numpy as np
import pytest

from unidiff.errors import NotDifferentiableError, TracedConversionError

C = "complex"
CASES = {
    "meshgrid xy": (lambda xp, x, y: xp.meshgrid(x, y), (3,), (2,)),
    "meshgrid ij": (lambda xp, x, y: xp.meshgrid(x, y, indexing="ij"), (3,), (2,)),
    "meshgrid three": (lambda xp, x, y, z: xp.meshgrid(x, y, z), (3,), (2,), (1,)),
    "meshgrid one": (lambda xp, x: xp.meshgrid(x), (3,)),
    "meshgrid constant": (lambda xp, x: xp.meshgrid(x, xp.ones(2, dtype=x.dtype)), (3,)),
    "meshgrid complex": (lambda xp, x, y: xp.meshgrid(x, y, indexing="ij"), (C, 2), (C, 2)),
    "tril": (lambda xp, x: xp.tril(x), (3, 3)),
    "tril offset": (lambda xp, x: xp.tril(x, k=1), (2, 3)),
    "tril stack": (lambda xp, x: xp.tril(x, k=-1), (2, 2, 2)),
    "triu": (lambda xp, x: xp.triu(x), (3, 3)),
    "triu offset": (lambda xp, x: xp.triu(x, k=-1), (2, 3)),
    "triu complex": (lambda xp, x: xp.triu(x), (C, 2, 2)),
    "asarray same": (lambda xp, x: xp.asarray(x), (3,)),
    "asarray copy": (lambda xp, x: xp.asarray(x, copy=True), (3,)),
    "asarray dtype": (lambda xp, x: xp.asarray(x, dtype=x.dtype), (3,)),
}
CONSTANTS = {
    "zeros": lambda xp, x: xp.zeros(x.shape, dtype=x.dtype),
    "ones": lambda xp, x: xp.ones(x.shape, dtype=x.dtype),
    "full": lambda xp, x: xp.full(x.shape, 2.0, dtype=x.dtype),
    "eye": lambda xp, x: xp.eye(x.shape[0], dtype=x.dtype)[1, :],
    "arange": lambda xp, x: xp.arange(x.shape[0], dtype=x.dtype),
    "linspace": lambda xp, x: xp.linspace(0.0, 2.0, x.shape[0], dtype=x.dtype),
    "zeros_like": lambda xp, x: xp.zeros_like(x),
    "ones_like": lambda xp, x: xp.ones_like(x, dtype=x.dtype),
    "full_like": lambda xp, x: xp.full_like(x, 3.0),
    "full_like keyword": lambda xp, x: xp.full_like(x, fill_value=3.0, dtype=x.dtype),
}


@pytest.mark.parametrize("name", CASES)
def test_against_differences(name, engine, check, inputs):
    function, *specifications = CASES[name]
    check(engine, function, inputs(*specifications))


@pytest.mark.parametrize("name", CONSTANTS)
def test_made_arrays_are_constants(name, engine, check, inputs):
    maker = CONSTANTS[name]
    check(engine, lambda xp, x: maker(xp, x) * x + maker(xp, x), inputs((3,)))


@pytest.mark.parametrize("name", CONSTANTS)
def test_derivative_of_a_made_array_is_zero_in_both_modes(name, engine, derivatives, inputs):
    case = derivatives(engine, CONSTANTS[name], inputs((3,)))
    _, (pushed,) = case.jvp([np.ones(3)])
    _, (pulled,) = case.vjp([np.ones(3)])
    np.testing.assert_array_equal(pushed, np.zeros(3))
    np.testing.assert_array_equal(pulled, np.zeros(3))


def test_empty_like_has_shape_and_dtype(engine):
    xp = engine.namespace()
    shapes = []

    def loss(x):
        made = xp.empty_like(x)
        shapes.append((made.shape, made.dtype == x.dtype))
        return (xp.sum(x),)

    engine.value_and_grad(loss, (engine.asarray([1.0, 2.0]),))
    assert shapes == [((2,), True)]


# --- traced numbers. Libraries need not take arrays where the standard has numbers, so the expected values are written out.

NUMBERS = {
    "full": (lambda xp, a: xp.full((2, 3), a), lambda a: np.full((2, 3), a), [1.5]),
    "full one axis": (lambda xp, a: xp.full(3, fill_value=a), lambda a: np.full(3, a), [1.5]),
    "full 0-d": (lambda xp, a: xp.full((), a), lambda a: np.full((), a), [1.5]),
    "full_like": (lambda xp, a: xp.full_like(xp.zeros(2), a, dtype=a.dtype), lambda a: np.full(2, a), [1.5]),
    "full complex": (lambda xp, a: xp.full((2,), a), lambda a: np.full(2, a), [1.5 - 2j]),
    "linspace both": (lambda xp, a, b: xp.linspace(a, b, 4), lambda a, b: np.linspace(a, b, 4), [1.5, -2.0]),
    "linspace start": (lambda xp, a: xp.linspace(a, 2.0, num=4), lambda a: np.linspace(a, 2.0, 4), [0.5]),
    "linspace stop": (
        lambda xp, b: xp.linspace(0, b, 4, endpoint=False),
        lambda b: np.linspace(0, b, 4, endpoint=False),
        [0.5],
    ),
    "linspace one": (lambda xp, a, b: xp.linspace(a, b, 1), lambda a, b: np.linspace(a, b, 1), [0.5, 2.0]),
    "linspace none": (lambda xp, a, b: xp.linspace(a, b, 0), lambda a, b: np.linspace(a, b, 0), [0.5, 2.0]),
    "linspace complex": (lambda xp, a: xp.linspace(a, 2.0, 3), lambda a: np.linspace(a, 2.0, 3), [0.5 + 1j]),
    "arange all": (lambda xp, a, b, c: xp.arange(a, b, c), lambda a, b, c: np.arange(a, b, c, dtype=a.dtype), [0.25, 2.0, 0.5]),
    "arange start": (lambda xp, a: xp.arange(a, 3.0), lambda a: np.arange(a, 3.0, dtype=a.dtype), [0.25]),
    "arange stop": (lambda xp, b: xp.arange(b, dtype=b.dtype), lambda b: np.arange(b, dtype=b.dtype), [2.25]),
    "arange down": (lambda xp, c: xp.arange(2.0, step=c, stop=-1.0), lambda c: np.arange(2.0, -1.0, c, dtype=c.dtype), [-0.7]),
    "arange none": (lambda xp, a: xp.arange(a, 0.0), lambda a: np.arange(a, 0.0, dtype=a.dtype), [0.25]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_traced_numbers(name, engine, check):
    function, expected, values = NUMBERS[name]

    def both(xp, *numbers):
        plain = all(type(x) in (np.ndarray, np.float64, np.float32, np.complex128, np.complex64) for x in numbers)
        if plain and hasattr(xp, "ndarray"):  # NumPy's own namespace, which the oracle uses
            return expected(*numbers)
        return function(xp, *numbers)

    check(engine, both, [np.asarray(v) for v in values])


def test_list_with_traced_elements_keeps_the_derivative(engine):
    xp = engine.namespace()
    loss = lambda x: (xp.sum(xp.asarray([[x[0], 2.0], [x[1], x[0] * x[1]]], dtype=x.dtype)),)
    _, (g,) = engine.value_and_grad(loss, (engine.asarray([3.0, 5.0]),))
    np.testing.assert_array_equal(engine.to_numpy(g), [6, 4])


@pytest.mark.parametrize("name", ["zeros", "ones", "eye"])
def test_traced_sizes_are_refused(name, engine):
    xp = engine.namespace()
    with pytest.raises(NotDifferentiableError, match=name):
        engine.value_and_grad(lambda x: (xp.sum(getattr(xp, name)(x) * x),), (engine.asarray(2.0),))


def test_from_dlpack_refuses_traced_arrays(engine):
    xp = engine.namespace()
    with pytest.raises((NotDifferentiableError, TracedConversionError)):
        engine.value_and_grad(lambda x: (xp.sum(xp.from_dlpack(x)),), (engine.asarray([2.0]),))


def test_traced_namespace_makes_constants_of_its_own_kind(engine):
    kinds = []

    def loss(x):
        xp = x.__array_namespace__()
        made = [xp.zeros(2), xp.full(2, 1.0), xp.linspace(0, 1, 2), xp.arange(2), xp.asarray([1.0, 2.0]), xp.full_like(x, 2.0)]
        kinds.extend(type(y) is type(x) for y in made)
        return (xp.sum(x),)

    engine.value_and_grad(loss, (engine.asarray([2.0, 1.0]),))
    assert all(kinds)
    assert len(kinds) == 6


MAKERS = {
    "zeros": lambda xp, x: xp.zeros(2),
    "ones": lambda xp, x: xp.ones(2),
    "full": lambda xp, x: xp.full(2, 1.0),
    "full traced": lambda xp, x: xp.full(2, x[0]),
    "full_like": lambda xp, x: xp.full_like(x, 1.0),
    "zeros_like": lambda xp, x: xp.zeros_like(x),
    "eye": lambda xp, x: xp.eye(2),
    "arange": lambda xp, x: xp.arange(2.0),
    "arange traced": lambda xp, x: xp.arange(x[1]),
    "linspace": lambda xp, x: xp.linspace(0.0, 1.0, 2),
    "linspace traced": lambda xp, x: xp.linspace(0.0, x[0], 2),
    "asarray": lambda xp, x: xp.asarray([1.0, 2.0]),
    "asarray traced": lambda xp, x: xp.asarray([x[0], 2.0]),
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("engine", ["strict"], indirect=True)
def test_created_arrays_follow_the_device_of_the_arguments(name, engine):
    other = array_api_strict.Device("device1")
    xp = engine.namespace()
    x = xp.asarray([1.0, 2.0], device=other)
    devices = []

    def loss(x):
        devices.extend(MAKERS[name](namespace, x).device for namespace in (xp, x.__array_namespace__()))
        return (xp.sum(x * x),)

    _, (g,) = engine.value_and_grad(loss, (x,))
    engine.jvp(loss, (x,), (x,))
    assert devices == [other] * 4
    assert g.device == other
    assert xp.zeros(2).device != other


@pytest.mark.parametrize("engine", ["strict"], indirect=True)
def test_a_named_device_and_an_array_stay_where_they_are(engine):
    other, third = array_api_strict.Device("device1"), array_api_strict.Device("device2")
    xp = engine.namespace()
    elsewhere = xp.asarray([1.0], device=third)
    devices = []

    def loss(x):
        devices.extend([xp.zeros(2, device=third).device, xp.asarray(elsewhere).device, xp.asarray([1.0], device=third).device])
        return (xp.sum(x),)

    engine.value_and_grad(loss, (xp.asarray([1.0, 2.0], device=other),))
    assert devices == [third] * 3
