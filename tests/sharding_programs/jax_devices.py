"""Eight devices: derivatives and optimizer steps keep how JAX's arrays are sharded, and equal those on one device."""

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import unidiff as ud

mesh = Mesh(np.array(jax.devices()), ("data",))
assert mesh.size == 8
rows, whole = NamedSharding(mesh, PartitionSpec("data")), NamedSharding(mesh, PartitionSpec())
rng = np.random.default_rng(0)
X, Y, W = rng.normal(size=(64, 4)), rng.normal(size=64), rng.normal(size=4)


def loss(w, x, y):
    xp = ud.array_namespace(w)
    return xp.mean((x @ w - y) ** 2)


w, x, y = jax.device_put(W, whole), jax.device_put(X, rows), jax.device_put(Y, rows)
value, grad = ud.value_and_grad(loss)(w, x, y)
wanted = 2 * X.T @ (X @ W - Y) / 64
np.testing.assert_allclose(grad, wanted, rtol=1e-13)
np.testing.assert_allclose(value, np.mean((X @ W - Y) ** 2), rtol=1e-14)
assert grad.sharding.is_equivalent_to(whole, 1), grad.sharding

_, of_rows = ud.value_and_grad(lambda x: loss(w, x, y))(x)
assert of_rows.sharding.is_equivalent_to(rows, 2), of_rows.sharding
assert len(of_rows.addressable_shards) == 8
np.testing.assert_allclose(of_rows, np.outer(2 * (X @ W - Y) / 64, W), rtol=1e-13)

# The parameter itself sharded: the optimizer's state and step keep that.
p = jax.device_put(np.arange(16.0), rows)
adam = ud.optim.Adam(0.1)
state = adam.init(p)
new, state = adam.step(p, ud.grad(lambda p: ud.array_namespace(p).sum((p - 3) ** 2))(p), state)
assert new.sharding.is_equivalent_to(rows, 1), new.sharding
for leaf in ud.tree.leaves(state):
    if getattr(leaf, "shape", None) == (16,):
        assert leaf.sharding.is_equivalent_to(rows, 1), leaf.sharding
alone = np.arange(16.0)
want, _ = adam.step(alone, 2 * (alone - 3), adam.init(alone))
np.testing.assert_allclose(new, want, rtol=1e-14)

step = ud.jit(lambda w, x, y: ud.value_and_grad(loss)(w, x, y))
np.testing.assert_allclose(step(w, x, y)[1], wanted, rtol=1e-13)
print("sharded")
