"""The pull-back: cotangents that repeat a value, and parts added into the cotangent of the whole."""

import numpy as np
import pytest

import unidiff as ud

xp = ud.namespace("numpy")
random = np.random.default_rng(5)
LARGE = random.uniform(0.5, 1.5, (80, 90))  # beyond the size up to which cotangents of sums are filled at once
ROW = random.uniform(0.5, 1.5, 90)
COLUMN = random.uniform(0.5, 1.5, (80, 1))

SUMS = {
    "alone": (lambda x: xp.sum(x), lambda x: np.ones_like(x)),
    "scaled": (lambda x: xp.sum(-3.0 * x), lambda x: np.full_like(x, -3.0)),
    "map": (lambda x: xp.sum(xp.sin(2.0 * x)), lambda x: 2.0 * np.cos(2.0 * x)),
    "twice": (lambda x: xp.sum(x) + xp.mean(x) + xp.sum(x), lambda x: np.full_like(x, 2.0 + 1.0 / x.size)),
    "beside an array": (lambda x: xp.sum(x) + xp.sum(x * x) + xp.sum(x), lambda x: 2.0 + 2.0 * x),
    "rows": (lambda x: xp.sum(xp.sum(x, axis=1) ** 2), lambda x: np.repeat(2.0 * x.sum(1, keepdims=True), x.shape[1], 1)),
    "columns": (lambda x: xp.sum(xp.sum(2.0 * x, axis=0, keepdims=True) ** 2), lambda x: 0 * x + 8.0 * x.sum(0)),
    "constants that broadcast": (lambda x: xp.sum((x * ROW + COLUMN) * COLUMN), lambda x: ROW * COLUMN + 0 * x),
    "not elementwise": (lambda x: xp.sum(xp.reshape(x, (-1,))[3:]), lambda x: (np.arange(x.size) >= 3).reshape(x.shape) * 1.0),
    "parts": (lambda x: xp.sum(x[1:, :]) + xp.sum(x), lambda x: 1.0 + (np.arange(80) >= 1)[:, None] + 0 * x),
    "after parts": (lambda x: xp.sum(x[0, :]) + xp.mean(x), lambda x: 1 / x.size + (np.arange(80) == 0)[:, None] + 0 * x),
}  # fmt: skip


@pytest.mark.parametrize("name", SUMS)
def test_sums_of_large_arrays(name):
    function, gradient = SUMS[name]
    value, found = ud.value_and_grad(function)(LARGE)
    np.testing.assert_allclose(found, gradient(LARGE), rtol=1e-12)
    np.testing.assert_allclose(value, function(LARGE), rtol=1e-12)
    assert found.flags.writeable
    assert found.flags.owndata


@pytest.mark.parametrize("shape", [(90,), (80, 1), ()])
def test_the_cotangent_of_an_array_that_was_broadcast(shape):
    x = random.uniform(0.5, 1.5, shape)
    found = ud.grad(lambda x: xp.sum(xp.sin(LARGE + x)))(x)
    extra = tuple(range(2 - len(shape)))
    kept = np.cos(LARGE + x).sum(axis=extra)
    np.testing.assert_allclose(found, kept.sum(axis=1, keepdims=True) if shape == (80, 1) else kept, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
def test_dtypes_of_sums_of_large_arrays(dtype):
    x = (LARGE + (0.5j * LARGE if np.dtype(dtype).kind == "c" else 0)).astype(dtype)
    found = ud.grad(lambda x: xp.sum(xp.real(xp.sum(2.0 * x * x, axis=0))))(x)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, np.conj(4.0 * x), rtol=1e-5)


def test_real_part_of_a_complex_sum():
    factor = 1.0 + 2.0j
    found = ud.grad(lambda x: xp.imag(xp.sum(x * factor)))(LARGE)
    np.testing.assert_allclose(found, np.full_like(LARGE, 2.0), rtol=1e-12)


def test_second_derivatives_of_sums_of_large_arrays():
    v = random.normal(size=LARGE.shape)
    found = ud.hvp(lambda x: xp.sum(x**3) + xp.mean(x) ** 2, (LARGE,), (v,))
    np.testing.assert_allclose(found, 6.0 * LARGE * v + 2.0 * v.mean() / v.size, rtol=1e-12)


def test_basic_parts_accumulate():
    def f(x):
        return xp.sum(x[2, ...] ** 2) + xp.sum(x[2, 1:] * x[-1, :-1]) + x[2, 3] + xp.sum(x[..., 0])

    x = random.normal(size=(5, 6))
    expected = np.zeros_like(x)
    expected[2] += 2.0 * x[2]
    expected[2, 1:] += x[-1, :-1]
    expected[-1, :-1] += x[2, 1:]
    expected[2, 3] += 1.0
    expected[:, 0] += 1.0
    np.testing.assert_allclose(ud.grad(f)(x), expected, rtol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, None])
def test_concat_pulls_each_piece_back(axis):
    pieces = [random.normal(size=shape) for shape in ([(2, 3), (1, 3), (4, 3)] if axis == 0 else [(2, 3), (2, 1), (2, 4)])]
    weights = np.concatenate(pieces, axis=axis) ** 2
    found = ud.grad(lambda *xs: xp.sum(weights * xp.concat(list(xs), axis=axis)), argnums=(0, 1, 2))(*pieces)
    for piece, g in zip(pieces, found, strict=True):
        np.testing.assert_allclose(g, piece**2, rtol=1e-12)
