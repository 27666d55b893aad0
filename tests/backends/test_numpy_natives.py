"""The lean forms of NumPy's functions where they choose between several ways."""

import math

import numpy as np
import pytest
from unidiff_backends._numpy.natives import NATIVES

import unidiff as ud

random = np.random.default_rng(4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128, np.int16])
@pytest.mark.parametrize("shape", [(3000, 2), (40, 50, 8), (3000, 1), (10, 3)])
@pytest.mark.parametrize("options", [{}, {"axis": -1}, {"axis": -1, "keepdims": True}, {"axis": -1, "dtype": np.complex128}])
def test_sums_along_short_axes(dtype, shape, options):
    x = random.integers(-9, 9, shape).astype(dtype)
    found, expected = NATIVES["sum"](x, **options), np.sum(x, **options)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


FACTORS = {
    "moderate": random.uniform(0.5, 1.5, (4, 6)),
    "negative": -random.uniform(0.5, 1.5, (4, 6)),
    "with a zero": np.where(np.eye(4, 6) > 0, 0.0, 2.0),
    "underflowing": np.asarray([[1e-200, 1e-150, 1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]]),
    "complex": random.normal(size=(4, 6)) + 1j * random.normal(size=(4, 6)),
    "empty": np.ones((0, 6)),
}


@pytest.mark.parametrize("name", FACTORS)
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1), ()])
def test_products_of_others(name, axis):
    x = FACTORS[name]
    axes = (0, 1) if axis is None else (axis,) if isinstance(axis, int) else axis
    found = NATIVES["_products_of_others"](x, axis)
    assert found.shape == x.shape
    for place in np.ndindex(x.shape):
        same = [at for at in np.ndindex(x.shape) if at != place and all(at[a] == place[a] for a in {0, 1} - set(axes))]
        np.testing.assert_allclose(found[place], math.prod(x[at].item() for at in same), rtol=1e-12)


OPERANDS = {
    "matrices": ((3, 4), (4, 2)),
    "matrix and vector": ((3, 4), (4,)),
    "vector and matrix": ((4,), (4, 2)),
    "vectors": ((4,), (4,)),
    "stacks": ((2, 3, 4), (4, 2)),
    "empty": ((3, 0), (0, 2)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128, np.int64])
@pytest.mark.parametrize("name", OPERANDS)
def test_matmul(name, dtype):
    for layout in (np.ascontiguousarray, np.asfortranarray, lambda x: x[::-1]):
        a, b = (layout(random.integers(-9, 9, shape).astype(dtype)) for shape in OPERANDS[name])
        found, expected = NATIVES["matmul"](a, b), np.matmul(a, b)
        np.testing.assert_array_equal(found, expected)  # of small integers: exact in any order of summation
        assert (found.dtype, np.shape(found)) == (expected.dtype, np.shape(expected))


LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "reversed": lambda x: np.ascontiguousarray(x[::-1])[::-1],
    "strided": lambda x: np.repeat(x, 2, -1)[..., ::2],
    "rows of more": lambda x: np.concatenate([x, x], -1)[..., : x.shape[-1]],
    "repeated": lambda x: np.broadcast_to(x[..., :1], x.shape),
    "unaligned": lambda x: np.frombuffer(b"-" + x.tobytes() + b"-", np.uint8)[1:-1].view(x.dtype).reshape(x.shape),
}
FACTOR_SHAPES = [
    *[((m, k), (k, n)) for m in (1, 2, 7, 40) for k in (1, 3, 16, 0) for n in (1, 2, 8, 31)],
    *[((m, k), (k,)) for m in (1, 2, 17) for k in (1, 5, 33)],
    *[((k,), (k, n)) for n in (1, 2, 17) for k in (1, 5, 33)],
    *[((k,), (k,)) for k in (1, 2, 9, 100)],
]


def draw(dtype, shape):
    x = random.normal(size=shape) * 10
    return (x + 1j * random.normal(size=shape) if np.dtype(dtype).kind == "c" else x).astype(dtype)


def assert_same_bits(found, expected):
    found, expected = np.asarray(found), np.asarray(expected)
    assert (found.dtype, found.shape, found.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128, np.int32])
