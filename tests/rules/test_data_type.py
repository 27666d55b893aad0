"""Data type functions: conversion is linear, questions about dtypes have no derivative."""

import numpy as np
import pytest

C = "complex"


def _complex_of(xp, x):
    return xp.complex64 if x.dtype in (xp.float32, xp.complex64) else xp.complex128


CASES = {
    "same": (lambda xp, x: xp.astype(x, x.dtype), (3,)),
    "same without copy": (lambda xp, x: xp.astype(x, x.dtype, copy=False), (C, 3)),
    "wider and back": (lambda xp, x: xp.astype(xp.astype(x, xp.float64), x.dtype) * x, (3,)),
    "to complex": (lambda xp, x: xp.astype(x, _complex_of(xp, x)) * (1 + 2j), (3,)),
    "through integers": (lambda xp, x: x * xp.astype(xp.astype(10 * x, xp.int32), x.dtype), (3,)),
    "of booleans": (lambda xp, x: x * xp.astype(x > 0, x.dtype), (3,)),
    "device": (lambda xp, x: xp.astype(x, x.dtype, device=None), (3,)),
}


@pytest.mark.parametrize("name", CASES)
def test_against_differences(name, engine, check, inputs):
    function, *specifications = CASES[name]
    if name == "through integers":
        specifications = [np.asarray([0.24, -1.13, 2.27])]
    check(engine, function, inputs(*specifications))


@pytest.mark.parametrize(("wide", "narrow"), [("float64", "float32"), ("complex128", "complex64")])
def test_derivative_of_a_conversion_has_the_dtype_of_the_primal(wide, narrow, engine):
    xp = engine.namespace()
    x = engine.asarray([1.5, -2.0], dtype=wide)
    convert = lambda x: (xp.astype(x, getattr(xp, narrow)),)
    (y,), pull = engine.vjp(convert, (x,))
    (g,) = pull((xp.ones_like(y),))
    assert y.dtype == getattr(xp, narrow)
    assert g.dtype == getattr(xp, wide)
    (_,), (t,) = engine.jvp(convert, (x,), (xp.ones_like(x),))
    assert t.dtype == getattr(xp, narrow)


def test_projection_onto_the_reals_is_the_adjoint_of_conversion_to_complex(engine):
    xp = engine.namespace()
    (_,), pull = engine.vjp(lambda x: (xp.astype(x, xp.complex128),), (engine.asarray([1.0, 2.0]),))
    (g,) = pull((engine.asarray([3.0 + 4j, 1j]),))
    np.testing.assert_array_equal(engine.to_numpy(g), [3, 0])


def test_questions_about_traced_arrays(engine):
    xp = engine.namespace()
    found = {}

    def loss(x):
        found["result_type"] = xp.result_type(x, xp.float32) == xp.float64
        found["with number"] = xp.result_type(x, 1) == xp.float64
        found["can_cast"] = xp.can_cast(x, xp.float64)
        found["finfo"] = xp.finfo(x).bits == 64
        found["isdtype"] = xp.isdtype(x.dtype, "real floating")
        found["iinfo"] = xp.iinfo(xp.astype(x, xp.int32)).bits == 32
        return (xp.sum(x),)

    engine.value_and_grad(loss, (engine.asarray([1.0, 2.0]),))
    assert all(found.values()), found
    assert len(found) == 6


def test_move_to_the_same_device_keeps_the_derivative(engine, check, inputs):
    check(engine, lambda xp, x: x.to_device(x.device) * x if hasattr(x, "to_device") else x * x, inputs((3,)))


@pytest.mark.parametrize("engine", ["strict"], indirect=True)
def test_move_between_devices_is_pulled_back_to_the_first(engine):
    import array_api_strict

    xp = engine.namespace()
    other = array_api_strict.Device("device1")
    x = engine.asarray([1.0, 2.0])
    for move in (lambda x: x.to_device(other), lambda x: xp.astype(x, xp.float32, device=other)):
        (y,), pull = engine.vjp(lambda x, move=move: (move(x * x),), (x,))
        assert y.device == other
        (g,) = pull((xp.ones_like(y),))
        assert g.device == x.device
        np.testing.assert_array_equal(engine.to_numpy(g), [2, 4])
        (_,), (t,) = engine.jvp(lambda x, move=move: (move(x * x),), (x,), (xp.ones_like(x),))
        assert t.device == other
