"""Data-parallel training in JAX: the data are sharded over devices, and so is the work; the function does not know it.

XLA_FLAGS=--xla_force_host_platform_device_count=8 JAX_ENABLE_X64=1 python examples/data_parallel/with_jax.py
"""

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import unidiff as ud


def loss(w, x, y):
    """Return the mean logistic loss."""
    xp = ud.array_namespace(w)
    margins = y * (x @ w)
    return xp.mean(xp.logaddexp(xp.zeros_like(margins), -margins))


def main() -> None:
    """Train on all devices that there are."""
    mesh = Mesh(np.array(jax.devices()), ("data",))
    rows, whole = NamedSharding(mesh, PartitionSpec("data")), NamedSharding(mesh, PartitionSpec())
    rng = np.random.default_rng(0)
    x = rng.standard_normal((800 * mesh.size, 20))
    y = np.where(x @ np.linspace(-1, 1, 20) > 0, 1.0, -1.0)
    x, y, w = jax.device_put(x, rows), jax.device_put(y, rows), jax.device_put(np.zeros(20), whole)
    adam = ud.optim.Adam(0.3)
    state = adam.init(w)
    gradient = ud.jit(lambda w: ud.value_and_grad(loss)(w, x, y))
    for step in range(20):
        value, grad = gradient(w)
        w, state = adam.step(w, grad, state)
        if step % 5 == 0:
            print(f"step {step:2}  loss {float(value):.4f}  on {len(grad.sharding.device_set)} devices")


if __name__ == "__main__":
    main()
