"""Derivatives of derivatives: a Taylor series, and an equation of motion derived from its Lagrangian.

Run it with ``python examples/nested_derivatives.py``.
"""

import math

import numpy as np

import unidiff as ud


def taylor(f, x, order):
    """Return the coefficients of the Taylor polynomial of the scalar function ``f`` at ``x``, by `grad` within `grad`."""
    coefficients = []
    for k in range(order + 1):
        coefficients.append(float(f(x)) / math.factorial(k))
        f = ud.grad(f)
    return coefficients


def lagrangian(q, v):
    """Return kinetic minus potential energy of a double pendulum with unit masses, lengths and gravity 9.81."""
    xp = ud.array_namespace(q, v)
    kinetic = v[0] ** 2 + v[1] ** 2 / 2 + v[0] * v[1] * xp.cos(q[0] - q[1])
    potential = -9.81 * (2 * xp.cos(q[0]) + xp.cos(q[1]))
    return kinetic - potential


def acceleration(q, v):
    """Solve the Euler-Lagrange equation ``d/dt dL/dv = dL/dq`` for the acceleration."""
    mass = ud.hessian(lagrangian, argnums=1)(q, v)
    momentum_rate = ud.jvp(lambda q: ud.grad(lagrangian, argnums=1)(q, v), (q,), (v,))[1]
    return np.linalg.solve(mass, ud.grad(lagrangian)(q, v) - momentum_rate)


def energy(q, v):
    """Return the energy, which the motion conserves: ``v . dL/dv - L``."""
    return v @ ud.grad(lagrangian, argnums=1)(q, v) - lagrangian(q, v)


def main():
    """Print both and return the Taylor coefficients of exp(sin(x)) at 0 and the drift of the energy over a short motion."""
    coefficients = taylor(lambda x: np.exp(np.sin(x)), np.asarray(0.0), 5)
    print("exp(sin(x)) =", " + ".join(f"{c:.4g} x^{k}" for k, c in enumerate(coefficients)))
    q, v, dt = np.asarray([1.0, 2.0]), np.zeros(2), 0.005
    first = energy(q, v)
    for _ in range(200):  # the midpoint method
        qm, vm = q + dt / 2 * v, v + dt / 2 * acceleration(q, v)
        q, v = q + dt * vm, v + dt * acceleration(qm, vm)
    drift = abs(float(energy(q, v) - first))
    print(f"double pendulum after one second: angles {q}, energy changed by {drift:.1e}")
    return coefficients, drift


if __name__ == "__main__":
    main()
