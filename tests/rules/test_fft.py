"""Fourier transforms: every function with each normalization, lengths that crop and pad, even and odd."""

import numpy as np
import pytest

C = "complex"
NORMS = ("backward", "ortho", "forward")
REAL_INPUT = ("rfft", "ihfft", "rfftn")
ONE_AXIS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
SEVERAL = ("fftn", "ifftn", "rfftn", "irfftn")
LENGTHS = {"own": {}, "cropped": {"n": 3}, "padded even": {"n": 8}, "padded odd": {"n": 9, "axis": 0}, "axis": {"axis": -2}}
SHAPES = {
    "all": {},
    "axes": {"axes": (0, 2)},
    "one": {"axes": (1,)},
    "sizes": {"s": (3, 5), "axes": (0, 1)},
    "reversed": {"s": (5, 2), "axes": (2, 0)},
    "negative": {"s": (4,), "axes": (-2,)},
}


def transform(name, options):
    return lambda xp, x: getattr(xp.fft, name)(x, **options)


CASES = {
    **{
        f"{name} {variant} {norm}": (transform(name, {**options, "norm": norm}), (4, 5) if name in REAL_INPUT else (C, 4, 5))
        for name in ONE_AXIS
        for variant, options in LENGTHS.items()
        for norm in (NORMS if variant in ("own", "padded odd") else ("backward",))
    },
    **{
        f"{name} {variant} {norm}": (
            transform(name, {**options, "norm": norm}),
            (2, 3, 4) if name in REAL_INPUT else (C, 2, 3, 4),
        )
        for name in SEVERAL
        for variant, options in SHAPES.items()
        for norm in (NORMS if variant == "sizes" else ("backward",))
    },
    **{
        f"{name} {axes}": (transform(name, {} if axes is None else {"axes": axes}), (C, 3, 4))
        for name in ("fftshift", "ifftshift")
        for axes in (None, 0, (0, 1))
    },
}


@pytest.mark.parametrize("name", CASES)
def test_transforms(name, engine, check, inputs):
    function, *specifications = CASES[name]
    check(engine, function, inputs(*specifications))


@pytest.mark.parametrize("name", ["fft", "ifft", "irfft", "hfft", "fftn", "ifftn", "irfftn"])
def test_real_arguments_have_real_derivatives_where_numpy_accepts_them(name, numpy_engine, derivatives):
    x = np.random.default_rng(0).normal(size=(4,))
    case = derivatives(numpy_engine, transform(name, {}), [x])
    t = np.random.default_rng(1).normal(size=(4,))
    (y,), (pushed,) = case.jvp([t])
    np.testing.assert_allclose(pushed, getattr(np.fft, name)(t), rtol=1e-13, atol=1e-14)
    (pulled,) = case.vjp([y])[1]
    assert pulled.dtype == x.dtype
    np.testing.assert_allclose(np.sum(pulled * t), np.sum(np.real(np.conj(y) * pushed)), rtol=1e-12)


def test_positional_arguments_are_those_of_numpy(numpy_engine, derivatives):
    x = np.arange(4.0)
    named = derivatives(numpy_engine, lambda xp, x: xp.fft.rfft(x, n=6, axis=0, norm="ortho"), [x])
    positional = derivatives(numpy_engine, lambda xp, x: xp.fft.rfft(x, 6, 0, "ortho"), [x])
    cotangent = [np.ones(4, dtype=complex)]
    np.testing.assert_array_equal(positional.vjp(cotangent)[1], named.vjp(cotangent)[1])


@pytest.mark.parametrize("name", ["fftfreq", "rfftfreq"])
def test_frequencies_are_created(name, engine):
    xp = engine.namespace()
    np.testing.assert_allclose(engine.to_numpy(getattr(xp.fft, name)(5, d=0.5)), getattr(np.fft, name)(5, 0.5))


@pytest.mark.parametrize("name", [*ONE_AXIS, *SEVERAL, "fftshift"])
def test_derivatives_under_vmap(name, engine):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 4, 4)) + (0 if name in REAL_INPUT else 1j * rng.normal(size=(3, 4, 4)))
    xp = engine.namespace()

    def gradient(x):
        return engine.value_and_grad(lambda x: (xp.sum(xp.abs(getattr(xp.fft, name)(x)) ** 2),), (x,))[1]

    x = engine.asarray(x)
    (mapped,) = engine.vmap(gradient, (x,), (True,), 3)
    for k in range(3):
        np.testing.assert_allclose(engine.to_numpy(mapped)[k], engine.to_numpy(gradient(x[k, ...])[0]), rtol=1e-12, atol=1e-13)
