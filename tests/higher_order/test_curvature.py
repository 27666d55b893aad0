import numpy as np
import pytest

import unidiff as ud
from unidiff.errors import ArgumentError, DTypeError, ShapeError

RNG = np.random.default_rng(11)
DATA = RNG.normal(size=(6, 3))
WEIGHTS = RNG.normal(size=(3, 4))
TANGENT = RNG.normal(size=(3, 4))


def model(w, x):
    xp = ud.array_namespace(w)
    return {"y": xp.tanh(x @ w)}


def loss(out):
    xp = ud.array_namespace(out["y"])
    return xp.sum(xp.exp(out["y"]))


def dense_jacobian(w):
    slope = 1 - np.tanh(DATA @ w) ** 2
    return np.einsum("ni,nj,jk->njik", DATA, slope, np.eye(4)).reshape(24, 12)


def test_gauss_newton_products(array, check):
    w, x, v = array(WEIGHTS), array(DATA), array(TANGENT)
    jac = dense_jacobian(WEIGHTS)
    want = (jac.T @ (np.exp(np.tanh(DATA @ WEIGHTS)).ravel() * (jac @ TANGENT.ravel()))).reshape(3, 4)
    check(ud.gauss_newton_vp(model, loss, (w, x), v), want, rtol=1e-12)
    operator = ud.gauss_newton_operator(model, loss, w, x)
    check(operator(v), want, rtol=1e-12)


def test_of_a_linear_model_it_is_the_hessian():
    linear = lambda w: DATA @ w
    curved = lambda y: (np.cos(y) + y**4).sum()
    h = ud.hessian_operator(lambda w: curved(linear(w)), WEIGHTS)
    np.testing.assert_allclose(ud.gauss_newton_operator(linear, curved, WEIGHTS)(TANGENT), h(TANGENT), rtol=1e-12)


def negative_log_likelihood(distribution, y):
    """Return the expectation's integrand with the targets at the model's own mean, where Hessian and Fisher agree."""
    xp = ud.array_namespace(y)
    fixed = np.asarray(DATA @ WEIGHTS)
    if distribution == "gaussian":
        return xp.sum((y - fixed) ** 2) / 2
    if distribution == "poisson":
        return xp.sum(xp.exp(y) - np.exp(fixed) * y)
    if distribution == "bernoulli":
        return xp.sum(xp.logaddexp(0.0 * y, y) - y / (1 + np.exp(-fixed)))
    p = np.exp(fixed) / np.sum(np.exp(fixed), axis=-1, keepdims=True)
    return xp.sum(ud.special.logsumexp(y, axis=-1)) - xp.sum(p * y)


@pytest.mark.parametrize("distribution", ["gaussian", "poisson", "bernoulli", "categorical"])
def test_fisher_is_the_hessian_of_the_expected_log_likelihood(distribution):
    want = ud.hessian_operator(lambda w: negative_log_likelihood(distribution, DATA @ w), WEIGHTS)(TANGENT)
    found = ud.fisher_vp(lambda w: DATA @ w, (WEIGHTS,), TANGENT, distribution=distribution)
    np.testing.assert_allclose(found, want, rtol=1e-11, atol=1e-12)


def test_fisher_on_every_backend(array, check):
    w, x, v = array(WEIGHTS), array(DATA), array(TANGENT)
    p = np.exp(DATA @ WEIGHTS)
    p /= p.sum(-1, keepdims=True)
    pushed = DATA @ TANGENT
    want = DATA.T @ (p * (pushed - (p * pushed).sum(-1, keepdims=True)))
    check(ud.fisher_operator(lambda w, x: x @ w, w, x, distribution="categorical")(v), want, rtol=1e-12)


def test_the_empirical_matrix_sums_the_outer_products_of_scores():
    scores = lambda w: np.sin(DATA @ w).sum(-1)
    jac = ud.jacobian(scores)(WEIGHTS).reshape(6, 12)
    found = ud.fisher_vp(scores, (WEIGHTS,), TANGENT, distribution="empirical")
    np.testing.assert_allclose(found.ravel(), jac.T @ jac @ TANGENT.ravel(), rtol=1e-12)


def test_logits_of_no_classes(array, check):
    empty = array(np.zeros((3, 0)))
    check(ud.fisher_vp(lambda w: w, (empty,), empty, distribution="categorical"), np.zeros((3, 0)))


