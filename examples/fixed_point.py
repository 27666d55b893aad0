"""A differentiable fixed point: the state in which a recurrent network settles, and how it depends on the network's weights.

The state ``x = tanh(W x + b)`` is found by iterating until nothing changes, however many steps that takes. Its derivative comes
from the equation alone, not from the iteration, so it costs one linear system and none of the steps is kept in memory. Here it
is used to find the bias for which the network settles in a given state. Run it with ``python examples/fixed_point.py``.
"""

import os

import numpy as np

import unidiff as ud

WEIGHTS = np.asarray([[0.3, -0.5, 0.1], [0.2, 0.4, -0.3], [-0.6, 0.1, 0.2]])
TARGET = np.asarray([0.5, -0.2, 0.3])
os.environ.setdefault("JAX_ENABLE_X64", "1")  # for JAX, which unidiff imports at its first use
# Dask is left out: its arrays are graphs, which decisions by values would compute again and again.
LIBRARIES = [name for name in ("numpy", "array_api_strict", "jax", "torch") if name in ud.backends()]


def update(x, weights, bias):
    """Return the next state of the network."""
    xp = ud.array_namespace(x, weights, bias)
    return xp.tanh(weights @ x + bias)


@ud.custom_fixed_point(update)
def settle(x, weights, bias):
    """Iterate until the state stays; `custom_fixed_point` knows how the result depends on weights and bias."""
    xp = ud.array_namespace(x)
    for _ in range(1000):
        previous, x = x, update(x, weights, bias)
        if float(xp.max(xp.abs(x - previous))) < 1e-15:
            break
    return x


def distance(bias, weights, target):
    """Return half the squared distance of the settled state from the target."""
    x = settle(0.0 * bias, weights, bias)
    xp = ud.array_namespace(x)
    return xp.sum((x - target) ** 2) / 2


def main():
    """Print and return the distance before and after Newton's method, and the residual of the bias on each backend."""
    errors = {}
    for name in LIBRARIES:
        weights, target = (ud.asarray(x, backend=name, dtype="float64") for x in (WEIGHTS, TARGET))
        bias = 0.0 * target
        before = float(distance(bias, weights, target))
        for _ in range(8):
            x = settle(0.0 * bias, weights, bias)
            sensitivity = ud.jacobian(settle, argnums=2)(0.0 * bias, weights, bias)
            bias = bias - ud.solve_dense(lambda v, j=sensitivity: j @ v, x - target).value
        after = float(distance(bias, weights, target))
        gradient = ud.grad(distance)(bias, weights, target)
        # The bias that makes the target a fixed point is known: atanh(target) - W target.
        errors[name] = float(np.max(np.abs(ud.to_numpy(bias) - (np.arctanh(TARGET) - WEIGHTS @ TARGET))))
        print(f"{name:16} distance {before:.3f} -> {after:.1e}, bias within {errors[name]:.1e} of the exact one,", end=" ")
        print(f"gradient there {np.max(np.abs(ud.to_numpy(gradient))):.1e}")
    return errors


if __name__ == "__main__":
    main()
