"""Minimize Rosenbrock's function with Newton's method: value, gradient and Hessian come from one function of an array.

Run it with ``python examples/rosenbrock.py``.
"""

import numpy as np

import unidiff as ud


def rosenbrock(x):
    """Return the sum of ``100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2``; its minimum is 0 where every x[i] is 1."""
    xp = ud.array_namespace(x)
    return xp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def newton(f, x, steps=100, tolerance=1e-10):
    """Minimize ``f`` by Newton's method, downhill also where the Hessian is indefinite, halving steps until the value falls."""
    value_and_grad, hessian = ud.value_and_grad(f), ud.hessian(f)
    for step in range(steps):
        value, gradient = value_and_grad(x)
        size = np.linalg.norm(gradient)
        print(f"step {step:2}   f = {value:.3e}   |gradient| = {size:.3e}")
        if size < tolerance:
            break
        curvatures, axes = np.linalg.eigh(hessian(x))
        direction = -axes @ ((axes.T @ gradient) / np.abs(curvatures))
        length = 1.0
        while f(x + length * direction) > value and length > 1e-10:
            length /= 2
        x = x + length * direction
    return x


def main():
    """Start from zero in ten dimensions and print what is found."""
    x = newton(rosenbrock, np.zeros(10))
    print("minimum at", x)
    return x


if __name__ == "__main__":
    main()