def test_extreme_logits_have_no_nan():
    found = ud.fisher_vp(lambda w: w, (np.asarray([800.0, -800.0]),), np.ones(2), distribution="bernoulli")
    np.testing.assert_array_equal(found, [0.0, 0.0])
    found = ud.fisher_vp(lambda w: w, (np.asarray([800.0, -800.0]),), np.ones(2), distribution="categorical")
    np.testing.assert_array_equal(found, [0.0, 0.0])


# --- estimators

MATRIX = RNG.normal(size=(8, 8))


def test_estimates_and_their_errors(array):
    a, like = array(MATRIX), array(np.zeros(8))
    trace = ud.estimate_trace(lambda v: a @ v, like, samples=400)
    assert abs(float(trace.value) - np.trace(MATRIX)) < 4 * float(trace.error)
    symmetric = (MATRIX + MATRIX.T) / 2
    deviation = np.sqrt(2 * (np.sum(symmetric**2) - np.sum(np.diag(MATRIX) ** 2)) / 400)
    assert float(trace.error) == pytest.approx(deviation, rel=0.2)
    diagonal = ud.estimate_diagonal(lambda v: a @ v, like, samples=400)
    value, error = map(ud.to_numpy, diagonal)
    assert np.all(np.abs(value - np.diag(MATRIX)) < 4.5 * error)
    off = np.sqrt((np.sum(MATRIX**2, axis=1) - np.diag(MATRIX) ** 2) / 400)
    np.testing.assert_allclose(error, off, rtol=0.2)


def test_probes_are_the_same_on_every_backend(array):
    a = array(MATRIX)
    found = ud.estimate_trace(lambda v: a @ v, array(np.zeros(8)), samples=5, seed=42)
    want = ud.estimate_trace(lambda v: MATRIX @ v, np.zeros(8), samples=5, seed=42)
    assert float(found.value) == pytest.approx(float(want.value), rel=1e-13)
    other = ud.estimate_trace(lambda v: MATRIX @ v, np.zeros(8), samples=5, seed=43)
    assert float(other.value) != float(want.value)


def test_trees_and_complex_leaves():
    like = {"z": np.zeros(2, complex), "x": np.zeros(3, np.float32)}
    value, error = ud.estimate_trace(lambda v: {"z": 2 * v["z"], "x": 5 * v["x"]}, like, samples=3)
    assert (float(value), float(error)) == (2 * 4 + 5 * 3, 0.0)


BAD = {
    "distribution": (lambda: ud.fisher_vp(lambda w: w, (WEIGHTS,), TANGENT, distribution="cauchy"), ArgumentError),
    "unhashable": (lambda: ud.fisher_vp(lambda w: w, (WEIGHTS,), TANGENT, distribution=["poisson"]), ArgumentError),
    "complex parameters": (lambda: ud.fisher_vp(lambda w: 1j * w, (WEIGHTS,), TANGENT, distribution="poisson"), DTypeError),
    "integers for parameters": (lambda: ud.fisher_vp(lambda w: w > 0, (WEIGHTS,), TANGENT, distribution="poisson"), DTypeError),
    "one logit": (lambda: ud.fisher_vp(np.sum, (WEIGHTS,), TANGENT, distribution="categorical"), ShapeError),
    "seed": (lambda: ud.estimate_trace(lambda v: v, np.zeros(2), seed="a"), ArgumentError),
    "mode": (lambda: ud.hvp(np.sum, (WEIGHTS,), (TANGENT,), mode=["forward-over-reverse"]), ArgumentError),
    "tangent": (lambda: ud.fisher_vp(lambda w: w, (WEIGHTS,), TANGENT[:1], distribution="poisson"), ShapeError),
    "samples": (lambda: ud.estimate_trace(lambda v: v, np.zeros(2), samples=1), ArgumentError),
    "integers": (lambda: ud.estimate_trace(lambda v: v, np.arange(2)), DTypeError),
    "complex diagonal": (lambda: ud.estimate_diagonal(lambda v: v, np.zeros(2, complex)), DTypeError),
    "argnums": (lambda: ud.gauss_newton_vp(model, loss, (WEIGHTS, DATA), TANGENT, argnums=2), ArgumentError),
}


@pytest.mark.parametrize(("call", "error"), BAD.values(), ids=BAD)
def test_bad_input(call, error):
    with pytest.raises(error):
        call()
