"""Constrained problems: bounds, a projection, and general constraints by SciPy's SLSQP, each on every library.

The problems are number 5, 35 and 71 of W. Hock and K. Schittkowski, Test Examples for Nonlinear Programming Codes, 1981. Run it
with ``python examples/constrained.py``.
"""

import os

import numpy as np

import unidiff as ud

os.environ.setdefault("JAX_ENABLE_X64", "1")  # for JAX, which unidiff imports at its first use
# Dask is left out: its arrays are graphs, which decisions by values would compute again and again.
LIBRARIES = [name for name in ("numpy", "array_api_strict", "jax", "torch") if name in ud.backends()]


def hs5(x):
    """Return the objective of problem 5; the minimum is at the lower right of a wave."""
    xp = ud.array_namespace(x)
    return xp.sin(x[0] + x[1]) + (x[0] - x[1]) ** 2 - 1.5 * x[0] + 2.5 * x[1] + 1


def hs35(x):
    """Return the objective of problem 35, a quadratic in a simplex."""
    return 9 - 8 * x[0] - 6 * x[1] - 4 * x[2] + 2 * x[0] ** 2 + 2 * x[1] ** 2 + x[2] ** 2 + 2 * x[0] * x[1] + 2 * x[0] * x[2]


def hs71(x):
    """Return the objective of problem 71."""
    return x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]


def solve(name):
    """Return the three minimal values on a library."""
    p = ud.optim.projections

    def array(values):
        return ud.asarray(np.asarray(values, dtype="float64"), backend=name)

    bounded = ud.minimize(hs5, array([0.0, 0.0]), bounds=(array([-1.5, -3.0]), array([4.0, 3.0])))
    normal = array([1.0, 1.0, 2.0])
    set_35 = p.intersection(p.nonnegative, lambda x: p.halfspace(x, normal, 3.0), iterations=30)
    projected = ud.minimize(hs35, array([0.5, 0.5, 0.5]), projection=set_35)
    general = ud.minimize(
        hs71,
        array([1.0, 5.0, 5.0, 1.0]),
        method="slsqp",
        bounds=(1.0, 5.0),
        constraints=[
            {"type": "ineq", "fun": lambda x: x[0] * x[1] * x[2] * x[3] - 25},
            {"type": "eq", "fun": lambda x: x[0] ** 2 + x[1] ** 2 + x[2] ** 2 + x[3] ** 2 - 40},
        ],
    )
    return [float(result.fun) for result in (bounded, projected, general)]


def main():
    """Print and return the values on each library beside the known ones."""
    known = [-np.sqrt(3) / 2 - np.pi / 3, 1 / 9, 17.0140173]
    found = {name: solve(name) for name in LIBRARIES}
    for name, values in found.items():
        print(f"{name:16}", *(f"{value:.7f} (known {best:.7f})" for value, best in zip(values, known, strict=True)))
    return known, found


if __name__ == "__main__":
    main()
