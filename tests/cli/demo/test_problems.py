"""The problems of the demo against finite differences, closed forms and independent formulas, on every backend."""

import numpy as np
import pytest
from scipy.special import logsumexp as scipy_logsumexp
from scipy.special import softmax

import unidiff as ud
from unidiff.cli.demo import problems

BACKENDS = list(ud.backends(arrays=True))
POINTS = np.random.default_rng(3).uniform(0, 10, (7, 2))


def put(array: object, backend: str) -> object:
    return ud.asarray(array, backend=backend, dtype="float64")


def central_difference(f, x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """The derivative of the rows of ``f`` with respect to the two coordinates, by central differences."""
    return np.stack([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(2)], axis=-1)


def test_gradient_by_hand_is_that_of_the_surface() -> None:
    difference = central_difference(problems.surface, POINTS)
    np.testing.assert_allclose(problems.surface_gradient(POINTS), difference, atol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_and_hessians_of_a_batch(backend: str) -> None:
    x = put(POINTS, backend)
    np.testing.assert_allclose(ud.to_numpy(problems.gradients(x)), problems.surface_gradient(POINTS), rtol=0, atol=1e-14)
    hessians = ud.to_numpy(problems.hessians(x))
    np.testing.assert_allclose(hessians, central_difference(problems.surface_gradient, POINTS), rtol=0, atol=1e-9)
    each = ud.hessian(problems.surface)
    for i in range(len(POINTS)):
        np.testing.assert_allclose(hessians[i], ud.to_numpy(each(x[i, :])), rtol=0, atol=1e-14)


def stationary_line() -> list[tuple[float, str]]:
    """Stationary points on the line x2 = 0, where ``cos x1 + cos(x1/2)/2 = 0``, a quadratic in ``cos(x1/2)``."""
    high, low = ((-0.5 + sign * np.sqrt(8.25)) / 4 for sign in (1, -1))
    return [(2 * np.arccos(high), "maximum"), (2 * np.arccos(low), "minimum")]


@pytest.mark.parametrize(("x1", "kind"), stationary_line())
@pytest.mark.parametrize("backend", BACKENDS)
def test_kinds_of_known_stationary_points(backend: str, x1: float, kind: str) -> None:
    x = put([[x1, 0.0]], backend)
    hessian = ud.to_numpy(ud.hessian(problems.surface)(x[0, :]))
    assert problems.classify(hessian, float(np.linalg.norm(ud.to_numpy(problems.gradients(x))))) == kind


@pytest.mark.parametrize(
    ("diagonal", "norm", "kind"),
    [
        ((1.0, 2.0), 0.0, "minimum"),
        ((-1.0, -2.0), 0.0, "maximum"),
        ((-1.0, 2.0), 0.0, "saddle"),
        ((0.0, 2.0), 0.0, "degenerate"),
        ((1.0, 2.0), 1e-3, "not stationary"),
        ((np.nan, np.nan), np.nan, "not stationary"),
    ],
)
def test_classify(diagonal: tuple[float, float], norm: float, kind: str) -> None:
    assert problems.classify(np.diag(diagonal), norm) == kind


def test_momentum_is_the_stated_recursion() -> None:
    eta, factor = 0.1, 0.7
    x, g = POINTS.copy(), np.zeros_like(POINTS)
    path = problems.follow(problems.descent("momentum", eta, factor), POINTS, 5, lambda: None)
    for k in range(6):
        np.testing.assert_allclose(path.points[k], x, rtol=0, atol=1e-13)
        np.testing.assert_allclose(path.gradient_norms[k], np.hypot(*problems.surface_gradient(x).T), rtol=0, atol=1e-13)
        g = factor * g - eta * problems.surface_gradient(x)
        x = x + g


def test_newton_finds_every_kind_and_moves_no_further_than_allowed() -> None:
    steps = []
    method = next(method for method in problems.METHODS if "Newton" in method.name)
    path = problems.follow(method, problems.starts(6), 200, lambda: steps.append(1))
    assert len(steps) == method.most_steps == len(path.points) - 1
    assert set(path.kinds) == {"minimum", "maximum", "saddle"}
    assert np.all(np.linalg.norm(np.diff(path.points, axis=0), axis=-1) < 0.5 + 1e-12)


def test_a_point_that_is_lost_does_not_touch_the_others() -> None:
    x = POINTS.copy()
    x[0, 0] = np.nan
    hessians = problems.hessians(x)
    assert np.isnan(hessians[0]).any()
    np.testing.assert_array_equal(hessians[1:], problems.hessians(POINTS)[1:])


@pytest.mark.parametrize("backend", BACKENDS)
def test_logsumexp_neither_overflows_nor_changes_its_gradient(backend: str) -> None:
    z = np.asarray([[1.0, 2.0, 3.0], [1e4, 1e4, -1e4], [-1e4, -1e4, -1e4]])
    np.testing.assert_allclose(ud.to_numpy(problems.logsumexp(put(z, backend))), scipy_logsumexp(z, axis=1), rtol=1e-15)
    gradient = ud.grad(lambda z: ud.array_namespace(z).sum(problems.logsumexp(z)))(put(z, backend))
    np.testing.assert_allclose(ud.to_numpy(gradient), softmax(z, axis=1), rtol=1e-14, atol=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradient_of_the_softmax_loss(backend: str) -> None:
    """Against the closed form: ``images^T (softmax - targets) / n + 2 decay weights``, and its sum over images for the bias."""
    random = np.random.default_rng(5)
    images, targets = random.random((6, 64)), np.eye(10)[random.integers(10, size=6)]
    parameters = {"weights": random.normal(size=(64, 10)), "bias": random.normal(size=10)}
    z = images @ parameters["weights"] + parameters["bias"]
    error = (softmax(z, axis=1) - targets) / 6
    on_backend = {name: put(value, backend) for name, value in parameters.items()}
    gradient = ud.to_numpy(ud.grad(problems.softmax_loss)(on_backend, put(images, backend), put(targets, backend)))
    np.testing.assert_allclose(gradient["weights"], images.T @ error + 2e-4 * parameters["weights"], rtol=0, atol=1e-14)
    np.testing.assert_allclose(gradient["bias"], error.sum(axis=0), rtol=0, atol=1e-14)


def test_digits_are_all_there_and_nothing_is_held_out_twice() -> None:
    data = problems.load_digits()
    assert len(data.train_images) + len(data.test_images) == 1797
    assert len(data.test_images) == 360
    assert data.train_images.min() == 0.0
    assert data.train_images.max() == 1.0
    np.testing.assert_array_equal(np.argmax(data.train_targets, axis=1), data.train_labels)


def test_training_learns() -> None:
    run = problems.run_digits(problems.load_digits(), np.asarray, 30, lambda: None)
    assert run.losses.shape == (31,)
    assert run.parameters.shape == (31, 650)
    assert run.losses[-1] < 0.3 * run.losses[0]
    assert run.accuracy > 0.9
