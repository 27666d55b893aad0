"""Differentiating through a solved problem: the ridge penalty that validates best, found by its gradient.

The inner problem fits a regression with a penalty; the outer one asks for the penalty whose fit has the least error on data
that the fit has not seen. The derivative of the inner solution comes from the implicit function theorem: one linear system,
however many iterations the inner solver made. Run it with ``python examples/differentiate_a_solution.py``.
"""

import os

import numpy as np

import unidiff as ud

rng = np.random.default_rng(0)
TRAIN, VALID = rng.standard_normal((25, 15)), rng.standard_normal((40, 15))
TRUTH = 0.5 * rng.standard_normal(15)
Y_TRAIN, Y_VALID = TRAIN @ TRUTH + rng.standard_normal(25), VALID @ TRUTH + rng.standard_normal(40)
os.environ.setdefault("JAX_ENABLE_X64", "1")  # for JAX, which unidiff imports at its first use
# Dask is left out: its arrays are graphs, which decisions by values would compute again and again.
LIBRARIES = [name for name in ("numpy", "array_api_strict", "jax", "torch") if name in ud.backends()]


def training_loss(w, log_penalty, x, y):
    """Return the penalized loss of the inner problem."""
    xp = ud.array_namespace(w, log_penalty, x, y)
    r = x @ w - y
    return xp.sum(r * r) / 2 + xp.exp(log_penalty) * xp.sum(w * w) / 2


def validation_loss(log_penalty, train, valid):
    """Solve the inner problem; return the mean squared error on the other data."""
    xp = ud.array_namespace(train[0])
    start = xp.zeros(train[0].shape[1], dtype=train[0].dtype)
    w = ud.minimize(training_loss, start, args=(log_penalty, *train), method="trust-ncg", tol=1e-9).x
    r = valid[0] @ w - valid[1]
    return ud.array_namespace(r).mean(r * r)


def main():
    """Print and return the best penalty of each library, its gradient, and the one by the closed form of the inner solution."""

    def by_hand(log_penalty):
        w = np.linalg.solve(TRAIN.T @ TRAIN + np.exp(log_penalty) * np.eye(15), TRAIN.T @ Y_TRAIN)
        return np.mean((VALID @ w - Y_VALID) ** 2)

    grid = np.linspace(-2, 6, 8001)
    best = float(grid[np.argmin([by_hand(t) for t in grid])])
    found = {}
    for name in LIBRARIES:
        train, valid = (
            [ud.asarray(a, backend=name, dtype="float64") for a in pair] for pair in ((TRAIN, Y_TRAIN), (VALID, Y_VALID))
        )
        start = ud.asarray(0.0, backend=name, dtype="float64")
        result = ud.minimize(validation_loss, start, args=(train, valid), method="bfgs", tol=1e-6)
        found[name] = (float(result.x), float(result.jac))
        print(f"{name:16} log penalty {found[name][0]:.4f} (on a grid {best:.4f}), {result.nit} outer iterations")
    return best, found


if __name__ == "__main__":
    main()
