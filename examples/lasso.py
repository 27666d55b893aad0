"""A sparse regression: the lasso, solved by accelerated proximal gradients on every library.

Twelve of two hundred coefficients made the data, which are fewer than the coefficients. The penalty on the absolute values
finds them: ``|A x - b|^2 / 2 + penalty |x|_1`` is the sum of a smooth function and one whose proximal operator is soft
thresholding. Run it with ``python examples/lasso.py``.
"""

import os

import numpy as np

import unidiff as ud

PENALTY = 2.0
os.environ.setdefault("JAX_ENABLE_X64", "1")  # for JAX, which unidiff imports at its first use
# Dask is left out: its arrays are graphs, which decisions by values would compute again and again.
LIBRARIES = [name for name in ("numpy", "array_api_strict", "jax", "torch") if name in ud.backends()]


def data():
    """Return the matrix, the right side, and the coefficients that made it."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((80, 200))
    x = np.zeros(200)
    x[rng.choice(200, 12, replace=False)] = rng.choice([-1, 1], 12) * rng.uniform(1, 3, 12)
    return a, a @ x + 0.05 * rng.standard_normal(80), x


def loss(x, a, b):
    """Return half the sum of the squared residuals."""
    r = a @ x - b
    return 0.5 * (r @ r)


def main():
    """Print and return what each library finds: the number of coefficients, the true ones among them, and the violation."""
    a, b, truth = data()
    found = {}
    for name in LIBRARIES:
        matrix, right = ud.asarray(a, backend=name, dtype="float64"), ud.asarray(b, backend=name, dtype="float64")
        result = ud.minimize(
            loss,
            0.0 * matrix[0, :],
            args=(matrix, right),
            prox=lambda x, step: ud.optim.proximal.l1(x, PENALTY * step),
            tol=1e-6,
        )
        x = ud.to_numpy(result.x)
        # At the optimum the gradient of the loss is -penalty * sign(x), and within +-penalty where x is zero.
        gradient = a.T @ (a @ x - b)
        violation = np.max(np.where(x != 0, np.abs(gradient + PENALTY * np.sign(x)), np.abs(gradient) - PENALTY))
        found[name] = (int(np.sum(x != 0)), int(np.sum((x != 0) & (truth != 0))), float(violation))
        print(
            f"{name:16} {result.nit} iterations, {found[name][0]} coefficients, {found[name][1]} of the 12 true ones, "
            f"optimal within {violation:.0e}"
        )
    return found


if __name__ == "__main__":
    main()
