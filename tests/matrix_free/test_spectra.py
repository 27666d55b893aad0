import numpy as np
import pytest

import unidiff as ud
from unidiff.errors import ArgumentError, ShapeError

RNG = np.random.default_rng(3)
Q = np.linalg.qr(RNG.normal(size=(12, 12)))[0]
VALUES = np.asarray([-9.0, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7.5])
MATRIX = (Q * VALUES) @ Q.T


def test_power_iteration_finds_the_largest_magnitude(array):
    a = array(MATRIX)
    pair = ud.power_iteration(lambda x: a @ x, array(np.zeros(12)), tol=1e-6)
    assert pair.converged is True
    assert float(pair.values) == pytest.approx(-9.0, abs=1e-9)
    assert float(pair.residuals) <= 1e-5
    assert abs(float(Q[:, 0] @ ud.to_numpy(pair.vectors))) == pytest.approx(1.0, abs=1e-9)


WANTED = {"largest": [7.5, 6.0, 5.0], "smallest": [-9.0, -3.0, -2.0], "magnitude": [-9.0, 7.5, 6.0]}


@pytest.mark.parametrize("which", WANTED)
def test_lanczos(array, which):
    a = array(MATRIX)
    pairs = ud.lanczos(lambda x: a @ x, array(np.zeros(12)), 3, which)
    assert pairs.converged is True
    np.testing.assert_allclose(ud.to_numpy(pairs.values), WANTED[which], atol=1e-12)
    vectors = ud.to_numpy(pairs.vectors)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(MATRIX @ vectors.T, vectors.T * WANTED[which], atol=1e-11)


def test_residuals_bound_the_errors_of_a_short_run():
    diagonal = np.arange(1.0, 61.0)
    pairs = ud.lanczos(lambda x: diagonal * x, np.zeros(60), 2, steps=8)
    assert pairs.converged is False
    for value, residual in zip(pairs.values, pairs.residuals, strict=True):
        assert np.min(np.abs(diagonal - value)) <= residual


def test_an_invariant_space_is_left_by_a_fresh_direction():
    pairs = ud.lanczos(lambda x: 2 * x, np.zeros(4), 3)
    np.testing.assert_allclose(pairs.values, [2.0, 2.0, 2.0])
    np.testing.assert_allclose(pairs.vectors @ pairs.vectors.T, np.eye(3), atol=1e-12)


def test_pytrees_with_complex_leaves():
    """A complex leaf counts twice: the operator z -> 3 z has the eigenvalue 3 for z and for iz."""
    like = {"z": np.zeros(1, complex), "x": np.zeros(1)}
    pairs = ud.lanczos(lambda v: {"z": 3 * v["z"], "x": -v["x"]}, like, 3)
    np.testing.assert_allclose(pairs.values, [3.0, 3.0, -1.0], atol=1e-12)
    assert pairs.vectors["z"].shape == (3, 1)


def test_the_largest_curvature_of_a_function(array):
    f = lambda x: ud.array_namespace(x).sum(x**4) / 12
    x = array([1.0, 3.0, 2.0])
    pairs = ud.lanczos(ud.hessian_operator(f, x), x, 2)
    np.testing.assert_allclose(ud.to_numpy(pairs.values), [9.0, 4.0], atol=1e-10)


BAD = {
    "which": (lambda x: ud.lanczos(lambda v: v, x, which="middle"), ArgumentError),
    "unhashable": (lambda x: ud.lanczos(lambda v: v, x, which=["largest"]), ArgumentError),
    "seed": (lambda x: ud.power_iteration(lambda v: v, x, seed=None), ArgumentError),
    "too many": (lambda x: ud.lanczos(lambda v: v, x, k=3), ArgumentError),
    "none": (lambda x: ud.lanczos(lambda v: v, x, k=0), ArgumentError),
    "steps": (lambda x: ud.lanczos(lambda v: v, x, k=2, steps=1), ArgumentError),
    "operator": (lambda x: ud.power_iteration(3, x), ArgumentError),
    "shape": (lambda x: ud.power_iteration(lambda v: v[:1], x), ShapeError),
    "empty": (lambda x: ud.power_iteration(lambda v: v, np.zeros(0)), ArgumentError),
}


@pytest.mark.parametrize(("call", "error"), BAD.values(), ids=BAD)
def test_bad_input(call, error):
    with pytest.raises(error):
        call(np.zeros(2))
