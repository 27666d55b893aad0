"""A model written in JAX, fitted from NumPy by SciPy's ``minimize`` with exact gradients and Hessian products.

Run it with ``python examples/jax_model_with_scipy.py``.
"""

import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

import unidiff as ud


def decay(p, t):
    """Return the model in JAX: a damped oscillation."""
    amplitude, rate, frequency = p[0], p[1], p[2]
    return amplitude * jnp.exp(-rate * t) * jnp.cos(frequency * t)


def main():
    """Recover the parameters of a damped oscillation and return them with the true ones."""
    true = np.asarray([2.0, 0.3, 1.5], dtype="float32")
    t = np.linspace(0, 6, 40, dtype="float32")
    model = ud.bridge(decay, "jax")
    data = model(true, t)

    def loss(p):
        return ((model(p, t) - data) ** 2).sum()

    single = np.float32  # JAX has 32 bits unless told otherwise
    found = minimize(
        lambda p: float(loss(p.astype(single))),
        np.asarray([1.5, 0.5, 1.4]),
        jac=lambda p: ud.grad(loss)(p.astype(single)).astype(float),
        hessp=lambda p, v: ud.jvp(ud.grad(loss), (p.astype(single),), (v.astype(single),))[1].astype(float),
        method="Newton-CG",
    )
    print(f"found {found.x} in {found.nit} steps")
    return found.x, true


if __name__ == "__main__":
    main()
