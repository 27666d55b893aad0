"""The two problems of the demo, written once for every backend; no plotting and no printing here.

The first is a smooth surface with known derivatives, minimized from many starts; the second is a softmax regression on
images of handwritten digits. What comes back is recorded in NumPy, so that runs on different backends can be compared.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import unidiff as ud
from unidiff._typing import Array, Tree

DOMAIN = (0.0, 10.0)
"""Both coordinates of the surface are looked at in this interval."""
CONVERGED = 1e-5
"""An end point whose gradient is longer than this is not called stationary."""
FLAT = 1e-6
"""An eigenvalue of the Hessian below this in magnitude is counted as zero."""

OnStep = Callable[[], None]


def surface(x: Array) -> Array:
    """Return ``sin(x1) cos(x2) + sin(x1/2) cos(x2/2)`` for points of shape ``(..., 2)``; the result has shape ``(...)``."""
    xp = ud.array_namespace(x)
    u, v = x[..., 0], x[..., 1]
    return xp.sin(u) * xp.cos(v) + xp.sin(u / 2) * xp.cos(v / 2)


def surface_gradient(x: Array) -> Array:
    """Return the gradient of `surface` at points of shape ``(..., 2)``, derived by hand."""
    xp = ud.array_namespace(x)
    u, v = x[..., 0], x[..., 1]
    along_u = xp.cos(u) * xp.cos(v) + xp.cos(u / 2) * xp.cos(v / 2) / 2
    along_v = -xp.sin(u) * xp.sin(v) - xp.sin(u / 2) * xp.sin(v / 2) / 2
    return xp.stack([along_u, along_v], axis=-1)


def gradients(x: Array) -> Array:
    """Return the gradient of `surface` at each of the points ``x`` of shape ``(n, 2)``.

    The points do not interact, so the gradient of the sum holds the gradient of every term.
    """
    return ud.grad(lambda points: ud.array_namespace(points).sum(surface(points)))(x)


def hessians(x: Array) -> Array:
    """Return the Hessian of `surface` at each of the points ``x`` of shape ``(n, 2)``, with shape ``(n, 2, 2)``.

    All points are moved by one common displacement of two coordinates: the Jacobian of all the gradients with respect to
    it, in forward mode over reverse mode, holds every Hessian at the price of two.
    """
    still = ud.array_namespace(x).zeros_like(x[0, :])
    return ud.jacfwd(lambda displacement: gradients(x + displacement))(still)


@dataclass(frozen=True)
class Method:
    """A way to find stationary points.

    Parameters
    ----------
    name : str
        What to call it.
    step : callable
        Takes the points, their gradients and the last change of the points, and returns the next change.
    most_steps : int
        More steps than this are not taken, however many are asked for.
    """

    name: str
    step: Callable[[Array, Array, Array], Array]
    most_steps: int


def descent(name: str, learning_rate: float, momentum: float) -> Method:
    """Return gradient descent with momentum: ``g_t = -eta grad + lambda g_{t-1}`` and ``x_t = x_{t-1} + g_t``."""
    return Method(name, lambda _x, gradient, last: momentum * last - learning_rate * gradient, most_steps=1000)


def damped_newton(name: str, damping: float, longest: float) -> Method:
    """Return Newton's method for stationary points of every kind, ``x_t = x_{t-1} - (H^2 + damping)^{-1} H grad``.

    The damping keeps steps finite where the Hessian is singular; ``longest`` is the length of the longest step.
    """

    def step(x: Array, gradient: Array, _last: Array) -> Array:
        xp = ud.array_namespace(x)
        h = hessians(x)
        right = xp.matmul(h, gradient[:, :, None])[:, :, 0]
        square = xp.matmul(h, h)
        a, b, c = square[:, 0, 0] + damping, square[:, 0, 1], square[:, 1, 1] + damping
        p, q = right[:, 0], right[:, 1]
        change = -xp.stack([c * p - b * q, a * q - b * p], axis=-1) / (a * c - b * b)[:, None]
        length = xp.linalg.vector_norm(change, axis=-1, keepdims=True)
        return change / xp.clip(length / longest, min=1.0)

    return Method(name, step, most_steps=40)


METHODS = (
    descent("gradient descent", learning_rate=0.1, momentum=0.0),
    descent("momentum", learning_rate=0.1, momentum=0.7),
    damped_newton("damped Newton", damping=1e-3, longest=0.5),
)


@dataclass(frozen=True)
class Path:
    """What one method did: ``points`` of shape (steps + 1, n, 2), ``gradient_norms`` of shape (steps + 1, n), end kinds."""

    points: Any
    gradient_norms: Any
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class SurfaceRun:
    """The surface on one backend: the largest error of the gradient against the one derived by hand, and the paths."""

    gradient_error: float
    paths: dict[str, Path]


def starts(per_side: int) -> Any:
    """Return a grid of ``per_side**2`` starting points inside the domain, shape ``(per_side**2, 2)``."""
    # The surface is symmetric in its diagonals, and its Hessian is singular there: the spacings differ to stay off them.
    x1, x2 = (np.linspace(DOMAIN[0] + gap, DOMAIN[1] - gap, per_side) for gap in (0.4, 0.9))
    return np.stack(np.meshgrid(x1, x2), axis=-1).reshape(-1, 2)


def classify(hessian: Any, gradient_norm: float) -> str:
    """Name the kind of a point from the eigenvalues of its Hessian and the length of its gradient."""
    if not gradient_norm <= CONVERGED:  # NaN is not stationary either
        return "not stationary"
    low, high = np.linalg.eigvalsh(hessian)
    if min(abs(low), abs(high)) < FLAT:
        return "degenerate"
    if low > 0:
        return "minimum"
    return "maximum" if high < 0 else "saddle"


def follow(method: Method, x: Array, steps: int, on_step: OnStep) -> Path:
    """Take ``steps`` steps from all the points ``x`` of shape ``(n, 2)`` at once and classify where they end."""
    xp = ud.array_namespace(x)
    change = xp.zeros_like(x)
    steps = min(steps, method.most_steps)
    points, norms = [], []
    for k in range(steps + 1):
        gradient = gradients(x)
        points.append(ud.to_numpy(x))
        norms.append(ud.to_numpy(xp.linalg.vector_norm(gradient, axis=-1)))
        if k < steps:
            change = method.step(x, gradient, change)
            x = x + change
            on_step()
    hessian = ud.hessian(surface)
    kinds = tuple(classify(ud.to_numpy(hessian(x[i, :])), float(norms[-1][i])) for i in range(x.shape[0]))
    return Path(np.stack(points), np.stack(norms), kinds)


def run_surface(x: Array, steps: int, on_step: OnStep) -> SurfaceRun:
    """Check the gradient at the points ``x`` and run every method from them."""
    xp = ud.array_namespace(x)
    error = float(xp.max(xp.abs(gradients(x) - surface_gradient(x))))
    return SurfaceRun(error, {method.name: follow(method, x, steps, on_step) for method in METHODS})


@dataclass(frozen=True)
class DigitsData:
    """Images as rows of 64 grey values in [0, 1] and their labels, split into a training and a held-out part."""

    train_images: Any
    train_labels: Any
    test_images: Any
    test_labels: Any

    @property
    def train_targets(self) -> Any:
        """The training labels as rows of the identity matrix, shape ``(n, 10)``."""
        return np.eye(10)[self.train_labels]


def load_digits(held_out: float = 0.2) -> DigitsData:
    """Load the digits that scikit-learn carries, shuffled with a fixed seed; raises ImportError without scikit-learn."""
    from sklearn.datasets import load_digits as load

    images, labels = load(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    images, labels = images[order] / 16.0, labels[order]
    n = int(len(labels) * (1 - held_out))
    return DigitsData(images[:n], labels[:n], images[n:], labels[n:])


def first_parameters() -> dict[str, Any]:
    """Return the parameters that training starts from on every backend."""
    return {"weights": 0.01 * np.random.default_rng(1).standard_normal((64, 10)), "bias": np.zeros(10)}


def scores(parameters: Tree, images: Array) -> Array:
    """Return the scores of the ten classes for images of shape ``(n, 64)``."""
    return images @ parameters["weights"] + parameters["bias"]


def logsumexp(z: Array) -> Array:
    """Return ``log(sum(exp(z)))`` over the last axis without overflow."""
    xp = ud.array_namespace(z)
    highest = ud.stop_gradient(xp.max(z, axis=-1, keepdims=True))
    return xp.log(xp.sum(xp.exp(z - highest), axis=-1)) + highest[..., 0]


def softmax_loss(parameters: Tree, images: Array, targets: Array, weight_decay: float = 1e-4) -> Array:
    """Return the mean cross entropy of the softmax of the scores, with weight decay."""
    xp = ud.array_namespace(images)
    z = scores(parameters, images)
    cross_entropy = logsumexp(z) - xp.sum(z * targets, axis=-1)
    return xp.mean(cross_entropy) + weight_decay * xp.sum(parameters["weights"] ** 2)


@dataclass(frozen=True)
class DigitsRun:
    """A training on one backend.

    Parameters
    ----------
    losses : ndarray of shape (steps + 1,)
        The loss before every step and after the last.
    parameters : ndarray of shape (steps + 1, 650)
        All parameters at the same moments.
    predictions : ndarray of shape (n,)
        The classes of the held-out images.
    accuracy : float
        The share of the held-out images that are classified rightly.
    """

    losses: Any
    parameters: Any
    predictions: Any
    accuracy: float


def train(parameters: Tree, images: Array, targets: Array, steps: int, on_step: OnStep) -> tuple[Tree, Any, Any]:
    """Train with momentum on all the images at every step; return the parameters, and losses and parameters along the way."""
    objective = ud.value_and_grad(softmax_loss)
    velocity = ud.tree.map(ud.array_namespace(images).zeros_like, parameters)
    losses, history = [], []
    for k in range(steps + 1):
        loss, gradient = objective(parameters, images, targets)
        losses.append(float(loss))
        history.append(np.concatenate([np.ravel(leaf) for leaf in ud.tree.leaves(ud.to_numpy(parameters))]))
        if k < steps:
            velocity = ud.tree.map(lambda v, g: 0.9 * v - 0.5 * g, velocity, gradient)
            parameters = ud.tree.map(lambda p, v: p + v, parameters, velocity)
            on_step()
    return parameters, np.asarray(losses), np.stack(history)


def run_digits(data: DigitsData, put: Callable[[Any], Array], steps: int, on_step: OnStep) -> DigitsRun:
    """Train on the arrays that ``put`` makes from NumPy's and look at the held-out images."""
    parameters = {name: put(value) for name, value in first_parameters().items()}
    parameters, losses, history = train(parameters, put(data.train_images), put(data.train_targets), steps, on_step)
    predictions = np.argmax(ud.to_numpy(scores(parameters, put(data.test_images))), axis=1)
    return DigitsRun(losses, history, predictions, float(np.mean(predictions == data.test_labels)))
