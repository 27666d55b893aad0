"""Problems, trajectories and reference implementations for the tests of optimizers."""

import numpy as np
import pytest

import unidiff as ud

VECTOR = np.asarray([-1.2, 1.0, 0.5, 2.0])
MATRIX = np.asarray([[-1.2, 1.0], [0.5, 2.0], [0.3, -0.7]])
FACTORS = np.asarray([[0.5, 1.0], [2.0, 0.1], [3.0, 1.5]])


def rosenbrock_gradient(x):
    g = np.zeros_like(x)
    g[1:] += 20 * (x[1:] - x[:-1] ** 2)
    g[:-1] += -40 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
    return g


def matrix_gradient(x):
    return FACTORS.astype(x.dtype) * x + np.sin(x)


PROBLEMS = {"vector": (VECTOR, rosenbrock_gradient), "matrix": (MATRIX, matrix_gradient)}


def trajectory(optimizer, problem="vector", steps=60, backend="numpy", dtype="float64", **options):
    """Return the iterates as one NumPy array; gradients are computed by NumPy, so that the optimizer alone is compared."""
    start, gradient = PROBLEMS[problem]
    x = ud.asarray(start.astype(dtype), backend=backend)
    state, path = optimizer.init(x), []
    for _ in range(steps):
        g = ud.asarray(gradient(np.asarray(ud.to_numpy(x))).astype(dtype), backend=backend)
        x, state = optimizer.step(x, g, state, **options)
        path.append(np.array(ud.to_numpy(x)))
    assert state.get("step", steps) == steps
    return np.stack(path)


@pytest.fixture
def hide_native(monkeypatch):
    """Make backends without their native optimizer steps."""

    def hide(name):
        backend = ud.get_backend(name)
        monkeypatch.setattr(backend, "native", backend.native - {"optimizer_step"})

    return hide
