"""Oracles agree with closed forms in 50 digits, with each other, and know their own error."""

import math

import mpmath
import numpy as np
import pytest
from unidiff_conformance.oracles import Oracle, extrapolate, pack, unpack
from unidiff_conformance.reference import REFERENCE
from unidiff_conformance.scenarios import DIFFERENTIABLE, PIECEWISE_CONSTANT, covered, representatives, scenarios

EXTENDED = np.finfo(np.longdouble).eps < 1e-18
pytestmark = pytest.mark.skipif(not EXTENDED, reason="the bounds below are for an extended precision of 64 bits or more")

UNARY = {
    "acos": mpmath.acos, "acosh": mpmath.acosh, "asin": mpmath.asin, "asinh": mpmath.asinh, "atan": mpmath.atan,
    "atanh": mpmath.atanh, "cos": mpmath.cos, "cosh": mpmath.cosh, "exp": mpmath.exp, "expm1": mpmath.expm1,
    "log": mpmath.log, "log10": mpmath.log10, "log1p": mpmath.log1p, "sin": mpmath.sin, "sinh": mpmath.sinh,
    "sqrt": mpmath.sqrt, "square": lambda x: x * x, "tan": mpmath.tan, "tanh": mpmath.tanh,
    "reciprocal": lambda x: 1 / x, "log2": lambda x: mpmath.log(x, 2),
}  # fmt: skip
BINARY = {
    "atan2": mpmath.atan2,
    "divide": lambda x, y: x / y,
    "hypot": mpmath.hypot,
    "logaddexp": lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)),
    "multiply": lambda x, y: x * y,
    "pow": lambda x, y: x**y,
}


def derivative(f, point, orders):  # type: ignore[no-untyped-def]  # mpmath is untyped
    with mpmath.workdps(50):
        return float(mpmath.diff(f, tuple(mpmath.mpf(x) for x in point), orders))


@pytest.mark.parametrize("name", UNARY)
def test_unary_closed_forms(name: str) -> None:
    found = Oracle(scenarios()[f"elementwise.{name}.matrix"])
    points = found.point.astype(float)
    first = [derivative(UNARY[name], (x,), (1,)) for x in points]
    second = [derivative(UNARY[name], (x,), (2,)) for x in points]
    np.testing.assert_allclose(np.diagonal(found.jacobian.value).astype(float), first, rtol=4e-16, atol=1e-16)
    hessian = found.hessian_along(np.ones(len(points)))
    np.testing.assert_allclose(np.diagonal(hessian.value).astype(float), second, rtol=1e-11, atol=1e-12)
    assert np.all(np.abs(np.diagonal(hessian.value).astype(float) - second) <= np.diagonal(hessian.error) + 1e-15)


@pytest.mark.parametrize("name", BINARY)
def test_binary_closed_forms(name: str) -> None:
    found = Oracle(scenarios()[f"elementwise.{name}.same-shape"])
    x, y = np.split(found.point.astype(float), 2)
    for block, orders in enumerate([(1, 0), (0, 1)]):
        wanted = [derivative(BINARY[name], point, orders) for point in zip(x, y, strict=True)]
        diagonal = np.diagonal(found.jacobian.value[:, block * len(x) :]).astype(float)
        np.testing.assert_allclose(diagonal, wanted, rtol=4e-16, atol=1e-16)
    mixed = np.diagonal(found.hessian_along(np.ones(len(x))).value[: len(x), len(x) :]).astype(float)
    wanted = [derivative(BINARY[name], point, (1, 1)) for point in zip(x, y, strict=True)]
    np.testing.assert_allclose(mixed, wanted, rtol=1e-10, atol=1e-11)


def test_linear_functions_come_out_exactly() -> None:
    estimate = extrapolate(lambda h: np.asarray([3 * h / h]), lambda h: np.zeros(1))
    assert estimate.value == 3
    assert estimate.error == 0


def test_an_error_is_no_smaller_than_the_noise() -> None:
    assert extrapolate(lambda h: np.ones(1), lambda h: np.full(1, 1e-3)).error >= 1e-3


def test_pack_and_unpack_are_inverse() -> None:
    arrays = [np.asarray([[1.0, 2.0]]), np.asarray(3.0 - 4.0j), np.zeros((0, 2))]
    vector = pack(arrays)
    assert vector.tolist() == [1, 2, 3, -4]
    for array, again in zip(arrays, unpack(vector, arrays), strict=True):
        np.testing.assert_array_equal(again, array)
        assert np.iscomplexobj(again) == np.iscomplexobj(array)


def test_real_coordinates_turn_the_transpose_into_the_adjoint() -> None:
    jacobian = Oracle(scenarios()["elementwise.multiply.complex"]).jacobian.value
    z, w = unpack(Oracle(scenarios()["elementwise.multiply.complex"]).point, [np.zeros(3, complex)] * 2)
    u = np.asarray([1 + 2j, -1j, 0.5])
    found = unpack(jacobian.T @ pack([u]), [z, w])
    np.testing.assert_allclose(found[0].astype(complex), (np.conj(w) * u).astype(complex), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.longdouble, np.clongdouble])
def test_reference_linear_algebra(dtype: type) -> None:
    rng = np.random.default_rng(0)
    a = (rng.normal(size=(4, 4)) + (1j * rng.normal(size=(4, 4)) if dtype is np.clongdouble else 0)).astype(dtype)
    h, la = a @ np.conj(a.T) + np.eye(4), REFERENCE.linalg
    eps = 1e-16
    assert np.max(np.abs(a @ la.inv(a) - np.eye(4))) < eps
    assert np.max(np.abs(la.cholesky(h) @ np.conj(la.cholesky(h).T) - h)) < eps
    found = la.eigh(h)
    assert np.max(np.abs((found.eigenvectors * found.eigenvalues) @ np.conj(found.eigenvectors.T) - h)) < 1e-15
    u, s, vh = (getattr(la.svd(a[:, :3]), name) for name in ("U", "S", "Vh"))
    assert np.max(np.abs((u * s) @ vh - a[:, :3])) < 1e-15
    assert abs(la.det(a) - np.prod(la.eigvals(a))) < 1e-15
    assert la.det(np.zeros((2, 2), dtype)) == 0


def test_every_differentiable_function_has_a_scenario() -> None:
    assert covered() >= DIFFERENTIABLE | PIECEWISE_CONSTANT
    assert len(DIFFERENTIABLE) == 117
    assert representatives() <= set(scenarios())


@pytest.mark.parametrize("id", scenarios())
def test_inputs_are_exact_in_single_precision(id: str) -> None:
    for data in scenarios()[id].inputs:
        assert len(data.values) == math.prod(data.shape)
        values = np.asarray(data.values, np.complex128)
        np.testing.assert_array_equal(values.astype(np.complex64).astype(np.complex128), values)
