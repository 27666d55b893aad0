"""One function, written once, differentiated on every installed backend; each gives back its own kind of array.

Run it with ``python examples/same_code_many_backends.py``. The precision is single, which every backend has without settings.
"""

import numpy as np

import unidiff as ud

POINTS = [[0.3, 1.2, -0.7], [2.0, -1.0, 0.5]]


def energy(x):
    """Return a real function of a matrix that mixes elementwise functions, a reduction and a product of matrices."""
    xp = ud.array_namespace(x)
    return xp.sum(xp.tanh(x @ xp.matrix_transpose(x))) + xp.sum(xp.sin(x) * xp.exp(-(x**2)))


def main():
    """Print the gradient and a Hessian-vector product on each backend and return how far each is from NumPy's."""
    distances = {}
    for name in ud.backends(arrays=True):
        x = ud.asarray(POINTS, backend=name, dtype="float32")
        gradient = ud.grad(energy)(x)
        product = ud.hvp(energy, (x,), (ud.grad(energy)(x),))
        if name == "numpy":
            reference = gradient, product
        pairs = zip((gradient, product), reference, strict=True)
        distances[name] = max(float(np.max(np.abs(ud.to_numpy(a) - b))) for a, b in pairs)
        print(f"{name:8} {type(gradient).__qualname__:12} {gradient.dtype!s:14}", end=" ")
        print(f"device {ud.device(gradient)!s:16} difference to numpy {distances[name]:.1e}")
    return distances


if __name__ == "__main__":
    main()
