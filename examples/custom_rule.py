"""A function with a derivative of its own, the same on every backend: a logarithm of a sum that does not overflow.

Run it with ``python examples/custom_rule.py``.
"""

import numpy as np

import unidiff as ud


@ud.custom_jvp
def log1pexp(x):
    """Return log(1 + exp(x))."""
    xp = ud.array_namespace(x)
    return xp.where(x > 30, x, xp.log(1 + xp.exp(xp.where(x > 30, 0 * x, x))))


@log1pexp.defjvp
def log1pexp_rule(primals, tangents):
    """Push a tangent forward by 1 / (1 + exp(-x)), which is written so that nothing overflows."""
    (x,), (t,) = primals, tangents
    return log1pexp(x), t * ud.special.expit(x)


def main():
    """Return the first and second derivatives at 100 and 0 on every backend."""
    found = {}
    for backend in ("numpy", "torch", "jax"):
        if backend in ud.backends():
            x = ud.asarray(np.asarray([0.0, 100.0], dtype="float32"), backend=backend)
            first = ud.vmap(ud.grad(log1pexp))(x)
            second = ud.vmap(ud.grad(ud.grad(log1pexp)))(x)
            found[backend] = ud.to_numpy([first, second])
            print(f"{backend:6} {found[backend][0]} {found[backend][1]}")
    return found


if __name__ == "__main__":
    main()