@pytest.mark.parametrize("first", LAYOUTS)
@pytest.mark.parametrize("second", LAYOUTS)
def test_products_have_the_bits_of_matmul(first, second, dtype):
    for one, other in FACTOR_SHAPES:
        a, b = LAYOUTS[first](draw(dtype, one)), LAYOUTS[second](draw(dtype, other))
        assert_same_bits(NATIVES["matmul"](a, b), np.matmul(a, b))
        if a.ndim == b.ndim == 2:
            assert_same_bits(NATIVES["matmul"](a, a.T), np.matmul(a, a.T))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128, np.int32, np.uint8])
@pytest.mark.parametrize("name", ["sum", "prod", "mean", "max", "min"])
def test_reductions_have_the_bits_of_numpy(name, dtype):
    for shape in [(), (5,), (3, 4), *((9000 // n, n) for n in range(1, 10)), (20, 100, 3)]:
        for layout in ("C", "F", "strided"):
            x = draw(dtype, shape)
            x = LAYOUTS[layout](x) if shape else x
            for axis in (None, -1, 0) if shape else (None,):
                for keepdims in (False, True):
                    with np.errstate(all="ignore"):
                        expected = getattr(np, name)(x, axis=axis, keepdims=keepdims)
                        assert_same_bits(NATIVES[name](x, axis=axis, keepdims=keepdims), expected)


EXPONENTS = [0, 1, 2, 3, 2.0, 0.5, -1, -0.5, 1.5]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128, np.int32])
@pytest.mark.parametrize("compiled", [False, True])
def test_powers_have_the_bits_of_numpy(compiled, dtype):
    exponents = EXPONENTS if np.dtype(dtype).kind in "fc" else [0, 1, 2, 3]
    special = np.asarray([np.inf, -np.inf, np.nan, 0.0, -0.0, -2.0] if np.dtype(dtype).kind in "fc" else [0, -2]).astype(dtype)
    for x in (draw(dtype, 40), special, draw(dtype, ()), draw(dtype, (1,))[0]):
        for exponent in exponents:
            power = ud.jit(lambda x, e=exponent: ud.array_namespace(x).pow(x, e)) if compiled else NATIVES["pow"]
            with np.errstate(all="ignore"):
                assert_same_bits(power(x) if compiled else power(x, exponent), np.power(x, exponent))


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_compiled_products_have_the_bits_of_matmul(layout, dtype):
    for one, other in [((3, 4), (4, 2)), ((2, 1), (1, 5)), ((4,), (4, 3)), ((2, 3), (3,)), ((5,), (5,))]:
        a, b = (LAYOUTS[layout](draw(dtype, shape)) for shape in (one, other))
        assert_same_bits(ud.jit(lambda a, b: ud.array_namespace(a).matmul(a, b))(a, b), np.matmul(a, b))


@pytest.mark.parametrize(
    ("name", "shape", "axis"),
    [*((name, (3,), axis) for name in ("mean", "sum", "max") for axis in (5, (0, 1))), ("mean", (), 0), ("mean", (), -1)],
)
def test_reductions_refuse_axes_as_numpy_does(name, shape, axis):
    with pytest.raises(np.exceptions.AxisError):
        NATIVES[name](np.ones(shape), axis=axis)


def test_transposing_a_scalar_raises_as_numpy_does():
    with pytest.raises(ValueError, match="at least 2-dimensional"):
        NATIVES["matrix_transpose"](np.float64(1))


@pytest.mark.parametrize(
    ("a", "b"), [(np.ones(3), np.ones(4)), (np.ones((2, 3)), np.ones((2, 3))), (np.float64(2), np.ones(3))]
)
def test_matmul_refuses_what_does_not_fit(a, b):
    with pytest.raises(ValueError, match=r"shapes|matmul"):
        NATIVES["matmul"](a, b)


@pytest.mark.parametrize("axis", [-1, 0, 1, -2, (0, -1)])
def test_expand_dims(axis):
    x = np.ones((2, 3))
    assert NATIVES["expand_dims"](x, axis=axis).shape == np.expand_dims(x, axis).shape


def test_derivatives_are_quiet_and_programs_are_not():
    x = np.zeros(2)
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(ud.grad(lambda x: np.sqrt(x).sum())(x), [np.inf, np.inf])
        with pytest.raises(FloatingPointError):
            ud.grad(lambda x: (1.0 / x).sum())(x)
        with pytest.raises(FloatingPointError):  # the state outside is what it was
            np.log(x)
